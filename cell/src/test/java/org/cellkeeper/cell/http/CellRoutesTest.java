package org.cellkeeper.cell.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.cellkeeper.cell.http.RawRequests.assertProblem;
import static org.cellkeeper.cell.http.RawRequests.authorized;
import static org.cellkeeper.cell.http.RawRequests.basic;
import static org.cellkeeper.cell.http.RawRequests.request;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.cellkeeper.api.Trust;
import org.cellkeeper.cell.FreePort;
import org.cellkeeper.cell.metrics.CellMetrics;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.Busy;
import org.cellkeeper.cell.model.CellState;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.EnsembleServer.Standing;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.HistoryEntry;
import org.cellkeeper.cell.model.Task;
import org.cellkeeper.cell.port.App;
import org.cellkeeper.cell.port.Coordination;
import org.cellkeeper.cell.port.Door;
import org.cellkeeper.cell.port.Operator;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is told of one cell, sessions, events and metrics; and what becomes of requests that make no sense. Two cells are served. */
final class CellRoutesTest {
    private static final String PASSWORD = "the password";
    private static final String BASE = "/api/1.0.0";
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    static Path directory;

    private static final FakeBackups backups = new FakeBackups();
    private static final FakeReload reload = new FakeReload();
    private static FakeOperator operator;
    private static FakeRevocations revocations;
    private static int port;
    private static int otherPort;
    private static final FakeApp app = new FakeApp();
    private static ApplianceApi api;
    private static HttpClient http;
    private static ApplianceApi otherApi;
    private static volatile Standing zookeeper;
    private static volatile Door.Status door = Door.Status.OPEN;

    @BeforeAll
    static void start() throws IOException {
        http = RawRequests.client();
        operator = new FakeOperator();
        revocations = new FakeRevocations();
        port = FreePort.find();
        api = serve(port, new Companions(() -> zookeeper, () -> door));
        otherPort = FreePort.find();
        otherApi = serve(otherPort, Companions.NONE);
    }

    private static ApplianceApi serve(int onPort, Companions companions) {
        CellMetrics metrics = new CellMetrics(
                operator,
                () -> new CellMetrics.Agent(
                        new Busy(7, 2_000_000_000L, 500_000_000L), new Busy(9, 3_000_000L, 1_000_000L), 4, 1, door));
        ApplianceApi made = new ApplianceApi(
                ApiSettings.of(
                        FakeOperator.CELL_1,
                        new Address("127.0.0.1", 5432, onPort, 5481),
                        directory,
                        PASSWORD,
                        "the secret of all cells"),
                operator,
                backups,
                app,
                revocations,
                reload,
                companions,
                metrics::scrape);
        made.start();
        return made;
    }

    @AfterAll
    static void stop() {
        http.shutdownNow();
        api.close();
        otherApi.close();
    }

    @BeforeEach
    void reset() {
        operator.verdict = CompletableFuture.completedFuture(new Operator.Verdict.Accepted("task-7"));
        operator.mode = FailoverMode.AUTOMATIC;
        operator.local = FakeOperator.LOCAL;
        operator.history = List.of();
        app.reaches = true;
        app.status = App.Status.RUNNING;
        reload.fault = "";
        reload.done.set(0);
        revocations.ended.clear();
        revocations.known = true;
        revocations.outcome = Coordination.Outcome.APPLIED;
        zookeeper = Standing.SERVING;
        door = Door.Status.OPEN;
        synchronized (operator.asked) {
            operator.asked.clear();
        }
    }

    // ---- the door

    @Test
    void metricsTellOfADoorWhereThereIsOne() throws Exception {
        assertThat(get("/metrics").body()).contains("\ncellkeeper_cell_door 1.0\n");
        door = new Door.Status(Instant.now(), "");
        assertThat(get("/metrics").body()).contains("\ncellkeeper_cell_door 2.0\n");
        door = new Door.Status(null, "there is no program pgbouncer on this machine");
        assertThat(get("/metrics").body()).contains("\ncellkeeper_cell_door 0.0\n");
        door = null;
        assertThat(get("/metrics").body()).contains("\ncellkeeper_cell_door NaN\n");
    }

    // ---- services

