package org.cellkeeper.cell.decide;

import static org.cellkeeper.cell.decide.Rule.Audience.HISTORY;
import static org.cellkeeper.cell.decide.Rule.Audience.NOWHERE;
import static org.cellkeeper.cell.decide.Rule.Pace.FAST;
import static org.cellkeeper.cell.decide.Rule.Pace.NORMAL;

import java.util.List;
import org.cellkeeper.cell.decide.Action.Kind;
import org.cellkeeper.cell.decide.Facts.BallotRole;
import org.cellkeeper.cell.decide.Facts.Coordination;
import org.cellkeeper.cell.decide.Facts.Data;
import org.cellkeeper.cell.decide.Facts.Postgres;
import org.cellkeeper.cell.decide.Facts.PromotionStage;
import org.cellkeeper.cell.decide.Facts.Standing;
import org.cellkeeper.cell.decide.Rule.Section;
import org.cellkeeper.cell.decide.Rule.Steps;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.Halt;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.Reign;
import org.cellkeeper.cell.model.SyncSetting;
import org.cellkeeper.cell.model.Vote;

/** The winner of a ballot, or the target of a switchover, opens its reign step by step. */
final class PromotionRules {
    private PromotionRules() {}

    static List<Rule> rules() {
        Chapter chapter = new Chapter(Section.PROMOTION);
        chapter.rule(
                        500,
                        "This cell won, but cannot open its reign, and another one holds the same WAL: give the reign to that one.")
                .when(f -> f.promotionStage() == PromotionStage.HOPELESS
                        && f.coordination() == Coordination.KNOWN
                        && f.ballotRole() == BallotRole.UNRECORDED)
                .may(Kind.CAS, Kind.DELETE_VOTES)
                .pace(FAST)
                .told(HISTORY)
                .plan(PromotionRules::giveUpReign);
        chapter.rule(
                        501,
                        "This cell is the primary, but has no usable data, or PostgreSQL went on with them on their old timeline: an operator"
                                + " must promote another one.")
                .when(f -> f.standing() == Standing.PRIMARY
                        && (f.data() != Data.OWN || f.promotionStage() == PromotionStage.SPOILED))
                .pace(NORMAL)
                .rest();
        chapter.rule(
                        502,
                        "This cell won, and PostgreSQL is down: start it with the rule of those who may acknowledge, and promote it.")
                .when(f -> mustOpen(f) && f.postgres() == Postgres.STOPPED && f.coordination() == Coordination.KNOWN)
                .may(Kind.PERSIST, Kind.PROMOTE_AT_REST, Kind.START_PRIMARY)
                .pace(FAST)
                .told(HISTORY)
                .plan(PromotionRules::startTheWinner);
        chapter.rule(503, "This cell won: stop receiving WAL.")
                .when(f -> f.promotionStage() == PromotionStage.ATTACHED && f.postgres() == Postgres.STANDBY)
                .may(Kind.UNFOLLOW)
                .pace(FAST)
                .plan(v -> Steps.of("", new Action.Unfollow()));
        chapter.rule(
                        504,
                        "This cell won, and PostgreSQL runs, but cannot be made ready: stop it, and promote it from its start.")
                .when(f -> f.promotionStage() == PromotionStage.STUCK)
                .may(Kind.STOP_IMMEDIATE)
                .pace(FAST)
                .told(HISTORY)
                .plan(v -> Steps.of(Plans.describeUnrest(v), new Action.StopImmediate()));
        chapter.rule(505, "This cell won: name those who may acknowledge, before the first commit can be made.")
                .when(f -> f.promotionStage() == PromotionStage.UNNAMED && f.postgres() == Postgres.STANDBY)
                .may(Kind.APPLY_SYNC)
                .pace(FAST)
                .plan(PromotionRules::nameAcknowledgers);
        chapter.rule(506, "The commit rule is in force: promote.")
                .when(f -> f.promotionStage() == PromotionStage.NAMED
                        && f.postgres() == Postgres.STANDBY
                        && f.coordination() == Coordination.KNOWN)
                .may(Kind.PERSIST, Kind.PROMOTE)
                .pace(FAST)
                .told(HISTORY)
                .plan(PromotionRules::promote);
        chapter.rule(507, "The new timeline is open: put the reign on record.")
                .when(f -> f.promotionStage() == PromotionStage.PROMOTED && f.coordination() == Coordination.KNOWN)
                .may(Kind.CAS, Kind.DELETE_VOTES)
                .pace(FAST)
                .told(HISTORY)
                .plan(PromotionRules::recordReign);
        chapter.rule(
                        508,
                        "This cell won: wait until its walreceiver is gone for good, and PostgreSQL and ZooKeeper answer.")
                .when(PromotionRules::mustOpen)
                .pace(FAST)
                .rest();
        chapter.rule(509, "The reign is on record: note that this WAL is this cell's own.")
                .when(f -> f.pendingSave() == Facts.PendingSave.REIGN)
                .may(Kind.PERSIST)
                .pace(FAST)
                .told(NOWHERE)
                .plan(PromotionRules::noteReign);
        return chapter.rules();
    }

