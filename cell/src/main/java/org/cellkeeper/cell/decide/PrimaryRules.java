package org.cellkeeper.cell.decide;

import static org.cellkeeper.cell.decide.Rule.Audience.HISTORY;
import static org.cellkeeper.cell.decide.Rule.Audience.NOWHERE;
import static org.cellkeeper.cell.decide.Rule.Pace.FAST;
import static org.cellkeeper.cell.decide.Rule.Pace.NORMAL;

import java.util.List;
import org.cellkeeper.cell.decide.Action.Kind;
import org.cellkeeper.cell.decide.Facts.BallotRole;
import org.cellkeeper.cell.decide.Facts.Coordination;
import org.cellkeeper.cell.decide.Facts.Move;
import org.cellkeeper.cell.decide.Facts.Postgres;
import org.cellkeeper.cell.decide.Facts.PrimaryFault;
import org.cellkeeper.cell.decide.Facts.Standing;
import org.cellkeeper.cell.decide.Facts.TaskStep;
import org.cellkeeper.cell.decide.Facts.WriteAvailability;
import org.cellkeeper.cell.decide.Rule.Section;
import org.cellkeeper.cell.decide.Rule.Steps;
import org.cellkeeper.cell.decide.quorum.VoterChange;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.Ensemble;
import org.cellkeeper.cell.model.Task;

/** The primary reigns: its voters and its commit rule, its members, slots and door, and what operators ask of it. */
final class PrimaryRules {
    private PrimaryRules() {}

