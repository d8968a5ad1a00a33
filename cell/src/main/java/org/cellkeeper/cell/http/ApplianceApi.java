package org.cellkeeper.cell.http;

import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.cfg.CoercionAction;
import com.fasterxml.jackson.databind.cfg.CoercionInputShape;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.type.LogicalType;
import io.javalin.Javalin;
import io.javalin.compression.CompressionStrategy;
import io.javalin.config.JavalinConfig;
import io.javalin.http.Context;
import io.javalin.http.HandlerType;
import io.javalin.http.HttpResponseException;
import io.javalin.http.MethodNotAllowedResponse;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import org.cellkeeper.api.ApiPaths;
import org.cellkeeper.api.CellPage;
import org.cellkeeper.api.Checks;
import org.cellkeeper.api.PrimaryAnswer;
import org.cellkeeper.api.Problem;
import org.cellkeeper.api.PromoteRequest;
import org.cellkeeper.api.SessionInfo;
import org.cellkeeper.api.StandbyAnswer;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.CellState;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.HistoryEntry;
import org.cellkeeper.cell.model.RevokedSession;
import org.cellkeeper.cell.port.App;
import org.cellkeeper.cell.port.BackupOperator;
import org.cellkeeper.cell.port.Coordination;
import org.cellkeeper.cell.port.Operator;
import org.cellkeeper.cell.port.Reloadable;
import org.cellkeeper.cell.port.Revocations;
import org.eclipse.jetty.io.EofException;
import org.eclipse.jetty.server.Connector;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.NetworkConnectionLimit;
import org.eclipse.jetty.server.SecureRequestCustomizer;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.server.SslConnectionFactory;
import org.eclipse.jetty.util.thread.QueuedThreadPool;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The appliance API over HTTPS. It turns requests into calls of {@link Operator} and the answers into JSON; whether a
 * request may be granted is decided there, never here. A few threads move the bytes and each request has one of its own, all of
 * the lowest priority: where the processors are busy, answering gives way to deciding.
 */
