package org.cellkeeper.cell.report;

import java.util.List;
import org.cellkeeper.cell.decide.quorum.CommitQuorum;
import org.cellkeeper.cell.model.CellState;
import org.cellkeeper.cell.model.ClusterReport.Node;
import org.cellkeeper.cell.model.ClusterReport.NodeHealth;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.PeerView;

/** Whether a cluster that takes writes lacks anything, and how many cells it may lose. */
record Redundancy(Known known, Truth truth, EnsembleRedundancy servers, List<Node> nodes) {
    boolean isWhole() {
        return allStream() && unfinishedMove().isEmpty() && known.coordination().connected() && servers.areWhole();
    }

    private boolean allStream() {
        List<Node> others = nodes.stream()
                .filter(node -> !truth.isPrimary(node.name()))
                .filter(node -> known.member(node.name()) != null || known.halt(node.name()) != null)
                .toList();
        return others.size() >= 2 && others.stream().allMatch(node -> node.health() == NodeHealth.HEALTHY);
    }

    /** What the primary has yet to do until a failover counts on every standby that streams; empty when nothing is left. */
    String unfinishedMove() {
        ClusterState state = truth.state();
        if (state == null) {
            return "";
        }
        List<String> aside = streaming().stream()
                .filter(node -> !node.voter())
                .map(node -> node.name().value())
                .toList();
        if (!aside.isEmpty()) {
            return String.join(", ", aside) + " streams, but is no voter yet: a failover does not count on it";
        }
        int acks = CommitQuorum.defaultAcks(state.voters().size());
        return state.acks() < acks
                ? "commits wait for " + state.acks() + " standby so far, soon for " + acks
                        + ": until then fewer cells may be lost"
                : "";
    }

    private List<Node> streaming() {
        return nodes.stream()
                .filter(node -> truth.isStandby(node.name()) && node.state() == CellState.STREAMING)
                .toList();
    }

    /** Of a cluster that takes writes. */
    int canSurvive() {
        ClusterState state = truth.state();
        if (state == null || !known.coordination().connected()) {
            return 0;
        }
        List<Node> standbys = streaming().stream().filter(this::couldSeal).toList();
        long voters = standbys.stream().filter(Node::voter).count();
        long electable = standbys.stream().filter(node -> node.priority() > 0).count();
        int lost = 0;
        while (lost < nodes.size()
                && survivesLossOfStandbys(lost + 1, standbys.size(), voters)
                && survivesLossOfPrimary(state, lost + 1, standbys.size(), voters, electable)) {
            lost++;
        }
        return lost;
    }

    /** To seal it must write to its disk, and its vote to ZooKeeper. */
    private boolean couldSeal(Node node) {
        PeerView said = known.heard(node.name());
        return said != null && said.zookeeper() && said.health() != PeerView.Health.CANNOT_WRITE;
    }

    /** The primary goes on if it may narrow the voters (for which it needs ZooKeeper), or need not. */
    private boolean survivesLossOfStandbys(int lost, int standbys, long voters) {
        boolean mayNarrow = servers.survive(lost, truth.primary(), false);
        return mayNarrow ? standbys - lost >= 1 : voters - lost >= truth.acks();
    }

    private boolean survivesLossOfPrimary(ClusterState state, int lost, int standbys, long voters, long electable) {
        int others = lost - 1;
        return state.failoverMode() == FailoverMode.AUTOMATIC
                && servers.survive(lost, truth.primary(), true)
                && voters - others >= CommitQuorum.of(state).seals()
                && electable - others >= 1
                && standbys - others - 1 >= Math.max(1, known.settings().minStandbysAfterFailover());
    }
}
