package org.cellkeeper.cell.cli;

import java.net.URI;
import java.util.Set;
import java.util.TreeSet;
import org.cellkeeper.api.ApplianceClient;
import org.cellkeeper.api.ApplianceFailure;
import org.cellkeeper.api.Cluster;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Whether all is well, for scripts: before an upgrade, after a failover, from a monitor. */
@Command(
        name = "check",
        description =
                "Ask every cell that is named, and say whether all is well: each one answers and serves, all tell the"
                        + " same primary and epoch, ZooKeeper can be asked, and the cluster is HEALTHY, without a warning.",
        exitCodeListHeading = "Exit codes:%n",
        exitCodeList = {"0:all is well", "1:something is not", "2:wrong usage", "3:no cell could be reached"})
public final class CheckCommand extends OperatorCommand {
    @Option(
            names = "--writable",
            description = "Ask no more than that a primary takes writes: cells may be missing, the cluster DEGRADED.")
    private boolean writable;

    private boolean well = true;

    @Override
    int run(ApplianceClient client) {
        well = true;
        int answered = 0;
        Set<String> reigns = new TreeSet<>();
        for (URI cell : client.cells()) {
            try {
                if (client.isRemoved(cell)) {
                    say(writable, cell, "was removed from the cluster: deploy it, or leave it out of the cells to ask");
                    continue;
                }
                Cluster cluster = client.nodes(cell);
                answered++;
                reigns.add("primary " + cluster.primary() + ", epoch " + cluster.epoch());
                boolean healthy = cluster.localClusterHealth().equals("HEALTHY")
                        || (writable && cluster.localClusterHealth().equals("DEGRADED"));
                say(healthy, cell, "the cluster is " + cluster.localClusterHealth());
                boolean coordination = !cluster.localClusterFailover().equals("INDETERMINATE");
                say(
                        coordination || writable,
                        cell,
                        coordination ? "ZooKeeper can be asked" : "ZooKeeper cannot be asked");
                serves(client, cell);
                if (healthy) {
                    cluster.warnings().forEach(warning -> say(writable, cell, warning));
                } else {
                    cluster.warnings().forEach(warning -> out().println("       " + warning));
                }
            } catch (ApplianceFailure.NobodyAnswers e) {
                say(writable, cell, "does not answer");
            }
        }
        if (answered == 0) {
            complain("no cell answers");
            return NOBODY_ANSWERS;
        }
        if (reigns.size() > 1) {
            well = false;
            out().println("NOT OK the cells differ: " + String.join("; ", reigns));
        }
        return well ? OK : REFUSED;
    }

    private void serves(ApplianceClient client, URI cell) {
        try {
            client.ready(cell);
            say(true, cell, "PostgreSQL serves");
        } catch (ApplianceFailure.Refused e) {
            if (e.status() != 503) {
                throw e;
            }
            say(writable, cell, String.valueOf(e.getMessage()));
        }
    }

    private void say(boolean ok, URI cell, String words) {
        well &= ok;
        out().println((ok ? "ok     " : "NOT OK ") + cell.getHost() + ": " + words);
    }
}
