package org.cellkeeper.cell.sim;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.function.Function;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.CoordinationView;
import org.cellkeeper.cell.model.HistoryEntry;
import org.cellkeeper.cell.model.Phase;
import org.cellkeeper.cell.model.Presence;
import org.cellkeeper.cell.model.Task;
import org.cellkeeper.cell.model.VersionedState;
import org.cellkeeper.cell.model.Vote;
import org.cellkeeper.cell.port.Coordination;
import org.cellkeeper.cell.sim.SimEnsemble.Effect;
import org.cellkeeper.cell.sim.SimEnsemble.Tree;
import org.jspecify.annotations.Nullable;

/**
 * One agent's client of the ensemble: its session, the server it is connected to (which may lag), the writes on their
 * way, and what it has read. Within one session reads never go back; a new session may begin further back.
 */
final class SimCoordination implements Coordination {
    /** What becomes of the next compare-and-set whose answer is lost. */
    enum Fate {
        NOW,
        LATER,
        NEVER
    }

    /** A write that was sent and not answered. */
    private static final class Flight {
        final String what;
        final Function<Tree, Effect> write;
        final CompletableFuture<Outcome> answer = new CompletableFuture<>();
        final long session;
        final long number;
        boolean arrived;
        boolean limbo;

        Flight(String what, Function<Tree, Effect> write, long session, long number) {
            this.what = what;
            this.write = write;
            this.session = session;
            this.number = number;
        }

        /** Whether the write itself says what it is on top of, and so does no harm however late it lands. */
        boolean conditional() {
            return what.equals("compareAndSet") || what.equals("create");
        }
    }

    private final World world;
    private final SimCell cell;
    private final AgentProcess agent;
    private final List<Flight> flights = new ArrayList<>();
    private @Nullable Consumer<CoordinationView> listener;
    private @Nullable Presence presence;
    private @Nullable CellId leader;
    private long leaderEpoch;
    private long session;
    private boolean connected;
    private boolean synced;
    private int truthAtItsStart = -1;
    private boolean attempting;
    private boolean closed;
    private boolean restoring;
    /** Bumped at each (dis)connection: what belongs to an older connection is void. */
    private int connection;

    private int statePosition;
    private int votesPosition;
    private int presentPosition;
    private int tasksPosition;
    private int serverPosition;
    private int behind;
    private long lastLearned;
    private long lastApplied;
    private long staleUntil;
    private long lagMost = 3 * World.MILLI;
    private long sent;
    private long newestApplied;
    private @Nullable Fate nextFate;
    private long nextFateDelay;
    private @Nullable String nextFateOf;

    SimCoordination(World world, SimCell cell, AgentProcess agent) {
        this.world = world;
        this.cell = cell;
        this.agent = agent;
        world.ensemble.opened(this);
        attempt(world.delay(3 * World.MILLI, 60 * World.MILLI));
    }

    SimCell cell() {
        return cell;
    }

    boolean connected() {
        return connected;
    }

    /** Connected, and it has read the newest state. */
    boolean current() {
        return connected && synced && statePosition >= world.ensemble.asOf(world.now() - 500 * World.MILLI);
    }

    long session() {
        return session;
    }

    // ---- what others do to it

    /** The server lags from now on, for so long. */
    void lagFor(long micros) {
        world.note(cell.label(), "its ZooKeeper server lags for ms", micros / World.MILLI, null);
        staleUntil = Math.max(staleUntil, world.now() + micros);
    }

    /** All answers take up to so long. */
    void slow(long mostMicros) {
        lagMost = mostMicros;
    }

    /** The answer of the next write is lost; the write itself has this fate. */
    void loseNextAnswer(Fate fate, long delayMicros) {
        nextFate = fate;
        nextFateDelay = delayMicros;
        nextFateOf = null;
    }

    /** The same for the next compare-and-set. */
    void loseNextCompareAndSet(Fate fate, long delayMicros) {
        loseNextAnswer(fate, delayMicros);
        nextFateOf = "compareAndSet";
    }

