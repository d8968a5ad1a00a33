package org.cellkeeper.cell.sim;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Collections;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.DatabaseView.Data;
import org.cellkeeper.cell.model.DatabaseView.Receiver;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.StreamName;
import org.cellkeeper.cell.model.SyncSetting;
import org.cellkeeper.cell.model.Upstream;
import org.jspecify.annotations.Nullable;

/**
 * The PostgreSQL of one machine: what lies on its disk, and the processes that run on it now. It checks what PostgreSQL
 * checks and nothing more: the system identifier, the slot, the timeline by its number, and where a timeline forked off.
 */
final class SimPostgres {
    /** How a run of the postmaster is. */
    enum State {
        STOPPED,
        STARTING,
        RUNNING,
        SHUTTING_DOWN
    }

    private static final long RETRY = 100 * World.MILLI;
    private static final long FIRST_LSN = 0x1000000L;
    /** WAL is kept and removed in files of this size. */
    private static final long SEGMENT = 0x1000;

    private final World world;
    private final SimCell cell;

    // ---- on disk
    private Data data = Data.EMPTY;
    private @Nullable String systemId;
    private final ArrayList<WalRecord> wal = new ArrayList<>();
    private long flushed;
    private History history = History.FIRST;
    private final TreeMap<Integer, History> historyFiles = new TreeMap<>();
    private SettingsFile file = SettingsFile.INITIAL;
    private final SimSlots slots = new SimSlots();
    /** From where on there is WAL; the records before it are remembered as data alone. */
    private long oldestWal = FIRST_LSN;
    /** Where a recovery would begin. */
    private long redo = FIRST_LSN;

    private boolean standbySignal;
    private boolean cleanlyShutDown;
    private int controlTimeline = 1;
    private long controlEnd;
    private int controlRecoversOn = 1;
    private boolean controlInRecovery;

    // ---- in memory
    private State state = State.STOPPED;
    /** The postmaster itself, which survives the crash of a child. */
    private SimProcess postmaster;
    /** All its children: they die together. */
    private SimProcess run;

    private long postmasters;
    private boolean hungPostmaster;
    private boolean standby;
    private SettingsFile postmasterSettings = SettingsFile.INITIAL;
    private SettingsFile startupSettings = SettingsFile.INITIAL;
    /** A superuser has taken the commit rule away, in a file that is read after the agent's; this is on disk. */
    private boolean overruled;

    private final List<WalStream> senders = new ArrayList<>();
    private int pids;
    private long released;
    private final Deque<Commit> unflushed = new ArrayDeque<>();
    private final Deque<Commit> waiters = new ArrayDeque<>();
    private boolean flushScheduled;
    private @Nullable WalStream receiver;
    private boolean connecting;
    private boolean promoting;
    private boolean endKnown;
    private long receivedShared;
    private int replayIndex;
    private long replayed;
    private long replayLag;
    private boolean replayScheduled;
    private String lastProblem = "";
    private final List<Runnable> watchers = new ArrayList<>();
    /** What stories say of the pace of single processes. */
    private final Map<String, Long> paces = new HashMap<>();

    private boolean lingers;
    private boolean promotionsFail;
    /** It is no standby any more, and on no new timeline yet: a promotion was cut off. */
    private boolean unpromoted;

    private boolean tearsNext;
    /** A standby that starts does not get to open, as while the primary has transactions of too many parts. */
    private boolean keptClosed;
    /** It replays and streams, and lets nobody in. */
    private boolean closed;
    /** Somebody who reads keeps the startup process from replaying, and from anything else. */
    private boolean blocked;

    private boolean reloadWaits;
    private boolean promoteWhenReplayed;
    private int skipUpTo;
    /** Whether the WAL of this stopped instance has been read to its end. */
    private boolean endRead;
    /** What the observer last saw of the oldest WAL, in which run and on which timeline: it looks seldom. */
    private long oldestWalTold;

    private long oldestWalToldIn;
    private int oldestWalToldOn;

    SimPostgres(World world, SimCell cell) {
        this.world = world;
        this.cell = cell;
        run = new SimProcess(world);
        run.end();
        postmaster = run;
    }

    // ---- questions

    SimCell cell() {
        return cell;
    }

    Data data() {
        return data;
    }

    State state() {
        return state;
    }

    boolean isStopped() {
        return state == State.STOPPED;
    }

    /** Which run of the postmaster this is; 0 while none runs. */
    long postmasterRun() {
        return state == State.STOPPED ? 0 : postmasters;
    }

    boolean isRunning() {
        return state == State.RUNNING;
    }

    boolean isPrimary() {
        return state == State.RUNNING && !standby;
    }

    boolean isStandby() {
        return state == State.RUNNING && standby;
    }

    /** Replays and streams, be it open or not. */
    private boolean recovers() {
        return standby && (state == State.RUNNING || closed);
    }

    boolean standbySignal() {
        return standbySignal;
    }

    boolean paused() {
        return hungPostmaster;
    }

    SettingsFile file() {
        return file;
    }

    SettingsFile postmasterSettings() {
        return postmasterSettings;
    }

    int timeline() {
        return history.timeline();
    }

    History history() {
        return history;
    }

    long flushed() {
        return flushed;
    }

    long replayed() {
        return replayed;
    }

    @Nullable
    String systemId() {
        return systemId;
    }

    List<WalRecord> wal() {
        return Collections.unmodifiableList(wal);
    }

    @Nullable
    WalStream receiver() {
        return receiver;
    }

    List<WalStream> senders() {
        return Collections.unmodifiableList(senders);
    }

    int waiting() {
        return waiters.size();
    }

    /** All commits that are wholly on this disk. */
    BitSet commits() {
        BitSet all = new BitSet();
        for (WalRecord record : wal) {
            if (record.commit() != 0 && record.end() <= flushed) {
                all.set((int) record.commit());
            }
        }
        return all;
    }

    boolean holds(long commit) {
        for (int i = wal.size() - 1; i >= 0; i--) {
            if (wal.get(i).commit() == commit) {
                return wal.get(i).end() <= flushed;
            }
        }
        return false;
    }

    /** The same for a commit whose place is known. */
    boolean holds(long commit, long lsn) {
        int low = 0;
        int high = wal.size() - 1;
        while (low <= high) {
            int middle = (low + high) >>> 1;
            WalRecord record = wal.get(middle);
            if (record.end() == lsn) {
                return record.commit() == commit && lsn <= flushed;
            }
            if (record.end() < lsn) {
                low = middle + 1;
            } else {
                high = middle - 1;
            }
        }
        return false;
    }

