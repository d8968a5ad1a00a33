package org.cellkeeper.cell.decide;

import java.time.Duration;
import org.cellkeeper.cell.decide.Facts.SwitchoverStage;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.LocalState;
import org.cellkeeper.cell.model.Phase;

/** How far a primary is with handing over. */
final class Handovers {
    private Handovers() {}

    /** PostgreSQL has its time to stop, after which it is stopped at once, and the target has its own after that. */
    static Duration atMost(View view) {
        return view.settings().timing().stop().plus(view.settings().timing().handover());
    }

    static boolean hasStopped(View view) {
        ClusterState state = view.state();
        return state != null
                && state.phase() instanceof Phase.Handover
                && state.primary().equals(view.self())
                && view.database().isStopped();
    }

    static SwitchoverStage stage(View view, ClusterState state) {
        if (!(state.phase() instanceof Phase.Handover handover)) {
            SwitchoverStage checkpoint = Tasks.wantsHandover(view) ? Checkpoints.before(view) : SwitchoverStage.NONE;
            return checkpoint == SwitchoverStage.WANTED ? Doors.before(view) : checkpoint;
        }
        if (view.phaseLasts(atMost(view))
                || view.memory()
                        .timers()
                        .stoppedToHandOver()
                        .lasts(view.now(), view.settings().timing().handover())) {
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
