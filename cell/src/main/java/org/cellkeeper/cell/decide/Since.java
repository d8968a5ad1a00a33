package org.cellkeeper.cell.decide;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * Since when something is so, by the cell's own monotonic milliseconds, or that it is not so.
 *
 * @param start null when it is not so
 */
public record Since(@Nullable Long start) {
    public static final Since NOT_SO = new Since(null);

    public static Since of(long start) {
        return new Since(start);
    }

    public boolean isSo() {
        return start != null;
    }

    /** After another look: it goes on, begins now, or is over. */
    Since next(boolean so, long now) {
        return !so ? NOT_SO : isSo() ? this : of(now);
    }

    /** For how many milliseconds; 0 when it is not so. */
    public long heldFor(long now) {
        return start == null ? 0 : Math.max(0, now - start);
    }

    /** Whether it is so, and was for so long. */
    boolean lasts(long now, Duration atLeast) {
        return isSo() && heldFor(now) >= atLeast.toMillis();
    }

    public long startOr(long other) {
        return start == null ? other : start;
    }
}
