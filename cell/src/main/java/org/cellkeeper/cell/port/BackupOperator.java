package org.cellkeeper.cell.port;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.cellkeeper.cell.model.StoredBackup;

/** Backups as operators see them, through the API. */
public interface BackupOperator {
    CompletableFuture<Backups.Share> share();

    /** The newest first. */
    CompletableFuture<List<StoredBackup>> list();

    /** As {@link Backups#damage}. */
    CompletableFuture<String> damage(String name);

    /**
     * Examines it; unless it is a dry run, or refused, it becomes a task. A repeated request gets the task that is open.
     *
     * @param caller who asks, for the history
     */
    CompletableFuture<Operator.Verdict> ask(Request request, String caller);

    /** What an operator wants. With {@code acceptUnsigned} the backup may be one without this cluster's signature. */
    sealed interface Request {
        boolean dryRun();

        /** With {@code check} it is also checked at once. */
        record Create(boolean check, boolean dryRun) implements Request {}

        record Check(String name, boolean acceptUnsigned, boolean dryRun) implements Request {}

        record Restore(String name, boolean acceptUnsigned, boolean dryRun) implements Request {}

        record Delete(String name, boolean dryRun) implements Request {}
    }
}
