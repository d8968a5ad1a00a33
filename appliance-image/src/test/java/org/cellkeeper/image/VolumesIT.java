package org.cellkeeper.image;

import static org.assertj.core.api.Assertions.assertThat;

import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import org.cellkeeper.testing.CellCluster;
import org.cellkeeper.testing.CellCluster.Mode;
import org.cellkeeper.testing.Patience;
import org.cellkeeper.testing.Writer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.testcontainers.containers.Container.ExecResult;

/** Three cells in automatic mode; volumes are lost or mixed up, and a standby is slow. */
@Tag("cells")
final class VolumesIT extends Scenario {
    private static final long MEGABYTE = 1L << 20;
    /** More than a standby may lag that is to count as caught up. */
    private static final int BULK = 64;

    VolumesIT(CellCluster cells) {
        super(cells, Mode.AUTOMATIC);
    }

    @Test
    void aStandbyWithAnEmptyVolumeJoinsByItself() {
        String standby = cells.standbys().getLast();
        long epoch = cells.nodes().epoch();
        try (Writer writer = cells.writer()) {
            long before = System.nanoTime();
            cells.wipe(standby);
            Patience.await(
                    "it clones",
                    SOON,
                    () -> cells.log(standby).contains("clone the primary") ? null : "it does not: " + cells.summary());
            cells.awaitHealth("HEALTHY", SOON);
            saidGap(standby + " wiped", writer, before);
            assertThat(cells.nodes().epoch()).isEqualTo(epoch);
            assertNothingLost(writer);
            cells.awaitRowsOn(standby, writer);
        }
    }

    @Test
    void aHaltedCellWithAnEmptyVolumeStaysHaltedUntilItIsRemoved() {
        String old = cells.primary();
        try (Writer writer = cells.writer()) {
            cells.kill(old);
            cells.awaitPrimaryOtherThan(old, SOON);
            cells.wipe(old);
            awaitHalted(old);
            cells.restart(old);
            awaitHalted(old);

            cells.succeeds(cells.api().remove(old, false), SOON);
            cells.awaitHealth("HEALTHY", SOON);
            assertThat(cells.node(old).state()).isEqualTo("STREAMING");
            said(old + " is a fresh standby");
            assertNothingLost(writer);
            cells.awaitRowsOn(old, writer);
        }
    }

    @Test
    void aRemovedCellWithAnEmptyVolumeJoinsAsAFreshStandby() {
        String old = cells.primary();
        try (Writer writer = cells.writer()) {
            cells.kill(old);
            cells.awaitPrimaryOtherThan(old, SOON);
            cells.replace(old);
            cells.awaitHealth("HEALTHY", SOON);
            said(old + " is a fresh standby");
            assertNothingLost(writer);
            cells.awaitRowsOn(old, writer);
        }
    }

    @Test
    void aVolumeOfAnotherClusterIsRefused() {
        String victim = "cell-3";
        if (cells.primary().equals(victim)) {
            cells.succeeds(cells.api().switchover("cell-1"), SOON);
        }
        String primary = cells.primary();
        long epoch = cells.nodes().epoch();
        try (CellCluster others = new CellCluster()) {
            others.start();
            String foreign = systemId(others, victim);
            assertThat(foreign).isNotEqualTo(systemId(cells, victim));
            others.kill(victim);
            said("another cluster has lived");
            try (Writer writer = cells.writer()) {
                long before = System.nanoTime();
                cells.startWithVolumeOf(victim, others, victim);
                Patience.await(
                        "the log says why it is refused",
                        SOON,
                        () -> cells.log(victim).contains("another cluster") ? null : "it does not: " + cells.summary());
                said(cells.log(victim)
                        .lines()
                        .filter(line -> line.contains("another cluster"))
                        .findFirst()
                        .orElseThrow());
                Patience.holds("the others go on", FOR_A_WHILE, () -> {
                    var primaries = cells.primaries();
                    return primaries.contains(primary) && primaries.size() == 1 ? null : "primary are " + primaries;
                });
                said(cells.summary());
                assertThat(cells.node(victim).state()).isNotIn("PRIMARY", "STREAMING");
                assertThat(postgresOf(victim))
                        .as("PostgreSQL on the foreign data")
                        .isNull();
                assertThat(systemId(cells, victim)).as("the foreign data").isEqualTo(foreign);
                // Nor is what its ZooKeeper server holds put among that of the others.
                assertThat(cells.log(victim)).contains("this cell's peer is not started");
                assertThat(cells.execute(victim, "pgrep", "-f", "ZooKeeperServer")
                                .getExitCode())
                        .isEqualTo(1);
                writer.awaitRow(SOON);
                saidGap(victim + " has the volume of another cluster", writer, before);
                assertNothingLost(writer);
            } finally {
                cells.wipe(victim);
                cells.awaitHealth("HEALTHY", SOON);
            }
            assertThat(cells.nodes().epoch()).isEqualTo(epoch);
        }
    }

    private static String systemId(CellCluster cluster, String cell) {
        ExecResult said = cluster.execute(
                cell,
                "sh",
                "-c",
                "/usr/lib/postgresql/*/bin/pg_controldata --pgdata=/var/lib/cell/postgres/data | grep 'system identifier'");
        assertThat(said.getStdout()).as(said.getStderr()).isNotBlank();
        return said.getStdout().strip();
    }

    @Test
    void aStandbyThatCannotKeepUpHoldsNobodyUp() throws SQLException {
        String primary = cells.primary();
        String slow = cells.standbys().getLast();
        long epoch = cells.nodes().epoch();
        try (Writer writer = cells.writer();
                Connection bulk = cells.connect(SOON)) {
            long before = System.nanoTime();
            cells.limitProcessor(slow, 0.02);
            try {
                for (int n = 0; n < 4; n++) {
                    write(bulk, BULK);
                }
                said(slow + " is slow, " + 4 * BULK + " MiB are written");
                Patience.await(slow + " lags", SOON, () -> {
                    long lag = lag(slow);
                    return lag > 16 * MEGABYTE ? null : "it lags by " + lag + " bytes; " + cells.summary();
                });
                Patience.holds("the primary stays", FOR_A_WHILE, () -> {
                    var primaries = cells.primaries();
                    return primaries.contains(primary) && primaries.size() == 1 ? null : "primary are " + primaries;
                });
                writer.awaitRow(SOON);
                saidGap(slow + " is slow", writer, before);
            } finally {
                cells.limitProcessor(slow, 0);
            }
            cells.awaitHealth("HEALTHY", SOON);
            assertThat(cells.nodes().epoch()).isEqualTo(epoch);
            assertNothingLost(writer);
            cells.awaitRowsOn(slow, writer);
        }
    }

    /** By how much this cell is behind, as far as the primary knows; a cell that is not heard of lags without end. */
    private long lag(String cell) {
        Long bytes = cells.node(cell).lagBytes();
        return bytes == null ? Long.MAX_VALUE : bytes;
    }

    /** Makes about so many MiB of WAL, and keeps nothing. */
    private static void write(Connection session, int megabytes) throws SQLException {
        try (Statement statement = session.createStatement()) {
            statement.execute("CREATE TABLE bulk AS SELECT repeat(md5(n::text), 32) AS filling"
                    + " FROM generate_series(1, " + megabytes * 1000 + ") AS n");
            statement.execute("DROP TABLE bulk");
        }
    }
}
