package org.cellkeeper.cell.decide;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import org.cellkeeper.cell.decide.quorum.BallotCount;
import org.cellkeeper.cell.decide.quorum.CastVotes;
import org.cellkeeper.cell.decide.quorum.CommitQuorum;
import org.cellkeeper.cell.decide.quorum.Fitness;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.Halt;
import org.cellkeeper.cell.model.PeerView;
import org.cellkeeper.cell.model.Phase;
import org.cellkeeper.cell.model.StreamName;
import org.cellkeeper.cell.model.SyncSetting;
import org.cellkeeper.cell.model.Vote;
import org.jspecify.annotations.Nullable;

/** How the open ballot stands by this view: it reads, {@link BallotCount} counts. */
public final class Election {
    private Election() {}

    /** How the open ballot stands. */
    enum Tally {
        OPEN,
        DECIDED,
        /** Vetoed, or overdue and this cell's turn to end it. */
        LOST
    }

    static final String NOBODY_MAY_REIGN =
            "no standby that lives has a priority above 0: raise one's priority, or bring another back";

    /** Whether any cell could win: one of priority 0 never does. */
    static boolean somebodyMayReign(View view, ClusterState state) {
        return state.members().entrySet().stream()
                .filter(member -> member.getValue().priority() > 0)
                .map(member -> new CellId(member.getKey(), member.getValue().incarnation()))
                .anyMatch(cell -> state.isActive(cell)
                        && !cell.equals(state.primary())
                        && (cell.equals(view.self()) || view.seemsAlive(cell)));
    }

    static Phase.@Nullable Sealing open(View view) {
        ClusterState state = view.state();
        return state != null && state.phase() instanceof Phase.Sealing sealing ? sealing : null;
    }

    /** The votes that were cast for a ballot, vetoes too, by cells that are who the state says. */
    static CastVotes votes(View view, ClusterState state, long ballot) {
        var cast = view.coordination().votesOf() == ballot ? view.coordination().votes() : Map.<CellName, Vote>of();
        return CastVotes.of(ballot, state.primary(), cast.values(), state::isActive);
    }

    static boolean hasVoted(View view, long ballot) {
        ClusterState state = view.state();
        return state != null && votes(view, state, ballot).has(view.self());
    }

    static Tally tally(View view) {
        ClusterState state = view.state();
        Phase.Sealing sealing = open(view);
        if (state == null || sealing == null) {
            return Tally.OPEN;
        }
        if (votes(view, state, sealing.ballot()).isVetoed()) {
            return Tally.LOST;
        }
        Duration ballot = view.settings().timing().ballot();
        if (winner(view) != null) {
            // Whoever voted may finish it. When they are all gone, it must not stay open for ever (I8).
            boolean abandoned = !hasVoted(view, sealing.ballot()) && view.phaseLasts(ballot.multipliedBy(2));
            return abandoned ? Tally.LOST : Tally.DECIDED;
        }
        // The proposer ends an overdue ballot; the others, one after the other, only when it does not.
        boolean mine = sealing.proposer().equals(view.self());
        return view.phaseLasts(mine ? ballot : ballot.plus(ballot.dividedBy(2))) ? Tally.LOST : Tally.OPEN;
    }

    /** The winner as things stand; null while none can be named. */
    static @Nullable CellId winner(View view) {
        ClusterState state = view.state();
        Phase.Sealing sealing = open(view);
        return state == null || sealing == null
                ? null
                : count(view, state, sealing).winner(cell -> fitness(view, cell));
    }

    private static BallotCount count(View view, ClusterState state, Phase.Sealing sealing) {
        CastVotes cast = votes(view, state, sealing.ballot());
        return new BallotCount(
                sealing,
                CommitQuorum.of(state),
                cast,
                state.failoverMode(),
                view.settings().minStandbysAfterFailover(),
                sealing.kind() == Phase.Kind.FORCED && everybodyAliveVoted(view, state, cast.sealed()));
    }

    private static boolean everybodyAliveVoted(View view, ClusterState state, List<CellId> sealed) {
        boolean waited = view.phaseLasts(view.settings().timing().ballot().dividedBy(2));
        Set<CellId> silent = new TreeSet<>(Standbys.siblings(view));
        silent.add(view.self());
        silent.remove(state.primary());
        sealed.forEach(silent::remove);
        return waited || silent.stream().noneMatch(view::seemsAlive);
    }

