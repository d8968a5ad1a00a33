package org.cellkeeper.cell.decide;

import static org.assertj.core.api.Assertions.assertThat;
import static org.cellkeeper.cell.decide.WalHistory.Relation.DIVERGED;
import static org.cellkeeper.cell.decide.WalHistory.Relation.PREFIX;

import java.util.TreeMap;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.Reign;
import org.junit.jupiter.api.Test;

class WalHistoryTest {
    private static final CellId A = CellId.parse("a.00000001");

    /** 1 forks into 2 at 100 (torn record up to 110) and 2 into 5 at 200; 4 forked from 1 at 50, and nobody followed. */
    private static TreeMap<Long, Reign> reigns() {
        TreeMap<Long, Reign> reigns = new TreeMap<>();
        reigns.put(1L, reign(1, 0, 0, 0));
        reigns.put(2L, reign(2, 100, 110, 1));
        reigns.put(4L, reign(3, 50, 50, 1));
        reigns.put(5L, reign(4, 200, 200, 2));
        return reigns;
    }

    private static Reign reign(int timeline, long start, long sealed, long parent) {
        return new Reign(A, timeline, new Lsn(start), new Lsn(sealed), parent);
    }

    private static WalHistory.Relation compare(long top, long walEpoch, long received, long replayed) {
        return WalHistory.compare(reigns(), top, walEpoch, new Lsn(received), new Lsn(replayed));
    }

    @Test
    void walOfTheReignItselfIsAPrefixHoweverLong() {
        assertThat(compare(5, 5, 900, 900)).isEqualTo(PREFIX);
    }

    @Test
    void walOfAnAncestorIsAPrefixUpToItsFork() {
        assertThat(compare(5, 2, 200, 200)).isEqualTo(PREFIX);
        assertThat(compare(5, 2, 201, 200)).isEqualTo(DIVERGED);
        assertThat(compare(5, 1, 100, 100)).isEqualTo(PREFIX);
        assertThat(compare(2, 1, 100, 100)).isEqualTo(PREFIX);
    }

    @Test
    void theHeadOfATornRecordThatTheWinnerHadTooIsNoDivergence() {
        assertThat(compare(2, 1, 110, 100)).isEqualTo(PREFIX);
        assertThat(compare(2, 1, 111, 100)).isEqualTo(DIVERGED);
        assertThat(compare(2, 1, 110, 101)).isEqualTo(DIVERGED);
        // Nor for a cell that was away for more than one reign.
        assertThat(compare(5, 1, 110, 100)).isEqualTo(PREFIX);
        assertThat(compare(5, 1, 111, 100)).isEqualTo(DIVERGED);
        assertThat(compare(5, 1, 110, 101)).isEqualTo(DIVERGED);
    }

    @Test
    void walOfAReignBesideTheLineIsAPrefixOnlyUpToWhereItLeft() {
        assertThat(compare(5, 4, 50, 50)).isEqualTo(PREFIX);
        assertThat(compare(5, 4, 51, 51)).isEqualTo(DIVERGED);
    }

    @Test
    void whatIsNotOnRecordHasDiverged() {
        assertThat(compare(5, 3, 10, 10)).isEqualTo(DIVERGED);
        assertThat(compare(5, 0, 0, 0)).isEqualTo(DIVERGED);
        assertThat(compare(5, 7, 10, 10)).isEqualTo(DIVERGED);
        TreeMap<Long, Reign> pruned = reigns();
        pruned.remove(1L);
        pruned.remove(2L);
        assertThat(WalHistory.compare(pruned, 5, 1, new Lsn(10), new Lsn(10))).isEqualTo(DIVERGED);
    }

    @Test
    void whoReceivedNothingOfTheReignItFollowedHoldsItsParents() {
        assertThat(held(2, 101, 2)).isEqualTo(2);
        assertThat(held(2, 99, 1)).isEqualTo(1);
        assertThat(held(5, 150, 2)).isEqualTo(2);
        assertThat(held(5, 90, 1)).isEqualTo(1);
        assertThat(held(7, 90, 1)).isEqualTo(7);
    }

    @Test
    void theHeadOfATornRecordIsTheParentsUntilTheReignsOwnWalHasComeOverIt() {
        assertThat(held(2, 105, 1)).isEqualTo(1);
        assertThat(held(2, 105, 2)).isEqualTo(2);
        assertThat(held(2, 111, 1)).isEqualTo(2);
    }

    /** Found by the simulator: a forced winner had followed reign 4 and received nothing of it. */
    @Test
    void aWinnerThatHeldNothingOfTheReignItFollowedForksOffThatOnesParent() {
        TreeMap<Long, Reign> reigns = new TreeMap<>();
        reigns.put(2L, reign(2, 0x100000, 0x100000, 0));
        reigns.put(4L, reign(3, 0x108E168, 0x108E168, 2));
        long parent = WalHistory.heldEpoch(reigns, 4, new Lsn(0x108CCE8), 2);
        assertThat(parent).isEqualTo(2);
        reigns.put(5L, reign(4, 0x108CCE8, 0x108CCE8, parent));
        Lsn more = new Lsn(0x108E168);
        assertThat(WalHistory.compare(reigns, 5, 2, more, more)).isEqualTo(DIVERGED);
        assertThat(WalHistory.compare(reigns, 5, 4, more, more)).isEqualTo(DIVERGED);
    }

    private static long held(long followed, long received, int timeline) {
        return WalHistory.heldEpoch(reigns(), followed, new Lsn(received), timeline);
    }
}
