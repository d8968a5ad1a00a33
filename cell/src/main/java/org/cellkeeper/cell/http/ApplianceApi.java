package org.cellkeeper.cell.http;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.javalin.Javalin;
import io.javalin.compression.CompressionStrategy;
import io.javalin.config.JavalinConfig;
import io.javalin.http.Context;
import io.javalin.http.HandlerType;
import io.javalin.http.HttpResponseException;
import io.javalin.http.MethodNotAllowedResponse;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.cellkeeper.api.ApiPaths;
import org.cellkeeper.api.BackupList;
import org.cellkeeper.api.CellPage;
import org.cellkeeper.api.Checks;
import org.cellkeeper.api.PrimaryAnswer;
import org.cellkeeper.api.Problem;
import org.cellkeeper.api.PromoteRequest;
import org.cellkeeper.api.RestoreRequest;
import org.cellkeeper.api.SessionInfo;
import org.cellkeeper.api.StandbyAnswer;
import org.cellkeeper.cell.model.Backup;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.CellState;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.HistoryEntry;
import org.cellkeeper.cell.model.RevokedSession;
import org.cellkeeper.cell.port.App;
import org.cellkeeper.cell.port.BackupOperator;
import org.cellkeeper.cell.port.Backups;
import org.cellkeeper.cell.port.Coordination;
import org.cellkeeper.cell.port.Operator;
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
import org.eclipse.jetty.util.ssl.SslContextFactory;
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

    private static final String USER = "root";
    private static final int BODY_LIMIT = 64 * 1024;
    private static final int HISTORY_LIMIT = 1000;
    private static final int DEFAULT_HISTORY = 100;
    private static final int BACKUPS_PAGE = 25;
    private static final int CELLS_PAGE = 25;
    private static final int CELLS_PAGE_LIMIT = 128;
    private static final Pattern SIZE = Pattern.compile("([0-9]{1,9})(|kB|MB|GB)");
    private static final List<String> SIZE_UNITS = List.of("", "kB", "MB", "GB");
    private static final Instant EARLIEST = Instant.EPOCH;
    private static final Instant LATEST = Instant.parse("9999-12-31T23:59:59Z");
    private static final Duration HISTORY_WITHIN = Duration.ofSeconds(3);
    private static final String NO_HISTORY = "the history cannot be read while ZooKeeper does not answer";
    private static final String NO_DATABASE =
            "neither this cell's database nor the primary's can be read, or the app's tables are not there yet; ask another cell, or"
                    + " later";
    private static final int CONNECTIONS = 1024;
    private static final long IDLE_MILLIS = 30_000;
    private static final String SESSION = "session";
    private static final String METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";
    private static final Duration KEEPALIVE = Duration.ofSeconds(10);
    private static final long BODY_WITHIN_NANOS = 10_000_000_000L;

    private final ApiSettings settings;
    private final Operator operator;
    private final BackupOperator backups;
    private final App app;
    private final Rendering rendering;
    private final ObjectMapper json;
    private final byte[] credentials;
    private final AccessTokens tokens;
    private final Revocations revocations;
    private final ThisCell thisCell;
    private final EventStreams events;
    private final Supplier<String> metrics;
    private final List<String> served = new ArrayList<>();
    private final Javalin javalin;

    /**
     * @param zookeeper the status of this cell's ZooKeeper server as {@code GET /services} tells it; null where it runs none
     * @param metrics in Prometheus' text format
     */
    public ApplianceApi(
            ApiSettings settings,
            Operator operator,
            BackupOperator backups,
            App app,
            Revocations revocations,
            @Nullable Supplier<String> zookeeper,
            Supplier<String> metrics) {
        this.settings = settings;
        this.operator = operator;
        this.backups = backups;
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
                .build();
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
        config.http.maxRequestSize = BODY_LIMIT;
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
        config.routes.exception(RequestProblem.class, (problem, ctx) -> answer(ctx, problem.problem()));
        config.routes.exception(MethodNotAllowedResponse.class, (e, ctx) -> wrongVerb(ctx, e));
        config.routes.exception(HttpResponseException.class, (e, ctx) -> {
            int status = e.getStatus();
            answer(ctx, status == 404 ? noSuchPath() : ofStatus(status));
        });
        config.routes.exception(Exception.class, (e, ctx) -> fault(ctx, e));
        config.router.javaLangErrorHandler((response, error) -> {
            log.error("a request failed", error);
            response.setStatus(500);
        });
    }

    private Connector connector(Server server, HttpConfiguration javalinDefaults) {
        SslContextFactory.Server tls = new SslContextFactory.Server();
        tls.setKeyStore(Certificates.of(settings));
        tls.setKeyStorePassword(Certificates.STORE_PASSWORD);
        tls.setKeyManagerPassword(Certificates.STORE_PASSWORD);
        tls.setIncludeProtocols("TLSv1.3", "TLSv1.2");

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
                new SslConnectionFactory(tls, "http/1.1"),
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
        path(config, ApiPaths.SERVICES, Map.of(HandlerType.GET, guarded(ctx -> answer(ctx, 200, thisCell.services()))));
        path(
                config,
                ApiPaths.SERVICES + "/{name}",
                Map.of(HandlerType.GET, guarded(ctx -> answer(ctx, 200, thisCell.service(ctx.pathParam("name"))))));
        path(config, ApiPaths.SESSIONS, Map.of(HandlerType.POST, guarded(this::logIn)));
        path(config, ApiPaths.CURRENT_SESSION, Map.of(HandlerType.DELETE, guarded(this::logOut)));
        path(
                config,
                ApiPaths.BACKUPS,
                Map.of(HandlerType.GET, guarded(this::backups), HandlerType.POST, guarded(this::createBackup)));
        path(
                config,
                ApiPaths.BACKUPS + "/{name}",
                Map.of(HandlerType.GET, guarded(this::backup), HandlerType.DELETE, guarded(this::deleteBackup)));
        path(config, ApiPaths.BACKUPS + "/{name}/restore", Map.of(HandlerType.POST, guarded(this::restoreBackup)));
        path(config, ApiPaths.VERSION, Map.of(HandlerType.GET, guarded(ctx -> answer(ctx, 200, thisCell.version()))));
        path(config, ApiPaths.MOUNT, Map.of(HandlerType.GET, guarded(this::mount)));
        path(config, ApiPaths.STORAGE, Map.of(HandlerType.GET, guarded(this::storage)));
        path(config, ApiPaths.FIPS, Map.of(HandlerType.GET, guarded(ctx -> answer(ctx, 200, thisCell.fips()))));
        path(
                config,
                ApiPaths.LIVEZ,
                Map.of(HandlerType.GET, guarded(ctx -> probe(ctx, thisCell.alive(), "not-alive"))));
        path(
                config,
                ApiPaths.READYZ,
                Map.of(HandlerType.GET, guarded(ctx -> probe(ctx, thisCell.ready(), "not-ready"))));
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
            if (ctx.contentLength() > BODY_LIMIT) {
                throw tooLarge();
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
        noBody(ctx);
        if (flag(ctx, "dryRun")) {
            answer(ctx, 200, Checks.of(List.of(new Checks.Check("authenticated", true, "as " + USER))));
            return;
        }
        AccessTokens.Issued issued = tokens.issue(Instant.now());
        ctx.header(SessionInfo.HEADER, issued.token());
        answer(
                ctx,
                200,
                new SessionInfo(issued.token(), issued.session().expires().toString()));
    }

    private void logOut(Context ctx) {
        noBody(ctx);
        AccessTokens.Session session = ctx.attribute(SESSION);
        if (session == null) {
            throw RequestProblem.notFound("no-session", "the request came with a password, not with a session's token");
        }
        if (flag(ctx, "dryRun")) {
            answer(ctx, 200, Checks.of(List.of(new Checks.Check("session", true, "until " + session.expires()))));
            return;
        }
        Coordination.Outcome outcome = within(
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

    private void storage(Context ctx) {
        answer(ctx, 200, within(thisCell.storage(), "the volumes do not answer: see the disks of this cell"));
    }

    private void probe(Context ctx, Checks checks, String code) {
        if (!checks.ok()) {
            throw RequestProblem.unavailable(
                    code,
                    String.join(
                            "; ",
                            checks.checks().stream()
                                    .filter(check -> !check.ok())
                                    .map(check -> check.name() + ": " + check.detail())
                                    .toList()));
        }
        answer(ctx, 200, checks);
    }

    private void metrics(Context ctx) {
        write(ctx, 200, METRICS_TYPE, metrics.get().getBytes(StandardCharsets.UTF_8));
    }

    private void openApi(Context ctx) throws IOException {
        try (InputStream in = Problem.class.getResourceAsStream("openapi.yaml")) {
            if (in == null) {
                throw new IOException("openapi.yaml is not in the program");
            }
            write(ctx, 200, "application/yaml", in.readAllBytes());
        }
    }

    private void serverStatus(Context ctx) {
        if (!within(app.reachesPrimary(), "it is not known in time whether a primary database is reached")) {
            throw RequestProblem.unavailable("no-primary", "this cell reaches no primary database");
        }
        write(ctx, 200, "text/plain", "Service is up.".getBytes(StandardCharsets.US_ASCII));
    }

    private void events(Context ctx) throws IOException, InterruptedException {
        var newest = within(operator.history(EventStreams.WINDOW), NO_HISTORY);
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
        answer(ctx, 200, rendering.cluster(operator.report()));
    }

    private void isPrimary(Context ctx) {
        answer(ctx, 200, new PrimaryAnswer(operator.isPrimary()));
    }

    /** The same for balancers that read no body. */
    private void primary(Context ctx) {
        if (!operator.isPrimary()) {
            throw RequestProblem.unavailable(
                    "not-primary", "this cell is not a primary that takes writes: " + itself());
        }
        answer(ctx, 200, new PrimaryAnswer(true));
    }

    private void standby(Context ctx) {
        long most = size(ctx, "maxLag", Long.MAX_VALUE);
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
        answer(ctx, 200, new StandbyAnswer(local.unreplayed()));
    }

    private String itself() {
        Operator.Local local = operator.local();
        return local == null ? "it is still starting" : "it is " + local.state();
    }

    private void tasks(Context ctx) {
        answer(ctx, 200, operator.tasks().stream().map(rendering::task).toList());
    }

    private void task(Context ctx) {
        String id = ctx.pathParam("id");
        answer(
                ctx,
                200,
                operator.tasks().stream()
                        .filter(task -> task.id().equals(id))
                        .findFirst()
                        .map(rendering::task)
                        .orElseThrow(() -> RequestProblem.notFound("no-such-task", "no such task is known")));
    }

    private void history(Context ctx) {
        int limit = number(ctx, "limit", DEFAULT_HISTORY, HISTORY_LIMIT);
        String before = ctx.queryParam("before");
        List<HistoryEntry> entries =
                before == null ? newestHistory(limit) : fromDatabase(app.history(time("before", before), limit));
        answer(ctx, 200, entries.stream().map(rendering::event).toList());
    }

    /** While ZooKeeper is away, what the archive holds. */
    private List<HistoryEntry> newestHistory(int limit) {
        try {
            return operator.history(limit).get(HISTORY_WITHIN.toMillis(), TimeUnit.MILLISECONDS);
        } catch (ExecutionException | TimeoutException e) {
            return within(app.history(null, limit), NO_HISTORY + ", and its archive in the database cannot either");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw stopping();
        }
    }

    private void cells(Context ctx) {
        int page = number(ctx, "page", 1, 999_999);
        int pageSize = number(ctx, "pageSize", CELLS_PAGE, CELLS_PAGE_LIMIT);
        List<App.RegisteredCell> all = fromDatabase(app.cells());
        answer(
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

    private <T> T fromDatabase(CompletableFuture<T> future) {
        try {
            return future.get(settings.answerWithin().toMillis(), TimeUnit.MILLISECONDS);
        } catch (ExecutionException | TimeoutException e) {
            log.debug("the database could not be read", e);
            throw RequestProblem.unavailable("no-database", NO_DATABASE);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw stopping();
        }
    }

    private static RequestProblem stopping() {
        return RequestProblem.unavailable("stopping", "this cell is being stopped");
    }

    private void setMode(Context ctx) {
        FailoverMode mode = switch (ctx.pathParam("mode").toLowerCase(Locale.ROOT)) {
            case "automatic" -> FailoverMode.AUTOMATIC;
            case "manual" -> FailoverMode.MANUAL;
            default -> throw RequestProblem.badRequest("the failover mode is automatic or manual");
        };
        noBody(ctx);
        ask(ctx, new Operator.Request.SetMode(mode, flag(ctx, "dryRun")));
    }

    private void promote(Context ctx) {
        CellName target = target(ctx);
        PromoteRequest body = body(ctx, PromoteRequest.class);
        boolean acceptDataLoss = body != null && Boolean.TRUE.equals(body.acceptDataLoss());
        ask(ctx, new Operator.Request.Promote(target, acceptDataLoss, flag(ctx, "dryRun")));
    }

    private void switchover(Context ctx) {
        CellName target = target(ctx);
        noBody(ctx);
        ask(ctx, new Operator.Request.Switchover(target, flag(ctx, "dryRun")));
    }

    private void deploy(Context ctx) {
        CellName target = target(ctx);
        noBody(ctx);
        ask(ctx, new Operator.Request.Deploy(target, flag(ctx, "dryRun")));
    }

    private void remove(Context ctx) {
        CellName target = target(ctx);
        noBody(ctx);
        ask(ctx, new Operator.Request.Remove(target, flag(ctx, "force"), flag(ctx, "dryRun")));
    }

    // ---- backups

    private void mount(Context ctx) {
        answer(ctx, 200, rendering.mount(share()));
    }

    private Backups.Share share() {
        return within(backups.share(), "the transfer share does not answer: see its mount on this cell");
    }

    private Backups.Share usableShare() {
        Backups.Share share = share();
        if (!share.usable()) {
            throw RequestProblem.unavailable("no-transfer-share", share.detail());
        }
        return share;
    }

    private List<Backup> listed() {
        return within(backups.list(), "the transfer share does not answer: see its mount on this cell");
    }

    private static String location(Backups.Share share, Backup backup) {
        return share.folder() + "/" + backup.name();
    }

    private void backups(Context ctx) {
        int page = number(ctx, "page", 1, 999_999);
        Backups.Share share = usableShare();
        List<Backup> all = listed();
        answer(
                ctx,
                200,
                new BackupList(
                        all.stream()
                                .skip((page - 1L) * BACKUPS_PAGE)
                                .limit(BACKUPS_PAGE)
                                .map(backup -> rendering.backupFile(backup, location(share, backup)))
                                .toList(),
                        (all.size() + BACKUPS_PAGE - 1) / BACKUPS_PAGE,
                        BACKUPS_PAGE,
                        all.size()));
    }

    /** The one that the path names; only one that is listed is ever asked for. */
    private Backup named(Context ctx) {
        usableShare();
        String name = ctx.pathParam("name");
        return listed().stream()
                .filter(backup -> backup.name().equals(name))
                .findFirst()
                .orElseThrow(() -> RequestProblem.notFound(
                        "no-such-backup", "there is no such backup; GET /backups names those that there are"));
    }

    private void backup(Context ctx) {
        Backup backup = named(ctx);
        answer(ctx, 200, rendering.backup(backup, location(share(), backup)));
    }

    private void createBackup(Context ctx) {
        noBody(ctx);
        ask(ctx, backups.ask(new BackupOperator.Request.Create(flag(ctx, "dryRun")), caller(ctx)));
    }

    private void deleteBackup(Context ctx) {
        noBody(ctx);
        boolean dryRun = flag(ctx, "dryRun");
        ask(ctx, backups.ask(new BackupOperator.Request.Delete(named(ctx).name(), dryRun), caller(ctx)));
    }

    private void restoreBackup(Context ctx) {
        RestoreRequest body = body(ctx, RestoreRequest.class);
        boolean dryRun = flag(ctx, "dryRun");
        String name = named(ctx).name();
        if (body == null || !name.equals(body.confirm())) {
            throw RequestProblem.badRequest("the database is about to be replaced: the body must be {\"confirm\": \""
                    + name + "\"}, the backup's name once more");
        }
        ask(ctx, backups.ask(new BackupOperator.Request.Restore(name, dryRun), caller(ctx)));
    }

    private void ask(Context ctx, Operator.Request request) {
        ask(ctx, operator.ask(request, caller(ctx)));
    }

    private void ask(Context ctx, CompletableFuture<Operator.Verdict> answer) {
        Operator.Verdict verdict =
                within(answer, "it is not known in time whether the request was accepted: look at the tasks");
        switch (verdict) {
            case Operator.Verdict.Accepted(String taskId) ->
                ctx.status(202)
                        .header(
                                "Location",
                                "https://" + host() + ":" + settings.address().apiPort() + ApiPaths.task(taskId));
            case Operator.Verdict.Checked(List<Operator.Check> checks) ->
                answer(
                        ctx,
                        200,
                        Checks.of(checks.stream()
                                .map(check -> new Checks.Check(check.name(), check.ok(), check.detail()))
                                .toList()));
            case Operator.Verdict.NoSuchNode(String detail) -> throw RequestProblem.notFound("no-such-node", detail);
            case Operator.Verdict.Refused(String code, String detail) ->
                throw new RequestProblem(409, "Precondition does not hold", code, detail);
            case Operator.Verdict.Unavailable(String detail) ->
                throw RequestProblem.unavailable("zookeeper-unavailable", detail);
        }
    }

    // ---- what requests bring

    private static String caller(Context ctx) {
        return USER + " from " + ctx.ip();
    }

    private static CellName target(Context ctx) {
        String name = ctx.pathParam("name");
        try {
            return new CellName(name);
        } catch (IllegalArgumentException e) {
            throw RequestProblem.notFound("no-such-node", "no cell can have this name");
        }
    }

    private static int number(Context ctx, String name, int otherwise, int most) {
        String asked = ctx.queryParam(name);
        if (asked == null) {
            return otherwise;
        }
        int number = asked.matches("[0-9]{1,6}") ? Integer.parseInt(asked) : 0;
        if (number < 1 || number > most) {
            throw RequestProblem.badRequest(name + " must be a number from 1 to " + most);
        }
        return number;
    }

    /** Such as 16MB, in PostgreSQL's units. */
    private static long size(Context ctx, String name, long otherwise) {
        String asked = ctx.queryParam(name);
        if (asked == null) {
            return otherwise;
        }
        Matcher size = SIZE.matcher(asked);
        if (!size.matches()) {
            throw RequestProblem.badRequest(name + " must be a size such as 65536, 512kB, 16MB or 1GB");
        }
        int power = SIZE_UNITS.indexOf(size.group(2));
        return Long.parseLong(size.group(1)) << (10 * power);
    }

    /** Whatever PostgreSQL could not hold is as far away as anybody may ask for. */
    private static Instant time(String name, String asked) {
        try {
            Instant time = OffsetDateTime.parse(asked).toInstant();
            return time.isBefore(EARLIEST) ? EARLIEST : time.isAfter(LATEST) ? LATEST : time;
        } catch (DateTimeException e) {
            throw RequestProblem.badRequest(name + " must be a time such as 2026-01-02T12:00:00Z");
        }
    }

    private static boolean flag(Context ctx, String name) {
        String value = ctx.queryParam(name);
        if (value == null) {
            return false;
        }
        return switch (value.toLowerCase(Locale.ROOT)) {
            case "", "true" -> true;
            case "false" -> false;
            default -> throw RequestProblem.badRequest(name + " must be true or false");
        };
    }

    private <T> @Nullable T body(Context ctx, Class<T> type) {
        byte[] bytes = bytes(ctx);
        if (new String(bytes, StandardCharsets.UTF_8).isBlank()) {
            return null;
        }
        try {
            T value = json.readValue(bytes, type);
            if (value == null) {
                throw RequestProblem.badRequest("the body must be a JSON object");
            }
            return value;
        } catch (JsonProcessingException e) {
            throw RequestProblem.badRequest("the body is not understood: " + where(e));
        } catch (IOException e) {
            throw RequestProblem.badRequest("the body is not understood");
        }
    }

    /** No client may hold a request open for ever by sending a byte now and then. */
    private static byte[] bytes(Context ctx) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        byte[] chunk = new byte[8192];
        long start = System.nanoTime();
        try (InputStream in = ctx.bodyInputStream()) {
            for (int read = in.read(chunk); read >= 0; read = in.read(chunk)) {
                all.write(chunk, 0, read);
                if (all.size() > BODY_LIMIT) {
                    throw tooLarge();
                }
                if (System.nanoTime() - start > BODY_WITHIN_NANOS) {
                    throw new RequestProblem(408, "Too slow", "request-timeout", "the body did not arrive in time");
                }
            }
        } catch (IOException e) {
            throw RequestProblem.badRequest("the body could not be read");
        }
        return all.toByteArray();
    }

    private static String where(JsonProcessingException e) {
        String member = e instanceof com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException unknown
                ? "unknown member '" + printable(unknown.getPropertyName()) + "'"
                : "not the JSON that is expected";
        return e.getLocation() == null
                ? member
                : member + " at line " + e.getLocation().getLineNr() + ", column "
                        + e.getLocation().getColumnNr();
    }

    private static String printable(String text) {
        String cut = text.length() > 60 ? text.substring(0, 60) + "..." : text;
        return cut.replaceAll("[^\\x20-\\x7e]", "?");
    }

    private record Nothing() {}

    private void noBody(Context ctx) {
        body(ctx, Nothing.class);
    }

    private <T> T within(CompletableFuture<T> future, String otherwise) {
        try {
            return future.get(settings.answerWithin().toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            throw RequestProblem.unavailable("timeout", otherwise);
        } catch (ExecutionException e) {
            log.warn("a request could not be answered", e.getCause());
            throw RequestProblem.unavailable("unavailable", otherwise);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw stopping();
        }
    }

    // ---- answers

    private void answer(Context ctx, int status, Object body) {
        answer(ctx, status, "application/json", body);
    }

    private void answer(Context ctx, Problem problem) {
        answer(ctx, problem.status(), Problem.MEDIA_TYPE, problem);
    }

    private void answer(Context ctx, int status, String mediaType, Object body) {
        byte[] text;
        try {
            text = json.writeValueAsBytes(body);
        } catch (JsonProcessingException e) {
            fault(ctx, e);
            return;
        }
        write(ctx, status, mediaType, text);
    }

    private static void write(Context ctx, int status, String mediaType, byte[] text) {
        // Without this the server would add a charset to any type but the default one.
        ctx.res().setContentType(null);
        ctx.status(status)
                .contentType(mediaType)
                .header("Cache-Control", "no-store")
                .result(text);
    }

    private void fault(Context ctx, Exception e) {
        log.error("{} {} failed", ctx.method(), ctx.path(), e);
        String text =
                "{\"type\":\"about:blank\",\"title\":\"Internal error\",\"status\":500,\"code\":\"internal-error\","
                        + "\"detail\":\"an error of the cell itself; its log says more\"}";
        write(ctx, 500, Problem.MEDIA_TYPE, text.getBytes(StandardCharsets.UTF_8));
    }

    private void wrongVerb(Context ctx, MethodNotAllowedResponse e) {
        String allowed = e.getDetails().get("availableMethods");
        if (allowed != null) {
            ctx.header("Allow", allowed);
        }
        answer(
                ctx,
                Problem.of(
                        405,
                        "Method not allowed",
                        "method-not-allowed",
                        allowed == null ? "not this verb" : "this path takes " + allowed));
    }

    private static Problem noSuchPath() {
        return Problem.of(
                404, "Not found", "no-such-path", "nothing is at this path; the API is below " + ApiPaths.BASE);
    }

    private static RequestProblem tooLarge() {
        return new RequestProblem(
                413, "Body too large", "body-too-large", "a body may have " + BODY_LIMIT + " bytes at most");
    }

    private static Problem ofStatus(int status) {
        return status == 413
                ? tooLarge().problem()
                : Problem.of(status, "Not done", "http-" + status, "the request is not understood");
    }

    private String host() {
        String host = settings.address().host();
        return host.contains(":") ? "[" + host + "]" : host;
    }

    private static byte[] digest(String text) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("no SHA-256 in this Java", e);
        }
    }
}
