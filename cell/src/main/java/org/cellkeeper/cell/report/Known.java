package org.cellkeeper.cell.report;

import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.CellSettings;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.CoordinationView;
import org.cellkeeper.cell.model.EnsembleServer;
import org.cellkeeper.cell.model.Halt;
import org.cellkeeper.cell.model.Member;
import org.cellkeeper.cell.model.PeerLink;
import org.cellkeeper.cell.model.PeerView;
import org.jspecify.annotations.Nullable;

/**
 * What a cell knows of the cluster.
 *
 * @param now monotonic milliseconds, the clock of {@link PeerLink#heardMillis}
 * @param wall the same moment for people
 * @param version of {@code state}; -1 while there is none
 * @param coordinationAwaySince since when ZooKeeper cannot be asked, on the clock of {@code now}; 0 when it can
 * @param own what this cell says of itself
 * @param servers the ZooKeeper servers as this cell finds them; losing the cells that run them may lose the ensemble
 */
public record Known(
        CellSettings settings,
        long now,
        Instant wall,
        @Nullable ClusterState state,
        int version,
        CoordinationView coordination,
        long coordinationAwaySince,
        PeerView own,
        Map<CellName, PeerLink> peers,
        List<EnsembleServer> servers) {
    public Known {
        peers = Map.copyOf(peers);
        servers = List.copyOf(servers);
    }

    CellName self() {
        return own.cell().name();
    }

    /** What a cell said within the silence timeout, whichever incarnation it is. */
    @Nullable
    PeerView heard(CellName name) {
        if (name.equals(self())) {
            return own;
        }
        PeerLink link = peers.get(name);
        if (link == null || link.status() != PeerLink.Status.CONNECTED) {
            return null;
        }
        return now - link.heardMillis() < settings.timing().silence().toMillis() ? link.view() : null;
    }

    @Nullable
    PeerView heard(CellId cell) {
        PeerView said = heard(cell.name());
        return said != null && said.cell().equals(cell) ? said : null;
    }

    boolean gone(CellName name) {
        PeerLink link = peers.get(name);
        return link != null && link.status() == PeerLink.Status.GONE;
    }

    /** Whether a cell has a session in ZooKeeper; null while that cannot be asked. */
    @Nullable
    Boolean present(CellName name) {
        return coordination.connected() ? coordination.present().containsKey(name) : null;
    }

    Set<CellName> names() {
        TreeSet<CellName> names = new TreeSet<>();
        names.add(self());
        if (state != null) {
            names.addAll(state.members().keySet());
            names.addAll(state.halted().keySet());
        }
        if (coordination.connected()) {
            names.addAll(coordination.present().keySet());
        }
        peers.keySet().stream().filter(name -> heard(name) != null).forEach(names::add);
        return names;
    }

    @Nullable
    Member member(CellName name) {
        return state == null ? null : state.members().get(name);
    }

    @Nullable
    Halt halt(CellName name) {
        return state == null ? null : state.halted().get(name);
    }
}
