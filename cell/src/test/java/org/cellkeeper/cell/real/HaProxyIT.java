package org.cellkeeper.cell.real;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.extension.ExtendWith;

/** The recipe of docs/clients.md, word for word but for its addresses, run by a real HAProxy. */
@Tag("cells")
@ExtendWith(Labs.class)
final class HaProxyIT {
    private static final Duration FAILOVER = Duration.ofSeconds(10);
    private static final int PORT = 5000;

    private final RealCells cells;

    HaProxyIT(RealCells cells) {
        this.cells = cells;
    }

    @BeforeEach
    void allCellsTakePart(TestInfo test) {
        System.out.println(test.getDisplayName());
        cells.restore(true);
    }

    @Test
    void clientsOfOneAddressReachThePrimaryAndAfterItsLossTheNextOne() throws Exception {
        // One address below the cells': nobody else listens there.
        String own = cells.host("cell-0");
        Path configuration = cells.folder().resolve("haproxy.cfg");
        Files.writeString(configuration, recipe(own));
        Path log = cells.folder().resolve("haproxy.log");
        Process haproxy = new ProcessBuilder(program(), "-db", "-f", configuration.toString())
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        try {
            String old = cells.primary();
            Patience.await("HAProxy leads to the primary", Duration.ofSeconds(10), () -> {
                assertThat(haproxy.isAlive())
                        .as(Files.exists(log) ? read(log) : "")
                        .isTrue();
                return leadsTo(own).equals(cells.host(old)) ? null : leadsTo(own);
            });
            write(own);

            cells.kill(old);
            long killed = System.nanoTime();
            Patience.await("a row is taken through HAProxy", FAILOVER, () -> {
                try {
                    write(own);
                    return null;
                } catch (SQLException e) {
                    return e.toString();
                }
            });
            System.out.println("  " + old + " killed; through HAProxy a row was taken after "
                    + (System.nanoTime() - killed) / 1_000_000 + " ms");
            assertThat(leadsTo(own)).isEqualTo(cells.host(cells.primary())).isNotEqualTo(cells.host(old));
        } finally {
            haproxy.destroy();
            assertThat(haproxy.waitFor(10, TimeUnit.SECONDS)).as("HAProxy ends").isTrue();
        }
    }

    /** The indented block that begins with "global", with this lab's addresses. */
    private String recipe(String own) throws IOException {
        List<String> document = Files.readAllLines(cells.projectFolder().resolve("docs/clients.md"));
        int begin = document.indexOf("    global");
        assertThat(begin > 0).as("the recipe is in docs/clients.md").isTrue();
        String text = document.subList(begin, document.size()).stream()
                .takeWhile(line -> line.isEmpty() || line.startsWith("    "))
                .map(line -> line.isEmpty() ? line : line.substring(4))
                .collect(Collectors.joining("\n"))
                .stripTrailing()
                .concat("\n");
        String local = text.replace("bind :" + PORT, "bind " + own + ":" + PORT);
        assertThat(local).isNotEqualTo(text);
        for (String cell : cells.cells()) {
            String there = "server " + cell + " 10.0.0." + cell.substring("cell-".length()) + ":";
            assertThat(local).contains(there);
            local = local.replace(there, "server " + cell + " " + cells.host(cell) + ":");
        }
        return local;
    }

    private static String program() {
        return List.of("/usr/sbin/haproxy", "/usr/local/sbin/haproxy", "/usr/bin/haproxy").stream()
                .filter(file -> Files.isExecutable(Path.of(file)))
                .findFirst()
                .orElseThrow(() -> new AssertionError("haproxy is not installed (package haproxy)"));
    }

    private void write(String own) throws SQLException {
        try (Connection session = cells.connectBy(own + ":" + PORT);
                var statement = session.createStatement()) {
            statement.executeUpdate("INSERT INTO rows (writer, n) VALUES ('haproxy', " + System.nanoTime() + ")");
            assertThat(statement.getWarnings() == null).as("acknowledged").isTrue();
        }
    }

    /** The address of the server that answers there. */
    private String leadsTo(String own) {
        try (Connection session = cells.connectBy(own + ":" + PORT);
                var statement = session.createStatement();
                ResultSet row = statement.executeQuery("SELECT host(inet_server_addr())")) {
            row.next();
            return InetAddress.getByName(row.getString(1)).getHostAddress();
        } catch (SQLException | IOException e) {
            return e.toString();
        }
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            return e.toString();
        }
    }
}
