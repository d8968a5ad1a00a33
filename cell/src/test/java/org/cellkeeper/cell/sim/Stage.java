package org.cellkeeper.cell.sim;

import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.function.BooleanSupplier;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.HistoryEntry;
import org.cellkeeper.cell.model.LocalState;
import org.cellkeeper.cell.model.Phase;
import org.cellkeeper.cell.model.Task;
import org.cellkeeper.cell.port.Operator;

/**
 * A world to play a story in by hand: real cores, calm weather (every delay at its least), nothing breaks that the story
 * does not break. The invariants are watched all the time.
 */
final class Stage {
    /** Longer than anything takes that comes by itself, the dropping of a voter that is away among them. */
    static final Duration SOON = Duration.ofSeconds(90);

    private final World world;
    private final TreeSet<Long> acknowledged = new TreeSet<>();

    Stage(int cells) {
        this(cells, 0);
    }

    /** {@code unfit}: the index of a cell of priority 0; 0 for none. */
    Stage(int cells, int unfit) {
        world = new World(World.Setup.of(1, cells, CoreAgent::new).withUnfit(unfit));
        world.weather.varied = false;
        world.cells().forEach(cell -> cell.guarded(false));
        world.startAll();
    }

    /** With the cluster born, and all of its cells voters. */
    Stage born() {
        await("all cells vote", () -> {
            ClusterState state = world.ensemble.state();
            return state != null
                    && state.isSteady()
                    && state.voters().size() == world.cells().size();
        });
        await("PostgreSQL agrees", () -> primary().postgres().syncInForce().equals(state().syncSetting()));
        pass(200);
        return this;
    }

    /** From now on the world is broken in this way; {@code lossesOnly}: only lost commits (I1, I2) are violations. */
    Stage brokenBy(Mutation mutation, boolean lossesOnly) {
        world.breakBy(mutation);
        world.weather.lossesOnly = lossesOnly;
        return this;
    }

    World world() {
        return world;
    }

    SimCell cell(String name) {
        return world.cell(name);
    }

    SimNetwork network() {
        return world.network;
    }

    ClusterState state() {
        return Objects.requireNonNull(world.ensemble.state(), "no cluster yet");
    }

    CellId id(String name) {
        return Objects.requireNonNull(cell(name).id(), "no state file yet");
    }

    /** What a cell durably knows. */
    LocalState knownTo(String name) {
        return Objects.requireNonNull(cell(name).stateFile(), "no state file yet");
    }

    /** The shared state, as a cell durably knows it. */
    ClusterState seenBy(String name) {
        return Objects.requireNonNull(knownTo(name).seen(), "no cluster yet").state();
    }

    /** The cell that the shared state calls primary. */
    SimCell primary() {
        return Objects.requireNonNull(world.find(state().primary().name()), "no such cell");
    }

    boolean isWritable(String name) {
        AgentProcess agent = cell(name).agent();
        return agent != null && agent.core().operator().isPrimary();
    }

    /** Begins a transaction at a cell, whatever that is; its number tells it from others. */
    long write(String name) {
        long number = world.nextCommit();
        cell(name).postgres().submit(new Commit(number, (commit, answer) -> {
            if (answer == Commit.Answer.ACKNOWLEDGED) {
                acknowledged.add(commit.id);
            }
        }));
        return number;
    }

    /** A commit that one cell alone can acknowledge: all others hear nothing new from the primary. */
    long writeAcknowledgedBy(String primary, String... acknowledgers) {
        for (SimCell other : world.cells()) {
            boolean hears = List.of(acknowledgers).contains(other.label());
            if (!other.label().equals(primary) && !hears) {
                slow(SimNetwork.Kind.WAL, primary, other.label(), 60_000);
            }
        }
        pass(50);
        long commit = write(primary);
        await("acknowledged by " + List.of(acknowledgers), () -> isAcknowledged(commit));
        return commit;
    }

    /** With all rules kept this commit has no acknowledgement; without one, the invariants are to say so. */
    void hasNoAcknowledgement(long commit) {
        if (world.mutation() == Mutation.NONE && isAcknowledged(commit)) {
            throw world.violation("STORY", "commit " + commit + " is acknowledged", null);
        }
    }

    boolean isAcknowledged(long commit) {
        return acknowledged.contains(commit);
    }

    /** The answer of the next compare-and-set of this cell's agent is lost; the write itself has this fate. */
    SimCoordination loseAnswerOf(String name, SimCoordination.Fate fate, long laterMillis) {
        SimCoordination client = Objects.requireNonNull(cell(name).agent()).coordination();
        client.loseNextCompareAndSet(fate, laterMillis * World.MILLI);
        return client;
    }

    /** This cell's ZooKeeper server shows nothing new for so long. */
    void lagOf(String name, long millis) {
        Objects.requireNonNull(cell(name).agent()).coordination().lagFor(millis * World.MILLI);
    }