    static List<Rule> rules() {
        Chapter chapter = new Chapter(Section.PRIMARY);
        chapter.rule(
                        601,
                        "PostgreSQL of this primary crashed: leave it to the standbys to take over, for a short time.")
                .when(f -> f.standing() == Standing.PRIMARY
                        && f.postgres() == Postgres.STOPPED
                        && f.primaryFault() == PrimaryFault.CRASHED)
                .pace(FAST)
                .rest();
        chapter.rule(602, "This cell is the primary and PostgreSQL is down: start it.")
                .when(f -> f.standing() == Standing.PRIMARY
                        && f.postgres() == Postgres.STOPPED
                        && f.coordination() == Coordination.KNOWN
                        && f.ballotRole() == BallotRole.STEADY)
                .may(Kind.START_PRIMARY)
                .pace(FAST)
                .told(HISTORY)
                .plan(v -> Steps.of("", new Action.StartPrimary()));
        chapter.rule(
                        603,
                        "This cell was the primary when it last could ask: PostgreSQL stays down until ZooKeeper confirms it.")
                .when(f -> f.standing() == Standing.PRIMARY && f.postgres() == Postgres.STOPPED)
                .pace(FAST)
                .rest();
        chapter.rule(
                        604,
                        "The disk does not take writes, or PostgreSQL hangs, and others can take over: stop PostgreSQL.")
                .when(f -> f.standing() == Standing.PRIMARY && f.primaryFault() == PrimaryFault.UNWRITABLE)
                .may(Kind.STOP_IMMEDIATE)
                .pace(FAST)
                .told(HISTORY)
                .plan(v -> Steps.of(v.database().problem(), new Action.StopImmediate()));
        chapter.rule(605, "This primary is cut off from everything and is configured to stop then.")
                .when(f -> f.writeAvailability() == WriteAvailability.LACKING_STOP)
                .may(Kind.STOP_IMMEDIATE)
                .pace(FAST)
                .told(HISTORY)
                .plan(v -> Steps.of("", new Action.StopImmediate()));
        chapter.rule(606, "Too few standbys acknowledge: turn writers away instead of letting them hang.")
                .when(f -> f.writeAvailability() == WriteAvailability.LACKING)
                .may(Kind.SET_READ_ONLY)
                .pace(FAST)
                .told(HISTORY)
                .plan(v -> Steps.of("", new Action.SetReadOnly(true)));
        chapter.rule(607, "Enough standbys acknowledge again, and ZooKeeper confirms the reign: take writes again.")
                .when(f ->
                        f.writeAvailability() == WriteAvailability.RECOVERED && f.coordination() == Coordination.KNOWN)
                .may(Kind.SET_READ_ONLY)
                .pace(FAST)
                .told(HISTORY)
                .plan(v -> Steps.of("", new Action.SetReadOnly(false)));
        chapter.rule(
                        608,
                        "The siblings have changed, or it is time to look again: make their slots, drop those of others.")
                .when(f -> f.slotsDue() && f.standing() == Standing.PRIMARY && f.postgres() == Postgres.PRIMARY)
                .may(Kind.KEEP_SLOTS)
                .pace(FAST)
                .told(NOWHERE)
                .plan(v -> Steps.of("", new Action.KeepSlots(Standbys.siblings(v))));
        chapter.rule(
                        609,
                        "All cells run with the same list of ZooKeeper servers, and it is not on record: put it there.")
                .when(f -> f.move() == Move.RECORD && f.coordination() == Coordination.KNOWN)
                .may(Kind.CAS)
                .pace(FAST)
                .told(HISTORY)
                .plan(PrimaryRules::recordEnsemble);
        chapter.rule(
                        611,
                        "PostgreSQL is to accept more acknowledgers: first make sure that no old change of the state can land any more.")
                .when(f -> f.move() == Move.CONFIRM)
                .may(Kind.CAS)
                .pace(FAST)
                .told(NOWHERE)
                .plan(v -> Plans.cas(v, state -> state, "confirm the state"));
        chapter.rule(612, "PostgreSQL's commit rule is not as it should be: write it and reload.")
                .when(f -> f.move() == Move.WRITE)
                .may(Kind.APPLY_SYNC)
                .pace(FAST)
                .plan(PrimaryRules::writeCommitRule);
        chapter.rule(613, "k is being raised: make the streams reconnect that may still count by the old one.")
                .when(f -> f.move() == Move.TERMINATE)
                .may(Kind.TERMINATE_OLD_SENDERS)
                .pace(FAST)
                .told(NOWHERE)
                .plan(v -> Steps.closely("", new Action.TerminateOldSenders()));
        chapter.rule(614, "The voters change: wait until PostgreSQL has caught up with the move.")
                .when(f -> f.move() == Move.AWAIT)
                .pace(FAST)
                .plan(v ->
                        Steps.closely(VoterMoves.next(v) instanceof VoterChange.Step.Await await ? await.what() : ""));
        chapter.rule(615, "All that was acknowledged is covered: change the voters.")
                .when(f -> f.move() == Move.CHANGE)
                .may(Kind.CAS)
                .pace(FAST)
                .told(HISTORY)
                .plan(PrimaryRules::changeVoters);
        chapter.rule(616, "An operator's removal can be completed: strike the cell off.")
                .when(f -> f.taskStep() == TaskStep.LEAVE)
                .may(Kind.CAS)
                .pace(FAST)
                .told(HISTORY)
                .plan(PrimaryRules::removeMember);
        chapter.rule(617, "A task has come to its end: say how.")
                .when(f -> f.taskStep() == TaskStep.SETTLE)
                .may(Kind.PUT_TASK)
                .pace(FAST)
                .plan(PrimaryRules::settle);
        chapter.rule(
                        618,
                        "This cell is the primary, but too few standbys acknowledge: reads go on, writes are turned away.")
                .when(f -> f.standing() == Standing.PRIMARY
                        && (f.writeAvailability() == WriteAvailability.LACKING_CLOSED
                                || f.writeAvailability() == WriteAvailability.SHORT
                                || f.writeAvailability() == WriteAvailability.RECOVERED))
                .pace(FAST)
                .rest();
        chapter.rule(619, "This cell is the primary and serves.")
                .when(f -> f.standing() == Standing.PRIMARY && f.postgres() == Postgres.PRIMARY)
                .pace(NORMAL)
                .rest();
        chapter.rule(620, "This cell is the primary: wait until its PostgreSQL answers.")
                .when(f -> f.standing() == Standing.PRIMARY)
                .pace(FAST)
                .rest();
        return chapter.rules();
    }

    private static Steps recordEnsemble(View v) {
        ClusterState state = v.state();
        List<String> servers = Ensembles.due(v);
        if (state == null || servers == null) {
            return Steps.none("");
        }
        Ensemble recorded = state.ensemble();
        Ensemble next = recorded == null ? Ensemble.first(servers) : recorded.withServers(servers);
        return Plans.cas(v, old -> old.withEnsemble(next), Ensemble.text(servers));
    }

    private static Steps writeCommitRule(View v) {
        return VoterMoves.next(v) instanceof VoterChange.Step.Write write
                ? Steps.closely(write.why() + ": " + write.setting(), new Action.ApplySync(write.setting()))
                : Steps.none("");
    }

    private static Steps changeVoters(View v) {
        return VoterMoves.next(v) instanceof VoterChange.Step.Change change
                ? Plans.cas(v, state -> state.withVoters(change.voters(), change.acks()), change.why())
                : Steps.none("");
    }

    private static Steps removeMember(View v) {
        CellName name = Tasks.leaver(v);
        return name == null ? Steps.none("") : Plans.cas(v, state -> state.leave(name), "remove " + name);
    }

    private static Steps settle(View v) {
        Task ended = Tasks.settled(v);
        return ended == null
                ? Steps.none("")
                : Steps.of(
                        ended.operation() + " " + ended.target() + ": " + ended.message(), new Action.PutTask(ended));
    }
}
