package org.cellkeeper.cell.sim;

import org.jspecify.annotations.Nullable;

/** One transaction of a client on its way through a primary. */
final class Commit {
    /** How it ended, for the client. */
    enum Answer {
        ACKNOWLEDGED,
        /** It certainly did not happen. */
        REFUSED,
        /** It is there, and whether a standby has it is not known: its wait was cancelled. */
        WARNED,
        /** The connection was lost: it may have happened. */
        UNKNOWN
    }

    /** Who wants to know. */
    interface Listener {
        void answered(Commit commit, Answer answer);
    }

    final long id;
    final @Nullable Listener listener;
    long lsn;
    boolean answered;

    Commit(long id, @Nullable Listener listener) {
        this.id = id;
        this.listener = listener;
    }
}
