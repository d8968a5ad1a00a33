package org.cellkeeper.cell.postgres;

import org.cellkeeper.cell.model.Lsn;
import org.jspecify.annotations.Nullable;

/**
 * I1: whether the startup process of a standby has come to the end of the local WAL, by what it says itself: it waits for more, or a
 * walreceiver that it asked for (it does so at the end only) has received something and all of that is replayed. A replay that
 * merely stands still tells nothing: a conflict, a delay or a slow disk look the same. One thread at a time.
 */
final class KnownEnd {
    /** The startup process that was seen at the end of its WAL; another one knows nothing of that. */
    private Life seen = Life.NONE;

    /** To be asked at each look, by what was seen then. */
    boolean isKnown(Life life, @Nullable String startupWaits, @Nullable Lsn received, Lsn replayed) {
        if (Observation.RETRY_INTERVAL.equals(startupWaits)
                || Observation.WAL_STREAM.equals(startupWaits)
                || (received != null && replayed.atLeast(received))) {
            seen = life;
        }
        return seen.equals(life);
    }
}
