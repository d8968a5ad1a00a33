package org.cellkeeper.cell.zookeeper;

import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.apache.zookeeper.CreateMode;
import org.cellkeeper.cell.port.Coordination.Outcome;
import org.cellkeeper.cell.wire.Json;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps one ephemeral node as it is wanted, in this session and the next ones. Lives on the coordination thread; one
 * attempt runs at a time. It never removes a node that another session holds, unless that one is said to be replaceable.
 */
final class Ephemeral {
    private static final Logger LOG = LoggerFactory.getLogger(Ephemeral.class);

    private static final int MOST_TRIES = 5;

    /** How soon a node that was taken away from us is made again: two that want the same must not wrestle. */
    private static final int REMAKE_MILLIS = 500;

    private final ScheduledExecutorService thread;
    private final Supplier<@Nullable Connection> connection;
    private final Tree tree;

    private @Nullable Wanted wanted;

    /** The path that this session may hold. */
    private @Nullable String held;

    private CompletableFuture<Outcome> last = CompletableFuture.completedFuture(Outcome.APPLIED);

    Ephemeral(ScheduledExecutorService thread, Supplier<@Nullable Connection> connection, Tree tree) {
        this.thread = thread;
        this.connection = connection;
        this.tree = tree;
    }

    /** The node, and which content of another session gives way to it. */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    record Wanted(String path, byte[] data, Predicate<byte[]> givesWay) {
        /** A node that holds a record; one that holds none gives way to nobody. */
        static <T> Wanted of(String path, T content, Class<T> type, Predicate<T> givesWay) {
            return new Wanted(path, Json.write(content), standing -> {
                try {
                    return givesWay.test(Json.read(standing, type));
                } catch (Json.Unreadable e) {
                    return false;
                }
            });
        }
    }

    /** Wants this node from now on; with null, none. */
    CompletableFuture<Outcome> want(@Nullable Wanted node) {
        wanted = node;
        return settle();
    }

    /** A connection is there: the node is made, or made anew, or removed. */
    void connected(boolean freshSession) {
        if (freshSession) {
            held = null;
        }
        var unused = settle();
    }

    /** The node went: ours, or one that stood in the way. */
    void gone(String path) {
        Wanted current = wanted;
        if (current == null || !current.path().equals(path)) {
            return;
        }
        if (path.equals(held)) {
            held = null;
            var unused = thread.schedule(() -> connected(false), REMAKE_MILLIS, TimeUnit.MILLISECONDS);
        } else {
            var unused = settle();
        }
    }

    /** Makes what there is into what is wanted, after whatever is under way. */
    private CompletableFuture<Outcome> settle() {
        last = last.handle((outcome, failure) -> outcome).thenCompose(outcome -> {
            String old = held;
            if (old == null || (wanted != null && wanted.path().equals(old))) {
                return makeWanted();
            }
            return remove(old)
                    .thenCompose(removed ->
                            removed == Outcome.APPLIED ? makeWanted() : CompletableFuture.completedFuture(removed));
        });
        return last;
    }

    private CompletableFuture<Outcome> makeWanted() {
        Wanted current = wanted;
        if (current == null) {
            return CompletableFuture.completedFuture(Outcome.APPLIED);
        }
        Connection open = connection.get();
        // Reading costs one server a look; creating in vain costs all of them a write.
        return open != null && current.path().equals(held) ? standsThere(open, current, 1) : make(current, 1);
    }

    private CompletableFuture<Outcome> make(Wanted node, int tries) {
        Connection current = connection.get();
        if (current == null) {
            return CompletableFuture.completedFuture(Outcome.NOT_SENT);
        }
        held = node.path();
        return tree.create(current, node.path(), node.data(), CreateMode.EPHEMERAL)
                .thenCompose(reply -> {
                    if (reply.isThere()) {
                        return standsThere(current, node, tries);
                    }
                    return CompletableFuture.completedFuture(reply.outcome());
                });
    }

    private CompletableFuture<Outcome> standsThere(Connection current, Wanted node, int tries) {
        return current.get(node.path()).thenCompose(reply -> {
            if (reply.isAbsent()) {
                return again(node, tries);
            }
            if (!reply.isOk()) {
                return CompletableFuture.completedFuture(reply.outcome());
            }
            if (reply.statOfOk().getEphemeralOwner() == current.sessionId()) {
                return Arrays.equals(reply.data(), node.data())
                        ? CompletableFuture.completedFuture(Outcome.APPLIED)
                        : current.set(node.path(), node.data(), -1).thenApply(Reply::outcome);
            }
            if (!node.givesWay().test(reply.data())) {
                held = null;
                LOG.warn("{} is held by another; ours is made when it goes", node.path());
                return CompletableFuture.completedFuture(Outcome.CONFLICT);
            }
            return current.delete(node.path(), reply.statOfOk().getVersion())
                    .thenCompose(deleted -> deleted.isOk() || deleted.outcome() == Outcome.CONFLICT
                            ? again(node, tries)
                            : CompletableFuture.completedFuture(deleted.outcome()));
        });
    }

    private CompletableFuture<Outcome> again(Wanted node, int tries) {
        return tries < MOST_TRIES ? make(node, tries + 1) : CompletableFuture.completedFuture(Outcome.CONFLICT);
    }

    /** Removes the node if this session holds it. */
    private CompletableFuture<Outcome> remove(String path) {
        Connection current = connection.get();
        if (current == null) {
            return CompletableFuture.completedFuture(Outcome.NOT_SENT);
        }
        return current.get(path).thenCompose(reply -> {
            if (!reply.isOk() && !reply.isAbsent()) {
                return CompletableFuture.completedFuture(reply.outcome());
            }
            if (reply.isAbsent() || reply.statOfOk().getEphemeralOwner() != current.sessionId()) {
                return removed(path, Outcome.APPLIED);
            }
            return current.delete(path, -1)
                    .thenCompose(deleted -> removed(path, deleted.isAbsent() ? Outcome.APPLIED : deleted.outcome()));
        });
    }

    private CompletableFuture<Outcome> removed(String path, Outcome outcome) {
        if (outcome == Outcome.APPLIED && path.equals(held)) {
            held = null;
        }
        return CompletableFuture.completedFuture(outcome);
    }
}
