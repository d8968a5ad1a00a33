package org.cellkeeper.cell.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.cellkeeper.cell.http.RawRequests.assertProblem;
import static org.cellkeeper.cell.http.RawRequests.basic;
import static org.cellkeeper.cell.http.RawRequests.request;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.cellkeeper.cell.FreePort;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.ApiUser;
import org.cellkeeper.cell.port.Operator;
import org.cellkeeper.cell.wire.PasswordHash;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What users of each role may do at two cells, and what becomes of them when others take their place. */
final class UsersTest {
    private static final String OPERATOR_HASH =
            PasswordHash.of("alice's", 100_000).text();

    private static final ApiUser ROOT = plain("root", ApiUser.Role.ROOT, "the password");
    private static final ApiUser MONITOR = plain("monitor", ApiUser.Role.MONITOR, "reads");
    private static final ApiUser ALICE =
            new ApiUser("alice", ApiUser.Role.ROOT, new ApiUser.Secret.Hash(OPERATOR_HASH));
    private static final ApiUser BOB = new ApiUser(
            "bob",
            ApiUser.Role.MONITOR,
            new ApiUser.Secret.Hash(PasswordHash.of("böb's: ü", 100_000).text()));

    @TempDir
    static Path directory;

    private static final List<Integer> ports = new ArrayList<>();
    private static final List<ApplianceApi> cells = new ArrayList<>();
    private static final Users users = new Users(List.of());
    private static FakeOperator operator;
    private static HttpClient http;
    private static List<String> served;

    private static ApiUser plain(String name, ApiUser.Role role, String password) {
        return new ApiUser(name, role, new ApiUser.Secret.Password(password));
    }

    @BeforeAll
    static void start() throws IOException {
        http = RawRequests.client();
        operator = new FakeOperator();
        FakeRevocations revocations = new FakeRevocations();
        for (int i = 0; i < 2; i++) {
            int port = FreePort.find();
            ApiSettings usual = ApiSettings.of(
                    FakeOperator.CELL_1,
                    new Address("127.0.0.1", 5432, port, 5481),
                    directory.resolve("cell" + i),
                    "unused",
                    "the secret");
            ApplianceApi api = new ApplianceApi(
                    new ApiSettings(
                            usual.self(),
                            usual.address(),
                            usual.bindHost(),
                            java.nio.file.Files.createDirectories(usual.directory()),
                            users,
                            null,
                            null,
                            "vcloud",
                            "vcloud",
                            () -> List.of("the secret"),
                            usual.volumes(),
                            Duration.ofSeconds(10)),
                    operator,
                    new FakeBackups(),
                    new FakeApp(),
                    revocations,
                    new FakeReload(),
                    Companions.NONE,
                    () -> "cellkeeper_up 1\n");
            api.start();
            ports.add(port);
            cells.add(api);
            served = api.served();
        }
    }

    @AfterAll
    static void stop() {
        http.shutdownNow();
        cells.forEach(ApplianceApi::close);
    }

    @BeforeEach
    void reset() {
        users.take(List.of(ROOT, MONITOR, ALICE, BOB));
        operator.verdict = CompletableFuture.completedFuture(new Operator.Verdict.Accepted("task-7"));
        operator.asked.clear();
    }

    @Test
    void whoMayOnlyReadIsAnsweredAllReadsAndNoChange() throws Exception {
        for (String credentials : List.of(basic("monitor", "reads"), basic("bob", "böb's: ü"))) {
            int reads = 0;
            int changes = 0;
            for (String route : served) {
                String verb = route.substring(0, route.indexOf(' '));
                String path = route.substring(route.indexOf(' ') + 1)
                        .replace("{name}", "cell-2")
                        .replace("{mode}", "manual")
                        .replace("{id}", "task-7")
                        .replace("/api/1.0.0", "");
                if (path.startsWith("/cloud") || path.equals("/events") || path.startsWith("/sessions")) {
                    continue;
                }
                HttpResponse<String> answer = ask(ports.getFirst(), verb, path, credentials);
                if (verb.equals("GET") && !path.equals("/audit")) {
                    reads++;
                    assertThat(answer.statusCode()).as(route).isNotIn(401, 403, 429);
                } else {
                    changes++;
                    assertProblem(answer, 403, "role-not-allowed");
                    assertThat(answer.body()).as(route).contains("role monitor").contains("role root");
                }
            }
            assertThat(reads).isGreaterThan(15);
            assertThat(changes).isGreaterThan(10);
        }
        assertProblem(
                ask(ports.getFirst(), "POST", "/nodes/cell-2/promote?dryRun=true", basic("monitor", "reads")),
                403,
                "role-not-allowed");
        assertThat(operator.asked).isEmpty();
    }

    @Test
    void anotherUserOfTheRoleRootMayDoAllAndIsNamed() throws Exception {
        String alice = basic("alice", "alice's");
        assertThat(ask(ports.getFirst(), "POST", "/nodes/cell-2/promote", alice).statusCode())
                .isEqualTo(202);
        assertThat(operator.asked).hasSize(1);
        assertThat(operator.caller).isEqualTo("alice from 127.0.0.1");
        assertThat(ask(ports.getFirst(), "GET", "/audit", alice).statusCode()).isEqualTo(200);
    }