    @Test
    void servicesAreToldUnderTheNamesThatClientsKnow() throws Exception {
        assertThat(services(port))
                .containsExactly(
                        Map.entry("vcd", "running"),
                        Map.entry("vpostgres", "running"),
                        Map.entry("repmgrd", "running"),
                        Map.entry("appliance-sync.timer", "running"),
                        Map.entry("zookeeper", "running"),
                        Map.entry("pgbouncer", "running"));
    }

    @Test
    void servicesFollowWhatTheCellSees() throws Exception {
        operator.mode = FailoverMode.MANUAL;
        operator.local = local(CellState.DOWN, new DatabaseView.Stopped(null), false, 0);
        app.status = App.Status.DEAD;
        zookeeper = Standing.WAITING;
        assertThat(services(port))
                .containsExactly(
                        Map.entry("vcd", "dead"),
                        Map.entry("vpostgres", "dead"),
                        Map.entry("repmgrd", "dead (normal when appliance is in manual failover mode)"),
                        Map.entry("appliance-sync.timer", "dead"),
                        Map.entry("zookeeper", "start"),
                        Map.entry("pgbouncer", "running"));
        operator.local = local(CellState.STARTING, new DatabaseView.Starting(815, false), true, 0);
        zookeeper = Standing.SILENT;
        assertThat(service("vpostgres")).isEqualTo("start");
        assertThat(service("zookeeper")).isEqualTo("dead");
        door = new Door.Status(Instant.now(), "");
        assertThat(service("pgbouncer")).isEqualTo("running");
        door = new Door.Status(null, "there is no program pgbouncer on this machine");
        assertThat(service("pgbouncer")).isEqualTo("dead");
        operator.local = local(CellState.DOWN, new DatabaseView.Unresponsive(815, false), true, 0);
        assertThat(service("vpostgres")).isEqualTo("running");
    }

    @Test
    void aCellWithoutAZooKeeperServerNamesNone() throws Exception {
        assertThat(services(otherPort)).extracting(Map.Entry::getKey).doesNotContain("zookeeper", "pgbouncer");
    }

    @Test
    void oneServiceIsToldByItsNameOrAlias() throws Exception {
        JsonNode vcd = JSON.readTree(get("/services/vmware-vcd").body());
        assertThat(vcd.get("serviceName").asText()).isEqualTo("vmware-vcd");
        assertThat(vcd.get("status").asText()).isEqualTo("running");
        assertThat(get("/services/pgbouncer").statusCode()).isEqualTo(200);
        assertProblem(
                send(authorized(otherPort, "/services/pgbouncer", PASSWORD).GET()), 404, "no-such-service");
    }

    // ---- this cell

    @Test
    void versionMountAndFipsAreTold() throws Exception {
        assertThat(get("/version").body())
                .isEqualTo("{\"product\":\"Cellkeeper\",\"version\":\"not packaged\",\"apiVersion\":\"1.0.0\"}");
        assertThat(JSON.readTree(get("/mount").body()).get("mounted").asBoolean())
                .isTrue();
    }

    @Test
    void fipsIsToldOfEveryCellAndOfOne() throws Exception {
        JsonNode all = JSON.readTree(get("/fips").body());
        assertThat(all.findValuesAsText("name")).containsExactly("cell-1", "cell-2", "cell-3");
        Path kernel = Path.of("/proc/sys/crypto/fips_enabled");
        boolean on = Files.exists(kernel) && Files.readString(kernel).startsWith("1");
        assertThat(all.get(0).toString())
                .isEqualTo("{\"name\":\"cell-1\",\"ip\":\"127.0.0.1\",\"applianceFips\":\"" + (on ? "ON" : "OFF")
                        + "\",\"cellFips\":\"OFF\",\"fipsMode\":\"off\"}");
        assertThat(all.get(1).toString())
                .isEqualTo("{\"name\":\"cell-2\",\"ip\":\"127.0.0.12\",\"cellFips\":\"OFF\",\"fipsMode\":\"off\"}");
        assertThat(JSON.readTree(get("/fips/cell-2").body())).isEqualTo(all.get(1));
        assertProblem(get("/fips/cell-9"), 404, "no-such-node");
    }

