package org.cellkeeper.cell.zookeeper;

import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher.Event.EventType;
import org.apache.zookeeper.data.Stat;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.CoordinationView;
import org.cellkeeper.cell.model.HistoryEntry;
import org.cellkeeper.cell.model.Phase;
import org.cellkeeper.cell.model.Presence;
import org.cellkeeper.cell.model.RevokedSession;
import org.cellkeeper.cell.model.Task;
import org.cellkeeper.cell.model.VersionedState;
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

    private static final int MOST_TASKS = 200;
    private static final int MOST_HISTORY = 1000;
    private static final int HISTORY_SLACK = 20;
    private static final int MOST_REVOKED = 1000;
    private static final int MOST_TRIES = 3;
    private static final long RELOAD_MILLIS = 1000;
    private static final byte[] NO_DATA = {};

    private final String base;
    private final String statePath;
    private final String birthPath;
    private final String leaderPath;
    private final String membersPath;
    private final String votesPath;
    private final String tasksPath;
    private final String historyPath;
    private final String revokedPath;

    private final ScheduledThreadPoolExecutor thread;
    private final Session session;
    private final Ephemeral presence;
    private final Ephemeral leader;

    private Consumer<CoordinationView> listener = view -> {};
    private CoordinationView delivered = CoordinationView.nothing();
    private @Nullable Connection connection;
    private boolean synced;
    private boolean stateAbsent;
    private boolean birthLock;
    private boolean secretRefused;

    /** A new connection may be with another ensemble altogether: its first synced read counts, whatever was read before. */
    private boolean unsynced;

    private @Nullable VersionedState state;
    private long stateTransaction;
    private long unreadableTransaction;
    private long votesOf;
    private boolean votesRead;
    private Folder<Vote> votes;
    private final Folder<Presence> members;
    private final Folder<Task> tasks;
    private final Folder<RevokedSession> revoked;

    /** The ids in {@link #revoked}, for any thread; null until they were read for the first time. */
    private volatile @Nullable Set<String> revokedIds;

    private volatile Predicate<String> gone = server -> false;

    /** What this cell itself was asked to end, whether ZooKeeper took it or not. */
    private final Map<String, RevokedSession> endedHere = new ConcurrentHashMap<>();

    /** Connects in the background. */
    public ZooKeeperCoordination(CoordinationSettings settings) {
        base = settings.basePath();
        statePath = base + "/state";
        birthPath = base + "/birth";
        leaderPath = base + "/leader";
        membersPath = base + "/members";
        votesPath = base + "/votes";
        tasksPath = base + "/tasks";
        historyPath = base + "/history";
        revokedPath = base + "/revoked";
        thread = new ScheduledThreadPoolExecutor(
                1, Thread.ofPlatform().name("coordination").factory());
        thread.setRemoveOnCancelPolicy(true);
        thread.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
        session = new Session(settings, server -> gone.test(server), thread, new SessionOwner());
        presence = new Ephemeral(thread, () -> connection, this::makeEphemeral);
        leader = new Ephemeral(thread, () -> connection, this::makeEphemeral);
        members = new Folder<>(membersPath, Presence.class);
        tasks = new Folder<>(tasksPath, Task.class);
        revoked = new Folder<>(revokedPath, RevokedSession.class);
        votes = new Folder<>(votesPath + "/0", Vote.class);
        thread.execute(session::open);
    }

    /** Tells it which servers' machines are dead, so that it need not find out: others are tried first for a while. */
    public void passBy(Predicate<String> servers) {
        gone = servers;
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
        byte[] data = Json.write(next);
        return write(data, c -> c.set(statePath, data, expectedVersion).thenApply(reply -> written(reply, next)));
    }

    @Override
    public CompletableFuture<Outcome> create(ClusterState first) {
        byte[] data = Json.write(first);
        return write(
                data,
                c -> withSkeleton(c, () -> c.create(statePath, data, CreateMode.PERSISTENT))
                        .thenApply(reply -> written(reply, first)));
    }

    @Override
    public CompletableFuture<Outcome> takeBirthLock() {
        return write(
                NO_DATA,
                c -> makeEphemeral(c, birthPath, NO_DATA).thenCompose(reply -> {
                    if (!reply.isOk() && !reply.isThere()) {
                        return done(reply.outcome());
                    }
                    return readBirth(c).thenApply(read -> {
                        deliver(false);
                        return birthLock ? Outcome.APPLIED : reply.isOk() ? Outcome.UNKNOWN : Outcome.CONFLICT;
                    });
                }));
    }

    @Override
    public CompletableFuture<Outcome> publishVote(Vote vote) {
        byte[] data = Json.write(vote);
        String ballotPath = votesPath + "/" + vote.ballot();
        String path = ballotPath + "/" + vote.voter().name();
        return write(data, c -> {
            // Both at once: ZooKeeper carries out the requests of a session in order.
            var folder = withSkeleton(c, () -> c.create(ballotPath, NO_DATA, CreateMode.PERSISTENT));
            var node = c.create(path, data, CreateMode.PERSISTENT);
            return folder.thenCompose(ignored -> node)
                    .thenCompose(reply -> reply.isAbsent() ? c.create(path, data, CreateMode.PERSISTENT) : done(reply))
                    .thenCompose(reply -> reply.isThere() ? c.set(path, data, -1) : done(reply))
                    .thenApply(Reply::outcome);
        });
    }

    @Override
    public CompletableFuture<Outcome> deleteVotes(long upToBallot) {
        return write(
                NO_DATA,
                c -> c.children(votesPath).thenCompose(listed -> {
                    if (listed.isAbsent()) {
                        return done(Outcome.APPLIED);
                    }
                    List<CompletableFuture<Outcome>> deletions = listed.children().stream()
                            .filter(name -> isBallotUpTo(name, upToBallot))
                            .map(name -> deleteFolder(c, votesPath + "/" + name, 1))
                            .toList();
                    return CompletableFuture.allOf(deletions.toArray(CompletableFuture[]::new))
                            .thenApply(all -> deletions.stream()
                                    .map(CompletableFuture::join)
                                    .reduce(listed.outcome(), ZooKeeperCoordination::worse));
                }));
    }

    @Override
    public CompletableFuture<Outcome> publishPresence(Presence entry) {
        byte[] data = Json.write(entry);
        String path = membersPath + "/" + entry.cell().name();
        Ephemeral.Wanted wanted = new Ephemeral.Wanted(path, data, standing -> isOfCell(standing, entry.cell()));
        return onThread(() -> presence.want(wanted));
    }

    @Override
    public CompletableFuture<Outcome> announceLeader(CellId primary, long epoch) {
        byte[] data = Json.write(new Leader(primary, epoch));
        Ephemeral.Wanted wanted =
                new Ephemeral.Wanted(leaderPath, data, standing -> isLesserLeader(standing, primary, epoch));
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
        byte[] data = Json.write(task);
        String path = tasksPath + "/" + task.id();
        return write(
                data,
                c -> c.set(path, data, -1)
                        .thenCompose(reply -> reply.isAbsent() ? createTask(c, path, data) : done(reply))
                        .thenApply(Reply::outcome));
    }

    @Override
    public CompletableFuture<Outcome> appendHistory(HistoryEntry entry) {
        byte[] data = Json.write(entry);
        String path = historyPath + "/e-";
        return write(
                data,
                c -> withSkeleton(c, () -> c.create(path, data, CreateMode.PERSISTENT_SEQUENTIAL))
                        .thenApply(reply -> {
                            if (reply.isOk()) {
                                pruneHistory(c);
                            }
                            return reply.outcome();
                        }));
    }

    @Override
    public CompletableFuture<List<HistoryEntry>> history(int limit) {
        CompletableFuture<List<HistoryEntry>> answer = new CompletableFuture<>();
        boolean handed = onCoordinationThread(() -> {
            Connection c = connection;
            if (c == null) {
                answer.completeExceptionally(new IOException("ZooKeeper cannot be asked: not connected"));
                return;
            }
            var unused = readHistory(c, Math.min(limit, MOST_HISTORY)).whenComplete((entries, failure) -> {
                if (failure == null) {
                    answer.complete(entries);
                } else {
                    answer.completeExceptionally(failure.getCause() == null ? failure : failure.getCause());
                }
            });
        });
        if (!handed) {
            answer.completeExceptionally(new IOException("ZooKeeper cannot be asked: closed"));
        }
        return answer;
    }

    @Override
    public Standing standing(String session) {
        if (endedHere.containsKey(session)) {
            return Standing.REVOKED;
        }
        Set<String> known = revokedIds;
        return known == null ? Standing.NOT_KNOWN : known.contains(session) ? Standing.REVOKED : Standing.VALID;
    }

    @Override
    public CompletableFuture<Outcome> revoke(RevokedSession session) {
        Instant now = Instant.now();
        endedHere.values().removeIf(ended -> ended.expires().isBefore(now));
        endedHere.put(session.id(), session);
        byte[] data = Json.write(session);
        return write(data, c -> {
            int standing = 0;
            for (Folder.Entry<RevokedSession> entry : revoked.newestFirst()) {
                if (entry.value().expires().isBefore(now)) {
                    var unused = c.delete(revokedPath + "/" + entry.name(), -1);
                } else {
                    standing++;
                }
            }
            if (standing >= MOST_REVOKED) {
                LOG.error("{} ended sessions are kept already: another one is not written", standing);
                return done(Outcome.NOT_SENT);
            }
            return writeRevoked(c, session, data);
        });
    }

    private CompletableFuture<Outcome> writeRevoked(Connection c, RevokedSession session, byte[] data) {
        return withSkeleton(c, () -> c.create(revokedPath + "/" + session.id(), data, CreateMode.PERSISTENT))
                .thenApply(reply -> reply.isThere() ? Outcome.APPLIED : reply.outcome());
    }

    /** Beside all else: nothing waits for it, and it is tried again until it is read. */
    private void readRevoked(Connection c) {
        if (c != connection) {
            return;
        }
        var unused = revoked.readAll(c).whenComplete((ok, failure) -> {
            if (c != connection) {
                return;
            }
            if (failure != null || !ok) {
                var unusedRetry = thread.schedule(() -> readRevoked(c), RELOAD_MILLIS, TimeUnit.MILLISECONDS);
                return;
            }
            tellRevoked();
            Set<String> known = revokedIds;
            endedHere.values().stream()
                    .filter(session -> known == null || !known.contains(session.id()))
                    .filter(session -> session.expires().isAfter(Instant.now()))
                    .forEach(session -> {
                        var unusedWrite = writeRevoked(c, session, Json.write(session));
                    });
        });
    }

    private void tellRevoked() {
        revokedIds =
                revoked.newestFirst().stream().map(entry -> entry.value().id()).collect(Collectors.toUnmodifiableSet());
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
            synced = false;
            // Also one that resumes a session: servers that were restored from a copy may know it, too.
            unsynced = true;
            if (fresh) {
                birthLock = false;
            }
            deliver(false);
            presence.connected(fresh);
            leader.connected(fresh);
            load(current, false);
            readRevoked(current);
        }

        @Override
        public void disconnected() {
            connection = null;
            synced = false;
            deliver(false);
        }

        @Override
        public void changed(WatchedEvent event) {
            Connection current = connection;
            String path = event.getPath();
            if (current != null && path != null && path.startsWith(base + "/")) {
                nodeChanged(current, event.getType(), path);
            }
        }

        @Override
        public void answered(Reply reply) {
            if (reply.code() == Code.NOAUTH && !secretRefused) {
                secretRefused = true;
                LOG.error(
                        "ZooKeeper refuses {}: the cluster's secret of this cell is not the one that the cluster was made with",
                        reply.path());
            }
        }
    }

    private void nodeChanged(Connection c, EventType type, String path) {
        if (path.equals(statePath)) {
            deliverAfter(readState(c).thenCompose(read -> readVotesIfNew(c)));
        } else if (path.equals(birthPath)) {
            deliverAfter(readBirth(c));
        } else if (isChild(path, membersPath)) {
            if (type == EventType.NodeDeleted) {
                presence.gone(path);
            }
            deliverAfter(members.readOne(c, lastName(path)));
        } else if (isChild(path, tasksPath)) {
            deliverAfter(tasks.readOne(c, lastName(path)));
        } else if (isChild(path, votes.path())) {
            deliverAfter(votes.readOne(c, lastName(path)));
        } else if (isChild(path, revokedPath)) {
            var unused = revoked.readOne(c, lastName(path)).thenAccept(ok -> tellRevoked());
        } else if (path.equals(leaderPath) && type == EventType.NodeDeleted) {
            leader.gone(path);
        }
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
        CompletableFuture<Boolean> watch = c.watch(base).thenApply(Reply::isOk);
        CompletableFuture<Boolean> sync = c.sync(base).thenApply(reply -> {
            if (reply.isOk() && c == connection && unsynced) {
                unsynced = false;
                stateTransaction = 0;
            }
            return reply.isOk();
        });
        CompletableFuture<Boolean> readState =
                readState(c).thenCompose(ok -> readVotes(c).thenApply(votesOk -> ok && votesOk));
        List<CompletableFuture<Boolean>> all =
                List.of(watch, sync, readState, readBirth(c), members.readAll(c), tasks.readAll(c));
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
                        synced = true;
                    } else {
                        var unusedRetry = thread.schedule(() -> reload(c), RELOAD_MILLIS, TimeUnit.MILLISECONDS);
                    }
                    deliver(tell);
                });
    }

    private void reload(Connection c) {
        if (c == connection && !synced) {
            load(c, false);
        }
    }

    // ---- the shared state and its votes

    private CompletableFuture<Boolean> readState(Connection c) {
        return c.get(statePath).thenApply(reply -> {
            if (c != connection) {
                return false;
            }
            if (reply.isAbsent()) {
                state = null;
                stateAbsent = true;
                return true;
            }
            return reply.isOk() && takeState(reply);
        });
    }

    private boolean takeState(Reply reply) {
        Stat stat = reply.statOfOk();
        try {
            if (stat.getMzxid() > stateTransaction) {
                stateTransaction = stat.getMzxid();
                state = new VersionedState(stat.getVersion(), Json.read(reply.data(), ClusterState.class));
                stateAbsent = false;
            }
            return stateTransaction != unreadableTransaction;
        } catch (Json.Unreadable e) {
            unreadableTransaction = stat.getMzxid();
            synced = false;
            LOG.error("{} is not acted upon: {}", statePath, e.getMessage());
            return false;
        }
    }

    /** An own write is a read, too: the newest there can be. */
    private Outcome written(Reply reply, ClusterState next) {
        if (reply.isOk() && reply.statOfOk().getMzxid() > stateTransaction) {
            stateTransaction = reply.statOfOk().getMzxid();
            state = new VersionedState(reply.statOfOk().getVersion(), next);
            stateAbsent = false;
            Connection c = connection;
            if (c != null) {
                deliverAfter(readVotesIfNew(c));
            }
            deliver(false);
        }
        return reply.outcome();
    }

    /** The ballot whose votes matter: the open one, or the one that elected a primary who has not recorded its reign. */
    private static long ballotThatMatters(@Nullable VersionedState current) {
        if (current == null) {
            return 0;
        }
        if (current.state().phase() instanceof Phase.Sealing sealing) {
            return sealing.ballot();
        }
        return current.state().reign() == null ? current.state().epoch() : 0;
    }

    private CompletableFuture<Boolean> readVotesIfNew(Connection c) {
        if (ballotThatMatters(state) == votesOf) {
            return done(true);
        }
        CompletableFuture<Boolean> read = readVotes(c);
        deliver(false);
        return read;
    }

    private CompletableFuture<Boolean> readVotes(Connection c) {
        long ballot = ballotThatMatters(state);
        if (ballot != votesOf) {
            votesOf = ballot;
            votesRead = false;
            votes = new Folder<>(votesPath + "/" + ballot, Vote.class);
        }
        if (ballot == 0) {
            return done(true);
        }
        Folder<Vote> folder = votes;
        return folder.readAll(c).thenApply(ok -> {
            if (folder == votes && ok) {
                votesRead = true;
            }
            return ok;
        });
    }

    private CompletableFuture<Boolean> readBirth(Connection c) {
        return c.exists(birthPath).thenApply(reply -> {
            if (c != connection) {
                return false;
            }
            birthLock = reply.isOk() && reply.statOfOk().getEphemeralOwner() == c.sessionId();
            return reply.isOk() || reply.isAbsent();
        });
    }

    // ---- the view

    private void deliver(boolean always) {
        CoordinationView view = new CoordinationView(
                connection != null,
                synced,
                synced && stateAbsent,
                state,
                votesRead ? votesOf : 0,
                votesRead ? byName(votes, vote -> vote.voter().name()) : Map.of(),
                byName(members, entry -> entry.cell().name()),
                connection != null && birthLock,
                tasks.newestFirst().stream().map(Folder.Entry::value).toList(),
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

    private static <T> Map<CellName, T> byName(Folder<T> folder, Function<T, CellName> name) {
        Map<CellName, T> all = new HashMap<>();
        folder.newestFirst().forEach(entry -> all.putIfAbsent(name.apply(entry.value()), entry.value()));
        return all;
    }

    // ---- writes

    /** Sends a write from the coordination thread; not connected, it is not sent. */
    private CompletableFuture<Outcome> write(byte[] data, Function<Connection, CompletableFuture<Outcome>> request) {
        if (data.length > Connection.LARGEST_NODE) {
            LOG.error("{} bytes are too much for one node: not written", data.length);
            return done(Outcome.NOT_SENT);
        }
        return onThread(() -> {
            Connection c = connection;
            return c == null ? done(Outcome.NOT_SENT) : request.apply(c);
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

    /** Creates a node, making what it lies under when that is not there yet. */
    private CompletableFuture<Reply> withSkeleton(Connection c, Supplier<CompletableFuture<Reply>> create) {
        return create.get()
                .thenCompose(
                        reply -> reply.isAbsent() ? makeSkeleton(c).thenCompose(made -> create.get()) : done(reply));
    }

    private CompletableFuture<Reply> makeEphemeral(Connection c, String path, byte[] data) {
        return withSkeleton(c, () -> c.create(path, data, CreateMode.EPHEMERAL));
    }

    private CompletableFuture<Reply> makeSkeleton(Connection c) {
        List<String> paths = new ArrayList<>();
        for (int slash = base.indexOf('/', 1); slash > 0; slash = base.indexOf('/', slash + 1)) {
            paths.add(base.substring(0, slash));
        }
        paths.addAll(List.of(base, membersPath, votesPath, tasksPath, historyPath, revokedPath));
        CompletableFuture<Reply> last = done(Reply.of(Code.OK, base));
        for (String path : paths) {
            CompletableFuture<Reply> made = c.create(path, NO_DATA, CreateMode.PERSISTENT);
            last = last.thenCompose(ignored -> made);
        }
        return last;
    }

    private CompletableFuture<Outcome> deleteFolder(Connection c, String path, int tries) {
        return c.children(path).thenCompose(listed -> {
            listed.children().forEach(name -> {
                var unused = c.delete(path + "/" + name, -1);
            });
            return c.delete(path, -1).thenCompose(reply -> {
                if (reply.isAbsent()) {
                    return done(Outcome.APPLIED);
                }
                return reply.code() == Code.NOTEMPTY && tries < MOST_TRIES
                        ? deleteFolder(c, path, tries + 1)
                        : done(reply.outcome());
            });
        });
    }

    private static boolean isBallotUpTo(String name, long ballot) {
        return name.matches("[0-9]{1,18}") && Long.parseLong(name) <= ballot;
    }

    private static Outcome worse(Outcome one, Outcome other) {
        return one.compareTo(other) >= 0 ? one : other;
    }

    private CompletableFuture<Reply> createTask(Connection c, String path, byte[] data) {
        return withSkeleton(c, () -> c.create(path, data, CreateMode.PERSISTENT))
                .thenCompose(reply -> {
                    if (reply.isThere()) {
                        return c.set(path, data, -1);
                    }
                    if (reply.isOk()) {
                        pruneTasks(c);
                    }
                    return done(reply);
                });
    }

    /** Drops the oldest that have ended, past the number that is kept. */
    private void pruneTasks(Connection c) {
        List<Folder.Entry<Task>> all = tasks.newestFirst();
        int surplus = all.size() + 1 - MOST_TASKS;
        for (int i = all.size() - 1; i >= 0 && surplus > 0; i--) {
            if (!all.get(i).value().isOpen()) {
                var unused = c.delete(tasksPath + "/" + all.get(i).name(), -1);
                surplus--;
            }
        }
    }

    private void pruneHistory(Connection c) {
        var unused = c.exists(historyPath).thenAccept(reply -> {
            if (reply.isOk() && reply.statOfOk().getNumChildren() > MOST_HISTORY + HISTORY_SLACK) {
                var unusedListing = c.children(historyPath)
                        .thenAccept(listed -> newestFirst(listed.children()).stream()
                                .skip(MOST_HISTORY)
                                .forEach(name -> {
                                    var unusedDeletion = c.delete(historyPath + "/" + name, -1);
                                }));
            }
        });
    }

    private CompletableFuture<List<HistoryEntry>> readHistory(Connection c, int limit) {
        return c.children(historyPath).thenCompose(listed -> {
            if (!listed.isOk() && !listed.isAbsent()) {
                return CompletableFuture.failedFuture(new IOException("ZooKeeper cannot be asked: " + listed.code()));
            }
            List<CompletableFuture<Reply>> entries = newestFirst(listed.children()).stream()
                    .limit(limit)
                    .map(name -> c.get(historyPath + "/" + name))
                    .toList();
            return CompletableFuture.allOf(entries.toArray(CompletableFuture[]::new))
                    .thenCompose(all -> parseHistory(
                            entries.stream().map(CompletableFuture::join).toList()));
        });
    }

    private static CompletableFuture<List<HistoryEntry>> parseHistory(List<Reply> replies) {
        List<HistoryEntry> entries = new ArrayList<>();
        for (Reply reply : replies) {
            try {
                if (reply.isOk()) {
                    entries.add(Json.read(reply.data(), HistoryEntry.class));
                } else if (!reply.isAbsent()) {
                    return CompletableFuture.failedFuture(
                            new IOException("ZooKeeper cannot be asked: " + reply.code()));
                }
            } catch (Json.Unreadable e) {
                LOG.warn("{} is left out: {}", reply.path(), e.getMessage());
            }
        }
        return done(List.copyOf(entries));
    }

    private static List<String> newestFirst(List<String> sequentialNames) {
        return sequentialNames.stream().sorted(Comparator.reverseOrder()).toList();
    }

    private static <T> CompletableFuture<T> done(T value) {
        return CompletableFuture.completedFuture(value);
    }

    private static boolean isChild(String path, String parent) {
        return path.length() > parent.length() + 1
                && path.startsWith(parent)
                && path.charAt(parent.length()) == '/'
                && path.indexOf('/', parent.length() + 1) < 0;
    }

    private static String lastName(String path) {
        return path.substring(path.lastIndexOf('/') + 1);
    }

    // ---- entries of this package's own

    /** The primary's ephemeral entry. */
    record Leader(CellId primary, long epoch) {}

    private static boolean isOfCell(byte[] standing, CellId cell) {
        try {
            return Json.read(standing, Presence.class).cell().equals(cell);
        } catch (Json.Unreadable e) {
            return false;
        }
    }

    /** An older reign gives way to a newer one, and an older session of the same primary to this one. */
    private static boolean isLesserLeader(byte[] standing, CellId primary, long epoch) {
        try {
            Leader other = Json.read(standing, Leader.class);
            return other.epoch() < epoch
                    || (other.epoch() == epoch && other.primary().equals(primary));
        } catch (Json.Unreadable e) {
            return false;
        }
    }
}
