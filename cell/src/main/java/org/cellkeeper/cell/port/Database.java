package org.cellkeeper.cell.port;

import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.IntConsumer;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.SyncSetting;
import org.cellkeeper.cell.model.Upstream;
import org.jspecify.annotations.Nullable;

/**
 * The local PostgreSQL. Every verb completes, once its effect is there, with an observation taken after it, or
 * exceptionally with a {@link DatabaseFailure} that says what went wrong: then its effect may be there in whole, in part, not
 * at all, or a moment later (settings that were written and not reloaded, a promotion that was asked for). One verb runs at a
 * time, but {@link #observe} runs beside them, and {@link #stopImmediate} interrupts whatever runs.
 */
public interface Database {
    /** Tells, on any thread, that something may have changed (the postmaster went, the stream broke): observe now. */
    void listen(Runnable somethingChanged);

    CompletableFuture<DatabaseView> observe();

    /** The same, with what costs more: the commit rule as a new session sees it, and the slots. */
    CompletableFuture<DatabaseView> observeThoroughly();

    /** initdb with our settings, the roles and the application's database; leaves PostgreSQL stopped. */
    CompletableFuture<DatabaseView> initialise();

    /** Replaces whatever lies in the data directory by a copy of the primary's; leaves PostgreSQL stopped, as a standby without upstream. */
    CompletableFuture<DatabaseView> cloneFrom(Upstream source, CellId self, IntConsumer percent);

    /** Starts a primary: with the commit rule that the settings file holds. */
    CompletableFuture<DatabaseView> startPrimary();

    /**
     * Starts a standby that names nobody; with no upstream it receives nothing. Completes when it takes connections, and after two seconds
     * if it still does not: it may never.
     */
    CompletableFuture<DatabaseView> startStandby(@Nullable Upstream upstream, CellId self);

    /**
     * Starts a stopped standby without an upstream, with this commit rule from the first moment on, and promotes it before it lets
     * anybody in; else as {@link #promote}.
     */
    CompletableFuture<DatabaseView> promoteAtRest(SyncSetting setting, int higherThan);

    /** Reads the WAL of a stopped instance to its end ({@link DatabaseView.Rest}). */
    CompletableFuture<DatabaseView> readEnd();

    /** Stops in mode fast; when that takes longer than the deadline, in mode immediate. */
    CompletableFuture<DatabaseView> stopFast(long deadlineMillis);

    /** Fences: stops in mode immediate, and kills what does not go. Interrupts any other verb. */
    CompletableFuture<DatabaseView> stopImmediate();

    /** Writes an upstream into the settings of a running or stopped standby, and reloads. */
    CompletableFuture<DatabaseView> follow(Upstream upstream, CellId self);

    /**
     * Empties the upstream on disk, and reloads; {@link DatabaseView.Receiver#DETACHED} is observed later. Ends what stands in the way
     * of replay then: a pause, and sessions that it waits for.
     */
    CompletableFuture<DatabaseView> unfollow();

    /** Promotes a standby onto a timeline higher than the given one (by making the missing history files known first). */
    CompletableFuture<DatabaseView> promote(int higherThan);

    /** Writes the commit rule, and reloads; that it is in force is observed later. */
    CompletableFuture<DatabaseView> applySync(SyncSetting setting);

    /** Terminates the walsenders that started before the last reload. */
    CompletableFuture<DatabaseView> terminateOldSenders();

    /** Makes new transactions read-only by default, or not; when read-only, terminates the sessions that wait for an acknowledgement. */
    CompletableFuture<DatabaseView> setReadOnly(boolean readOnly);

    /**
     * Has a checkpoint written. Beside the verbs, since it may take minutes: completes when it is written, or fails when PostgreSQL
     * goes or the deadline comes first; it is no observation.
     */
    CompletableFuture<Void> checkpoint(long deadlineMillis);

    /** Makes the missing slots for these siblings, and drops those that it made for others; what it did not make is not touched. */
    CompletableFuture<DatabaseView> keepSlots(CellId self, Set<CellId> siblings);

    /** Empties the data directory. Only for a stopped instance. */
    CompletableFuture<DatabaseView> wipe();
}
