package org.cellkeeper.image;

import static org.assertj.core.api.Assertions.assertThat;

import org.cellkeeper.api.ApplianceClient.Request;
import org.cellkeeper.api.Checks;
import org.cellkeeper.testing.CellCluster;
import org.cellkeeper.testing.CellCluster.Mode;
import org.cellkeeper.testing.Patience;
import org.cellkeeper.testing.Writer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Three cells in manual mode: the primary changes when an operator asks for it. */
@Tag("cells")
final class ManualModeIT extends Scenario {
    ManualModeIT(CellCluster cells) {
        super(cells, Mode.MANUAL);
    }

    @Test
    void aKilledPrimaryIsReplacedWhenAnOperatorPromotes() {
        String old = cells.primary();
        try (Writer writer = cells.writer()) {
            cells.kill(old);
            nobodyIsPrimaryForAWhile();
            cells.awaitHealth("NO_ACTIVE_PRIMARY", SOON);
            String target = cells.cellWithMostWal();
            awaitPromotable(target);
            cells.succeeds(cells.api().promote(target, false), SOON);
            assertThat(cells.primary()).isEqualTo(target);
            writer.awaitRow(SOON);
            cells.start(old);
            awaitHalted(old);
            assertNothingLost(writer);
        }
    }

    @Test
    void withAStandbyDownAnOperatorPromotesOnceItIsBack() {
        String old = cells.primary();
        String down = cells.standbys().getFirst();
        String left = cells.standbys().getLast();
        try (Writer writer = cells.writer()) {
            cells.kill(down);
            writer.awaitRow(SOON);
            cells.kill(old);
            nobodyIsPrimaryForAWhile();
            cells.start(down);
            // From here on they could elect.
            awaitPromotable(left);
            cells.awaitHealth("NO_ACTIVE_PRIMARY", SOON);
            nobodyIsPrimaryForAWhile();
            assertThat(cells.cellWithMostWal()).isEqualTo(left);
            cells.succeeds(cells.api().promote(left, false), SOON);
            assertThat(cells.primary()).isEqualTo(left);
            writer.awaitRow(SOON);
            assertNothingLost(writer);
        }
    }

    @Test
    void theModeThatTurnsAutomaticWhileThePrimaryIsDeadEndsTheOutage() {
        String old = cells.primary();
        try (Writer writer = cells.writer()) {
            cells.kill(old);
            nobodyIsPrimaryForAWhile();
            cells.succeeds(cells.api().setMode(true), SOON);
            String next = cells.awaitPrimaryOtherThan(old, SOON);
            said(next + " took over");
            writer.awaitRow(SOON);
            assertThat(cells.nodes().localClusterFailover()).isEqualTo("AUTOMATIC");
            assertNothingLost(writer);
        }
    }

    /** ZooKeeper answers, and so many voters live that this cell may be promoted. */
    private void awaitPromotable(String cell) {
        Patience.await(cell + " may be promoted", SOON, () -> {
            Checks checks = cells.api().dryRun(new Request.Promote(cell, false));
            return checks.ok() ? null : checks.toString();
        });
    }
}
