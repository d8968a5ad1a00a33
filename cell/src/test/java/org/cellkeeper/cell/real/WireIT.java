package org.cellkeeper.cell.real;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.cellkeeper.api.ApplianceClient.Request;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What can be read on the way, at every port of every cell, while all is done that a cluster does. */
@Tag("cells")
@ExtendWith(Labs.class)
final class WireIT {
    private static final Duration SOON = Duration.ofSeconds(60);
    private static final int POSTGRES = 5432;
    private static final byte TLS_HANDSHAKE = 0x16;
    private static final byte[] WANTS_TLS = {0, 0, 0, 8, 4, (byte) 0xd2, 0x16, 0x2f};

    private final RealCells cells;
    private final String mark = "mark" + System.nanoTime();

    WireIT(RealCells cells) {
        this.cells = cells;
    }

    @BeforeEach
    void allCellsTakePart(TestInfo test) {
        System.out.println(test.getDisplayName());
        assumeThat(Wire.canBeSeen())
                .as("tcpdump is installed (package tcpdump), and this is root: else nothing can be seen of the wire")
                .isTrue();
        cells.restore(true);
    }

    /** Without encryption all of it is found but what is never sent: so it would be found here, too. */
    @ParameterizedTest
    @ValueSource(strings = {"required", "off"})
    void whatIsSaidBetweenCellsAndClientsIsReadableWhereNothingIsEncryptedAlone(String encryption) throws Exception {
        boolean off = encryption.equals("off");
        if (off) {
            cells.takePlaintext(true);
            restartAll("off");
            cells.awaitHealth("HEALTHY", SOON);
        }
        execute("DROP TABLE IF EXISTS marks");
        execute("CREATE TABLE marks AS SELECT '" + mark + "-cloned'::text AS words");
        String standby = cells.standbys().getFirst();
        List<Wire.Flow> flows;
        String token;
        try (Wire wire = new Wire(cells.host("cell-1").replaceAll("\\.[0-9]+$", ""), cells.folder());
                Requests requests = new Requests()) {
            execute("INSERT INTO marks VALUES ('" + mark + "-written')");
            execute("SELECT words FROM marks");
            cells.succeeds(cells.client().remove(standby, true), SOON);
            cells.succeeds(cells.client().deploy(standby), SOON);
            cells.succeeds(cells.client().submit(new Request.Backup(false)), SOON);
            URI api = cells.api(standby);
            token = requests.send(
                            "POST",
                            api.resolve("/api/1.0.0/sessions"),
                            Requests.basic("root", cells.secret("root.password")))
                    .json()
                    .path("token")
                    .asText();
            requests.send("GET", api.resolve("/api/1.0.0/nodes"), "Bearer " + token);
            cells.kill(standby, RealCells.Part.ZOOKEEPER);
            cells.killAgents(List.of(standby), SOON);
            cells.start(standby);
            cells.awaitHealth("HEALTHY", SOON);
            flows = wire.flows();
        }
        for (int port : Crowd.PORTS) {
            assertThat(flows).as("port " + port + " was seen").anyMatch(flow -> flow.to() == port);
        }
        Map<String, String> words = new LinkedHashMap<>();
        words.put("a row that is written", mark + "-written");
        words.put("a row that is cloned", mark + "-cloned");
        words.put("a statement", "INSERT INTO marks");
        words.put("a role", "replicator");
        words.put("the state of the cluster", "\"epoch\":");
        words.put("a task", "\"operation\"");
        words.put("how a password is proved", "SCRAM-SHA-256");
        words.put("the secret of the cluster", cells.secret("cluster.secret"));
        Map<String, String> never = new LinkedHashMap<>();
        never.put("the password of root", cells.secret("root.password"));
        never.put(
                "the password of root, encoded",
                Requests.basic("root", cells.secret("root.password")).substring("Basic ".length()));
        never.put("the password of vcloud", cells.secret("vcloud.password"));
        never.put("a token", token);
        List<String> found = found(words, flows);
        System.out.println("  " + flows.size() + " flows, "
                + flows.stream().mapToLong(flow -> flow.bytes().length).sum() + " bytes; found " + found);
        assertThat(found(never, flows)).isEmpty();
        if (off) {
            assertThat(found).contains("a row that is written", "a row that is cloned", "a statement", "a role");
            assertThat(found).contains("the state of the cluster", "how a password is proved");
        } else {
            assertThat(found).isEmpty();
            assertThat(flows)
                    .filteredOn(flow -> Crowd.PORTS.contains(flow.to()) && flow.seenFromItsBegin())
                    .hasSizeGreaterThan(Crowd.PORTS.size())
                    .allSatisfy(WireIT::assertBeginsWithTls);
        }
    }

    private static List<String> found(Map<String, String> words, List<Wire.Flow> flows) {
        List<String> found = new ArrayList<>();
        words.forEach((name, text) -> {
            if (flows.stream().anyMatch(flow -> flow.has(text))) {
                found.add(name);
            }
        });
        return found;
    }

    private static void assertBeginsWithTls(Wire.Flow flow) {
        byte[] bytes = flow.bytes();
        if (flow.to() == POSTGRES) {
            assertThat(bytes).as("to PostgreSQL").startsWith(WANTS_TLS);
            assertThat(bytes.length == WANTS_TLS.length || bytes[WANTS_TLS.length] == TLS_HANDSHAKE)
                    .as("goes on in TLS")
                    .isTrue();
        } else {
            assertThat(bytes[0]).as("the first byte to port " + flow.to()).isEqualTo(TLS_HANDSHAKE);
        }
    }

    private void execute(String sql) throws Exception {
        try (Connection session = cells.connect(Duration.ofSeconds(30));
                Statement statement = session.createStatement()) {
            if (statement.execute(sql)) {
                try (ResultSet rows = statement.getResultSet()) {
                    while (rows.next()) {
                        assertThat(rows.getString(1)).isNotEmpty();
                    }
                }
            }
        }
    }

    @AfterEach
    void restore() throws IOException {
        cells.takePlaintext(false);
        if (!Files.readString(yaml("cell-1")).contains("  encryption: off")) {
            return;
        }
        restartAll("required");
    }

    private Path yaml(String cell) {
        return cells.folder().resolve(cell).resolve("cell.yaml");
    }

    private void restartAll(String encryption) throws IOException {
        for (String cell : cells.cells()) {
            cells.stop(cell);
        }
        for (String cell : cells.cells()) {
            List<String> lines = new ArrayList<>(Files.readAllLines(yaml(cell)));
            lines.removeIf(line -> line.startsWith("  encryption:"));
            lines.add(lines.indexOf("security:") + 1, "  encryption: " + encryption);
            Files.write(yaml(cell), lines);
            cells.start(cell);
        }
    }
}
