package org.cellkeeper.cell.decide;

import java.time.Instant;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.CellSettings.Timing;
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

/**
 * Counts the votes of the open ballot.
 *
 * <p>Invariant: a winner is named only when R voters of the state, in the incarnations of the state, have durably stopped
 * receiving for this very ballot (I1, I2), or when an operator accepted the loss of commits.
 */
public final class Election {
    private Election() {}

    /** How the open ballot stands. */
    enum Tally {
        OPEN,
        DECIDED,
        /** Vetoed, or overdue and this cell's turn to end it. */
        LOST
    }

    static final Comparator<Vote> MORE_WAL =
            Comparator.comparingLong(Vote::walEpoch).thenComparing(Vote::lsn);

    static Phase.@Nullable Sealing open(View view) {
        ClusterState state = view.state();
        return state != null && state.phase() instanceof Phase.Sealing sealing ? sealing : null;
    }

    /** The votes that were cast for the open ballot, vetoes too, by cells that are who the state says. */
    static List<Vote> votes(View view, long ballot) {
        ClusterState state = view.state();
        if (state == null || view.coordination().votesOf() != ballot) {
            return List.of();
        }
        return view.coordination().votes().values().stream()
                .filter(vote -> vote.ballot() == ballot && state.isActive(vote.voter()))
                .sorted(Comparator.comparing(Vote::voter))
                .toList();
    }

    static List<Vote> seals(View view, long ballot) {
        return votes(view, ballot).stream()
                .filter(vote -> vote.veto() == null && !isPrimary(view, vote))
                .toList();
    }

    private static boolean isPrimary(View view, Vote vote) {
        ClusterState state = view.state();
        return state != null && vote.voter().equals(state.primary());
    }

    static boolean vetoed(View view, long ballot) {
        return votes(view, ballot).stream().anyMatch(vote -> vote.veto() != null);
    }

    static boolean hasVoted(View view, long ballot) {
        return votes(view, ballot).stream().anyMatch(vote -> vote.voter().equals(view.self()));
    }

    static Tally tally(View view) {
        ClusterState state = view.state();
        Phase.Sealing sealing = open(view);
        if (state == null || sealing == null) {
            return Tally.OPEN;
        }
        if (vetoed(view, sealing.ballot())) {
            return Tally.LOST;
        }
        long lasting = view.now() - view.memory().phaseSince();
        if (winner(view) != null) {
            // Whoever voted may finish it. When they are all gone, it must not stay open for ever (I8).
            boolean abandoned = !hasVoted(view, sealing.ballot())
                    && lasting
                            >= view.settings().timing().ballot().multipliedBy(2).toMillis();
            return abandoned ? Tally.LOST : Tally.DECIDED;
        }
        return lasting >= patience(view, sealing) ? Tally.LOST : Tally.OPEN;
    }

    /** The proposer ends an overdue ballot; the others, one after the other, only when it does not. */
    private static long patience(View view, Phase.Sealing sealing) {
        long timeout = view.settings().timing().ballot().toMillis();
        return sealing.proposer().equals(view.self()) ? timeout : timeout + timeout / 2;
    }

    /** The winner as things stand; null while none can be named. */
    static @Nullable CellId winner(View view) {
        ClusterState state = view.state();
        Phase.Sealing sealing = open(view);
        if (state == null || sealing == null || vetoed(view, sealing.ballot())) {
            return null;
        }
        List<Vote> seals = seals(view, sealing.ballot());
        long sealedVoters = seals.stream()
                .filter(vote -> state.standbyVoters().contains(vote.voter()))
                .count();
        boolean quorum = sealedVoters >= state.sealQuorum();
        boolean enough = switch (sealing.kind()) {
            // D2: admission is checked at the finish too. I6: the mode may have changed since the opening.
            case AUTOMATIC ->
                state.failoverMode() == FailoverMode.AUTOMATIC
                        && quorum
                        && seals.size() - 1 >= view.settings().minStandbysAfterFailover();
            case OPERATOR -> quorum;
            case FORCED -> quorum || everybodyAliveVoted(view, seals);
        };
        if (!enough || seals.isEmpty()) {
            return null;
        }
        return best(view, seals, sealing);
    }