    @Test
    void noCellSwitchesFipsOrMountsAShareAndItSaysWhoDoes() throws Exception {
        JsonNode refused = assertProblem(put("/fips/cell-1", "{\"applianceFips\":\"ON\"}"), 409, "cell-switches-fips");
        assertThat(refused.get("detail").asText()).contains("on the machine of cell-1");
        assertThat(put("/fips/cell-1?dryRun=true", "{\"applianceFips\":\"ON\"}").body())
                .contains("\"ok\":false");
        assertProblem(put("/fips/cell-1", get("/fips/cell-1").body()), 409, "cell-switches-fips");
        assertThat(bad(put("/fips/cell-1", "{\"applianceFips\":\"on\"}")))
                .isEqualTo("applianceFips is 'on', and must be ON or OFF");
        assertThat(bad(put("/fips/cell-1", "{\"name\":\"cell-2\",\"applianceFips\":\"ON\"}")))
                .startsWith("name is 'cell-2', and must be 'cell-1'");
        assertThat(bad(put("/fips/cell-1", ""))).contains("applianceFips");
        assertThat(bad(put("/fips/cell-1", "{\"mode\":\"ON\"}"))).contains("unknown member 'mode'");
        assertProblem(put("/fips/cell-9", "{\"applianceFips\":\"ON\"}"), 404, "no-such-node");

        refused = assertProblem(put("/mount", "{\"nfs\":\"10.0.0.9:/transfer\"}"), 409, "cell-mounts-share");
        assertThat(refused.get("detail").asText()).contains("at /transfer as transfer.folder says");
        assertThat(put("/mount?dryRun=true", "{\"nfs\":\"\"}").body()).contains("\"ok\":false");
        assertThat(bad(put("/mount", "{}"))).contains("nfs");
        assertThat(bad(put("/mount", "{\"nfs\":7}"))).contains("not the JSON that is expected");
    }

    private static String bad(HttpResponse<String> answer) throws Exception {
        return assertProblem(answer, 400, "bad-request").get("detail").asText();
    }

    private static HttpResponse<String> put(String path, String body) throws Exception {
        return send(authorized(port, path, PASSWORD).PUT(HttpRequest.BodyPublishers.ofString(body)));
    }

    // ---- what reads its files anew

    @Test
    void aServiceIsReloadedAndAnswersWithNothing() throws Exception {
        HttpResponse<String> answer = post("/services/vpostgres/reload", "");
        assertThat(answer.statusCode()).isEqualTo(200);
        assertThat(answer.body()).isEmpty();
        assertThat(reload.done).hasValue(1);
        assertThat(post("/services/nginx/reload", "").statusCode()).isEqualTo(200);
        assertThat(reload.done).hasValue(1);
    }

    @Test
    void whatCannotBeReloadedIsLeftAsItIs() throws Exception {
        JsonNode unknown = assertProblem(post("/services/vcd/reload", ""), 404, "no-such-service");
        assertThat(unknown.get("detail").asText()).endsWith("nginx, vpostgres");
        assertProblem(post("/services/vpostgres/reload", "{\"now\":true}"), 400, "bad-request");
        assertProblem(get("/services/vpostgres/reload"), 405, "method-not-allowed");
        assertProblem(
                send(request(port, "/services/vpostgres/reload").POST(HttpRequest.BodyPublishers.noBody())),
                401,
                "not-authenticated");
        assertThat(post("/services/vpostgres/reload?dryRun=true", "").body()).contains("\"ok\":true");
        reload.fault = "pg_hba.conf line 3: nonsense";
        assertThat(assertProblem(post("/services/vpostgres/reload", ""), 409, "configuration-usable")
                        .get("detail")
                        .asText())
                .isEqualTo("pg_hba.conf line 3: nonsense");
        assertThat(reload.done).hasValue(0);
    }

    @Test
    void storageIsThatOfTheRealVolume() throws Exception {
        JsonNode volume = JSON.readTree(get("/storage").body()).at("/volumes/0");
        var store = Files.getFileStore(directory);
        assertThat(volume.get("name").asText()).isEqualTo("data");
        assertThat(volume.get("path").asText()).isEqualTo(directory.toString());
        assertThat(volume.get("sizeBytes").asLong()).isEqualTo(store.getTotalSpace());
        assertThat(volume.get("usedBytes").asLong())
                .isPositive()
                .isLessThan(volume.get("sizeBytes").asLong());
        assertThat(volume.get("availableBytes").asLong())
                .isLessThanOrEqualTo(volume.get("sizeBytes").asLong());
        assertThat(get("/storage").statusCode()).isEqualTo(200);
    }

