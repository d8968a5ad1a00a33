package org.cellkeeper.cell.decide;

import java.util.function.Function;
import org.cellkeeper.cell.decide.Facts.Data;
import org.cellkeeper.cell.decide.Facts.Postgres;
import org.cellkeeper.cell.decide.Facts.Standing;
import org.cellkeeper.cell.decide.Rule.Steps;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.Incarnation;
import org.cellkeeper.cell.model.Upstream;

/** Steps that the plans of several chapters take. */
final class Plans {
    private Plans() {}

    static boolean isStandby(Facts f) {
        return f.standing() == Standing.ACTIVE && f.data() == Data.OWN && f.postgres() == Postgres.STANDBY;
    }

    /** A stopped standby receives nothing, and its disk can be read. */
    static boolean isAtRest(Facts f) {
        return f.standing() == Standing.ACTIVE && f.data() == Data.OWN && f.postgres() == Postgres.STOPPED;
    }

    /** A new life under a new incarnation: what the old data had promised to anybody is void (T6). */
    static Action.Persist newLife(Incarnation next, boolean dataRemain) {
        return new Action.Persist(
                "a new incarnation " + next, s -> s.reborn(next).withCloning(dataRemain));
    }

    static Steps cas(View v, Function<ClusterState, ClusterState> change, String what) {
        ClusterState state = v.state();
        return state == null
                ? Steps.none(what)
                : Steps.of(what, new Action.Cas(v.version(), change.apply(state), what));
    }

    static Steps openDoor(View v) {
        Upstream target = Doors.target(v);
        return target == null
                ? Steps.none("")
                : Steps.of("to " + target.primary().name(), new Action.OpenDoor(target));
    }

    static Steps holdDoor(View v) {
        Action.HoldDoor answer = Doors.answer(v);
        return answer == null ? Steps.none("") : Steps.of("", answer);
    }

    static Steps tendDoor(View v) {
        return Doors.answer(v) == null ? openDoor(v) : holdDoor(v);
    }

    static String describeEnd(View v) {
        DatabaseView.Rest end = v.database().knownEnd();
        return end == null
                ? ""
                : "WAL of epoch " + Standbys.heldEpoch(v) + " up to " + end.end() + " on timeline " + end.timeline();
    }

    /** Why a PostgreSQL that runs cannot be asked for its end, or does not get there. */
    static String describeUnrest(View v) {
        DatabaseView.Standby standby = v.database().standby();
        if (standby == null) {
            return v.database().problem();
        }
        return standby.standstill().isEmpty()
                ? "replayed up to " + standby.replayed() + " of " + standby.received()
                : standby.standstill();
    }
}
