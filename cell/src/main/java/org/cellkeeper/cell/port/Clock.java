package org.cellkeeper.cell.port;

import java.time.Instant;

/** Time as the core sees it. Only {@link #millis} decides anything; {@link #now} is for people. */
public interface Clock {
    /** Monotonic milliseconds; stands still for nothing, and has no relation to any other cell's. */
    long millis();

    Instant now();

    /** Runs the task once after the delay, on the loop's own thread. */
    void after(long delayMillis, Runnable task);
}
