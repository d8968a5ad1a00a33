package org.cellkeeper.cell.sim;

import java.util.ArrayList;
import java.util.List;
import org.cellkeeper.cell.model.Upstream;
import org.jspecify.annotations.Nullable;

/**
 * The door process of a cell, as unkind as PgBouncer: it outlives the agent, and with it whatever the agent last told it; when it dies,
 * all who came through it or wait at it are cut off, and whoever starts it anew finds it open, to where it last led.
 */
final class DoorState {
    /** One who came through the door, or waits at it. */
    interface Client {
        void goesOn();

        /** The connection ends; what had begun may have been done, or not. */
        void isCutOff();
    }

    private final World world;
    private final SimCell cell;
    private final List<Client> waiting = new ArrayList<>();
    private final List<Client> inFlight = new ArrayList<>();
    private @Nullable Upstream target;
    private boolean down;
    private boolean held;
    private long changedAt;
    private long deadline;
    private @Nullable Runnable drained;

    DoorState(World world, SimCell cell) {
        this.world = world;
        this.cell = cell;
    }

    @Nullable
    Upstream target() {
        return target;
    }

    boolean isDown() {
        return down;
    }

    boolean held() {
        return held;
    }

    /** Since when it is held, or is not. */
    long changedAt() {
        return changedAt;
    }

    long deadline() {
        return deadline;
    }

    /** A transaction comes: it goes on now, or when the door opens. */
    void enter(Client client) {
        if (down) {
            client.isCutOff();
        } else if (held) {
            waiting.add(client);
        } else {
            client.goesOn();
        }
    }

    void begun(Client client) {
        inFlight.add(client);
    }

    void ended(Client client) {
        inFlight.remove(client);
        Runnable then = drained;
        if (inFlight.isEmpty() && then != null) {
            drained = null;
            then.run();
        }
    }

    /** PAUSE; {@code whenDrained} is never told when it is opened before all transactions have ended. */
    void hold(long untilMicros, Runnable whenDrained) {
        setHeld(true);
        deadline = untilMicros;
        if (inFlight.isEmpty()) {
            whenDrained.run();
        } else {
            drained = whenDrained;
        }
    }

    void open(@Nullable Upstream primary) {
        if (primary != null) {
            target = primary;
        }
        setHeld(false);
        drained = null;
        List<Client> all = List.copyOf(waiting);
        waiting.clear();
        all.forEach(one -> world.after(0, one::goesOn));
    }

    /** The process ends; its files stay. */
    void kill() {
        world.note(cell.label(), "door killed", null, null);
        down = true;
        setHeld(false);
        drained = null;
        List<Client> all = new ArrayList<>(inFlight);
        all.addAll(waiting);
        inFlight.clear();
        waiting.clear();
        all.forEach(one -> world.after(0, one::isCutOff));
    }

    /** A new process reads the files that are there. */
    void start() {
        if (down) {
            world.note(cell.label(), "door starts", null, null);
            down = false;
        }
    }

    private void setHeld(boolean next) {
        if (held != next) {
            world.note(cell.label(), next ? "door held" : "door opens", null, null);
            held = next;
            changedAt = world.now();
        }
    }
}
