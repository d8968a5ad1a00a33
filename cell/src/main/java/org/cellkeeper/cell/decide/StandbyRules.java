package org.cellkeeper.cell.decide;

import static org.cellkeeper.cell.decide.Rule.Audience.HISTORY;
import static org.cellkeeper.cell.decide.Rule.Audience.NOWHERE;
import static org.cellkeeper.cell.decide.Rule.Pace.FAST;
import static org.cellkeeper.cell.decide.Rule.Pace.NORMAL;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.cellkeeper.cell.decide.Action.Kind;
import org.cellkeeper.cell.decide.Facts.BallotRole;
import org.cellkeeper.cell.decide.Facts.Coordination;
import org.cellkeeper.cell.decide.Facts.Data;
import org.cellkeeper.cell.decide.Facts.FailureSuspicion;
import org.cellkeeper.cell.decide.Facts.Postgres;
import org.cellkeeper.cell.decide.Facts.Standing;
import org.cellkeeper.cell.decide.Facts.Stream;
import org.cellkeeper.cell.decide.Facts.TaskStep;
import org.cellkeeper.cell.decide.Facts.Wal;
import org.cellkeeper.cell.decide.Rule.Section;
import org.cellkeeper.cell.decide.Rule.Steps;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.Incarnation;
import org.cellkeeper.cell.model.Phase;
import org.cellkeeper.cell.model.Task;
import org.cellkeeper.cell.model.Upstream;

/** Standbys follow the primary, and watch it. */
final class StandbyRules {
    private StandbyRules() {}

