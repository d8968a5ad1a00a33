package org.cellkeeper.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.sql.Connection;
import java.sql.DriverManager;
import java.time.Duration;
import org.cellkeeper.testing.CellCluster;
import org.cellkeeper.testing.Patience;
import org.cellkeeper.testing.Writer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.testcontainers.containers.Container.ExecResult;

/** What needs a cluster of its own: five cells, and a disk that is small. */
@Tag("cells")
final class OwnClustersIT {
    private static final Duration SOON = Duration.ofSeconds(60);
    private static final int SMALL_DISK = 600;
    /** Megabytes; a primary wants 32. */
    private static final int LEFT = 20;

    @Test
    void fiveCellsSurviveTheLossOfTwoAtOnce() {
        try (CellCluster cells = new CellCluster().withCells(5)) {
            cells.start();
            try (Writer writer = cells.writer()) {
                String old = cells.primary();
                String lost = cells.standbys().getFirst();
                long before = System.nanoTime();
                CellCluster.together(() -> cells.kill(old), () -> cells.kill(lost));
                String next = cells.awaitPrimaryOtherThan(old, SOON);
                writer.awaitRow(SOON);
                System.out.println("  " + old + " and " + lost + " of five killed, " + next + " took over; gap "
                        + writer.longestGapSince(before).toMillis() + " ms");
                cells.start(old);
                cells.start(lost);
                cells.awaitState(old, "HALTED", SOON);
                cells.awaitState(lost, "STREAMING", SOON);
                assertThat(cells.primary()).isEqualTo(next);
                System.out.println("  nothing lost of " + cells.assertNothingLost(writer));
                cells.awaitRowsOn(lost, writer);
            }
        }
    }

    @Test
    void aPrimaryWhoseDiskFillsUpIsReplacedWhileItsPostgresStillRuns() {
        try (CellCluster cells = new CellCluster().withDisk("cell-1", SMALL_DISK)) {
            cells.start();
            try (Writer writer = cells.writer()) {
                assertThat(cells.primary()).isEqualTo("cell-1");
                long before = System.nanoTime();
                // Room for PostgreSQL to go on for a while, and too little for a primary.
                ExecResult filled = cells.execute(
                        "cell-1",
                        "sh",
                        "-c",
                        "free=$(df --output=avail --block-size=1M /var/lib/cell | tail -n 1)"
                                + " && dd if=/dev/zero of=/var/lib/cell/ballast bs=1M count=$((free - " + LEFT + "))");
                assertThat(filled.getExitCode()).as(filled.getStderr()).isZero();
                String next = cells.awaitPrimaryOtherThan("cell-1", SOON);
                writer.awaitRow(SOON);
                System.out.println("  disk of cell-1 full, " + next + " took over; gap "
                        + writer.longestGapSince(before).toMillis() + " ms");
                assertThat(cells.log("cell-1")).contains("the data volume has only");
                cells.awaitState("cell-1", "HALTED", SOON);
                System.out.println("  nothing lost of " + cells.assertNothingLost(writer));
            }
        }
    }

    @Test
    void aPrimaryWhoseDiskHasNoRoomAtAllIsReplacedOrSaysThatItIsReadOnly() {
        try (CellCluster cells = new CellCluster().withDisk("cell-1", SMALL_DISK)) {
            cells.start();
            try (Writer writer = cells.writer()) {
                assertThat(cells.primary()).isEqualTo("cell-1");
                long before = System.nanoTime();
                ExecResult filled =
                        cells.execute("cell-1", "sh", "-c", "dd if=/dev/zero of=/var/lib/cell/ballast bs=1M; true");
                System.out.println("  " + filled.getStderr().lines().findFirst().orElse(""));
                assertThat(filled.getStderr()).contains("No space left");
                Patience.await("another cell took over, or writers are told", SOON, () -> {
                    String health = cells.nodes().localClusterHealth();
                    boolean replaced = cells.primaries().stream().anyMatch(cell -> !cell.equals("cell-1"));
                    return replaced || health.equals("READ_ONLY_PRIMARY") ? null : cells.summary();
                });
                System.out.println("  " + cells.summary());
                if (cells.primaries().contains("cell-1")) {
                    cells.execute("cell-1", "rm", "/var/lib/cell/ballast");
                }
                writer.awaitRow(SOON);
                System.out.println("  disk of cell-1 full; longest gap of the writer "
                        + writer.longestGapSince(before).toMillis() + " ms; nothing lost of "
                        + cells.assertNothingLost(writer));
                System.out.println("  " + cells.summary());
            }
        }
    }

    @Test
    void theExampleOfTheReadme() throws Exception {
        try (CellCluster cells = new CellCluster()) {
            cells.start();
            String old = cells.primary();
            try (Connection c = DriverManager.getConnection(cells.jdbcUrl(), cells.user(), cells.password())) {
                c.createStatement().execute("CREATE TABLE orders AS SELECT 42 AS id");
            }
            cells.kill(old);
            cells.awaitPrimaryOtherThan(old, Duration.ofSeconds(30));
            try (Connection c = DriverManager.getConnection(cells.jdbcUrl(), cells.user(), cells.password())) {
                assertTrue(c.createStatement()
                        .executeQuery("SELECT id FROM orders")
                        .next());
            }
            cells.replace(old);
            cells.awaitHealth("HEALTHY", SOON);
        }
    }
}
