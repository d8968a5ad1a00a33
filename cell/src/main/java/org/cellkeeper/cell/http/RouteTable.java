package org.cellkeeper.cell.http;

import io.javalin.config.JavalinConfig;
import io.javalin.http.Context;
import io.javalin.http.HandlerType;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.cellkeeper.cell.model.ApiUser;

/** Which verbs each path takes, and who may ask. HEAD comes with GET, and OPTIONS names them all. */
final class RouteTable {
    private final Authentication authentication;
    private final Audit audit;
    private final ApiStrangers strangers;
    private final Map<String, Map<HandlerType, Route>> paths = new LinkedHashMap<>();

    RouteTable(Authentication authentication, Audit audit, ApiStrangers strangers) {
        this.authentication = authentication;
        this.audit = audit;
        this.strangers = strangers;
    }

    /** What answers a request. */
    interface Route {
        void handle(Context ctx) throws Exception;
    }

    /** What a route is for, and with that, who may ask. */
    enum Purpose {
        READ,
        READ_AS_ROOT,
        CHANGE,
        LOG_IN,
        LOG_OUT;

        boolean isFor(ApiUser.Role role) {
            return switch (this) {
                case READ, LOG_IN, LOG_OUT -> true;
                case READ_AS_ROOT, CHANGE -> role == ApiUser.Role.ROOT;
            };
        }
    }

    void get(String path, Route route) {
        guarded(HandlerType.GET, path, Purpose.READ, route);
    }

    /** One for the role root alone. */
    void getAsRoot(String path, Route route) {
        guarded(HandlerType.GET, path, Purpose.READ_AS_ROOT, route);
    }

    void post(String path, Route route) {
        guarded(HandlerType.POST, path, Purpose.CHANGE, route);
    }

    void put(String path, Route route) {
        guarded(HandlerType.PUT, path, Purpose.CHANGE, route);
    }

    void delete(String path, Route route) {
        guarded(HandlerType.DELETE, path, Purpose.CHANGE, route);
    }

    /** How everybody begins a session of its own. */
    void logIn(String path, Route route) {
        guarded(HandlerType.POST, path, Purpose.LOG_IN, route);
    }

    /** How everybody ends it. */
    void logOut(String path, Route route) {
        guarded(HandlerType.DELETE, path, Purpose.LOG_OUT, route);
    }

    /** A GET that needs neither password nor token. */
    void open(String path, Route route) {
        add(HandlerType.GET, path, ctx -> {
            strangers.hasAsked(ctx);
            route.handle(ctx);
        });
    }

    private void guarded(HandlerType verb, String path, Purpose purpose, Route route) {
        add(verb, path, ctx -> {
            if (ctx.contentLength() > Requests.BODY_LIMIT) {
                throw Requests.tooLarge();
            }
            Caller caller = admitted(ctx, path, purpose);
            RequestProblem problem = null;
            int status = 500;
            try {
                route.handle(ctx);
                status = ctx.statusCode();
            } catch (RequestProblem refused) {
                status = refused.status();
                problem = refused;
                throw refused;
            } finally {
                audit.done(ctx, purpose, caller, status, problem == null ? "" : problem.code());
            }
        });
    }

    private Caller admitted(Context ctx, String path, Purpose purpose) {
        try {
            CrossSite.refuse(ctx);
            Caller caller = authentication.require(ctx);
            strangers.isKnown(ctx);
            if (!purpose.isFor(caller.role())) {
                throw new RequestProblem(
                        403,
                        "Not allowed",
                        "role-not-allowed",
                        caller.name() + " has the role "
                                + caller.role().name().toLowerCase(Locale.ROOT)
                                + (purpose == Purpose.CHANGE ? ", which changes nothing" : ", which may not read this")
                                + "; ask as a user with the role root");
            }
            audit.cameIn(ctx, purpose, caller);
            return caller;
        } catch (RequestProblem refused) {
            if (refused.status() < 500) {
                audit.refused(ctx, path, authentication.namedUser(ctx), refused);
            }
            throw refused;
        }
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
