package org.cellkeeper.cell.zookeeper;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Supplier;
import org.cellkeeper.cell.model.Ensemble;
import org.cellkeeper.cell.model.LocalState;
import org.cellkeeper.cell.model.VersionedState;
import org.jspecify.annotations.Nullable;

/**
 * What this cell durably knows of its ensemble, before anything runs.
 *
 * @param nothing whether it has never read a cluster's state
 * @param servers on record; null when none are known to be
 */
public record KnownEnsemble(boolean nothing, @Nullable List<String> servers) {
    /**
     * Reads it, and changes nothing.
     *
     * @param folder the server's own
     * @param local throws {@link IllegalStateException} when the state is there but not usable
     */
    public static KnownEnsemble of(Path folder, Supplier<@Nullable LocalState> local) throws IOException {
        VersionedState seen;
        try {
            LocalState state = local.get();
            seen = state == null ? null : state.seen();
        } catch (IllegalStateException unusable) {
            // The agent says so. Nothing else is known then but what the server ran with.
            return new KnownEnsemble(false, ranWith(folder));
        }
        if (seen == null) {
            return new KnownEnsemble(true, null);
        }
        Ensemble recorded = seen.state().ensemble();
        return new KnownEnsemble(false, recorded == null ? ranWith(folder) : recorded.servers());
    }

    private static @Nullable List<String> ranWith(Path folder) throws IOException {
        List<String> before = ZooKeeperServer.ranWith(folder);
        return before.isEmpty() ? null : before;
    }

    /** Whether the server on this host has never voted, and so has nothing to forget. */
    public boolean isNewServer(String host) {
        return nothing || (servers != null && !servers.contains(host));
    }

    /** Why neither a server nor an agent may run with the list {@code configured}; empty when they may. */
    public String refusal(List<String> configured) {
        return servers == null ? "" : Ensemble.refusal(servers, configured);
    }
}
