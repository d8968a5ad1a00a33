package org.cellkeeper.cell.decide;

import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.Halt;

/** What a halted cell says of itself. */
final class Halts {
    private Halts() {}

    static String reason(View view) {
        ClusterState newest = view.newestState();
        Halt halt = newest == null ? null : newest.halted().get(view.settings().name());
        if (halt != null) {
            return halt.reason();
        }
        if (newest != null) {
            return "deposed: it was primary in epoch " + view.local().primaryEpoch() + ", now "
                    + newest.primary().name() + " is, in epoch " + newest.epoch();
        }
        return "halted";
    }

    /** Whether the shared state should be told where this cell's WAL ended, or that it is halted at all. */
    static boolean isUnreported(View view) {
        ClusterState state = view.state();
        if (state == null
                || !view.coordinationKnown()
                || !state.isSteady()
                || !view.database().isStopped()) {
            return false;
        }
        Halt halt = state.halted().get(view.settings().name());
        if (halt == null) {
            return state.isMember(view.self());
        }
        return halt.lsn() == null && view.database().control() != null && state.isMember(view.self());
    }

    static ClusterState reported(View view, ClusterState state) {
        Halt halt = state.halted().get(view.settings().name());
        Halt known = halt != null ? halt : new Halt(state.epoch(), reason(view), view.wall(), null, null);
        DatabaseView.Control control = view.database().control();
        return state.withHalt(
                view.settings().name(), control == null ? known : known.withEnd(control.end(), control.timeline()));
    }
}
