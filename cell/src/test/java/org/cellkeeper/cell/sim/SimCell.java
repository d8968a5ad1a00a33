package org.cellkeeper.cell.sim;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Random;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.CellSettings;
import org.cellkeeper.cell.model.Incarnation;
import org.cellkeeper.cell.model.LocalState;
import org.jspecify.annotations.Nullable;

/** One machine: its disk (state file and data directory), its PostgreSQL, its door, and the agent that runs on it now. */
final class SimCell {
    private record Parked(SimProcess owner, Runnable task) {}

    static final long CLOCKS_DIFFER_MILLIS = 3_600_000;

    private final World world;
    private final int index;
    private CellSettings settings;
    /** Before anybody changed it; -1 while nobody has. */
    private int priorityAtFirst = -1;

    private final SimPostgres postgres;
    private final DoorState doorState;
    private final double clockRate;
    private long clockAheadMillis;
    private final Deque<Parked> parkedOnDisk = new ArrayDeque<>();
    private final SimStateFile stateFile;
    private SimAgent.@Nullable Factory factory;
    private @Nullable AgentProcess agent;
    private boolean off;
    private boolean gone;
    private boolean paused;
    private boolean diskHung;
    private long diskHungSince;
    private boolean diskFull;
    private long checkpointsTake;
    private long stopsTake;
    private boolean guarded = true;
    private int runs;
    private int wipes;
    private @Nullable Incarnation lastIncarnation;

    SimCell(World world, int index, CellSettings settings) {
        this.world = world;
        this.index = index;
        this.settings = settings;
        factory = world.setup.factory();
        clockRate = 1.0 + world.between(-30, 30) / 1000.0;
        setClock(new Random(31 * world.setup.seed() + index).nextLong(-CLOCKS_DIFFER_MILLIS, CLOCKS_DIFFER_MILLIS));
        postgres = new SimPostgres(world, this);
        doorState = new DoorState(world, this);
        stateFile = new SimStateFile(world, this);
    }

    int index() {
        return index;
    }

    CellName name() {
        return settings.name();
    }

    String label() {
        return settings.name().value();
    }

    CellSettings settings() {
        return settings;
    }

    /** What the next agent of this cell finds configured. */
    void reconfigure(CellSettings next) {
        settings = next;
    }

    /** An operator changes the cell's priority in its file, and ends the agent. */
    void prioritise(int priority) {
        if (priorityAtFirst < 0) {
            priorityAtFirst = settings.priority();
        }
        settings = Records.with(settings, "priority", priority);
        killAgent();
    }

    SimPostgres postgres() {
        return postgres;
    }

    DoorState doorState() {
        return doorState;
    }

    double clockRate() {
        return clockRate;
    }

    long clockAheadMillis() {
        return clockAheadMillis;
    }

    /** The time of day is set: so far ahead of the world's, or with less than 0 behind. */
    void setClock(long aheadMillis) {
        clockAheadMillis = aheadMillis;
    }

    int wipes() {
        return wipes;
    }

    /** Tests that bring their own agents, or none, say so here. */
    void agentsBy(SimAgent.@Nullable Factory other) {
        factory = other;
    }

    /** Whether a dead agent comes back by itself. */
    void guarded(boolean on) {
        guarded = on;
    }

    Incarnation newIncarnation() {
        Incarnation next = Incarnation.of(world.random().nextInt());
        lastIncarnation = next;
        return next;
    }

    @Nullable
    Incarnation lastIncarnation() {
        return lastIncarnation;
    }

    // ---- the disk

    /** The state file, as far as its agent knows it to be durable. */
    @Nullable
    LocalState stateFile() {
        return stateFile.promised();
    }

    SimStateFile disk() {
        return stateFile;
    }

    /** Who this cell is, by its state file; null while it has none. */
    @Nullable
    CellId id() {
        LocalState state = stateFile.promised();
        return state == null ? null : new CellId(name(), state.incarnation());
    }

    boolean diskHung() {
        return diskHung;
    }

    long diskHungMillis() {
        return diskHung ? (world.now() - diskHungSince) / World.MILLI : 0;
    }

    boolean diskFull() {
        return diskFull;
    }

    /** What needs the disk: happens now, or when the disk answers again, if its owner lives by then. */
    void onDisk(SimProcess owner, Runnable task) {
        if (diskHung) {
            parkedOnDisk.add(new Parked(owner, task));
        } else {
            task.run();
        }
    }

    void hangDisk() {
        if (!diskHung) {
            world.note(label(), "disk hangs", null, null);
            diskHung = true;
            diskHungSince = world.now();
        }
    }

    void fillDisk() {
        if (!diskFull) {
            world.note(label(), "disk full", null, null);
            diskFull = true;
        }
    }

    /** A checkpoint takes so much longer. */
    void checkpointsTake(long micros) {
        world.note(label(), "checkpoints take", micros / World.MILLI, null);
        checkpointsTake = micros;
    }

    long checkpointsTake() {
        return checkpointsTake;
    }

    /** PostgreSQL takes so long at least to end its sessions when it is stopped fast. */
    void stopsTake(long micros) {
        world.note(label(), "fast stops take", micros / World.MILLI, null);
        stopsTake = micros;
    }

    long stopsTake() {
        return stopsTake;
    }

