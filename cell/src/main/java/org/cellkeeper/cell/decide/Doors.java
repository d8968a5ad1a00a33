package org.cellkeeper.cell.decide;

import java.util.List;
import org.cellkeeper.cell.decide.Facts.DoorDuty;
import org.cellkeeper.cell.decide.Facts.SwitchoverStage;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellState;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.PeerView;
import org.cellkeeper.cell.model.Phase;
import org.cellkeeper.cell.model.Upstream;
import org.jspecify.annotations.Nullable;

/**
 * The doors of the cluster while the primary changes. A transaction comes to the primary through any of them, so the primary calls for
 * all to be held before it hands over, and each says when nothing is in flight through it any more. Where the primary is lost nobody is
 * asked: each cell holds its own door as soon as it sees that another primary may be expected, so that what comes waits instead of
 * failing. Whatever becomes of it, each door ends its hold by itself (I8).
 */
final class Doors {
    static final long DRAIN_MILLIS = 3000;

    /** How long a call that came to nothing is not repeated: its task has to be read as ended. */
    private static final long REPEAT_MILLIS = 2000;

    /** In place of a call's number: nobody called, the primary is lost. */
    private static final long LOSS = 0;

    /** How long those who wait for another primary are kept waiting at most. */
    static final long LOSS_MILLIS = 10_000;

    private Doors() {}

    private static Memory.@Nullable DoorHold hold(View view) {
        return view.memory().applied().door().hold();
    }

    /** How long a door is held at most for a handover. */
    static long holdMillis(View view) {
        return DRAIN_MILLIS + Handovers.atMost(view).toMillis();
    }

    /** Whether this cell's door is held, by all that its agent knows. */
    private static boolean isHeld(View view) {
        Memory.DoorHold hold = hold(view);
        return hold != null
                && view.memory().applied().doorOpenTo() == null
                && view.now() - hold.at() < (hold.call() == LOSS ? LOSS_MILLIS : holdMillis(view));
    }

    /** Whether this cell holds its door because it has called for it itself. */
    private static boolean isCaller(View view) {
        Memory.DoorHold hold = hold(view);
        return hold != null && hold.call() != LOSS && hold.caller().equals(view.self());
    }

    /** What this cell tells the others. */
    static PeerView.Doors said(View view) {
        Memory.DoorHold hold = hold(view);
        ClusterState state = view.state();
        if (hold == null || hold.call() == LOSS || state == null || !isHeld(view)) {
            return PeerView.Doors.OPEN;
        }
        boolean calls = isCaller(view) && state.primary().equals(view.self());
        return new PeerView.Doors(calls ? hold.call() : 0, hold.drained() ? hold.call() : 0);
    }

    // ---- the primary

    static SwitchoverStage before(View view) {
        Memory.DoorHold hold = hold(view);
        if (hold == null || !isCaller(view)) {
            return SwitchoverStage.DOORS_DUE;
        }
        long since = view.now() - hold.at();
        if (!isHeld(view)) {
            return since < DRAIN_MILLIS + REPEAT_MILLIS ? SwitchoverStage.DRAINING : SwitchoverStage.DOORS_DUE;
        }
        if (undrained(view).isEmpty()) {
            return SwitchoverStage.WANTED;
        }
        if (since < DRAIN_MILLIS) {
            return SwitchoverStage.DRAINING;
        }
        // A cell that is to stop does so in any case.
        return view.stopRequested() ? SwitchoverStage.WANTED : SwitchoverStage.NOT_DRAINED;
    }

    /** The cells whose doors are not held yet, or where transactions are in flight still. */
    static List<CellId> undrained(View view) {
        Memory.DoorHold hold = hold(view);
        ClusterState state = view.state();
        if (hold == null || state == null) {
            return List.of();
        }
        return state.members().entrySet().stream()
                .map(entry -> new CellId(entry.getKey(), entry.getValue().incarnation()))
                .filter(cell -> cell.equals(view.self()) ? !hold.drained() : isAwaited(view, cell, hold.call()))
                .toList();
    }

    /** One that is not heard, or is being cloned, or knows of no doors, has none to wait for. */
    private static boolean isAwaited(View view, CellId cell, long call) {
        PeerView said = view.fresh(cell);
        PeerView.Doors doors = said == null || said.state() == CellState.CLONING ? null : said.doors();
        return doors != null && doors.held() != call;
    }

