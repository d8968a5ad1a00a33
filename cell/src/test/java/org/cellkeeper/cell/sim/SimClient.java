package org.cellkeeper.cell.sim;

import org.cellkeeper.cell.model.Upstream;
import org.jspecify.annotations.Nullable;

/** An application that writes, one transaction after the other, and remembers what was promised to it. */
final class SimClient implements Commit.Listener, DoorState.Client {
    /** How it finds a database to write to. */
    enum Manner {
        /** Asks the cells in turn which of them is the primary, as a load balancer does. */
        ASKING,
        /** Tries any cell until one takes the write. */
        TRYING,
        /** Goes through the door of some cell. */
        DOOR,
        /** Sticks to one cell as long as anything answers there, deposed or not. */
        STUBBORN
    }

    private static final long PATIENCE = 5 * World.SECOND;
    private static final int TRIES_BEFORE_STUBBORN_GIVES_UP = 40;

    private final World world;
    private final int index;
    private final Manner manner;
    private final long think;
    private int target;
    private int failures;
    private @Nullable Commit pending;
    private @Nullable DoorState through;
    private long acknowledged;
    private long lastAcknowledged = -1;

    SimClient(World world, int index, Manner manner, long think) {
        this.world = world;
        this.index = index;
        this.manner = manner;
        this.think = think;
        target = index % world.cells().size();
    }

    int index() {
        return index;
    }

    long acknowledged() {
        return acknowledged;
    }

    long lastAcknowledged() {
        return lastAcknowledged;
    }

    void start() {
        world.after(world.between(1, think), this::write);
    }

    private void again() {
        world.after(world.between(think / 2, think * 3 / 2), this::write);
    }

    private void write() {
        SimCell cell = world.cells().get(target);
        switch (manner) {
            case ASKING -> {
                AgentProcess agent = cell.agent();
                if (!cell.on()
                        || agent == null
                        || agent.paused()
                        || !agent.core().operator().isPrimary()) {
                    elsewhere();
                } else {
                    send(cell);
                }
            }
            case TRYING -> send(cell);
            case STUBBORN -> send(cell);
            case DOOR -> {
                Upstream to = cell.on() && !cell.paused() ? cell.doorState().target() : null;
                if (to == null) {
                    elsewhere();
                } else {
                    cell.doorState().enter(this);
                }
            }
        }
    }

    @Override
    public void goesOn() {
        DoorState door = world.cells().get(target).doorState();
        Upstream now = door.target();
        SimCell primary = now == null ? null : world.at(now.host());
        if (primary == null) {
            elsewhere();
        } else {
            through = door;
            door.begun(this);
            send(primary);
        }
    }

    @Override
    public void isCutOff() {
        Commit commit = pending;
        if (commit == null) {
            elsewhere();
        } else {
            answered(commit, Commit.Answer.UNKNOWN);
        }
    }

    private void elsewhere() {
        failures++;
        boolean move = manner != Manner.STUBBORN || failures % TRIES_BEFORE_STUBBORN_GIVES_UP == 0;
        if (move) {
            target = (target + 1) % world.cells().size();
        }
        again();
    }

    private void send(SimCell cell) {
        Commit commit = new Commit(world.nextCommit(), this);
        pending = commit;
        if (cell.on() && !cell.paused() && !cell.postgres().paused()) {
            cell.postgres().submit(commit);
        } else {
            world.after(World.SECOND, () -> answered(commit, Commit.Answer.REFUSED));
        }
        if (pending == commit && world.perMille(world.weather.waitsCancelled)) {
            world.after(
                    world.delay(World.MILLI, 2 * World.SECOND),
                    () -> cell.postgres().cancelWait(commit));
        }
        if (pending == commit) {
            world.after(PATIENCE, () -> {
                if (pending == commit) {
                    // the client hangs up; the server may go on, and what it acknowledges still counts
                    answered(commit, Commit.Answer.UNKNOWN);
                }
            });
        }
    }

    @Override
    public void answered(Commit commit, Commit.Answer answer) {
        if (pending != commit) {
            return;
        }
        pending = null;
        DoorState door = through;
        if (door != null) {
            through = null;
            door.ended(this);
        }
        switch (answer) {
            case ACKNOWLEDGED -> {
                acknowledged++;
                failures = 0;
                lastAcknowledged = world.now();
                again();
            }
            case REFUSED, WARNED, UNKNOWN -> elsewhere();
        }
    }
}
