package org.cellkeeper.cell.decide;

import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.CellSettings;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.CoordinationView;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.LocalState;
import org.cellkeeper.cell.model.PeerLink;
import org.cellkeeper.cell.model.PeerView;
import org.cellkeeper.cell.model.VersionedState;
import org.jspecify.annotations.Nullable;

/**
 * All that a cell knows at one moment. Deciding is a pure function of it.
 *
 * @param now monotonic milliseconds
 * @param local what the cell durably knows; its {@code seen} is the only shared state that is acted upon (I3)
 * @param unsaved whether the last save of that failed
 */
public record View(
        long now,
        Instant wall,
        CellSettings settings,
        LocalState local,
        boolean unsaved,
        CoordinationView coordination,
        DatabaseView database,
        Map<CellName, PeerLink> peers,
        Memory memory,
        boolean stopRequested) {
    public View {
        peers = Map.copyOf(peers);
    }

    public CellId self() {
        return new CellId(settings.name(), local.incarnation());
    }

    public @Nullable ClusterState state() {
        VersionedState seen = local.seen();
        return seen == null ? null : seen.state();
    }

    /** The newest state of all that was read, durable or not yet: good enough to fence by, for nothing else. */
    public @Nullable ClusterState newestState() {
        VersionedState seen = local.seen();
        VersionedState read = coordination.state();
        if (read != null && (seen == null || read.version() > seen.version()) && !isOfAnotherCluster()) {
            return read.state();
        }
        return seen == null ? null : seen.state();
    }

    public int version() {
        VersionedState seen = local.seen();
        return seen == null ? -1 : seen.version();
    }

    /** Whether the durable state is the one that this session last read, after a sync, over a live connection. */
    public boolean coordinationKnown() {
        VersionedState read = coordination.state();
        return coordination.connected()
                && coordination.synced()
                && read != null
                && read.version() == version()
                && !isOfAnotherCluster();
    }

    /** Whether what this cell knows was another cluster's than the one that it has come to: nothing of the two is compared. */
    public boolean isOfAnotherCluster() {
        VersionedState seen = local.seen();
        VersionedState read = coordination.state();
        return seen != null
                && read != null
                && !seen.state().systemId().equals(read.state().systemId());
    }

    /** Whether the present epoch was first seen so long ago. */
    boolean epochLasts(Duration atLeast) {
        return now - memory.epoch().since() >= atLeast.toMillis();
    }

    /** Whether the present phase was first seen so long ago. */
    boolean phaseLasts(Duration atLeast) {
        return now - memory.ballots().phaseSince() >= atLeast.toMillis();
    }

    public PeerLink link(CellName cell) {
        PeerLink link = peers.get(cell);
        return link == null ? PeerLink.unknown() : link;
    }

    /** What this very incarnation said within the silence timeout; null otherwise. */
    public @Nullable PeerView fresh(CellId cell) {
        PeerLink link = link(cell.name());
        PeerView view = link.view();
        boolean heard = link.status() == PeerLink.Status.CONNECTED
                && view != null
                && view.cell().equals(cell)
                && now - link.heardMillis() < settings.timing().silence().toMillis();
        return heard ? view : null;
    }

    /** Whether a cell seems to be able to take part: it is heard of, or has a session and is not known to be gone. */
    public boolean seemsAlive(CellId cell) {
        if (cell.equals(self())) {
            return true;
        }
        PeerView view = fresh(cell);
        if (view != null) {
            return switch (view.state()) {
                case STREAMING, CATCHING_UP, SEALED, STARTING -> true;
                case PRIMARY, CLONING, HALTED, REMOVED, DOWN, UNREACHABLE -> false;
            };
        }
        var presence = coordination.present().get(cell.name());
        return link(cell.name()).status() != PeerLink.Status.GONE
                && presence != null
                && presence.cell().equals(cell);
    }
}
