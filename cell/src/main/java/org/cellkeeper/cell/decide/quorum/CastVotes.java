package org.cellkeeper.cell.decide.quorum;

import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.function.Predicate;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.Vote;

/**
 * The votes of one ballot, vetoes too, by cells that are who the state says (I2).
 *
 * @param primary whom the ballot is to replace: it may object, and never seals
 */
public record CastVotes(long ballot, CellId primary, List<Vote> votes) {
    /** Who holds more WAL. */
    public static final Comparator<Vote> MORE_WAL =
            Comparator.comparingLong(Vote::walEpoch).thenComparing(Vote::lsn);

    /**
     * Those of the votes that count.
     *
     * @param active whether a cell is a member in this incarnation, and not halted
     */
    public static CastVotes of(long ballot, CellId primary, Collection<Vote> cast, Predicate<CellId> active) {
        return new CastVotes(
                ballot,
                primary,
                cast.stream()
                        .filter(vote -> vote.ballot() == ballot && active.test(vote.voter()))
                        .sorted(Comparator.comparing(Vote::voter))
                        .toList());
    }

    public boolean isVetoed() {
        return votes.stream().anyMatch(vote -> vote.veto() != null);
    }

    public boolean has(CellId cell) {
        return votes.stream().anyMatch(vote -> vote.voter().equals(cell));
    }

    public List<Vote> seals() {
        return votes.stream()
                .filter(vote -> vote.veto() == null && !vote.voter().equals(primary))
                .toList();
    }

    public List<CellId> sealed() {
        return seals().stream().map(Vote::voter).toList();
    }
}
