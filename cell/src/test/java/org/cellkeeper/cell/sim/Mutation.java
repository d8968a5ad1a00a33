package org.cellkeeper.cell.sim;

/**
 * One thing that the world breaks, to see whether the invariants notice. Never part of the product. {@link MutationTest} has
 * the proof for each. Those of the protocol's ⚠ rules:
 *
 * <table>
 * <caption>Which mutation breaks which rule</caption>
 * <tr><th>section, rule<th>mutations
 * <tr><td>1, no cell goes back in time<td>BACK_IN_TIME, OUTCOME_GUESSED
 * <tr><td>1, a session's first read is a synchronised one<td>FIRST_READ_NOT_SYNCED
 * <tr><td>1, durable before it is acted upon<td>ACTED_BEFORE_DURABLE, SAVE_BEHIND_A_FAILED_ONE_KEPT, LOADED_STATE_NOT_MADE_DURABLE
 * <tr><td>1, identity is name and incarnation<td>IDENTITY_BY_NAME_ONLY, OLD_VOTE_OF_A_NAME_COUNTED
 * <tr><td>2, the rule is never off<td>NAMES_EMPTIED, FOREIGN_EDITS_STAY
 * <tr><td>2, one connection for each cell<td>LINGERING_SENDER_COUNTS
 * <tr><td>2, a cancelled wait is no acknowledgement<td>CANCELLED_WAIT_ACKNOWLEDGES
 * <tr><td>3, the seal quorum<td>SEAL_QUORUM_ONE_TOO_SMALL, BURNT_BALLOT_VOTE_COUNTED
 * <tr><td>4, the order of ZooKeeper and PostgreSQL<td>VOTER_ADDED_IN_POSTGRESQL_FIRST, VOTER_DROPPED_IN_ZOOKEEPER_FIRST
 * <tr><td>4, in force<td>IN_FORCE_NOT_AWAITED, OLD_SENDERS_KEPT, DROPPED_CELL_STILL_COUNTS, WRITTEN_BY_OTHERS_TRUSTED
 * <tr><td>4, when L is read<td>L_READ_TOO_EARLY
 * <tr><td>4, a name enters with its stream<td>NAME_WITHOUT_STREAMING
 * <tr><td>4, what confirms a widening<td>WIDENED_WITHOUT_CONFIRMATION
 * <tr><td>5.2, the seal<td>SEAL_NOT_PERSISTED, VOTED_WHILE_RECEIVING
 * <tr><td>5.2, the end of the WAL is known<td>END_OUTLIVES_RESTART_IN_PLACE, REST_OUTLIVES_START
 * <tr><td>5.3, the winner alone votes at first<td>LEVEL_VOTERS_COUNT_AT_ONCE
 * <tr><td>1, no clocks are compared<td>TASKS_AGED_BY_THE_TIME_OF_DAY
 * <tr><td>5.4, a greater timeline<td>TIMELINE_NOT_RAISED, TIMELINE_CLASH_OPENED
 * <tr><td>1, who is at the other end<td>OTHER_END_UNPROVEN
 * <tr><td>5.4, a promotion that is cut off<td>PROMOTION_TAKEN_FOR_DONE, REIGN_GIVEN_TO_A_LESSER
 * <tr><td>5.4, empty, wait, compare, point<td>DIVERGED_CELL_POINTED, COMPARED_WHILE_RECEIVING
 * <tr><td>5.6, admission at the finish<td>ADMISSION_NOT_CHECKED_AT_THE_FINISH
 * <tr><td>6, halted stays halted<td>HALTED_CELL_RESTARTED
 * <tr><td>8, the mark before the token<td>TOKEN_BEFORE_MARK, MARK_IGNORED
 * <tr><td>refinements b, c, f, g<td>TORN_HEAD_TAKEN_FOR_DIVERGED, FINISHED_IN_MANUAL_MODE, AWAY_VOTER_KEPT, CRASHED_PRIMARY_STARTED_AT_ONCE
 * <tr><td>refinements h, k, l, m, r<td>VOTERS_OF_OTHERS_KEPT, PRIORITY_ZERO_PASSED_OVER, FOLLOWED_EPOCH_VOTED, STANDBY_WITHOUT_WAL_KEPT,
 * VOTERS_WITHOUT_WAL_KEPT
 * </table>
 */
