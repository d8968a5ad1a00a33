package org.cellkeeper.cell.decide.quorum;

import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedSet;
import java.util.TreeSet;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.Incarnation;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.Phase;
import org.cellkeeper.cell.model.Vote;

/** Cells, votes and all that can be made of few of them. */
final class Ballots {
    static final long BALLOT = 7;
    static final CellId PRIMARY = cell("p", 1);

    private Ballots() {}

    static CellId cell(String name, int incarnation) {
        return new CellId(new CellName(name), Incarnation.of(incarnation));
    }

    static SortedSet<CellId> standbys(int n) {
        TreeSet<CellId> cells = new TreeSet<>();
        for (int i = 0; i < n; i++) {
            cells.add(cell("s" + i, 1));
        }
        return cells;
    }

    /** Of one to four standby voters, with every k. */
    static List<CommitQuorum> quorums() {
        List<CommitQuorum> quorums = new ArrayList<>();
        for (int n = 1; n <= 4; n++) {
            for (int acks = 1; acks <= n; acks++) {
                quorums.add(new CommitQuorum(standbys(n), acks));
            }
        }
        return quorums;
    }

    /** All groups of these, the empty one too. */
    static List<SortedSet<CellId>> groups(SortedSet<CellId> cells) {
        List<CellId> all = List.copyOf(cells);
        List<SortedSet<CellId>> groups = new ArrayList<>();
        for (int bits = 0; bits < 1 << all.size(); bits++) {
            TreeSet<CellId> group = new TreeSet<>();
            for (int i = 0; i < all.size(); i++) {
                if ((bits >> i & 1) == 1) {
                    group.add(all.get(i));
                }
            }
            groups.add(group);
        }
        return groups;
    }

    static Phase.Sealing ballot(Phase.Kind kind, CellId proposer) {
        return new Phase.Sealing(BALLOT, proposer, kind, Instant.EPOCH);
    }

    static Vote seal(CellId voter, long walEpoch, long lsn) {
        return new Vote(BALLOT, voter, null, walEpoch, 1, new Lsn(lsn), 100);
    }
}