    @Test
    void aCellIsAliveWhileItsAgentDecidesAndReadyWhileItsPostgresServes() throws Exception {
        assertThat(JSON.readTree(get("/livez").body()).get("ok").asBoolean()).isTrue();
        assertThat(JSON.readTree(get("/readyz").body()).get("ok").asBoolean()).isTrue();

        operator.local = local(CellState.CLONING, new DatabaseView.Stopped(null), true, 0);
        assertThat(get("/livez").statusCode()).isEqualTo(200);
        assertProblem(get("/readyz"), 503, "not-ready");

        operator.local = local(CellState.PRIMARY, FakeOperator.RUNS, true, 60_000);
        assertProblem(get("/livez"), 503, "not-alive");
        assertProblem(get("/readyz"), 503, "not-ready");

        operator.local = null;
        assertThat(get("/livez").statusCode()).isEqualTo(200);
        assertProblem(get("/readyz"), 503, "not-ready");
    }

    @Test
    void theServerStatusNeedsNoPasswordAndAPrimary() throws Exception {
        HttpRequest.Builder request =
                HttpRequest.newBuilder(URI.create("https://127.0.0.1:" + port + "/cloud/server_status"));
        HttpResponse<String> up = send(request);
        assertThat(up.statusCode()).isEqualTo(200);
        assertThat(up.body()).isEqualTo("Service is up.");

        app.reaches = false;
        assertProblem(send(request), 503, "no-primary");
    }

    @Test
    void aLoadBalancersBareCheckIsAnswered() throws Exception {
        String primary = raw("GET /api/1.0.0/isPrimary HTTP/1.0\r\n\r\n", new byte[0]);
        assertThat(primary).matches("(?s)HTTP/1\\.[01] 200 .*").endsWith("{\"isPrimary\":true}");
        assertThat(raw("OPTIONS /cloud/server_status HTTP/1.0\r\n\r\n", new byte[0]))
                .matches("(?s)HTTP/1\\.[01] 204 .*");
    }

    @Test
    void theDescriptionIsServedAsItIsWritten() throws Exception {
        HttpResponse<String> answer = get("/openapi.yaml");
        assertThat(answer.headers().firstValue("Content-Type")).hasValue("application/yaml");
        assertThat(answer.body()).startsWith("openapi: 3.");
    }

    // ---- sessions

    @Test
    void aSessionIsTakenByEveryCellUntilItIsEndedAtOne() throws Exception {
        HttpResponse<String> begun = post("/sessions", "");
        assertThat(begun.statusCode()).isEqualTo(200);
        JsonNode session = JSON.readTree(begun.body());
        String token = session.get("token").asText();
        assertThat(begun.headers().firstValue("X-VMWARE-VCLOUD-ACCESS-TOKEN")).hasValue(token);
        assertThat(Instant.parse(session.get("expiresAt").asText()))
                .isBetween(Instant.now().plusSeconds(3000), Instant.now().plusSeconds(3601));

        assertThat(bearer(port, "GET", "/nodes", token).statusCode()).isEqualTo(200);
        assertThat(bearer(otherPort, "GET", "/nodes", token).statusCode()).isEqualTo(200);
        assertThat(bearer(otherPort, "POST", "/nodes/cell-2/promote", token).statusCode())
                .isEqualTo(202);

        assertThat(bearer(otherPort, "DELETE", "/sessions/current?dryRun=true", token)
                        .statusCode())
                .isEqualTo(200);
        assertThat(bearer(port, "GET", "/nodes", token).statusCode()).isEqualTo(200);
        assertThat(bearer(otherPort, "DELETE", "/sessions/current", token).statusCode())
                .isEqualTo(204);
        assertProblem(bearer(port, "GET", "/nodes", token), 401, "not-authenticated");
        assertProblem(bearer(otherPort, "DELETE", "/sessions/current", token), 401, "not-authenticated");
    }

    @Test
    void aTokenOfAnotherClusterOrAnExpiredOneIsRefused() throws Exception {
        Users users = ApiSettings.of(
                        FakeOperator.CELL_1, new Address("127.0.0.1", 1, 2, 3), directory, PASSWORD, "secret")
                .users();
        Users.Known root = users.find("root");
        String foreign = new AccessTokens(() -> List.of("another secret"), users)
                .issue(root, Instant.now())
                .token();
        AccessTokens own = new AccessTokens(() -> List.of("the secret of all cells"), users);
        String expired = own.issue(root, Instant.now().minusSeconds(3601)).token();
        for (String token : List.of(foreign, expired, "", "x", "ck2..", "ck2.A.A")) {
            assertProblem(bearer(port, "GET", "/nodes", token), 401, "not-authenticated");
        }
        assertThat(bearer(port, "GET", "/nodes", own.issue(root, Instant.now()).token())
                        .statusCode())
                .isEqualTo(200);
    }

