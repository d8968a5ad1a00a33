package org.cellkeeper.image;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.cellkeeper.testing.CellCluster;
import org.cellkeeper.testing.CellCluster.Mode;
import org.cellkeeper.testing.Patience;
import org.cellkeeper.testing.Writer;
import org.junit.jupiter.api.Test;

/** Three cells in automatic mode; volumes are lost or mixed up, and a standby is slow. */
final class VolumesIT extends Scenario {
    private static final Duration STAYS = Duration.ofSeconds(5);

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
        }
    }

    @Test
    void aHaltedCellWithAnEmptyVolumeStaysHaltedUntilItIsRemoved() {
        String old = cells.primary();
        try (Writer writer = cells.writer()) {
            cells.kill(old);
            cells.awaitPrimaryOtherThan(old, SOON);
            cells.wipe(old);
            cells.awaitState(old, "HALTED", SOON);
            Patience.holds("it stays halted", STAYS, () -> {
                String state = cells.node(old).state();
                return state.equals("HALTED") ? null : state;
            });

            cells.succeeds(cells.api().remove(old, false), SOON);
            cells.awaitHealth("HEALTHY", SOON);
            assertThat(cells.node(old).state()).isEqualTo("STREAMING");
            said(old + " is a fresh standby");
            assertNothingLost(writer);
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

    @Test
    void aStandbyThatCannotKeepUpHoldsNobodyUp() {
        String primary = cells.primary();
        String slow = cells.standbys().getLast();
        long epoch = cells.nodes().epoch();
        try (Writer writer = cells.writer()) {
            long before = System.nanoTime();
            cells.limitProcessor(slow, 0.05);
            try {
                Patience.holds("the primary stays", FOR_A_WHILE.multipliedBy(2), () -> {
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
        }
    }
}
