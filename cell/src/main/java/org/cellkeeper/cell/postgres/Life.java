package org.cellkeeper.cell.postgres;

/**
 * The life of the processes that an observation is about: a crash of one child makes the postmaster start all of them anew, with
 * empty shared memory, while it goes on itself. What was learnt of one life is not known of the next (I1).
 *
 * @param startup the startup process of that life by pid and start; empty for a primary's
 */
record Life(long run, String startup) {
    static final Life NONE = new Life(0, "");
}
