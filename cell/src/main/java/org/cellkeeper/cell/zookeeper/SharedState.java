package org.cellkeeper.cell.zookeeper;

import java.util.concurrent.CompletableFuture;
import org.apache.zookeeper.data.Stat;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.Phase;
import org.cellkeeper.cell.model.VersionedState;
import org.cellkeeper.cell.wire.Json;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A copy of the shared state, which never goes back to an older one. Lives on the coordination thread. One that cannot be read as
 * a state is not acted upon: the last good one stays.
 */
final class SharedState {
    private static final Logger LOG = LoggerFactory.getLogger(SharedState.class);

    private final String path;

    private @Nullable VersionedState current;
    private boolean absent;
    private long transaction;
    private boolean readable = true;

    /** A new connection may be with another ensemble altogether: its first synced read counts, whatever was read before. */
    private boolean unsynced;

    SharedState(String path) {
        this.path = path;
    }

    /** The newest that was read; null when there was none. */
    @Nullable
    VersionedState current() {
        return current;
    }

    /** Whether the last read found none. */
    boolean isAbsent() {
        return absent;
    }

    /** Whether the newest that was read is a state, or absent. */
    boolean isReadable() {
        return readable;
    }

    /** The ballot whose votes matter: the open one, or the one that elected a primary who has not recorded its reign; or 0. */
    long ballotThatMatters() {
        if (current == null) {
            return 0;
        }
        ClusterState state = current.state();
        if (state.phase() instanceof Phase.Sealing sealing) {
            return sealing.ballot();
        }
        return state.reign() == null ? state.epoch() : 0;
    }

    /** Also one that resumes a session: servers that were restored from a copy may know it, too. */
    void connected() {
        unsynced = true;
    }

    void synced() {
        if (unsynced) {
            unsynced = false;
            transaction = 0;
        }
    }

    CompletableFuture<Boolean> read(Connection c) {
        return c.get(path).thenApply(reply -> {
            if (c.isAbandoned()) {
                return false;
            }
            if (reply.isAbsent()) {
                current = null;
                absent = true;
                readable = true;
                return true;
            }
            return reply.isOk() && take(reply);
        });
    }

    private boolean take(Reply reply) {
        Stat stat = reply.statOfOk();
        try {
            if (stat.getMzxid() > transaction) {
                transaction = stat.getMzxid();
                absent = false;
                readable = false;
                current = new VersionedState(stat.getVersion(), Json.read(reply.data(), ClusterState.class));
                readable = true;
            }
        } catch (Json.Unreadable e) {
            LOG.error("{} is not acted upon: {}", path, e.getMessage());
        }
        return readable;
    }

    /** An own write is a read, too: the newest there can be. Says whether it is news. */
    boolean wrote(Reply reply, ClusterState next) {
        if (!reply.isOk() || reply.statOfOk().getMzxid() <= transaction) {
            return false;
        }
        transaction = reply.statOfOk().getMzxid();
        current = new VersionedState(reply.statOfOk().getVersion(), next);
        absent = false;
        readable = true;
        return true;
    }
}
