package org.cellkeeper.cell.port;

import org.jspecify.annotations.Nullable;

/** A backup could not be made, read or restored. The message is for the operator. */
public final class BackupFailure extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public BackupFailure(String message) {
        super(message);
    }

    public BackupFailure(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
