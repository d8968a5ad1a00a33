package org.cellkeeper.cell.model;

/** How often something was done since the agent's start, how long all of it took, and how long the longest time. */
public record Busy(long count, long nanos, long longestNanos) {
    public static final Busy NEVER = new Busy(0, 0, 0);

    public Busy and(long tookNanos) {
        return new Busy(count + 1, nanos + tookNanos, Math.max(longestNanos, tookNanos));
    }
}
