package org.cellkeeper.cell.postgres;

import org.cellkeeper.cell.port.Bench;
import org.cellkeeper.cell.port.DatabaseContract;

/** PostgreSQL itself keeps the contract. */
final class LocalPostgresContractIT extends DatabaseContract {
    @Override
    protected Bench bench() throws Exception {
        return new PostgresBench(PostgresBench.LITTLE_WAL);
    }
}
