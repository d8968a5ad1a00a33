package org.cellkeeper.cell.decide.quorum;

import java.util.Collection;
import java.util.SortedSet;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.ClusterState;

/**
 * Who acknowledges, and how many must seal: each commit is on k of the standby voters, and any R of them meet any k.
 *
 * @param standbyVoters the voters but the primary, with their incarnations
 * @param acks k
 */
public record CommitQuorum(SortedSet<CellId> standbyVoters, int acks) {
    public static CommitQuorum of(ClusterState state) {
        return new CommitQuorum(state.standbyVoters(), state.acks());
    }

    /** k for so many voters, the primary among them. */
    public static int defaultAcks(int voters) {
        return voters / 2;
    }

    /** R. */
    public int seals() {
        return standbyVoters.size() - acks + 1;
    }

    /** Whether these are so many of the voters that nothing can be acknowledged without one of them. */
    public boolean isSealedBy(Collection<CellId> sealed) {
        return standbyVoters.stream().filter(sealed::contains).count() >= seals();
    }
}
