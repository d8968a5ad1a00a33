package org.cellkeeper.cell.decide;

import static org.cellkeeper.cell.decide.Rule.Audience.HISTORY;
import static org.cellkeeper.cell.decide.Rule.Audience.NOWHERE;
import static org.cellkeeper.cell.decide.Rule.Pace.FAST;
import static org.cellkeeper.cell.decide.Rule.Pace.NORMAL;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.cellkeeper.cell.decide.Action.Kind;
import org.cellkeeper.cell.decide.Facts.Coordination;
import org.cellkeeper.cell.decide.Facts.Data;
import org.cellkeeper.cell.decide.Facts.Postgres;
import org.cellkeeper.cell.decide.Facts.Standing;
import org.cellkeeper.cell.decide.Facts.SwitchoverStage;
import org.cellkeeper.cell.decide.Rule.Section;
import org.cellkeeper.cell.decide.Rule.Steps;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.LocalState.HandoverMark;
import org.cellkeeper.cell.model.Phase;
import org.cellkeeper.cell.model.Task;
import org.cellkeeper.cell.model.Upstream;

/** A planned switchover, the old primary's side. The target's is with the standbys. */
final class SwitchoverRules {
    private SwitchoverRules() {}

    static List<Rule> rules() {
        Chapter chapter = new Chapter(Section.HANDOVER);
        chapter.rule(300, "The handover's target is gone and has not taken over: take it back at once.")
                .when(f -> f.switchoverStage() == SwitchoverStage.DESERTED && f.coordination() == Coordination.KNOWN)
                .may(Kind.CAS, Kind.PUT_TASK)
                .pace(FAST)
                .told(HISTORY)
                .plan(v -> takeBack(v, target(v) + " is gone"));
        chapter.rule(301, "The handover is past its deadline: take it back.")
                .when(f -> f.switchoverStage() == SwitchoverStage.OVERDUE && f.coordination() == Coordination.KNOWN)
                .may(Kind.CAS, Kind.PUT_TASK)
                .pace(FAST)
                .told(HISTORY)
                .plan(v -> takeBack(
                        v,
                        target(v) + " did not take over within "
                                + v.settings().timing().handover().toMillis() + " ms (timing.handover)"));
        chapter.rule(302, "PostgreSQL did not shut down cleanly for the handover: take it back.")
                .when(f -> f.switchoverStage() == SwitchoverStage.UNCLEAN && f.coordination() == Coordination.KNOWN)
                .may(Kind.CAS, Kind.PUT_TASK)
                .pace(FAST)
                .told(HISTORY)
                .plan(v -> takeBack(
                        v,
                        "PostgreSQL of " + v.self().name() + " did not shut down cleanly within "
                                + v.settings().timing().stop().toMillis() + " ms (timing.stop)"));
        chapter.rule(303, "A handover is under way: stop PostgreSQL, so that all of its WAL goes to the standbys.")
                .when(f -> f.switchoverStage() == SwitchoverStage.STOPPING)
                .may(Kind.STOP_FAST)
                .pace(FAST)
                .plan(v -> Steps.of("", new Action.StopFast()));
        chapter.rule(304, "PostgreSQL is shut down for the handover: note where its WAL ends, and that it stays shut.")
                .when(f -> f.switchoverStage() == SwitchoverStage.UNMARKED)
                .may(Kind.PERSIST)
                .pace(FAST)
                .plan(SwitchoverRules::mark);
        chapter.rule(305, "The mark is durable: publish where the WAL ends.")
                .when(f -> f.switchoverStage() == SwitchoverStage.MARKED && f.coordination() == Coordination.KNOWN)
                .may(Kind.CAS)
                .pace(FAST)
                .plan(SwitchoverRules::publishToken);
        chapter.rule(306, "The handover waits for its target.")
                .when(f -> f.switchoverStage().hasBegun())
                .pace(NORMAL)
                .rest();
        chapter.rule(307, "A handover is wanted and all is well: begin it.")
                .when(f -> f.switchoverStage() == SwitchoverStage.WANTED)
                .may(Kind.CAS, Kind.PUT_TASK)
                .pace(FAST)
                .told(HISTORY)
                .plan(SwitchoverRules::beginHandover);
        chapter.rule(308, "The handover was taken back: the mark has served.")
                .when(f -> f.pendingSave() == Facts.PendingSave.MARK)
                .may(Kind.PERSIST)
                .pace(FAST)
                .told(NOWHERE)
                .plan(v -> Steps.of("", new Action.Persist("handover taken back", s -> s.withHandoverMark(null))));
        chapter.rule(309, "The handover was taken: this cell is a standby now.")
                .when(f -> f.pendingSave() == Facts.PendingSave.ABDICATION
                        && f.data() == Data.OWN
                        && f.postgres() == Postgres.STOPPED)
                .may(Kind.PERSIST)
                .pace(FAST)
                .plan(v -> Steps.of(
                        "",
                        new Action.Persist(
                                "handed over", s -> s.withPrimaryEpoch(0).withHandoverMark(null))));
        chapter.rule(
                        310,
                        "The primary is another one than the door leads to, or the door is held for nothing: open it to the primary.")
                .when(f -> f.doorDuty() == Facts.DoorDuty.OPEN
                        && (f.standing() == Standing.ACTIVE || f.standing() == Standing.PRIMARY))
                .may(Kind.OPEN_DOOR)
                .pace(FAST)
                .told(NOWHERE)
                .plan(Plans::openDoor);
        chapter.rule(
                        311,
                        "A handover is wanted: have PostgreSQL write a checkpoint first, so that its stop is short. All else goes on"
                                + " meanwhile.")
                .when(f -> f.switchoverStage() == SwitchoverStage.CHECKPOINT_DUE)
                .may(Kind.CHECKPOINT)
                .pace(FAST)
                .plan(v -> Steps.of("", new Action.Checkpoint()));
        chapter.rule(
                        312,
                        "A handover is wanted: have all doors hold new work, so that the transactions in flight end. All else goes on"
                                + " meanwhile.")
                .when(f -> f.switchoverStage() == SwitchoverStage.DOORS_DUE)
                .may(Kind.HOLD_DOOR)
                .pace(FAST)
                .plan(v -> Steps.of("", Doors.call(v)));
        chapter.rule(313, "Transactions did not end in time: the handover is not begun, and the doors open again.")
                .when(f -> f.switchoverStage() == SwitchoverStage.NOT_DRAINED)
                .may(Kind.PUT_TASK, Kind.OPEN_DOOR)
                .pace(FAST)
                .told(HISTORY)
                .plan(SwitchoverRules::giveUp);
        chapter.rule(
                        314,
                        "The primary is about to hand over, or is lost and another one is expected: hold this cell's door.")
                .when(f -> f.doorDuty() == Facts.DoorDuty.HOLD
                        && (f.standing() == Standing.ACTIVE || f.standing() == Standing.PRIMARY))
                .may(Kind.HOLD_DOOR)
                .pace(FAST)
                .told(NOWHERE)
                .plan(Plans::holdDoor);
        return chapter.rules();
    }