    static List<Rule> rules(Supplier<Incarnation> newIncarnation) {
        Chapter chapter = new Chapter(Section.STANDBY);
        chapter.rule(701, "This cell is a standby and PostgreSQL is down: start it.")
                .when(f -> f.standing() == Standing.ACTIVE
                        && f.data() == Data.OWN
                        && f.postgres() == Postgres.STOPPED
                        && f.pendingSave() != Facts.PendingSave.ABDICATION
                        && f.wal() != Wal.AWAITS_REIGN
                        && !(f.wal() == Wal.DIVERGED && f.ballotRole() == BallotRole.STEADY))
                .may(Kind.PERSIST, Kind.START_STANDBY)
                .pace(FAST)
                .plan(StandbyRules::startStandby);
        chapter.rule(
                        702,
                        "The primary is lost, by its stream and by its agent, and no voter speaks up for it: open a ballot.")
                .when(f -> f.failureSuspicion() == FailureSuspicion.BALLOT && f.coordination() == Coordination.KNOWN)
                .may(Kind.CAS)
                .pace(FAST)
                .told(HISTORY)
                .plan(v -> Plans.cas(
                        v, state -> state.propose(v.self(), Phase.Kind.AUTOMATIC, v.wall()), "open a ballot"));
        chapter.rule(703, "An operator asked for this cell's promotion and no primary serves: open a ballot.")
                .when(f -> f.taskStep() == TaskStep.BALLOT
                        && f.coordination() == Coordination.KNOWN
                        && f.data() == Data.OWN)
                .may(Kind.CAS, Kind.PUT_TASK)
                .pace(FAST)
                .told(HISTORY)
                .plan(StandbyRules::proposeForOperator);
        chapter.rule(704, "This cell holds all of the old primary's WAL: take over.")
                .when(f -> f.ballotRole() == BallotRole.OFFERED
                        && Plans.isStandby(f)
                        && f.stream() == Stream.DETACHED
                        && f.coordination() == Coordination.KNOWN)
                .may(Kind.CAS)
                .pace(FAST)
                .told(HISTORY)
                .plan(StandbyRules::takeOver);
        chapter.rule(705, "A handover offers this cell the reign: stop receiving WAL first.")
                .when(f -> f.ballotRole() == BallotRole.OFFERED
                        && Plans.isStandby(f)
                        && f.stream() != Stream.DETACHED
                        && f.stream() != Stream.LOOSE)
                .may(Kind.UNFOLLOW)
                .pace(FAST)
                .plan(v -> Steps.of("", new Action.Unfollow()));
        chapter.rule(706, "This cell follows one who is not (or no longer) the primary: stop receiving from it.")
                .when(f -> Plans.isStandby(f) && f.stream() == Stream.WRONG && f.ballotRole() != BallotRole.HANDOVER)
                .may(Kind.UNFOLLOW)
                .pace(FAST)
                .plan(v -> Steps.of("", new Action.Unfollow()));
        chapter.rule(707, "Wait until the walreceiver is gone for good.")
                .when(f -> Plans.isStandby(f) && f.stream() == Stream.LOOSE)
                .pace(FAST)
                .rest();
        chapter.rule(708, "The next primary's reign is not on record yet: wait for it.")
                .when(f -> Plans.isStandby(f)
                        && f.stream() == Stream.DETACHED
                        && (f.ballotRole() == BallotRole.UNRECORDED
                                || f.ballotRole() == BallotRole.HANDOVER
                                || isOffer(f)))
                .pace(NORMAL)
                // It may be this cell's own, a moment before that is durable: then its commit rule is asked for next.
                .plan(v -> new Steps(List.of(), isOffered(v), ""));
        chapter.rule(709, "Local WAL is being replayed: only then it is known what this cell holds.")
                .when(f -> Plans.isStandby(f) && f.stream() == Stream.DETACHED && f.wal() == Wal.UNKNOWN)
                .pace(FAST)
                .rest();
        chapter.rule(
                        710,
                        "This cell holds WAL that is not the primary's, or lacks WAL that the primary no longer has: throw the data away and"
                                + " clone anew, under a new incarnation.")
                .when(f -> (Plans.isAtRest(f) && f.wal() == Wal.DIVERGED && f.ballotRole() == BallotRole.STEADY)
                        || Plans.isStandby(f)
                                && ((f.stream() == Stream.DETACHED && f.wal() == Wal.DIVERGED)
                                        || (f.stream() != Stream.LIVE
                                                && f.wal() == Wal.GONE
                                                && f.ballotRole() == BallotRole.STEADY)))
                .may(Kind.PERSIST, Kind.STOP_IMMEDIATE)
                .pace(FAST)
                .told(HISTORY)
                .plan(v -> Steps.of(
                        Plans.describeEnd(v), Plans.newLife(newIncarnation.get(), true), new Action.StopImmediate()));
        chapter.rule(711, "This cell's WAL is a prefix of the primary's: follow it.")
                .when(f -> Plans.isStandby(f) && f.stream() == Stream.DETACHED && f.wal() == Wal.PREFIX)
                .may(Kind.PERSIST, Kind.FOLLOW)
                .pace(FAST)
                .plan(StandbyRules::follow);
        chapter.rule(
                        712,
                        "The siblings have changed, or it is time to look again: make their slots, drop those of others.")
                .when(f -> Plans.isStandby(f) && f.slotsDue())
                .may(Kind.KEEP_SLOTS)
                .pace(FAST)
                .told(NOWHERE)
                .plan(v -> Steps.of("", new Action.KeepSlots(Standbys.siblings(v))));
        chapter.rule(
                        713,
                        "The primary seems lost, but no ballot is called for: in MANUAL mode, while a voter speaks up for it, while too few"
                                + " cells live, or for a short time after the last one.")
                .when(f -> Plans.isStandby(f) && f.failureSuspicion() == FailureSuspicion.SUSPICION)
                .pace(FAST)
                .plan(v -> Steps.none(Suspicion.obstacle(v)));
        chapter.rule(714, "This cell streams from the primary.")
                .when(f -> Plans.isStandby(f) && f.stream() == Stream.LIVE)
                .pace(NORMAL)
                .rest();
        chapter.rule(715, "This cell follows the primary, and waits for its stream.")
                .when(f -> Plans.isStandby(f))
                .pace(FAST)
                .rest();
        chapter.rule(
                        716,
                        "PostgreSQL follows nobody, or no more the primary, and lets nobody in who could tell it: stop it, and read what it"
                                + " holds.")
                .when(f -> f.standing() == Standing.ACTIVE
                        && f.data() == Data.OWN
                        && f.stream() == Stream.CLOSED
                        && f.ballotRole() == BallotRole.STEADY)
                .may(Kind.STOP_IMMEDIATE, Kind.READ_END)
                .pace(FAST)
                .told(HISTORY)
                .plan(v -> Steps.of(v.database().problem(), new Action.StopImmediate(), new Action.ReadEnd()));
        chapter.rule(
                        717,
                        "PostgreSQL is stopped and what it holds is known; the next primary's reign is soon on record: wait for it, and start"
                                + " as its standby.")
                .when(f -> Plans.isAtRest(f) && f.wal() == Wal.AWAITS_REIGN)
                .pace(FAST)
                .rest();
        return chapter.rules();
    }

