package org.cellkeeper.cell.decide.quorum;

import java.util.Comparator;
import java.util.List;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.function.Function;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.Phase;
import org.cellkeeper.cell.model.Vote;
import org.jspecify.annotations.Nullable;

/**
 * Counts the votes of the open ballot.
 *
 * <p>Invariant: a winner is named only when R voters of the state, in the incarnations of the state, have durably stopped receiving for
 * this very ballot (I1, I2), or when an operator accepted the loss of commits.
 *
 * @param mode as it is now: it may have changed since the ballot was opened (I6)
 * @param minStandbys how many standbys must remain to a primary that is elected automatically (D2)
 * @param allHaveVoted whether everybody who seems to live has voted, or has been waited for; only a forced ballot asks
 */
public record BallotCount(
        Phase.Sealing ballot,
        CommitQuorum quorum,
        CastVotes cast,
        FailoverMode mode,
        int minStandbys,
        boolean allHaveVoted) {
    /** Among those that hold the same and seem to be the same. */
    public static final Comparator<Vote> PREFERRED = Comparator.comparingInt(Vote::priority)
            .thenComparing(Comparator.comparing(Vote::voter).reversed());

    /** The winner as things stand; null while none can be named. */
    public @Nullable CellId winner(Function<CellId, Fitness> fitness) {
        return cast.isVetoed() || !isEnough() ? null : best(fitness);
    }

    private boolean isEnough() {
        List<CellId> sealed = cast.sealed();
        boolean bySeals = quorum.isSealedBy(sealed);
        return !sealed.isEmpty()
                && switch (ballot.kind()) {
                    case AUTOMATIC -> mode == FailoverMode.AUTOMATIC && bySeals && sealed.size() - 1 >= minStandbys;
                    case OPERATOR -> bySeals;
                    case FORCED -> bySeals || allHaveVoted;
                };
    }

    /**
     * Highest (epoch of last WAL, LSN). Among equals one that can go first: not one that is gone, or says that it cannot write; then the
     * operator's choice, then one that is heard of, then priority, then the lexically lowest name.
     */
    private @Nullable CellId best(Function<CellId, Fitness> fitness) {
        List<Vote> seals = cast.seals();
        Vote most = seals.stream().max(CastVotes.MORE_WAL).orElse(null);
        if (most == null) {
            return null;
        }
        boolean chosen = ballot.kind() != Phase.Kind.AUTOMATIC;
        return seals.stream()
                .filter(vote -> vote.priority() > 0 && CastVotes.MORE_WAL.compare(vote, most) == 0)
                .max(Comparator.<Vote, Boolean>comparing(vote -> fitness.apply(vote.voter()) != Fitness.UNFIT)
                        .thenComparing(vote -> chosen && vote.voter().equals(ballot.proposer()))
                        .thenComparing(vote -> fitness.apply(vote.voter()))
                        .thenComparing(PREFERRED))
                .map(Vote::voter)
                // A cell of priority 0 holds more than all others: the ballot waits.
                .orElse(null);
    }

    /** The voters whose seals a forced election goes without. */
    public SortedSet<CellId> missingVoters() {
        TreeSet<CellId> missing = new TreeSet<>();
        if (ballot.kind() == Phase.Kind.FORCED) {
            missing.addAll(quorum.standbyVoters());
            missing.removeAll(cast.sealed());
        }
        return missing;
    }
}
