package org.cellkeeper.cell.decide.quorum;

import static org.assertj.core.api.Assertions.assertThat;
import static org.cellkeeper.cell.decide.quorum.Ballots.BALLOT;
import static org.cellkeeper.cell.decide.quorum.Ballots.PRIMARY;
import static org.cellkeeper.cell.decide.quorum.Ballots.ballot;
import static org.cellkeeper.cell.decide.quorum.Ballots.cell;
import static org.cellkeeper.cell.decide.quorum.Ballots.seal;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.SortedSet;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.Phase;
import org.cellkeeper.cell.model.Vote;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every group of votes, one by one: who wins, and that whoever wins holds what was acknowledged. */
final class BallotCountTest {
    private static final CellId A = cell("s0", 1);
    private static final CellId B = cell("s1", 1);
    private static final CommitQuorum TWO = new CommitQuorum(Ballots.standbys(2), 1);

    static List<CommitQuorum> quorums() {
        return Ballots.quorums();
    }

    private static BallotCount count(
            Phase.Kind kind, CommitQuorum quorum, FailoverMode mode, int minStandbys, Collection<Vote> votes) {
        CastVotes cast = CastVotes.of(
                BALLOT,
                PRIMARY,
                votes,
                who -> who.equals(PRIMARY) || quorum.standbyVoters().contains(who));
        return new BallotCount(ballot(kind, A), quorum, cast, mode, minStandbys, false);
    }

    private static @Nullable CellId winner(Phase.Kind kind, CommitQuorum quorum, Collection<Vote> votes) {
        return count(kind, quorum, FailoverMode.AUTOMATIC, 0, votes).winner(cell -> Fitness.FIT);
    }

    private static @Nullable CellId winner(Vote... votes) {
        return winner(Phase.Kind.AUTOMATIC, TWO, List.of(votes));
    }

    /** ⚠ However the votes come in, and whoever is missing: the votes are cut off at every point. */
    @ParameterizedTest
    @MethodSource("quorums")
    void whoeverWinsHoldsWhatAnyQuorumHasAcknowledged(CommitQuorum quorum) {
        List<SortedSet<CellId>> groups = Ballots.groups(quorum.standbyVoters());
        for (SortedSet<CellId> acknowledging : groups) {
            if (acknowledging.size() < quorum.acks()) {
                continue;
            }
            for (SortedSet<CellId> sealed : groups) {
                List<Vote> votes = new ArrayList<>();
                for (CellId cell : sealed) {
                    // Those that did not acknowledge hold more of an older epoch, which counts for less.
                    votes.add(acknowledging.contains(cell) ? seal(cell, 5, 10) : seal(cell, 4, 90));
                }
                for (Phase.Kind kind : List.of(Phase.Kind.AUTOMATIC, Phase.Kind.OPERATOR)) {
                    CellId winner = winner(kind, quorum, votes);
                    if (winner != null) {
                        assertThat(acknowledging)
                                .as("acknowledged by %s, sealed by %s", acknowledging, sealed)
                                .contains(winner);
                    }
                    assertThat(winner != null).isEqualTo(quorum.isSealedBy(sealed));
                }
            }
        }
    }

    /** ⚠ I1, I2. */
    @Test
    void onlyVotesForThisBallotOfCellsWhoAreWhoTheStateSaysCount() {
        CommitQuorum both = new CommitQuorum(Ballots.standbys(2), 1);
        assertThat(both.seals()).isEqualTo(2);
        assertThat(winner(seal(A, 5, 10))).isNull();
        Vote ofAnother = new Vote(BALLOT - 1, B, null, 5, 1, new Lsn(20), 100);
        assertThat(winner(seal(A, 5, 10), ofAnother)).isNull();
        assertThat(winner(seal(A, 5, 10), seal(cell("s1", 2), 5, 20))).isNull();
        assertThat(winner(seal(A, 5, 10), seal(PRIMARY, 5, 20)))
                .as("the primary never seals")
                .isNull();
        assertThat(winner(seal(A, 5, 10), seal(B, 5, 20))).isEqualTo(B);
    }

    @Test
    void oneObjectionIsEnoughEvenThePrimarys() {
        for (CellId who : List.of(PRIMARY, B)) {
            Vote veto = new Vote(BALLOT, who, "it serves", 5, 1, new Lsn(10), 100);
            assertThat(winner(seal(A, 5, 10), seal(B, 5, 10), veto))
                    .as(who.toString())
                    .isNull();
        }
    }

