package org.cellkeeper.cell.zookeeper;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher.Event.EventType;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.CoordinationView;
import org.cellkeeper.cell.model.HistoryEntry;
import org.cellkeeper.cell.model.Presence;
import org.cellkeeper.cell.model.RevokedSession;
import org.cellkeeper.cell.model.Task;
import org.cellkeeper.cell.model.Vote;
import org.cellkeeper.cell.port.Coordination;
import org.cellkeeper.cell.port.Revocations;
import org.cellkeeper.cell.wire.Json;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The coordination on a ZooKeeper ensemble. One thread, {@code coordination}, owns all that is kept here, calls the listener and
 * completes the answers; no caller is ever held up. One recursive watch tells of every change below the base path; what
 * changed is then read. It never repeats a write of the shared state, and never takes an unanswered write for a failed one.
 */
public final class ZooKeeperCoordination implements Coordination, Revocations, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ZooKeeperCoordination.class);

    private static final long RELOAD_MILLIS = 1000;

    private final ScheduledThreadPoolExecutor thread;
    private final Session session;

    private final Tree tree;
    private final SharedState shared;
    private final Votes votes;
    private final BirthLock birth;
    private final Folder<Presence> members;
    private final Ephemeral presence;
    private final Ephemeral leader;
    private final TaskList tasks;
    private final HistoryLog history;
    private final RevokedSessions revoked;
    private final Rekeying rekeying;

    private Consumer<CoordinationView> listener = view -> {};
    private CoordinationView delivered = CoordinationView.nothing();
    private @Nullable Connection connection;
    /** Whether all was read by this connection; what has changed since is read as it changes. */
    private boolean loaded;

    private boolean secretRefused;
    private final boolean own;

    private volatile Predicate<String> gone = server -> false;

    /** Connects in the background. */
    public ZooKeeperCoordination(CoordinationSettings settings) {
        own = settings.own();
        thread = new ScheduledThreadPoolExecutor(
                1, Thread.ofPlatform().name("coordination").factory());
        thread.setRemoveOnCancelPolicy(true);
        thread.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
        NodeKeys keys = new NodeKeys(settings.secrets());
        session = new Session(settings, keys, server -> gone.test(server), thread, new SessionOwner());
        tree = new Tree(settings.basePath());
        shared = new SharedState(tree.state);
        votes = new Votes(tree);
        birth = new BirthLock(tree);
        members = new Folder<>(tree.members, Presence.class);
        presence = new Ephemeral(thread, () -> connection, tree);
        leader = new Ephemeral(thread, () -> connection, tree);
        tasks = new TaskList(tree);
        history = new HistoryLog(tree);
        revoked = new RevokedSessions(tree, thread);
        rekeying = new Rekeying(tree, keys, settings.names(), settings.own(), thread, () -> connection);
        thread.execute(session::open);
    }

    /** Tells it which servers' machines are dead, so that it need not find out: others are tried first for a while. */
    public void passBy(Predicate<String> servers) {
        gone = servers;
    }

    /** The settings tell others now. */
    public void secretsChanged() {
        onCoordinationThread(() -> {
            secretRefused = false;
            rekeying.secretsChanged();
        });
    }

    /** What an operator has to know of the cells' secrets; empty when that is nothing. Any thread may ask. */
    public String secretsInWords() {
        return rekeying.words();
    }

    // ---- the port

    @Override
    public void listen(Consumer<CoordinationView> newListener) {
        onCoordinationThread(() -> {
            listener = newListener;
            deliver(true);
        });
    }

    @Override
    public CompletableFuture<Outcome> compareAndSet(int expectedVersion, ClusterState next) {
        if (expectedVersion < 0) {
            throw new IllegalArgumentException("not a version: " + expectedVersion); // -1 is ZooKeeper's "any"
        }
        return write(
                next, (c, data) -> c.set(tree.state, data, expectedVersion).thenApply(reply -> written(reply, next)));
    }

    @Override
    public CompletableFuture<Outcome> create(ClusterState first) {
        return write(
                first,
                (c, data) -> tree.create(c, tree.state, data, CreateMode.PERSISTENT)
                        .thenApply(reply -> written(reply, first)));
    }

    @Override
    public CompletableFuture<Outcome> takeBirthLock() {
        return send(c -> birth.take(c).whenComplete((outcome, failure) -> deliver(false)));
    }

    @Override
    public CompletableFuture<Outcome> publishVote(Vote vote) {
        return write(vote, (c, data) -> votes.publish(c, vote, data));
    }

    @Override
    public CompletableFuture<Outcome> deleteVotes(long upToBallot) {
        return send(c -> votes.delete(c, upToBallot));
    }

    @Override
    public CompletableFuture<Outcome> publishPresence(Presence entry) {
        CellId cell = entry.cell();
        String path = members.child(cell.name().toString());
        Ephemeral.Wanted wanted = Ephemeral.Wanted.of(
                path, entry, Presence.class, standing -> standing.cell().equals(cell));
        return onThread(() -> presence.want(wanted));
    }

    @Override
    public CompletableFuture<Outcome> announceLeader(CellId primary, long epoch) {
        Leader own = new Leader(primary, epoch);
        Ephemeral.Wanted wanted =
                Ephemeral.Wanted.of(tree.leader, own, Leader.class, standing -> standing.givesWayTo(own));
        return onThread(() -> leader.want(wanted));
    }

    @Override
    public CompletableFuture<Outcome> resignLeader() {
        return onThread(() -> leader.want(null));
    }

    @Override
    public CompletableFuture<Outcome> putTask(Task task) {
        if (!task.id().matches("[A-Za-z0-9_-]{1,64}")) {
            throw new IllegalArgumentException("not a task's id: '" + task.id() + "'");
        }
        return write(task, (c, data) -> tasks.put(c, task.id(), data));
    }

    @Override
    public CompletableFuture<Outcome> appendHistory(HistoryEntry entry) {
        return write(entry, history::append);
    }

    @Override
    public CompletableFuture<List<HistoryEntry>> history(int limit) {
        CompletableFuture<List<HistoryEntry>> answer = new CompletableFuture<>();
        boolean handed = onCoordinationThread(() -> {
            Connection c = connection;
            var reading = begun(() -> c == null ? HistoryLog.cannotBeAsked("not connected") : history.read(c, limit));
            var unused = reading.whenComplete((entries, failure) -> {
                if (failure == null) {
                    answer.complete(entries);
                } else {
                    answer.completeExceptionally(failure.getCause() == null ? failure : failure.getCause());
                }
            });
        });
        return handed ? answer : HistoryLog.cannotBeAsked("closed");
    }

    @Override
    public Standing standing(String session) {
        return revoked.standing(session);
    }

    @Override
    public CompletableFuture<Outcome> revoke(RevokedSession session) {
        revoked.endHere(session);
        return write(session, (c, data) -> revoked.publish(c, session, data));
    }

    @Override
    public void refresh() {
        onCoordinationThread(() -> {
            Connection c = connection;
            if (c == null) {
                deliver(true);
            } else {
                load(c, true);
            }
        });
    }

    @Override
    public void distrust() {
        onCoordinationThread(session::distrust);
    }

    /** Ends the session, so that the others see at once that this cell is gone. */
    @Override
    public void close() {
        CompletableFuture<Void> ended = new CompletableFuture<>();
        boolean handed = onCoordinationThread(() -> {
            connection = null;
            session.close();
            ended.complete(null);
        });
        if (handed) {
            ended.completeOnTimeout(null, 2, TimeUnit.SECONDS).join();
        }
        thread.shutdown();
    }

    // ---- what the session tells

    private final class SessionOwner implements Session.Owner {
        @Override
        public void connected(Connection current, boolean fresh) {
            connection = current;
            loaded = false;
            shared.connected();
            if (own) {
                tree.closeRoot(current, fresh);
            }
            if (fresh) {
                birth.lost();
            }
            deliver(false);
            presence.connected(fresh);
            leader.connected(fresh);
            load(current, false);
            revoked.load(current);
            rekeying.connected();
        }

        @Override
        public void disconnected() {
            connection = null;
            loaded = false;
            deliver(false);
        }

        @Override
        public void changed(WatchedEvent event) {
            Connection current = connection;
            String path = event.getPath();
            if (current != null && path != null) {
                nodeChanged(current, event.getType(), path);
            }
        }

        @Override
        public void answered(Reply reply) {
            if (reply.code() == Code.NOAUTH && !secretRefused) {
                secretRefused = true;
                LOG.error(
                        "ZooKeeper refuses {}: no secret of the cluster that this cell lists is one that opens it",
                        reply.path());
            }
        }
    }

    private void nodeChanged(Connection c, EventType type, String path) {
        if (type == EventType.NodeDeleted) {
            presence.gone(path);
            leader.gone(path);
        }
        if (rekeying.concerns(path)) {
            rekeying.changed();
        }
        if (path.equals(tree.state)) {
            deliverAfter(shared.read(c).thenCompose(read -> readVotesIfOther(c)));
        } else if (path.equals(tree.birth)) {
            deliverAfter(birth.read(c));
        } else if (revoked.isAbove(path)) {
            var unused = revoked.readOne(c, path);
        } else {
            for (Folder<?> folder : List.of(members, tasks, votes.folder())) {
                if (folder.isAbove(path)) {
                    deliverAfter(folder.readOne(c, path));
                }
            }
        }
    }

    private CompletableFuture<Boolean> readVotesIfOther(Connection c) {
        CompletableFuture<Boolean> read = votes.readIfOther(c, shared.ballotThatMatters());
        deliver(false);
        return read;
    }

    private void deliverAfter(CompletableFuture<Boolean> read) {
        var unused = read.whenComplete((ok, failure) -> {
            if (failure != null) {
                LOG.error("a change could not be taken in", failure);
            }
            deliver(false);
        });
    }

    /** Reads everything after a sync. The requests are sent at once; a session's requests are carried out in order. */
    private void load(Connection c, boolean tell) {
        CompletableFuture<Boolean> watch = c.watch(tree.base).thenApply(Reply::isOk);
        CompletableFuture<Boolean> sync = c.sync(tree.base).thenApply(reply -> {
            if (reply.isOk() && c == connection) {
                shared.synced();
            }
            return reply.isOk();
        });
        CompletableFuture<Boolean> readState = shared.read(c)
                .thenCompose(ok -> votes.read(c, shared.ballotThatMatters()).thenApply(votesOk -> ok && votesOk));
        List<CompletableFuture<Boolean>> all =
                List.of(watch, sync, readState, birth.read(c), members.readAll(c), tasks.readAll(c));
        var unused = CompletableFuture.allOf(all.toArray(CompletableFuture[]::new))
                .whenComplete((nothing, failure) -> {
                    if (c != connection) {
                        return;
                    }
                    boolean complete = failure == null && all.stream().allMatch(CompletableFuture::join);
                    if (failure != null) {
                        LOG.error("reading from ZooKeeper failed", failure);
                    }
                    if (complete) {
                        loaded = true;
                    } else {
                        var unusedRetry = thread.schedule(() -> reload(c), RELOAD_MILLIS, TimeUnit.MILLISECONDS);
                    }
                    deliver(tell);
                });
    }

    private void reload(Connection c) {
        if (c == connection && !loaded) {
            load(c, false);
        }
    }

    // ---- the view

    private void deliver(boolean always) {
        boolean synced = loaded && shared.isReadable();
        CoordinationView view = new CoordinationView(
                connection != null,
                synced,
                synced && shared.isAbsent(),
                shared.current(),
                votes.ballot(),
                votes.byVoter(),
                members.byCell(entry -> entry.cell().name()),
                connection != null && birth.isHeld(),
                tasks.tasks(),
                session.currentServer());
        if (!always && view.equals(delivered)) {
            return;
        }
        delivered = view;
        try {
            listener.accept(view);
        } catch (RuntimeException e) {
            LOG.error("the listener failed", e);
        }
    }

    // ---- requests

    /** Sends a record from the coordination thread, unless it is too large for a node. */
    private CompletableFuture<Outcome> write(
            Object content, BiFunction<Connection, byte[], CompletableFuture<Outcome>> request) {
        byte[] data = Json.write(content);
        if (data.length > Connection.LARGEST_NODE) {
            LOG.error("{} bytes are too much for one node: not written", data.length);
            return CompletableFuture.completedFuture(Outcome.NOT_SENT);
        }
        return send(c -> request.apply(c, data));
    }

    private Outcome written(Reply reply, ClusterState next) {
        if (shared.wrote(reply, next)) {
            Connection c = connection;
            if (c == null) {
                deliver(false);
            } else {
                deliverAfter(readVotesIfOther(c));
            }
        }
        return reply.outcome();
    }

    /** Sends a request from the coordination thread; not connected, it is not sent. */
    private CompletableFuture<Outcome> send(Function<Connection, CompletableFuture<Outcome>> request) {
        return onThread(() -> {
            Connection c = connection;
            return c == null ? CompletableFuture.completedFuture(Outcome.NOT_SENT) : request.apply(c);
        });
    }

    private CompletableFuture<Outcome> onThread(Supplier<CompletableFuture<Outcome>> work) {
        CompletableFuture<Outcome> answer = new CompletableFuture<>();
        boolean handed = onCoordinationThread(() -> {
            var unused = begun(work).whenComplete((outcome, failure) -> {
                if (failure != null) {
                    LOG.error("a request to ZooKeeper failed", failure);
                }
                answer.complete(failure == null ? outcome : Outcome.UNKNOWN);
            });
        });
        if (!handed) {
            answer.complete(Outcome.NOT_SENT);
        }
        return answer;
    }

    private static <T> CompletableFuture<T> begun(Supplier<CompletableFuture<T>> work) {
        try {
            return work.get();
        } catch (RuntimeException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    private boolean onCoordinationThread(Runnable work) {
        try {
            thread.execute(work);
            return true;
        } catch (RejectedExecutionException e) {
            return false; // closed
        }
    }
}
