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
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Three cells in automatic mode; containers are restarted, one or all. */
@Tag("cells")
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

    /** An address is no identity: whoever answers there now may be another cell, and its PostgreSQL as good a copy. */
    @Test
    void cellsThatComeBackAtEachOthersAddressesAreKnownByWhoTheyAre() {
        String primary = cells.primary();
        String standby = cells.standbys().getFirst();
        List<String> all = cells.cells();
        try (Writer writer = cells.writer()) {
            writer.awaitRow(SOON);
            all.forEach(cells::kill);
            cells.exchangeAddresses(primary, standby);
            all.forEach(cells::start);
            cells.awaitHealth("HEALTHY", SOON);
            assertThat(cells.primary()).isEqualTo(primary);
            writer.awaitRow(SOON);
            assertNothingLost(writer);
        }
    }

    @Test
    void aStandbyDoesNotStreamFromAnotherOneAtTheAddressOfTheLostPrimary() {
        String old = cells.primary();
        String other = cells.standbys().getFirst();
        String third = cells.standbys().getLast();
        try (Writer writer = cells.writer()) {
            writer.awaitRow(SOON);
            CellCluster.together(() -> cells.kill(other), () -> cells.kill(old));
            Patience.await(
                    third + " knows that it is alone",
                    SOON,
                    () -> cells.node(third).state().equals("STREAMING") ? cells.summary() : null);
            cells.exchangeAddresses(old, other);
            cells.start(other);
            List<String> streaming = new ArrayList<>();
            Patience.await("the lost primary is replaced", SOON, () -> {
                List<String> primaries = cells.primaries();
                if (primaries.isEmpty() && cells.node(third).state().equals("STREAMING")) {
                    streaming.add(cells.summary());
                }
                return primaries.equals(List.of(other)) || primaries.equals(List.of(third)) ? null : cells.summary();
            });
            writer.awaitRow(SOON);
            said(old + " is lost, " + cells.primary() + " took over");
            assertThat(streaming).as("while there was no primary").isEmpty();
            cells.start(old);
            awaitHalted(old);
            assertNothingLost(writer);
        }
    }
}
