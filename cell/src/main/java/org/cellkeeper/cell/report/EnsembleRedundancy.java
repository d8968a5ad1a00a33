package org.cellkeeper.cell.report;

import java.util.List;
import java.util.stream.Collectors;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.ClusterReport;
import org.cellkeeper.cell.model.EnsembleServer;
import org.cellkeeper.cell.model.EnsembleServer.Standing;
import org.jspecify.annotations.Nullable;

/**
 * What is left of ZooKeeper when servers are away, and when cells are lost with theirs. Of servers that others run, the redundancy is
 * theirs to judge: a list of addresses need not be whole.
 */
record EnsembleRedundancy(List<EnsembleServer> servers) {
    private long serving() {
        return servers.stream().filter(EnsembleServer::serves).count();
    }

    private int needed() {
        return servers.size() / 2 + 1;
    }

    private boolean runOnCells() {
        return servers.stream().anyMatch(server -> server.cell() != null);
    }

    private List<EnsembleServer> away() {
        return servers.stream().filter(server -> !server.serves()).toList();
    }

    ClusterReport.Servers count() {
        return new ClusterReport.Servers(servers.size(), (int) serving());
    }

    boolean areWhole() {
        return !runOnCells() || away().isEmpty();
    }

    /** Whether a majority serves after the loss of so many cells, of which as many run a server as can; the primary is or is not one. */
    boolean survive(int lost, @Nullable CellId primary, boolean primaryIsLost) {
        if (!runOnCells()) {
            return true;
        }
        long atPrimary = servers.stream()
                .filter(server ->
                        server.serves() && primary != null && primary.name().equals(server.cell()))
                .count();
        long elsewhere = serving() - atPrimary;
        long left = primaryIsLost
                ? elsewhere - Math.min(lost - 1, elsewhere)
                : atPrimary + elsewhere - Math.min(lost, elsewhere);
        return left >= needed();
    }

    /** Which of them are away, what that means, and what to do; empty when none is. */
    String warning() {
        List<EnsembleServer> away = away().stream()
                .filter(server -> server.standing() != Standing.UNKNOWN)
                .toList();
        if (away.isEmpty()) {
            return "";
        }
        String which = away.stream()
                .map(server -> server.name()
                        + (server.standing() == Standing.SILENT
                                ? " does not answer"
                                : " runs, and is not part of a majority"))
                .collect(Collectors.joining(", "));
        if (!runOnCells()) {
            return "ZooKeeper's " + which;
        }
        String left = serving() + " of the " + servers.size() + " ZooKeeper servers "
                + (serving() == 1 ? "serves" : "serve") + ", and " + needed() + " must, or no primary is replaced: "
                + which;
        boolean silent = away.stream().anyMatch(server -> server.standing() == Standing.SILENT);
        return silent
                ? left
                        + ". Bring its cell back; the guard there starts a server that has ended, unless run/zookeeper.hold"
                        + " holds it back"
                : left;
    }
}