    @Test
    void aSessionIsBegunWithThePasswordOnly() throws Exception {
        String token = token();
        assertProblem(bearer(port, "POST", "/sessions", token), 401, "not-authenticated");
        assertProblem(
                send(request(port, "/sessions").POST(HttpRequest.BodyPublishers.noBody())), 401, "not-authenticated");
        assertThat(post("/sessions?dryRun=true", "").body())
                .contains("\"ok\":true")
                .doesNotContain("token");
        assertProblem(post("/sessions", "{\"user\":\"root\"}"), 400, "bad-request");
        assertProblem(send(authorized(port, "/sessions/current", PASSWORD).DELETE()), 404, "no-session");
    }

    @Test
    void withoutZooKeeperASessionEndsAtThisCellAndTheAnswerSaysSo() throws Exception {
        revocations.outcome = Coordination.Outcome.NOT_SENT;
        String token = token();
        assertProblem(bearer(port, "DELETE", "/sessions/current", token), 503, "zookeeper-unavailable");
        assertProblem(bearer(port, "GET", "/nodes", token), 401, "not-authenticated");
    }

    @Test
    void aCellThatDoesNotKnowWhatWasEndedTakesNoTokenButThePassword() throws Exception {
        String token = token();
        revocations.known = false;
        assertProblem(bearer(port, "GET", "/nodes", token), 503, "zookeeper-unavailable");
        assertThat(get("/nodes").statusCode()).isEqualTo(200);
    }

    // ---- metrics

    @Test
    void metricsAreFewAndTrue() throws Exception {
        HttpResponse<String> answer = get("/metrics");
        assertThat(answer.headers().firstValue("Content-Type").orElseThrow()).startsWith("text/plain; version=0.0.4");
        assertThat(answer.body())
                .contains("\ncellkeeper_cluster_health 1.0\n")
                .contains("\ncellkeeper_cluster_automatic 1.0\n")
                .contains("\ncellkeeper_cluster_epoch 8.0\n")
                .contains("\ncellkeeper_cluster_last_ballot 9.0\n")
                .contains("\ncellkeeper_cluster_backup_check NaN\n")
                .contains("\ncellkeeper_cluster_zookeeper_missing 1.0\n")
                .contains("\ncellkeeper_cell_state 1.0\n")
                .contains("\ncellkeeper_cell_primary 0.0\n")
                .contains("\ncellkeeper_cell_configuration_refused 0.0\n")
                .contains("\ncellkeeper_loop_age_seconds 0.02\n")
                .contains("\ncellkeeper_loop_busy_seconds_total 2.0\n")
                .contains("\ncellkeeper_node_lag_bytes{cell=\"cell-3\"} 512.0\n")
                .contains("\ncellkeeper_node_lag_seconds{cell=\"cell-3\"} NaN\n")
                .contains("\ncellkeeper_node_healthy{cell=\"cell-2\"} 1.0\n");
        assertThat(answer.body().lines().filter(line -> line.startsWith("# TYPE ")))
                .hasSizeLessThanOrEqualTo(41);

        operator.mode = null;
        operator.local = null;
        assertThat(get("/metrics").body())
                .contains("\ncellkeeper_cluster_automatic NaN\n")
                .contains("\ncellkeeper_cell_state NaN\n");
    }

    @Test
    void theLastCheckOfABackupIsMeasured() throws Exception {
        List<Task> before = operator.tasks;
        operator.tasks = Stream.of(
                        task(Task.Operation.CHECK_BACKUP, Task.Status.RUNNING),
                        task(Task.Operation.BACKUP, Task.Status.SUCCESS),
                        task(Task.Operation.BACKUP_AND_CHECK, Task.Status.ERROR),
                        task(Task.Operation.CHECK_BACKUP, Task.Status.SUCCESS))
                .toList();
        assertThat(get("/metrics").body()).contains("\ncellkeeper_cluster_backup_check 0.0\n");
        operator.tasks = List.of(task(Task.Operation.CHECK_BACKUP, Task.Status.SUCCESS));
        assertThat(get("/metrics").body()).contains("\ncellkeeper_cluster_backup_check 1.0\n");
        operator.tasks = before;
    }

