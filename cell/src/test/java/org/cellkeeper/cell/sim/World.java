package org.cellkeeper.cell.sim;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.BiConsumer;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.CellSettings;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.HistoryEntry;
import org.jspecify.annotations.Nullable;

/**
 * A whole cluster in one thread: cells with agents and PostgreSQL, their network, ZooKeeper, and clients. Everything that
 * happens is an event at a virtual time in microseconds, and every choice comes from the one random source: one seed is
 * one run. It never looks at a real clock and never starts a thread.
 */
final class World {
    static final long MILLI = 1_000;
    static final long SECOND = 1_000_000;
    private static final Instant BIRTHDAY = Instant.parse("2026-01-01T00:00:00Z");

    /** How to set up a world; everything else follows from the seed. {@code unfit} is the index of a cell of priority 0; 0 for none. */
    record Setup(
            long seed,
            int cells,
            FailoverMode mode,
            Mutation mutation,
            CellSettings.IsolationResponse isolation,
            CellSettings.Timing timing,
            int unfit,
            SimAgent.@Nullable Factory factory) {
        static Setup of(long seed, int cells, SimAgent.@Nullable Factory factory) {
            return new Setup(
                    seed,
                    cells,
                    FailoverMode.AUTOMATIC,
                    Mutation.NONE,
                    CellSettings.IsolationResponse.READ_ONLY,
                    CellSettings.Timing.defaults(),
                    0,
                    factory);
        }

        Setup with(FailoverMode firstMode) {
            return new Setup(seed, cells, firstMode, mutation, isolation, timing, unfit, factory);
        }

        /** With a cell of priority 0; the first one is none. */
        Setup withUnfit(int index) {
            return new Setup(seed, cells, mode, mutation, isolation, timing, index, factory);
        }
    }

    /** How nasty the world is by itself, apart from the faults that somebody injects. */
    static final class Weather {
        /** Chance (per mille) that a write's answer is lost though nothing else is wrong. */
        int answersLost;
        /** Chance (per mille) that WAL arrives cut in the middle of a record. */
        int partialRecords = 100;
        /** Chance (per mille) that a process is slow to reload its settings: up to three seconds. */
        int slowReloads = 30;
        /** Chance (per mille) that a broken stream's sender notices late. */
        int lingeringSenders = 80;
        /** Chance (per mille) that a new session first reads something old. */
        int oldFirstReads = 250;
        /** How long one of the four parts of a clone may take. */
        long clonePart = 700 * MILLI;
        /** Whether a slot serves one connection at a time, as PostgreSQL's slots do. */
        boolean slotsExclusive = true;
        /** A broken PostgreSQL that waits for nobody when nobody is named. */
        boolean emptyNamesAcknowledge;
        /** A program that cancels what it should terminate, and clients that take a warning for success. */
        boolean waitersCancelled;
        /** An adapter that leaves what ALTER SYSTEM has set as it is. */
        boolean foreignEditsStay;
        /** Whether a standby may say that it is detached before it has replayed what lies on its disk. */
        boolean detachedEarly = true;
        /** How often (per mille) a reader who stands in the way of replay comes back at once when he is ended. */
        int obstinateReaders;
        /** Chance (per mille) that a client cancels a commit that waits. */
        int waitsCancelled;
        /** Chance (per mille) that a step of a verb of PostgreSQL's adapter is the last one that it takes. */
        int verbsFail;
        /** How much WAL a primary keeps whatever the slots say (wal_keep_size). */
        long walKeep = 128L << 20;
        /** How much WAL a slot may keep (max_slot_wal_keep_size). */
        long slotsKeep = 1L << 30;
        /** Whether what agents do is judged at all; not when hand-made agents play with one port. */
        boolean judged = true;
        /** Whether only lost commits (I1, I2) are violations. */
        boolean lossesOnly;
        /** Chance (per mille) that a door does not do, or does not say, what it is told. */
        int doorsFail;
        /** Whether I8 is asked of doors too. */
        boolean doorsWatched = true;
        /** Whether the delays of the world vary; the traces switch that off. */
        boolean varied = true;
    }

    final Setup setup;
    final Weather weather = new Weather();
    final EventLog log = new EventLog();
    final SimNetwork network;
    final SimEnsemble ensemble;
    final Invariants invariants;
    final Statistics statistics = new Statistics();
    private final SplittableRandom random;
    private final EventQueue queue = new EventQueue();
    private final List<SimCell> cells = new ArrayList<>();
    private final List<SimClient> clients = new ArrayList<>();
    private final Map<SimCell, SimCell> strangers = new HashMap<>();
    private @Nullable BiConsumer<SimCell, String> lurker;
    private long now;
    private long events;
    private long commits;
    private Mutation mutation = Mutation.NONE;

