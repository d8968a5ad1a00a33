package org.cellkeeper.cell.torture;

/** What the adapter said and what is so do not agree, or it did not do what its contract says. */
final class Mismatch extends RuntimeException {
    private static final long serialVersionUID = 1L;

    Mismatch(String message) {
        super(message);
    }
}
