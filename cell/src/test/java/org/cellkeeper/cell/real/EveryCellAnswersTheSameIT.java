package org.cellkeeper.cell.real;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.cellkeeper.cell.real.Contract.Operation;
import org.cellkeeper.cell.real.Requests.Answer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.extension.ExtendWith;

/** Every path and verb of the contract, with every kind of credentials and of mistakes, at each of three cells. */
@Tag("cells")
@ExtendWith(Labs.class)
final class EveryCellAnswersTheSameIT {
    /** Of a node, what moves while one looks, or is told as the cell that was asked measured it. */
    private static final List<String> VOLATILE = List.of("lsn", "lagBytes", "lagMillis", "details", "failover");

    private static final byte[] NOTHING = {};
    private static final byte[] NO_JSON = "{\"acceptDataLoss\":".getBytes(StandardCharsets.UTF_8);
    private static final byte[] UNKNOWN_MEMBER = "{\"wish\":1}".getBytes(StandardCharsets.UTF_8);
    private static final byte[] TOO_LARGE = "x".repeat(70_000).getBytes(StandardCharsets.UTF_8);

    private final RealCells cells;
    private final Requests requests = new Requests();
    private final Contract contract;
    private final String right;
    private final AtomicInteger strangers = new AtomicInteger();

    EveryCellAnswersTheSameIT(RealCells cells) throws IOException {
        this.cells = cells;
        this.contract = Contract.read();
        this.right = Requests.basic("root", cells.secret("root.password"));
    }

    @BeforeEach
    void allCellsTakePart(TestInfo test) {
        System.out.println(test.getDisplayName());
        cells.restore(true);
    }

    @AfterEach
    void hangUp() {
        requests.close();
    }

    /** Without those whose very status tells one cell from another. */
    private List<Operation> operations() {
        return contract.operations().stream()
                .filter(operation -> !operation.path().endsWith("/primary")
                        && !operation.path().endsWith("/standby"))
                .toList();
    }

    @Test
    void whateverTheCredentialsAre() throws IOException {
        String token = logIn("cell-1");
        String ended = logIn("cell-3");
        assertThat(requests.send("DELETE", at("cell-2", "/api/1.0.0/sessions/current"), "Bearer " + ended)
                        .status())
                .isEqualTo(204);
        for (String cell : cells.cells()) {
            Patience.await(cell + " knows that the session was ended", Duration.ofSeconds(5), () -> {
                int status = status("GET", at(cell, "/api/1.0.0/nodes"), "Bearer " + ended);
                return status == 401 ? null : "it answers " + status;
            });
        }
        String forged = token.substring(0, token.length() - 4) + "AAAA";
        for (Operation operation : operations()) {
            String path = harmless(operation, "cell-2");
            for (String wrong : new String[] {
                null,
                "",
                "Basic",
                "Basic !!!",
                "Digest x",
                Requests.basic("root", "wrong"),
                Requests.basic("admin", cells.secret("root.password")),
                "Bearer " + ended,
                "Bearer " + forged,
                "Bearer nonsense"
            }) {
                Answer answer;
                // Who guesses on is not answered any more at its address.
                try (Requests stranger = new Requests("127.1.1." + strangers.incrementAndGet() % 250)) {
                    answer = everywhere(stranger, operation.verb(), path, wrong, NOTHING);
                }
                if (!operation.open()) {
                    assertThat(answer.status()).as(operation + " " + wrong).isEqualTo(401);
                    assertThat(answer.code()).isEqualTo("not-authenticated");
                    assertThat(answer.headers().firstValue("WWW-Authenticate")).isPresent();
                }
            }
            // A token of cell-1 is as good at every other one.
            for (String good : List.of(right, "Bearer " + token)) {
                Answer answer = everywhere(operation.verb(), path, good, NOTHING);
                boolean session = operation.path().endsWith("/sessions");
                assertThat(answer.status() == 401)
                        .as(operation + " with good credentials: " + answer.body())
                        .isEqualTo(session && good.startsWith("Bearer"));
                assertThat(operation.statuses()).as(operation.toString()).contains(answer.status());
            }
        }
    }

    @Test
    void whateverTheMistakeIs() throws IOException {
        for (Operation operation : operations()) {
            for (String name : List.of("cell-1", "no-such-cell", "Not%20a%20name", "vpostgres")) {
                Answer answer = everywhere(operation.verb(), harmless(operation, name), right, NOTHING);
                assertThat(operation.statuses())
                        .as(operation + " of " + name + ": " + answer.body())
                        .contains(answer.status());
            }
            if (operation.writes()) {
                assertThat(operation.dryRun()).as(operation + " has dryRun").isTrue();
                String path = harmless(operation, "cell-1");
                problem(everywhere(operation.verb(), path, right, TOO_LARGE), 413, operation);
                Answer noJson = everywhere(operation.verb(), path, right, NO_JSON);
                problem(noJson, 400, operation);
                problem(everywhere(operation.verb(), path, right, UNKNOWN_MEMBER), 400, operation);
            } else if (!operation.path().endsWith("/events")) {
                Answer head = everywhere("HEAD", harmless(operation, "cell-1"), right, NOTHING);
                Answer get = everywhere("GET", harmless(operation, "cell-1"), right, NOTHING);
                assertThat(head.status()).as("HEAD " + operation.path()).isEqualTo(get.status());
                assertThat(head.body()).isEmpty();
            }
        }
        for (String path : contract.paths()) {
            for (String verb : contract.wrongVerbs(path)) {
                Answer answer = everywhere(verb, fill(path, "cell-1"), right, NOTHING);
                assertThat(answer.status()).as(verb + " " + path).isEqualTo(405);
                assertThat(answer.code()).isEqualTo("method-not-allowed");
                assertThat(answer.headers().firstValue("Allow")).isPresent();
            }
        }
        for (String path : List.of("/", "/api", "/api/1.0.0", "/api/2.0.0/nodes", "/api/1.0.0/nodes/cell-1/eject")) {
            assertThat(everywhere("GET", path, right, NOTHING).status())
                    .as(path)
                    .isEqualTo(404);
        }
        for (String bad : List.of(
                "/api/1.0.0/history?limit=0",
                "/api/1.0.0/history?limit=x",
                "/api/1.0.0/history?before=x",
                "/cloudapi/1.0.0/cells?page=0",
                "/cloudapi/1.0.0/cells?pageSize=129")) {
            assertThat(everywhere("GET", bad, right, NOTHING).status()).as(bad).isEqualTo(400);
        }
    }

