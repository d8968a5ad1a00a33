package org.cellkeeper.cell.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.cellkeeper.cell.http.RawRequests.assertProblem;
import static org.cellkeeper.cell.http.RawRequests.basic;
import static org.cellkeeper.cell.http.RawRequests.request;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.cellkeeper.api.ApplianceClient;
import org.cellkeeper.api.AuditEntry;
import org.cellkeeper.api.AuditPage;
import org.cellkeeper.api.Trust;
import org.cellkeeper.cell.FreePort;
import org.cellkeeper.cell.model.ApiUser;
import org.cellkeeper.cell.port.Operator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is noted of requests, and how long it is kept. */
final class AuditTest {
    private static final String PASSWORD = "the password";

    @TempDir
    Path directory;

    private final List<HttpClient> clients = new ArrayList<>();
    private final FakeOperator operator = new FakeOperator();
    private HttpClient http;
    private int port;
    private ApplianceApi api;

    @BeforeEach
    void start() throws IOException {
        http = from("127.0.6.1");
        operator.verdict = CompletableFuture.completedFuture(new Operator.Verdict.Accepted("task-7"));
        begin();
    }

    private void begin() throws IOException {
        port = FreePort.find();
        ApiSettings settings = ApiAlone.settings(directory, port, PASSWORD);
        settings.users()
                .take(List.of(
                        new ApiUser("root", ApiUser.Role.ROOT, new ApiUser.Secret.Password(PASSWORD)),
                        new ApiUser("monitor", ApiUser.Role.MONITOR, new ApiUser.Secret.Password("reads"))));
        api = ApiAlone.start(settings, operator);
    }

    @AfterEach
    void stop() {
        clients.forEach(HttpClient::shutdownNow);
        api.close();
    }

    @Test
    void logInsChangesAndRefusalsAreNotedWithWhoFromWhereWhatAndTheOutcome() throws Exception {
        String root = basic("root", PASSWORD);
        assertThat(ask("POST", "/nodes/cell-2/promote?dryRun=false", root, "{\"acceptDataLoss\":true}"))
                .isEqualTo(202);
        operator.verdict = CompletableFuture.completedFuture(new Operator.Verdict.Refused("not-now", "no"));
        assertThat(ask("DELETE", "/nodes/cell-3", root, "")).isEqualTo(409);
        assertThat(ask("POST", "/sessions", root, "")).isEqualTo(200);
        assertThat(ask("GET", "/nodes", basic("monitor", "reads"), "")).isEqualTo(200);
        assertThat(ask("GET", "/tasks", basic("monitor", "reads"), "")).isEqualTo(200);
        assertThat(ask("DELETE", "/nodes/cell-3", basic("monitor", "reads"), ""))
                .isEqualTo(403);
        assertThat(ask("GET", "/nodes", basic("root", "guess"), "")).isEqualTo(401);
        assertThat(ask("GET", "/nodes", basic("secret-word", "guess"), "")).isEqualTo(401);
        assertThat(ask("GET", "/nodes", "Bearer nonsense", "")).isEqualTo(401);

        AuditPage page = audit(null, 100);
        assertThat(page.cell()).isEqualTo("cell-1");
        assertThat(page.entries().reversed().stream().map(AuditTest::words))
                .containsExactlyInAnyOrder(
                        "LOG_IN root ROOT POST /api/1.0.0/nodes/cell-2/promote 200 null x1",
                        "CHANGE root ROOT POST /api/1.0.0/nodes/cell-2/promote 202 null x1",
                        "CHANGE root ROOT DELETE /api/1.0.0/nodes/cell-3 409 not-now x1",
                        "LOG_IN root ROOT POST /api/1.0.0/sessions 200 null x1",
                        "LOG_IN monitor MONITOR GET /api/1.0.0/nodes 200 null x1",
                        "REFUSED monitor MONITOR DELETE /api/1.0.0/nodes/cell-3 403 role-not-allowed x1",
                        "REFUSED root null GET /api/1.0.0/nodes 401 not-authenticated x1",
                        "REFUSED null null GET /api/1.0.0/nodes 401 not-authenticated x2",
                        // The audit's own reader, from another address.
                        "LOG_IN root ROOT GET /api/1.0.0/audit 200 null x1");
        assertThat(page.entries())
                .filteredOn(entry -> !entry.path().endsWith("/audit"))
                .allMatch(entry -> entry.address().equals("127.0.6.1"));
        assertThat(page.entries()).isSortedAccordingTo((a, b) -> b.time().compareTo(a.time()));
        String kept = kept();
        assertThat(kept)
                .doesNotContain(PASSWORD)
                .doesNotContain("guess")
                .doesNotContain("secret-word")
                .doesNotContain("acceptDataLoss")
                .doesNotContain("Bearer")
                .doesNotContain("dryRun");
    }

    @Test
    void whatIsRefusedAgainAndAgainIsCountedAndPushesNothingOut() throws Exception {
        assertThat(ask("POST", "/nodes/cell-2/promote", basic("root", PASSWORD), ""))
                .isEqualTo(202);
        for (int i = 0; i < 3000; i++) {
            ask(
                    "GET",
                    i % 2 == 0 ? "/nodes" : "/fips/" + "n".repeat(100) + i,
                    i % 3 == 0 ? basic("u" + i, "x") : null,
                    "");
        }
        List<AuditEntry> entries = audit(null, 1000).entries();
        assertThat(entries).anyMatch(entry -> entry.event().equals("CHANGE"));
        List<AuditEntry> refused = entries.stream()
                .filter(entry -> entry.event().equals("REFUSED"))
                .toList();
        assertThat(refused).hasSizeLessThan(6);
        assertThat(refused.stream().mapToLong(AuditEntry::count).sum()).isEqualTo(3000);
        assertThat(refused).allMatch(entry -> entry.until() != null);
        assertThat(kept().length()).isLessThan(40_000);
    }