    /** Whether all whole records here are also there, the very same ones. */
    boolean isPrefixOf(SimPostgres other) {
        int count = completeCount();
        return count == 0 || (count <= other.wal.size() && other.wal.get(count - 1) == wal.get(count - 1));
    }

    /** Is told after each change of processes or streams. */
    void watch(Runnable watcher) {
        watchers.add(watcher);
    }

    void unwatch(Runnable watcher) {
        watchers.remove(watcher);
    }

    private void changed() {
        for (Runnable watcher : List.copyOf(watchers)) {
            watcher.run();
        }
    }

    private void note(String what, @Nullable Object first, @Nullable Object second) {
        world.note(cell.label(), what, first, second);
    }

    // ---- the data directory

    void beginReplacing() {
        requireStopped();
        forget();
        data = Data.INCOMPLETE;
    }

    void initialised() {
        systemId = Long.toString(7_000_000_000_000_000_000L + world.random().nextLong(1_000_000_000L));
        data = Data.PRESENT;
        append(FIRST_LSN, 0x200, 0, "initdb");
        flushed = wal.getLast().end();
        replayed = flushed;
        replayIndex = wal.size();
        cleanlyShutDown = true;
        controlTimeline = 1;
        controlRecoversOn = 1;
        controlInRecovery = false;
        controlEnd = flushed;
        oldestWal = FIRST_LSN;
        redo = FIRST_LSN;
        note("initdb done", null, null);
    }

    /** The run of PostgreSQL that a clone is taken of; it makes its slot anew, and has a checkpoint written. Null when that cannot be. */
    @Nullable
    SimProcess beginClone(String slot) {
        if (!isRunning() || hungPostmaster || cell.diskFull() || !slots.beginClone(slot, this::slotBusy)) {
            return null;
        }
        checkpoint();
        slots.told(slot, redo);
        note("clone begins, through slot", slot, Long.toHexString(redo));
        return run;
    }

    /** Whether that clone can go on: PostgreSQL runs as it did, and the WAL that the clone needs is kept. */
    boolean feedsClone(String slot, SimProcess since) {
        if (run != since || !isRunning() || hungPostmaster || !slots.feedsClone(slot)) {
            return false;
        }
        slots.told(slot, flushed);
        return true;
    }

    void endClone(String slot) {
        slots.endClone(slot);
    }

    /** A base backup of whatever runs there, with its WAL up to now; false when it cannot be had. */
    boolean copyFrom(SimPostgres source, long begun) {
        String id = source.systemId;
        if (!source.isRunning() || source.hungPostmaster || id == null) {
            return false;
        }
        redo = begun;
        oldestWal = segment(begun);
        int complete = source.completeCount();
        systemId = id;
        wal.clear();
        wal.addAll(source.wal.subList(0, complete));
        flushed = wal.isEmpty() ? 0 : wal.getLast().end();
        history = source.historyOf(complete);
        historyFiles.clear();
        historyFiles.putAll(source.historyFiles);
        file = SettingsFile.INITIAL;
        slots.clear();
        standbySignal = true;
        cleanlyShutDown = false;
        controlTimeline = history.timeline();
        controlRecoversOn = history.timeline();
        controlInRecovery = true;
        unpromoted = false;
        replayIndex = (int) world.between(Math.max(0, complete - 30), complete);
        replayed = replayIndex == 0 ? FIRST_LSN : wal.get(replayIndex - 1).end();
        controlEnd = replayed;
        oldestWalToldIn = 0;
        data = Data.PRESENT;
        endRead = false;
        note("cloned from", source.cell.name(), Long.toHexString(flushed));
        return true;
    }

    private History historyOf(int records) {
        int timeline = records == 0 ? 1 : wal.get(records - 1).timeline();
        for (History one = history; one != null; one = one.parent()) {
            if (one.timeline() == timeline) {
                return one;
            }
        }
        return history;
    }

    private int completeCount() {
        int count = wal.size();
        while (count > 0 && wal.get(count - 1).end() > flushed) {
            count--;
        }
        return count;
    }

    void wipe() {
        requireStopped();
        forget();
    }

    void newDisk() {
        forget();
    }

    private void forget() {
        data = Data.EMPTY;
        systemId = null;
        wal.clear();
        flushed = 0;
        history = History.FIRST;
        historyFiles.clear();
        file = SettingsFile.INITIAL;
        overruled = false;
        slots.clear();
        standbySignal = false;
        cleanlyShutDown = false;
        controlTimeline = 1;
        controlRecoversOn = 1;
        controlInRecovery = false;
        unpromoted = false;
        controlEnd = 0;
        replayed = 0;
        replayIndex = 0;
        receivedShared = 0;
        oldestWal = FIRST_LSN;
        redo = FIRST_LSN;
        endKnown = false;
        endRead = false;
    }

    private void requireStopped() {
        if (state != State.STOPPED) {
            throw new IllegalStateException("PostgreSQL runs");
        }
    }

    /** Writes the settings file; nothing reads it before a reload or a start. */
    void write(SettingsFile next) {
        file = next;
        overruled = false;
    }

    /** A superuser's ALTER SYSTEM SET synchronous_standby_names = '', and a reload. */
    void overrule() {
        if (data == Data.PRESENT && state == State.RUNNING) {
            note("a superuser takes the commit rule away", null, null);
            overruled = true;
            reload();
        }
    }

    /** The agent looks at what ALTER SYSTEM has set, and strikes its own settings out. */
    void strikeOut() {
        if (overruled && !cell.diskFull() && !cell.diskHung()) {
            note("what a superuser has set is struck out", null, null);
            overruled = false;
            reload();
        }
    }

    private SettingsFile asRead() {
        return overruled ? file.withSync(SyncSetting.OTHER) : file;
    }

    // ---- start and stop

    /** Starts the postmaster; false when the data directory does not allow it. */
    boolean start(boolean asStandby) {
        if (state != State.STOPPED || data != Data.PRESENT || cell.diskFull()) {
            return false;
        }
        if (asStandby) {
            standbySignal = true;
        } else if (standbySignal) {
            return false;
        }
        note(asStandby ? "PostgreSQL starts as a standby" : "PostgreSQL starts as a primary", null, null);
        run = new SimProcess(world);
        postmaster = new SimProcess(world);
        postmasters++;
        endRead = false;
        overruled = false;
        boolean crashed = !cleanlyShutDown;
        cleanlyShutDown = false;
        postmasterSettings = file;
        startupSettings = file;
        controlInRecovery |= asStandby;
        if (asStandby) {
            unpromoted = false;
        } else if (unpromoted) {
            world.invariants.startedInsidePromotion(cell);
        }
        begin(asStandby, crashed);
        changed();
        return true;
    }

