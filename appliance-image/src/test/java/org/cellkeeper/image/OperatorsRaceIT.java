package org.cellkeeper.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import org.cellkeeper.api.ApplianceClient;
import org.cellkeeper.api.ApplianceFailure;
import org.cellkeeper.testing.CellCluster;
import org.cellkeeper.testing.CellCluster.Mode;
import org.cellkeeper.testing.Patience;
import org.cellkeeper.testing.Writer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Three cells in automatic mode; an operator promotes while they elect. */
@Tag("cells")
final class OperatorsRaceIT extends Scenario {
    OperatorsRaceIT(CellCluster cells) {
        super(cells, Mode.AUTOMATIC);
    }

    @Test
    void aPromotionThatRacesAFailoverMakesOnePrimary() {
        String old = cells.primary();
        String target = cells.standbys().getLast();
        long epoch = cells.nodes().epoch();
        ApplianceClient operator = cells.api();
        try (Writer writer = cells.writer()) {
            assertThatExceptionOfType(ApplianceFailure.Refused.class)
                    .as("a promotion beside a healthy primary")
                    .isThrownBy(() -> operator.promote(target, false))
                    .satisfies(refused -> assertThat(refused.code()).isEqualTo("no-active-primary"));
            cells.kill(old);
            // Refused before the cells notice, and after they have elected; in between it races them.
            Patience.await("a promotion is accepted, or came too late", SOON, () -> {
                try {
                    said("promotion of " + target + " accepted: " + operator.promote(target, false));
                    return null;
                } catch (ApplianceFailure.Refused refused) {
                    boolean late = cells.primaries().stream().anyMatch(cell -> !cell.equals(old));
                    said("promotion of " + target + " refused: " + refused.code());
                    return late ? null : refused.code();
                }
            });
            String next = cells.awaitPrimaryOtherThan(old, SOON);
            writer.awaitRow(SOON);
            Patience.holds("there is one primary", FOR_A_WHILE, () -> {
                var primaries = cells.primaries();
                return primaries.size() == 1 && primaries.contains(next) ? null : "primary are " + primaries;
            });
            assertThat(cells.nodes().epoch()).isGreaterThan(epoch);
            assertNothingLost(writer);
        }
    }
}
