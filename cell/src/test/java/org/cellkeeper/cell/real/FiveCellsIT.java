package org.cellkeeper.cell.real;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Five cells in automatic mode survive the loss of any two. */
@Tag("cells")
final class FiveCellsIT {
    private static final int NET = 8;

    @Test
    void thePrimaryAndAStandbyAreKilledAtOnceAndNothingAcknowledgedIsLost() {
        try (RealCells cells = new RealCells(5, NET);
                Writer writer = cells.writer()) {
            String old = cells.primary();
            String lost = cells.standbys().getFirst();
            assertThat(cells.nodes().canSurvive()).isGreaterThanOrEqualTo(2);
            long before = System.nanoTime();
            RealCells.together(() -> cells.kill(old), () -> cells.kill(lost));
            String next = cells.awaitOtherPrimary(old, Duration.ofSeconds(20));
            writer.awaitRow(Duration.ofSeconds(20));
            System.out.println("  " + old + " and " + lost + " killed, " + next + " took over; gap "
                    + writer.longestGapSince(before).toMillis() + " ms");
            assertThat(writer.longestGapSince(before)).isLessThan(Duration.ofSeconds(10));
            cells.assertNothingLost(writer);
        }
    }
}
