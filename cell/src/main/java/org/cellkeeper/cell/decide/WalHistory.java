package org.cellkeeper.cell.decide;

import java.util.SortedMap;
import java.util.TreeMap;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.Reign;

/**
 * Whether one cell's WAL is a prefix of a reign's. Timeline numbers do not tell (two reigns may bear the same one): only the
 * recorded reigns do. Never guesses: what is not on record has diverged.
 */
public final class WalHistory {
    private WalHistory() {}

    /** How a cell's WAL relates to a reign's. */
    public enum Relation {
        PREFIX,
        DIVERGED
    }

    /**
     * The epoch whose WAL a cell holds at its end. A cell that follows a reign may have received nothing of it yet: then it
     * holds the end of its parent's WAL, or of that one's parent.
     *
     * @param followed the epoch that the cell last followed
     * @param timeline the timeline of the last WAL received
     */
    public static long heldEpoch(SortedMap<Long, Reign> reigns, long followed, Lsn received, int timeline) {
        long epoch = followed;
        Reign reign = reigns.get(epoch);
        while (reign != null && reign.parent() > 0 && reign.parent() < epoch) {
            boolean tornHeadOfTheParents =
                    timeline < reign.timeline() && reign.sealedLsn().atLeast(received);
            if (received.compareTo(reign.startLsn()) > 0 && !tornHeadOfTheParents) {
                break;
            }
            epoch = reign.parent();
            reign = reigns.get(epoch);
        }
        return epoch;
    }

    /**
     * Compares what one cell holds with a reign.
     *
     * @param top the reign to compare with; its record and those of its ancestors are in {@code reigns} (the top's own may be
     *     missing when {@code walEpoch} is the top itself)
     * @param walEpoch the epoch whose WAL the cell holds at its end ({@link #heldEpoch})
     * @param received what the cell holds, {@code replayed} what it has replayed of it
     */
    public static Relation compare(SortedMap<Long, Reign> reigns, long top, long walEpoch, Lsn received, Lsn replayed) {
        if (walEpoch < 1) {
            return Relation.DIVERGED;
        }
        if (walEpoch == top) {
            return Relation.PREFIX;
        }
        // The line of descent: for each epoch on it, the reign that followed it.
        TreeMap<Long, Reign> childOf = new TreeMap<>();
        for (long epoch = top; ; ) {
            Reign reign = reigns.get(epoch);
            if (reign == null || reign.parent() >= epoch) {
                break;
            }
            childOf.put(reign.parent(), reign);
            epoch = reign.parent();
        }
        Reign next = childOf.get(walEpoch);
        if (next != null) {
            boolean nothingAfterTheFork = next.startLsn().atLeast(received);
            // The bytes up to sealedLsn were the winner's too, and no record ends among them.
            boolean onlyTheSameTornRecord =
                    next.sealedLsn().atLeast(received) && next.startLsn().atLeast(replayed);
            return nothingAfterTheFork || onlyTheSameTornRecord ? Relation.PREFIX : Relation.DIVERGED;
        }
        // A reign beside the line: only what lies before every fork on the way back is shared.
        long epoch = walEpoch;
        Lsn shared = null;
        while (!childOf.containsKey(epoch)) {
            Reign reign = reigns.get(epoch);
            if (reign == null || reign.parent() >= epoch) {
                return Relation.DIVERGED;
            }
            shared = shared == null || shared.atLeast(reign.startLsn()) ? reign.startLsn() : shared;
            epoch = reign.parent();
        }
        Reign fork = childOf.get(epoch);
        boolean before =
                fork != null && shared != null && fork.startLsn().atLeast(received) && shared.atLeast(received);
        return before ? Relation.PREFIX : Relation.DIVERGED;
    }
}
