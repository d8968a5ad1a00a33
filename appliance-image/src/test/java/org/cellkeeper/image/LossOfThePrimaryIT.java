package org.cellkeeper.image;

import static org.assertj.core.api.Assertions.assertThat;

import java.sql.SQLException;
import java.time.Duration;
import org.cellkeeper.api.Cluster;
import org.cellkeeper.testing.CellCluster;
import org.cellkeeper.testing.CellCluster.Mode;
import org.cellkeeper.testing.Patience;
import org.cellkeeper.testing.Writer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Three cells in automatic mode; containers are killed and paused. */
@Tag("cells")
final class LossOfThePrimaryIT extends Scenario {
    LossOfThePrimaryIT(CellCluster cells) {
        super(cells, Mode.AUTOMATIC);
    }

    @Test
    void aKilledPrimaryIsReplacedAndComesBackHalted() {
        String old = cells.primary();
        long epoch = cells.nodes().epoch();
        try (Writer writer = cells.writer()) {
            long before = System.nanoTime();
            cells.kill(old);
            String next = cells.awaitPrimaryOtherThan(old, SOON);
            writer.awaitRow(SOON);
            saidGap(old + " killed, " + next + " took over", writer, before);
            assertThat(cells.nodes().epoch()).isGreaterThan(epoch);

            cells.start(old);
            awaitHalted(old);
            // No restart ends it.
            cells.restart(old);
            awaitHalted(old);
            assertThat(cells.primary()).isEqualTo(next);
            assertNothingLost(writer);
        }
    }

    @Test
    void withAStandbyDownThePrimaryIsReplacedOnceTheStandbyIsBack() {
        String old = cells.primary();
        String down = cells.standbys().getFirst();
        String left = cells.standbys().getLast();
        try (Writer writer = cells.writer()) {
            cells.kill(down);
            writer.awaitRow(SOON);
            cells.kill(old);
            nobodyIsPrimaryForAWhile();

            cells.start(down);
            String next = cells.awaitPrimaryOtherThan(old, SOON);
            writer.awaitRow(SOON);
            said(down + " and " + old + " killed, " + down + " back: " + next + " took over");
            // The one that was down lacks what was acknowledged meanwhile.
            assertThat(next).isEqualTo(left);
            assertNothingLost(writer);
        }
    }

    @Test
    void theLastStandbyDoesNotReplaceAPrimaryThatMayComeBack() {
        String halted = cells.primary();
        try (Writer writer = cells.writer()) {
            cells.kill(halted);
            String primary = cells.awaitPrimaryOtherThan(halted, SOON);
            // It lends its ZooKeeper server and nothing else: what is left after the next loss can still decide.
            cells.start(halted);
            awaitHalted(halted);
            writer.awaitRow(SOON);
            Patience.await("one standby votes", SOON, () -> {
                Cluster now = cells.nodes();
                return now.acks() == 1 && now.sealQuorum() == 1 ? null : now.toString();
            });
            long epoch = cells.nodes().epoch();

            cells.kill(primary);
            nobodyIsPrimaryForAWhile();
            cells.awaitHealth("NO_ACTIVE_PRIMARY", SOON);
            assertThat(cells.nodes().localClusterFailover())
                    .as("the mode, which ZooKeeper tells")
                    .isEqualTo("AUTOMATIC");

            cells.start(primary);
            cells.awaitState(primary, "PRIMARY", SOON);
            writer.awaitRow(SOON);
            said(primary + " is back");
            assertThat(cells.nodes().epoch()).isEqualTo(epoch);
            assertNothingLost(writer);
        }
    }

    @Test
    void aKilledStandbyIsNoFailover() {
        String standby = cells.standbys().getFirst();
        String primary = cells.primary();
        long epoch = cells.nodes().epoch();
        try (Writer writer = cells.writer()) {
            long before = System.nanoTime();
            cells.kill(standby);
            cells.awaitHealth("DEGRADED", SOON);
            writer.awaitRow(SOON);
            cells.start(standby);
            cells.awaitHealth("HEALTHY", SOON);
            saidGap(standby + " killed and started", writer, before);
            assertThat(cells.nodes().epoch()).isEqualTo(epoch);
            assertThat(cells.primary()).isEqualTo(primary);
            assertNothingLost(writer);
            cells.awaitRowsOn(standby, writer);
        }
    }

    @Test
    void aPausedPrimaryIsReplacedAndAcknowledgesNothingAnyMore() throws SQLException {
        String old = cells.primary();
        try (Writer writer = cells.writer();
                Writer pinned = cells.writerOn(old);
                Latecomers latecomers = new Latecomers(cells, old)) {
            long before = System.nanoTime();
            cells.pause(old);
            long paused = System.nanoTime();
            latecomers.ask();
            String next = cells.awaitPrimaryOtherThan(old, SOON);
            writer.awaitRow(SOON);
            saidGap(old + " paused, " + next + " took over", writer, before);
            Patience.pass(Duration.ofSeconds(10).minusNanos(System.nanoTime() - paused));

            cells.resume(old);
            awaitHalted(old);
            latecomers.assertNothingWasAcknowledged(SOON);
            Patience.await("the session ends", SOON, () -> pinned.hasEnded() ? null : "it goes on");
            assertThat(cells.primary()).isEqualTo(next);
            assertThat(pinned.sentAndAcknowledgedAfter(paused)).isZero();
            assertNothingLost(writer);
            assertNothingLost(pinned);
        }
    }
}