    /** What a start and a restart after a crash of a child have in common: memory is empty, WAL is replayed. */
    private void begin(boolean asStandby, boolean crashed) {
        state = State.STARTING;
        standby = asStandby;
        released = 0;
        receivedShared = 0;
        promoting = false;
        promoteWhenReplayed = false;
        closed = false;
        blocked = false;
        reloadWaits = false;
        connecting = false;
        receiver = null;
        flushScheduled = false;
        replayScheduled = false;
        endKnown = false;
        dropTorn(!asStandby);
        if (asStandby) {
            replayIndex = paces.containsKey("replay")
                    ? 0
                    : (int) world.between(Math.max(0, completeCount() - 40), completeCount());
            replayed = replayIndex == 0 ? FIRST_LSN : wal.get(replayIndex - 1).end();
        }
        long ready = crashed
                ? world.delay(60 * World.MILLI, 1_500 * World.MILLI)
                : world.delay(50 * World.MILLI, 300 * World.MILLI);
        world.post(run, ready, () -> cell.onDisk(run, () -> ready(crashed)));
    }

    private void ready(boolean crashed) {
        if (state != State.STARTING || closed) {
            return;
        }
        closed = standby && keptClosed;
        state = closed ? State.STARTING : State.RUNNING;
        if (standby) {
            note(closed ? "standby lets nobody in" : "standby accepts connections", null, null);
            Long told = paces.get("replay");
            world.post(
                    run,
                    told == null ? world.delay(5 * World.MILLI, 800 * World.MILLI) : told,
                    () -> cell.onDisk(run, () -> {
                        replayAll();
                        endKnown = true;
                        note("standby has replayed its WAL up to", Long.toHexString(replayed), null);
                        changed();
                        if (promoteWhenReplayed) {
                            // its agent had looked at what the disk holds before the start
                            forgetTimelinesBeyond();
                            makeTimelinesKnown(skipUpTo);
                            promote();
                        } else {
                            connectSoon(0);
                        }
                    }));
        } else {
            replayAll();
            endKnown = true;
            if (crashed) {
                append(insertPosition(), 0x70, 0, "end of recovery");
                flushed = wal.getLast().end();
                replayAll();
            }
            controlTimeline = history.timeline();
            controlRecoversOn = history.timeline();
            controlInRecovery = false;
            note("primary accepts connections, timeline", history.timeline(), Long.toHexString(flushed));
            if (!unpromoted) {
                world.invariants.opened(cell);
            }
        }
        changed();
    }

    /** A crash tears off what was not flushed; a primary also drops the head of a record that has no end. */
    private void dropTorn(boolean partialToo) {
        while (!wal.isEmpty()
                && (wal.getLast().start() >= flushed
                        || (partialToo && wal.getLast().end() > flushed))) {
            wal.removeLast();
        }
        if (partialToo && !wal.isEmpty()) {
            flushed = wal.getLast().end();
        }
        replayIndex = Math.min(replayIndex, wal.size());
    }

    /** Everything dies at once, as by an immediate stop, SIGKILL or a lost machine. */
    void crash(String why) {
        if (state == State.STOPPED) {
            return;
        }
        note("PostgreSQL is gone:", why, null);
        leaveInTransit();
        run.end();
        postmaster.end();
        world.databaseEnded(cell);
        state = State.STOPPED;
        hungPostmaster = false;
        loseMemory();
        changed();
    }

    /** A backend dies: PostgreSQL throws everybody out, recovers by itself, and keeps the settings it has in memory. */
    void backendCrash() {
        if (state != State.RUNNING) {
            return;
        }
        note("backend crash, PostgreSQL recovers", null, null);
        leaveInTransit();
        SimProcess old = run;
        run = new SimProcess(world);
        if (old.paused()) {
            run.pause();
        }
        old.end();
        loseMemory();
        startupSettings = postmasterSettings;
        // what it finds on the disk decides, and a promotion may have been under way
        begin(standbySignal, true);
        changed();
    }

    private void loseMemory() {
        closed = false;
        blocked = false;
        dropTorn(false);
        List<Commit> lost = new ArrayList<>(unflushed);
        lost.addAll(waiters);
        unflushed.clear();
        waiters.clear();
        lost.forEach(commit -> answer(commit, Commit.Answer.UNKNOWN));
        WalStream mine = receiver;
        if (mine != null) {
            closeReceiver(mine);
        }
        for (WalStream one : List.copyOf(senders)) {
            closeSender(one);
        }
        senders.clear();
    }

    /** What was on its way when the sender died may still arrive. */
    private void leaveInTransit() {
        for (WalStream one : List.copyOf(senders)) {
            if (one.sendScheduled
                    && one.open()
                    && !one.doomed
                    && one.receiverRun.running()
                    && world.perMille(500)
                    && wireWorks(one)) {
                one.receiver.receive(one, false);
            }
        }
    }

    /** SIGSTOP of all its processes. */
    void pause() {
        if (state != State.STOPPED && !hungPostmaster) {
            hungPostmaster = true;
            postmaster.pause();
            run.pause();
            disturbAll();
            changed();
        }
    }

    void resume() {
        if (hungPostmaster) {
            hungPostmaster = false;
            postmaster.resume();
            run.resume();
            disturbAll();
            changed();
        }
    }

    /**
     * Shuts down in mode fast. A primary terminates its sessions, writes the shutdown checkpoint, and waits until its
     * connected standbys have flushed it; only then it is gone.
     */
    void stopFast() {
        if (state == State.STOPPED || state == State.SHUTTING_DOWN) {
            return;
        }
        note("fast shutdown begins", null, null);
        boolean wasReady = state == State.RUNNING;
        state = State.SHUTTING_DOWN;
        List<Commit> lost = new ArrayList<>(waiters);
        waiters.clear();
        lost.forEach(commit -> answer(commit, Commit.Answer.UNKNOWN));
        world.post(
                run,
                Math.max(cell.stopsTake(), world.delay(4 * World.MILLI, 120 * World.MILLI)),
                () -> cell.onDisk(run, () -> {
                    if (state != State.SHUTTING_DOWN) {
                        return;
                    }
                    WalStream mine = receiver;
                    if (mine != null) {
                        closeReceiver(mine);
                    }
                    if (!standby && wasReady) {
                        finishFlush();
                        append(insertPosition(), 0x70, 0, "shutdown checkpoint");
                        flushed = wal.getLast().end();
                        replayAll();
                        cleanlyShutDown = true;
                        controlTimeline = history.timeline();
                        controlEnd = flushed;
                        note("shutdown checkpoint at", Long.toHexString(flushed), null);
                        redo = flushed;
                        removeOldWal();
                        senders.forEach(this::kick);
                    } else if (standby) {
                        controlEnd = replayed;
                    }
                    goWhenSent();
                }));
        changed();
    }

