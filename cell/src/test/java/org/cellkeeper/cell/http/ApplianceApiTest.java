package org.cellkeeper.cell.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.cellkeeper.cell.http.RawRequests.assertProblem;
import static org.cellkeeper.cell.http.RawRequests.authorized;
import static org.cellkeeper.cell.http.RawRequests.basic;
import static org.cellkeeper.cell.http.RawRequests.request;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.SSLSocket;
import org.cellkeeper.api.ApplianceClient;
import org.cellkeeper.api.ApplianceFailure;
import org.cellkeeper.api.Cluster;
import org.cellkeeper.api.TaskInfo;
import org.cellkeeper.api.Trust;
import org.cellkeeper.cell.FreePort;
import org.cellkeeper.cell.metrics.CellMetrics;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.Busy;
import org.cellkeeper.cell.model.CellState;
import org.cellkeeper.cell.model.ClusterReport;
import org.cellkeeper.cell.model.EnsembleServer.Standing;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.port.Coordination;
import org.cellkeeper.cell.port.Operator;
import org.cellkeeper.cell.sim.Records;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class ApplianceApiTest {
    private static final String PASSWORD = "gehe:im ü";
    private static final String SECRET = "the secret of all cells";
    private static final String BASE = "/api/1.0.0";
    private static final ObjectMapper JSON = new ObjectMapper();

    private static final AtomicInteger strangers = new AtomicInteger();

    @TempDir
    static Path directory;

    private static int port;
    private static FakeOperator operator;
    private static FakeRevocations revocations;
    private static CellMetrics metrics;
    private static ApplianceApi api;
    private static HttpClient http;

    @BeforeAll
    static void start() throws IOException {
        http = RawRequests.client();
        port = FreePort.find();
        operator = new FakeOperator();
        revocations = new FakeRevocations();
        metrics = new CellMetrics(
                operator,
                () -> new CellMetrics.Agent(
                        new Busy(7, 2_000_000_000L, 500_000_000L), new Busy(9, 3_000_000L, 1_000_000L), 4, 1, null));
        api = api(settings(port));
        api.start();
    }

    @AfterAll
    static void stop() {
        http.shutdownNow();
        api.close();
    }

    @BeforeEach
    void reset() {
        operator.verdict = CompletableFuture.completedFuture(new Operator.Verdict.Accepted("task-7"));
        operator.primary = true;
        operator.mode = FailoverMode.AUTOMATIC;
        operator.broken = null;
        operator.local = FakeOperator.LOCAL;
        operator.history = List.of();
        revocations.ended.clear();
        revocations.known = true;
        revocations.outcome = Coordination.Outcome.APPLIED;
        synchronized (operator.asked) {
            operator.asked.clear();
        }
    }

    // ---- reads

    @Test
    void nodesAreToldAsInTheContract() throws Exception {
        JsonNode cluster = JSON.readTree(get("/nodes").body());

        assertThat(cluster.get("localClusterFailover").asText()).isEqualTo("AUTOMATIC");
        assertThat(cluster.get("localClusterHealth").asText()).isEqualTo("DEGRADED");
        assertThat(cluster.get("warnings").get(0).asText()).isEqualTo("cell-1 is halted");
        assertThat(cluster.get("epoch").asInt()).isEqualTo(8);
        assertThat(cluster.get("primary").asText()).isEqualTo("cell-2");
        assertThat(cluster.get("acks").asInt()).isEqualTo(1);
        assertThat(cluster.get("sealQuorum").asInt()).isEqualTo(1);
        assertThat(cluster.get("canSurvive").asInt()).isZero();
        assertThat(cluster.get("zookeeperServers").asInt()).isEqualTo(3);
        assertThat(cluster.get("zookeeperServing").asInt()).isEqualTo(2);
        assertThat(cluster.get("phase").asText()).isEqualTo("STEADY");

        JsonNode old = cluster.get("localClusterState").get(0);
        assertThat(old.get("id").asInt()).isEqualTo(1);
        assertThat(old.get("name").asText()).isEqualTo("cell-1");
        assertThat(old.get("location").asText()).isEqualTo("default");
        assertThat(old.get("connectionString").asText())
                .isEqualTo("host=127.0.0.11 user=vcloud dbname=vcloud connect_timeout=2");
        assertThat(old.get("role").asText()).isEqualTo("standby");
        assertThat(old.get("status").asText()).isEqualTo("- failed");
        assertThat(old.get("upstream").asText()).isEmpty();
        assertThat(old.get("nodeRole").asText()).isEqualTo("OLD_PRIMARY");
        assertThat(old.get("nodeHealth").asText()).isEqualTo("UNHEALTHY");
        assertThat(old.get("failover").get("mode").asText()).isEqualTo("AUTOMATIC");
        assertThat(old.get("failover").get("repmgrd").get("status").asText()).isEqualTo("RUNNING");
        assertThat(old.get("state").asText()).isEqualTo("HALTED");
        assertThat(old.get("halted").get("forkLsn").asText()).isEqualTo("0/3000000");
        assertThat(old.get("halted").get("divergedBytes").asLong()).isEqualTo(256);
        assertThat(old.get("halted").get("since").asText()).isEqualTo("2026-01-02T12:00:00.123Z");

        JsonNode primary = cluster.get("localClusterState").get(1);
        assertThat(primary.get("role").asText()).isEqualTo("primary");
        assertThat(primary.get("status").asText()).isEqualTo("* running");
        assertThat(primary.has("halted")).isFalse();

        JsonNode standby = cluster.get("localClusterState").get(2);
        assertThat(standby.get("upstream").asText()).isEqualTo("! cell-2");
        assertThat(standby.get("lagBytes").asLong()).isEqualTo(512);
        assertThat(standby.has("lagMillis")).isFalse();
    }

    @Test
    void inManualModeTheFailoverAgentIsNotApplicable() throws Exception {
        operator.mode = FailoverMode.MANUAL;
        JsonNode failover = JSON.readTree(get("/nodes").body()).at("/localClusterState/0/failover");
        assertThat(failover.get("mode").asText()).isEqualTo("MANUAL");
        assertThat(failover.at("/repmgrd/status").asText()).isEqualTo("NOT APPLICABLE");
    }

    @Test
    void withoutZooKeeperTheModeIsIndeterminate() throws Exception {
        operator.mode = null;
        JsonNode cluster = JSON.readTree(get("/nodes").body());
        assertThat(cluster.get("localClusterFailover").asText()).isEqualTo("INDETERMINATE");
        assertThat(cluster.at("/localClusterState/0/failover/mode").asText()).isEqualTo("UNKNOWN");
    }

    @Test
    void isPrimaryNeedsNoPassword() throws Exception {
        assertThat(send(request(port, "/isPrimary").GET()).body()).isEqualTo("{\"isPrimary\":true}");
        operator.primary = false;
        HttpResponse<String> answer = send(request(port, "/isPrimary").GET());
        assertThat(answer.statusCode()).isEqualTo(200);
        assertThat(answer.body()).isEqualTo("{\"isPrimary\":false}");
    }

    @Test
    void aBalancerThatReadsNoBodyIsToldThePrimaryByTheStatus() throws Exception {
        assertThat(send(request(port, "/primary").GET()).statusCode()).isEqualTo(200);
        operator.primary = false;
        HttpResponse<String> answer = send(request(port, "/primary").GET());
        assertThat(answer.statusCode()).isEqualTo(503);
        assertThat(answer.body()).contains("not-primary").contains("it is STREAMING");
    }

    @Test
    void aBalancerThatReadsNoBodyIsToldAStandbyThatIsNearEnough() throws Exception {
        assertThat(send(request(port, "/standby").GET()).body()).isEqualTo("{\"lagBytes\":2048}");
        assertThat(send(request(port, "/standby?maxLag=2kB").GET()).statusCode())
                .isEqualTo(200);
        assertThat(send(request(port, "/standby?maxLag=2047").GET()).statusCode())
                .isEqualTo(503);
        assertThat(send(request(port, "/standby?maxLag=1kB").GET()).body())
                .contains("lags")
                .contains("2048 bytes");
        for (String size : List.of("", "x", "1 MB", "-1", "1mb", "9999999999")) {
            assertThat(send(request(port, "/standby?maxLag=" + size.replace(" ", "%20"))
                                    .GET())
                            .statusCode())
                    .as(size)
                    .isEqualTo(400);
        }
        operator.local = new Operator.Local(
                CellState.STREAMING, false, 711, FakeOperator.RUNS, true, 0, true, 9, 0, 0, -1, 20, false);
        assertThat(send(request(port, "/standby").GET()).body()).contains("unknown");
        operator.local = new Operator.Local(
                CellState.PRIMARY, false, 711, FakeOperator.RUNS, true, 0, true, 9, 0, 0, -1, 20, false);
        assertThat(send(request(port, "/standby").GET()).body())
                .contains("not-standby")
                .contains("it is PRIMARY");
        operator.local = null;
        assertThat(send(request(port, "/standby").GET()).statusCode()).isEqualTo(503);
    }

    @Test
    void tasksAreToldNewestFirstWithTheirResultOrError() throws Exception {
        JsonNode tasks = JSON.readTree(get("/tasks").body());
        assertThat(tasks.findValuesAsText("id")).containsExactly("task-9", "task-8", "task-7");
        assertThat(tasks.at("/0/progress").asInt()).isEqualTo(40);
        assertThat(tasks.at("/0/message").asText()).isEqualTo("cloning");
        assertThat(tasks.get(0).has("endTime")).isFalse();
        assertThat(tasks.at("/1/error/code").asText()).isEqualTo("promote-failed");
        assertThat(tasks.at("/1/error/message").asText()).isEqualTo("no votes");
        assertThat(tasks.at("/2/result/message").asText()).isEqualTo("removed");
        assertThat(tasks.at("/2/endTime").asText()).isEqualTo("2026-01-02T12:00:00.123Z");
    }

    @Test
    void oneTaskIsFoundByItsId() throws Exception {
        assertThat(JSON.readTree(get("/tasks/task-8").body()).get("operation").asText())
                .isEqualTo("PROMOTE");
        assertProblem(get("/tasks/nowhere"), 404, "no-such-task");
    }

    @Test
    void historyTakesALimit() throws Exception {
        JsonNode history = JSON.readTree(get("/history?limit=3").body());
        assertThat(history.at("/0/detail").asText()).isEqualTo("limit 3");
        assertThat(history.at("/0/rule").asInt()).isEqualTo(12);
        assertThat(JSON.readTree(get("/history").body()).at("/0/detail").asText())
                .isEqualTo("limit 100");
    }

    @ParameterizedTest
    @ValueSource(strings = {"0", "-1", "many", "1001", "99999999999999999999", "1%3B2", ""})
    void anImpossibleLimitIsRefused(String limit) throws Exception {
        assertProblem(get("/history?limit=" + limit), 400, "bad-request");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "application/*;version=39.0",
                "application/json;version=37.0",
                "text/html",
                "image/png;q=0.1",
                "nonsense"
            })
    void theAnswerIsJsonWhateverIsAccepted(String accept) throws Exception {
        HttpResponse<String> answer = send(
                authorized(port, "/nodes", PASSWORD).header("Accept", accept).GET());
        assertThat(answer.statusCode()).isEqualTo(200);
        assertThat(answer.headers().firstValue("Content-Type")).hasValue("application/json");
        JSON.readTree(answer.body());
    }

    // ---- writes

    @Test
    void anAcceptedRequestIsAnsweredWithTheTasksPlaceAndNoBody() throws Exception {
        HttpResponse<String> answer = post("/nodes/cell-2/switchover", null);
        assertThat(answer.statusCode()).isEqualTo(202);
        assertThat(answer.body()).isEmpty();
        assertThat(answer.headers().firstValue("Location"))
                .hasValue("https://127.0.0.1:" + port + BASE + "/tasks/task-7");
        assertThat(operator.lastAsked()).isEqualTo(new Operator.Request.Switchover(FakeOperator.CELL_2, false));
    }

    @Test
    void everyWriteReachesTheOperatorAsItWasMeant() throws Exception {
        post("/nodes/failover/automatic", null);
        assertThat(operator.lastAsked()).isEqualTo(new Operator.Request.SetMode(FailoverMode.AUTOMATIC, false));
        post("/nodes/failover/MANUAL?dryRun=true", "{}");
        assertThat(operator.lastAsked()).isEqualTo(new Operator.Request.SetMode(FailoverMode.MANUAL, true));
        post("/nodes/cell-3/promote", null);
        assertThat(operator.lastAsked()).isEqualTo(new Operator.Request.Promote(FakeOperator.CELL_3, false, false));
        post("/nodes/cell-3/promote?dryRun=true", "{\"acceptDataLoss\":true}");
        assertThat(operator.lastAsked()).isEqualTo(new Operator.Request.Promote(FakeOperator.CELL_3, true, true));
        post("/nodes/cell-3/promote", "{\"acceptDataLoss\":false}");
        assertThat(operator.lastAsked()).isEqualTo(new Operator.Request.Promote(FakeOperator.CELL_3, false, false));
        post("/nodes/cell-3/promote?dryRun=false", " \n");
        assertThat(operator.lastAsked()).isEqualTo(new Operator.Request.Promote(FakeOperator.CELL_3, false, false));
        post("/nodes/cell-1/deploy?dryRun", null);
        assertThat(operator.lastAsked()).isEqualTo(new Operator.Request.Deploy(FakeOperator.CELL_1, true));
        send(authorized(port, "/nodes/cell-1?force=true", PASSWORD).DELETE());
        assertThat(operator.lastAsked()).isEqualTo(new Operator.Request.Remove(FakeOperator.CELL_1, true, false));
        send(authorized(port, "/nodes/cell-1?force=false&dryRun=true", PASSWORD).DELETE());
        assertThat(operator.lastAsked()).isEqualTo(new Operator.Request.Remove(FakeOperator.CELL_1, false, true));
    }

    @Test
    void aDryRunTellsItsChecks() throws Exception {
        operator.verdict = CompletableFuture.completedFuture(new Operator.Verdict.Checked(List.of(
                new Operator.Check("target streams", true, "lag 0"),
                new Operator.Check("zookeeper", false, "2 of 3 servers are away"))));
        HttpResponse<String> answer = post("/nodes/cell-2/switchover?dryRun=true", null);
        assertThat(answer.statusCode()).isEqualTo(200);
        JsonNode checks = JSON.readTree(answer.body());
        assertThat(checks.get("ok").asBoolean()).isFalse();
        assertThat(checks.at("/checks/0/name").asText()).isEqualTo("target streams");
        assertThat(checks.at("/checks/1/ok").asBoolean()).isFalse();
        assertThat(checks.at("/checks/1/detail").asText()).isEqualTo("2 of 3 servers are away");
    }

    @Test
    void aPreconditionThatDoesNotHoldIsAConflict() throws Exception {
        operator.verdict = CompletableFuture.completedFuture(
                new Operator.Verdict.Refused("primary-is-healthy", "cell-2 is a healthy primary: use switchover"));
        HttpResponse<String> answer = post("/nodes/cell-3/promote", null);
        assertProblem(answer, 409, "primary-is-healthy");
        assertThat(JSON.readTree(answer.body()).get("detail").asText())
                .isEqualTo("cell-2 is a healthy primary: use switchover");
    }

    @Test
    void anUnknownNodeIsNotFound() throws Exception {
        operator.verdict =
                CompletableFuture.completedFuture(new Operator.Verdict.NoSuchNode("there is no cell of this name"));
        assertProblem(post("/nodes/cell-9/promote", null), 404, "no-such-node");
    }

    @Test
    void aNameThatNoCellCanHaveIsNotFoundAndNotAskedFor() throws Exception {
        assertProblem(post("/nodes/CELL%20%3Cscript%3E/promote", null), 404, "no-such-node");
        assertThat(operator.asked).isEmpty();
    }

    @Test
    void withoutZooKeeperWritesAreNotAvailable() throws Exception {
        operator.verdict =
                CompletableFuture.completedFuture(new Operator.Verdict.Unavailable("ZooKeeper cannot be asked"));
        assertProblem(post("/nodes/failover/manual", null), 503, "zookeeper-unavailable");
    }

    @Test
    void aRequestThatIsNotAnsweredInTimeIsNotAvailable() throws Exception {
        operator.verdict = new CompletableFuture<>();
        assertProblem(post("/nodes/failover/manual", null), 503, "timeout");
    }

    @Test
    void aRequestThatFailsInsideIsNotAvailable() throws Exception {
        operator.verdict = CompletableFuture.failedFuture(new IllegalStateException("secret reason"));
        HttpResponse<String> answer = post("/nodes/failover/manual", null);
        assertProblem(answer, 503, "unavailable");
        assertThat(answer.body()).doesNotContain("secret reason");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "/nodes/cell-2/promote | {",
                "/nodes/cell-2/promote | []",
                "/nodes/cell-2/promote | null",
                "/nodes/cell-2/promote | {\"acceptDataLoss\":\"yes\"}",
                "/nodes/cell-2/promote | {\"acceptDataLoss\":1}",
                "/nodes/cell-2/promote | {\"acceptDataLos\":true}",
                "/nodes/cell-2/promote | {\"acceptDataLoss\":true} {}",
                "/nodes/cell-2/promote | {\"acceptDataLoss\":true,\"acceptDataLoss\":false}",
                "/nodes/cell-2/switchover | {\"acceptDataLoss\":true}",
                "/nodes/cell-2/deploy | 7",
                "/nodes/failover/manual | {\"mode\":\"automatic\"}",
                "/nodes/failover/sometimes | ''",
                "/nodes/cell-2/promote?dryRun=perhaps | ''",
            })
    void badInputIsRefusedAndNotAskedFor(String path, String body) throws Exception {
        assertProblem(post(path, body), 400, "bad-request");
        assertThat(operator.asked).isEmpty();
    }

    @Test
    void aBodyMayHave64KibibytesAndNotMore() throws Exception {
        String padding = " ".repeat(64 * 1024 - "{\"acceptDataLoss\":true}".length());
        assertThat(post("/nodes/cell-2/promote", "{\"acceptDataLoss\":true}" + padding)
                        .statusCode())
                .isEqualTo(202);
        assertProblem(post("/nodes/cell-2/promote", "{\"acceptDataLoss\":true} " + padding), 413, "body-too-large");
    }

    @Test
    void aBodyOfUnknownLengthIsMeasuredToo() throws Exception {
        byte[] big = " ".repeat(64 * 1024 + 1).getBytes(StandardCharsets.US_ASCII);
        HttpRequest.Builder request = authorized(port, "/nodes/cell-2/promote", PASSWORD)
                .POST(HttpRequest.BodyPublishers.ofInputStream(() -> new java.io.ByteArrayInputStream(big)));
        assertProblem(send(request), 413, "body-too-large");
    }

    // ---- who may ask

    @ParameterizedTest
    @CsvSource({
        "GET,/nodes",
        "GET,/tasks",
        "GET,/tasks/task-7",
        "GET,/history",
        "POST,/nodes/failover/manual",
        "POST,/nodes/cell-2/promote",
        "POST,/nodes/cell-2/switchover",
        "POST,/nodes/cell-2/deploy",
        "DELETE,/nodes/cell-2",
    })
    void everythingElseNeedsThePassword(String verb, String path) throws Exception {
        List<String> wrong = new ArrayList<>();
        wrong.add(null);
        wrong.add("");
        wrong.add("Basic");
        wrong.add("Basic !!!");
        wrong.add("Basic " + base64("root:"));
        wrong.add("Basic " + base64("root:" + PASSWORD + "x"));
        wrong.add("Basic " + base64("admin:" + PASSWORD));
        wrong.add("Basic " + base64(PASSWORD));
        wrong.add("Bearer " + base64("root:" + PASSWORD));
        for (String header : wrong) {
            HttpRequest.Builder request = request(port, path).method(verb, HttpRequest.BodyPublishers.noBody());
            if (header != null) {
                request.header("Authorization", header);
            }
            HttpResponse<String> answer;
            // Who guesses on is not answered any more: see GuessedPasswordsTest.
            try (HttpClient stranger = RawRequests.client("127.0.1." + strangers.incrementAndGet())) {
                answer = stranger.send(request.build(), HttpResponse.BodyHandlers.ofString());
            }
            assertProblem(answer, 401, "not-authenticated");
            assertThat(answer.headers().firstValue("WWW-Authenticate")).isPresent();
        }
        assertThat(operator.asked).isEmpty();
    }

    @Test
    void thePasswordNeverShows() {
        assertThat(settings(port).toString()).doesNotContain(PASSWORD);
    }

    // ---- what is not there

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/",
                "/api/1.0.0",
                "/api/1.0.0/nowhere",
                "/api/2.0.0/nodes",
                "/api/1.0.0/nodes/a/b/c",
                "/favicon.ico"
            })
    void anUnknownPathIsNotFound(String path) throws Exception {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create("https://127.0.0.1:" + port + path));
        assertProblem(send(request.header("Authorization", basic(PASSWORD)).GET()), 404, "no-such-path");
    }

    @ParameterizedTest
    @CsvSource({
        "POST,/nodes,GET",
        "PUT,/nodes/cell-2/promote,POST",
        "GET,/nodes/cell-2/promote,POST",
        "GET,/nodes/cell-2,DELETE",
        "DELETE,/isPrimary,GET",
        "PATCH,/tasks/task-7,GET",
        "PROPFIND,/tasks,GET",
        "TRACE,/tasks,GET",
    })
    void aWrongVerbIsNotAllowedAndTheRightOneIsNamed(String verb, String path, String right) throws Exception {
        HttpResponse<String> answer =
                send(authorized(port, path, PASSWORD).method(verb, HttpRequest.BodyPublishers.noBody()));
        assertProblem(answer, 405, "method-not-allowed");
        assertThat(answer.headers().firstValue("Allow").orElseThrow()).contains(right);
    }

    @Test
    void headAnswersLikeGetWithoutABody() throws Exception {
        HttpResponse<String> answer =
                send(authorized(port, "/nodes", PASSWORD).method("HEAD", HttpRequest.BodyPublishers.noBody()));
        assertThat(answer.statusCode()).isEqualTo(200);
        assertThat(answer.body()).isEmpty();
        assertThat(answer.headers().firstValue("Content-Type")).hasValue("application/json");
        assertThat(send(request(port, "/nodes").method("HEAD", HttpRequest.BodyPublishers.noBody()))
                        .statusCode())
                .isEqualTo(401);
    }

    @Test
    void optionsNamesTheVerbs() throws Exception {
        HttpResponse<String> answer =
                send(request(port, "/nodes/cell-2").method("OPTIONS", HttpRequest.BodyPublishers.noBody()));
        assertThat(answer.statusCode()).isEqualTo(204);
        assertThat(answer.headers().firstValue("Allow")).hasValue("DELETE, OPTIONS");
    }

    @Test
    void anErrorOfOursTellsNothingOfItself() throws Exception {
        operator.broken = new IllegalStateException("inner secret");
        HttpResponse<String> answer = get("/nodes");
        assertProblem(answer, 500, "internal-error");
        assertThat(answer.body()).doesNotContain("secret").doesNotContain("Exception");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "GARBAGE\r\n\r\n",
                "GET /api/1.0.0/nodes HTTP/9.9\r\n\r\n",
                "GET /api/1.0.0/%zz HTTP/1.1\r\nHost: x\r\n\r\n",
                "GET /api/1.0.0/nodes/..%2f..%2fetc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
                "GET /api/1.0.0/nodes HTTP/1.1\r\n\r\n",
                "GET /api/1.0.0/nodes HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
                "POST /api/1.0.0/nodes/a/promote HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            })
    void requestsThatAreNoHttpGetAProblemToo(String raw) throws Exception {
        String answer = raw(raw);
        assertThat(answer).containsPattern("^HTTP/1.1 (4..|505) ").contains("application/problem+json");
        assertThat(answer).doesNotContain("<html").doesNotContain("Jetty").doesNotContain("\tat ");
    }

    @Test
    void hugeHeadersAreRefused() throws Exception {
        assertThat(raw("GET /api/1.0.0/nodes HTTP/1.1\r\nHost: x\r\nX-Big: " + "x".repeat(20_000) + "\r\n\r\n"))
                .startsWith("HTTP/1.1 431");
    }

    // ---- certificate

    @Test
    void theGeneratedCertificateIsKeptForItsOwnerAloneAndNamesTheCell() throws Exception {
        Path kept = directory.resolve("certificate.p12");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(kept)))
                .isEqualTo("rw-------");
        try (var files = Files.list(directory)) {
            assertThat(files).containsOnly(kept, directory.resolve("audit"), directory.resolve("served.pem"));
        }
        X509Certificate served = served(port);
        assertThat(served.getSubjectAlternativeNames().stream().map(name -> name.get(1)))
                .asString()
                .contains("cell-1", "localhost", "127.0.0.1");
    }

    @Test
    void theSameCertificateIsServedAfterARestart() throws Exception {
        int second = FreePort.find();
        try (ApplianceApi again = api(settings(second))) {
            again.start();
            assertThat(served(second)).isEqualTo(served(port));
        }
    }

    @Test
    void anOwnCertificateIsServed(@TempDir Path own) throws Exception {
        ApiSettings.Pem pem = generated(directory);
        assertThat(pem.problem()).isEmpty();

        int second = FreePort.find();
        try (ApplianceApi withOwn = api(settings(second, own, pem))) {
            withOwn.start();
            assertThat(served(second)).isEqualTo(served(port));
        }
        assertThat(own.resolve("certificate.p12")).doesNotExist();
    }

    /** The certificate that was generated into this folder, and its key. */
    private static ApiSettings.Pem generated(Path folder) throws Exception {
        var keys = java.security.KeyStore.getInstance("PKCS12");
        try (var in = Files.newInputStream(folder.resolve("certificate.p12"))) {
            keys.load(in, Certificates.STORE_PASSWORD.toCharArray());
        }
        String alias = keys.aliases().nextElement();
        return new ApiSettings.Pem(
                pem("CERTIFICATE", keys.getCertificate(alias).getEncoded()),
                pem(
                        "PRIVATE KEY",
                        keys.getKey(alias, Certificates.STORE_PASSWORD.toCharArray())
                                .getEncoded()));
    }

    @Test
    void aRenewedCertificateIsServedOnceItIsReloadedAndABadOneIsNot(@TempDir Path own) throws Exception {
        ApiSettings.PemFiles files = new ApiSettings.PemFiles(own.resolve("certificate.pem"), own.resolve("key.pem"));
        int second = FreePort.find();
        URI cell = URI.create("https://127.0.0.1:" + second);
        try (ApplianceApi withOwn = api(settings(second, own, generated(directory), files));
                ApplianceClient client = client(PASSWORD, cell)) {
            withOwn.start();
            X509Certificate before = served(second);
            assertThat(before).isEqualTo(served(port));
            assertThatExceptionOfType(ApplianceFailure.Refused.class)
                    .isThrownBy(() -> client.reload(cell, "nginx"))
                    .withMessageContaining("certificate.pem is not there")
                    .satisfies(refused -> assertThat(refused.code()).isEqualTo("certificate-usable"));

            Path other = Files.createDirectory(own.resolve("other"));
            Certificates.of(settings(second, other, null));
            ApiSettings.Pem renewed = generated(other);
            Files.writeString(files.chain(), renewed.chain());
            Files.writeString(files.key(), generated(directory).key());
            assertThatExceptionOfType(ApplianceFailure.Refused.class)
                    .isThrownBy(() -> client.reload(cell, "nginx"))
                    .withMessageContaining("is not that of the first certificate");
            assertThat(served(second)).isEqualTo(before);

            Files.writeString(files.key(), renewed.key());
            assertThat(served(second)).isEqualTo(before);
            client.reload(cell, "nginx");
            assertThat(pem("CERTIFICATE", served(second).getEncoded())).isEqualTo(renewed.chain());
            assertThat(client.nodes()).isNotNull();
        }
    }

    @Test
    void aCertificateThatCannotBeServedWithIsToldBeforeAnybodyServesWithIt() throws Exception {
        String certificate = pem("CERTIFICATE", served(port).getEncoded());
        String other = pem(
                "PRIVATE KEY",
                java.security.KeyPairGenerator.getInstance("EC")
                        .generateKeyPair()
                        .getPrivate()
                        .getEncoded());
        String ofAnotherKind = pem(
                "PRIVATE KEY",
                java.security.KeyPairGenerator.getInstance("RSA")
                        .generateKeyPair()
                        .getPrivate()
                        .getEncoded());
        assertThat(new ApiSettings.Pem(certificate, other).problem()).contains("is not that of the first certificate");
        assertThat(new ApiSettings.Pem(certificate, ofAnotherKind).problem()).contains("of kind EC");
        assertThat(new ApiSettings.Pem(certificate, "").problem()).contains("no unencrypted PKCS #8 key");
        assertThat(new ApiSettings.Pem("", other).problem()).contains("there is no certificate");
        assertThat(new ApiSettings.Pem(certificate.substring(0, 200), other).problem())
                .contains("the certificate cannot be read");
    }

    @Test
    void aDamagedGeneratedCertificateIsReplaced(@TempDir Path own) throws Exception {
        Path kept = Files.writeString(own.resolve("certificate.p12"), "");
        int second = FreePort.find();
        try (ApplianceApi again = api(settings(second, own, null))) {
            again.start();
            assertThat(served(second)).isNotNull();
        }
        assertThat(Files.size(kept)).isPositive();
    }

    // ---- the client of the api module

    @Test
    void theClientGoesToTheNextCellWhenOneIsDown() throws Exception {
        URI down = URI.create("https://127.0.0.1:" + FreePort.find());
        try (ApplianceClient client = client(PASSWORD, down, uri())) {
            Cluster cluster = client.nodes();
            assertThat(cluster.primary()).isEqualTo("cell-2");
            assertThat(client.promote("cell-3", true)).isEqualTo("task-7");
            assertThat(operator.lastAsked()).isEqualTo(new Operator.Request.Promote(FakeOperator.CELL_3, true, false));
            assertThat(client.history(5)).hasSize(1);
            assertThat(client.isPrimary(uri())).isTrue();
        }
    }

    @Test
    void theClientSaysWhenNobodyAnswers() throws Exception {
        URI down = URI.create("https://127.0.0.1:" + FreePort.find());
        try (ApplianceClient client = client(PASSWORD, down)) {
            assertThatThrownBy(client::nodes).isInstanceOf(ApplianceFailure.NobodyAnswers.class);
            assertThatThrownBy(() -> client.remove("cell-1", false)).isInstanceOf(ApplianceFailure.NobodyAnswers.class);
        }
    }

    @Test
    void theClientTellsWhyItWasRefused() {
        operator.verdict =
                CompletableFuture.completedFuture(new Operator.Verdict.Refused("not-healthy", "bring it back"));
        try (ApplianceClient client = client(PASSWORD, uri())) {
            assertThatThrownBy(() -> client.switchover("cell-3"))
                    .isInstanceOfSatisfying(ApplianceFailure.Refused.class, refused -> {
                        assertThat(refused.status()).isEqualTo(409);
                        assertThat(refused.code()).isEqualTo("not-healthy");
                        assertThat(refused).hasMessage("bring it back");
                    });
        }
        try (ApplianceClient client = client("wrong", uri())) {
            assertThatThrownBy(client::nodes)
                    .isInstanceOfSatisfying(
                            ApplianceFailure.Refused.class,
                            refused -> assertThat(refused.status()).isEqualTo(401));
        }
    }

    @Test
    void theClientAwaitsATasksEnd() {
        List<TaskInfo> seen = new ArrayList<>();
        var before = operator.tasks;
        try (ApplianceClient client = client(PASSWORD, uri())) {
            CompletableFuture.delayedExecutor(300, TimeUnit.MILLISECONDS).execute(() -> {
                var running = before.getFirst();
                operator.tasks = List.of(
                        running.ended(org.cellkeeper.cell.model.Task.Status.SUCCESS, FakeOperator.NOON, "cloned"));
            });
            TaskInfo end =
                    client.await("task-9", Duration.ofSeconds(10), seen::add).orElseThrow();
            assertThat(end.hasSucceeded()).isTrue();
            assertThat(end.result()).isEqualTo(new TaskInfo.Result("cloned"));
            assertThat(seen).hasSize(2);
        } finally {
            operator.tasks = before;
        }
    }

    @Test
    void theClientReadsADryRun() {
        operator.verdict = CompletableFuture.completedFuture(
                new Operator.Verdict.Checked(List.of(new Operator.Check("streams", true, "yes"))));
        try (ApplianceClient client = client(PASSWORD, uri())) {
            assertThat(client.dryRun(new ApplianceClient.Request.Switchover("cell-3"))
                            .ok())
                    .isTrue();
        }
    }

    /** It hears of no other, and would call a cluster lost that is well. */
    @Test
    void theClientAsksARemovedCellOnlyWhereThereIsNoOther(@TempDir Path kept) throws Exception {
        int portOfRemoved = FreePort.find();
        FakeOperator lonely = new FakeOperator();
        lonely.local = Records.with(FakeOperator.LOCAL, "state", CellState.REMOVED);
        lonely.health = ClusterReport.Health.SSH_PROBLEM;
        operator.health = ClusterReport.Health.HEALTHY;
        URI ofRemoved = URI.create("https://127.0.0.1:" + portOfRemoved);
        try (ApplianceApi removed = api(settings(portOfRemoved, kept, null), lonely)) {
            removed.start();
            try (ApplianceClient client = client(PASSWORD, ofRemoved, uri())) {
                assertThat(client.isRemoved(ofRemoved)).isTrue();
                assertThat(client.isRemoved(uri())).isFalse();
                assertThat(client.nodes().localClusterHealth()).isEqualTo("HEALTHY");
            }
            try (ApplianceClient client = client(PASSWORD, ofRemoved, uri())) {
                client.switchover("cell-3");
                assertThat(lonely.asked).isEmpty();
                assertThat(operator.asked).hasSize(1);
            }
            try (ApplianceClient client = client(PASSWORD, ofRemoved)) {
                assertThat(client.nodes().localClusterHealth()).isEqualTo("SSH_PROBLEM");
                client.deploy("cell-1");
                assertThat(lonely.asked).hasSize(1);
            }
        } finally {
            operator.health = ClusterReport.Health.DEGRADED;
        }
    }

    // ---- tools

    private static ApplianceApi api(ApiSettings settings) {
        return api(settings, operator);
    }

    private static ApplianceApi api(ApiSettings settings, FakeOperator asked) {
        return new ApplianceApi(
                settings,
                asked,
                new FakeBackups(),
                new FakeApp(),
                revocations,
                new FakeReload(),
                new Companions(() -> Standing.SERVING, null),
                metrics::scrape);
    }

    private static ApiSettings settings(int onPort) {
        return settings(onPort, directory, null);
    }

    private static ApiSettings settings(int onPort, Path kept, ApiSettings.Pem own) {
        return settings(onPort, kept, own, null);
    }

    private static ApiSettings settings(int onPort, Path kept, ApiSettings.Pem own, ApiSettings.PemFiles files) {
        return new ApiSettings(
                FakeOperator.CELL_1,
                new Address("127.0.0.1", 5432, onPort, 5481),
                "127.0.0.1",
                kept,
                ApiSettings.of(FakeOperator.CELL_1, new Address("127.0.0.1", 1, 2, 3), kept, PASSWORD, SECRET)
                        .users(),
                own,
                files,
                "vcloud",
                "vcloud",
                () -> List.of(SECRET),
                java.util.Map.of("data", directory),
                Duration.ofSeconds(1));
    }

    private static URI uri() {
        return URI.create("https://127.0.0.1:" + port);
    }

    private static ApplianceClient client(String password, URI... cells) {
        return new ApplianceClient(List.of(cells), "root", password, Trust.all());
    }

    private static HttpResponse<String> get(String path) throws Exception {
        return send(authorized(port, path, PASSWORD).GET());
    }

    private static HttpResponse<String> post(String path, String body) throws Exception {
        return send(authorized(port, path, PASSWORD)
                .POST(body == null ? HttpRequest.BodyPublishers.noBody() : HttpRequest.BodyPublishers.ofString(body)));
    }

    private static HttpResponse<String> send(HttpRequest.Builder request) throws Exception {
        return http.send(request.build(), HttpResponse.BodyHandlers.ofString());
    }

    private static String raw(String request) throws IOException {
        try (SSLSocket socket = (SSLSocket) Trust.all().getSocketFactory().createSocket("127.0.0.1", port)) {
            socket.setSoTimeout(10_000);
            socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
            socket.getOutputStream().flush();
            byte[] answer = new byte[4096];
            int length = socket.getInputStream().read(answer);
            return new String(answer, 0, Math.max(0, length), StandardCharsets.UTF_8);
        }
    }

    private static X509Certificate served(int onPort) throws IOException {
        try (SSLSocket socket = (SSLSocket) Trust.all().getSocketFactory().createSocket("127.0.0.1", onPort)) {
            socket.startHandshake();
            return (X509Certificate) socket.getSession().getPeerCertificates()[0];
        }
    }

    private static String pem(String kind, byte[] encoded) {
        return "-----BEGIN " + kind + "-----\n" + Base64.getMimeEncoder().encodeToString(encoded) + "\n-----END " + kind
                + "-----\n";
    }

    private static String base64(String text) {
        return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }
}
