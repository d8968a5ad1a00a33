package org.cellkeeper.cell.http;

import java.util.function.Supplier;
import org.cellkeeper.cell.model.EnsembleServer.Standing;
import org.cellkeeper.cell.port.Door;
import org.jspecify.annotations.Nullable;

/**
 * How the servers of this cell are that stand beside PostgreSQL.
 *
 * @param zookeeper null where it runs none of the ensemble's
 * @param door null where there is none
 */
public record Companions(
        @Nullable Supplier<Standing> zookeeper, @Nullable Supplier<Door.Status> door) {
    public static final Companions NONE = new Companions(null, null);
}
