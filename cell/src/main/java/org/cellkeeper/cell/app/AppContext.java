package org.cellkeeper.cell.app;

import java.util.Collections;
import java.util.SortedMap;
import java.util.TreeMap;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.CellState;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.Member;
import org.cellkeeper.cell.model.PeerView;
import org.jspecify.annotations.Nullable;

/**
 * What the app sees of the cluster, at one moment.
 *
 * @param calm whether no change of primary is under way, and the primary is heard, takes writes, and has whom to ask for
 *     acknowledgement
 * @param localCurrent whether this cell's PostgreSQL is the primary, or a standby with a live stream
 */
public record AppContext(
        CellId self,
        long epoch,
        CellId primary,
        boolean calm,
        boolean localCurrent,
        SortedMap<CellName, Member> members) {
    public AppContext {
        members = Collections.unmodifiableSortedMap(new TreeMap<>(members));
    }

    /**
     * As a cell sees it.
     *
     * @param own what it tells of itself
     * @param primary what the primary tells; null while that is not heard
     */
    public static AppContext of(CellId self, ClusterState state, PeerView own, @Nullable PeerView primary) {
        boolean serves = primary != null && primary.state() == CellState.PRIMARY && !primary.readOnly();
        return new AppContext(
                self,
                state.epoch(),
                state.primary(),
                state.isSteady() && serves && !state.standbyVoters().isEmpty(),
                own.state() == CellState.PRIMARY || own.state() == CellState.STREAMING,
                state.members());
    }

    boolean isPrimary() {
        return primary.equals(self);
    }

    /** This very incarnation: a cell that was removed, or that waits to be let in, is none. */
    boolean isMember() {
        Member member = members.get(self.name());
        return member != null && member.incarnation().equals(self.incarnation());
    }
}
