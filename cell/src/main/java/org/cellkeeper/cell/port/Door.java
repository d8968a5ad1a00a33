package org.cellkeeper.cell.port;

import java.time.Instant;
import java.util.concurrent.CompletableFuture;
import org.cellkeeper.cell.model.Upstream;
import org.jspecify.annotations.Nullable;

/**
 * What stands between clients and PostgreSQL, and can hold new work while the primary changes. A hold outlives nobody: it ends
 * by itself at its time, and with the agent that asked for it (the next one begins by letting go). Nothing waits for a door that does
 * not work: nobody comes through it.
 */
public interface Door {
    /**
     * Holds new transactions and waits until those in flight have ended; completes exceptionally when they have not within
     * {@code drainMillis}, and is open again then. After {@code holdMillis} it opens by itself to where it led before.
     */
    CompletableFuture<Void> hold(long drainMillis, long holdMillis);

    /**
     * Lets held and new transactions go on, to this primary. Never fails, and completes soon: a door that cannot be steered at once
     * leads there as soon as it can.
     */
    CompletableFuture<Void> openTo(Upstream primary);

    /** How it is now. Never waits. */
    Status status();

    /**
     * How a door is.
     *
     * @param heldSince null while it is open
     * @param problem why nobody comes through; empty when that is not so
     */
    record Status(@Nullable Instant heldSince, String problem) {
        public static final Status OPEN = new Status(null, "");
    }
}
