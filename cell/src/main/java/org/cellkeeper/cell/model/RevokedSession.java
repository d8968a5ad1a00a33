package org.cellkeeper.cell.model;

import java.time.Instant;

/**
 * A session of the API that was ended before its time; kept until that time.
 *
 * @param id lower case letters and digits; not the token, which nobody but its holder knows
 */
public record RevokedSession(String id, Instant expires) {
    public RevokedSession {
        if (!id.matches("[a-z0-9]{1,64}")) {
            throw new IllegalArgumentException("not a session's id");
        }
    }
}
