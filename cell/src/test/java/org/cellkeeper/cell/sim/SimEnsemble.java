package org.cellkeeper.cell.sim;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.TreeMap;
import java.util.function.Function;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.Ensemble;
import org.cellkeeper.cell.model.HistoryEntry;
import org.cellkeeper.cell.model.Presence;
import org.cellkeeper.cell.model.Task;
import org.cellkeeper.cell.model.VersionedState;
import org.cellkeeper.cell.model.Vote;
import org.cellkeeper.cell.port.Coordination.Outcome;
import org.jspecify.annotations.Nullable;

/**
 * The ZooKeeper ensemble: one linear order of writes, kept whole, so that a lagging server can show any earlier state.
 * Sessions and their servers are {@link SimCoordination}'s part.
 */
final class SimEnsemble {
    /** A silent session's ephemerals go after so long. */
    static final long SESSION_TIMEOUT = 4 * World.SECOND;

    /** Who lives in which session. */
    record Live(Presence presence, long session) {}

    /** What the ensemble holds after one write. Maps in it are never changed. */
    record Tree(
            @Nullable VersionedState state,
            TreeMap<Long, TreeMap<CellName, Vote>> votes,
            TreeMap<CellName, Live> present,
            long birthLock,
            @Nullable CellId leader,
            long leaderEpoch,
            long leaderSession,
            List<Task> tasks) {
        Tree with(VersionedState next) {
            return new Tree(next, votes, present, birthLock, leader, leaderEpoch, leaderSession, tasks);
        }

        Tree withVotes(TreeMap<Long, TreeMap<CellName, Vote>> next) {
            return new Tree(state, next, present, birthLock, leader, leaderEpoch, leaderSession, tasks);
        }

        Tree withPresent(TreeMap<CellName, Live> next) {
            return new Tree(state, votes, next, birthLock, leader, leaderEpoch, leaderSession, tasks);
        }

        Tree withBirthLock(long session) {
            return new Tree(state, votes, present, session, leader, leaderEpoch, leaderSession, tasks);
        }

        Tree withLeader(@Nullable CellId cell, long epoch, long session) {
            return new Tree(state, votes, present, birthLock, cell, epoch, session, tasks);
        }

        Tree withTasks(List<Task> next) {
            return new Tree(state, votes, present, birthLock, leader, leaderEpoch, leaderSession, next);
        }
    }

    /** What a write does: the outcome, and the tree after it (null: unchanged). */
    record Effect(Outcome outcome, @Nullable Tree next) {
        static final Effect CONFLICT = new Effect(Outcome.CONFLICT, null);

        static Effect of(Tree next) {
            return new Effect(Outcome.APPLIED, next);
        }
    }

    private static final int TASKS_KEPT = 200;

    private final World world;
    private final List<Tree> trees = new ArrayList<>();
    private final List<Long> times = new ArrayList<>();
    private final List<HistoryEntry> history = new ArrayList<>();
    private final List<SimCoordination> connections = new ArrayList<>();
    private final TreeMap<Long, Boolean> sessions = new TreeMap<>();
    private long sessionCounter;
    private boolean quorum = true;
    /** What the cluster's own ensemble held when another took its place; null while it answers itself. */
    private @Nullable Tree own;

    SimEnsemble(World world) {
        this.world = world;
        trees.add(new Tree(null, new TreeMap<>(), new TreeMap<>(), 0, null, 0, 0, List.of()));
        times.add(0L);
    }

    // ---- the truth

    Tree tree() {
        return trees.getLast();
    }

    int newest() {
        return trees.size() - 1;
    }

    Tree tree(int index) {
        return trees.get(index);
    }

    /** The index of the newest tree that is at least so old. */
    int asOf(long micros) {
        int index = newest();
        while (index > 0 && times.get(index) > micros) {
            index--;
        }
        return index;
    }

    /** The version of the state that whoever answers holds; -1 while there is none. */
    int version() {
        VersionedState state = tree().state();
        return state == null ? -1 : state.version();
    }