    void healDisk() {
        if (diskHung) {
            world.note(label(), "disk answers again", null, null);
            diskHung = false;
            while (!parkedOnDisk.isEmpty()) {
                Parked parked = parkedOnDisk.removeFirst();
                world.post(parked.owner(), world.delay(0, 5 * World.MILLI), parked.task());
            }
        }
        diskFull = false;
        checkpointsTake = 0;
        stopsTake = 0;
        stateFile.heal();
    }

    // ---- life and death

    @Nullable
    AgentProcess agent() {
        return agent;
    }

    /** Whether the kernel of the machine answers: a dead process's connections are reset, a dead machine's are silent. */
    boolean on() {
        return !off;
    }

    boolean paused() {
        return paused;
    }

    boolean agentRuns() {
        return agent != null && agent.running();
    }

    void startAgent() {
        SimAgent.Factory maker = factory;
        if (maker == null || gone || agent != null || off) {
            return;
        }
        world.note(label(), "agent starts", runs, null);
        agent = new AgentProcess(world, this, runs++, maker);
        if (paused) {
            agent.pause();
        }
        agent.start();
    }

    /** SIGKILL of the agent alone. */
    void killAgent() {
        AgentProcess victim = agent;
        if (victim == null) {
            return;
        }
        world.note(label(), "agent killed", null, null);
        bury(victim, on());
        if (guarded) {
            world.after(world.delay(30 * World.MILLI, 4 * World.SECOND), this::startAgent);
        }
    }

    /** SIGTERM of the agent; it comes back a while after it has gone. */
    void terminateAgent() {
        AgentProcess one = agent;
        if (one != null) {
            world.note(label(), "agent asked to stop", null, null);
            one.terminate();
        }
    }

    void agentExited(AgentProcess one) {
        if (agent != one) {
            return;
        }
        world.note(label(), "agent exited", null, null);
        one.coordination().close();
        bury(one, true);
        if (guarded) {
            world.after(world.between(500 * World.MILLI, 8 * World.SECOND), this::startAgent);
        }
    }

    private void bury(AgentProcess victim, boolean reset) {
        agent = null;
        victim.end();
        victim.journal().agentDied();
        victim.database().agentDied();
        victim.coordination().agentDied();
        victim.peers().agentDied(reset);
    }

    /** SIGKILL of the postmaster. */
    void killDatabase() {
        world.invariants.databaseKilled(this);
        world.note(label(), "PostgreSQL killed", null, null);
        postgres.crash("killed");
    }

    /** All processes of the cell at once; {@code power}: the machine goes too, and nobody resets its connections. */
    void kill(boolean power) {
        if (gone) {
            return;
        }
        world.note(label(), power ? "power off" : "all processes killed", null, null);
        off = power;
        if (paused) {
            resume();
        }
        AgentProcess victim = agent;
        if (victim != null) {
            bury(victim, !power);
        }
        if (power) {
            stateFile.powerLost();
        }
        postgres.crash("machine gone");
        doorState.kill();
        parkedOnDisk.clear();
    }

    /** The machine is lost for good, with all that is on it. */
    void lose() {
        world.note(label(), "lost for good", null, null);
        kill(true);
        gone = true;
    }

    boolean gone() {
        return gone;
    }

    /** After {@link #kill}: the machine is there again, its agent starts. */
    void boot() {
        if (gone) {
            return;
        }
        if (off || agent == null) {
            world.note(label(), "boots", null, null);
            off = false;
            startAgent();
        }
    }

    /** SIGSTOP of everything on the machine; its peers see silence. */
    void pause() {
        if (paused) {
            return;
        }
        world.note(label(), "paused", null, null);
        paused = true;
        AgentProcess one = agent;
        if (one != null) {
            one.pause();
            one.coordination().pausedOrResumed();
        }
        postgres.pause();
    }

    void pauseAgent() {
        AgentProcess one = agent;
        if (one != null && !one.paused()) {
            world.note(label(), "agent paused", null, null);
            one.pause();
            one.coordination().pausedOrResumed();
        }
    }

    void resume() {
        AgentProcess one = agent;
        if (paused || (one != null && one.paused()) || postgres.paused()) {
            world.note(label(), "resumed", null, null);
        }
        paused = false;
        postgres.resume();
        if (one != null && one.paused()) {
            one.resume();
            one.coordination().pausedOrResumed();
        }
    }

    /** A new, empty machine under the old name and address. */
    void wipe() {
        if (gone) {
            return;
        }
        kill(false);
        world.note(label(), "wiped", null, null);
        stateFile.wipe();
        wipes++;
        healDisk();
        postgres.newDisk();
        world.invariants.wiped(this);
    }

    void heal() {
        if (priorityAtFirst >= 0 && priorityAtFirst != settings.priority()) {
            prioritise(priorityAtFirst);
        }
        resume();
        healDisk();
        postgres.keepClosed(false);
        postgres.failPromotions(false);
        postgres.clearTheWay();
        boot();
    }

    String describe() {
        AgentProcess one = agent;
        return "cell %s: %s%s agent %s, disk%s%s, state file %s%n    PostgreSQL %s%n    %s"
                .formatted(
                        name(),
                        gone ? "GONE " : off ? "OFF " : "",
                        paused ? "PAUSED " : "",
                        one == null ? "none" : (one.paused() ? "paused" : "runs"),
                        diskHung ? " hung" : "",
                        diskFull ? " full" : "",
                        stateFile.promised(),
                        postgres.describe(),
                        one == null ? "" : one.core().describe());
    }
}
