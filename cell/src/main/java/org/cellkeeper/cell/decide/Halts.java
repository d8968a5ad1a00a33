package org.cellkeeper.cell.decide;

import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.Halt;
import org.jspecify.annotations.Nullable;

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

    /**
     * Whether it is to be read first where this cell's WAL ends: pg_control knows that of a primary that was shut down. Of one that crashed it
     * names the last checkpoint, and what came after that is just what others may lack.
     */
    static boolean isEndUnread(View view) {
        ClusterState state = view.state();
        boolean isOnRecord =
                state != null && state.halted().containsKey(view.settings().name());
        return isOnRecord && view.database().control() != null && end(view) == null;
    }

    private static DatabaseView.@Nullable Rest end(View view) {
        DatabaseView.Rest known = view.database().knownEnd();
        DatabaseView.Control control = view.database().control();
        return known == null && control != null && control.cleanlyShutDown()
                ? new DatabaseView.Rest(control.end(), control.timeline())
                : known;
    }

    static ClusterState reported(View view, ClusterState state) {
        Halt halt = state.halted().get(view.settings().name());
        Halt known = halt != null ? halt : new Halt(state.epoch(), reason(view), view.wall(), null, null);
        DatabaseView.Rest end = end(view);
        return state.withHalt(view.settings().name(), end == null ? known : known.withEnd(end.end(), end.timeline()));
    }
}
