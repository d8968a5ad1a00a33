package org.cellkeeper.cell.sim;

import java.util.function.Predicate;
import org.cellkeeper.cell.model.LocalState;
import org.jspecify.annotations.Nullable;

/**
 * One cell's state file, and the disk below it: what a process reads there, what the loss of power would leave, and what an
 * agent has been told that it has. The three part when a save fails at its last step, or is cut off: the new file is there then,
 * and not durable.
 */
final class SimStateFile {
    /** What becomes of a save. */
    enum Fate {
        SAVED,
        FAILED,
        /** The new file is in place, but the folder was not made durable. */
        FAILED_BUT_THERE
    }

    private final World world;
    private final SimCell cell;
    private @Nullable LocalState there;
    private @Nullable LocalState durable;
    private @Nullable LocalState promised;
    /** How often (per mille) a save fails. */
    private int failing;

    private long slowness;
    private @Nullable Predicate<LocalState> scripted;
    private Fate scriptedFate = Fate.FAILED;

    SimStateFile(World world, SimCell cell) {
        this.world = world;
        this.cell = cell;
    }

    /** What an agent has last read there or been told that it was saved. */
    @Nullable
    LocalState promised() {
        return promised;
    }

    /** What a new agent finds; it makes durable what it finds, or with {@code careless} does not. */
    @Nullable
    LocalState load(boolean careless) {
        if (!careless) {
            durable = there;
        }
        promise(there);
        return there;
    }

    private void promise(@Nullable LocalState state) {
        LocalState before = promised;
        promised = state;
        if (state != null && !state.equals(before)) {
            world.invariants.saved(cell, before, state);
        }
    }

    /** The last step of a save; tells how it went. */
    Fate save(LocalState state) {
        Fate fate = fate(state);
        if (fate != Fate.FAILED) {
            there = state;
        }
        if (fate == Fate.SAVED) {
            durable = state;
            promise(state);
        } else {
            world.note(cell.label(), "a save of the state file fails:", fate, state);
            world.statistics.count("save " + fate);
        }
        return fate;
    }

    private Fate fate(LocalState state) {
        Predicate<LocalState> which = scripted;
        if (which != null && which.test(state)) {
            scripted = null;
            return scriptedFate;
        }
        // Now and then a full disk has room for a small file.
        if (cell.diskFull() && !world.perMille(100)) {
            return Fate.FAILED;
        }
        if (world.perMille(failing)) {
            return world.perMille(300) ? Fate.FAILED_BUT_THERE : Fate.FAILED;
        }
        return Fate.SAVED;
    }

    /** A save was cut off as its agent died. */
    void cutOff(LocalState state) {
        if (!cell.diskHung() && !cell.diskFull() && world.perMille(500)) {
            there = state;
            if (world.perMille(500)) {
                durable = state;
            }
        }
    }

    /** What was not made durable may be gone. */
    void powerLost() {
        if (!world.perMille(500)) {
            there = durable;
        }
    }

    /** The next save of which this is true has this fate. */
    void next(Predicate<LocalState> which, Fate fate) {
        scripted = which;
        scriptedFate = fate;
    }

    /** Whether the save that was spoken of has come. */
    boolean scriptIsDone() {
        return scripted == null;
    }

    void failsPerMille(int chance) {
        failing = chance;
    }

    /** Every save takes so much longer. */
    void slowBy(long micros) {
        slowness = micros;
    }

    long slowness() {
        return slowness;
    }

    boolean troubled() {
        return failing > 0 || slowness > 0;
    }

    void heal() {
        failing = 0;
        slowness = 0;
    }

    void wipe() {
        there = null;
        durable = null;
        promised = null;
        scripted = null;
        heal();
    }
}
