package org.cellkeeper.cell.zookeeper;

import static org.assertj.core.api.Assertions.assertThat;

import org.cellkeeper.cell.model.CellId;
import org.junit.jupiter.api.Test;

final class LeaderTest {
    private static final CellId ONE = CellId.parse("cell-1.0000000a");
    private static final CellId OTHER = CellId.parse("cell-2.0000000b");

    @Test
    void anOlderReignGivesWayToANewerOneAndNeverTheOtherWayRound() {
        assertThat(new Leader(ONE, 3).givesWayTo(new Leader(OTHER, 4))).isTrue();
        assertThat(new Leader(ONE, 4).givesWayTo(new Leader(OTHER, 3))).isFalse();
    }

    @Test
    void inOneReignOnlyTheSamePrimaryTakesTheEntryOver() {
        assertThat(new Leader(ONE, 3).givesWayTo(new Leader(ONE, 3))).isTrue();
        assertThat(new Leader(ONE, 3).givesWayTo(new Leader(OTHER, 3))).isFalse();
    }
}
