package org.cellkeeper.cell.decide;

import org.cellkeeper.cell.decide.Facts.SwitchoverStage;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.LocalState;
import org.cellkeeper.cell.model.Phase;

/** How far a primary is with handing over. */
final class Handovers {
    private Handovers() {}

    static SwitchoverStage stage(View view, ClusterState state) {
        if (!(state.phase() instanceof Phase.Handover handover)) {
            SwitchoverStage checkpoint = Tasks.wantsHandover(view) ? Checkpoints.before(view) : SwitchoverStage.NONE;
            return checkpoint == SwitchoverStage.WANTED ? Doors.before(view) : checkpoint;
        }
        if (view.phaseLasts(view.settings().timing().handover())) {
            return SwitchoverStage.OVERDUE;
        }
        if (Standbys.linkGone(view, handover.target())) {
            return SwitchoverStage.DESERTED;
        }
        DatabaseView database = view.database();
        if (!database.isStopped()) {
            return SwitchoverStage.STOPPING;
        }
        if (handover.token() != null) {
            return SwitchoverStage.OFFERED;
        }
        LocalState.HandoverMark mark = view.local().handoverMark();
        DatabaseView.Control control = database.control();
        if (mark != null && mark.ballot() == handover.ballot()) {
            return SwitchoverStage.MARKED;
        }
        boolean clean = control != null && control.cleanlyShutDown() && !database.startsAsStandby();
        return clean ? SwitchoverStage.UNMARKED : SwitchoverStage.UNCLEAN;
    }
}
