package org.cellkeeper.cell.model;

import org.jspecify.annotations.Nullable;

/**
 * The link from another agent.
 *
 * @param heardMillis when its last view came, on this cell's clock
 */
public record PeerLink(Status status, @Nullable PeerView view, long heardMillis) {
    /** How the link is. */
    public enum Status {
        /** Nothing is known yet, or a lost connection has been made again and nothing heard since. */
        UNKNOWN,
        CONNECTED,
        /** Reset or refused, and refused again at one quick retry: its agent does not run. */
        GONE
    }

    public static PeerLink unknown() {
        return new PeerLink(Status.UNKNOWN, null, 0);
    }
}
