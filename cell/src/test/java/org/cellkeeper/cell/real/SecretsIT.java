package org.cellkeeper.cell.real;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.extension.ExtendWith;

/** What no log may hold, whoever writes it: agent, guard, ZooKeeper server, PostgreSQL. */
@Tag("cells")
@ExtendWith(Labs.class)
final class SecretsIT {
    private final RealCells cells;

    SecretsIT(RealCells cells) {
        this.cells = cells;
    }

    @BeforeEach
    void allCellsTakePart(TestInfo test) {
        System.out.println(test.getDisplayName());
        cells.restore(true);
    }

    @Test
    void noLogHoldsASecretAfterAllThatUsesThem() throws IOException {
        Map<String, String> secrets = new LinkedHashMap<>();
        secrets.put("password of root", cells.secret("root.password"));
        secrets.put("password of vcloud", cells.secret("vcloud.password"));
        secrets.put("secret of the cluster", cells.secret("cluster.secret"));
        String basic = Requests.basic("root", cells.secret("root.password"));
        secrets.put("password of root, encoded", basic.substring("Basic ".length()));
        String mistyped = "mistyped-" + System.nanoTime();
        secrets.put("a mistyped password", mistyped);
        secrets.put(
                "a mistyped password, encoded", Requests.basic("root", mistyped).substring("Basic ".length()));
        try (Requests requests = new Requests()) {
            for (String cell : cells.cells()) {
                URI sessions = cells.api(cell).resolve("/api/1.0.0/sessions");
                String token = requests.send("POST", sessions, basic)
                        .json()
                        .path("token")
                        .asText();
                secrets.put("token of " + cell, token);
                URI nodes = cells.api(cell).resolve("/api/1.0.0/nodes");
                requests.send("GET", nodes, "Bearer " + token);
                requests.send("GET", nodes, "Bearer " + token + "x");
                requests.send("GET", nodes, Requests.basic("root", mistyped));
                URI current = cells.api(cell).resolve("/api/1.0.0/sessions/current");
                requests.send("DELETE", current, "Bearer " + token, token.getBytes(StandardCharsets.UTF_8));
                requests.send("DELETE", current, "Bearer " + token);
            }
        }
        // New upstreams, a clone, and peers that meet anew.
        String old = cells.primary();
        cells.kill(old);
        cells.awaitOtherPrimary(old, Duration.ofSeconds(10));
        cells.restore(true);

        List<Path> logs = logs();
        List<String> found = new ArrayList<>();
        for (Path log : logs) {
            String text = new String(Files.readAllBytes(log), StandardCharsets.ISO_8859_1);
            secrets.forEach((name, secret) -> {
                if (text.contains(secret)) {
                    found.add("the " + name + " is in " + log);
                }
            });
        }
        assertThat(secrets.values()).allSatisfy(secret -> assertThat(secret).hasSizeGreaterThan(8));
        assertThat(found).isEmpty();
    }

    /** Of each cell: the one log of guard, agent and ZooKeeper server, and those of PostgreSQL. */
    private List<Path> logs() throws IOException {
        List<Path> all = new ArrayList<>();
        for (String cell : cells.cells()) {
            Path folder = cells.folder().resolve(cell);
            String said = Files.readString(folder.resolve("log"));
            assertThat(said).as("the log of " + cell).contains(" guard: ").contains("appliance API at");
            all.add(folder.resolve("log"));
            try (Stream<Path> files = Files.list(folder.resolve("data/api/audit"))) {
                files.forEach(all::add);
            }
            int before = all.size();
            try (Stream<Path> files = Files.walk(folder.resolve("data/postgres/run/log"))) {
                files.filter(file -> file.getFileName().toString().endsWith(".log") && Files.isRegularFile(file))
                        .forEach(all::add);
            }
            assertThat(all).as("logs of PostgreSQL at " + cell).hasSizeGreaterThan(before);
        }
        return all;
    }
}
