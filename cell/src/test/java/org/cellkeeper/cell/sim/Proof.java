package org.cellkeeper.cell.sim;

import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The story that tells a mutation, in a cluster of so many cells; the invariants one of which must fail, and what is said
 * of it.
 */
record Proof(Mutation mutation, int cells, int unfit, Consumer<Stage> story, Set<String> invariants, String headline) {
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

    private static final Set<String> LOSS = Set.of("I1", "I2");

    /** At least one for each mutation. */
    static final List<Proof> ALL = List.of(
            breaks(Mutation.SEAL_NOT_PERSISTED, 3, "I5", "without being durably sealed", Stories::failover),
            loses(Mutation.ACTED_BEFORE_DURABLE, 3, Stories::sealNotDurableYet),
            loses(Mutation.SAVE_BEHIND_A_FAILED_ONE_KEPT, 5, Stories::savedBehindAFailedSave),
            loses(Mutation.LOADED_STATE_NOT_MADE_DURABLE, 5, Stories::foundAndNotDurable),
            loses(Mutation.SEAL_QUORUM_ONE_TOO_SMALL, 5, Stories::tooFewSeals),
            loses(Mutation.VOTER_ADDED_IN_POSTGRESQL_FIRST, 3, Stories::namesWiderThanTheVoters),
            breaks(
                    Mutation.VOTER_ADDED_IN_POSTGRESQL_FIRST,
                    3,
                    "S4",
                    "PostgreSQL accepts",
                    Stories::namesWiderThanTheVoters),
            loses(Mutation.VOTER_DROPPED_IN_ZOOKEEPER_FIRST, 3, Stories::droppedWhileItStreams),
            breaks(
                    Mutation.VOTER_DROPPED_IN_ZOOKEEPER_FIRST,
                    3,
                    "S4",
                    "PostgreSQL accepts",
                    Stories::droppedWhileItStreams),
            loses(Mutation.BURNT_BALLOT_VOTE_COUNTED, 3, Stories::voteOfABurntBallot),
            breaks(
                    Mutation.HALTED_CELL_RESTARTED,
                    3,
                    "I4",
                    "is halted, knows it, and still runs PostgreSQL",
                    Stories::deposedReturns),
            loses(Mutation.NAMES_EMPTIED, 3, Stories::primaryAlone),
            loses(Mutation.FOREIGN_EDITS_STAY, 3, Stories::ruleTakenAway),
            loses(Mutation.BACK_IN_TIME, 3, Stories::backInTime),
            breaks(Mutation.BACK_IN_TIME, 3, "I3", "goes back in time", Stories::backInTime),
            loses(Mutation.OUTCOME_GUESSED, 3, Stories::outcomeGuessed),
            breaks(Mutation.IDENTITY_BY_NAME_ONLY, 3, "I3", "is born again", Stories::sameNameNewDisk),
            loses(Mutation.LINGERING_SENDER_COUNTS, 5, Stories::twoConnectionsOfOneCell),
            loses(Mutation.NAME_WITHOUT_STREAMING, 5, Stories::winnerLostBeforeAnybodyStreams),
            loses(Mutation.IN_FORCE_NOT_AWAITED, 4, Stories::reloadNotInForce),
            loses(Mutation.OLD_SENDERS_KEPT, 4, Stories::kRaisedOneWalsenderLate),
            loses(Mutation.DROPPED_CELL_STILL_COUNTS, 4, Stories::droppedCellCounts),
            loses(Mutation.WIDENED_WITHOUT_CONFIRMATION, 3, Stories::widenedOnAWrongView),
            breaks(Mutation.LEVEL_VOTERS_COUNT_AT_ONCE, 3, "I3", "not the outcome of ballot", Stories::failover),
            loses(Mutation.VOTED_WHILE_RECEIVING, 3, Stories::receivingAfterTheVote),
            breaks(Mutation.VOTED_WHILE_RECEIVING, 3, "I5", "while it receives WAL", Stories::receivingAfterTheVote),
            loses(Mutation.END_OUTLIVES_RESTART_IN_PLACE, 3, Stories::restartInPlaceOfTheAcknowledger),
            loses(Mutation.REST_OUTLIVES_START, 3, Stories::readAtRestTwice),
            breaks(Mutation.COMPARED_WHILE_RECEIVING, 4, "S5", "its WAL is no prefix", Stories::comparedWhileReceiving),
            breaks(
                    Mutation.TOKEN_BEFORE_MARK,
                    3,
                    "S8",
                    "publishes a token without having marked it",
                    Stories::restartInsideAHandover),
            loses(Mutation.MARK_IGNORED, 3, Stories::restartInsideAHandover),
            loses(Mutation.L_READ_TOO_EARLY, 3, Stories::droppedBeforeCovered),
            breaks(Mutation.DIVERGED_CELL_POINTED, 4, "S5", "its WAL is no prefix", Stories::divergedStandby),
            loses(Mutation.DIVERGED_CELL_POINTED, 4, Stories::divergedFlushCounts),
            breaks(Mutation.TIMELINE_NOT_RAISED, 3, "I3", "are both on timeline 2", Stories::twoReignsOneTimeline),
            breaks(
                    Mutation.PROMOTION_TAKEN_FOR_DONE,
                    3,
                    "I3",
                    "inside of whose promotion it was cut off",
                    stage -> Stories.promotionIsCutOff(stage, 0)),
            loses(Mutation.REIGN_GIVEN_TO_A_LESSER, 5, Stories::winnerCannotPromoteAndOneOtherHoldsACommit),
            breaks(
                    Mutation.OTHER_END_UNPROVEN,
                    3,
                    "S5",
                    "takes the WAL of c",
                    Stories::anotherCellAtThePrimarysAddress),
            loses(Mutation.WRITTEN_BY_OTHERS_TRUSTED, 3, Stories::fileWiderThanWhatRuns),
            breaks(
                    Mutation.FIRST_READ_NOT_SYNCED,
                    3,
                    "S1",
                    "but its session began at version",
                    Stories::deposedReadsTheOldState),
            loses(Mutation.CANCELLED_WAIT_ACKNOWLEDGES, 3, Stories::primaryAlone),
            loses(Mutation.OLD_VOTE_OF_A_NAME_COUNTED, 3, Stories::votedBeforeItWasWiped),
            breaks(Mutation.TIMELINE_CLASH_OPENED, 3, "I3", "timeline 2 is not above 2", Stories::twoReignsOneTimeline),
            breaks(
                    Mutation.ADMISSION_NOT_CHECKED_AT_THE_FINISH,
                    3,
                    "S5",
                    "nobody is sealed who could acknowledge",
                    Stories::falseBallot),
            breaks(Mutation.TORN_HEAD_TAKEN_FOR_DIVERGED, 3, "S5", "throws away data", Stories::theSameTornHead),
            breaks(Mutation.FINISHED_IN_MANUAL_MODE, 3, "I6", "in MANUAL mode", Stories::turnedToManualInABallot),
            hangs(Mutation.AWAY_VOTER_KEPT, 5, Stories::lostOneAfterTheOther),
            breaks(Mutation.CRASHED_PRIMARY_STARTED_AT_ONCE, 3, "S5", "starts its crashed", Stories::crashedPrimary),
            hangs(Mutation.VOTERS_OF_OTHERS_KEPT, 3, Stories::allStandbysWiped),
            losesWithOneUnfit(Mutation.PRIORITY_ZERO_PASSED_OVER, 3, Stories::theUnfitHoldsMost),
            breaks(Mutation.FOLLOWED_EPOCH_VOTED, 5, "S5", "its WAL is no prefix", Stories::followedAndNotHeld),
            loses(Mutation.FOLLOWED_EPOCH_VOTED, 5, Stories::followedAndNotHeld),
            hangs(Mutation.TASKS_AGED_BY_THE_TIME_OF_DAY, 3, Stories::askedUnderAnotherClock),
            hangs(Mutation.STANDBY_WITHOUT_WAL_KEPT, 3, Stories::walOfOneIsRemoved),
            hangs(Mutation.VOTERS_WITHOUT_WAL_KEPT, 3, Stories::walOfAllIsRemoved),
            hangs(Mutation.LOSS_HELD_FOR_AGAIN, 3, Stories::nobodyTakesOver));

    /** What goes wrong in its story while the mutation is at work; null when nobody notices. */
    @Nullable
    Violation inABrokenWorld() {
        return told(new Stage(cells, unfit).born().brokenBy(mutation, invariants.equals(LOSS)));
    }

    /** What goes wrong in its story all the same; null when it ends well, as it should. */
    @Nullable
    Violation inASoundWorld() {
        return told(new Stage(cells, unfit).born());
    }

    private @Nullable Violation told(Stage stage) {
        try {
            story.accept(stage);
            return null;
        } catch (Violation violation) {
            return violation;
        }
    }

    boolean isProvenBy(Violation violation) {
        return invariants.contains(violation.invariant())
                && violation.headline().contains(headline);
    }

    @Override
    public String toString() {
        return mutation + " " + invariants;
    }
}
