package org.cellkeeper.cell.model;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A cell's liveness entry in ZooKeeper: which incarnation lives in this session, and how its agent is reached.
 *
 * @param cluster the system identifier of the cluster that the cell has known; null when it has known none
 * @param servers the hosts of the ZooKeeper servers that its own server runs with, or its agent when it has none; null while that
 *     is not known
 */
public record Presence(
        CellId cell,
        Address address,
        String state,
        @Nullable String cluster,
        @Nullable List<String> servers) {
    public Presence {
        servers = servers == null ? null : List.copyOf(servers);
    }

    public Presence(CellId cell, Address address, String state) {
        this(cell, address, state, null, null);
    }
}