    static Action.HoldDoor call(View view) {
        return new Action.HoldDoor(view.self(), Math.max(1, view.now()), DRAIN_MILLIS, holdMillis(view));
    }

    // ---- every cell

    static DoorDuty duty(View view) {
        if (answer(view) != null) {
            return DoorDuty.HOLD;
        }
        return target(view) != null ? DoorDuty.OPEN : DoorDuty.NONE;
    }

    /** What this cell is to ask of its door, and has not asked yet: to be held for the primary's call, or for its loss. */
    static Action.@Nullable HoldDoor answer(View view) {
        ClusterState state = view.state();
        if (state == null) {
            return null;
        }
        if (state.isSteady() && !state.primary().equals(view.self())) {
            long call = callOf(view, state.primary());
            Memory.DoorHold hold = hold(view);
            boolean isKnown = hold != null && hold.caller().equals(state.primary()) && hold.call() == call;
            if (call > 0 && !isKnown) {
                return new Action.HoldDoor(state.primary(), call, DRAIN_MILLIS, holdMillis(view));
            }
        }
        return isLossDue(view) ? new Action.HoldDoor(state.primary(), LOSS, LOSS_MILLIS, LOSS_MILLIS) : null;
    }

    /** Once for each loss: a hold that came to its end is not begun again. */
    private static boolean isLossDue(View view) {
        Long since = view.memory().timers().primaryAwaited().start();
        Memory.DoorHold hold = hold(view);
        return since != null && awaitsPrimary(view) && (hold == null || hold.at() < since);
    }

    /** Whether nobody can write, and somebody is expected to let them again soon: by a ballot, or a start of the same primary. */
    static boolean awaitsPrimary(View view) {
        ClusterState state = view.state();
        if (state == null) {
            return false;
        }
        return switch (state.phase()) {
            case Phase.Sealing _ -> true;
            case Phase.Handover _ -> false;
            case Phase.Steady() -> state.reign() == null || awaitsPrimaryOf(view, state);
        };
    }

    private static boolean awaitsPrimaryOf(View view, ClusterState state) {
        if (state.primary().equals(view.self())) {
            return !view.stopRequested() && !view.database().isRunning();
        }
        PeerView said = view.fresh(state.primary());
        boolean isLost =
                Suspicion.suspects(view) || (said != null && said.health().isLost());
        return Suspicion.primaryIsStarting(view) || (isLost && state.failoverMode() == FailoverMode.AUTOMATIC);
    }

    /** 0 when it calls for nothing, -1 when it is not heard. */
    private static long callOf(View view, CellId primary) {
        PeerView said = view.fresh(primary);
        PeerView.Doors doors = said == null ? null : said.doors();
        return said == null ? -1 : doors == null ? 0 : doors.call();
    }

    /** I8: whom this cell's door is to be opened to now; null when it is as it should be. */
    static @Nullable Upstream target(View view) {
        ClusterState state = view.state();
        Upstream right = Standbys.rightUpstream(view);
        if (state == null
                || right == null
                || right.equals(view.memory().applied().doorOpenTo())) {
            return null;
        }
        boolean handing = state.phase() instanceof Phase.Handover && !view.phaseLasts(Handovers.atMost(view));
        return handing || isHeldForGood(view, state) ? null : right;
    }

    /**
     * Whether what it is held for may come yet; a handover that is taken back ends when the primary runs again. While the shared state is
     * not known for sure, the handover may have been begun: its begin is written there first, and known here when it is durable.
     */
    private static boolean isHeldForGood(View view, ClusterState state) {
        Memory.DoorHold hold = hold(view);
        if (hold == null || !isHeld(view)) {
            return false;
        }
        if (hold.call() == LOSS) {
            return awaitsPrimary(view);
        }
        if (!hold.caller().equals(state.primary())) {
            return false;
        }
        if (!isCaller(view)) {
            long call = callOf(view, state.primary());
            return call < 0 || call == hold.call();
        }
        return !view.database().isPrimary()
                || !view.coordinationKnown()
                || switch (Handovers.stage(view, state)) {
                    case DRAINING, NOT_DRAINED, WANTED -> true;
                    default -> false;
                };
    }
}
