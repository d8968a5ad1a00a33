package org.cellkeeper.cell.decide;

import static org.cellkeeper.cell.decide.Rule.Audience.HISTORY;
import static org.cellkeeper.cell.decide.Rule.Audience.NOWHERE;
import static org.cellkeeper.cell.decide.Rule.Pace.FAST;
import static org.cellkeeper.cell.decide.Rule.Pace.NORMAL;

import java.util.List;
import java.util.function.Supplier;
import org.cellkeeper.cell.decide.Action.Kind;
import org.cellkeeper.cell.decide.Facts.Coordination;
import org.cellkeeper.cell.decide.Facts.Postgres;
import org.cellkeeper.cell.decide.Facts.PromotionStage;
import org.cellkeeper.cell.decide.Facts.Standing;
import org.cellkeeper.cell.decide.Facts.TaskStep;
import org.cellkeeper.cell.decide.Rule.Section;
import org.cellkeeper.cell.decide.Rule.Steps;
import org.cellkeeper.cell.model.Incarnation;
import org.cellkeeper.cell.model.LocalState;

/** A deposed, halted or removed cell runs no PostgreSQL. These rules come before all others. */
final class FencingRules {
    private FencingRules() {}

    static List<Rule> rules(Supplier<Incarnation> newIncarnation) {
        Chapter chapter = new Chapter(Section.FENCING);
        chapter.rule(
                        100,
                        "This cell is halted and PostgreSQL is stopped, but its door is not as it is to be: hold it for a handover or a ballot, or open it to the primary.")
                .when(f -> f.standing() == Standing.HALTED
                        && f.postgres() == Postgres.STOPPED
                        && f.pendingSave() != Facts.PendingSave.HALT
                        && f.doorDuty() != Facts.DoorDuty.NONE)
                .may(Kind.HOLD_DOOR, Kind.OPEN_DOOR)
                .pace(FAST)
                .told(NOWHERE)
                .plan(Plans::tendDoor);
        chapter.rule(101, "This cell is halted and its PostgreSQL runs: stop it at once, then note the halt.")
                .when(f -> f.standing() == Standing.HALTED && f.postgres() != Postgres.STOPPED)
                .may(Kind.STOP_IMMEDIATE, Kind.PERSIST)
                .pace(FAST)
                .told(HISTORY)
                .plan(v -> Steps.of(Halts.reason(v), new Action.StopImmediate(), noteHalt(v)));
        chapter.rule(102, "This cell is halted: note it in the state file, so that it stays so over restarts.")
                .when(f -> f.standing() == Standing.HALTED && f.pendingSave() == Facts.PendingSave.HALT)
                .may(Kind.PERSIST)
                .pace(FAST)
                .told(HISTORY)
                .plan(v -> Steps.of(Halts.reason(v), noteHalt(v)));
        chapter.rule(103, "This cell is halted: tell the cluster so, read its WAL to the end, and tell where that is.")
                .when(f -> f.standing() == Standing.HALTED
                        && f.pendingSave() == Facts.PendingSave.HALT_UNREPORTED
                        && f.coordination() == Coordination.KNOWN)
                .may(Kind.READ_END, Kind.CAS)
                .pace(NORMAL)
                .told(NOWHERE)
                .plan(FencingRules::reportHalt);
        chapter.rule(104, "This cell is halted: an operator must remove it (DELETE) and deploy it anew.")
                .when(f -> f.standing() == Standing.HALTED)
                .pace(NORMAL)
                .rest();
        chapter.rule(105, "This cell was removed and its PostgreSQL runs: stop it.")
                .when(f -> f.standing() == Standing.REMOVED && f.postgres() != Postgres.STOPPED)
                .may(Kind.STOP_IMMEDIATE)
                .pace(FAST)
                .told(HISTORY)
                .plan(v -> Steps.of("", new Action.StopImmediate()));
        chapter.rule(106, "This cell was removed: note it in the state file.")
                .when(f -> f.standing() == Standing.REMOVED && f.pendingSave() == Facts.PendingSave.REMOVAL)
                .may(Kind.PERSIST)
                .pace(FAST)
                .told(HISTORY)
                .plan(v -> Steps.of("", new Action.Persist("removed by an operator", LocalState::withRemoved)));
        chapter.rule(107, "This removed cell is to be deployed: empty it and begin a new life.")
                .when(f -> f.standing() == Standing.REMOVED && f.taskStep() == TaskStep.DEPLOY)
                .may(Kind.WIPE, Kind.PERSIST)
                .pace(FAST)
                .told(HISTORY)
                .plan(v -> Steps.of("", new Action.Wipe(), Plans.newLife(newIncarnation.get(), false)));
        chapter.rule(108, "This cell was removed: deploy it (cellctl deploy <cell>) to use it again.")
                .when(f -> f.standing() == Standing.REMOVED)
                .pace(NORMAL)
                .rest();
        chapter.rule(109, "PostgreSQL runs as primary, but this cell is not the primary: stop it at once.")
                .when(f -> f.postgres() == Postgres.PRIMARY
                        && (f.standing() == Standing.ACTIVE
                                || f.standing() == Standing.STRANGER
                                || f.standing() == Standing.TAKEN))
                .may(Kind.STOP_IMMEDIATE)
                .pace(FAST)
                .told(HISTORY)
                .plan(v -> Steps.of("", new Action.StopImmediate()));
        chapter.rule(110, "PostgreSQL runs as primary, but this cell never opened it for this epoch: stop it at once.")
                .when(f -> f.promotionStage() == PromotionStage.UNLAWFUL)
                .may(Kind.STOP_IMMEDIATE)
                .pace(FAST)
                .told(HISTORY)
                .plan(v -> Steps.of("", new Action.StopImmediate()));
        chapter.rule(111, "PostgreSQL was opened on a timeline that another reign may bear too: stop it.")
                .when(f -> f.promotionStage() == PromotionStage.CLASH)
                .may(Kind.STOP_IMMEDIATE)
                .pace(NORMAL)
                .told(HISTORY)
                .plan(v -> Steps.of("", new Action.StopImmediate()));
        return chapter.rules();
    }

    private static Steps reportHalt(View v) {
        return Halts.isEndUnread(v)
                ? Steps.of("", new Action.ReadEnd())
                : Plans.cas(v, state -> Halts.reported(v, state), "report the halt");
    }

    private static Action.Persist noteHalt(View v) {
        String reason = Halts.reason(v);
        return new Action.Persist("halted: " + reason, s -> s.haltReason() == null ? s.withHalt(reason) : s);
    }
}