    @Test
    void aTokenHasTheRoleOfWhoeverGotItAtEveryCell() throws Exception {
        String ofMonitor = token(basic("monitor", "reads"));
        String ofAlice = token(basic("alice", "alice's"));
        for (int port : ports) {
            assertThat(ask(port, "GET", "/nodes", "Bearer " + ofMonitor).statusCode())
                    .isEqualTo(200);
            assertProblem(ask(port, "POST", "/nodes/cell-2/promote", "Bearer " + ofMonitor), 403, "role-not-allowed");
            assertProblem(ask(port, "GET", "/audit", "Bearer " + ofMonitor), 403, "role-not-allowed");
            assertThat(ask(port, "POST", "/nodes/cell-2/promote", "Bearer " + ofAlice)
                            .statusCode())
                    .isEqualTo(202);
        }
        assertThat(ask(ports.get(1), "DELETE", "/sessions/current", "Bearer " + ofMonitor)
                        .statusCode())
                .isEqualTo(204);
        assertProblem(ask(ports.get(0), "GET", "/nodes", "Bearer " + ofMonitor), 401, "not-authenticated");
    }

    @Test
    void newPasswordsRolesAndUsersCountAtOnceAndEndWhatWasBegunBefore() throws Exception {
        String alice = basic("alice", "alice's");
        String tokenOfAlice = token(alice);
        String tokenOfRoot = token(basic("root", "the password"));
        users.take(List.of(
                plain("root", ApiUser.Role.ROOT, "another"),
                MONITOR,
                new ApiUser("alice", ApiUser.Role.MONITOR, ALICE.secret())));
        int port = ports.getFirst();
        assertThat(status(port, basic("root", "the password"))).isEqualTo(401);
        assertThat(status(port, basic("root", "another"))).isEqualTo(200);
        assertThat(status(port, "Bearer " + tokenOfRoot)).isEqualTo(401);
        assertThat(status(port, "Bearer " + tokenOfAlice)).isEqualTo(401);
        assertThat(status(port, basic("bob", "böb's: ü"))).isEqualTo(401);
        assertProblem(ask(port, "POST", "/nodes/cell-2/promote", alice), 403, "role-not-allowed");

        String still = token(basic("monitor", "reads"));
        users.take(List.of(ROOT, MONITOR));
        assertThat(status(port, "Bearer " + still))
                .as("whoever stays as before")
                .isEqualTo(200);
        assertThat(status(port, alice)).isEqualTo(401);
    }

    @Test
    void aUserThatGoesTakesItsStreamAlong() throws Exception {
        HttpResponse<InputStream> stream = http.send(
                request(ports.getFirst(), "/events")
                        .header("Authorization", basic("bob", "böb's: ü"))
                        .build(),
                HttpResponse.BodyHandlers.ofInputStream());
        assertThat(stream.statusCode()).isEqualTo(200);
        users.take(List.of(ROOT));
        CompletableFuture<byte[]> end = CompletableFuture.supplyAsync(() -> {
            try (InputStream in = stream.body()) {
                return in.readAllBytes();
            } catch (IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        });
        assertThat(end.get(15, TimeUnit.SECONDS)).startsWith(": listening".getBytes());
    }

    @Test
    void whoMayOnlyReadCannotBeginSessionsWithoutEnd() throws Exception {
        users.take(List.of(ROOT, plain("busy", ApiUser.Role.MONITOR, "word")));
        int begun = 0;
        HttpResponse<String> last = null;
        for (int i = 0; i < 120; i++) {
            last = ask(ports.getFirst(), "POST", "/sessions", basic("busy", "word"));
            begun += last.statusCode() == 200 ? 1 : 0;
        }
        assertThat(begun).isBetween(100, 102);
        assertProblem(last, 429, "too-many-sessions");
        assertThat(last.headers().firstValue("Retry-After")).isPresent();
        token(basic("root", "the password"));
    }

    @Test
    void aHashedPasswordIsKnownAgainAtOnce() throws Exception {
        users.take(List.of(
                ROOT,
                new ApiUser(
                        "slow",
                        ApiUser.Role.MONITOR,
                        new ApiUser.Secret.Hash(
                                PasswordHash.of("word", 2_000_000).text()))));
        String slow = basic("slow", "word");
        long start = System.nanoTime();
        assertThat(status(ports.getFirst(), slow)).isEqualTo(200);
        long first = System.nanoTime() - start;
        start = System.nanoTime();
        for (int i = 0; i < 10; i++) {
            assertThat(status(ports.getFirst(), slow)).isEqualTo(200);
        }
        assertThat((System.nanoTime() - start) / 10).isLessThan(first / 5);
    }

    @Test
    void noSecretShows() {
        assertThat(List.of(ROOT, ALICE).toString())
                .doesNotContain("the password")
                .doesNotContain(OPERATOR_HASH);
        assertThat(users.toString() + users.find("root")).doesNotContain("the password");
    }

    private static int status(int port, String credentials) throws Exception {
        return ask(port, "GET", "/nodes", credentials).statusCode();
    }

    private static HttpResponse<String> ask(int port, String verb, String path, String credentials) throws Exception {
        return http.send(
                request(port, path)
                        .header("Authorization", credentials)
                        .method(verb, HttpRequest.BodyPublishers.noBody())
                        .build(),
                HttpResponse.BodyHandlers.ofString());
    }

    private static String token(String credentials) throws Exception {
        return new ObjectMapper()
                .readTree(
                        ask(ports.getFirst(), "POST", "/sessions", credentials).body())
                .get("token")
                .asText();
    }
}
