package org.cellkeeper.cell.model;

import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * An operator's request, kept in ZooKeeper so that every cell can answer for it.
 *
 * @param executor the cell that carries it out
 * @param acceptDataLoss an operator's word that commits may be lost (promote), that a running standby may go (remove), or that a
 *     backup without this cluster's signature may be used (check, restore)
 * @param ballot the ballot opened for it, 0 while none
 * @param progress in percent
 * @param message the result, or the cause of the error
 * @param backup the name of the backup that it is about; null when it is about none
 */
public record Task(
        String id,
        Operation operation,
        CellName target,
        CellName executor,
        boolean acceptDataLoss,
        Status status,
        Instant start,
        @Nullable Instant end,
        int progress,
        long ballot,
        String message,
        @Nullable String backup) {
    /** What was asked for. */
    public enum Operation {
        PROMOTE,
        SWITCHOVER,
        REMOVE,
        DEPLOY,
        MODE,
        BACKUP,
        BACKUP_AND_CHECK,
        CHECK_BACKUP,
        RESTORE,
        DELETE_BACKUP;

        /** Whether it is about the transfer share's backups; these tasks leave the cluster's state alone. */
        public boolean isAboutBackups() {
            return makesBackup() || checksBackup() || this == RESTORE || this == DELETE_BACKUP;
        }

        public boolean makesBackup() {
            return this == BACKUP || this == BACKUP_AND_CHECK;
        }

        /** Whether it tells in the end that a backup can be restored. */
        public boolean checksBackup() {
            return this == BACKUP_AND_CHECK || this == CHECK_BACKUP;
        }

        /** Whether only the primary can carry it out. */
        public boolean needsPrimary() {
            return makesBackup() || this == RESTORE;
        }
    }

    /** How far it is. */
    public enum Status {
        QUEUED,
        RUNNING,
        SUCCESS,
        ERROR
    }

    /** A task that is about no backup. */
    public Task(
            String id,
            Operation operation,
            CellName target,
            CellName executor,
            boolean acceptDataLoss,
            Status status,
            Instant start,
            @Nullable Instant end,
            int progress,
            long ballot,
            String message) {
        this(id, operation, target, executor, acceptDataLoss, status, start, end, progress, ballot, message, null);
    }

    public boolean isOpen() {
        return status == Status.QUEUED || status == Status.RUNNING;
    }

    public Task running(long newBallot, int newProgress, String newMessage) {
        return new Task(
                id,
                operation,
                target,
                executor,
                acceptDataLoss,
                Status.RUNNING,
                start,
                null,
                newProgress,
                newBallot,
                newMessage,
                backup);
    }

    public Task ended(Status verdict, Instant now, String verdictMessage) {
        return new Task(
                id,
                operation,
                target,
                executor,
                acceptDataLoss,
                verdict,
                start,
                now,
                verdict == Status.SUCCESS ? 100 : progress,
                ballot,
                verdictMessage,
                backup);
    }
}
