package org.cellkeeper.cell.peer;

import java.io.IOException;

/** The other end has ended the connection in place of an answer to our proof: it does not list that secret, or is just going down. */
final class NotBelieved extends IOException {
    private static final long serialVersionUID = 1L;

    private final IOException end;

    NotBelieved(IOException end) {
        super(end.getMessage(), end);
        this.end = end;
    }

    /** How the connection came to its end. */
    IOException end() {
        return end;
    }
}