    /** What one cell sends another of this kind takes so much longer. */
    void slow(SimNetwork.Kind kind, String from, String to, long millis) {
        world.network.slow(kind, cell(from), cell(to), millis * World.MILLI);
    }

    /** All processes of these cells are gone at once. */
    void kill(String... names) {
        for (String name : names) {
            cell(name).kill(false);
        }
    }

    /** A cell's agent alone, or all of its processes, begin anew. */
    AgentProcess boot(String name) {
        cell(name).boot();
        return Objects.requireNonNull(cell(name).agent());
    }

    /** Neither WAL nor words pass between these two. */
    void part(String one, String other) {
        network().cutBoth(SimNetwork.Kind.WAL, cell(one), cell(other));
        network().cutBoth(SimNetwork.Kind.LINKS, cell(one), cell(other));
    }

    void cutWal(String one, String other) {
        network().cutBoth(SimNetwork.Kind.WAL, cell(one), cell(other));
    }

    void mendWal(String one, String other) {
        network().heal(SimNetwork.Kind.WAL, cell(one), cell(other));
        network().heal(SimNetwork.Kind.WAL, cell(other), cell(one));
    }

    /** Cut off from ZooKeeper, or not any more. */
    void withoutZooKeeper(String name, boolean off) {
        network().cutZooKeeper(cell(name), off);
    }

    /** An operator promotes this cell. */
    void promote(String name, boolean acceptDataLoss) {
        var ignored = ask(name, new Operator.Request.Promote(new CellName(name), acceptDataLoss, false));
    }

    /** A change of the shared state that does no harm. */
    void changeTheState(String asked, int number) {
        FailoverMode mode = number % 2 == 0 ? FailoverMode.MANUAL : FailoverMode.AUTOMATIC;
        var ignored = ask(asked, new Operator.Request.SetMode(mode, false));
    }

    /** An operator removes a running standby. */
    void remove(String name) {
        var ignored = ask(primary().label(), new Operator.Request.Remove(new CellName(name), true, false));
    }

    boolean votes(String name) {
        return state().voters().stream().anyMatch(voter -> voter.name().value().equals(name));
    }

    /** Whether a vote of this cell is there, of whatever ballot. */
    boolean hasVoted(String name) {
        return world.ensemble.tree().votes().values().stream().anyMatch(votes -> votes.containsKey(new CellName(name)));
    }

    /** Whether the commit rule in this cell's settings file names another. */
    boolean fileNames(String primary, String name) {
        return cell(primary).postgres().file().sync().names(id(name));
    }

    boolean ballotIsOpen() {
        return state().phase() instanceof Phase.Sealing;
    }

    /** A cell of these two that reigns and takes writes. */
    void awaitWritable(String... names) {
        await(
                "one of " + List.of(names) + " writable",
                () -> List.of(names).stream().anyMatch(this::isWritable));
    }

    /** Mends all that is broken; the cluster must take writes again, and nothing that was acknowledged may be missing. */
    void endWell() {
        world.healAll();
        await("a writable primary", () -> isWritable(primary().label()));
        long last = write(primary().label());
        await("a last commit", () -> isAcknowledged(last));
        world.invariants.holdsAllPromises(primary());
    }

    CompletableFuture<Operator.Verdict> ask(String name, Operator.Request request) {
        return Objects.requireNonNull(cell(name).agent()).core().operator().ask(request, "somebody");
    }

    /** What the history says that begins so, the oldest first. */
    List<HistoryEntry> told(String beginning) {
        return world.ensemble.history().stream()
                .filter(entry -> entry.sentence().startsWith(beginning))
                .toList();
    }

    /** Which rule a cell is at, and what it says beside the rule's sentence. */
    String doing(String name) {
        return Objects.requireNonNull(cell(name).agent())
                .core()
                .describe()
                .lines()
                .findFirst()
                .orElseThrow();
    }

    long openTasks() {
        return world.ensemble.tree().tasks().stream().filter(Task::isOpen).count();
    }

    /** Every cell tells the history of the cluster's health from now on. */
    void watchHealth() {
        for (SimCell cell : world.cells()) {
            if (Objects.requireNonNull(cell.agent()).core() instanceof CoreAgent core) {
                core.watchHealth();
            }
        }
    }

    void pass(long millis) {
        world.run(Duration.ofMillis(millis));
    }

    /** It happens in so many milliseconds at most. */
    void within(long millis, String what, BooleanSupplier condition) {
        if (!world.runUntil(condition, Duration.ofMillis(millis))) {
            throw world.violation("STORY", "did not happen within " + millis + " ms: " + what, null);
        }
    }

    /** Lets time pass until it holds; says how many milliseconds that took. */
    long await(String what, BooleanSupplier condition) {
        long begun = world.nowMillis();
        if (!world.runUntil(condition, SOON)) {
            throw world.violation("STORY", "did not happen: " + what, null);
        }
        return world.nowMillis() - begun;
    }
}