    /** The cluster's state, also while another ensemble answers in its place. */
    @Nullable
    VersionedState truth() {
        Tree cluster = own == null ? tree() : own;
        return cluster.state();
    }

    @Nullable
    ClusterState state() {
        VersionedState versioned = truth();
        return versioned == null ? null : versioned.state();
    }

    List<HistoryEntry> history() {
        return history;
    }

    boolean quorum() {
        return quorum;
    }

    // ---- faults

    /** The ensemble loses its quorum, or its leader for a moment. */
    void loseQuorum() {
        if (quorum) {
            world.note("zk", "quorum lost", null, null);
            quorum = false;
            List.copyOf(connections).forEach(SimCoordination::reachabilityChanged);
        }
    }

    void regainQuorum() {
        if (!quorum) {
            world.note("zk", "quorum back", null, null);
            quorum = true;
            List.copyOf(connections).forEach(SimCoordination::reachabilityChanged);
        }
    }

    /** All of its data are lost, or it is another ensemble, which knows nothing. */
    void forget() {
        world.note("zk", "all data lost", null, null);
        replaceBy(trees.getFirst());
    }

    /** It is restored from this copy. */
    void goBackTo(Tree copy) {
        VersionedState then = copy.state();
        world.note("zk", "goes back to version", then == null ? -1 : then.version(), null);
        replaceBy(copy);
    }

    /** It is restored from a copy that was made so many versions of the state ago, or before, in a calm moment. */
    void goBack(int versions) {
        VersionedState now = tree().state();
        int index = newest();
        while (index > 0 && (now == null || !isCopyOf(tree(index), now, versions))) {
            index--;
        }
        goBackTo(tree(index));
    }

    /** What it held before all that is there again. */
    void bringBack() {
        Tree cluster = own;
        if (cluster != null) {
            world.note("zk", "its data are back", null, null);
            replaceBy(cluster);
            own = null;
        }
    }

    private static boolean isCopyOf(Tree tree, VersionedState now, int versions) {
        VersionedState then = tree.state();
        Ensemble known = now.state().ensemble();
        Ensemble copied = then == null ? null : then.state().ensemble();
        return then != null
                && known != null
                && copied != null
                && then.state().isSteady()
                && then.version() <= now.version() - versions
                && Objects.equals(known.ago(now.version() - then.version()), copied.ago(0));
    }

    private void replaceBy(Tree other) {
        own = own == null ? tree() : own;
        sessions.clear();
        commit(other.withPresent(new TreeMap<>()).withBirthLock(0).withLeader(null, 0, 0));
        List.copyOf(connections).forEach(SimCoordination::sessionLost);
    }

    void heal() {
        regainQuorum();
        List.copyOf(connections).forEach(SimCoordination::heal);
    }

    void reachabilityChanged(SimCell cell) {
        for (SimCoordination connection : List.copyOf(connections)) {
            if (connection.cell() == cell) {
                connection.reachabilityChanged();
            }
        }
    }

    // ---- sessions

    void opened(SimCoordination connection) {
        connections.add(connection);
    }

    void gone(SimCoordination connection) {
        connections.remove(connection);
    }

    long newSession() {
        sessions.put(++sessionCounter, true);
        return sessionCounter;
    }

    boolean isLive(long session) {
        return sessions.containsKey(session);
    }

    void expire(long session) {
        if (sessions.remove(session) == null) {
            return;
        }
        Tree tree = tree();
        Tree next = tree;
        TreeMap<CellName, Live> present = new TreeMap<>(tree.present());
        if (present.values().removeIf(live -> live.session() == session)) {
            next = next.withPresent(present);
        }
        if (tree.birthLock() == session) {
            next = next.withBirthLock(0);
        }
        if (tree.leaderSession() == session) {
            next = next.withLeader(null, 0, 0);
        }
        if (next != tree) {
            commit(next);
        }
    }

    // ---- writes

