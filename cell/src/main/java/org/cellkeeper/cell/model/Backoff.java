package org.cellkeeper.cell.model;

import java.time.Duration;

/** How long to wait before something that failed is tried again: after each failure in a row twice as long, up to a limit. */
public record Backoff(Duration first, Duration longest) {
    private static final int MOST_DOUBLINGS = 10;

    /** After so many failures in a row, of which there is one at least. */
    public Duration after(int failures) {
        Duration pause = first.multipliedBy(1L << Math.min(failures - 1, MOST_DOUBLINGS));
        return pause.compareTo(longest) > 0 ? longest : pause;
    }
}
