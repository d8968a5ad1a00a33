package org.cellkeeper.cell.sim;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/**
 * The traces of the protocol's section 11, each as close as the real core lets it come. {@link MutationTest} tells the same
 * stories in worlds that break the matching rule.
 */
final class TracesTest {
    private static Stage three() {
        return new Stage(3).born();
    }

    private static Stage five() {
        return new Stage(5).born();
    }

    private static Stage four() {
        return new Stage(4).born();
    }

    @Test
    void t1_a_new_voter_is_named_after_it_votes() {
        Stories.namesWiderThanTheVoters(three());
    }

    @Test
    void t1_a_dropped_voter_is_unnamed_before_it_goes() {
        Stories.droppedWhileItStreams(three());
    }

    @Test
    void t2_a_primary_that_restarts_inside_a_handover_stays_shut() {
        Stories.restartInsideAHandover(three());
    }

    @Test
    void t2_a_handover_whose_target_is_silent_is_taken_back_first() {
        Stories.handoverTakenBack(three());
    }

    @Test
    void t3_nothing_is_widened_while_an_old_compare_and_set_may_land() {
        Stories.widenedOnAWrongView(three());
    }

    @Test
    void another_cell_at_the_primarys_address_is_not_taken_for_it() {
        Stories.anotherCellAtThePrimarysAddress(three());
    }

    @Test
    void t13_an_acknowledger_that_replays_after_a_restart_in_place_does_not_vote_yet() {
        Stories.restartInPlaceOfTheAcknowledger(three());
    }

    @Test
    void t13_what_was_read_at_rest_is_read_anew_after_a_start() {
        Stories.readAtRestTwice(three());
    }

    @Test
    void t4_a_promotion_takes_a_timeline_that_no_reign_bears() {
        Stories.twoReignsOneTimeline(three());
    }

    @Test
    void t4_a_reign_on_a_timeline_that_another_bears_is_not_opened() {
        Stage stage = three().brokenBy(Mutation.TIMELINE_NOT_RAISED, true);
        Stories.loseBAndForceC(stage);
        stage.await("c promotes", () -> stage.cell("c").postgres().isPrimary());
        assertThat(stage.cell("c").postgres().timeline()).isEqualTo(2);

        long millis =
                stage.await("c is stopped", () -> stage.cell("c").postgres().isStopped());

        assertThat(millis).isLessThan(200);
        stage.pass(10_000);
        assertThat(stage.state().reign()).isNull();
        assertThat(stage.isWritable("c")).isFalse();
    }

    @Test
    void t5_a_restarted_cell_does_not_go_back_to_a_deposed_primary() {
        Stories.backInTime(three());
    }

    @Test
    void t5_a_sealed_cell_does_not_take_the_time_before_its_ballot_for_the_outcome() {
        Stories.outcomeGuessed(three());
    }

    @Test
    void t6_a_wiped_cell_is_not_the_voter_that_it_was() {
        Stories.sameNameNewDisk(three());
    }

    @Test
    void t7_d1_a_diverged_standby_does_not_count_and_is_cloned_anew() {
        Stories.divergedStandby(four());
    }

    @Test
    void t7_a_diverged_standby_s_flush_position_acknowledges_nothing() {
        Stories.divergedFlushCounts(four());
    }

    @Test
    void t8_two_connections_of_one_cell_are_one_acknowledgement() {
        Stories.twoConnectionsOfOneCell(new Stage(5).born());
    }

    @Test
    void t9_what_is_acknowledged_before_the_reload_is_covered() {
        Stories.reloadNotInForce(four());
    }

    @Test
    void t9_what_is_acknowledged_by_a_dropped_cell_is_covered() {
        Stories.droppedBeforeCovered(three());
    }

    @Test
    void t10_wal_is_compared_when_nothing_comes_any_more() {
        Stories.comparedWhileReceiving(four());
    }

    @Test
    void t11_a_walsender_with_the_old_k_is_terminated() {
        Stories.kRaisedOneWalsenderLate(four());
    }

    @Test
    void t12_what_a_dead_agent_wrote_is_written_anew() {
        Stories.fileWiderThanWhatRuns(three());
    }

    @Test
    void t12_an_upstream_that_a_dead_agent_wrote_is_loaded() {
        Stories.followWrittenNotReloaded(three());
    }

    @Test
    void d2_a_false_ballot_without_a_second_standby_halts_nobody() {
        Stories.falseBallot(three());
    }

    @Test
    void a_cell_acts_on_nothing_that_is_not_durable_yet() {
        Stories.sealNotDurableYet(three());
    }

    @Test
    void what_is_saved_behind_a_failed_save_is_not_lost_by_the_next() {
        Stories.savedBehindAFailedSave(five());
    }

    @Test
    void what_a_new_agent_finds_outlives_the_power() {
        Stories.foundAndNotDurable(five());
    }
}
