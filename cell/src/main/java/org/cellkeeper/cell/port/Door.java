package org.cellkeeper.cell.port;

import java.util.concurrent.CompletableFuture;
import org.cellkeeper.cell.model.Upstream;

/**
 * What stands between clients and PostgreSQL, and can hold new work while the primary changes. A hold outlives nobody: it ends
 * by itself at its time, and with the agent that asked for it (the next one begins by letting go).
 */
public interface Door {
    /**
     * Holds new transactions and waits until those in flight have ended; completes exceptionally when they have not within
     * {@code drainMillis}, and is open again then. After {@code holdMillis} it opens by itself to where it led before.
     */
    CompletableFuture<Void> hold(long drainMillis, long holdMillis);

    /** Lets held and new transactions go on, to this primary. */
    CompletableFuture<Void> openTo(Upstream primary);
}
