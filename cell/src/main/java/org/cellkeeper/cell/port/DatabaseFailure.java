package org.cellkeeper.cell.port;

/** A verb of {@link Database} did not come off; the message is for the operator. */
public final class DatabaseFailure extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public DatabaseFailure(String message) {
        super(message);
    }

    public DatabaseFailure(String message, Throwable cause) {
        super(message, cause);
    }
}
