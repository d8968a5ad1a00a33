package org.cellkeeper.cell.trust;

/** How far the channels between cells, and PostgreSQL's, are encrypted; the steps of a cluster that goes over, in their order. */
public enum Encryption {
    /** Nothing is. */
    OFF,
    /** Whoever comes encrypted is let in, and whoever does not; this cell itself does not. */
    ACCEPTED,
    /** Both are let in still; this cell itself comes encrypted. */
    PREFERRED,
    /** Everything is, with a certificate at either end. */
    REQUIRED;

    /** Whether an encrypted connection can be made to this cell. */
    public boolean accepts() {
        return this != OFF;
    }

    /** Whether this cell's own connections are encrypted. */
    public boolean speaks() {
        return this == PREFERRED || this == REQUIRED;
    }

    /** Whether a connection that is not encrypted is refused. */
    public boolean demands() {
        return this == REQUIRED;
    }
}
