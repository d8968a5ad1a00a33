package org.cellkeeper.cell.decide;

import org.cellkeeper.cell.decide.Facts.Data;
import org.cellkeeper.cell.decide.Facts.Standing;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.LocalState;
import org.cellkeeper.cell.model.Member;

/** What this cell is to the cluster, and what its data are. */
final class Membership {
    private Membership() {}

    static Standing standing(View view) {
        ClusterState newest = view.newestState();
        ClusterState state = view.state();
        LocalState local = view.local();
        CellId self = view.self();
        if (local.removed()) {
            return Standing.REMOVED;
        }
        if (newest != null && newest.halted().containsKey(self.name())) {
            return Standing.HALTED;
        }
        if (local.haltReason() != null) {
            boolean cleared = state != null
                    && view.coordinationKnown()
                    && !state.members().containsKey(self.name());
            return cleared ? Standing.REMOVED : Standing.HALTED;
        }
        if (newest == null || state == null) {
            return Standing.UNKNOWN;
        }
        if (isDeposed(view, newest)) {
            return Standing.HALTED;
        }
        if (newest.primary().equals(self)) {
            return state.primary().equals(self) ? Standing.PRIMARY : Standing.ACTIVE;
        }
        if (local.joined() && !newest.isMember(self)) {
            return Standing.REMOVED;
        }
        if (state.isMember(self)) {
            return Standing.ACTIVE;
        }
        Member holder = state.members().get(self.name());
        if (holder == null) {
            return Standing.STRANGER;
        }
        CellId former = new CellId(self.name(), holder.incarnation());
        var presence = view.coordination().present().get(self.name());
        boolean nameIsMine = presence != null && presence.cell().equals(self);
        boolean free = nameIsMine
                && !state.primary().name().equals(self.name())
                && !state.voters().contains(former);
        return free ? Standing.STRANGER : Standing.TAKEN;
    }

    /** This data reigned in an older epoch, and did not hand over cleanly. */
    private static boolean isDeposed(View view, ClusterState newest) {
        LocalState local = view.local();
        boolean reigned = local.primaryEpoch() > 0 && newest.epoch() > local.primaryEpoch();
        return reigned && !newest.primary().equals(view.self()) && !handedOverCleanly(view, newest);
    }

    /** The mark fits a later reign, and the data are as they were when it was made. */
    private static boolean handedOverCleanly(View view, ClusterState newest) {
        LocalState.HandoverMark mark = view.local().handoverMark();
        if (mark == null || !(newest.epoch() == mark.ballot() || newest.reigns().containsKey(mark.ballot()))) {
            return false;
        }
        DatabaseView database = view.database();
        DatabaseView.Control control = database.control();
        // Without an observation nothing speaks against it yet; nothing is started without one either.
        boolean unseen = control == null && database.data() != DatabaseView.Data.PRESENT;
        return unseen
                || (database.isStopped()
                        && control != null
                        && control.cleanlyShutDown()
                        && control.end().equals(mark.end()));
    }

    static Data data(View view) {
        DatabaseView database = view.database();
        if (view.isOfAnotherCluster()) {
            return Data.FOREIGN;
        }
        if (view.local().cloning()) {
            return Data.BROKEN;
        }
        return switch (database.data()) {
            case EMPTY -> Data.EMPTY;
            case INCOMPLETE -> Data.BROKEN;
            case PRESENT -> {
                ClusterState state = view.state();
                String systemId = database.systemId();
                boolean foreign = state != null && systemId != null && !systemId.equals(state.systemId());
                boolean founded = view.local().founder();
                yield founded && (state == null || foreign || !state.primary().equals(view.self()))
                        ? Data.FOUNDED
                        : foreign ? Data.FOREIGN : Data.OWN;
            }
        };
    }

    /** Whether the cell's entry in the cluster is another one than its configuration makes. */
    static boolean entryDue(View view, Standing standing) {
        ClusterState state = view.state();
        Member entry =
                state == null ? null : state.members().get(view.settings().name());
        return entry != null
                && (standing == Standing.ACTIVE || standing == Standing.PRIMARY)
                // The others would look for PostgreSQL where it does not listen yet.
                && !view.database().elsewhere()
                && !entry.equals(view.settings().entry(entry.incarnation()));
    }
}
