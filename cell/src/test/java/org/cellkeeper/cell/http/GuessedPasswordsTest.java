package org.cellkeeper.cell.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.cellkeeper.cell.http.RawRequests.assertProblem;
import static org.cellkeeper.cell.http.RawRequests.authorized;
import static org.cellkeeper.cell.http.RawRequests.basic;
import static org.cellkeeper.cell.http.RawRequests.request;

import java.io.IOException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.cellkeeper.cell.FreePort;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What becomes of strangers who try one password after the other, and of those who know theirs meanwhile. */
final class GuessedPasswordsTest {
    private static final String PASSWORD = "the password";

    /** In place of a status: the connection was closed, as one of too many on which nobody has shown who he is. */
    private static final int SENT_AWAY = 0;

    @TempDir
    Path directory;

    private final List<HttpClient> clients = new ArrayList<>();
    private int port;
    private ApplianceApi api;

    @BeforeEach
    void start() throws IOException {
        port = FreePort.find();
        api = ApiAlone.start(ApiAlone.settings(directory, port, PASSWORD), new FakeOperator());
    }

    @AfterEach
    void stop() {
        clients.forEach(HttpClient::shutdownNow);
        api.close();
    }

    @Test
    void tenThousandGuessesFromOneAddressComeToAFewAndKeepNobodyElseOut() throws Exception {
        HttpClient stranger = from("127.0.2.1");
        HttpClient operator = from("127.0.2.2");
        TreeMap<Integer, Integer> answers = new TreeMap<>();
        long start = System.nanoTime();
        for (int round = 0; round < 100; round++) {
            List<CompletableFuture<HttpResponse<String>>> sent = new ArrayList<>();
            for (int i = 0; i < 100; i++) {
                String user = i % 2 == 0 ? "root" : "user" + round + "-" + i;
                sent.add(stranger.sendAsync(
                        request(port, "/nodes")
                                .header("Authorization", basic(user, "guess" + round + "-" + i))
                                .build(),
                        HttpResponse.BodyHandlers.ofString()));
            }
            for (CompletableFuture<HttpResponse<String>> each : sent) {
                HttpResponse<String> answer;
                try {
                    answer = each.get(20, TimeUnit.SECONDS);
                } catch (ExecutionException e) {
                    assertThat(e).hasCauseInstanceOf(IOException.class);
                    answers.merge(SENT_AWAY, 1, Integer::sum);
                    continue;
                }
                answers.merge(answer.statusCode(), 1, Integer::sum);
                if (answer.statusCode() == 429) {
                    long wait = Long.parseLong(
                            answer.headers().firstValue("Retry-After").orElseThrow());
                    assertThat(wait).isBetween(1L, 60L);
                }
            }
            if (round % 10 == 0) {
                assertThat(status(operator, PASSWORD)).isEqualTo(200);
            }
        }
        Duration took = Duration.ofNanos(System.nanoTime() - start);
        System.out.println("10,000 guesses took " + took + " and were answered " + answers);
        assertThat(answers.keySet()).contains(429).isSubsetOf(401, 429, SENT_AWAY);
        assertThat(answers.get(401)).as("passwords that were looked at").isLessThan(40);
        assertThat(took).isLessThan(Duration.ofMinutes(2));
        assertThat(status(operator, PASSWORD)).isEqualTo(200);
    }

    @Test
    void evenTheRightPasswordWaitsAfterTooManyWrongOnesAndIsTakenThen() throws Exception {
        HttpClient guesser = from("127.0.3.1");
        String token = token(guesser);
        for (int i = 0; i < 5; i++) {
            assertThat(status(guesser, "guess" + i)).isEqualTo(401);
        }
        HttpResponse<String> answer = get(guesser, PASSWORD);
        assertProblem(answer, 429, "too-many-attempts");
        assertThat(answer.headers().firstValue("Retry-After")).hasValue("1");
        assertThat(guesser.send(
                                request(port, "/nodes")
                                        .header("Authorization", "Bearer " + token)
                                        .build(),
                                HttpResponse.BodyHandlers.ofString())
                        .statusCode())
                .as("a token cannot be guessed")
                .isEqualTo(200);
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        int status = 429;
        while (status == 429 && System.nanoTime() < until) {
            CompletableFuture.runAsync(() -> {}, CompletableFuture.delayedExecutor(100, TimeUnit.MILLISECONDS))
                    .join();
            status = status(guesser, PASSWORD);
        }
        assertThat(status).isEqualTo(200);
        assertThat(status(guesser, "guess")).isEqualTo(401);
        assertThat(status(guesser, PASSWORD))
                .as("a right one in between undoes nothing")
                .isEqualTo(429);
    }

    @Test
    void guessesFromManyAddressesKeepNoOperatorOut() throws Exception {
        for (int i = 1; i <= 150; i++) {
            HttpClient stranger = from("127.0.4." + i);
            assertThat(status(stranger, "guess")).isEqualTo(401);
            stranger.shutdownNow();
        }
        assertThat(status(from("127.0.5.1"), PASSWORD)).isEqualTo(200);
        // Each second one guess more is looked at calmly: that may be one of these.
        int waits = 0;
        for (int i = 2; i <= 6; i++) {
            HttpClient late = from("127.0.5." + i);
            assertThat(status(late, "guess")).isEqualTo(401);
            HttpResponse<String> second = get(late, "guess");
            if (second.statusCode() == 429
                    && Integer.parseInt(
                                    second.headers().firstValue("Retry-After").orElseThrow())
                            > 50) {
                waits++;
            }
        }
        assertThat(waits)
                .as("a user that many guess at is guarded more closely")
                .isGreaterThanOrEqualTo(3);
    }

    private HttpClient from(String address) {
        HttpClient client = RawRequests.client(address);
        clients.add(client);
        return client;
    }

    private int status(HttpClient client, String password) throws Exception {
        return get(client, password).statusCode();
    }

    private HttpResponse<String> get(HttpClient client, String password) throws Exception {
        return client.send(authorized(port, "/nodes", password).build(), HttpResponse.BodyHandlers.ofString());
    }

    private String token(HttpClient client) throws Exception {
        HttpRequest request = authorized(port, "/sessions", PASSWORD)
                .POST(HttpRequest.BodyPublishers.noBody())
                .build();
        return client.send(request, HttpResponse.BodyHandlers.ofString())
                .headers()
                .firstValue("X-VMWARE-VCLOUD-ACCESS-TOKEN")
                .orElseThrow();
    }
}