    private void goWhenSent() {
        if (state != State.SHUTTING_DOWN) {
            return;
        }
        for (WalStream one : senders) {
            if (one.senderOpen && !one.doomed && !standby && one.flushed < flushed) {
                world.post(run, 3 * World.MILLI, this::goWhenSent);
                return;
            }
        }
        note("PostgreSQL has shut down", null, null);
        run.end();
        postmaster.end();
        world.databaseEnded(cell);
        state = State.STOPPED;
        loseMemory();
        changed();
    }

    // ---- settings in force

    /** SIGHUP: the postmaster and each of its children read the file anew, each in its own time. */
    void reload() {
        if (state == State.STOPPED) {
            return;
        }
        Long slow = paces.get("postmaster");
        world.post(postmaster, slow == null ? world.delay(200, 4 * World.MILLI) : slow, () -> {
            postmasterSettings = asRead();
            if (acknowledgesByItself()) {
                // No promise is made of these, though a client cannot tell.
                cancelWaits();
            }
            world.invariants.commitRule(cell);
            for (WalStream one : senders) {
                world.post(run, reloadDelay(one.receiver.cell.label()), () -> {
                    if (one.senderOpen) {
                        one.settings = asRead();
                        world.invariants.commitRule(cell);
                        release(one);
                    }
                });
            }
            world.post(run, reloadDelay("startup"), this::startupReloads);
            changed();
        });
    }

    private long reloadDelay(String process) {
        Long slow = paces.get(process);
        if (slow != null) {
            return slow;
        }
        return world.perMille(world.weather.slowReloads)
                ? world.between(10 * World.MILLI, 3 * World.SECOND)
                : world.delay(100, 3 * World.MILLI);
    }

    /** From now on this process takes so long to reload: the postmaster, startup, or the walsender to the cell of that name. */
    void reloadsIn(String process, long micros) {
        paces.put(process, micros);
    }

    /** From now on a standby that starts, or starts anew after a crash of a child, takes so long to replay its WAL, all of it. */
    void replaysIn(long micros) {
        paces.put("replay", micros);
    }

    /** From now on this primary takes so long to refuse a standby whose WAL has diverged. */
    void refusesIn(long micros) {
        paces.put("refusal", micros);
    }

    /** The next record arrives without its end. */
    void tearsNext() {
        tearsNext = true;
    }

    /** The sender of a stream that breaks here notices it late. */
    void lingers() {
        lingers = true;
    }

    private void startupReloads() {
        if (blocked) {
            reloadWaits = true;
            return;
        }
        SettingsFile before = startupSettings;
        startupSettings = file;
        if (!standby) {
            return;
        }
        boolean same = sameUpstream(before, file);
        WalStream mine = receiver;
        if (!same && mine != null) {
            world.post(run, world.delay(300, 8 * World.MILLI), () -> {
                if (receiver == mine) {
                    closeReceiver(mine);
                    changed();
                    connectSoon(world.delay(World.MILLI, 20 * World.MILLI));
                }
            });
        } else if (!same) {
            connectSoon(world.delay(World.MILLI, 20 * World.MILLI));
        }
        changed();
    }

    private static boolean sameUpstream(SettingsFile one, SettingsFile other) {
        Upstream left = one.upstream();
        Upstream right = other.upstream();
        return left == null ? right == null : left.equals(right);
    }

    void terminateSenders(Set<Integer> pids) {
        for (WalStream one : List.copyOf(senders)) {
            if (one.senderOpen && pids.contains(one.pid)) {
                closeSender(one);
            }
        }
        changed();
    }

    Set<Integer> senderPids() {
        return senders.stream().map(one -> one.pid).collect(Collectors.toSet());
    }

    void terminateWaiters() {
        List<Commit> lost = new ArrayList<>(waiters);
        waiters.clear();
        for (Commit commit : lost) {
            if (world.weather.waitersCancelled) {
                acknowledge(commit);
            } else {
                answer(commit, Commit.Answer.UNKNOWN);
            }
        }
    }

    // ---- slots, and the removal of WAL

    SortedSet<String> slots() {
        return slots.names();
    }

    void makeSlot(String name) {
        slots.make(name);
    }

    void keepSlots(CellId self, TreeSet<String> wanted) {
        slots.keep(self::made, wanted, standby, this::slotBusy, redo, world.now(), postmasters);
    }

    long redo() {
        return redo;
    }

    long oldestWal() {
        return oldestWal;
    }

    private static long segment(long lsn) {
        return lsn - lsn % SEGMENT;
    }

    /** A checkpoint of a primary, or a restartpoint of a standby: WAL that nobody keeps goes. */
    void checkpoint() {
        if (!isRunning() || cell.diskHung()) {
            return;
        }
        redo = Math.max(redo, standby ? replayed : flushed);
        removeOldWal();
    }

    /** PostgreSQL's KeepLogSeg: wal_keep_size, and what the slots keep up to max_slot_wal_keep_size. */
    private void removeOldWal() {
        long end = standby ? flushed : insertPosition();
        long bySlots = Math.max(slots.keepFrom(), end - world.weather.slotsKeep);
        long keep = segment(Math.min(redo, Math.min(bySlots, end - world.weather.walKeep)));
        if (keep <= oldestWal) {
            return;
        }
        oldestWal = keep;
        note("removes its WAL before", Long.toHexString(keep), null);
        for (String slot : slots.removed(keep)) {
            note("slot is lost:", slot, null);
            world.statistics.count("slot lost");
            for (WalStream one : List.copyOf(senders)) {
                if (one.slot.equals(slot)) {
                    closeSender(one);
                }
            }
        }
    }

    /** Checkpoints as PostgreSQL itself writes them, from now on. */
    void checkpointsEvery(long micros) {
        world.after(world.between(micros / 2, micros * 3 / 2), () -> {
            if (isPrimary()) {
                writeNoise("checkpoint", 0x70);
            }
            checkpoint();
            checkpointsEvery(micros);
        });
    }

