package org.cellkeeper.cell.report;

import java.util.ArrayList;
import java.util.List;
import org.cellkeeper.cell.decide.quorum.CommitQuorum;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.ClusterReport;
import org.cellkeeper.cell.model.ClusterReport.Node;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.PeerView;
import org.cellkeeper.cell.model.Phase;

/**
 * The cluster in the words of the appliance API, out of what every cell knows: the shared state and the views that all
 * agents push to each other. So every cell gives the same answer, but for what it cannot hear; of that it says so.
 *
 * <p>Pure; it decides nothing, and no rule depends on it.
 */
public final class Health {
    private Health() {}

    public static ClusterReport report(Known known) {
        ClusterState state = known.state();
        Truth truth = Truth.of(known);
        List<Node> nodes = new ArrayList<>();
        for (CellName name : known.names()) {
            nodes.add(NodeRow.of(known, truth, name).node(nodes.size() + 1));
        }
        EnsembleRedundancy servers = new EnsembleRedundancy(known.servers());
        Redundancy redundancy = new Redundancy(known, truth, servers, List.copyOf(nodes));
        ClusterReport.Health health = health(known, truth, redundancy);
        boolean writable = health == ClusterReport.Health.HEALTHY || health == ClusterReport.Health.DEGRADED;
        FailoverMode mode = state != null && known.coordination().connected() ? state.failoverMode() : null;
        return new ClusterReport(
                health,
                mode,
                truth.epoch(),
                truth.primaryName(),
                state == null ? 0 : state.acks(),
                state == null ? 0 : CommitQuorum.of(state).seals(),
                writable ? redundancy.canSurvive() : 0,
                servers.count(),
                phase(known),
                redundancy.nodes(),
                new Warnings(known, truth, redundancy, health, mode).all());
    }

    private static ClusterReport.Health health(Known known, Truth truth, Redundancy redundancy) {
        for (Node node : redundancy.nodes()) {
            PeerView said = known.heard(node.name());
            if (said != null && truth.contradicts(said)) {
                return ClusterReport.Health.CRITICAL_PROBLEM;
            }
        }
        return switch (truth.reigning()) {
            case UNKNOWN -> ClusterReport.Health.SSH_PROBLEM;
            case LOST -> ClusterReport.Health.NO_ACTIVE_PRIMARY;
            case READ_ONLY -> ClusterReport.Health.READ_ONLY_PRIMARY;
            case WRITABLE -> redundancy.isWhole() ? ClusterReport.Health.HEALTHY : ClusterReport.Health.DEGRADED;
        };
    }

    private static String phase(Known known) {
        ClusterState state = known.state();
        if (state == null) {
            return known.coordination().stateAbsent() ? "UNBORN" : "UNKNOWN";
        }
        return switch (state.phase()) {
            case Phase.Steady ignored -> "STEADY";
            case Phase.Sealing ignored -> "SEALING";
            case Phase.Handover ignored -> "HANDOVER";
        };
    }
}