    private static Steps giveUp(View v) {
        String where =
                Doors.undrained(v).stream().map(cell -> cell.name().value()).collect(Collectors.joining(", "));
        List<Action> actions = new ArrayList<>();
        Task task = Tasks.mine(v, Task.Operation.SWITCHOVER);
        if (task != null) {
            actions.add(new Action.PutTask(task.ended(
                    Task.Status.ERROR,
                    v.wall(),
                    "not begun: transactions did not end within " + Doors.DRAIN_MILLIS / 1000
                            + " s through the door of " + where)));
        }
        Upstream self = Standbys.rightUpstream(v);
        if (self != null) {
            actions.add(new Action.OpenDoor(self));
        }
        return new Steps(actions, false, "through the door of " + where);
    }

    private static Steps takeBack(View v, String reason) {
        ClusterState state = v.state();
        if (state == null) {
            return Steps.none("");
        }
        List<Action> actions = new ArrayList<>();
        actions.add(new Action.Cas(v.version(), state.steadyAgain(), "take the handover back"));
        Task task = Tasks.mine(v, Task.Operation.SWITCHOVER);
        if (task != null && task.ballot() == state.lastBallot()) {
            actions.add(new Action.PutTask(task.running(task.ballot(), task.progress(), reason)));
        }
        return new Steps(actions, false, reason);
    }

    private static String target(View v) {
        ClusterState state = v.state();
        return state != null && state.phase() instanceof Phase.Handover handover
                ? handover.target().name().value()
                : "the target";
    }

    private static Steps mark(View v) {
        ClusterState state = v.state();
        DatabaseView.Control control = v.database().control();
        if (state == null || control == null || !(state.phase() instanceof Phase.Handover handover)) {
            return Steps.none("");
        }
        HandoverMark mark = new HandoverMark(handover.ballot(), control.end());
        return Steps.of(
                "at " + mark.end(),
                new Action.Persist("handover mark at " + mark.end(), s -> s.withHandoverMark(mark)));
    }

    private static Steps publishToken(View v) {
        HandoverMark mark = v.local().handoverMark();
        return mark == null
                ? Steps.none("")
                : Plans.cas(v, state -> state.publishToken(mark.end()), "publish the token " + mark.end());
    }

    private static Steps beginHandover(View v) {
        ClusterState state = v.state();
        CellId heir = Tasks.heir(v);
        if (state == null || heir == null) {
            return Steps.none("");
        }
        ClusterState next = state.startHandover(heir, v.wall());
        List<Action> actions = new ArrayList<>();
        actions.add(new Action.Cas(v.version(), next, "hand over to " + heir));
        Task task = Tasks.mine(v, Task.Operation.SWITCHOVER);
        if (task != null && !v.stopRequested()) {
            actions.add(new Action.PutTask(task.running(next.lastBallot(), 30, "handing over to " + heir.name())));
        }
        return new Steps(actions, false, "to " + heir.name());
    }
}
