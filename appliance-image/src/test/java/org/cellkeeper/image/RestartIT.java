package org.cellkeeper.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.cellkeeper.testing.CellCluster;
import org.cellkeeper.testing.CellCluster.Mode;
import org.cellkeeper.testing.Patience;
import org.cellkeeper.testing.Writer;
import org.junit.jupiter.api.Test;

/** Three cells in automatic mode; containers are restarted, one or all. */
final class RestartIT extends Scenario {
    RestartIT(CellCluster cells) {
        super(cells, Mode.AUTOMATIC);
    }

    @Test
    void aRestartedPrimaryHandsOverAndComesBackAsAStandby() {
        String old = cells.primary();
        try (Writer writer = cells.writer()) {
            long before = System.nanoTime();
            cells.restart(old);
            cells.awaitHealth("HEALTHY", SOON);
            String next = cells.primary();
            writer.awaitRow(SOON);
            saidGap(old + " restarted, " + next + " took over", writer, before);
            assertThat(next).isNotEqualTo(old);
            // Handed over, not lost and elected.
            assertNoBallotWasOpened();
            // Nobody removed it: it was never halted.
            assertThat(cells.node(old).state()).isEqualTo("STREAMING");
            assertNothingLost(writer);
        }
    }

    @Test
    void eachCellStopsWithinTenSecondsAndNothingIsLost() {
        List<String> all = new ArrayList<>(cells.standbys());
        all.add(cells.primary());
        try (Writer writer = cells.writer()) {
            for (String cell : all) {
                long before = System.nanoTime();
                Duration taken = cells.stop(cell);
                writer.awaitRow(SOON);
                saidGap(cell + " stopped in " + taken.toMillis() + " ms", writer, before);
                long begun = System.nanoTime();
                cells.start(cell);
                cells.awaitHealth("HEALTHY", SOON);
                said(cell + " started, and the cluster healthy, in " + (System.nanoTime() - begun) / 1_000_000 + " ms");
            }
            assertNoBallotWasOpened();
            assertNothingLost(writer);
        }
    }

    /** PostgreSQL keeps some for the app: from version 16 on it can. */
    @Test
    void clientsThatHaveAllConnectionsLeaveTheAppItsOwn() throws Exception {
        String primary = cells.primary();
        List<Connection> crowd = new ArrayList<>();
        try {
            assertThatThrownBy(() -> {
                        for (int client = 0; client < 1000; client++) {
                            crowd.add(DriverManager.getConnection(
                                    cells.jdbcUrl(primary), cells.user(), cells.password()));
                        }
                    })
                    .isInstanceOf(SQLException.class)
                    .hasMessageContaining("reserved");
            cells.execute(primary, "sh", "-c", "kill -9 $(cut --delimiter=' ' --fields=1 /var/lib/cell/run/agent.pid)");
            Patience.await("the app of " + primary + " is back", SOON, () -> {
                try {
                    return cells.api()
                                    .registeredCells(cells.apiOf(primary))
                                    .values()
                                    .isEmpty()
                            ? "no cell"
                            : null;
                } catch (RuntimeException e) {
                    return String.valueOf(e.getMessage());
                }
            });
            assertThat(cells.primary()).isEqualTo(primary);
        } finally {
            for (Connection client : crowd) {
                client.close();
            }
        }
    }

    @Test
    void allCellsRestartedAtOnceComeBackAsTheyWere() {
        String primary = cells.primary();
        long epoch = cells.nodes().epoch();
        List<String> all = cells.cells();
        try (Writer writer = cells.writer()) {
            long before = System.nanoTime();
            CellCluster.together(all.stream()
                    .map(cell -> (Runnable) () -> cells.restart(cell))
                    .toArray(Runnable[]::new));
            cells.awaitHealth("HEALTHY", SOON);
            writer.awaitRow(SOON);
            saidGap("all restarted", writer, before);
            assertThat(cells.primary()).isEqualTo(primary);
            assertThat(cells.nodes().epoch()).isEqualTo(epoch);
            assertNothingLost(writer);
        }
    }

    @Test
    void allCellsKilledAtOnceComeBackAsTheyWere() {
        String primary = cells.primary();
        long epoch = cells.nodes().epoch();
        List<String> all = cells.cells();
        try (Writer writer = cells.writer()) {
            long before = System.nanoTime();
            CellCluster.together(
                    all.stream().map(cell -> (Runnable) () -> cells.kill(cell)).toArray(Runnable[]::new));
            all.forEach(cells::start);
            cells.awaitHealth("HEALTHY", SOON);
            writer.awaitRow(SOON);
            saidGap("all killed and started", writer, before);
            assertThat(cells.primary()).isEqualTo(primary);
            assertThat(cells.nodes().epoch()).isEqualTo(epoch);
            assertNothingLost(writer);
        }
    }
}