enum Mutation {
    NONE,
    /** The ballot that a cell is sealed for is not written to its state file. */
    SEAL_NOT_PERSISTED,
    /** A save is told to be done when it is asked for. */
    ACTED_BEFORE_DURABLE,
    /** What is saved next after a failed save is kept, and lost again by the save after it. */
    SAVE_BEHIND_A_FAILED_ONE_KEPT,
    /** A new agent acts on the state file that it finds, though that may not have been made durable. */
    LOADED_STATE_NOT_MADE_DURABLE,
    /** R is one less. */
    SEAL_QUORUM_ONE_TOO_SMALL,
    /** A new voter enters PostgreSQL's names before it enters the shared state. */
    VOTER_ADDED_IN_POSTGRESQL_FIRST,
    /** A voter leaves the shared state before it leaves PostgreSQL's names. */
    VOTER_DROPPED_IN_ZOOKEEPER_FIRST,
    /** Votes of burnt ballots count for the open one. */
    BURNT_BALLOT_VOTE_COUNTED,
    /** A halted cell takes itself for an active one. */
    HALTED_CELL_RESTARTED,
    /** With nobody to name, nothing is waited for. */
    NAMES_EMPTIED,
    /** What a superuser sets of the commit rule stays in force. */
    FOREIGN_EDITS_STAY,
    /** A restarted cell has forgotten which state it had read. */
    BACK_IN_TIME,
    /** Like that, and a sealed cell takes every state in which no ballot is open for the outcome of its own. */
    OUTCOME_GUESSED,
    /** A new incarnation looks like the old one. */
    IDENTITY_BY_NAME_ONLY,
    /** Two connections of one cell count as two. */
    LINGERING_SENDER_COUNTS,
    /** A name enters the commit rule without a stream. */
    NAME_WITHOUT_STREAMING,
    /** What was written is taken to be in force at once. */
    IN_FORCE_NOT_AWAITED,
    /** Walsenders older than the reload are not terminated when k is raised. */
    OLD_SENDERS_KEPT,
    /** The sync_priority of a dropped cell is not looked at. */
    DROPPED_CELL_STILL_COUNTS,
    /** The commit rule is widened on an unconfirmed view. */
    WIDENED_WITHOUT_CONFIRMATION,
    /** Cells that are level with the winner are voters at once. */
    LEVEL_VOTERS_COUNT_AT_ONCE,
    /** In a ballot, an emptied upstream on disk is taken for a walreceiver that is gone. */
    VOTED_WHILE_RECEIVING,
    /** The same before a new primary is followed. */
    COMPARED_WHILE_RECEIVING,
    /** The mark of a handover is not written. */
    TOKEN_BEFORE_MARK,
    /** An agent that starts inside a handover of its own reign takes itself for the reigning primary. */
    MARK_IGNORED,
    /** The flush position to be covered is one from before. */
    L_READ_TOO_EARLY,
    /** Every WAL is taken for a prefix of the new primary's. */
    DIVERGED_CELL_POINTED,
    /** A promotion takes whatever timeline PostgreSQL picks. */
    TIMELINE_NOT_RAISED,
    /** What a run of the postmaster knew of the end of its WAL is believed after its children have begun anew. */
    END_OUTLIVES_RESTART_IN_PLACE,
    /** What was read of a stopped PostgreSQL is believed after it has run again. */
    REST_OUTLIVES_START,
    /** PostgreSQL of a winner that is no standby any more is taken to have been promoted. */
    PROMOTION_TAKEN_FOR_DONE,
    /** A winner that cannot open its reign takes every voter's WAL to be like its own. */
    REIGN_GIVEN_TO_A_LESSER,
    /** Whoever has a slot for a standby is taken for the primary. */
    OTHER_END_UNPROVEN,
    /** A new agent takes what runs for what lies in the settings file. */
    WRITTEN_BY_OTHERS_TRUSTED,
    /** What a new session reads first is taken for the newest. */
    FIRST_READ_NOT_SYNCED,
    /** Sessions that wait for an acknowledgement are cancelled, not terminated, and their clients take that for success. */
    CANCELLED_WAIT_ACKNOWLEDGES,
    /** A vote of a burnt ballot counts for the next one when another cell lives under the voter's name. */
    OLD_VOTE_OF_A_NAME_COUNTED,
    /** A promotion takes whatever timeline PostgreSQL picks, and opens on it. */
    TIMELINE_CLASH_OPENED,
    /** Whether a standby remains is asked when a ballot is opened, and not when it is decided. */
    ADMISSION_NOT_CHECKED_AT_THE_FINISH,
    /** A standby that holds the same head of a record as the winner is taken for diverged. */
    TORN_HEAD_TAKEN_FOR_DIVERGED,
    /** A ballot that was opened in AUTOMATIC mode is decided in MANUAL mode. */
    FINISHED_IN_MANUAL_MODE,
    /** A voter that is away stays one. */
    AWAY_VOTER_KEPT,
    /** A primary whose PostgreSQL crashed starts it before the others can take over. */
    CRASHED_PRIMARY_STARTED_AT_ONCE,
    /** Voters that are all others by now are never dropped. */
    VOTERS_OF_OTHERS_KEPT,
    /** A cell of priority 0 that holds the most WAL is passed over for one that holds less. */
    PRIORITY_ZERO_PASSED_OVER,
    /** A vote tells the epoch that its cell followed, and not the one whose WAL it holds. */
    FOLLOWED_EPOCH_VOTED,
    /** How old a task is, is told by the time of day: of the machine that it was asked at, and of the one that does it. */
    TASKS_AGED_BY_THE_TIME_OF_DAY,
    /** A standby does not hear that its next WAL is gone. */
    STANDBY_WITHOUT_WAL_KEPT,
    /** A primary does not see that its voters need WAL that is gone. */
    VOTERS_WITHOUT_WAL_KEPT,
    /** A door that was held for a loss, and let go at its time, is held for the same loss again. */
    LOSS_HELD_FOR_AGAIN;

    /** Those that break rules of liveness alone: nothing but I7, at last, can tell. */
    boolean ofLiveness() {
        return switch (this) {
            case TASKS_AGED_BY_THE_TIME_OF_DAY,
                    AWAY_VOTER_KEPT,
                    VOTERS_OF_OTHERS_KEPT,
                    STANDBY_WITHOUT_WAL_KEPT,
                    VOTERS_WITHOUT_WAL_KEPT,
                    LOSS_HELD_FOR_AGAIN -> true;
            default -> false;
        };
    }
}
