package org.cellkeeper.cell.real;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What {@code scripts/lab} makes of three cells that are not as it made them. */
@Tag("cells")
@ExtendWith(Labs.class)
final class LabIT {
    private static final Duration SOON = Duration.ofSeconds(60);

    private final RealCells cells;

    LabIT(RealCells cells) {
        this.cells = cells;
    }

    @Test
    void aRemovedCellHoldsNothingUpAndAnotherModeIsSaid() {
        cells.restore(true);
        // The one that is asked first.
        if (cells.primary().equals("cell-1")) {
            cells.succeeds(cells.client().switchover("cell-2"), SOON);
            cells.awaitHealth("HEALTHY", SOON);
        }
        cells.succeeds(cells.client().remove("cell-1", true), SOON);
        cells.lab("down");
        String said = cells.lab("up", "--mode", "manual");
        assertThat(said)
                .contains("cell-1 was removed and takes no part; to use it again: scripts/cellctl deploy cell-1")
                .contains("the failover mode was automatic, and is manual now; back by: scripts/cellctl mode automatic")
                .doesNotContain("app does not know", "within 120 s");
        assertThat(cells.lab("up", "--mode", "manual"))
                .contains("running already")
                .doesNotContain("failover mode was");
        cells.restore(true);
    }
}