    boolean hasFreeSlot(String slot) {
        return slots.names().contains(slot) && !slotBusy(slot);
    }

    /** The slot of this name, or, where nobody proves anything, another one of the same standby. */
    private String slotFor(String slot) {
        return world.mutation() != Mutation.OTHER_END_UNPROVEN || slots.names().contains(slot)
                ? slot
                : slots.names().stream()
                        .filter(one -> one.regionMatches(0, slot, 0, slot.lastIndexOf('_')))
                        .findFirst()
                        .orElse(slot);
    }

    private boolean slotBusy(String slot) {
        return senders.stream().anyMatch(one -> one.senderOpen && one.slot.equals(slot));
    }

    // ---- transactions

    /** A client's transaction with one commit record; the answer comes by the listener. */
    void submit(Commit commit) {
        if (state != State.RUNNING || standby || postmasterSettings.readOnly() || cell.diskFull()) {
            answer(commit, Commit.Answer.REFUSED);
            return;
        }
        append(insertPosition(), world.between(5, 40) * 8, commit.id, "commit");
        commit.lsn = wal.getLast().end();
        unflushed.add(commit);
        scheduleFlush();
    }

    private void scheduleFlush() {
        if (!flushScheduled) {
            flushScheduled = true;
            world.post(
                    run,
                    world.delay(300, 3 * World.MILLI),
                    () -> cell.onDisk(run, () -> {
                        flushScheduled = false;
                        finishFlush();
                    }));
        }
    }

    /** WAL records that are no commits, as a checkpoint or a vacuum writes them. */
    void writeNoise(String kind, long size) {
        if (state == State.RUNNING && !standby) {
            append(insertPosition(), size, 0, kind);
            scheduleFlush();
        }
    }

    private void finishFlush() {
        if (standby || wal.isEmpty()) {
            return;
        }
        flushed = Math.max(flushed, wal.getLast().end());
        replayAll();
        while (!unflushed.isEmpty()) {
            Commit commit = unflushed.removeFirst();
            if (state != State.RUNNING) {
                answer(commit, Commit.Answer.UNKNOWN);
            } else if (acknowledgesByItself() && !world.weather.foreignEditsStay) {
                answer(commit, Commit.Answer.WARNED);
            } else if (acknowledgesByItself()) {
                // What was so for a moment may be an operator's own doing; for good it is the cell's.
                acknowledge(commit);
            } else if (commit.lsn <= released
                    || (world.weather.emptyNamesAcknowledge
                            && postmasterSettings.sync().names().isEmpty())) {
                acknowledge(commit);
            } else {
                waiters.add(commit);
            }
        }
        for (int i = 0; i < senders.size(); i++) {
            kick(senders.get(i));
        }
    }

    /** PostgreSQL's SyncRepReleaseWaiters: each walsender counts by the settings that it has read itself. */
    private void release(WalStream one) {
        if (!one.senderOpen || !one.streaming || one.priority() == 0 || one.flushed < 0) {
            return;
        }
        int wanted = one.settings.sync().acks();
        long[] positions = new long[senders.size()];
        int count = 0;
        for (int i = 0; i < senders.size(); i++) {
            WalStream other = senders.get(i);
            if (other.senderOpen && other.streaming && other.flushed >= 0 && other.priority() > 0) {
                positions[count++] = other.flushed;
            }
        }
        if (count < wanted) {
            return;
        }
        Arrays.sort(positions, 0, count);
        long upTo = positions[count - wanted];
        if (upTo <= released) {
            return;
        }
        released = upTo;
        while (!waiters.isEmpty() && waiters.peekFirst().lsn <= upTo) {
            acknowledge(waiters.removeFirst());
        }
    }

    /** A client's cancel request: a commit that waits ends in success with a warning, which is no acknowledgement. */
    void cancelWait(Commit commit) {
        if (waiters.remove(commit)) {
            note("a wait is cancelled", commit.id, null);
            answer(commit, Commit.Answer.WARNED);
        }
    }

    void cancelWaits() {
        List.copyOf(waiters).forEach(this::cancelWait);
    }

    private void acknowledge(Commit commit) {
        world.invariants.acknowledged(cell, commit);
        answer(commit, Commit.Answer.ACKNOWLEDGED);
    }

    private static void answer(Commit commit, Commit.Answer answer) {
        if (!commit.answered) {
            commit.answered = true;
            Commit.Listener listener = commit.listener;
            if (listener != null) {
                listener.answered(commit, answer);
            }
        }
    }

    private long insertPosition() {
        return wal.isEmpty() ? FIRST_LSN : wal.getLast().end();
    }

    private void append(long start, long size, long commit, String kind) {
        wal.add(new WalRecord(start, start + size, history.timeline(), commit, kind));
    }

    // ---- promotion

    /** Makes history files known, so that the next promotion takes a timeline above the given one. */
    void makeTimelinesKnown(int upTo) {
        for (int number = history.timeline() + 1; number <= upTo; number++) {
            if (!historyFiles.containsKey(number)) {
                historyFiles.put(number, new History(number, history, replayed));
            }
        }
    }

    /** Timelines that left the line of this WAL further on than it has got: PostgreSQL would take one of them for the parent of the next. */
    List<Integer> timelinesBeyond() {
        return historyFiles.values().stream()
                .filter(one -> one.timeline() > history.timeline() && one.leaves(history.timeline()) > replayed)
                .map(History::timeline)
                .toList();
    }

    void forgetTimelinesBeyond() {
        timelinesBeyond().forEach(historyFiles::remove);
    }

    /** Asks a running standby to become primary; it does so a moment later. */
    void promote() {
        if (!recovers() || promoting) {
            return;
        }
        promoting = true;
        note("promotion asked for", null, null);
        world.post(
                run,
                world.delay(3 * World.MILLI, 60 * World.MILLI),
                () -> cell.onDisk(run, () -> {
                    WalStream mine = receiver;
                    if (mine != null) {
                        closeReceiver(mine);
                    }
                    world.post(
                            run,
                            world.delay(10 * World.MILLI, 120 * World.MILLI),
                            () -> cell.onDisk(run, this::leaveRecovery));
                }));
    }

