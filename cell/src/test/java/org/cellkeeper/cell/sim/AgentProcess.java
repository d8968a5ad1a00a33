package org.cellkeeper.cell.sim;

import java.util.concurrent.Executor;

/** One run of a cell's agent: the mailbox, the timers and the ports of that run. */
final class AgentProcess extends SimProcess implements Executor {
    private final World world;
    private final SimCell cell;
    private final int run;
    private final SimClock clock;
    private final SimCoordination coordination;
    private final SimDatabase database;
    private final SimJournal journal;
    private final SimPeers peers;
    private final SimDoor door;
    private final SimAgent core;
    private boolean stopping;

    AgentProcess(World world, SimCell cell, int run, SimAgent.Factory factory) {
        super(world);
        this.world = world;
        this.cell = cell;
        this.run = run;
        clock = new SimClock(world, cell, this, world.between(0, 1_000_000), cell.clockRate());
        coordination = new SimCoordination(world, cell, this);
        database = new SimDatabase(world, cell, this);
        journal = new SimJournal(world, cell, this);
        peers = new SimPeers(world, cell, this);
        door = new SimDoor(world, cell, this);
        Mutations mutations = new Mutations(world, cell);
        core = factory.create(new SimAgent.Seat(
                cell.settings(),
                this,
                clock,
                coordination,
                database,
                door,
                peers,
                mutations.journal(journal),
                mutations::newIncarnation,
                mutations::decider));
    }

    void start() {
        // It reads its state file first.
        post(0, () -> cell.onDisk(this, core::start));
        door.start();
    }

    void post(long delayMicros, Runnable task) {
        if (alive()) {
            world.post(this, delayMicros, task);
        }
    }

    @Override
    public void execute(Runnable task) {
        post(0, task);
    }

    int run() {
        return run;
    }

    SimCell cell() {
        return cell;
    }

    SimClock clock() {
        return clock;
    }

    SimAgent core() {
        return core;
    }

    SimCoordination coordination() {
        return coordination;
    }

    SimDatabase database() {
        return database;
    }

    SimJournal journal() {
        return journal;
    }

    SimPeers peers() {
        return peers;
    }

    SimDoor door() {
        return door;
    }

    boolean stopping() {
        return stopping;
    }

    /** SIGTERM: the agent exits when it says that it may. */
    void terminate() {
        if (stopping) {
            return;
        }
        stopping = true;
        post(0, () -> core.stopRequested().thenRun(() -> post(0, () -> cell.agentExited(this))));
    }
}
