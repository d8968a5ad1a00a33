package org.cellkeeper.cell.sim;

import java.util.SortedSet;
import java.util.TreeSet;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.LocalState;
import org.cellkeeper.cell.model.StreamName;
import org.cellkeeper.cell.model.SyncSetting;
import org.jspecify.annotations.Nullable;

/**
 * The invariant of the protocol's section 4, looked at with the eyes of one who sees everything: each seal quorum computed
 * from ZooKeeper intersects each set that PostgreSQL accepts as acknowledgement, and covers all that was acknowledged before.
 */
final class CommitRule {
    private CommitRule() {}

    /** What is wrong with what a reigning primary's processes have in force; null when nothing is. */
    static @Nullable String tooWide(ClusterState state, SimPostgres primary) {
        SortedSet<CellId> voters = state.standbyVoters();
        if (voters.isEmpty() || !primary.isPrimary()) {
            return null;
        }
        // Who counts is said by each walsender's own settings, how many are needed by those of the one that releases;
        // a walsender yet to come has what the postmaster has.
        SyncSetting coming = primary.syncInForce();
        TreeSet<StreamName> counting = new TreeSet<>(coming.names());
        int needed = coming.names().isEmpty() ? Integer.MAX_VALUE : coming.acks();
        for (WalStream sender : primary.senders()) {
            if (sender.priority() > 0) {
                counting.add(sender.name);
                needed = Math.min(needed, sender.settings.sync().acks());
            }
        }
        long strangers = counting.stream()
                .filter(name -> name.epoch() == state.epoch() && !voters.contains(name.cell()))
                .count();
        return needed != Integer.MAX_VALUE && needed - strangers < state.acks()
                ? "PostgreSQL accepts any " + needed + " of " + counting
                : null;
    }

    /** Whether R voters that lack a commit could seal: those that live under the voter's incarnation and have data. */
    static boolean covered(World world, ClusterState state, long commit, long lsn) {
        int lacking = 0;
        for (CellId voter : state.standbyVoters()) {
            SimCell cell = world.find(voter.name());
            LocalState local = cell == null ? null : cell.stateFile();
            boolean votes = cell != null && voter.equals(cell.id()) && local != null && !local.cloning();
            if (votes && !cell.postgres().holds(commit, lsn)) {
                lacking++;
            }
        }
        return lacking < sealQuorum(state);
    }

    /** R, counted here and not as the code under test counts it. */
    static int sealQuorum(ClusterState state) {
        return state.standbyVoters().size() - state.acks() + 1;
    }
}
