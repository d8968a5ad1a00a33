package org.cellkeeper.cell.decide;

import java.util.Map;
import org.cellkeeper.cell.model.CellSettings;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.CoordinationView;
import org.cellkeeper.cell.model.Ensemble;
import org.cellkeeper.cell.model.Reign;
import org.cellkeeper.cell.model.VersionedState;
import org.jspecify.annotations.Nullable;

/**
 * Whether the ZooKeeper that a cell is connected to is the cluster's, by the newest state that the cell has read so far. What it
 * objects to is acted upon by nobody: no state, no vote and no task of it. Pure.
 */
public final class Belief {
    private Belief() {}

    /**
     * Why nothing of what is told is believed, and what an operator can do; empty when nothing speaks against it.
     *
     * @param seen the newest state that this cell has read, now or in an earlier life; null for none
     */
    public static String objection(@Nullable VersionedState seen, CoordinationView told, CellSettings settings) {
        VersionedState read = told.state();
        if (!told.connected()) {
            return "";
        }
        if (read == null) {
            return seen != null && told.synced() && told.stateAbsent()
                    ? who(told) + " knows no cluster, and this cell has read version " + seen.version() + " of "
                            + cluster(seen)
                            + ": its data were lost, or it is a new ensemble. " + RESTORE
                    : "";
        }
        if (seen == null) {
            // It can only compare lists.
            return strangeList(read, told, settings, false);
        }
        if (!seen.state().systemId().equals(read.state().systemId())) {
            return who(told) + " is another cluster's: it holds " + cluster(read) + ", and this cell belongs to "
                    + cluster(seen) + ". Point the cell at its own ZooKeeper, or give it an empty data folder";
        }
        Ensemble known = seen.state().ensemble();
        Ensemble shown = read.state().ensemble();
        if (read.version() < seen.version()) {
            // A server that lags may show this for a while; after a sync it lags no more.
            return told.synced()
                    ? who(told) + " has gone back in time: it holds version " + read.version()
                            + " of the cluster's state, and this cell has read version " + seen.version() + ". "
                            + RESTORE
                    : "";
        }
        if (known != null && shown == null) {
            return who(told)
                    + " bears no mark of the cluster's ensemble, as an older program or a copy of old data would"
                    + " leave it. " + RESTORE;
        }
        if (known != null && shown != null && !follows(seen, read, known, shown)) {
            return who(told)
                    + " belongs to another ensemble, which has gone on from a copy of the cluster's data: its version "
                    + read.version() + " of the state does not follow from version " + seen.version()
                    + ", which this cell has read. " + RESTORE;
        }
        return strangeList(read, told, settings, true);
    }

    private static final String RESTORE =
            "Nothing of it is acted upon. Stop the servers that are not the cluster's own ("
                    + "zookeeper.cells must be the same list on every cell), and start those again that hold the newest data; if"
                    + " there is none, copy the folder zookeeper/data of a cell that has them to the others, while their servers are"
                    + " stopped";

    private static String who(CoordinationView told) {
        return told.server().isEmpty() ? "The ZooKeeper that answers" : "ZooKeeper at " + told.server();
    }

    private static String cluster(VersionedState of) {
        return "the cluster with the system identifier " + of.state().systemId();
    }

    /** @param mayLag whether a list may be one server behind the one on record: that is one ensemble with it */
    private static String strangeList(
            VersionedState read, CoordinationView told, CellSettings settings, boolean mayLag) {
        Ensemble shown = read.state().ensemble();
        if (shown == null || settings.servers().isEmpty()) {
            return "";
        }
        if (mayLag && !shown.servers().isEmpty() && Ensemble.areOne(settings.servers(), shown.servers())) {
            return "";
        }
        String refusal = Ensemble.refusal(shown.servers(), settings.servers());
        return refusal.isEmpty() ? "" : who(told) + " is not this cell's ensemble: " + refusal;
    }

    /** Whether the state that is read can have come of the one that was seen, which is not newer. */
    private static boolean follows(VersionedState seen, VersionedState read, Ensemble known, Ensemble shown) {
        String last = known.ago(0);
        String then = shown.ago(read.version() - seen.version());
        if (last != null && then != null) {
            return last.equals(then);
        }
        return historyFits(seen.state(), read.state());
    }

    /** After too many writes for the trail: neither ballots nor epochs go back, and what is on record stays. */
    private static boolean historyFits(ClusterState seen, ClusterState read) {
        if (read.epoch() < seen.epoch() || read.lastBallot() < seen.lastBallot()) {
            return false;
        }
        for (Map.Entry<Long, Reign> reign : seen.reigns().entrySet()) {
            Reign kept = read.reigns().get(reign.getKey());
            boolean forgotten =
                    kept == null && !read.reigns().isEmpty() && read.reigns().firstKey() > reign.getKey();
            if (!forgotten && !reign.getValue().equals(kept)) {
                return false;
            }
        }
        return true;
    }
}