    private static boolean mustOpen(Facts f) {
        return f.standing() == Standing.PRIMARY && f.promotionStage() != PromotionStage.DONE;
    }

    private static Steps startTheWinner(View v) {
        ClusterState state = v.state();
        if (state == null) {
            return Steps.none("");
        }
        long epoch = state.epoch();
        if (Promotions.hasPromoted(v, state)) {
            return Steps.of("promoted already", new Action.StartPrimary());
        }
        SyncSetting names = Election.namesAtPromotion(v);
        return Steps.of(
                "epoch " + epoch + ", " + names,
                new Action.Persist("primary of epoch " + epoch, s -> s.withPrimaryEpoch(epoch)),
                new Action.PromoteAtRest(names, state.highestTimeline()));
    }

    private static Steps giveUpReign(View v) {
        ClusterState state = v.state();
        CellId equal = Election.equalToTheWinner(v);
        if (state == null || equal == null) {
            return Steps.none("");
        }
        String what = "give the reign of epoch " + state.epoch() + " up to " + equal.name();
        String why = v.database().problem().isEmpty() ? "" : ": " + v.database().problem();
        Halt halt = new Halt(
                state.epoch(),
                "it could not open its reign of epoch " + state.epoch() + ", and " + equal.name()
                        + " holds the same WAL" + why,
                v.wall(),
                null,
                null);
        return Steps.of(
                what,
                new Action.Cas(v.version(), state.giveUpReign(equal, halt), what),
                new Action.DeleteVotes(state.epoch()));
    }

    private static Steps nameAcknowledgers(View v) {
        var names = Election.namesAtPromotion(v);
        boolean awaiting =
                VoterMoves.isWritten(v, names) && names.equals(v.database().syncOnDisk());
        return awaiting
                ? Steps.closely("waiting for it to come into force")
                : Steps.closely(names.toString(), new Action.ApplySync(names));
    }

    private static Steps promote(View v) {
        ClusterState state = v.state();
        if (state == null) {
            return Steps.none("");
        }
        long epoch = state.epoch();
        // Closely: the rule must still be seen in force when the save is done.
        return Steps.closely(
                "epoch " + epoch,
                new Action.Persist("primary of epoch " + epoch, s -> s.withPrimaryEpoch(epoch)),
                new Action.Promote(state.highestTimeline()));
    }

    private static Steps recordReign(View v) {
        ClusterState state = v.state();
        DatabaseView.Primary primary = v.database().primary();
        if (state == null || primary == null) {
            return Steps.none("");
        }
        Vote own = Election.ownVote(v);
        Lsn start = primary.timelineStart();
        Lsn sealed = own == null ? start : start.max(own.lsn());
        long parent = own == null
                ? WalHistory.heldEpoch(state.reigns(), v.local().walEpoch(), start, primary.timeline())
                : own.walEpoch();
        Reign reign = new Reign(v.self(), primary.timeline(), start, sealed, parent);
        String what = "epoch " + state.epoch() + " is timeline " + reign.timeline() + " from " + start;
        return Steps.of(
                what,
                new Action.Cas(v.version(), state.recordReign(reign), what),
                new Action.DeleteVotes(state.epoch()));
    }

    private static Steps noteReign(View v) {
        ClusterState state = v.state();
        if (state == null) {
            return Steps.none("");
        }
        long epoch = state.epoch();
        return Steps.of(
                "epoch " + epoch,
                new Action.Persist(
                        "reign of epoch " + epoch,
                        s -> s.withPrimaryEpoch(epoch).withWalEpoch(epoch)));
    }
}
