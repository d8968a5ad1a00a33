package org.cellkeeper.cell.decide;

import java.util.ArrayList;
import java.util.List;
import org.cellkeeper.cell.decide.Facts.Coordination;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.Ensemble;
import org.cellkeeper.cell.model.Presence;
import org.jspecify.annotations.Nullable;

/** When a list of ZooKeeper servers goes on record, and when a cluster may be founded on one. */
final class Ensembles {
    private Ensembles() {}

    /**
     * The list that is to be put on record: the one that this primary runs with, once every cell that runs a server of it and every
     * member does; null when there is none. Not before, since the next server may be appended once it is on record.
     */
    static @Nullable List<String> due(View view) {
        ClusterState state = view.state();
        Presence own = view.coordination().present().get(view.settings().name());
        List<String> mine = own == null || !own.cell().equals(view.self()) ? null : own.servers();
        if (state == null || mine == null || !state.isSteady() || !view.coordinationKnown()) {
            return null;
        }
        Ensemble recorded = state.ensemble();
        if (recorded != null
                && (mine.isEmpty()
                        || mine.equals(recorded.servers())
                        || !Ensemble.refusal(recorded.servers(), mine).isEmpty())) {
            return null;
        }
        for (CellName member : state.members().keySet()) {
            Presence there = view.coordination().present().get(member);
            List<String> theirs = there == null ? null : there.servers();
            if (theirs == null || !(theirs.equals(mine) || theirs.isEmpty())) {
                return null;
            }
        }
        return mine.stream().allMatch(host -> runs(view, host, mine)) ? mine : null;
    }

    private static boolean runs(View view, String host, List<String> servers) {
        return view.coordination().present().values().stream()
                .anyMatch(there -> there.address().host().equals(host) && servers.equals(there.servers()));
    }

    /**
     * Why no cluster may be founded yet; empty when one may. A majority of the servers can be found empty because they were wiped, while
     * the rest still know a cluster: so every cell of the list must be there, run with the same list, and have known none.
     */
    static String obstacleToFounding(View view) {
        for (Presence there : view.coordination().present().values()) {
            if (there.cluster() != null) {
                return there.cell().name() + " knows a cluster already (system identifier " + there.cluster()
                        + "), and this ZooKeeper does not: restore the data of its servers";
            }
        }
        List<String> servers = view.settings().servers();
        List<String> missing = new ArrayList<>();
        for (String host : servers) {
            if (!runs(view, host, servers)) {
                missing.add(host);
            }
        }
        return missing.isEmpty()
                ? ""
                : "a cluster is founded when all cells of zookeeper.cells are there and name the same servers ("
                        + Ensemble.text(servers) + "); not yet: " + String.join(", ", missing);
    }

    static Coordination coordination(View view) {
        if (view.coordinationKnown()) {
            return Coordination.KNOWN;
        }
        boolean unborn = view.coordination().connected()
                && view.coordination().stateAbsent()
                && view.coordination().state() == null
                && view.local().seen() == null;
        if (!unborn) {
            return Coordination.AWAY;
        }
        if (!obstacleToFounding(view).isEmpty()) {
            return Coordination.UNBORN;
        }
        if (view.coordination().birthLock()) {
            return Coordination.UNBORN_AND_LOCKED;
        }
        var preferred = view.settings().bootstrapPrimary();
        boolean mayFound = preferred == null || preferred.equals(view.settings().name());
        return mayFound ? Coordination.UNBORN_AND_MINE_TO_ASK : Coordination.UNBORN;
    }
}
