package org.cellkeeper.cell.decide;

import static org.cellkeeper.cell.decide.Rule.Audience.HISTORY;
import static org.cellkeeper.cell.decide.Rule.Audience.NOWHERE;
import static org.cellkeeper.cell.decide.Rule.Pace.FAST;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.cellkeeper.cell.decide.Action.Kind;
import org.cellkeeper.cell.decide.Facts.BallotRole;
import org.cellkeeper.cell.decide.Facts.Coordination;
import org.cellkeeper.cell.decide.Facts.Data;
import org.cellkeeper.cell.decide.Facts.Postgres;
import org.cellkeeper.cell.decide.Facts.Standing;
import org.cellkeeper.cell.decide.Facts.Stream;
import org.cellkeeper.cell.decide.Rule.Section;
import org.cellkeeper.cell.decide.Rule.Steps;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.Phase;
import org.cellkeeper.cell.model.Vote;
import org.jspecify.annotations.Nullable;

/** Ballots: who seals, votes, objects, gives up, and when one is decided. */
final class BallotRules {
    private BallotRules() {}

    static List<Rule> rules() {
        Chapter chapter = new Chapter(Section.BALLOT);
        chapter.rule(401, "The outcome of the ballot that this cell was sealed for has been read: the seal has served.")
                .when(f -> f.pendingSave() == Facts.PendingSave.OUTCOME)
                .may(Kind.PERSIST)
                .pace(FAST)
                .told(NOWHERE)
                .plan(v -> Steps.of("", new Action.Persist("outcome read", s -> s.withSealedBallot(0))));
        chapter.rule(402, "The votes suffice: name the winner.")
                .when(f -> f.ballotRole() == BallotRole.DECIDED
                        && f.standing() == Standing.ACTIVE
                        && f.coordination() == Coordination.KNOWN)
                .may(Kind.CAS)
                .pace(FAST)
                .told(HISTORY)
                .plan(BallotRules::elect);
        chapter.rule(403, "The ballot was vetoed, or not decided in time: burn it.")
                .when(f -> f.ballotRole() == BallotRole.LOST && f.coordination() == Coordination.KNOWN)
                .may(Kind.CAS, Kind.DELETE_VOTES)
                .pace(FAST)
                .told(HISTORY)
                .plan(BallotRules::giveUp);
        chapter.rule(404, "A ballot is open, but the primary is seen to serve: veto it.")
                .when(f -> f.ballotRole() == BallotRole.OBJECTING && f.coordination() == Coordination.KNOWN)
                .may(Kind.PUBLISH_VOTE)
                .pace(FAST)
                .told(HISTORY)
                .plan(BallotRules::veto);
        chapter.rule(405, "A ballot is open: stop receiving WAL.")
                .when(f -> (f.ballotRole() == BallotRole.UNSEALED || f.ballotRole() == BallotRole.SEALED)
                        && (Plans.isStandby(f) || Plans.isAtRest(f))
                        && f.stream() != Stream.DETACHED
                        && f.stream() != Stream.LOOSE)
                .may(Kind.UNFOLLOW)
                .pace(FAST)
                .plan(v -> Steps.of("", new Action.Unfollow()));
        chapter.rule(406, "A ballot is open: wait until the walreceiver is gone for good.")
                .when(f -> (f.ballotRole() == BallotRole.UNSEALED || f.ballotRole() == BallotRole.SEALED)
                        && Plans.isStandby(f)
                        && f.stream() == Stream.LOOSE)
                .pace(FAST)
                .rest();
        chapter.rule(
                        407,
                        "Nothing can be received any more: seal durably, read the WAL of a stopped PostgreSQL to its end, and vote.")
                .when(f -> (f.ballotRole() == BallotRole.UNSEALED || f.ballotRole() == BallotRole.SEALED)
                        && (Plans.isStandby(f) || Plans.isAtRest(f))
                        && f.stream() == Stream.DETACHED)
                .may(Kind.PERSIST, Kind.READ_END, Kind.PUBLISH_VOTE)
                .pace(FAST)
                .told(HISTORY)
                .plan(BallotRules::sealAndVote);
        chapter.rule(
                        408,
                        "A ballot is open, and PostgreSQL does not come to rest for it: stop it, its disk tells what it holds.")
                .when(f -> f.ballotRole() == BallotRole.OVERDUE
                        && f.standing() == Standing.ACTIVE
                        && f.data() == Data.OWN
                        && f.postgres() != Postgres.STOPPED)
                .may(Kind.STOP_IMMEDIATE)
                .pace(FAST)
                .told(HISTORY)
                .plan(v -> Steps.of(Plans.describeUnrest(v), new Action.StopImmediate()));
        chapter.rule(409, "A ballot is open: wait for its outcome.")
                .when(BallotRules::isBallotOpen)
                .pace(FAST)
                .rest();
        return chapter.rules();
    }