    /** From here on a restart begins as a primary, on the timeline that pg_control names. */
    private void leaveRecovery() {
        if (!promoting || !recovers()) {
            return;
        }
        replayAll();
        if (!timelinesBeyond().isEmpty()) {
            world.invariants.contradictoryHistory(cell);
        }
        standbySignal = false;
        unpromoted = true;
        note("promotion: no standby any more", null, null);
        world.moment(cell, "promotion");
        nextStep(() -> {
            int number = history.timeline() + 1;
            while (historyFiles.containsKey(number)) {
                number++;
            }
            History next = new History(number, history, replayed);
            historyFiles.put(number, next);
            note("promotion: history of timeline", number, null);
            if (promotionsFail) {
                crash("the promotion failed");
                return;
            }
            nextStep(() -> endRecovery(next));
        });
    }

    /** It went on on its old timeline after its promotion was cut off. */
    boolean isSpoiled() {
        return unpromoted && !controlInRecovery;
    }

    boolean hasLeftRecovery() {
        return unpromoted;
    }

    /** Each step of a promotion takes so long. */
    void promotesSlowly(long micros) {
        paces.put("promotion", micros);
    }

    /** Whether promotions end with PostgreSQL's exit, as when the next segment cannot be made. */
    void failPromotions(boolean so) {
        promotionsFail = so;
    }

    private void nextStep(Runnable step) {
        Long told = paces.get("promotion");
        long delay = told == null ? world.delay(500, 15 * World.MILLI) : told;
        world.post(run, delay, () -> cell.onDisk(run, step));
    }

    private void endRecovery(History next) {
        promoting = false;
        unpromoted = false;
        state = State.RUNNING;
        closed = false;
        while (wal.size() > replayIndex) {
            wal.removeLast();
        }
        flushed = replayed;
        history = next;
        int number = next.timeline();
        standby = false;
        endKnown = true;
        controlRecoversOn = number;
        released = 0;
        for (WalStream one : List.copyOf(senders)) {
            closeSender(one);
        }
        append(replayed, 0x50, 0, "end of recovery");
        flushed = wal.getLast().end();
        replayAll();
        nextStep(() -> {
            controlTimeline = number;
            controlInRecovery = false;
        });
        note("promoted to timeline", number, Long.toHexString(history.at()));
        world.invariants.opened(cell);
        changed();
    }

    // ---- replay

    private void replayAll() {
        while (replayIndex < wal.size()) {
            WalRecord record = wal.get(replayIndex);
            if (record.start() != replayed || record.end() > flushed) {
                return;
            }
            replayed = record.end();
            replayIndex++;
        }
    }

    /** Replay runs so far behind from now on; 0 for at once. */
    void replayLag(long micros) {
        replayLag = micros;
    }

    private void replaySoon() {
        if (blocked) {
            return;
        }
        if (replayLag == 0) {
            replayAll();
        } else if (!replayScheduled) {
            replayScheduled = true;
            world.post(run, replayLag, () -> {
                replayScheduled = false;
                if (blocked) {
                    return;
                }
                replayAll();
                changed();
            });
        }
    }

    /** Whether a standby that starts from now on gets to open. */
    void keepClosed(boolean so) {
        keptClosed = so;
        if (!so && closed) {
            closed = false;
            state = State.RUNNING;
            changed();
        }
    }

    /** Somebody reads at this standby what the next record removes. */
    void block() {
        if (isStandby() && endKnown) {
            blocked = true;
            note("a reader stands in the way of replay", null, null);
        }
    }

    /** Ends what stands in the way of replay. */
    void clearTheWay() {
        if (blocked) {
            blocked = false;
            note("the reader is gone", null, null);
            replaySoon();
            if (reloadWaits) {
                reloadWaits = false;
                startupReloads();
            }
        }
    }

    /** Promotes once all of the local WAL is replayed, open or not. */
    void promoteWhenReplayed(int higherThan) {
        promoteWhenReplayed = true;
        skipUpTo = higherThan;
    }

    void readEnd() {
        endRead = true;
    }

    // ---- the standby's end of a stream

    private void connectSoon(long delay) {
        if (connecting || receiver != null) {
            return;
        }
        connecting = true;
        world.post(run, delay, () -> {
            connecting = false;
            connect();
        });
    }

    private void connect() {
        SettingsFile mine = startupSettings;
        Upstream upstream = mine.upstream();
        CellId self = mine.self();
        if (!recovers() || promoting || promoteWhenReplayed || !endKnown || receiver != null) {
            return;
        }
        if (upstream == null || self == null) {
            return;
        }
        if (replayIndex < wal.size() && wal.get(replayIndex).end() <= flushed) {
            // first all that lies here is replayed
            replaySoon();
            if (replayLag != 0) {
                connectSoon(replayLag);
                return;
            }
        }
        SimCell there = world.databaseAt(upstream.host());
        if (there == null
                || there == cell
                || !there.on()
                || !world.network.openBothWays(SimNetwork.Kind.WAL, cell, there)
                || there.postgres().hungPostmaster) {
            connectSoon(world.between(RETRY * 3, RETRY * 8));
            return;
        }
        if (!there.postgres().accept(this, new StreamName(self, upstream.epoch()), self.slotOn(upstream.primary()))) {
            connectSoon(world.between(RETRY, RETRY + 20 * World.MILLI));
        } else if (receiver != null) {
            world.invariants.followed(cell, upstream.primary(), there);
        }
    }

    /** The upstream's answer to a standby that wants to stream: all that PostgreSQL checks. */
    private boolean accept(SimPostgres from, StreamName name, String asked) {
        String slot = slotFor(asked);
        if (state != State.RUNNING || systemId == null || !systemId.equals(from.systemId)) {
            return false;
        }
        if (!slots.serves(slot) || (world.weather.slotsExclusive && slotBusy(slot))) {
            return false;
        }
        int theirs = from.history.timeline();
        if (history.timeline() < theirs) {
            return false;
        }
        if (!standby) {
            world.invariants.connecting(from.cell, name, cell);
        }
        boolean doomed = false;
        if (history.timeline() > theirs) {
            for (int number = theirs + 1; number <= history.timeline(); number++) {
                History known = historyFiles.get(number);
                if (known == null) {
                    return false;
                }
                from.historyFiles.putIfAbsent(number, known);
            }
            long fork = history.leaves(theirs);
            if (fork < 0) {
                return false;
            }
            doomed = from.replayed > fork;
            if (!doomed) {
                from.truncate(fork);
                from.receivedShared = Math.min(from.receivedShared, from.flushed);
            }
        }
        WalStream one = new WalStream(this, from, run, from.run, name, slot, ++pids, world.now(), postmasterSettings);
        one.doomed = doomed;
        one.lastHeard = world.now();
        senders.add(one);
        from.receiver = one;
        from.dropHead();
        long wanted = from.wal.isEmpty()
                ? 0
                : Math.max(from.flushed, from.wal.getLast().end());
        one.next = firstFrom(wanted);
        one.starved = wanted < oldestWal;
        note(
                doomed ? "diverged standby streams for a moment:" : one.starved ? "has not the WAL for" : "stream to",
                name,
                one.pid);
        if (one.starved) {
            world.statistics.count("stream without WAL");
            world.post(run, world.between(World.MILLI, 40 * World.MILLI), () -> closeSender(one));
        }
        if (doomed) {
            Long told = paces.get("refusal");
            long refusal = told == null ? world.between(3 * World.MILLI, 40 * World.MILLI) : told;
            world.post(from.run, refusal, () -> {
                if (from.receiver == one) {
                    from.closeReceiver(one);
                    from.connectSoon(RETRY);
                }
            });
        }
        kick(one);
        changed();
        from.changed();
        return true;
    }

