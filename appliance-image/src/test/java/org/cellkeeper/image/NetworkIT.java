package org.cellkeeper.image;

import static org.assertj.core.api.Assertions.assertThat;

import java.sql.SQLException;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import java.util.stream.IntStream;
import org.cellkeeper.testing.CellCluster;
import org.cellkeeper.testing.CellCluster.Mode;
import org.cellkeeper.testing.Patience;
import org.cellkeeper.testing.Writer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.testcontainers.containers.Container.ExecResult;

/** Three cells in automatic mode; what they send to each other is lost, without anybody being told. */
@Tag("cells")
final class NetworkIT extends Scenario {
    NetworkIT(CellCluster cells) {
        super(cells, Mode.AUTOMATIC);
    }

    @Test
    void aPrimaryWhoseNetworkIsDisconnectedIsReplacedAndComesBackHalted() throws Exception {
        String old = cells.primary();
        try (Writer writer = cells.writer()) {
            // A client on the primary's own machine still reaches it; it writes as long as it is let.
            assertThat(insertInside(old, 0)).as("before").isEqualTo("INSERT 0 1");
            long before = System.nanoTime();
            cells.disconnect(old);
            CompletableFuture<List<String>> inside = CompletableFuture.supplyAsync(() -> IntStream.rangeClosed(1, 3)
                    .mapToObj(n -> insertInside(old, n))
                    .toList());
            String next = cells.awaitPrimaryOtherThan(old, SOON);
            writer.awaitRow(SOON);
            saidGap(old + " disconnected, " + next + " took over", writer, before);
            List<String> answers = inside.get(2 * SOON.toSeconds(), TimeUnit.SECONDS);
            said("a client on the lost machine heard: " + answers);
            assertThat(answers).allSatisfy(answer -> assertThat(answer).doesNotContain("INSERT"));

            cells.reconnect(old);
            awaitHalted(old);
            assertThat(cells.primary()).isEqualTo(next);
            assertNothingLost(writer);
        }
    }

    /** What psql says inside of a cell's container; it waits for 10 s at most. */
    private String insertInside(String cell, int n) {
        ExecResult said = cells.execute(
                cell,
                "env",
                "PGPASSWORD=" + cells.password(),
                "PGOPTIONS=-c default_transaction_read_only=off",
                "timeout",
                "10",
                "psql",
                "--host=/var/lib/cell/postgres/run",
                "--username=" + cells.user(),
                "--command=INSERT INTO rows VALUES ('inside-" + System.nanoTime() + "', " + n + ")");
        return (said.getStdout().strip() + " " + said.getStderr().strip()).strip();
    }

    @Test
    void aPrimaryThatOnlyItsClientsReachAcknowledgesNothing() throws SQLException {
        String old = cells.primary();
        try (Writer writer = cells.writer();
                Writer pinned = cells.writerOn(old);
                Latecomers latecomers = new Latecomers(cells, old)) {
            long before = System.nanoTime();
            cells.cut(old);
            long cut = System.nanoTime();
            latecomers.ask();
            Patience.await("another primary", SOON, () -> {
                var primaries = cells.primaries();
                return primaries.stream().anyMatch(cell -> !cell.equals(old)) ? null : "primary are " + primaries;
            });
            Patience.await("the cut primary no longer says that it is one", SOON, () -> {
                var primaries = cells.primaries();
                return primaries.contains(old) ? "primary are " + primaries : null;
            });
            writer.awaitRow(SOON);
            saidGap(old + " cut off, " + cells.primary() + " took over", writer, before);
            assertThat(pinned.sentAndAcknowledgedAfter(cut)).isZero();
            // Turned away while still cut off: nobody is left to wait.
            latecomers.assertNothingWasAcknowledged(SOON);

            cells.heal();
            awaitHalted(old);
            Patience.await("the session ends", SOON, () -> pinned.hasEnded() ? null : "it goes on");
            assertThat(pinned.sentAndAcknowledgedAfter(cut)).isZero();
            assertNothingLost(writer);
            assertNothingLost(pinned);
        }
    }

    @Test
    void aCutBetweenThePrimaryAndOneStandbyIsNoFailover() {
        noFailoverWhile((primary, standby) -> cells.cut(primary, standby));
    }

    @Test
    void whatThePrimarySendsToOneStandbyIsLostAndThatIsNoFailover() {
        noFailoverWhile((primary, standby) -> cells.cutOneWay(primary, standby));
    }

    @Test
    void whatOneStandbySendsToThePrimaryIsLostAndThatIsNoFailover() {
        noFailoverWhile((primary, standby) -> cells.cutOneWay(standby, primary));
    }

    private void noFailoverWhile(BiConsumer<String, String> cut) {
        String primary = cells.primary();
        String standby = cells.standbys().getLast();
        long epoch = cells.nodes().epoch();
        try (Writer writer = cells.writer()) {
            long before = System.nanoTime();
            cut.accept(primary, standby);
            cells.awaitHealth("DEGRADED", SOON);
            Patience.holds("the primary stays", FOR_A_WHILE, () -> {
                List<String> primaries = cells.primaries();
                return primaries.equals(List.of(primary)) ? null : "primary are " + primaries;
            });
            writer.awaitRow(SOON);
            saidGap(primary + " and " + standby + " apart", writer, before);
            cells.heal();
            cells.awaitHealth("HEALTHY", SOON);
            assertThat(cells.primary()).isEqualTo(primary);
            assertThat(cells.nodes().epoch()).isEqualTo(epoch);
            assertNoBallotWasOpened();
            assertNothingLost(writer);
            cells.awaitRowsOn(standby, writer);
        }
    }

    @Test
    void aPrimaryThatReachesZooKeeperButNoStandbyIsReplaced() throws SQLException {
        replacedWhen((primary, standby) -> cells.cutButZooKeeper(primary, standby));
    }

    @Test
    void aPrimaryWhoseWordsAreLostIsReplaced() throws SQLException {
        replacedWhen((primary, standby) -> cells.cutOneWay(primary, standby));
    }

    @Test
    void aPrimaryThatHearsNobodyIsReplaced() throws SQLException {
        replacedWhen((primary, standby) -> cells.cutOneWay(standby, primary));
    }

    private void replacedWhen(BiConsumer<String, String> cut) throws SQLException {
        String old = cells.primary();
        List<String> standbys = cells.standbys();
        try (Writer writer = cells.writer();
                Writer pinned = cells.writerOn(old);
                Latecomers latecomers = new Latecomers(cells, old)) {
            long before = System.nanoTime();
            standbys.forEach(standby -> cut.accept(old, standby));
            long done = System.nanoTime();
            latecomers.ask();
            Patience.await("another cell is the only primary", SOON, () -> {
                List<String> primaries = cells.primaries();
                return primaries.size() == 1 && !primaries.contains(old)
                        ? null
                        : "primary are " + primaries + "; " + cells.summary();
            });
            writer.awaitRow(SOON);
            saidGap(old + " apart from " + standbys + ", " + cells.primary() + " took over", writer, before);
            cells.heal();
            awaitHalted(old);
            latecomers.assertNothingWasAcknowledged(SOON);
            assertThat(pinned.sentAndAcknowledgedAfter(done)).isZero();
            assertNothingLost(writer);
            assertNothingLost(pinned);
        }
    }
}
