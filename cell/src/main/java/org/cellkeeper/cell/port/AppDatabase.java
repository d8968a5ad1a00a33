package org.cellkeeper.cell.port;

/** The role and the database that the cell's own app works with, as far as this cell's PostgreSQL is the primary. */
public interface AppDatabase {
    /**
     * Makes what is missing and gives the role its password; what is there already stays. On the caller's thread, within some
     * seconds; fails with {@link DatabaseFailure}.
     */
    void provide();
}