    private static Task task(Task.Operation operation, Task.Status status) {
        return new Task(
                "an id",
                operation,
                FakeOperator.CELL_1,
                FakeOperator.CELL_1,
                false,
                status,
                FakeOperator.NOON,
                null,
                0,
                0,
                "",
                "backup-1");
    }

    @Test
    void alertsAndDashboardNameMetricsThatThereAre() throws Exception {
        Set<String> there = new TreeSet<>();
        get("/metrics")
                .body()
                .lines()
                .filter(line -> !line.startsWith("#"))
                .forEach(line -> there.add(line.replaceAll("[ {].*", "")));
        Path docs = Path.of("..", "docs", "monitoring");
        for (String file : List.of("alerts.yaml", "dashboard.json")) {
            Set<String> named = new TreeSet<>();
            var matcher = Pattern.compile("cellkeeper_[a-z_]+").matcher(Files.readString(docs.resolve(file)));
            while (matcher.find()) {
                named.add(matcher.group());
            }
            assertThat(named).as(file).hasSizeGreaterThan(5).allMatch(there::contains);
        }
        JSON.readTree(docs.resolve("dashboard.json").toFile());
        JsonNode alerts = new com.fasterxml.jackson.dataformat.yaml.YAMLMapper()
                .readTree(docs.resolve("alerts.yaml").toFile());
        assertThat(alerts.at("/groups/0/rules")).isNotEmpty().allSatisfy(rule -> {
            assertThat(rule.get("alert").asText()).isNotEmpty();
            assertThat(rule.get("expr").asText()).contains("cellkeeper");
            assertThat(rule.at("/annotations/summary").asText()).isNotEmpty();
        });
    }

    // ---- events

    private static HistoryEntry entry(int number) {
        return new HistoryEntry(
                FakeOperator.NOON.plusSeconds(number), FakeOperator.CELL_2, 8, 500 + number, "It happened.", "");
    }

    @Test
    void newEntriesAreToldAsTheyComeAndMissedOnesAfterAReturn() throws Exception {
        operator.history = List.of(entry(1));
        String lastId;
        try (EventLines stream = listen(otherPort, null)) {
            assertThat(stream.line()).isEqualTo(": listening");
            operator.history = List.of(entry(3), entry(2), entry(1));
            assertThat(stream.event()).contains("\"rule\":502");
            assertThat(stream.event()).contains("\"rule\":503");
            lastId = stream.lastId;
        }
        assertThat(lastId).isEqualTo("2026-01-02T12:00:03.123Z/cell-2/8/503");

        operator.history = List.of(entry(4), entry(3), entry(2), entry(1));
        try (EventLines stream = listen(otherPort, lastId)) {
            assertThat(stream.event()).contains("\"rule\":504");
        }
    }

    @Test
    void eventsNeedZooKeeperToBegin() throws Exception {
        operator.history = null;
        assertProblem(get("/events"), 503, "unavailable");
    }

    @Test
    void atMostThirtyTwoListen() throws Exception {
        List<EventLines> streams = new ArrayList<>();
        try {
            for (int i = 0; i < 32; i++) {
                EventLines stream = listen(port, null);
                streams.add(stream);
                assertThat(stream.line()).isEqualTo(": listening");
            }
            assertProblem(get("/events"), 503, "too-many-listeners");
        } finally {
            streams.forEach(EventLines::close);
        }
    }

    /** A stream of events, read line by line. */
    private static final class EventLines implements AutoCloseable {
        private final InputStream in;
        private final BufferedReader reader;
        private String lastId;

