package org.cellkeeper.cell.loop;

import java.util.function.Supplier;
import org.cellkeeper.cell.decide.Belief;
import org.cellkeeper.cell.model.CellSettings;
import org.cellkeeper.cell.model.CoordinationView;
import org.cellkeeper.cell.model.LocalState;
import org.cellkeeper.cell.model.VersionedState;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What ZooKeeper has told, as far as it is believed (the protocol's refinement q), and never older than what was read before (I3). */
final class BelievedCoordination {
    private static final Logger LOG = LoggerFactory.getLogger(BelievedCoordination.class);

    /** How long one that is not believed is listened to before another server is tried. */
    private static final long DISTRUST = 1_000;

    private final Ports ports;
    private final DurableState durable;
    private final Supplier<CellSettings> settings;

    private CoordinationView view = CoordinationView.nothing();
    private long changes;
    private String objection = "";
    private boolean tryingAnother;
    /** Whether this agent has been told the state of its own cluster. */
    private boolean hasBelieved;

    BelievedCoordination(Ports ports, DurableState durable, Supplier<CellSettings> settings) {
        this.ports = ports;
        this.durable = durable;
        this.settings = settings;
    }

    CoordinationView view() {
        return view;
    }

    /** How often it has told something. */
    long changes() {
        return changes;
    }

    /** Why what it last told is not believed; empty when it is. */
    String objection() {
        return objection;
    }

    void heard(CoordinationView told) {
        CoordinationView heard = believed(told);
        VersionedState read = heard.state();
        if (read != null) {
            durable.read(read);
        }
        view = withNewest(heard);
        changes++;
    }

    /** What this cell itself has just written is the newest state that it can have read. */
    void wrote(VersionedState written) {
        durable.wrote(written);
        view = withNewest(view);
    }

    /** I3: a lagging server's older answer is not taken for the state. */
    private CoordinationView withNewest(CoordinationView heard) {
        VersionedState newest = durable.newestRead();
        VersionedState read = heard.state();
        if (newest == null
                || (read != null
                        && (read.version() >= newest.version() || !DurableState.isOfOneCluster(read, newest)))) {
            return heard;
        }
        return heard.withState(newest);
    }

    /** The protocol's refinement (q): what is not the cluster's own ZooKeeper is as good as none. */
    private CoordinationView believed(CoordinationView told) {
        LocalState known = durable.known();
        VersionedState saved = known == null ? null : known.seen();
        VersionedState read = durable.newestRead();
        boolean readIsNewer = read != null && (saved == null || read.version() > saved.version());
        VersionedState own = readIsNewer ? read : saved;
        String found = Belief.objection(own, told, settings.get());
        VersionedState shown = told.state();
        // An agent that has only ever met another cluster's knows its data by it for those of another cluster (203).
        boolean foreign = !hasBelieved && own != null && shown != null && !DurableState.isOfOneCluster(own, shown);
        if (found.isEmpty() && !objection.isEmpty() && !(told.connected() && told.synced())) {
            // Nothing has been told since that would clear it.
            return foreign ? told.objectedTo(objection) : told.disbelieved(objection);
        }
        if (!found.equals(objection)) {
            if (found.isEmpty()) {
                LOG.info("ZooKeeper at {} is the cluster's own: it is believed again", told.server());
            } else {
                LOG.error("{}", found);
            }
            objection = found;
        }
        if (found.isEmpty()) {
            hasBelieved |= told.synced() && shown != null;
            return told;
        }
        if (foreign) {
            return told.objectedTo(found);
        }
        tryAnotherServer();
        return told.disbelieved(found);
    }

    /** After a while: the same server may only have been behind. */
    private void tryAnotherServer() {
        if (tryingAnother) {
            return;
        }
        tryingAnother = true;
        ports.clock().after(DISTRUST, () -> {
            tryingAnother = false;
            if (!objection.isEmpty()) {
                ports.coordination().distrust();
            }
        });
    }
}
