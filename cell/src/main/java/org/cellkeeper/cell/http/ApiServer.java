package org.cellkeeper.cell.http;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.javalin.Javalin;
import io.javalin.compression.CompressionStrategy;
import io.javalin.config.JavalinConfig;
import io.javalin.http.HttpResponseException;
import io.javalin.http.MethodNotAllowedResponse;
import java.util.concurrent.Executors;
import java.util.function.BooleanSupplier;
import org.cellkeeper.api.ApiPaths;
import org.eclipse.jetty.server.Connector;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.NetworkConnectionLimit;
import org.eclipse.jetty.server.SecureRequestCustomizer;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.server.SslConnectionFactory;
import org.eclipse.jetty.util.thread.QueuedThreadPool;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Serves the routes over HTTPS, within limits, and makes a problem of what goes wrong. A few threads move the bytes and each request
 * has one of its own, all of the lowest priority: where the processors are busy, answering gives way to deciding.
 */
final class ApiServer {
    private static final Logger log = LoggerFactory.getLogger(ApiServer.class);

    private static final int CONNECTIONS = 1024;
    private static final int QUEUE = 256;
    private static final long IDLE_MILLIS = 30_000;

    private final ApiSettings settings;
    private final ObjectMapper json;
    private final Answers answers;
    private final ServedCertificate certificate;
    private final ApiStrangers strangers;
    private final Javalin javalin;

    ApiServer(
            ApiSettings settings,
            ObjectMapper json,
            Answers answers,
            ServedCertificate certificate,
            ApiStrangers strangers,
            RouteTable routes,
            BooleanSupplier removed) {
        this.settings = settings;
        this.json = json;
        this.answers = answers;
        this.certificate = certificate;
        this.strangers = strangers;
        this.javalin = Javalin.create(config -> {
            configure(config);
            config.routes.before(ctx -> {
                if (removed.getAsBoolean()) {
                    ctx.header(ApiPaths.CELL_HEADER, ApiPaths.REMOVED);
                }
            });
            routes.serve(config);
            problems(config);
        });
    }

    void start() {
        javalin.start();
        strangers.start();
    }

    void stop() {
        strangers.close();
        javalin.stop();
    }

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
        connector.setAcceptQueueSize(QUEUE);
        connector.addEventListener(strangers);
        return connector;
    }

    private void problems(JavalinConfig config) {
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
}