    /** The point where a write becomes true. */
    Outcome apply(SimCell author, Function<Tree, Effect> write) {
        Tree before = tree();
        Effect effect = write.apply(before);
        Tree next = effect.next();
        if (next != null) {
            commit(next);
            if (next.state() != before.state()) {
                world.invariants.stateChanged(author, before, next);
            }
        }
        return effect.outcome();
    }

    private void commit(Tree next) {
        trees.add(next);
        times.add(world.now());
        int index = newest();
        for (SimCoordination connection : connections) {
            connection.committed(index);
        }
    }

    static Function<Tree, Effect> compareAndSet(int version, ClusterState next) {
        return tree -> tree.state() == null || tree.state().version() != version
                ? Effect.CONFLICT
                : Effect.of(tree.with(new VersionedState(version + 1, next)));
    }

    static Function<Tree, Effect> create(ClusterState first) {
        return tree -> tree.state() != null ? Effect.CONFLICT : Effect.of(tree.with(new VersionedState(0, first)));
    }

    static Function<Tree, Effect> birthLock(long session) {
        return tree -> {
            if (tree.birthLock() == session) {
                return Effect.of(tree);
            }
            return tree.birthLock() != 0 ? Effect.CONFLICT : Effect.of(tree.withBirthLock(session));
        };
    }

    static Function<Tree, Effect> vote(Vote vote) {
        return tree -> {
            TreeMap<Long, TreeMap<CellName, Vote>> votes = new TreeMap<>(tree.votes());
            TreeMap<CellName, Vote> ofBallot = new TreeMap<>(votes.getOrDefault(vote.ballot(), new TreeMap<>()));
            ofBallot.put(vote.voter().name(), vote);
            votes.put(vote.ballot(), ofBallot);
            return Effect.of(tree.withVotes(votes));
        };
    }

    static Function<Tree, Effect> deleteVotes(long upTo) {
        return tree -> Effect.of(tree.withVotes(new TreeMap<>(tree.votes().tailMap(upTo, false))));
    }

    static Function<Tree, Effect> presence(Presence presence, long session) {
        return tree -> {
            CellName name = presence.cell().name();
            Live there = tree.present().get(name);
            if (there != null
                    && there.session() != session
                    && !there.presence().cell().equals(presence.cell())) {
                return Effect.CONFLICT;
            }
            TreeMap<CellName, Live> present = new TreeMap<>(tree.present());
            present.put(name, new Live(presence, session));
            return Effect.of(tree.withPresent(present));
        };
    }

    static Function<Tree, Effect> leader(CellId primary, long epoch, long session) {
        return tree -> {
            boolean taken = tree.leaderSession() != 0
                    && tree.leaderSession() != session
                    && !primary.equals(tree.leader())
                    && tree.leaderEpoch() >= epoch;
            return taken ? Effect.CONFLICT : Effect.of(tree.withLeader(primary, epoch, session));
        };
    }

    static Function<Tree, Effect> resign(long session) {
        return tree -> Effect.of(tree.leaderSession() == session ? tree.withLeader(null, 0, 0) : tree);
    }

    static Function<Tree, Effect> task(Task task) {
        return tree -> {
            List<Task> tasks = new ArrayList<>(tree.tasks());
            int at = -1;
            for (int i = 0; i < tasks.size(); i++) {
                if (tasks.get(i).id().equals(task.id())) {
                    at = i;
                }
            }
            if (at >= 0) {
                if (!tasks.get(at).isOpen()) {
                    return Effect.CONFLICT;
                }
                tasks.set(at, task);
            } else {
                tasks.addFirst(task);
            }
            for (int i = tasks.size() - 1; i >= 0 && tasks.size() > TASKS_KEPT; i--) {
                if (!tasks.get(i).isOpen()) {
                    tasks.remove(i);
                }
            }
            return Effect.of(tree.withTasks(List.copyOf(tasks)));
        };
    }

    Function<Tree, Effect> historyEntry(HistoryEntry entry) {
        return tree -> {
            history.add(entry);
            return new Effect(Outcome.APPLIED, null);
        };
    }
}
