package org.cellkeeper.cell.real;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.time.Duration;
import org.cellkeeper.api.ApplianceFailure;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.extension.ExtendWith;

/** Three cells in manual mode: the primary changes when an operator asks for it, and never else. */
@Tag("cells")
@ExtendWith(Labs.class)
final class ManualModeIT {
    private final RealCells cells;

    ManualModeIT(RealCells cells) {
        this.cells = cells;
    }

    @BeforeEach
    void allCellsTakePart(TestInfo test) {
        System.out.println(test.getDisplayName());
        cells.restore(false);
    }

    private void nobodyIsPrimaryFor(Duration time) {
        Patience.holds(
                "nobody is promoted",
                time,
                () -> cells.primaries().isEmpty() ? null : "primary are " + cells.primaries());
    }

    @Test
    void nothingMovesUntilAnOperatorPromotes() {
        String old = cells.primary();
        try (Writer writer = cells.writer()) {
            cells.kill(old);
            nobodyIsPrimaryFor(Duration.ofSeconds(20));
            assertThat(cells.nodes().localClusterHealth()).isEqualTo("NO_ACTIVE_PRIMARY");

            String target = cells.cellWithMostWal();
            cells.succeeds(cells.client().promote(target, false), Duration.ofSeconds(20));
            assertThat(cells.primary()).isEqualTo(target);
            writer.awaitRow(Duration.ofSeconds(10));
            cells.awaitHealth("DEGRADED", Duration.ofSeconds(10));
            cells.assertNothingLost(writer);
        }
    }

    @Test
    void aPromotionIsRefusedWhileAPrimaryServes() {
        String primary = cells.primary();
        long epoch = cells.epoch();
        assertThatExceptionOfType(ApplianceFailure.Refused.class)
                .isThrownBy(() -> cells.client().promote(cells.standbys().getFirst(), false))
                .satisfies(refused -> assertThat(refused.status()).isEqualTo(409));
        assertThat(cells.primary()).isEqualTo(primary);
        assertThat(cells.epoch()).isEqualTo(epoch);
    }

    @Test
    void theModeThatTurnsAutomaticDuringAnOutageEndsIt() {
        String old = cells.primary();
        try (Writer writer = cells.writer()) {
            cells.kill(old);
            nobodyIsPrimaryFor(Duration.ofSeconds(4));
            cells.succeeds(cells.client().setMode(true), Duration.ofSeconds(10));
            String next = cells.awaitOtherPrimary(old, Duration.ofSeconds(10));
            System.out.println("  " + next + " took over from " + old);
            writer.awaitRow(Duration.ofSeconds(10));
            cells.assertNothingLost(writer);
        }
    }

    @Test
    void aPrimaryThatIsStoppedAndStartedIsPrimaryAgain() {
        String primary = cells.primary();
        long epoch = cells.epoch();
        try (Writer writer = cells.writer()) {
            cells.stop(primary);
            nobodyIsPrimaryFor(Duration.ofSeconds(5));
            cells.start(primary);
            writer.awaitRow(Duration.ofSeconds(20));
            assertThat(cells.primary()).isEqualTo(primary);
            assertThat(cells.epoch()).isEqualTo(epoch);
            cells.assertNothingLost(writer);
        }
    }
}