    static Fitness fitness(View view, CellId cell) {
        if (cell.equals(view.self())) {
            boolean writes = view.database().writes() != DatabaseView.Writes.FAILED && !view.unsaved();
            boolean open = view.database().isRunning();
            return !writes ? Fitness.UNFIT : open ? Fitness.FIT : Fitness.CLOSED;
        }
        PeerView said = view.fresh(cell);
        if (said != null) {
            return switch (said.health()) {
                case CANNOT_WRITE -> Fitness.UNFIT;
                case STARTING, DOWN -> Fitness.CLOSED;
                case OK, CANNOT_REPLICATE -> Fitness.FIT;
            };
        }
        return Standbys.linkGone(view, cell) ? Fitness.UNFIT : Fitness.UNKNOWN;
    }

    /**
     * Who voted with the same WAL as this cell, which won that ballot and has not opened its reign: nobody has followed it, and nothing
     * was acknowledged in it, so that one may reign as well. Null when there is none, or none would be left to acknowledge its writes.
     */
    static @Nullable CellId equalToTheWinner(View view) {
        ClusterState state = view.state();
        Vote own = ownVote(view);
        if (state == null
                || own == null
                || state.reign() != null
                || state.failoverMode() != FailoverMode.AUTOMATIC
                || !view.coordinationKnown()) {
            return null;
        }
        CellId equal = votes(view, state, state.epoch()).seals().stream()
                .filter(vote -> vote.priority() > 0 && CastVotes.MORE_WAL.compare(vote, own) == 0)
                .filter(vote ->
                        fitness(view, vote.voter()).compareTo(Fitness.CLOSED) >= 0 && view.seemsAlive(vote.voter()))
                .max(BallotCount.PREFERRED)
                .map(Vote::voter)
                .orElse(null);
        boolean enough = Standbys.othersAlive(view) - 1 >= view.settings().minStandbysAfterFailover();
        return enough ? equal : null;
    }

    /** Who is halted by this election: the deposed primary and, when it was forced, the voters that were missing. */
    static SortedMap<CellName, Halt> halts(View view, CellId winner) {
        TreeMap<CellName, Halt> halts = new TreeMap<>();
        ClusterState state = view.state();
        Phase.Sealing sealing = open(view);
        if (state == null || sealing == null) {
            return halts;
        }
        Instant now = view.wall();
        halts.put(
                state.primary().name(),
                new Halt(
                        sealing.ballot(),
                        "deposed: " + winner.name() + " was elected in ballot " + sealing.ballot(),
                        now,
                        null,
                        null));
        for (CellId missing : missingVoters(view, sealing)) {
            halts.put(
                    missing.name(),
                    new Halt(
                            sealing.ballot(),
                            "missing when " + winner.name() + " was promoted by force in ballot " + sealing.ballot(),
                            now,
                            null,
                            null));
        }
        return halts;
    }

    /** The voters whose seals a forced election went without. */
    static SortedSet<CellId> missingVoters(View view, Phase.Sealing sealing) {
        ClusterState state = view.state();
        return state == null ? new TreeSet<>() : count(view, state, sealing).missingVoters();
    }

    /**
     * The commit rule that a winner promotes with: the cells sealed for its ballot whose WAL is a prefix of its own. After
     * a handover there were no votes, and nobody is named.
     */
    static SyncSetting namesAtPromotion(View view) {
        ClusterState state = view.state();
        if (state == null) {
            return SyncSetting.NOBODY;
        }
        long ballot = state.epoch();
        Vote own = ownVote(view);
        if (own == null) {
            return SyncSetting.NOBODY;
        }
        TreeSet<StreamName> names = new TreeSet<>();
        for (Vote vote : votes(view, state, ballot).seals()) {
            WalHistory.Relation relation =
                    WalHistory.compare(state.reigns(), own.walEpoch(), vote.walEpoch(), vote.lsn(), vote.lsn());
            boolean ahead = vote.walEpoch() == own.walEpoch() && vote.lsn().compareTo(own.lsn()) > 0;
            if (!vote.voter().equals(view.self()) && relation == WalHistory.Relation.PREFIX && !ahead) {
                names.add(new StreamName(vote.voter(), ballot));
            }
        }
        return names.isEmpty()
                ? SyncSetting.NOBODY
                : new SyncSetting(CommitQuorum.defaultAcks(names.size() + 1), names);
    }

    /** This cell's own vote in the ballot that made it primary; null after a handover. */
    static @Nullable Vote ownVote(View view) {
        ClusterState state = view.state();
        if (state == null || view.coordination().votesOf() != state.epoch()) {
            return null;
        }
        Vote vote = view.coordination().votes().get(view.settings().name());
        return vote != null && vote.voter().equals(view.self()) && vote.veto() == null ? vote : null;
    }
}