    @Test
    void whatTheyTellOfTheClusterIsTheSameToTheLetter() throws IOException {
        cells.succeeds(cells.client().setMode(false), Duration.ofSeconds(20));
        cells.succeeds(cells.client().setMode(true), Duration.ofSeconds(20));
        String task = cells.client().tasks().getFirst().id();
        for (String path : List.of(
                "/api/1.0.0/nodes",
                "/api/1.0.0/tasks",
                "/api/1.0.0/tasks/" + task,
                "/api/1.0.0/history?limit=20",
                "/api/1.0.0/history?limit=20&before=2100-01-01T00:00:00Z",
                "/cloudapi/1.0.0/cells",
                "/cloudapi/1.0.0/cells?page=2&pageSize=2",
                "/api/1.0.0/version",
                "/api/1.0.0/openapi.yaml")) {
            Patience.await("all cells say the same at " + path, Duration.ofSeconds(30), () -> {
                Map<String, String> said = new TreeMap<>();
                for (String cell : cells.cells()) {
                    said.put(cell, steady(body(cell, path)));
                }
                return said.values().stream().distinct().count() == 1 ? null : said.toString();
            });
        }
    }

    @Test
    void whatIsRefusedIsRefusedByAllForTheSameReason() throws IOException {
        String primary = cells.primary();
        String standby = cells.standbys().getFirst();
        Map<String, String> refused = new LinkedHashMap<>();
        refused.put("/api/1.0.0/nodes/" + standby + "/promote", "POST");
        refused.put("/api/1.0.0/nodes/" + standby + "/deploy", "POST");
        refused.put("/api/1.0.0/nodes/" + primary + "/switchover", "POST");
        refused.put("/api/1.0.0/nodes/" + primary, "DELETE");
        refused.put("/api/1.0.0/nodes/" + standby, "DELETE");
        for (Map.Entry<String, String> request : refused.entrySet()) {
            Answer answer = everywhere(request.getValue(), request.getKey(), right, NOTHING);
            assertThat(answer.status()).as(request + ": " + answer.body()).isEqualTo(409);
            assertThat(answer.code()).isNotEmpty();
            assertThat(answer.json().path("detail").asText()).isNotEmpty();
        }
        assertThat(cells.nodes().localClusterHealth()).isEqualTo("HEALTHY");
        assertThat(cells.primary()).isEqualTo(primary);
    }

    // ---- tools

    private static void problem(Answer answer, int status, Operation operation) {
        assertThat(answer.status()).as(operation + ": " + answer.body()).isEqualTo(status);
        assertThat(answer.code()).as(operation.toString()).isNotEmpty();
        assertThat(answer.json().path("status").asInt()).isEqualTo(status);
    }

    /** Asks all cells; they must agree on status, kind and code. The answer of the first. */
    private Answer everywhere(String verb, String path, @Nullable String authorization, byte[] body)
            throws IOException {
        return everywhere(requests, verb, path, authorization, body);
    }

    private Answer everywhere(Requests from, String verb, String path, @Nullable String authorization, byte[] body)
            throws IOException {
        Map<String, Answer> answers = new TreeMap<>();
        for (String cell : cells.cells()) {
            answers.put(cell, from.sendPatiently(verb, at(cell, path), authorization, body));
        }
        assertThat(answers.values().stream()
                        .map(answer -> answer.status() + " " + answer.type() + " " + answer.code())
                        .distinct())
                .as(verb + " " + path + " at all cells: " + answers)
                .hasSize(1);
        assertThat(answers.values()).noneMatch(Answer::showsItsInside);
        return answers.get("cell-1");
    }

    private URI at(String cell, String path) {
        return cells.api(cell).resolve(path);
    }

    private int status(String verb, URI uri, String authorization) {
        try {
            return requests.send(verb, uri, authorization).status();
        } catch (IOException e) {
            return 0;
        }
    }

    private JsonNode body(String cell, String path) {
        try {
            Answer answer = requests.send("GET", at(cell, path), right);
            assertThat(answer.status()).as(path).isEqualTo(200);
            return path.endsWith(".yaml") ? new TextNode(answer.body()) : answer.json();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String steady(JsonNode body) {
        body.path("localClusterState").forEach(node -> ((ObjectNode) node).remove(VOLATILE));
        return body.toString();
    }

    private String logIn(String cell) throws IOException {
        return requests.send("POST", at(cell, "/api/1.0.0/sessions"), right)
                .json()
                .path("token")
                .asText();
    }

    private static String harmless(Operation operation, String name) {
        return fill(operation.path(), name) + (operation.dryRun() ? "?dryRun=true" : "");
    }

    private static String fill(String path, String name) {
        return path.replace("{mode}", name.equals("no-such-cell") ? "sometimes" : "automatic")
                .replaceAll("\\{[a-z]+}", name);
    }
}