    /** Whether the write whose answer is to be lost has been sent. */
    boolean losesNoAnswer() {
        return nextFate == null;
    }

    /** Its first session begins so many writes back. */
    void beginsBehind(int writes) {
        behind = writes;
    }

    void expireSession() {
        if (session != 0 && world.ensemble.isLive(session)) {
            world.note(cell.label(), "ZooKeeper session expired", null, null);
            world.ensemble.expire(session);
            disconnect();
            attempt(world.delay(20 * World.MILLI, World.SECOND));
        }
    }

    /** The ensemble knows its session no more. */
    void sessionLost() {
        disconnect();
        attempt(world.delay(20 * World.MILLI, World.SECOND));
    }

    void heal() {
        staleUntil = 0;
        lagMost = 3 * World.MILLI;
        nextFate = null;
    }

    void reachabilityChanged() {
        if (reachable()) {
            if (!connected) {
                attempt(world.delay(20 * World.MILLI, World.SECOND));
            }
            return;
        }
        if (connected) {
            disconnect();
        }
        if (world.ensemble.quorum()) {
            expireLater();
        }
    }

    void pausedOrResumed() {
        if (agent.paused()) {
            expireLater();
        } else if (session != 0 && !world.ensemble.isLive(session) && connected) {
            disconnect();
            attempt(world.delay(20 * World.MILLI, World.SECOND));
        }
    }

    void agentDied() {
        closed = true;
        for (Flight flight : flights) {
            if (!flight.arrived && !flight.limbo && world.perMille(500)) {
                Function<Tree, Effect> write = flight.write;
                world.after(world.delay(World.MILLI, 2 * World.SECOND), () -> {
                    if (world.ensemble.quorum() && world.ensemble.isLive(flight.session)) {
                        world.note(cell.label(), "a dead agent's write lands:", flight.what, null);
                        world.ensemble.apply(cell, write);
                    }
                });
            }
        }
        flights.clear();
        world.ensemble.gone(this);
        long mine = session;
        if (mine != 0) {
            world.after(
                    world.between(SimEnsemble.SESSION_TIMEOUT / 2, SimEnsemble.SESSION_TIMEOUT), () -> expireNow(mine));
        }
    }

    /** An orderly exit: the session ends at once. */
    void close() {
        if (session != 0 && connected) {
            world.ensemble.expire(session);
        }
    }

    private void expireNow(long mine) {
        if (world.ensemble.quorum()) {
            world.ensemble.expire(mine);
        } else {
            world.after(SimEnsemble.SESSION_TIMEOUT, () -> expireNow(mine));
        }
    }

    private void expireLater() {
        long mine = session;
        if (mine == 0) {
            return;
        }
        world.after(world.between(SimEnsemble.SESSION_TIMEOUT * 2 / 3, SimEnsemble.SESSION_TIMEOUT), () -> {
            boolean silent = closed || !agent.running() || !world.network.reachesZooKeeper(cell);
            if (mine == session && silent && world.ensemble.quorum()) {
                world.ensemble.expire(mine);
            }
        });
    }

    // ---- connecting

    private boolean reachable() {
        return world.network.reachesZooKeeper(cell) && world.ensemble.quorum();
    }

    private void attempt(long delay) {
        if (attempting || closed) {
            return;
        }
        attempting = true;
        agent.post(delay, () -> {
            attempting = false;
            if (!connected && reachable()) {
                connect();
            }
        });
    }

    private void connect() {
        connected = true;
        connection++;
        int newest = world.ensemble.newest();
        if (session == 0 || !world.ensemble.isLive(session)) {
            session = world.ensemble.newSession();
            truthAtItsStart = world.ensemble.version();
            synced = world.mutation() == Mutation.FIRST_READ_NOT_SYNCED;
            serverPosition = Math.max(0, newest - behind);
            behind = 0;
            if (world.perMille(world.weather.oldFirstReads)) {
                serverPosition = (int) world.between(Math.max(0, newest - 40), newest);
            }
            statePosition = serverPosition;
            votesPosition = serverPosition;
            presentPosition = serverPosition;
            tasksPosition = serverPosition;
            tell();
        } else {
            learn(newest);
        }
        int mine = connection;
        if (synced) {
            tell();
            agent.post(world.between(World.SECOND, 2 * World.SECOND), this::refresh);
        }
        agent.post(world.delay(World.MILLI, 150 * World.MILLI), () -> {
            if (mine == connection && connected) {
                if (world.mutation() != Mutation.FIRST_READ_NOT_SYNCED) {
                    syncNow();
                }
                restorePresence();
            }
        });
    }

