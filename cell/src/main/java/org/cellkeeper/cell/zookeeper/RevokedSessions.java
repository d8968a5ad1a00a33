package org.cellkeeper.cell.zookeeper;

import java.time.Instant;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.zookeeper.CreateMode;
import org.cellkeeper.cell.model.RevokedSession;
import org.cellkeeper.cell.port.Coordination.Outcome;
import org.cellkeeper.cell.port.Revocations.Standing;
import org.cellkeeper.cell.wire.Json;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The sessions of the API that were ended before their time: a copy of them, and how one is added and expired ones are dropped. Lives
 * on the coordination thread, but for what any thread may ask. It is read beside all else, and nothing waits for it.
 */
final class RevokedSessions extends Folder<RevokedSession> {
    private static final Logger LOG = LoggerFactory.getLogger(RevokedSessions.class);

    private static final int MOST_REVOKED = 1000;
    private static final long RELOAD_MILLIS = 1000;

    private final Tree tree;
    private final ScheduledExecutorService thread;

    /** The ids of the copy, for any thread; null until they were read for the first time. */
    private volatile @Nullable Set<String> ids;

    /** What this cell itself was asked to end, whether ZooKeeper took it or not. */
    private final Map<String, RevokedSession> endedHere = new ConcurrentHashMap<>();

    RevokedSessions(Tree tree, ScheduledExecutorService thread) {
        super(tree.revoked, RevokedSession.class);
        this.tree = tree;
        this.thread = thread;
    }

    // ---- on any thread

    Standing standing(String session) {
        if (endedHere.containsKey(session)) {
            return Standing.REVOKED;
        }
        Set<String> known = ids;
        return known == null ? Standing.NOT_KNOWN : known.contains(session) ? Standing.REVOKED : Standing.VALID;
    }

    /** Ends it at this cell. */
    void endHere(RevokedSession session) {
        Instant now = Instant.now();
        endedHere.values().removeIf(ended -> ended.expires().isBefore(now));
        endedHere.put(session.id(), session);
    }

    // ---- on the coordination thread

    CompletableFuture<Outcome> publish(Connection c, RevokedSession session, byte[] data) {
        Instant now = Instant.now();
        int standing = 0;
        for (Entry<RevokedSession> entry : newestFirst()) {
            if (entry.value().expires().isBefore(now)) {
                var unused = c.delete(child(entry.name()), -1);
            } else {
                standing++;
            }
        }
        if (standing >= MOST_REVOKED) {
            LOG.error("{} ended sessions are kept already: another one is not written", standing);
            return CompletableFuture.completedFuture(Outcome.NOT_SENT);
        }
        return write(c, session, data);
    }

    private CompletableFuture<Outcome> write(Connection c, RevokedSession session, byte[] data) {
        return tree.create(c, child(session.id()), data, CreateMode.PERSISTENT)
                .thenApply(reply -> reply.isThere() ? Outcome.APPLIED : reply.outcome());
    }

    /** Reads all, again and again until it could, and writes what this cell ended meanwhile. */
    void load(Connection c) {
        if (c.isAbandoned()) {
            return;
        }
        var unused = readAll(c).whenComplete((ok, failure) -> {
            if (c.isAbandoned()) {
                return;
            }
            if (failure != null || !ok) {
                var unusedRetry = thread.schedule(() -> load(c), RELOAD_MILLIS, TimeUnit.MILLISECONDS);
                return;
            }
            Set<String> known = noteIds();
            endedHere.values().stream()
                    .filter(session -> !known.contains(session.id()))
                    .filter(session -> session.expires().isAfter(Instant.now()))
                    .forEach(session -> {
                        var unusedWrite = write(c, session, Json.write(session));
                    });
        });
    }

    @Override
    CompletableFuture<Boolean> readOne(Connection c, String path) {
        return super.readOne(c, path).thenApply(ok -> {
            noteIds();
            return ok;
        });
    }

    private Set<String> noteIds() {
        Set<String> known =
                newestFirst().stream().map(entry -> entry.value().id()).collect(Collectors.toUnmodifiableSet());
        ids = known;
        return known;
    }
}
