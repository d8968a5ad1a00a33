package org.cellkeeper.cell.http;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.cellkeeper.api.ApiPaths;
import org.cellkeeper.cell.model.CellState;
import org.cellkeeper.cell.port.App;
import org.cellkeeper.cell.port.BackupOperator;
import org.cellkeeper.cell.port.Operator;
import org.cellkeeper.cell.port.Reloadable;
import org.cellkeeper.cell.port.Revocations;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The appliance API over HTTPS: which path and verb is answered by what. It turns requests into calls of {@link Operator} and the
 * answers into JSON; whether a request may be granted is decided there, never here.
 */
public final class ApplianceApi implements AutoCloseable {
    private static final long AUDIT_BYTES = 2 << 20;

    private static final Logger log = LoggerFactory.getLogger(ApplianceApi.class);

    private final ApiSettings settings;
    private final EventStreams events;
    private final RouteTable routes;
    private final ServedCertificate certificate;
    private final AuditLog auditLog;
    private final ApiServer server;

    /**
     * @param postgres the configuration of this cell's PostgreSQL
     * @param metrics in Prometheus' text format
     */
    public ApplianceApi(
            ApiSettings settings,
            Operator operator,
            BackupOperator backups,
            App app,
            Revocations revocations,
            Reloadable postgres,
            Companions companions,
            Supplier<String> metrics) {
        ObjectMapper json = Requests.strictJson();
        Requests requests = new Requests(json);
        Answers answers = new Answers(settings, json);
        Rendering rendering = new Rendering(settings);
        this.certificate = new ServedCertificate(settings);
        Authentication authentication = new Authentication(settings, requests, answers, revocations);
        this.settings = settings;
        this.events = new EventStreams(operator);
        this.auditLog = new AuditLog(settings.directory().resolve("audit"), AUDIT_BYTES);
        ApiStrangers strangers = new ApiStrangers();
        Audit audit = new Audit(settings, answers, auditLog);
        this.routes = new RouteTable(authentication, audit, strangers);
        ofCluster(routes, new ClusterRoutes(requests, answers, rendering, operator, app));
        ofHistory(routes, new HistoryRoutes(json, answers, rendering, authentication, operator, app, events));
        ofBackups(routes, new BackupRoutes(requests, answers, backups, rendering));
        ofThisCell(
                routes,
                new ThisCellRoutes(
                        requests,
                        answers,
                        new ThisCell(settings, operator, app, companions),
                        operator,
                        app,
                        Map.of("vpostgres", postgres, "nginx", certificate),
                        metrics));
        routes.logIn(ApiPaths.SESSIONS, authentication::logIn);
        routes.logOut(ApiPaths.CURRENT_SESSION, authentication::logOut);
        routes.getAsRoot(ApiPaths.AUDIT, audit::read);
        this.server = new ApiServer(settings, json, answers, certificate, strangers, routes, () -> {
            Operator.Local local = operator.local();
            return local != null && local.state() == CellState.REMOVED;
        });
    }

    /** Makes a certificate if there is none yet, and serves from then on. */
    public void start() {
        server.start();
        events.start();
        log.info(
                "appliance API at https://{}:{}",
                settings.address().host(),
                settings.address().apiPort());
    }

    /** Looks whether the files hold another certificate than the one that is served. */
    void renewCertificate() {
        certificate.renew();
    }

    @Override
    public void close() {
        events.close();
        try {
            server.stop();
        } finally {
            auditLog.close();
        }
    }

    /** Such as {@code GET /api/1.0.0/nodes}. */
    List<String> served() {
        return routes.served();
    }

    private static void ofCluster(RouteTable routes, ClusterRoutes cluster) {
        routes.get(ApiPaths.NODES, cluster::nodes);
        routes.post(ApiPaths.FAILOVER + "/{mode}", cluster::setMode);
        routes.delete(ApiPaths.NODES + "/{name}", cluster::remove);
        routes.post(ApiPaths.NODES + "/{name}/promote", cluster::promote);
        routes.post(ApiPaths.NODES + "/{name}/switchover", cluster::switchover);
        routes.post(ApiPaths.NODES + "/{name}/deploy", cluster::deploy);
        routes.get(ApiPaths.TASKS, cluster::tasks);
        routes.get(ApiPaths.TASKS + "/{id}", cluster::task);
        routes.get(ApiPaths.CELLS, cluster::cells);
    }

    private static void ofHistory(RouteTable routes, HistoryRoutes history) {
        routes.get(ApiPaths.HISTORY, history::history);
        routes.get(ApiPaths.EVENTS, history::events);
    }

    private static void ofBackups(RouteTable routes, BackupRoutes backups) {
        routes.get(ApiPaths.BACKUPS, backups::list);
        routes.post(ApiPaths.BACKUPS, backups::create);
        routes.get(ApiPaths.BACKUPS + "/{name}", backups::show);
        routes.delete(ApiPaths.BACKUPS + "/{name}", backups::delete);
        routes.post(ApiPaths.BACKUPS + "/{name}/check", backups::check);
        routes.post(ApiPaths.BACKUPS + "/{name}/restore", backups::restore);
        routes.get(ApiPaths.MOUNT, backups::mount);
        routes.put(ApiPaths.MOUNT, backups::changeMount);
    }

    private static void ofThisCell(RouteTable routes, ThisCellRoutes cell) {
        routes.open(ApiPaths.IS_PRIMARY, cell::isPrimary);
        routes.open(ApiPaths.PRIMARY, cell::primary);
        routes.open(ApiPaths.STANDBY, cell::standby);
        routes.open(ApiPaths.SERVER_STATUS, cell::serverStatus);
        routes.get(ApiPaths.SERVICES, cell::services);
        routes.get(ApiPaths.SERVICES + "/{name}", cell::service);
        routes.post(ApiPaths.SERVICES + "/{name}/reload", cell::reload);
        routes.get(ApiPaths.VERSION, cell::version);
        routes.get(ApiPaths.STORAGE, cell::storage);
        routes.get(ApiPaths.FIPS, cell::fips);
        routes.get(ApiPaths.FIPS + "/{name}", cell::fipsOfOne);
        routes.put(ApiPaths.FIPS + "/{name}", cell::changeFips);
        routes.get(ApiPaths.LIVEZ, cell::alive);
        routes.get(ApiPaths.READYZ, cell::ready);
        routes.get(ApiPaths.METRICS, cell::metrics);
        routes.get(ApiPaths.OPENAPI, cell::openApi);
    }
}
