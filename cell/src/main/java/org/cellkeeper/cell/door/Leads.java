package org.cellkeeper.cell.door;

import org.cellkeeper.cell.model.Upstream;
import org.jspecify.annotations.Nullable;

/**
 * Where a door leads.
 *
 * @param reader the standby to read from; one alone, as PgBouncer before 1.25 takes a list of hosts for the one name that a certificate
 *     is to have; null where only the primary is left
 */
record Leads(Upstream primary, @Nullable Reader reader) {
    String readHost() {
        return reader == null ? primary.host() : reader.host();
    }

    int readPort() {
        return reader == null ? primary.port() : reader.port();
    }

    /** Whether those who read come to the primary, and have to be held with those who write. */
    boolean readsFromPrimary() {
        return reader == null;
    }
}
