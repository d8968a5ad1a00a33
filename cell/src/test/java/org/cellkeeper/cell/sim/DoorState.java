package org.cellkeeper.cell.sim;

import java.util.ArrayList;
import java.util.List;
import org.cellkeeper.cell.model.Upstream;
import org.jspecify.annotations.Nullable;

/** The door process of a cell: it outlives the agent, and with it whatever the agent last told it. */
final class DoorState {
    private final World world;
    private final SimCell cell;
    private final List<Runnable> waiting = new ArrayList<>();
    private @Nullable Upstream target;
    private boolean held;
    private long heldSince;
    private long deadline;
    private int inFlight;
    private @Nullable Runnable drained;

    DoorState(World world, SimCell cell) {
        this.world = world;
        this.cell = cell;
    }

    @Nullable
    Upstream target() {
        return target;
    }

    boolean held() {
        return held;
    }

    long heldSince() {
        return heldSince;
    }

    long deadline() {
        return deadline;
    }

    /** Lets a transaction through, now or when the door opens. */
    void enter(Runnable goOn) {
        if (held) {
            waiting.add(goOn);
        } else {
            goOn.run();
        }
    }

    void begun() {
        inFlight++;
    }

    void ended() {
        inFlight = Math.max(0, inFlight - 1);
        Runnable then = drained;
        if (inFlight == 0 && then != null) {
            drained = null;
            then.run();
        }
    }

    void hold(long untilMicros, Runnable whenDrained) {
        if (!held) {
            world.note(cell.label(), "door held", null, null);
            held = true;
            heldSince = world.now();
        }
        deadline = untilMicros;
        if (inFlight == 0) {
            whenDrained.run();
        } else {
            drained = whenDrained;
        }
    }

    void open(@Nullable Upstream primary) {
        if (held) {
            world.note(cell.label(), "door opens", null, null);
        }
        if (primary != null) {
            target = primary;
        }
        held = false;
        drained = null;
        List<Runnable> all = List.copyOf(waiting);
        waiting.clear();
        all.forEach(one -> world.after(0, one));
    }

    void reset() {
        open(null);
        target = null;
        inFlight = 0;
    }
}
