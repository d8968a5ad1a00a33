package org.cellkeeper.cell.peer;

import java.io.IOException;

/** Whoever is at the other end broke the protocol, or does not know the cluster's secret. */
final class ProtocolViolation extends IOException {
    private static final long serialVersionUID = 1L;

    private final String reason;

    ProtocolViolation(String reason) {
        super(reason);
        this.reason = reason;
    }

    String reason() {
        return reason;
    }
}
