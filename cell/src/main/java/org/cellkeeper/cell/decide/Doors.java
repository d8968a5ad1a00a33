package org.cellkeeper.cell.decide;

import java.util.List;
import org.cellkeeper.cell.decide.Facts.DoorDuty;
import org.cellkeeper.cell.decide.Facts.SwitchoverStage;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellState;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.PeerView;
import org.cellkeeper.cell.model.Phase;
import org.cellkeeper.cell.model.Upstream;
import org.jspecify.annotations.Nullable;

/**
 * The doors of the cluster before and after a handover. A transaction comes to the primary through any of them, so the primary calls for
 * all to be held before it hands over, and each says when nothing is in flight through it any more. Whatever becomes of the call, each
 * door ends its hold by itself (I8).
 */
final class Doors {
    static final long DRAIN_MILLIS = 3000;

    /** How long a call that came to nothing is not repeated: its task has to be read as ended. */
    private static final long REPEAT_MILLIS = 2000;

    private Doors() {}

    private static Memory.@Nullable DoorHold hold(View view) {
        return view.memory().applied().door().hold();
    }

    /** How long a door is held at most. */
    static long holdMillis(View view) {
        return DRAIN_MILLIS + view.settings().timing().handover().toMillis();
    }

    /** Whether this cell's door is held, by all that its agent knows. */
    private static boolean isHeld(View view) {
        Memory.DoorHold hold = hold(view);
        return hold != null
                && view.memory().applied().doorOpenTo() == null
                && view.now() - hold.at() < holdMillis(view);
    }

    private static boolean isCaller(View view) {
        Memory.DoorHold hold = hold(view);
        return hold != null && hold.caller().equals(view.self());
    }

    /** What this cell tells the others. */
    static PeerView.Doors said(View view) {
        Memory.DoorHold hold = hold(view);
        ClusterState state = view.state();
        if (hold == null || state == null || !isHeld(view)) {
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

    /** The hold that the primary calls for, and that this cell has not asked its door for yet. */
    static Action.@Nullable HoldDoor answer(View view) {
        ClusterState state = view.state();
        if (state == null || !state.isSteady() || state.primary().equals(view.self())) {
            return null;
        }
        long call = callOf(view, state.primary());
        Memory.DoorHold hold = hold(view);
        boolean isKnown = hold != null && hold.caller().equals(state.primary()) && hold.call() == call;
        return call <= 0 || isKnown ? null : new Action.HoldDoor(state.primary(), call, DRAIN_MILLIS, holdMillis(view));
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
        boolean handing = state.phase() instanceof Phase.Handover
                && !view.phaseLasts(view.settings().timing().handover());
        return handing || isHeldForGood(view, state) ? null : right;
    }

    /**
     * Whether what it is held for may come yet; a handover that is taken back ends when the primary runs again. While the shared state is
     * not known for sure, the handover may have been begun: its begin is written there first, and known here when it is durable.
     */
    private static boolean isHeldForGood(View view, ClusterState state) {
        Memory.DoorHold hold = hold(view);
        if (hold == null || !isHeld(view) || !hold.caller().equals(state.primary())) {
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
