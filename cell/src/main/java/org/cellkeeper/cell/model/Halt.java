package org.cellkeeper.cell.model;

import java.time.Instant;
import org.jspecify.annotations.Nullable;

/** Why a name is halted: only an operator's removal clears it. {@code lsn} and {@code timeline} follow once its agent has told them. */
public record Halt(
        long epoch,
        String reason,
        Instant since,
        @Nullable Lsn lsn,
        @Nullable Integer timeline) {
    public Halt withEnd(Lsn endLsn, int endTimeline) {
        return new Halt(epoch, reason, since, endLsn, endTimeline);
    }
}
