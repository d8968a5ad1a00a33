package org.cellkeeper.cell.sim;

import org.jspecify.annotations.Nullable;

/** A timeline history file: where this timeline left its parent, and so on back to timeline 1. */
record History(int timeline, @Nullable History parent, long at) {
    static final History FIRST = new History(1, null, 0);

    /** Where this history leaves the given timeline for a younger one; -1 when it never was on it, or still is. */
    long leaves(int ancestor) {
        for (History one = this; one.parent != null; one = one.parent) {
            if (one.parent.timeline == ancestor) {
                return one.at;
            }
        }
        return -1;
    }

    @Override
    public String toString() {
        return parent == null ? "1" : parent + "-(" + Long.toHexString(at) + ")->" + timeline;
    }
}
