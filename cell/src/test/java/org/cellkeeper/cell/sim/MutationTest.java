package org.cellkeeper.cell.sim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

/**
 * The invariants bite: each rule of the protocol has a switch of the simulated world that breaks it, and a story in which an
 * invariant then fails. Without the switch the same story ends well.
 */
final class MutationTest {
    private static final Set<String> LOSS = Set.of("I1", "I2");

    /**
     * The story that tells a mutation, in a cluster of so many cells; the invariants one of which must fail, and what is said
     * of it.
     */
    private record Proof(
            Mutation mutation, int cells, int unfit, Consumer<Stage> story, Set<String> invariants, String headline) {
        /** An acknowledged commit is lost; the smaller violations on the way there are passed over. */
        static Proof loses(Mutation mutation, int cells, Consumer<Stage> story) {
            return new Proof(mutation, cells, 0, story, LOSS, "without");
        }

        /** The same; the last cell has the priority 0. */
        static Proof losesWithOneUnfit(Mutation mutation, int cells, Consumer<Stage> story) {
            return new Proof(mutation, cells, cells - 1, story, LOSS, "without");
        }

        /** It does not come to a good end: for rules of liveness alone. */
        static Proof hangs(Mutation mutation, int cells, Consumer<Stage> story) {
            return new Proof(mutation, cells, 0, story, Set.of("STORY"), "did not happen");
        }

        /** Another invariant fails: the one that the rule serves, or that of section 4 (S4), 5.4 (S5) or 8 (S8). */
        static Proof breaks(Mutation mutation, int cells, String invariant, String headline, Consumer<Stage> story) {
            return new Proof(mutation, cells, 0, story, Set.of(invariant), headline);
        }

        Stage stage() {
            return new Stage(cells, unfit).born();
        }

        @Override
        public String toString() {
            return mutation + " " + invariants;
        }
    }