    /** The head of a record without its end is received anew. */
    private void dropHead() {
        if (!wal.isEmpty() && wal.getLast().end() > flushed) {
            wal.removeLast();
            flushed = wal.isEmpty() ? 0 : wal.getLast().end();
        }
    }

    private void truncate(long position) {
        while (!wal.isEmpty() && wal.getLast().start() >= position) {
            wal.removeLast();
        }
        flushed = Math.min(flushed, position);
        dropHead();
    }

    private int firstFrom(long position) {
        int low = 0;
        int high = wal.size();
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (wal.get(middle).start() < position) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }

    private void closeReceiver(WalStream one) {
        if (!one.receiverOpen) {
            return;
        }
        one.receiverOpen = false;
        if (receiver == one) {
            receiver = null;
        }
        if (one.senderOpen) {
            boolean late = lingers || world.perMille(world.weather.lingeringSenders);
            if (cell.on() && wireWorks(one) && !late) {
                world.post(one.senderRun, world.delay(200, 15 * World.MILLI), () -> one.sender.closeSender(one));
            } else {
                world.post(
                        one.senderRun,
                        world.between(2 * World.SECOND, 3 * World.SECOND),
                        () -> one.sender.closeSender(one));
            }
        }
    }

    private void closeSender(WalStream one) {
        if (!one.senderOpen) {
            return;
        }
        one.senderOpen = false;
        senders.remove(one);
        changed();
        if (one.receiverOpen) {
            SimPostgres there = one.receiver;
            boolean noticed = cell.on() && wireWorks(one);
            world.post(
                    one.receiverRun,
                    noticed ? world.delay(200, 6 * World.MILLI) : world.between(2 * World.SECOND, 3 * World.SECOND),
                    () -> there.upstreamLost(one));
        }
    }

    private void upstreamLost(WalStream one) {
        if (receiver != one) {
            return;
        }
        closeReceiver(one);
        note("stream broken", one.name, null);
        connectSoon(world.between(5 * World.MILLI, RETRY));
        changed();
    }

    private boolean wireWorks(WalStream one) {
        return world.network.openBothWays(SimNetwork.Kind.WAL, one.sender.cell, one.receiver.cell);
    }

    private boolean healthy(WalStream one) {
        return wireWorks(one) && !one.sender.hungPostmaster && !one.receiver.hungPostmaster && one.open();
    }

    /** The path to another cell was cut or mended. */
    void pathChanged(SimCell other) {
        for (WalStream one : List.copyOf(senders)) {
            if (one.receiver.cell == other) {
                disturb(one);
            }
        }
    }

    private void disturbAll() {
        for (WalStream one : List.copyOf(senders)) {
            disturb(one);
        }
        WalStream mine = receiver;
        if (mine != null) {
            mine.sender.disturb(mine);
        }
    }

    /** Both ends of a disturbed stream give up after their timeouts, unless it has recovered. */
    private void disturb(WalStream one) {
        if (healthy(one)) {
            one.disturbedAt = -1;
            one.lastHeard = world.now();
            kick(one);
            return;
        }
        if (one.disturbedAt >= 0) {
            if (wireWorks(one) && !one.open()) {
                // the first packet over the mended path is answered by a reset
                if (one.receiverOpen) {
                    world.post(
                            one.receiverRun,
                            world.delay(World.MILLI, 20 * World.MILLI),
                            () -> one.receiver.upstreamLost(one));
                } else if (one.senderOpen) {
                    world.post(one.senderRun, world.delay(World.MILLI, 20 * World.MILLI), () -> closeSender(one));
                }
            }
            return;
        }
        one.disturbedAt = world.now();
        long since = one.disturbedAt;
        world.post(one.receiverRun, world.between(2 * World.SECOND, 3 * World.SECOND), () -> {
            if (one.disturbedAt == since && one.receiverOpen) {
                one.receiver.upstreamLost(one);
            }
        });
        world.post(one.senderRun, world.between(2 * World.SECOND, 3 * World.SECOND), () -> {
            if (one.disturbedAt == since && one.senderOpen) {
                closeSender(one);
            }
        });
    }

    // ---- WAL on its way

    private void kick(WalStream one) {
        if (one.sendScheduled || !one.open()) {
            return;
        }
        one.sendScheduled = true;
        long extra = world.network.latency(SimNetwork.Kind.WAL, one.sender.cell, one.receiver.cell);
        world.post(one.receiverRun, extra + world.delay(400, 5 * World.MILLI), () -> {
            one.sendScheduled = false;
            if (one.open()
                    && !one.sender.hungPostmaster
                    && world.network.flows(SimNetwork.Kind.WAL, one.sender.cell, one.receiver.cell)) {
                one.receiver.cell.onDisk(one.receiverRun, () -> one.receiver.receive(one, true));
            }
        });
    }

    /** What the sender has flushed arrives, and is flushed here; sometimes it ends in the middle of a record. */
    private void receive(WalStream one, boolean goOn) {
        if (receiver != one || state == State.STOPPED) {
            return;
        }
        one.lastHeard = world.now();
        boolean more = false;
        if (!one.doomed && !one.starved) {
            List<WalRecord> source = one.sender.wal;
            long limit = one.sender.flushed;
            while (one.next < source.size() && source.get(one.next).end() <= limit) {
                WalRecord record = source.get(one.next);
                world.invariants.receiving(cell, one);
                boolean begun = !wal.isEmpty() && wal.getLast() == record;
                if (!begun && !wal.isEmpty() && record.start() < wal.getLast().end()) {
                    // What it has replayed already it does not replay again, whoever sends other bytes.
                    one.next++;
                    continue;
                }
                if (!begun) {
                    if (record.timeline() > history.timeline()) {
                        switchTo(one.sender, record.timeline());
                    }
                    wal.add(record);
                    if (world.perMille(world.weather.partialRecords) || tearsNext) {
                        tearsNext = false;
                        flushed = record.start() + (record.end() - record.start()) / 2;
                        more = true;
                        break;
                    }
                }
                flushed = record.end();
                one.next++;
            }
            receivedShared = Math.max(receivedShared, flushed);
            replaySoon();
            for (int i = 0; i < senders.size(); i++) {
                kick(senders.get(i));
            }
        }
        long position = Math.max(flushed, replayed);
        boolean caughtUp = !more && !one.starved;
        world.post(
                one.senderRun, world.delay(150, 3 * World.MILLI), () -> one.sender.reported(one, position, caughtUp));
        if (more && goOn) {
            kick(one);
        }
    }