    @Test
    void strangersFromManyAddressesFillOnlyWhatIsTheirs() throws Exception {
        try (AuditLog log = new AuditLog(directory.resolve("other"), 20_000)) {
            log.note(entry("2026-01-02T12:00:00Z", "CHANGE", "127.0.0.1", 202));
            for (int i = 0; i < 100_000; i++) {
                AuditEntry refused = entry("2026-01-02T12:00:01Z", "REFUSED", "10.0." + i / 250 + "." + i % 250, 401);
                log.refuse(refused, AuditLog.kindOf(refused));
            }
            List<AuditEntry> entries = log.newest(1000, null).get();
            assertThat(entries).anyMatch(entry -> entry.event().equals("CHANGE"));
            assertThat(entries).anyMatch(entry -> entry.address().equals(AuditLog.SEVERAL) && entry.count() > 1);
        }
        try (Stream<Path> files = Files.list(directory.resolve("other"))) {
            assertThat(files.mapToLong(file -> file.toFile().length()).sum()).isLessThan(60_000);
        }
    }

    @Test
    void theOldestGoWhenTheFilesAreFullAndPagesGoBackToThem() throws Exception {
        try (AuditLog log = new AuditLog(directory.resolve("other"), 20_000)) {
            for (int i = 0; i < 1000; i++) {
                log.note(entry(
                        "2026-01-02T12:%02d:%02d.%03dZ".formatted(i / 60 % 60, i % 60, i), "CHANGE", "127.0.0.1", 202));
            }
            List<AuditEntry> all = log.newest(1000, null).get();
            assertThat(all).hasSizeBetween(100, 400);
            assertThat(all.getFirst().time()).isEqualTo("2026-01-02T12:16:39.999Z");
            List<AuditEntry> newest = log.newest(30, null).get();
            assertThat(newest).isEqualTo(all.subList(0, 30));
            assertThat(log.newest(30, java.time.Instant.parse(newest.getLast().time()))
                            .get())
                    .isEqualTo(all.subList(30, 60));
        }
    }

    @Test
    void whatWasNotedOutlivesTheAgentAndALineThatIsBrokenHarmsNothing() throws Exception {
        ask("POST", "/nodes/cell-2/promote", basic("root", PASSWORD), "");
        for (int i = 0; i < 7; i++) {
            ask("GET", "/nodes", null, "");
        }
        http.shutdownNow();
        api.close();
        http = from("127.0.6.1");
        Path done = directory.resolve("audit/done.jsonl");
        Files.writeString(done, "{\"time\":\"2026-01-0", StandardOpenOption.APPEND);
        Files.writeString(done, "\n{}\n{\"time\":\"never\"}\n\u0000\u0000", StandardOpenOption.APPEND);
        begin();
        ask("POST", "/nodes/cell-3/promote", basic("root", PASSWORD), "");
        assertThat(audit(null, 100).entries().stream().map(AuditTest::words))
                .contains(
                        "CHANGE root ROOT POST /api/1.0.0/nodes/cell-2/promote 202 null x1",
                        "CHANGE root ROOT POST /api/1.0.0/nodes/cell-3/promote 202 null x1",
                        "REFUSED null null GET /api/1.0.0/nodes 401 not-authenticated x7");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(done)))
                .isEqualTo("rw-------");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(directory.resolve("audit"))))
                .isEqualTo("rwx------");
    }

    @Test
    void aLogThatCannotBeWrittenKeepsNobodyFromActing() throws Exception {
        Files.writeString(directory.resolve("audit"), "a file in the folder's place");
        assertThat(ask("POST", "/nodes/cell-2/promote", basic("root", PASSWORD), ""))
                .isEqualTo(202);
        assertThat(operator.asked).hasSize(1);
    }

    @Test
    void badParametersAreRefused() throws Exception {
        for (String query : List.of("limit=0", "limit=1001", "before=yesterday")) {
            HttpResponse<String> answer = http.send(
                    request(port, "/audit?" + query)
                            .header("Authorization", basic("root", PASSWORD))
                            .build(),
                    HttpResponse.BodyHandlers.ofString());
            assertProblem(answer, 400, "bad-request");
        }
    }

    private static AuditEntry entry(String time, String event, String address, int status) {
        return new AuditEntry(time, null, event, "root", "ROOT", address, "POST", "/path", status, null, 1);
    }

    private static String words(AuditEntry entry) {
        return entry.event() + " " + entry.user() + " " + entry.role() + " " + entry.method() + " " + entry.path() + " "
                + entry.status() + " " + entry.code() + " x" + entry.count();
    }

    private String kept() throws IOException {
        StringBuilder all = new StringBuilder();
        try (Stream<Path> files = Files.list(directory.resolve("audit"))) {
            for (Path file : files.toList()) {
                all.append(Files.readString(file, StandardCharsets.UTF_8));
            }
        }
        return all.toString();
    }

    private AuditPage audit(String before, int limit) {
        try (ApplianceClient client =
                new ApplianceClient(List.of(URI.create("https://127.0.0.1:" + port)), "root", PASSWORD, Trust.all())) {
            return client.audit(before, limit);
        }
    }

    private HttpClient from(String address) {
        HttpClient client = RawRequests.client(address);
        clients.add(client);
        return client;
    }

    private int ask(String verb, String path, String credentials, String body) throws Exception {
        HttpRequest.Builder request = request(port, path).method(verb, HttpRequest.BodyPublishers.ofString(body));
        if (credentials != null) {
            request.header("Authorization", credentials);
        }
        return http.send(request.build(), HttpResponse.BodyHandlers.ofString()).statusCode();
    }
}
