package org.cellkeeper.image;

import static org.assertj.core.api.Assertions.assertThat;

import org.cellkeeper.testing.CellCluster;
import org.cellkeeper.testing.CellCluster.Mode;
import org.cellkeeper.testing.Writer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The primary is killed and its cell replaced, again and again: -Dcellkeeper.failovers=20. */
@Tag("cells")
final class FailoversInARowIT extends Scenario {
    private static final int FAILOVERS = Integer.getInteger("cellkeeper.failovers", 5);

    FailoversInARowIT(CellCluster cells) {
        super(cells, Mode.AUTOMATIC);
    }

    @Test
    void eachPrimaryIsReplacedAndSoIsItsCell() {
        long epoch = cells.nodes().epoch();
        try (Writer writer = cells.writer()) {
            for (int n = 1; n <= FAILOVERS; n++) {
                String old = cells.primary();
                long before = System.nanoTime();
                cells.kill(old);
                String next = cells.awaitPrimaryOtherThan(old, SOON);
                writer.awaitRow(SOON);
                saidGap(n + ": " + old + " killed, " + next + " took over", writer, before);
                cells.replace(old);
                cells.awaitHealth("HEALTHY", SOON);
            }
            assertThat(cells.nodes().epoch()).isGreaterThanOrEqualTo(epoch + FAILOVERS);
            assertNothingLost(writer);
        }
    }
}
