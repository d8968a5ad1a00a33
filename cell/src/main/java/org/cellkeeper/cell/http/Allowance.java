package org.cellkeeper.cell.http;

import java.time.Duration;

/** So much at once, and then one for each while that passes. For one thread at a time. */
final class Allowance {
    private final int most;
    private final long nanosForOne;
    private double left;
    private long at;

    Allowance(int most, Duration forOne, long now) {
        this.most = most;
        this.nanosForOne = forOne.toNanos();
        this.left = most;
        this.at = now;
    }

    /** How long until there is one, in nanoseconds; 0 when there is. */
    long waitNanos(long now) {
        left = Math.min(most, left + (double) (now - at) / nanosForOne);
        at = now;
        return left >= 1 ? 0 : (long) Math.ceil((1 - left) * nanosForOne);
    }

    /** Takes one if there is one. */
    boolean take(long now) {
        boolean is = waitNanos(now) == 0;
        left = is ? left - 1 : left;
        return is;
    }
}