    private static boolean isBallotOpen(Facts f) {
        return switch (f.ballotRole()) {
            case UNSEALED, OBJECTING, SEALED, OVERDUE, VOTED, DECIDED, LOST -> true;
            case STEADY, OFFERED_EARLY, OFFERED, HANDOVER, UNRECORDED -> false;
        };
    }

    private static Steps elect(View v) {
        Phase.Sealing sealing = Election.open(v);
        CellId winner = Election.winner(v);
        if (sealing == null || winner == null) {
            return Steps.none("");
        }
        Set<CellId> missing = Election.missingVoters(v, sealing);
        String what = "elect " + winner.name() + " in ballot " + sealing.ballot()
                + (missing.isEmpty() ? "" : ", by force, without " + missing);
        return Plans.cas(v, state -> state.elect(winner, sealing.ballot(), Election.halts(v, winner)), what);
    }

    private static Steps giveUp(View v) {
        ClusterState state = v.state();
        Phase.Sealing sealing = Election.open(v);
        if (state == null || sealing == null) {
            return Steps.none("");
        }
        String why = Election.votes(v, state, sealing.ballot()).votes().stream()
                .filter(vote -> vote.veto() != null)
                .map(vote -> vote.voter().name() + " vetoed: " + vote.veto())
                .findFirst()
                .orElse("it was not decided in time");
        String what = "burn ballot " + sealing.ballot() + ": " + why;
        return Steps.of(
                what, new Action.Cas(v.version(), state.steadyAgain(), what), new Action.DeleteVotes(sealing.ballot()));
    }

    private static Steps veto(View v) {
        Phase.Sealing sealing = Election.open(v);
        ClusterState state = v.state();
        if (sealing == null || state == null) {
            return Steps.none("");
        }
        String why = state.primary().equals(v.self())
                ? "this primary serves, and its standbys acknowledge"
                : "WAL streams from " + state.primary().name();
        return Steps.of(why, new Action.PublishVote(vote(v, sealing.ballot(), why)));
    }

    private static Steps sealAndVote(View v) {
        Phase.Sealing sealing = Election.open(v);
        if (sealing == null) {
            return Steps.none("");
        }
        long ballot = sealing.ballot();
        List<Action> actions = new ArrayList<>();
        if (v.local().sealedBallot() != ballot) {
            actions.add(new Action.Persist("sealed for ballot " + ballot, s -> s.withSealedBallot(ballot)));
        }
        if (v.database().knownEnd() != null) {
            if (v.local().walEpoch() > 0 && v.coordinationKnown()) {
                actions.add(new Action.PublishVote(vote(v, ballot, null)));
            }
        } else if (v.database().isStopped()) {
            actions.add(new Action.ReadEnd());
        }
        return new Steps(actions, false, Plans.describeEnd(v));
    }

    /** I1: of a known end alone, unless it is a veto. */
    private static Vote vote(View v, long ballot, @Nullable String veto) {
        DatabaseView.Rest end = v.database().knownEnd();
        return new Vote(
                ballot,
                v.self(),
                veto,
                Standbys.heldEpoch(v),
                end == null ? 0 : end.timeline(),
                end == null ? Lsn.ZERO : end.end(),
                v.settings().priority());
    }
}