    /** The version of the shared state that there was when the present session began. */
    int truthAtItsStart() {
        return truthAtItsStart;
    }

    private void restorePresence() {
        Presence current = presence;
        if (current != null) {
            keep(write("presence", SimEnsemble.presence(current, session)));
        }
        CellId primary = leader;
        if (primary != null) {
            keep(write("leader", SimEnsemble.leader(primary, leaderEpoch, session)));
        }
    }

    /** What is to be kept is tried again until it is there; after a lost connection the next one does that. */
    private CompletableFuture<Outcome> keep(CompletableFuture<Outcome> first) {
        first.thenAccept(outcome -> {
            if (outcome == Outcome.CONFLICT && !restoring) {
                restoring = true;
                agent.post(world.between(200 * World.MILLI, 600 * World.MILLI), () -> {
                    restoring = false;
                    if (connected) {
                        restorePresence();
                    }
                });
            }
        });
        return first;
    }

    private void disconnect() {
        if (!connected) {
            return;
        }
        connected = false;
        connection++;
        List<Flight> lost = List.copyOf(flights);
        flights.clear();
        for (Flight flight : lost) {
            if (!flight.arrived && !flight.limbo && world.perMille(400)) {
                flight.limbo = true;
                land(flight, world.between(World.MILLI, 3 * World.SECOND));
            }
            agent.post(world.delay(0, 20 * World.MILLI), () -> flight.answer.complete(Outcome.UNKNOWN));
        }
        tell();
    }

    /** A write that its client has given up lands after all, if the ensemble still knows its session. */
    private void land(Flight flight, long delay) {
        world.after(delay, () -> {
            // ZooKeeper keeps a session's writes in order: one that a later one has overtaken is void. Only a
            // conditional
            // one is let through here, which is more than ZooKeeper does.
            boolean overtaken = newestApplied > flight.number && !flight.conditional();
            if (!overtaken && world.ensemble.quorum() && world.ensemble.isLive(flight.session)) {
                Outcome outcome = world.ensemble.apply(cell, flight.write);
                world.note(cell.label(), "a write of unknown outcome lands: " + flight.what, outcome, null);
            }
        });
    }

    // ---- reading

    @Override
    public void listen(Consumer<CoordinationView> newListener) {
        listener = newListener;
        agent.post(0, this::deliver);
    }

    @Override
    public void refresh() {
        int mine = connection;
        agent.post(world.delay(World.MILLI, Math.max(lagMost, 8 * World.MILLI)), () -> {
            if (mine == connection && connected) {
                syncNow();
            }
        });
    }

    @Override
    public void distrust() {
        agent.post(0, () -> {
            long left = session;
            if (left != 0) {
                world.after(SimEnsemble.SESSION_TIMEOUT, () -> expireNow(left));
            }
            session = 0;
            disconnect();
            attempt(world.delay(40 * World.MILLI, World.SECOND));
        });
    }

    private void syncNow() {
        synced = true;
        int newest = world.ensemble.newest();
        serverPosition = newest;
        statePosition = newest;
        votesPosition = newest;
        presentPosition = newest;
        tasksPosition = newest;
        deliver();
    }

    /** The ensemble has taken a write: this server hears of it some time, and so does the client. */
    void committed(int index) {
        if (!connected) {
            return;
        }
        int mine = connection;
        long learned = world.now() + world.delay(300, lagMost);
        if (staleUntil > world.now()) {
            learned = Math.max(learned, staleUntil);
        }
        lastLearned = Math.max(lastLearned, learned);
        agent.post(lastLearned - world.now(), () -> {
            if (mine == connection) {
                learn(index);
            }
        });
    }

