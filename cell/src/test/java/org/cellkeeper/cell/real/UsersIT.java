package org.cellkeeper.cell.real;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.cellkeeper.api.ApplianceClient;
import org.cellkeeper.api.AuditEntry;
import org.cellkeeper.api.AuditPage;
import org.cellkeeper.api.Trust;
import org.cellkeeper.cell.wire.PasswordHash;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.extension.ExtendWith;

/** Users of the API that come and go while the cells run, and strangers who guess. */
@Tag("cells")
@ExtendWith(Labs.class)
final class UsersIT {
    private static final Duration TAKEN_UP = Duration.ofSeconds(6);

    private final RealCells cells;
    private final Requests requests = new Requests("127.1.2.1");
    private final AtomicInteger polls = new AtomicInteger();
    private final Map<Path, byte[]> before = new HashMap<>();

    UsersIT(RealCells cells) {
        this.cells = cells;
    }

    @BeforeEach
    void allCellsTakePart(TestInfo test) throws IOException {
        System.out.println(test.getDisplayName());
        cells.restore(true);
        for (String cell : cells.cells()) {
            before.put(yaml(cell), Files.readAllBytes(yaml(cell)));
        }
    }

    @AfterEach
    void mend() throws IOException {
        requests.close();
        for (Map.Entry<Path, byte[]> file : before.entrySet()) {
            Files.write(file.getKey(), file.getValue());
        }
        awaitWarnings("no warning is left", "");
    }

    private Path yaml(String cell) {
        return cells.folder().resolve(cell).resolve("cell.yaml");
    }

    private Map<String, Integer> statuses(String verb, String path, String credentials) {
        return statuses(requests, verb, path, credentials);
    }

    private Map<String, Integer> statuses(Requests from, String verb, String path, String credentials) {
        Map<String, Integer> all = new TreeMap<>();
        for (String cell : cells.cells()) {
            try {
                all.put(
                        cell,
                        from.send(verb, cells.api(cell).resolve("/api/1.0.0" + path), credentials)
                                .status());
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        return all;
    }

    private void awaitAllAnswer(int status, String credentials) {
        Patience.await("all answer " + status, TAKEN_UP, () -> {
            Map<String, Integer> all;
            // Who asks before a password is taken up, or after it was, guesses.
            try (Requests once = new Requests("127.1.3." + polls.incrementAndGet() % 250)) {
                all = statuses(once, "GET", "/nodes", credentials);
            }
            return List.copyOf(all.values()).stream().allMatch(one -> one == status) ? null : all.toString();
        });
    }

    private void awaitWarnings(String what, String words) {
        Patience.await(what, Duration.ofSeconds(10), () -> {
            String told = String.join("\n", cells.nodes().warnings());
            return words.isEmpty() ? (told.isEmpty() ? null : told) : told.contains(words) ? null : told;
        });
    }

    @Test
    void usersAreTakenUpAndLetGoWithoutARestart() throws IOException {
        Map<String, Long> agents = new TreeMap<>();
        cells.cells().forEach(cell -> agents.put(cell, cells.agent(cell)));
        Path monitor = Files.writeString(cells.folder().resolve("monitor.password"), "reads only\n");
        String hash = PasswordHash.of("alice's", 100_000).text();
        Path users = Files.writeString(cells.folder().resolve("users"), "alice:root:" + hash + "\n");
        for (String cell : cells.cells()) {
            Files.writeString(
                    yaml(cell),
                    Files.readString(yaml(cell))
                            .replace(
                                    "security:\n",
                                    "security:\n  monitor-password-file: \"" + monitor + "\"\n  users-file: \"" + users
                                            + "\"\n"));
        }
        String alice = Requests.basic("alice", "alice's");
        String reader = Requests.basic("monitor", "reads only");
        awaitAllAnswer(200, reader);
        awaitAllAnswer(200, alice);
        assertThat(statuses("GET", "/metrics", reader).values()).containsOnly(200);
        assertThat(statuses("POST", "/nodes/failover/manual", reader).values()).containsOnly(403);
        assertThat(statuses("GET", "/audit", reader).values()).containsOnly(403);
        assertThat(statuses("POST", "/nodes/failover/automatic", alice).values())
                .containsOnly(202);

        Files.writeString(users, "alice:root:plain\n");
        awaitWarnings("what is wrong is told", users + " line 1: the hash is none");
        assertThat(statuses("GET", "/nodes", alice).values()).as("as before").containsOnly(200);
        Files.writeString(users, "# nobody\n");
        awaitAllAnswer(401, alice);
        assertThat(statuses("GET", "/nodes", reader).values()).containsOnly(200);
        cells.cells().forEach(cell -> assertThat(cells.agent(cell)).isEqualTo(agents.get(cell)));
    }

    @Test
    void whoGuessesIsSlowedAtEachCellAndNotedAndKeepsNobodyOut() throws IOException {
        String target = cells.cells().getLast();
        URI nodes = cells.api(target).resolve("/api/1.0.0/nodes");
        Map<Integer, Integer> answers = new TreeMap<>();
        try (Requests stranger = new Requests("127.1.2.2")) {
            for (int i = 0; i < 1000; i++) {
                answers.merge(
                        stranger.send("GET", nodes, Requests.basic("root", "guess" + i))
                                .status(),
                        1,
                        Integer::sum);
            }
        }
        System.out.println("  1,000 guesses were answered " + answers);
        assertThat(answers.keySet()).containsOnly(401, 429);
        assertThat(answers.get(401)).isLessThan(20);
        try (ApplianceClient client =
                new ApplianceClient(List.of(cells.api(target)), "root", cells.secret("root.password"), Trust.all())) {
            AuditPage page = client.audit(null, 100);
            assertThat(page.cell()).isEqualTo(target);
            assertThat(page.entries().stream()
                            .filter(entry -> entry.address().equals("127.1.2.2"))
                            .mapToLong(AuditEntry::count)
                            .sum())
                    .isEqualTo(1000);
        }
    }
}
