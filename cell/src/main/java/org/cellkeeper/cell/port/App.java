package org.cellkeeper.cell.port;

import java.time.Instant;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.HistoryEntry;
import org.jspecify.annotations.Nullable;

/**
 * The cell's own app, which uses the replicated database as any application does. Nothing here blocks, and every answer comes within
 * about three seconds.
 */
public interface App {
    /** How the app is. */
    enum Status {
        /** It reaches a primary database, and what it keeps there has its place. */
        RUNNING,
        /** It has not reached one since the agent's start. */
        STARTING,
        DEAD
    }

    /**
     * A cell as it registered itself.
     *
     * @param built when its program was made
     * @param active whether its last heartbeat is recent, by the clock of the database that was read
     */
    record RegisteredCell(CellId cell, String address, String version, String built, boolean active) {}

    /** Whether this cell reaches a primary database. Never fails. */
    CompletableFuture<Boolean> reachesPrimary();

    /** Never fails. */
    CompletableFuture<Status> status();

    /** The registry of cells, by name; fails when neither this cell's database nor the primary's can be read. */
    CompletableFuture<List<RegisteredCell>> cells();

    /**
     * The archive of the history, newest first; fails as {@link #cells} does.
     *
     * @param before only what happened before; null for the newest
     */
    CompletableFuture<List<HistoryEntry>> history(@Nullable Instant before, int limit);
}