    private static boolean everybodyAliveVoted(View view, List<Vote> seals) {
        Timing timing = view.settings().timing();
        boolean waited = view.now() - view.memory().phaseSince()
                >= timing.ballot().dividedBy(2).toMillis();
        Set<CellId> silent = new TreeSet<>(Standbys.siblings(view));
        silent.add(view.self());
        ClusterState state = view.state();
        if (state != null) {
            silent.remove(state.primary());
        }
        seals.forEach(vote -> silent.remove(vote.voter()));
        return waited || silent.stream().noneMatch(view::seemsAlive);
    }

    /**
     * Highest (epoch of last WAL, LSN). Among equals one that can go first: not one that is gone, or says that it cannot write; then the
     * operator's choice, then one that is heard of, then priority, then the lexically lowest name.
     */
    static @Nullable CellId best(View view, List<Vote> seals, Phase.Sealing sealing) {
        Vote most = seals.stream().max(MORE_WAL).orElse(null);
        if (most == null) {
            return null;
        }
        boolean chosen = sealing.kind() != Phase.Kind.AUTOMATIC;
        return seals.stream()
                .filter(vote -> vote.priority() > 0 && MORE_WAL.compare(vote, most) == 0)
                .max(Comparator.<Vote, Boolean>comparing(vote -> fitness(view, vote.voter()) != Fitness.UNFIT)
                        .thenComparing(vote -> chosen && vote.voter().equals(sealing.proposer()))
                        .thenComparing(vote -> fitness(view, vote.voter()))
                        .thenComparing(PREFERRED))
                .map(Vote::voter)
                // A cell of priority 0 holds more than all others: the ballot waits.
                .orElse(null);
    }

    private static final Comparator<Vote> PREFERRED = Comparator.comparingInt(Vote::priority)
            .thenComparing(Comparator.comparing(Vote::voter).reversed());

    /** Whether a cell seems to be able to reign, from the worst to the best. */
    enum Fitness {
        /** Its agent is gone, or says that its disk takes no writes. */
        UNFIT,
        UNKNOWN,
        /** It could, but its PostgreSQL does not run, or lets nobody in: it would have to replay what it holds first. */
        CLOSED,
        FIT
    }

    static Fitness fitness(View view, CellId cell) {
        if (cell.equals(view.self())) {
            boolean writes = view.database().writes() != DatabaseView.Writes.FAILED && !view.unsaved();
            boolean open = view.database().process() == DatabaseView.Process.RUNNING;
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
        CellId equal = seals(view, state.epoch()).stream()
                .filter(vote -> vote.priority() > 0 && MORE_WAL.compare(vote, own) == 0)
                .filter(vote ->
                        fitness(view, vote.voter()).compareTo(Fitness.CLOSED) >= 0 && view.seemsAlive(vote.voter()))
                .max(PREFERRED)
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
        TreeSet<CellId> missing = new TreeSet<>();
        if (state == null || sealing.kind() != Phase.Kind.FORCED) {
            return missing;
        }
        missing.addAll(state.standbyVoters());
        seals(view, sealing.ballot()).forEach(vote -> missing.remove(vote.voter()));
        return missing;
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
        for (Vote vote : seals(view, ballot)) {
            WalHistory.Relation relation =
                    WalHistory.compare(state.reigns(), own.walEpoch(), vote.walEpoch(), vote.lsn(), vote.lsn());
            boolean ahead = vote.walEpoch() == own.walEpoch() && vote.lsn().compareTo(own.lsn()) > 0;
            if (!vote.voter().equals(view.self()) && relation == WalHistory.Relation.PREFIX && !ahead) {
                names.add(new StreamName(vote.voter(), ballot));
            }
        }
        return names.isEmpty() ? SyncSetting.NOBODY : new SyncSetting(defaultAcks(names.size() + 1), names);
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

    /** k for so many voters, the primary among them. */
    static int defaultAcks(int voters) {
        return voters / 2;
    }
}