    private static boolean isOffer(Facts f) {
        return f.ballotRole() == BallotRole.OFFERED || f.ballotRole() == BallotRole.OFFERED_EARLY;
    }

    private static Steps startStandby(View v) {
        ClusterState state = v.state();
        Upstream right = Standbys.rightUpstream(v);
        Upstream onDisk = v.database().upstreamOnDisk();
        if (state == null
                || right == null
                || state.phase() instanceof Phase.Sealing
                || v.local().sealedBallot() != 0) {
            return Steps.of("", new Action.StartStandby(null));
        }
        // Only what was compared before, or is compared now, may be followed at once; all else when its end is known.
        long epoch = state.epoch();
        boolean before = v.local().walEpoch() == epoch && right.equals(onDisk);
        boolean now = state.isSteady() && Standbys.relationToPrimary(v) == WalHistory.Relation.PREFIX; // T7, T10
        if (!before && !now) {
            return Steps.of("", new Action.StartStandby(null));
        }
        List<Action> actions = new ArrayList<>();
        if (v.local().walEpoch() != epoch) {
            actions.add(new Action.Persist("following epoch " + epoch, s -> s.withWalEpoch(epoch)));
        }
        actions.add(new Action.StartStandby(right));
        return new Steps(actions, false, right.primary().name() + " in epoch " + epoch + ", " + Plans.describeEnd(v));
    }

    private static Steps proposeForOperator(View v) {
        ClusterState state = v.state();
        Task task = Tasks.mine(v, Task.Operation.PROMOTE);
        if (state == null || task == null) {
            return Steps.none("");
        }
        ClusterState next = state.propose(v.self(), Tasks.kind(task), v.wall());
        return Steps.of(
                "ballot " + next.lastBallot(),
                new Action.Cas(v.version(), next, "open a ballot for an operator"),
                new Action.PutTask(task.running(next.lastBallot(), 20, "ballot " + next.lastBallot() + " is open")));
    }

    private static boolean isOffered(View v) {
        ClusterState state = v.state();
        return state != null
                && state.phase() instanceof Phase.Handover handover
                && handover.target().equals(v.self());
    }

    private static Steps takeOver(View v) {
        ClusterState state = v.state();
        if (state == null || !(state.phase() instanceof Phase.Handover handover)) {
            return Steps.none("");
        }
        String what = "take over in epoch " + handover.ballot();
        // Closely: the promotion asks next whether the rule that the standby was started with is still in force.
        return Steps.closely(what, new Action.Cas(v.version(), state.takeOver(v.self(), handover.ballot()), what));
    }

    private static Steps follow(View v) {
        ClusterState state = v.state();
        Upstream right = Standbys.rightUpstream(v);
        if (state == null || right == null) {
            return Steps.none("the primary's address is not known");
        }
        long epoch = state.epoch();
        List<Action> actions = new ArrayList<>();
        if (v.local().walEpoch() != epoch) {
            actions.add(new Action.Persist("following epoch " + epoch, s -> s.withWalEpoch(epoch)));
        }
        actions.add(new Action.Follow(right));
        return new Steps(actions, false, right.primary().name() + " in epoch " + epoch + ", " + Plans.describeEnd(v));
    }
}