    /** I6, D2. */
    @Test
    void anAutomaticBallotIsForAutomaticModeAndLeavesSoManyStandbys() {
        List<Vote> votes = List.of(seal(A, 5, 10), seal(B, 5, 10));
        assertThat(count(Phase.Kind.AUTOMATIC, TWO, FailoverMode.MANUAL, 0, votes)
                        .winner(cell -> Fitness.FIT))
                .isNull();
        assertThat(count(Phase.Kind.AUTOMATIC, TWO, FailoverMode.AUTOMATIC, 2, votes)
                        .winner(cell -> Fitness.FIT))
                .isNull();
        assertThat(count(Phase.Kind.AUTOMATIC, TWO, FailoverMode.AUTOMATIC, 1, votes)
                        .winner(cell -> Fitness.FIT))
                .isEqualTo(A);
        assertThat(count(Phase.Kind.OPERATOR, TWO, FailoverMode.MANUAL, 2, votes)
                        .winner(cell -> Fitness.FIT))
                .isEqualTo(A);
    }

    @Test
    void aForcedOneTakesWhoeverHasVotedOnceNobodyElseIsExpectedAndTellsWhoWasMissing() {
        List<Vote> votes = List.of(seal(B, 5, 10));
        BallotCount early = count(Phase.Kind.FORCED, TWO, FailoverMode.MANUAL, 1, votes);
        assertThat(early.winner(cell -> Fitness.FIT)).isNull();
        BallotCount late = new BallotCount(early.ballot(), TWO, early.cast(), FailoverMode.MANUAL, 1, true);
        assertThat(late.winner(cell -> Fitness.FIT)).isEqualTo(B);
        assertThat(late.missingVoters()).containsExactly(A);
        BallotCount nobody = count(Phase.Kind.FORCED, TWO, FailoverMode.MANUAL, 1, List.of());
        assertThat(new BallotCount(nobody.ballot(), TWO, nobody.cast(), FailoverMode.MANUAL, 1, true)
                        .winner(cell -> Fitness.FIT))
                .isNull();
        assertThat(count(Phase.Kind.OPERATOR, TWO, FailoverMode.MANUAL, 1, votes)
                        .missingVoters())
                .isEmpty();
    }

    /** ⚠ What counts first is what a cell holds; all else only chooses among equals. */
    @Test
    void mostWalWinsAndAmongEqualsOneThatCan() {
        Map<CellId, Fitness> fitness = Map.of(A, Fitness.UNFIT, B, Fitness.FIT);
        BallotCount more =
                count(Phase.Kind.OPERATOR, TWO, FailoverMode.AUTOMATIC, 0, List.of(seal(A, 5, 11), seal(B, 5, 10)));
        assertThat(more.winner(fitness::get)).isEqualTo(A);
        BallotCount equal =
                count(Phase.Kind.OPERATOR, TWO, FailoverMode.AUTOMATIC, 0, List.of(seal(A, 5, 10), seal(B, 5, 10)));
        assertThat(equal.winner(fitness::get))
                .as("A is the operator's choice, and cannot")
                .isEqualTo(B);
        assertThat(equal.winner(cell -> Fitness.UNKNOWN)).isEqualTo(A);
    }

    /** ⚠ It is never elected, and what it holds is not given up for that. */
    @Test
    void aCellOfPriorityZeroThatHoldsMoreMakesTheBallotWait() {
        Vote zero = new Vote(BALLOT, A, null, 5, 1, new Lsn(11), 0);
        assertThat(winner(zero, seal(B, 5, 10))).isNull();
        assertThat(winner(new Vote(BALLOT, A, null, 5, 1, new Lsn(10), 0), seal(B, 5, 10)))
                .isEqualTo(B);
    }

    @Test
    void priorityThenTheLowestNameDecideAmongEqualsInAnyOrder() {
        Vote preferred = new Vote(BALLOT, B, null, 5, 1, new Lsn(10), 200);
        assertThat(winner(seal(A, 5, 10), preferred)).isEqualTo(B);
        assertThat(winner(preferred, seal(A, 5, 10))).isEqualTo(B);
        assertThat(winner(seal(B, 5, 10), seal(A, 5, 10))).isEqualTo(A);
    }
}