    World(Setup setup) {
        this.setup = setup;
        breakBy(setup.mutation());
        random = new SplittableRandom(setup.seed());
        network = new SimNetwork(this, setup.cells());
        ensemble = new SimEnsemble(this);
        invariants = new Invariants(this);
        for (int i = 0; i < setup.cells(); i++) {
            cells.add(new SimCell(this, i, settingsOf(i)));
        }
    }

    private CellSettings settingsOf(int index) {
        CellName name = new CellName(String.valueOf((char) ('a' + index)));
        Address address = new Address("10.0.0." + (index + 1), 5432, 5480, 5481);
        List<String> servers = IntStream.rangeClosed(1, setup.cells())
                .mapToObj(number -> "10.0.0." + number)
                .toList();
        return new CellSettings(
                        name,
                        address,
                        index > 0 && index == setup.unfit() ? 0 : 100,
                        "default",
                        new CellName("a"),
                        setup.mode(),
                        setup.isolation(),
                        1,
                        setup.timing())
                .withServers(servers, "");
    }

    long seed() {
        return setup.seed();
    }

    Mutation mutation() {
        return mutation;
    }

    /** From now on the world is broken in this way. */
    void breakBy(Mutation broken) {
        mutation = broken;
        if (broken == Mutation.LINGERING_SENDER_COUNTS) {
            weather.slotsExclusive = false;
            weather.lingeringSenders = 400;
        }
        if (broken == Mutation.CANCELLED_WAIT_ACKNOWLEDGES) {
            weather.waitersCancelled = true;
        }
        if (broken == Mutation.NAMES_EMPTIED) {
            weather.emptyNamesAcknowledge = true;
        }
        if (broken == Mutation.FOREIGN_EDITS_STAY) {
            weather.foreignEditsStay = true;
        }
    }

    // ---- time and events

    long now() {
        return now;
    }

    long nowMillis() {
        return now / MILLI;
    }

    Instant wallClock() {
        return BIRTHDAY.plus(Duration.ofNanos(now * 1_000));
    }

    long events() {
        return events;
    }

    /** An event of nobody: it happens whoever dies. */
    void after(long delayMicros, Runnable task) {
        queue.add(now + delayMicros, null, task);
    }

    /** An event of a process: it dies with the process, and waits while that is paused. */
    void post(SimProcess owner, long delayMicros, Runnable task) {
        queue.add(now + delayMicros, owner, task);
    }

    /** Takes one step; false when nothing is left to happen. */
    boolean step() {
        if (queue.isEmpty()) {
            return false;
        }
        EventQueue.Event event = queue.poll();
        now = event.time();
        SimProcess owner = event.owner();
        if (owner != null) {
            if (!owner.alive()) {
                return true;
            }
            if (owner.paused()) {
                owner.defer(event.task());
                return true;
            }
        }
        events++;
        try {
            event.task().run();
        } catch (Violation violation) {
            throw violation;
        } catch (RuntimeException | AssertionError broken) {
            throw violation("CRASH", broken.toString(), broken);
        }
        invariants.afterEvent();
        return true;
    }

    void run(Duration span) {
        long end = now + span.toNanos() / 1_000;
        while (!queue.isEmpty() && queue.nextTime() <= end) {
            step();
        }
        now = end;
    }

    /** Runs until the condition holds, for at most this span; says whether it held. */
    boolean runUntil(BooleanSupplier condition, Duration atMost) {
        long end = now + atMost.toNanos() / 1_000;
        while (!condition.getAsBoolean()) {
            if (queue.isEmpty() || queue.nextTime() > end) {
                now = end;
                return condition.getAsBoolean();
            }
            step();
        }
        return true;
    }

    // ---- chance

    SplittableRandom random() {
        return random;
    }

    /** A delay in microseconds, mostly near the lower end; the lower end itself in a world that does not vary. */
    long delay(long leastMicros, long mostMicros) {
        if (!weather.varied || mostMicros <= leastMicros) {
            return leastMicros;
        }
        double u = random.nextDouble();
        return leastMicros + (long) ((mostMicros - leastMicros) * u * u * u);
    }

    /** Any value of the range alike. */
    long between(long least, long most) {
        if (!weather.varied || most <= least) {
            return least;
        }
        return least + random.nextLong(most - least + 1);
    }