public final class ApplianceApi implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(ApplianceApi.class);

    static final String USER = "root";
    private static final int HISTORY_LIMIT = 1000;
    private static final int DEFAULT_HISTORY = 100;
    private static final int CELLS_PAGE = 25;
    private static final int CELLS_PAGE_LIMIT = 128;
    private static final Duration HISTORY_WITHIN = Duration.ofSeconds(3);
    private static final String NO_HISTORY = "the history cannot be read while ZooKeeper does not answer";
    private static final int CONNECTIONS = 1024;
    private static final long IDLE_MILLIS = 30_000;
    private static final String SESSION = "session";
    private static final String METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";
    private static final Duration KEEPALIVE = Duration.ofSeconds(10);

    private final ApiSettings settings;
    private final Operator operator;
    private final App app;
    private final Rendering rendering;
    private final ObjectMapper json;
    private final byte[] credentials;
    private final AccessTokens tokens;
    private final Revocations revocations;
    private final ThisCell thisCell;
    private final Requests requests;
    private final Answers answers;
    private final ServedCertificate certificate;
    private final ThisCellRoutes ofThisCell;
    private final BackupRoutes backups;
    private final EventStreams events;
    private final Supplier<String> metrics;
    private final List<String> served = new ArrayList<>();
    private final Javalin javalin;

    /**
     * @param postgres the configuration of this cell's PostgreSQL
     * @param zookeeper the status of this cell's ZooKeeper server as {@code GET /services} tells it; null where it runs none
     * @param metrics in Prometheus' text format
     */
    public ApplianceApi(
            ApiSettings settings,
            Operator operator,
            BackupOperator backups,
            App app,
            Revocations revocations,
            Reloadable postgres,
            @Nullable Supplier<String> zookeeper,
            Supplier<String> metrics) {
        this.settings = settings;
        this.operator = operator;
        this.app = app;
        this.revocations = revocations;
        this.metrics = metrics;
        this.tokens = new AccessTokens(settings.tokenSecret(), settings.rootPassword());
        this.thisCell = new ThisCell(settings, operator, app, zookeeper);
        this.events = new EventStreams(operator);
        this.rendering = new Rendering(settings);
        this.json = JsonMapper.builder()
                .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
                .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                .disable(com.fasterxml.jackson.databind.MapperFeature.ALLOW_COERCION_OF_SCALARS)
                .withCoercionConfig(LogicalType.Textual, text -> {
                    text.setCoercion(CoercionInputShape.Integer, CoercionAction.Fail);
                    text.setCoercion(CoercionInputShape.Float, CoercionAction.Fail);
                    text.setCoercion(CoercionInputShape.Boolean, CoercionAction.Fail);
                })
                .build();
        this.requests = new Requests(json);
        this.answers = new Answers(settings, json);
        this.certificate = new ServedCertificate(settings);
        this.ofThisCell =
                new ThisCellRoutes(requests, answers, thisCell, Map.of("vpostgres", postgres, "nginx", certificate));
        this.backups = new BackupRoutes(requests, answers, backups, rendering);
        this.credentials = digest(USER + ":" + settings.rootPassword());
        this.javalin = Javalin.create(this::configure);
    }

    /** Makes a certificate if there is none yet, and serves from then on. */
    public void start() {
        javalin.start();
        events.start();
        log.info(
                "appliance API at https://{}:{}",
                settings.address().host(),
                settings.address().apiPort());
    }

    @Override
    public void close() {
        events.close();
        javalin.stop();
    }

    // ---- the server

    private void configure(JavalinConfig config) {
        config.startup.showJavalinBanner = false;
        config.startup.showOldJavalinVersionWarning = false;
        config.startup.startupWatcherEnabled = false;
        config.http.maxRequestSize = Requests.BODY_LIMIT;
        config.http.prefer405over404 = true;
        config.http.compressionStrategy = CompressionStrategy.NONE;
        config.http.defaultContentType = "application/json";
        QueuedThreadPool threads = new QueuedThreadPool(16, 2, 30_000);
        threads.setName("api");
        threads.setReservedThreads(0);
        threads.setThreadsPriority(Thread.MIN_PRIORITY);
        threads.setVirtualThreadsExecutor(Executors.newCachedThreadPool(Thread.ofPlatform()
                .name("api-request-", 0)
                .priority(Thread.MIN_PRIORITY)
                .daemon()
                .factory()));
        config.jetty.threadPool = threads;
        config.jetty.modifyServer(server -> {
            server.setErrorHandler(new JsonErrors(json));
            server.addBean(new NetworkConnectionLimit(CONNECTIONS, server));
            server.setStopTimeout(500);
        });
        config.jetty.addConnector(this::connector);
        routes(config);
        config.routes.exception(RequestProblem.class, (problem, ctx) -> answers.answer(ctx, problem.problem()));
        config.routes.exception(MethodNotAllowedResponse.class, (e, ctx) -> answers.wrongVerb(ctx, e));
        config.routes.exception(HttpResponseException.class, (e, ctx) -> {
            int status = e.getStatus();
            answers.answer(ctx, status == 404 ? Answers.noSuchPath() : Answers.ofStatus(status));
        });
        config.routes.exception(Exception.class, (e, ctx) -> answers.fault(ctx, e));
        config.router.javaLangErrorHandler((response, error) -> {
            log.error("a request failed", error);
            response.setStatus(500);
        });
    }

    private Connector connector(Server server, HttpConfiguration javalinDefaults) {
        HttpConfiguration http = new HttpConfiguration(javalinDefaults);
        http.setSendServerVersion(false);
        http.setSendXPoweredBy(false);
        http.setRequestHeaderSize(16 * 1024);
        // Clients come by address and by any name, with certificates unchecked: SNI tells nothing.
        http.addCustomizer(new SecureRequestCustomizer(false));

        ServerConnector connector = new ServerConnector(
                server,
                null,
                null,
                null,
                1,
                1,
                new SslConnectionFactory(certificate.tls(), "http/1.1"),
                new HttpConnectionFactory(http));
        connector.setHost(settings.bindHost());
        connector.setPort(settings.address().apiPort());
        connector.setIdleTimeout(IDLE_MILLIS);
        connector.setReuseAddress(true);
        return connector;
    }

    // ---- routes

    private interface Route {
        void handle(Context ctx) throws Exception;
    }

    private void routes(JavalinConfig config) {
        path(config, ApiPaths.NODES, Map.of(HandlerType.GET, guarded(this::nodes)));
        path(config, ApiPaths.IS_PRIMARY, Map.of(HandlerType.GET, this::isPrimary));
        path(config, ApiPaths.PRIMARY, Map.of(HandlerType.GET, this::primary));
        path(config, ApiPaths.STANDBY, Map.of(HandlerType.GET, this::standby));
        path(config, ApiPaths.FAILOVER + "/{mode}", Map.of(HandlerType.POST, guarded(this::setMode)));
        path(config, ApiPaths.NODES + "/{name}", Map.of(HandlerType.DELETE, guarded(this::remove)));
        path(config, ApiPaths.NODES + "/{name}/promote", Map.of(HandlerType.POST, guarded(this::promote)));
        path(config, ApiPaths.NODES + "/{name}/switchover", Map.of(HandlerType.POST, guarded(this::switchover)));
        path(config, ApiPaths.NODES + "/{name}/deploy", Map.of(HandlerType.POST, guarded(this::deploy)));
        path(config, ApiPaths.TASKS, Map.of(HandlerType.GET, guarded(this::tasks)));
        path(config, ApiPaths.TASKS + "/{id}", Map.of(HandlerType.GET, guarded(this::task)));
        path(config, ApiPaths.HISTORY, Map.of(HandlerType.GET, guarded(this::history)));
        path(config, ApiPaths.EVENTS, Map.of(HandlerType.GET, guarded(this::events)));
        path(config, ApiPaths.SERVICES, Map.of(HandlerType.GET, guarded(ofThisCell::services)));
        path(config, ApiPaths.SERVICES + "/{name}", Map.of(HandlerType.GET, guarded(ofThisCell::service)));
        path(config, ApiPaths.SERVICES + "/{name}/reload", Map.of(HandlerType.POST, guarded(ofThisCell::reload)));
        path(config, ApiPaths.SESSIONS, Map.of(HandlerType.POST, guarded(this::logIn)));
        path(config, ApiPaths.CURRENT_SESSION, Map.of(HandlerType.DELETE, guarded(this::logOut)));
        path(
                config,
                ApiPaths.BACKUPS,
                Map.of(HandlerType.GET, guarded(backups::list), HandlerType.POST, guarded(backups::create)));
        path(
                config,
                ApiPaths.BACKUPS + "/{name}",
                Map.of(HandlerType.GET, guarded(backups::show), HandlerType.DELETE, guarded(backups::delete)));
        path(config, ApiPaths.BACKUPS + "/{name}/check", Map.of(HandlerType.POST, guarded(backups::check)));
        path(config, ApiPaths.BACKUPS + "/{name}/restore", Map.of(HandlerType.POST, guarded(backups::restore)));
        path(config, ApiPaths.VERSION, Map.of(HandlerType.GET, guarded(ofThisCell::version)));
        path(
                config,
                ApiPaths.MOUNT,
                Map.of(HandlerType.GET, guarded(backups::mount), HandlerType.PUT, guarded(backups::changeMount)));
        path(config, ApiPaths.STORAGE, Map.of(HandlerType.GET, guarded(ofThisCell::storage)));
        path(config, ApiPaths.FIPS, Map.of(HandlerType.GET, guarded(ofThisCell::fips)));
        path(
                config,
                ApiPaths.FIPS + "/{name}",
                Map.of(
                        HandlerType.GET,
                        guarded(ofThisCell::fipsOfOne),
                        HandlerType.PUT,
                        guarded(ofThisCell::changeFips)));
        path(config, ApiPaths.LIVEZ, Map.of(HandlerType.GET, guarded(ofThisCell::alive)));
        path(config, ApiPaths.READYZ, Map.of(HandlerType.GET, guarded(ofThisCell::ready)));
        path(config, ApiPaths.METRICS, Map.of(HandlerType.GET, guarded(this::metrics)));
        path(config, ApiPaths.OPENAPI, Map.of(HandlerType.GET, guarded(this::openApi)));
        path(config, ApiPaths.SERVER_STATUS, Map.of(HandlerType.GET, this::serverStatus));
        path(config, ApiPaths.CELLS, Map.of(HandlerType.GET, guarded(this::cells)));
    }

    private void path(JavalinConfig config, String path, Map<HandlerType, Route> verbs) {
        verbs.keySet().forEach(verb -> served.add(verb.name() + " " + path));
        Map<HandlerType, Route> all = new LinkedHashMap<>(verbs);
        Route get = verbs.get(HandlerType.GET);
        if (get != null) {
            all.put(HandlerType.HEAD, get);
        }
        String allow =
                String.join(", ", all.keySet().stream().map(HandlerType::name).toList()) + ", OPTIONS";
        all.put(HandlerType.OPTIONS, ctx -> ctx.header("Allow", allow).status(204));
        all.forEach((verb, route) -> config.routes.addHttpHandler(verb, path, route::handle));
    }

    /** Such as {@code GET /api/1.0.0/nodes}. */
    List<String> served() {
        return List.copyOf(served);
    }

    private Route guarded(Route route) {
        return ctx -> {
            if (ctx.contentLength() > Requests.BODY_LIMIT) {
                throw Requests.tooLarge();
            }
            authenticate(ctx);
            route.handle(ctx);
        };
    }

    private void authenticate(Context ctx) {
        String header = ctx.header("Authorization");
        if (header == null) {
            throw notAuthenticated(ctx, "HTTP Basic authentication as root, or a bearer token, is needed");
        }
        String token = credentialsOf(header, "bearer");
        if (!token.isEmpty()) {
            ctx.attribute(SESSION, standing(ctx, token));
        } else if (!MessageDigest.isEqual(digest(basic(header)), credentials)) {
            throw notAuthenticated(ctx, "the user name or the password is wrong");
        }
    }

    private AccessTokens.Session standing(Context ctx, String token) {
        AccessTokens.Session session = tokens.verify(token, Instant.now());
        if (session == null) {
            throw notAuthenticated(ctx, "the token is not valid, or has expired; POST /sessions gives a new one");
        }
        switch (revocations.standing(session.id())) {
            case VALID -> {}
            case REVOKED -> throw notAuthenticated(ctx, "this session was ended; POST /sessions begins a new one");
            case NOT_KNOWN ->
                throw RequestProblem.unavailable(
                        "zookeeper-unavailable",
                        "this cell has not read yet which sessions were ended; use HTTP Basic authentication, or another cell");
        }
        return session;
    }

    private static RequestProblem notAuthenticated(Context ctx, String detail) {
        ctx.header("WWW-Authenticate", "Basic realm=\"cellkeeper\", charset=\"UTF-8\"");
        return new RequestProblem(401, "Not authenticated", "not-authenticated", detail);
    }

    /** What follows the scheme's name; empty when it is another scheme. */
    private static String credentialsOf(String header, String scheme) {
        int space = header.indexOf(' ');
        return space < 0 || !header.substring(0, space).equalsIgnoreCase(scheme)
                ? ""
                : header.substring(space + 1).trim();
    }

    private static String basic(String header) {
        try {
            return new String(Base64.getDecoder().decode(credentialsOf(header, "basic")), StandardCharsets.UTF_8);
        } catch (IllegalArgumentException e) {
            return "";
        }
    }

    private void logIn(Context ctx) {
        if (ctx.attribute(SESSION) != null) {
            throw notAuthenticated(ctx, "a session is begun with HTTP Basic authentication, not with a token");
        }
        requests.noBody(ctx);
        if (Requests.flag(ctx, "dryRun")) {
            answers.answer(ctx, 200, Checks.of(List.of(new Checks.Check("authenticated", true, "as " + USER))));
            return;
        }
        AccessTokens.Issued issued = tokens.issue(Instant.now());
        ctx.header(SessionInfo.HEADER, issued.token());
        answers.answer(
                ctx,
                200,
                new SessionInfo(issued.token(), issued.session().expires().toString()));
    }

    private void logOut(Context ctx) {
        requests.noBody(ctx);
        AccessTokens.Session session = ctx.attribute(SESSION);
        if (session == null) {
            throw RequestProblem.notFound("no-session", "the request came with a password, not with a session's token");
        }
        if (Requests.flag(ctx, "dryRun")) {
            answers.answer(
                    ctx, 200, Checks.of(List.of(new Checks.Check("session", true, "until " + session.expires()))));
            return;
        }
        Coordination.Outcome outcome = answers.within(
                revocations.revoke(new RevokedSession(session.id(), session.expires())),
                "it is not known in time whether the other cells know that the session was ended");
        switch (outcome) {
            case APPLIED, CONFLICT -> ctx.status(204);
            case NOT_SENT, UNKNOWN ->
                throw RequestProblem.unavailable(
                        "zookeeper-unavailable",
                        "ended at this cell; the others may take the token until ZooKeeper is back, or until "
                                + session.expires());
        }
    }

    private void metrics(Context ctx) {
        Answers.write(ctx, 200, METRICS_TYPE, metrics.get().getBytes(StandardCharsets.UTF_8));
    }

    private void openApi(Context ctx) throws IOException {
        try (InputStream in = Problem.class.getResourceAsStream("openapi.yaml")) {
            if (in == null) {
                throw new IOException("openapi.yaml is not in the program");
            }
            Answers.write(ctx, 200, "application/yaml", in.readAllBytes());
        }
    }

    private void serverStatus(Context ctx) {
        if (!answers.within(app.reachesPrimary(), "it is not known in time whether a primary database is reached")) {
            throw RequestProblem.unavailable("no-primary", "this cell reaches no primary database");
        }
        Answers.write(ctx, 200, "text/plain", "Service is up.".getBytes(StandardCharsets.US_ASCII));
    }

    private void events(Context ctx) throws IOException, InterruptedException {
        var newest = answers.within(operator.history(EventStreams.WINDOW), NO_HISTORY);
        try (EventStreams.Listener listener = events.listen(newest, ctx.header("Last-Event-ID"))) {
            ctx.res().setContentType("text/event-stream");
            ctx.header("Cache-Control", "no-store");
            if (ctx.method().equals(HandlerType.HEAD)) {
                return;
            }
            OutputStream out = ctx.res().getOutputStream();
            // An id without data is no event, but what the listener comes back with.
            boolean knows = ctx.header("Last-Event-ID") != null || newest.isEmpty();
            send(out, ": listening\n" + (knows ? "" : "id: " + EventStreams.id(newest.getFirst()) + "\n") + "\n");
            while (!listener.ended() && mayGoOn(ctx)) {
                List<HistoryEntry> batch = listener.next(KEEPALIVE);
                StringBuilder text = new StringBuilder();
                for (HistoryEntry entry : batch) {
                    text.append("id: ")
                            .append(EventStreams.id(entry))
                            .append("\nevent: history\ndata: ")
                            .append(json.writeValueAsString(rendering.event(entry)))
                            .append("\n\n");
                }
                send(out, batch.isEmpty() ? ": still here\n\n" : text.toString());
            }
        } catch (EofException e) {
            // The client has gone.
            return;
        }
    }

    /** A session that ends takes its streams with it. */
    private boolean mayGoOn(Context ctx) {
        AccessTokens.Session session = ctx.attribute(SESSION);
        return session == null
                || (Instant.now().isBefore(session.expires())
                        && revocations.standing(session.id()) == Revocations.Standing.VALID);
    }

    private static void send(OutputStream out, String text) throws IOException {
        out.write(text.getBytes(StandardCharsets.UTF_8));
        out.flush();
    }

    private void nodes(Context ctx) {
        answers.answer(ctx, 200, rendering.cluster(operator.report()));
    }

    private void isPrimary(Context ctx) {
        answers.answer(ctx, 200, new PrimaryAnswer(operator.isPrimary()));
    }

    /** The same for balancers that read no body. */
    private void primary(Context ctx) {
        if (!operator.isPrimary()) {
            throw RequestProblem.unavailable(
                    "not-primary", "this cell is not a primary that takes writes: " + itself());
        }
        answers.answer(ctx, 200, new PrimaryAnswer(true));
    }

    private void standby(Context ctx) {
        long most = Requests.size(ctx, "maxLag", Long.MAX_VALUE);
        Operator.Local local = operator.local();
        if (local == null
                || local.state() != CellState.STREAMING
                || !thisCell.ready().ok()) {
            throw RequestProblem.unavailable("not-standby", "this cell is not a standby that streams: " + itself());
        }
        if (local.unreplayed() < 0 || local.unreplayed() > most) {
            String lag = local.unreplayed() < 0 ? "by an unknown amount" : "by " + local.unreplayed() + " bytes";
            throw RequestProblem.unavailable("lags", "this cell's replay is behind the primary's WAL " + lag);
        }
        answers.answer(ctx, 200, new StandbyAnswer(local.unreplayed()));
    }

    private String itself() {
        Operator.Local local = operator.local();
        return local == null ? "it is still starting" : "it is " + local.state();
    }

    private void tasks(Context ctx) {
        answers.answer(ctx, 200, operator.tasks().stream().map(rendering::task).toList());
    }

    private void task(Context ctx) {
        String id = ctx.pathParam("id");
        answers.answer(
                ctx,
                200,
                operator.tasks().stream()
                        .filter(task -> task.id().equals(id))
                        .findFirst()
                        .map(rendering::task)
                        .orElseThrow(() -> RequestProblem.notFound("no-such-task", "no such task is known")));
    }

    private void history(Context ctx) {
        int limit = Requests.number(ctx, "limit", DEFAULT_HISTORY, HISTORY_LIMIT);
        String before = ctx.queryParam("before");
        List<HistoryEntry> entries = before == null
                ? newestHistory(limit)
                : answers.fromDatabase(app.history(Requests.time("before", before), limit));
        answers.answer(ctx, 200, entries.stream().map(rendering::event).toList());
    }

    /** While ZooKeeper is away, what the archive holds. */
    private List<HistoryEntry> newestHistory(int limit) {
        try {
            return operator.history(limit).get(HISTORY_WITHIN.toMillis(), TimeUnit.MILLISECONDS);
        } catch (ExecutionException | TimeoutException e) {
            return answers.within(
                    app.history(null, limit), NO_HISTORY + ", and its archive in the database cannot either");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw Answers.stopping();
        }
    }

    private void cells(Context ctx) {
        int page = Requests.number(ctx, "page", 1, 999_999);
        int pageSize = Requests.number(ctx, "pageSize", CELLS_PAGE, CELLS_PAGE_LIMIT);
        List<App.RegisteredCell> all = answers.fromDatabase(app.cells());
        answers.answer(
                ctx,
                200,
                new CellPage(
                        all.size(),
                        (all.size() + pageSize - 1) / pageSize,
                        page,
                        pageSize,
                        null,
                        all.stream()
                                .skip((page - 1L) * pageSize)
                                .limit(pageSize)
                                .map(rendering::registered)
                                .toList()));
    }

    private void setMode(Context ctx) {
        FailoverMode mode = switch (ctx.pathParam("mode").toLowerCase(Locale.ROOT)) {
            case "automatic" -> FailoverMode.AUTOMATIC;
            case "manual" -> FailoverMode.MANUAL;
            default -> throw RequestProblem.badRequest("the failover mode is automatic or manual");
        };
        requests.noBody(ctx);
        ask(ctx, new Operator.Request.SetMode(mode, Requests.flag(ctx, "dryRun")));
    }

    private void promote(Context ctx) {
        CellName target = Requests.target(ctx);
        PromoteRequest body = requests.body(ctx, PromoteRequest.class);
        boolean acceptDataLoss = body != null && Boolean.TRUE.equals(body.acceptDataLoss());
        ask(ctx, new Operator.Request.Promote(target, acceptDataLoss, Requests.flag(ctx, "dryRun")));
    }

    private void switchover(Context ctx) {
        CellName target = Requests.target(ctx);
        requests.noBody(ctx);
        ask(ctx, new Operator.Request.Switchover(target, Requests.flag(ctx, "dryRun")));
    }

    private void deploy(Context ctx) {
        CellName target = Requests.target(ctx);
        requests.noBody(ctx);
        ask(ctx, new Operator.Request.Deploy(target, Requests.flag(ctx, "dryRun")));
    }

    private void remove(Context ctx) {
        CellName target = Requests.target(ctx);
        requests.noBody(ctx);
        ask(ctx, new Operator.Request.Remove(target, Requests.flag(ctx, "force"), Requests.flag(ctx, "dryRun")));
    }

    private void ask(Context ctx, Operator.Request request) {
        answers.verdict(ctx, operator.ask(request, Requests.caller(ctx)));
    }

    private static byte[] digest(String text) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("no SHA-256 in this Java", e);
        }
    }
}
