package org.cellkeeper.image;

import java.time.Duration;
import org.cellkeeper.testing.CellCluster;
import org.cellkeeper.testing.Patience;
import org.cellkeeper.testing.Writer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.extension.ExtendWith;

/** What all scenarios on the shared cluster have in common. Waits are long, as machines may be busy; gaps are printed. */
@ExtendWith(Clusters.class)
abstract class Scenario {
    static final Duration SOON = Duration.ofSeconds(60);
    /** What must not happen would happen within this time. */
    static final Duration FOR_A_WHILE = Duration.ofSeconds(8);

    final CellCluster cells;
    private final CellCluster.Mode mode;
    private long begun;

    Scenario(CellCluster cells, CellCluster.Mode mode) {
        this.cells = cells;
        this.mode = mode;
    }

    @BeforeEach
    void allCellsTakePart(TestInfo test) {
        begun = System.nanoTime();
        System.out.println(test.getDisplayName());
        cells.restore(mode);
        said("all cells take part");
    }

    @AfterEach
    void sayHowItIs() {
        said("at the end: " + cells.summary());
    }

    final void said(String what) {
        System.out.println("  " + (System.nanoTime() - begun) / 1_000_000 + " ms: " + what);
    }

    final void saidGap(String what, Writer writer, long since) {
        said(what + "; longest gap of the writer "
                + writer.longestGapSince(since).toMillis() + " ms");
    }

    final void nobodyIsPrimaryForAWhile() {
        Patience.holds(
                "nobody is promoted",
                FOR_A_WHILE,
                () -> cells.primaries().isEmpty() ? null : "primary are " + cells.primaries());
    }

    final void assertNothingLost(Writer writer) {
        said("nothing lost of " + cells.assertNothingLost(writer) + " acknowledged rows");
    }
}