    private void switchTo(SimPostgres upstream, int timeline) {
        for (History one = upstream.history; one != null; one = one.parent()) {
            if (one.timeline() == timeline) {
                history = one;
                return;
            }
        }
    }

    private void reported(WalStream one, long position, boolean caughtUp) {
        if (!one.senderOpen || !world.network.flows(SimNetwork.Kind.WAL, one.receiver.cell, cell)) {
            return;
        }
        one.flushed = Math.max(one.flushed, position);
        slots.told(one.slot, one.flushed);
        if (caughtUp && !one.streaming) {
            one.streaming = true;
            changed();
        }
        release(one);
        if (one.receiverOpen
                && !one.doomed
                && !one.starved
                && one.next < wal.size()
                && wal.get(one.next).end() <= flushed) {
            kick(one);
        }
    }

    // ---- what an observer sees

    /** The DETACHED of {@link DatabaseView.Receiver}: nothing streams, and nothing can. */
    boolean detached() {
        return receiver == null && startupSettings.upstream() == null && (endKnown || world.weather.detachedEarly);
    }

    DatabaseView view(@Nullable SyncSetting syncInForce, boolean withSlots, Set<Integer> olderSenders) {
        return new DatabaseView(
                data,
                systemId,
                data == Data.PRESENT
                        ? new DatabaseView.Control(
                                cleanlyShutDown,
                                controlTimeline,
                                new Lsn(controlEnd),
                                Math.max(controlTimeline, controlRecoversOn),
                                controlInRecovery)
                        : null,
                standbySignal,
                instance(withSlots, olderSenders),
                data == Data.PRESENT ? file.upstream() : null,
                data == Data.PRESENT ? file.sync() : null,
                syncInForce,
                file.readOnly(),
                withSlots ? slots.names() : Collections.emptySortedSet(),
                writes(),
                false,
                cell.diskFull() ? "no space left on device" : lastProblem);
    }

    private DatabaseView.Writes writes() {
        if (cell.diskFull() || cell.diskHungMillis() >= 1_000) {
            return DatabaseView.Writes.FAILED;
        }
        return cell.diskHung() ? DatabaseView.Writes.UNKNOWN : DatabaseView.Writes.OK;
    }

    private DatabaseView.Instance instance(boolean thoroughly, Set<Integer> olderSenders) {
        if (state == State.STOPPED) {
            return new DatabaseView.Stopped(endRead ? rest() : null);
        }
        if (hungPostmaster) {
            return new DatabaseView.Unresponsive(postmasters, receiver != null);
        }
        if (state != State.RUNNING) {
            return new DatabaseView.Starting(postmasters, receiver != null);
        }
        return standby ? standbyView() : primaryView(thoroughly, olderSenders);
    }

    private DatabaseView.Standby standbyView() {
        WalStream mine = receiver;
        Receiver how = mine != null ? Receiver.STREAMING : detached() ? Receiver.DETACHED : Receiver.WAITING;
        return new DatabaseView.Standby(
                postmasters,
                how,
                mine == null ? 0 : silence(mine),
                endKnown,
                new Lsn(Math.max(receivedShared, replayed)),
                new Lsn(replayed),
                history.timeline(),
                -1,
                blocked ? "replay waits for a reader" : "");
    }

    private DatabaseView.Rest rest() {
        int count = completeCount();
        return count == 0
                ? new DatabaseView.Rest(new Lsn(FIRST_LSN), 1)
                : new DatabaseView.Rest(
                        new Lsn(wal.get(count - 1).end()), wal.get(count - 1).timeline());
    }

    /** An idle sender still says something every 700 milliseconds. */
    private long silence(WalStream mine) {
        boolean heard = mine.senderOpen
                && !mine.sender.hungPostmaster
                && world.network.flows(SimNetwork.Kind.WAL, mine.sender.cell, cell);
        long quiet = (world.now() - mine.lastHeard) / World.MILLI;
        return heard ? quiet % 700 : quiet;
    }

    private DatabaseView.Primary primaryView(boolean thoroughly, Set<Integer> olderSenders) {
        if (thoroughly || oldestWalToldIn != postmasters || oldestWalToldOn != history.timeline()) {
            oldestWalTold = oldestWal;
            oldestWalToldIn = postmasters;
            oldestWalToldOn = history.timeline();
        }
        List<DatabaseView.WalSender> list = new ArrayList<>(senders.size());
        for (WalStream one : senders) {
            list.add(new DatabaseView.WalSender(
                    one.name,
                    one.streaming,
                    new Lsn(Math.max(0, one.flushed)),
                    one.priority(),
                    olderSenders.contains(one.pid),
                    one.pid));
        }
        return new DatabaseView.Primary(
                postmasters,
                history.timeline(),
                new Lsn(history.at()),
                new Lsn(flushed),
                list,
                waiters.size(),
                new Lsn(oldestWalTold));
    }

    private boolean acknowledgesByItself() {
        return postmasterSettings.sync().equals(SyncSetting.OTHER);
    }

    SyncSetting syncInForce() {
        return postmasterSettings.sync();
    }

    boolean answers() {
        return state == State.RUNNING && !hungPostmaster;
    }

    void problem(String words) {
        lastProblem = words;
    }

    String describe() {
        return "%s %s%s timeline %s flushed %x replayed %x, %d records, file %s, receiver %s, senders %s, waiting %d, WAL from %x, slots %s"
                .formatted(
                        data,
                        state,
                        state == State.STOPPED ? "" : standby ? " standby" : " primary",
                        history,
                        flushed,
                        replayed,
                        wal.size(),
                        file,
                        receiver,
                        senders,
                        waiters.size(),
                        oldestWal,
                        slots);
    }
}
