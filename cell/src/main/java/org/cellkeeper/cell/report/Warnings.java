package org.cellkeeper.cell.report;

import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.stream.Stream;
import org.cellkeeper.cell.decide.quorum.CommitQuorum;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.ClusterReport;
import org.cellkeeper.cell.model.ClusterReport.Halted;
import org.cellkeeper.cell.model.ClusterReport.Node;
import org.cellkeeper.cell.model.ClusterReport.NodeHealth;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.PeerView;
import org.jspecify.annotations.Nullable;

/**
 * What an operator should know, in sentences; an empty one is left out.
 *
 * @param mode null while ZooKeeper cannot be asked
 */
record Warnings(
        Known known,
        Truth truth,
        Redundancy redundancy,
        ClusterReport.Health health,
        @Nullable FailoverMode mode) {
    List<String> all() {
        Stream<String> ofCluster = Stream.of(
                known.coordination().objection(),
                withoutZooKeeper(),
                nobodyMayReplace(),
                redundancy.servers().warning(),
                cutOff(),
                behind(),
                ofHealth());
        return Stream.concat(ofCluster, redundancy.nodes().stream().map(this::ofNode))
                .filter(warning -> !warning.isEmpty())
                .toList();
    }

    private String withoutZooKeeper() {
        if (known.coordination().connected()) {
            return "";
        }
        String what = known.coordination().objection().isEmpty()
                ? "ZooKeeper cannot be asked"
                : "the cluster's own ZooKeeper cannot be asked";
        String since = known.coordinationAwaySince() == 0
                ? what
                : what + " since "
                        + known.wall()
                                .minusMillis(known.now() - known.coordinationAwaySince())
                                .truncatedTo(ChronoUnit.SECONDS);
        return since + ": what is shown of the cluster is what was last read; no failover, promote, switchover,"
                + " change of mode, removal or deploy is possible until a majority of the ZooKeeper servers is back."
                + " The primary takes writes as long as enough standbys acknowledge";
    }

    private String nobodyMayReplace() {
        ClusterState state = known.state();
        boolean somebodyMay = state == null
                || state.standbyVoters().isEmpty()
                || state.members().entrySet().stream()
                        .filter(member ->
                                !member.getKey().equals(state.primary().name()))
                        .anyMatch(member -> member.getValue().priority() != 0);
        return somebodyMay ? "" : "no standby has a priority above 0: when the primary is lost, nobody replaces it";
    }

    private String cutOff() {
        List<String> cutOff = known.names().stream()
                .filter(name -> !name.equals(known.self()) && cannotAskZooKeeper(name))
                .map(CellName::value)
                .toList();
        return known.coordination().connected() && !cutOff.isEmpty()
                ? "ZooKeeper cannot be asked by " + String.join(", ", cutOff)
                : "";
    }

    private boolean cannotAskZooKeeper(CellName name) {
        PeerView said = known.heard(name);
        return said != null && !said.zookeeper();
    }

    private String behind() {
        return truth.behind()
                ? "the cluster state known to " + known.self() + " is old: " + truth.primaryName()
                        + " says that it is primary of epoch " + truth.epoch()
                : "";
    }

    private String ofHealth() {
        ClusterState state = known.state();
        if (state == null) {
            return joined(
                    known.coordination().stateAbsent()
                            ? "the cluster has not been founded"
                            : "the cluster state is not known yet",
                    known.own().problem().isEmpty()
                            ? known.own().sentence()
                            : known.own().problem());
        }
        return switch (health) {
            case HEALTHY, DEGRADED ->
                state.acks() == 0 && !truth.behind()
                        ? state.primary().name() + " is the only voter so far: if it is lost now, no other cell can"
                                + " take over without it"
                        : redundancy.unfinishedMove();
            case READ_ONLY_PRIMARY ->
                "the primary takes no writes: fewer than " + truth.acks()
                        + " standby acknowledges them; bring a standby back";
            case NO_ACTIVE_PRIMARY -> "no working primary" + whyNone(state);
            case CRITICAL_PROBLEM ->
                "cells contradict each other: keep clients away from every cell marked '! running as primary'"
                        + " or with foreign data, and stop it";
            case SSH_PROBLEM ->
                known.self() + " hears of no other cell, so the state of the cluster is unknown here:"
                        + " check the network between the cells, and ask another one";
        };
    }

    private String whyNone(ClusterState state) {
        if (mode == null) {
            return ", and none can be chosen while ZooKeeper cannot be asked";
        }
        if (!state.isSteady()) {
            return ": a change of primary is under way";
        }
        if (state.reign() == null) {
            return ": " + state.primary().name() + " was elected in epoch " + state.epoch()
                    + " and has not opened its reign; bring it back, or promote a standby with acceptDataLoss";
        }
        List<Node> standbys = redundancy.nodes().stream()
                .filter(node -> truth.isStandby(node.name()) && mayVote(node))
                .toList();
        long voters = standbys.stream().filter(Node::voter).count();
        int seals = CommitQuorum.of(state).seals();
        if (voters < seals) {
            return ": " + voters + " of the " + seals
                    + " voters live and reach ZooKeeper that a change of primary needs;"
                    + " bring the primary or another voter back, or promote a standby with acceptDataLoss";
        }
        if (mode == FailoverMode.MANUAL) {
            return ", and the failover mode is MANUAL: promote a standby";
        }
        if (standbys.stream().noneMatch(node -> node.priority() > 0)) {
            return ": no cell that lives has a priority above 0; raise one's priority, or bring another back";
        }
        int least = known.settings().minStandbysAfterFailover();
        return standbys.size() - 1 < least
                ? ": a new one would have fewer than " + least
                        + " standbys, so none is chosen by itself; bring a cell back or promote a standby"
                : ": the standbys will choose one";
    }

    private boolean mayVote(Node node) {
        return !cannotAskZooKeeper(node.name())
                && switch (node.state()) {
                    case STREAMING, CATCHING_UP, SEALED, STARTING -> true;
                    case PRIMARY, CLONING, HALTED, REMOVED, DOWN, UNREACHABLE -> false;
                };
    }

    private String ofNode(Node node) {
        Halted halted = node.halted();
        if (halted != null) {
            Long diverged = halted.divergedBytes();
            String holds = diverged == null
                    ? "; whether it holds WAL that the primary lacks is not known"
                    : diverged == 0
                            ? "; it holds no WAL that the primary lacks"
                            : "; it holds " + diverged + " bytes of WAL that the primary lacks";
            return node.name() + " is halted since " + halted.since().truncatedTo(ChronoUnit.SECONDS) + " ("
                    + halted.reason() + ")" + holds + ". Its PostgreSQL does not run until an operator removes the cell"
                    + " and deploys it anew";
        }
        if (node.health() != NodeHealth.HEALTHY) {
            return known.member(node.name()) == null
                    ? ""
                    : joined(node.name() + " is " + node.health() + ", " + node.state(), node.detail());
        }
        PeerView said = known.heard(node.name());
        String problem = said == null ? "" : said.problem();
        // A configuration that cannot be used, say; of a cell that is not well it is the detail.
        boolean isTold =
                problem.isEmpty() || problem.equals(known.coordination().objection());
        return isTold ? "" : node.name() + ": " + problem;
    }

    static String joined(String what, String detail) {
        return detail.isEmpty() ? what : what + ": " + detail;
    }
}