    private void learn(int index) {
        if (index <= serverPosition
                && statePosition >= index
                && votesPosition >= index
                && presentPosition >= index
                && tasksPosition >= index) {
            return;
        }
        serverPosition = Math.max(serverPosition, index);
        if (world.perMille(250)) {
            // the parts are read one after the other: for a moment the client has read some of them anew, others not
            int parts = (int) world.between(1, 14);
            readParts(parts);
            int mine = connection;
            agent.post(world.delay(300, 10 * World.MILLI), () -> {
                if (mine == connection) {
                    readParts(15);
                }
            });
        } else {
            readParts(15);
        }
    }

    private void readParts(int parts) {
        if ((parts & 1) != 0) {
            statePosition = Math.max(statePosition, serverPosition);
        }
        if ((parts & 2) != 0) {
            votesPosition = Math.max(votesPosition, serverPosition);
        }
        if ((parts & 4) != 0) {
            presentPosition = Math.max(presentPosition, serverPosition);
        }
        if ((parts & 8) != 0) {
            tasksPosition = Math.max(tasksPosition, serverPosition);
        }
        deliver();
    }

    private void tell() {
        agent.post(0, this::deliver);
    }

    private void deliver() {
        Consumer<CoordinationView> current = listener;
        if (current != null) {
            current.accept(view());
        }
    }

    private CoordinationView view() {
        VersionedState state = world.ensemble.tree(statePosition).state();
        long ballot = ballotOf(state);
        Map<CellName, Vote> votes = Map.of();
        if (ballot != 0) {
            TreeMap<CellName, Vote> cast =
                    world.ensemble.tree(votesPosition).votes().get(ballot);
            if (cast != null) {
                votes = cast;
            }
        }
        TreeMap<CellName, Presence> present = new TreeMap<>();
        world.ensemble.tree(presentPosition).present().forEach((name, live) -> present.put(name, live.presence()));
        return new CoordinationView(
                connected,
                connected && synced,
                connected && synced && state == null,
                state,
                ballot,
                votes,
                present,
                connected && world.ensemble.tree(presentPosition).birthLock() == session,
                world.ensemble.tree(tasksPosition).tasks(),
                "");
    }

    private static long ballotOf(@Nullable VersionedState versioned) {
        if (versioned == null) {
            return 0;
        }
        ClusterState state = versioned.state();
        return switch (state.phase()) {
            case Phase.Sealing sealing -> sealing.ballot();
            case Phase.Steady _, Phase.Handover _ -> state.reign() == null ? state.epoch() : 0;
        };
    }

    // ---- writing

    private CompletableFuture<Outcome> write(String what, Function<Tree, Effect> write) {
        Flight flight = new Flight(what, write, session, ++sent);
        if (!connected) {
            agent.post(world.delay(0, World.MILLI), () -> flight.answer.complete(Outcome.NOT_SENT));
            return flight.answer;
        }
        flights.add(flight);
        Fate fate = null;
        long fateDelay = nextFateDelay;
        if (nextFateOf == null || nextFateOf.equals(what)) {
            fate = nextFate;
            nextFate = null;
        }
        if (fate == null && world.perMille(world.weather.answersLost)) {
            int choice = world.random().nextInt(3);
            fate = choice == 0 ? Fate.NOW : choice == 1 ? Fate.LATER : Fate.NEVER;
            fateDelay = world.between(5 * World.MILLI, 4 * World.SECOND);
        }
        lastApplied = Math.max(lastApplied, world.now() + world.delay(800, lagMost));
        long travel = lastApplied - world.now();
        if (fate != null) {
            loseAnswer(flight, fate, travel, fateDelay);
            return flight.answer;
        }
        int mine = connection;
        world.after(travel, () -> arrive(flight, mine));
        return flight.answer;
    }

