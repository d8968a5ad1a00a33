package org.cellkeeper.cell.decide;

import org.cellkeeper.cell.decide.Facts.Data;
import org.cellkeeper.cell.decide.Facts.PendingSave;
import org.cellkeeper.cell.decide.Facts.Standing;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.LocalState;
import org.cellkeeper.cell.model.Phase;

/** What the state file must be told next. */
final class PendingSaves {
    private PendingSaves() {}

    static PendingSave next(View view, Standing standing, Data data) {
        ClusterState state = view.state();
        LocalState local = view.local();
        return switch (standing) {
            case UNKNOWN, STRANGER, TAKEN -> PendingSave.UP_TO_DATE;
            case HALTED -> {
                boolean hasData = data != Data.EMPTY || local.joined() || local.primaryEpoch() > 0;
                if (local.haltReason() == null && hasData) {
                    yield PendingSave.HALT;
                }
                yield Halts.isUnreported(view) ? PendingSave.HALT_UNREPORTED : PendingSave.UP_TO_DATE;
            }
            case REMOVED -> local.removed() ? PendingSave.UP_TO_DATE : PendingSave.REMOVAL;
            case ACTIVE, PRIMARY -> {
                if (state == null) {
                    yield PendingSave.UP_TO_DATE;
                }
                if (!local.joined()) {
                    yield PendingSave.MEMBERSHIP;
                }
                if (local.sealedBallot() != 0 && outcomeRead(state, local.sealedBallot())) {
                    yield PendingSave.OUTCOME;
                }
                if (standing == Standing.ACTIVE) {
                    yield local.primaryEpoch() > 0 ? PendingSave.ABDICATION : PendingSave.UP_TO_DATE;
                }
                LocalState.HandoverMark mark = local.handoverMark();
                boolean takenBack = mark != null
                        && view.coordinationKnown()
                        && state.lastBallot() >= mark.ballot()
                        && !(state.phase() instanceof Phase.Handover)
                        && state.epoch() == local.primaryEpoch();
                if (takenBack) {
                    yield PendingSave.MARK;
                }
                boolean unrecorded = state.reign() != null
                        && (local.walEpoch() != state.epoch() || local.primaryEpoch() != state.epoch());
                yield unrecorded ? PendingSave.REIGN : PendingSave.UP_TO_DATE;
            }
        };
    }

    /** I5: lastBallot has reached it, and it is not the one that is open. */
    private static boolean outcomeRead(ClusterState state, long ballot) {
        boolean open = state.phase() instanceof Phase.Sealing sealing && sealing.ballot() == ballot;
        return state.lastBallot() >= ballot && !open;
    }
}
