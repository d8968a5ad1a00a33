package org.cellkeeper.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import org.jspecify.annotations.Nullable;

/**
 * What became of an operator's request.
 *
 * @param operation PROMOTE, SWITCHOVER, REMOVE, DEPLOY, MODE, BACKUP, BACKUP_AND_CHECK, CHECK_BACKUP, RESTORE or
 *     DELETE_BACKUP
 * @param target the cell that it is about, or the backup
 * @param status QUEUED, RUNNING, SUCCESS or ERROR
 * @param startTime ISO 8601, as is {@code endTime}
 * @param progress in percent
 * @param message what it is doing, while it runs
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record TaskInfo(
        String id,
        String operation,
        String target,
        String status,
        String startTime,
        @Nullable String endTime,
        int progress,
        @Nullable String message,
        @Nullable Result result,
        @Nullable Failure error) {

    /** Of a task that succeeded. */
    public record Result(String message) {}

    /** Of a task that failed. */
    public record Failure(String code, String message) {}

    public boolean hasEnded() {
        return status.equals("SUCCESS") || status.equals("ERROR");
    }

    public boolean hasSucceeded() {
        return status.equals("SUCCESS");
    }
}
