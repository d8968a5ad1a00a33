package org.cellkeeper.cell.http;

import io.javalin.config.JavalinConfig;
import io.javalin.http.Context;
import io.javalin.http.HandlerType;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** Which verbs each path takes, and who may ask. HEAD comes with GET, and OPTIONS names them all. */
final class RouteTable {
    private final Authentication authentication;
    private final Map<String, Map<HandlerType, Route>> paths = new LinkedHashMap<>();

    RouteTable(Authentication authentication) {
        this.authentication = authentication;
    }

    /** What answers a request. */
    interface Route {
        void handle(Context ctx) throws Exception;
    }

    void get(String path, Route route) {
        guarded(HandlerType.GET, path, route);
    }

    void post(String path, Route route) {
        guarded(HandlerType.POST, path, route);
    }

    void put(String path, Route route) {
        guarded(HandlerType.PUT, path, route);
    }

    void delete(String path, Route route) {
        guarded(HandlerType.DELETE, path, route);
    }

    /** A GET that needs neither password nor token. */
    void open(String path, Route route) {
        add(HandlerType.GET, path, route);
    }

    private void guarded(HandlerType verb, String path, Route route) {
        add(verb, path, ctx -> {
            if (ctx.contentLength() > Requests.BODY_LIMIT) {
                throw Requests.tooLarge();
            }
            authentication.require(ctx);
            route.handle(ctx);
        });
    }

    private void add(HandlerType verb, String path, Route route) {
        paths.computeIfAbsent(path, unused -> new LinkedHashMap<>()).put(verb, route);
    }

    /** Such as {@code GET /api/1.0.0/nodes}. */
    List<String> served() {
        return paths.entrySet().stream()
                .flatMap(path -> path.getValue().keySet().stream().map(verb -> verb.name() + " " + path.getKey()))
                .toList();
    }

    void serve(JavalinConfig config) {
        paths.forEach((path, verbs) -> {
            Map<HandlerType, Route> all = new LinkedHashMap<>(verbs);
            Route get = verbs.get(HandlerType.GET);
            if (get != null) {
                all.put(HandlerType.HEAD, get);
            }
            String allow = all.keySet().stream().map(HandlerType::name).collect(Collectors.joining(", ")) + ", OPTIONS";
            all.put(HandlerType.OPTIONS, ctx -> ctx.header("Allow", allow).status(204));
            all.forEach((verb, route) -> config.routes.addHttpHandler(verb, path, route::handle));
        });
    }
}
