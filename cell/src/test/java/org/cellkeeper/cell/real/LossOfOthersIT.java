package org.cellkeeper.cell.real;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.time.Duration;
import java.util.List;
import org.cellkeeper.api.ApplianceFailure;
import org.cellkeeper.api.Cluster;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.extension.ExtendWith;

/** Three cells in automatic mode; standbys are lost, or ZooKeeper is, and the primary stays where it is. */
@Tag("cells")
@ExtendWith(Labs.class)
final class LossOfOthersIT {
    private final RealCells cells;

    LossOfOthersIT(RealCells cells) {
        this.cells = cells;
    }

    @BeforeEach
    void allCellsTakePart(TestInfo test) {
        System.out.println(test.getDisplayName());
        cells.restore(true);
    }

    @Test
    void withoutAQuorumOfZooKeeperWritesGoOnAndChangesAreRefused() {
        String primary = cells.primary();
        String other = cells.standbys().getFirst();
        long epoch = cells.epoch();
        try (Writer writer = cells.writer()) {
            long before = System.nanoTime();
            cells.kill(primary, RealCells.Part.ZOOKEEPER);
            cells.kill(other, RealCells.Part.ZOOKEEPER);
            Patience.await("the API says that ZooKeeper is away", Duration.ofSeconds(10), () -> {
                Cluster now = cells.nodes();
                return now.localClusterFailover().equals("INDETERMINATE")
                                && !now.warnings().isEmpty()
                        ? null
                        : now.toString();
            });
            assertThatExceptionOfType(ApplianceFailure.Refused.class)
                    .isThrownBy(() -> cells.client().setMode(false))
                    .satisfies(refused -> assertThat(refused.status()).isEqualTo(503));
            Patience.pass(Duration.ofSeconds(20));
            Duration gap = writer.longestGapSince(before);
            System.out.println("  longest gap without ZooKeeper " + gap.toMillis() + " ms");
            assertThat(gap).isLessThan(Duration.ofSeconds(5));
            assertThat(cells.primary()).isEqualTo(primary);

            cells.start(primary);
            cells.start(other);
            cells.awaitHealth("HEALTHY", Duration.ofSeconds(30));
            assertThat(cells.epoch()).isEqualTo(epoch);
            assertThat(writer.longestGapSince(before)).isLessThan(Duration.ofSeconds(5));
            cells.assertNothingLost(writer);
        }
    }

    @Test
    void withoutStandbysThePrimaryIsReadOnlyAndWritersHearOfIt() {
        String primary = cells.primary();
        List<String> standbys = cells.standbys();
        long epoch = cells.epoch();
        try (Writer writer = cells.writer();
                Writer patient = Writer.pinnedTo(cells, primary)) {
            RealCells.together(() -> cells.kill(standbys.getFirst()), () -> cells.kill(standbys.getLast()));
            long alone = System.nanoTime();
            Duration error = patient.awaitFailureAfter(alone, Duration.ofSeconds(5));
            System.out.println("  a writer heard of it after " + error.toMillis() + " ms: " + patient.lastFailure());
            cells.awaitHealth("READ_ONLY_PRIMARY", Duration.ofSeconds(10));

            cells.start(standbys.getFirst());
            writer.awaitRow(Duration.ofSeconds(30));
            assertThat(cells.primary()).isEqualTo(primary);
            assertThat(cells.epoch()).isEqualTo(epoch);
            cells.assertNothingLost(writer);
            cells.assertNothingLost(patient);
        }
    }

    @Test
    void aStandbyIsLostAndComesBackWithoutAnyoneNoticing() {
        String standby = cells.standbys().getFirst();
        long epoch = cells.epoch();
        try (Writer writer = cells.writer()) {
            long before = System.nanoTime();
            cells.kill(standby);
            cells.awaitHealth("DEGRADED", Duration.ofSeconds(10));
            cells.start(standby);
            cells.awaitHealth("HEALTHY", Duration.ofSeconds(30));
            Duration gap = writer.longestGapSince(before);
            System.out.println("  longest gap " + gap.toMillis() + " ms");
            assertThat(gap).isLessThan(Duration.ofSeconds(5));
            assertThat(cells.epoch()).isEqualTo(epoch);
            cells.assertNothingLost(writer);
        }
    }
}