        EventLines(InputStream in) {
            this.in = in;
            this.reader = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8));
        }

        String line() throws Exception {
            return CompletableFuture.supplyAsync(() -> {
                        try {
                            return reader.readLine();
                        } catch (IOException e) {
                            throw new java.io.UncheckedIOException(e);
                        }
                    })
                    .get(15, java.util.concurrent.TimeUnit.SECONDS);
        }

        String event() throws Exception {
            for (int lines = 0; lines < 50; lines++) {
                String line = line();
                if (line.startsWith("id: ")) {
                    lastId = line.substring(4);
                }
                if (line.startsWith("data: ")) {
                    return line;
                }
            }
            throw new AssertionError("no event came");
        }

        @Override
        public void close() {
            try {
                in.close();
            } catch (IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        }
    }

    private static EventLines listen(int onPort, String lastId) throws Exception {
        HttpRequest.Builder request = authorized(onPort, "/events", PASSWORD).header("Accept", "text/event-stream");
        if (lastId != null) {
            request.header("Last-Event-ID", lastId);
        }
        HttpResponse<InputStream> answer = http.send(request.build(), HttpResponse.BodyHandlers.ofInputStream());
        assertThat(answer.statusCode()).isEqualTo(200);
        assertThat(answer.headers().firstValue("Content-Type")).hasValue("text/event-stream;charset=utf-8");
        return new EventLines(answer.body());
    }

    // ---- who may ask, and how

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/services",
                "/services/vcd",
                "/history?before=2026-01-01T00:00:00Z",
                "/version",
                "/mount",
                "/backups",
                "/backups/backup-0",
                "/storage",
                "/fips",
                "/fips/cell-2",
                "/metrics",
                "/livez",
                "/readyz",
                "/openapi.yaml",
                "/events"
            })
    void allElseNeedsThePasswordWhateverIsAccepted(String path) throws Exception {
        assertProblem(send(request(port, path)), 401, "not-authenticated");
        if (!path.equals("/events")) {
            assertThat(send(authorized(port, path, PASSWORD).header("Accept", "application/*;version=39.0"))
                            .statusCode())
                    .isEqualTo(200);
        }
        assertProblem(
                send(authorized(port, path, PASSWORD).method("PATCH", HttpRequest.BodyPublishers.noBody())),
                405,
                "method-not-allowed");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "POST /nodes/failover/manual",
                "POST /nodes/cell-2/promote",
                "POST /nodes/cell-2/switchover",
                "POST /nodes/cell-2/deploy",
                "DELETE /nodes/cell-2"
            })
    void everyWriteHasADryRunThatAsksForNothingElse(String write) throws Exception {
        operator.verdict = CompletableFuture.completedFuture(
                new Operator.Verdict.Checked(List.of(new Operator.Check("streams", true, ""))));
        String[] parts = write.split(" ");
        HttpResponse<String> answer = send(authorized(port, parts[1] + "?dryRun=true", PASSWORD)
                .method(parts[0], HttpRequest.BodyPublishers.noBody()));
        assertThat(answer.statusCode()).isEqualTo(200);
        assertThat(JSON.readTree(answer.body()).at("/checks/0/name").asText()).isEqualTo("streams");
        assertThat(operator.asked).hasSize(1).allMatch(Operator.Request::dryRun);
    }

    /** Whatever comes, the answer is one of the contract's, says nothing of the inside, and the next request is served. */
    @Test
    void requestsThatMakeNoSenseGetAProblemAndHarmNothing() throws Exception {
        Random random = new Random(20260102);
        List<String> verbs = List.of("GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS", "BREW");
        List<String> roots = List.of("/nodes", "/tasks", "/services", "/sessions", "/history", "/isPrimary", "/", "");
        List<String> pieces = List.of(
                "cell-1",
                "promote",
                "switchover",
                "failover",
                "manual",
                "current",
                "%00",
                "%ff",
                "%2e%2e",
                "..",
                ".",
                "//",
                ";a=b",
                "%F0%9F%98%80",
                "x".repeat(300),
                "'",
                "deploy",
                "?dryRun=",
                "?dryRun=true&dryRun=false",
                "?limit=-1",
                "?force=%",
                "?%=%",
                "&&&");
        List<String> bodies = List.of(
                "",
                "{",
                "null",
                "[]",
                "\u0000",
                "{\"acceptDataLoss\":",
                "{\"acceptDataLoss\":{}}",
                "\"",
                "[".repeat(5000),
                "{\"a\":".repeat(3000),
                "1e999",
                " ".repeat(70_000),
                "\uFEFF{}",
                "<xml/>");
        List<String> authorizations = List.of(
                basic(PASSWORD),
                basic(PASSWORD),
                basic(PASSWORD),
                "Basic",
                "Bearer",
                "Bearer x.y.z",
                "Basic \u007f",
                "Digest a",
                "basic =",
                " ");
        int problems = 0;
        for (int number = 0; number < 400; number++) {
            StringBuilder path = new StringBuilder(BASE).append(pick(random, roots));
            for (int i = random.nextInt(4); i > 0; i--) {
                String piece = pick(random, pieces);
                path.append(piece.startsWith("?") || piece.startsWith("&") ? "" : "/")
                        .append(piece);
            }
            String verb = pick(random, verbs);
            byte[] body = pick(random, bodies).getBytes(StandardCharsets.UTF_8);
            String length = switch (random.nextInt(8)) {
                case 0 -> "Content-Length: " + (body.length + 7);
                case 1 -> "Content-Length: -1";
                case 2 -> "Content-Length: 99999999999";
                default -> "Content-Length: " + body.length;
            };
            String head = verb + " " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: "
                    + pick(random, authorizations) + "\r\nAccept: "
                    + pick(random, List.of("*/*", "application/*;version=39.0", ";;;", "text/html"))
                    + "\r\nContent-Type: " + pick(random, List.of("application/json", "text/plain", "??", "a/b;c=\""))
                    + "\r\n"
                    + length + "\r\n\r\n";
            String answer = raw(head, body);
            if (answer.isEmpty()) {
                // The request was never whole, so there may be none.
                continue;
            }
            assertThat(answer)
                    .as(head)
                    .matches("(?s)HTTP/1\\.1 (200|202|204|400|401|403|404|405|408|409|413|414|431|503).*");
            assertThat(answer).as(head).doesNotContain("Exception", "\tat ", "<html", "Jetty");
            if (answer.matches("(?s)HTTP/1\\.1 4.*") && !verb.equals("HEAD")) {
                problems++;
                assertThat(answer).as(head).contains("application/problem+json").contains("\"code\":\"");
            }
        }
        assertThat(problems).isGreaterThan(100);
        assertThat(get("/nodes").statusCode()).isEqualTo(200);
    }

    private static <T> T pick(Random random, List<T> all) {
        return all.get(random.nextInt(all.size()));
    }

    private static String raw(String head, byte[] body) throws IOException {
        try (var socket = Trust.all().getSocketFactory().createSocket("127.0.0.1", port)) {
            socket.setSoTimeout(500);
            var out = socket.getOutputStream();
            try {
                out.write(head.getBytes(StandardCharsets.UTF_8));
                out.write(body);
                out.flush();
            } catch (IOException e) {
                // Refused before it was all sent; the answer may still be there.
            }
            byte[] answer = new byte[8192];
            int length = 0;
            try {
                for (int read = 0; read >= 0 && length < answer.length; length += Math.max(read, 0)) {
                    read = socket.getInputStream().read(answer, length, answer.length - length);
                }
            } catch (IOException e) {
                // A body that never comes is waited for longer than we wait.
            }
            return new String(answer, 0, length, StandardCharsets.UTF_8);
        }
    }

    // ---- helpers

    private static Operator.Local local(CellState state, DatabaseView.Instance postgres, boolean zookeeper, long ago) {
        return new Operator.Local(state, false, 1, postgres, zookeeper, 0, true, 9, 0, 0, 0, ago, false);
    }

    private static List<Map.Entry<String, String>> services(int onPort) throws Exception {
        List<Map.Entry<String, String>> all = new ArrayList<>();
        JSON.readTree(send(authorized(onPort, "/services", PASSWORD)).body())
                .forEach(service -> all.add(Map.entry(
                        service.get("serviceName").asText(),
                        service.get("status").asText())));
        return all;
    }

    private static String service(String name) throws Exception {
        return JSON.readTree(get("/services/" + name).body()).get("status").asText();
    }

    private static String token() throws Exception {
        return JSON.readTree(post("/sessions", "").body()).get("token").asText();
    }

    private static HttpResponse<String> bearer(int onPort, String verb, String path, String token) throws Exception {
        return send(request(onPort, path)
                .header("Authorization", "Bearer " + token)
                .method(verb, HttpRequest.BodyPublishers.noBody()));
    }

    private static HttpResponse<String> get(String path) throws Exception {
        return send(authorized(port, path, PASSWORD).GET());
    }

    private static HttpResponse<String> post(String path, String body) throws Exception {
        return send(authorized(port, path, PASSWORD).POST(HttpRequest.BodyPublishers.ofString(body)));
    }

    private static HttpResponse<String> send(HttpRequest.Builder request) throws Exception {
        return http.send(request.build(), HttpResponse.BodyHandlers.ofString());
    }
}