    private void arrive(Flight flight, int mine) {
        if (flight.limbo || mine != connection || closed) {
            return;
        }
        if (!world.ensemble.isLive(flight.session)) {
            flights.remove(flight);
            agent.post(0, () -> {
                flight.answer.complete(Outcome.UNKNOWN);
                if (mine == connection) {
                    disconnect();
                    attempt(world.delay(10 * World.MILLI, World.SECOND));
                }
            });
            return;
        }
        flight.arrived = true;
        newestApplied = flight.number;
        Outcome outcome = world.ensemble.apply(cell, flight.write);
        int applied = world.ensemble.newest();
        agent.post(world.delay(300, Math.max(2 * World.MILLI, lagMost / 2)), () -> {
            if (mine == connection && flights.remove(flight)) {
                if (outcome == Outcome.APPLIED) {
                    // its server had this write before it answered, and what it watches was told before
                    boolean first = !synced;
                    synced = true;
                    serverPosition = Math.max(serverPosition, applied);
                    if (first || statePosition < applied) {
                        readParts(15);
                    }
                }
                flight.answer.complete(outcome);
            }
        });
    }

    private void loseAnswer(Flight flight, Fate fate, long travel, long fateDelay) {
        world.note(cell.label(), "answer of " + flight.what + " will be lost, and it lands", fate, null);
        flight.limbo = true;
        switch (fate) {
            case NOW -> land(flight, travel);
            case LATER -> land(flight, travel + fateDelay);
            case NEVER -> {
                // the request is lost with the connection
            }
        }
        int mine = connection;
        agent.post(travel + world.delay(World.MILLI, 30 * World.MILLI), () -> {
            if (mine == connection) {
                disconnect();
                attempt(world.delay(10 * World.MILLI, World.SECOND));
            }
        });
    }

    @Override
    public CompletableFuture<Outcome> compareAndSet(int expectedVersion, ClusterState next) {
        world.invariants.acting(cell, expectedVersion, next);
        return write("compareAndSet", SimEnsemble.compareAndSet(expectedVersion, next));
    }

    @Override
    public CompletableFuture<Outcome> create(ClusterState first) {
        return write("create", SimEnsemble.create(first));
    }

    @Override
    public CompletableFuture<Outcome> takeBirthLock() {
        return write("birth lock", SimEnsemble.birthLock(session));
    }

    @Override
    public CompletableFuture<Outcome> publishVote(Vote vote) {
        world.note(cell.label(), "votes", vote, null);
        world.invariants.voting(cell, vote);
        return write("vote", SimEnsemble.vote(vote));
    }

    @Override
    public CompletableFuture<Outcome> deleteVotes(long upToBallot) {
        return write("delete votes", SimEnsemble.deleteVotes(upToBallot));
    }

    @Override
    public CompletableFuture<Outcome> publishPresence(Presence newPresence) {
        presence = newPresence;
        return keep(write("presence", SimEnsemble.presence(newPresence, session)));
    }

    @Override
    public CompletableFuture<Outcome> announceLeader(CellId primary, long epoch) {
        leader = primary;
        leaderEpoch = epoch;
        return keep(write("leader", SimEnsemble.leader(primary, epoch, session)));
    }

    @Override
    public CompletableFuture<Outcome> resignLeader() {
        leader = null;
        return write("resign", SimEnsemble.resign(session));
    }

    @Override
    public CompletableFuture<Outcome> putTask(Task task) {
        return write("task", SimEnsemble.task(task));
    }

    @Override
    public CompletableFuture<Outcome> appendHistory(HistoryEntry entry) {
        return write("history", world.ensemble.historyEntry(entry));
    }

    @Override
    public CompletableFuture<List<HistoryEntry>> history(int limit) {
        CompletableFuture<List<HistoryEntry>> answer = new CompletableFuture<>();
        agent.post(world.delay(World.MILLI, Math.max(lagMost, 5 * World.MILLI)), () -> {
            if (connected) {
                List<HistoryEntry> all = world.ensemble.history().reversed();
                answer.complete(List.copyOf(all.subList(0, Math.min(limit, all.size()))));
            } else {
                answer.completeExceptionally(new IllegalStateException("ZooKeeper cannot be asked"));
            }
        });
        return answer;
    }
}