    private static final List<Proof> PROOFS = List.of(
            Proof.breaks(Mutation.SEAL_NOT_PERSISTED, 3, "I5", "without being durably sealed", Stories::failover),
            Proof.loses(Mutation.ACTED_BEFORE_DURABLE, 3, Stories::sealNotDurableYet),
            Proof.loses(Mutation.SAVE_BEHIND_A_FAILED_ONE_KEPT, 5, Stories::savedBehindAFailedSave),
            Proof.loses(Mutation.LOADED_STATE_NOT_MADE_DURABLE, 5, Stories::foundAndNotDurable),
            Proof.loses(Mutation.SEAL_QUORUM_ONE_TOO_SMALL, 5, Stories::tooFewSeals),
            Proof.loses(Mutation.VOTER_ADDED_IN_POSTGRESQL_FIRST, 3, Stories::namesWiderThanTheVoters),
            Proof.breaks(
                    Mutation.VOTER_ADDED_IN_POSTGRESQL_FIRST,
                    3,
                    "S4",
                    "PostgreSQL accepts",
                    Stories::namesWiderThanTheVoters),
            Proof.loses(Mutation.VOTER_DROPPED_IN_ZOOKEEPER_FIRST, 3, Stories::droppedWhileItStreams),
            Proof.breaks(
                    Mutation.VOTER_DROPPED_IN_ZOOKEEPER_FIRST,
                    3,
                    "S4",
                    "PostgreSQL accepts",
                    Stories::droppedWhileItStreams),
            Proof.loses(Mutation.BURNT_BALLOT_VOTE_COUNTED, 3, Stories::voteOfABurntBallot),
            Proof.breaks(
                    Mutation.HALTED_CELL_RESTARTED,
                    3,
                    "I4",
                    "is halted, knows it, and still runs PostgreSQL",
                    Stories::deposedReturns),
            Proof.loses(Mutation.NAMES_EMPTIED, 3, Stories::primaryAlone),
            Proof.loses(Mutation.BACK_IN_TIME, 3, Stories::backInTime),
            Proof.breaks(Mutation.BACK_IN_TIME, 3, "I3", "goes back in time", Stories::backInTime),
            Proof.loses(Mutation.OUTCOME_GUESSED, 3, Stories::outcomeGuessed),
            Proof.breaks(Mutation.IDENTITY_BY_NAME_ONLY, 3, "I3", "is born again", Stories::sameNameNewDisk),
            Proof.loses(Mutation.LINGERING_SENDER_COUNTS, 5, Stories::twoConnectionsOfOneCell),
            Proof.loses(Mutation.NAME_WITHOUT_STREAMING, 5, Stories::winnerLostBeforeAnybodyStreams),
            Proof.loses(Mutation.IN_FORCE_NOT_AWAITED, 4, Stories::reloadNotInForce),
            Proof.loses(Mutation.OLD_SENDERS_KEPT, 4, Stories::kRaisedOneWalsenderLate),
            Proof.loses(Mutation.DROPPED_CELL_STILL_COUNTS, 4, Stories::droppedCellCounts),
            Proof.loses(Mutation.WIDENED_WITHOUT_CONFIRMATION, 3, Stories::widenedOnAWrongView),
            Proof.breaks(Mutation.LEVEL_VOTERS_COUNT_AT_ONCE, 3, "I3", "not the outcome of ballot", Stories::failover),
            Proof.loses(Mutation.VOTED_WHILE_RECEIVING, 3, Stories::receivingAfterTheVote),
            Proof.breaks(
                    Mutation.VOTED_WHILE_RECEIVING, 3, "I5", "while it receives WAL", Stories::receivingAfterTheVote),
            Proof.loses(Mutation.END_OUTLIVES_RESTART_IN_PLACE, 3, Stories::restartInPlaceOfTheAcknowledger),
            Proof.loses(Mutation.REST_OUTLIVES_START, 3, Stories::readAtRestTwice),
            Proof.breaks(
                    Mutation.COMPARED_WHILE_RECEIVING,
                    4,
                    "S5",
                    "its WAL is no prefix",
                    Stories::comparedWhileReceiving),
            Proof.breaks(
                    Mutation.TOKEN_BEFORE_MARK,
                    3,
                    "S8",
                    "publishes a token without having marked it",
                    Stories::restartInsideAHandover),
            Proof.loses(Mutation.MARK_IGNORED, 3, Stories::restartInsideAHandover),
            Proof.loses(Mutation.L_READ_TOO_EARLY, 3, Stories::droppedBeforeCovered),
            Proof.breaks(Mutation.DIVERGED_CELL_POINTED, 4, "S5", "its WAL is no prefix", Stories::divergedStandby),
            Proof.loses(Mutation.DIVERGED_CELL_POINTED, 4, Stories::divergedFlushCounts),
            Proof.breaks(
                    Mutation.TIMELINE_NOT_RAISED, 3, "I3", "are both on timeline 2", Stories::twoReignsOneTimeline),
            Proof.breaks(
                    Mutation.PROMOTION_TAKEN_FOR_DONE,
                    3,
                    "I3",
                    "inside of whose promotion it was cut off",
                    stage -> Stories.promotionIsCutOff(stage, 0)),
            Proof.loses(Mutation.REIGN_GIVEN_TO_A_LESSER, 5, Stories::winnerCannotPromoteAndOneOtherHoldsACommit),
            Proof.breaks(
                    Mutation.OTHER_END_UNPROVEN,
                    3,
                    "S5",
                    "takes the WAL of c",
                    Stories::anotherCellAtThePrimarysAddress),
            Proof.loses(Mutation.WRITTEN_BY_OTHERS_TRUSTED, 3, Stories::fileWiderThanWhatRuns),
            Proof.breaks(
                    Mutation.FIRST_READ_NOT_SYNCED,
                    3,
                    "S1",
                    "but its session began at version",
                    Stories::deposedReadsTheOldState),
            Proof.loses(Mutation.CANCELLED_WAIT_ACKNOWLEDGES, 3, Stories::primaryAlone),
            Proof.loses(Mutation.OLD_VOTE_OF_A_NAME_COUNTED, 3, Stories::votedBeforeItWasWiped),
            Proof.breaks(
                    Mutation.TIMELINE_CLASH_OPENED,
                    3,
                    "I3",
                    "timeline 2 is not above 2",
                    Stories::twoReignsOneTimeline),
            Proof.breaks(
                    Mutation.ADMISSION_NOT_CHECKED_AT_THE_FINISH,
                    3,
                    "S5",
                    "nobody is sealed who could acknowledge",
                    Stories::falseBallot),
            Proof.breaks(Mutation.TORN_HEAD_TAKEN_FOR_DIVERGED, 3, "S5", "throws away data", Stories::theSameTornHead),
            Proof.breaks(Mutation.FINISHED_IN_MANUAL_MODE, 3, "I6", "in MANUAL mode", Stories::turnedToManualInABallot),
            Proof.hangs(Mutation.AWAY_VOTER_KEPT, 5, Stories::lostOneAfterTheOther),
            Proof.breaks(
                    Mutation.CRASHED_PRIMARY_STARTED_AT_ONCE, 3, "S5", "starts its crashed", Stories::crashedPrimary),
            Proof.hangs(Mutation.VOTERS_OF_OTHERS_KEPT, 3, Stories::allStandbysWiped),
            Proof.losesWithOneUnfit(Mutation.PRIORITY_ZERO_PASSED_OVER, 3, Stories::theUnfitHoldsMost),
            Proof.breaks(Mutation.FOLLOWED_EPOCH_VOTED, 5, "S5", "its WAL is no prefix", Stories::followedAndNotHeld),
            Proof.loses(Mutation.FOLLOWED_EPOCH_VOTED, 5, Stories::followedAndNotHeld),
            Proof.hangs(Mutation.TASKS_AGED_BY_THE_TIME_OF_DAY, 3, Stories::askedUnderAnotherClock),
            Proof.hangs(Mutation.STANDBY_WITHOUT_WAL_KEPT, 3, Stories::walOfOneIsRemoved),
            Proof.hangs(Mutation.VOTERS_WITHOUT_WAL_KEPT, 3, Stories::walOfAllIsRemoved));

    @Test
    void every_mutation_has_a_proof() {
        assertThat(PROOFS.stream().map(Proof::mutation).collect(Collectors.toSet()))
                .isEqualTo(EnumSet.complementOf(EnumSet.of(Mutation.NONE)));
    }

    @ParameterizedTest
    @FieldSource("PROOFS")
    void is_noticed(Proof proof) {
        Stage stage =
                proof.stage().brokenBy(proof.mutation(), proof.invariants().equals(LOSS));

        Violation violation =
                catchThrowableOfType(Violation.class, () -> proof.story().accept(stage));

        assertThat(violation).as("nobody notices " + proof.mutation()).isNotNull();
        assertThat(proof.invariants()).as(violation.getMessage()).contains(violation.invariant());
        assertThat(violation.headline()).contains(proof.headline());
    }

    @ParameterizedTest
    @FieldSource("PROOFS")
    void its_story_ends_well_without_it(Proof proof) {
        proof.story().accept(proof.stage());
    }
}
