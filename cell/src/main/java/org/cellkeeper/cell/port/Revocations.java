package org.cellkeeper.cell.port;

import java.util.concurrent.CompletableFuture;
import org.cellkeeper.cell.model.RevokedSession;

/**
 * The sessions of the API that were ended before their time, shared by all cells. What others ended is known as far as it was last
 * read: a cell that is cut off from ZooKeeper may not know the newest.
 */
public interface Revocations {
    /** What is known of a session. */
    enum Standing {
        VALID,
        REVOKED,
        /** The shared list was not read yet. */
        NOT_KNOWN
    }

    /** Never waits. */
    Standing standing(String session);

    /** Ends it at this cell in any case and at once; the outcome says whether the others will know. */
    CompletableFuture<Coordination.Outcome> revoke(RevokedSession session);
}