    boolean perMille(int chance) {
        return weather.varied && chance > 0 && random.nextInt(1000) < chance;
    }

    // ---- inhabitants

    List<SimCell> cells() {
        return cells;
    }

    SimCell cell(String name) {
        SimCell cell = find(new CellName(name));
        if (cell == null) {
            throw new IllegalArgumentException("no cell " + name);
        }
        return cell;
    }

    @Nullable
    SimCell find(CellName name) {
        for (SimCell cell : cells) {
            if (cell.name().equals(name)) {
                return cell;
            }
        }
        return null;
    }

    /** Whose PostgreSQL answers there: addresses may have changed places. */
    @Nullable
    SimCell databaseAt(String host) {
        SimCell cell = at(host);
        return cell == null ? null : strangers.getOrDefault(cell, cell);
    }

    /** Two cells' PostgreSQL answer at each other's addresses from now on; what is connected stays so. */
    void swapAddresses(SimCell one, SimCell other) {
        SimCell there = strangers.getOrDefault(one, one);
        strangers.put(one, strangers.getOrDefault(other, other));
        strangers.put(other, there);
        note("world", "addresses change places:", one.name(), other.name());
    }

    void restoreAddresses() {
        strangers.clear();
    }

    /** Those who have a connection to this PostgreSQL hear that it has ended, unless its machine is silent. */
    void databaseEnded(SimCell ended) {
        for (SimCell other : cells) {
            AgentProcess agent = other.agent();
            boolean hears = ended.on() && (other == ended || network.open(SimNetwork.Kind.WAL, ended, other));
            if (agent != null && hears) {
                agent.post(delay(500, 3 * MILLI), () -> agent.door().startle(ended));
            }
        }
    }

    @Nullable
    SimCell at(String host) {
        for (SimCell cell : cells) {
            if (cell.settings().address().host().equals(host)) {
                return cell;
            }
        }
        return null;
    }

    List<SimClient> clients() {
        return clients;
    }

    SimClient addClient(SimClient.Manner manner, long thinkMicros) {
        SimClient client = new SimClient(this, clients.size(), manner, thinkMicros);
        clients.add(client);
        client.start();
        return client;
    }

    long nextCommit() {
        return ++commits;
    }

    long commits() {
        return commits;
    }

    /** Starts the agents of all cells, one shortly after the other. */
    void startAll() {
        for (SimCell cell : cells) {
            after(between(0, 500 * MILLI), cell::startAgent);
        }
    }

    /** Ends every fault: cuts, pauses, hung disks, an absent ZooKeeper, dead agents. */
    void healAll() {
        note("world", "heal everything", null, null);
        network.healAll();
        ensemble.heal();
        cells.forEach(SimCell::heal);
        restoreAddresses();
        weather.answersLost = 0;
        weather.verbsFail = 0;
    }

    // ---- moments

    /** Whoever lies in wait for the moments at which something remarkable happens. */
    void ambush(BiConsumer<SimCell, String> ambusher) {
        lurker = ambusher;
    }

    /** Something remarkable is happening at this cell. */
    void moment(SimCell cell, String what) {
        BiConsumer<SimCell, String> current = lurker;
        if (current != null) {
            current.accept(cell, what);
        }
    }

    // ---- what is written down

    void note(String subject, String what, @Nullable Object first, @Nullable Object second) {
        log.add(now, subject, what, first, second);
    }

    Violation violation(String invariant, String headline, @Nullable Throwable cause) {
        StringBuilder report = new StringBuilder();
        report.append("seed %d, %d cells, mutation %s, at %.3f virtual seconds, after %d events%n"
                .formatted(setup.seed(), setup.cells(), mutation, now / 1e6, events));
        if (weather.varied) {
            report.append("replay: scripts/simulate --seed %d --cells %d%s%n"
                    .formatted(
                            setup.seed(), setup.cells(), mutation == Mutation.NONE ? "" : " --mutation " + mutation));
        }
        report.append("state: ").append(ensemble.truth()).append('\n');
        report.append("present: ").append(ensemble.tree().present()).append('\n');
        cells.forEach(cell -> report.append(cell.describe()).append('\n'));
        report.append("the last of the history:\n");
        List<HistoryEntry> history = ensemble.history();
        history.subList(Math.max(0, history.size() - 12), history.size())
                .forEach(entry -> report.append("  ").append(entry).append('\n'));
        report.append("the last events:\n");
        log.last(200).forEach(line -> report.append(line).append('\n'));
        return new Violation(invariant, headline, report.toString(), cause);
    }
}
