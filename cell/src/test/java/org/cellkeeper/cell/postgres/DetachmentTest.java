package org.cellkeeper.cell.postgres;

import static org.assertj.core.api.Assertions.assertThat;

import org.cellkeeper.cell.model.Lsn;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** I5: a standby is said to be detached only when no walreceiver runs and none can come any more. */
final class DetachmentTest {
    private static final String WAITS_TO_RETRY = "RecoveryRetrieveRetryInterval";
    private static final Life LIFE = new Life(7, "41@1000.5");
    private static final Life AFTER_A_CRASH = new Life(LIFE.run(), "42@1003.5");

    private final Detachment detachment = new Detachment();

    /** What a look sees unless the test says otherwise: an empty upstream, by a kept session, and no walreceiver. */
    private Life life = LIFE;

    private boolean emptyOnDisk = true;
    private boolean emptyInSession = true;
    private boolean walReceiver;

    // ---- what proves it

    @Test
    void a_startup_process_that_waits_to_retry_after_a_new_session_saw_no_upstream_is_detached() {
        assertThat(fresh(WAITS_TO_RETRY, 100)).isTrue();
    }

    @Test
    void it_may_be_seen_to_wait_later_and_by_the_kept_session() {
        assertThat(fresh(null, 100)).isFalse();

        assertThat(kept(null, 100)).isFalse();
        assertThat(kept(WAITS_TO_RETRY, 100)).isTrue();
    }

    @Test
    void a_session_of_before_does_not_tell_that_the_signal_was_sent() {
        assertThat(kept(WAITS_TO_RETRY, 100)).isFalse();
        assertThat(kept(WAITS_TO_RETRY, 200)).isFalse();
    }

    @Test
    void a_startup_process_that_waits_for_a_stream_has_not_read_the_signal_yet() {
        assertThat(fresh("RecoveryWalStream", 100)).isFalse();
    }

    @Test
    void one_that_has_finished_a_second_record_since_is_detached() {
        assertThat(fresh(null, 100)).isFalse();
        assertThat(kept(null, 200)).isFalse();
        assertThat(kept(null, 200)).isFalse();
        assertThat(kept(null, 300)).isTrue();
    }

    @Test
    void a_record_that_was_finished_before_the_upstream_was_known_to_be_empty_does_not_count() {
        assertThat(kept(null, 100)).isFalse();
        assertThat(kept(null, 200)).isFalse();
        assertThat(kept(null, 300)).isFalse();
        assertThat(fresh(null, 400)).isFalse();
        assertThat(kept(null, 500)).isFalse();
        assertThat(kept(null, 600)).isTrue();
    }

    @Test
    void what_is_proven_stays_so_whatever_the_startup_process_does_next() {
        assertThat(fresh(WAITS_TO_RETRY, 100)).isTrue();

        assertThat(kept(null, 100)).isTrue();
    }

    // ---- what speaks against it

    @Test
    void a_standby_with_an_upstream_on_disk_is_not_detached() {
        emptyOnDisk = false;

        assertThat(fresh(WAITS_TO_RETRY, 100)).isFalse();
    }

    @Test
    void nor_is_one_whose_sessions_still_see_an_upstream() {
        emptyInSession = false;

        assertThat(fresh(WAITS_TO_RETRY, 100)).isFalse();
    }

    @Test
    void nor_is_one_with_a_walreceiver() {
        walReceiver = true;

        assertThat(fresh(WAITS_TO_RETRY, 100)).isFalse();
    }

    @Test
    void none_of_these_is_so_of_a_start_without_an_upstream_either() {
        detachment.started(LIFE.run());
        emptyOnDisk = false;
        assertThat(fresh(WAITS_TO_RETRY, 100)).isFalse();
        emptyOnDisk = true;
        emptyInSession = false;
        assertThat(fresh(WAITS_TO_RETRY, 100)).isFalse();
        emptyInSession = true;
        walReceiver = true;
        assertThat(fresh(WAITS_TO_RETRY, 100)).isFalse();
    }

    @Test
    void an_upstream_on_disk_ends_what_was_known() {
        assertThat(fresh(null, 100)).isFalse();
        emptyOnDisk = false;
        assertThat(kept(WAITS_TO_RETRY, 100)).isFalse();
        emptyOnDisk = true;

        assertThat(kept(WAITS_TO_RETRY, 100)).isFalse();
        assertThat(fresh(WAITS_TO_RETRY, 100)).isTrue();
    }

    @Test
    void an_upstream_in_the_session_ends_what_was_known() {
        assertThat(fresh(null, 100)).isFalse();
        emptyInSession = false;
        assertThat(kept(WAITS_TO_RETRY, 100)).isFalse();
        emptyInSession = true;

        assertThat(kept(WAITS_TO_RETRY, 100)).isFalse();
    }

    @Test
    void a_walreceiver_refutes_what_was_proven() {
        assertThat(fresh(WAITS_TO_RETRY, 100)).isTrue();
        walReceiver = true;
        assertThat(kept(null, 100)).isFalse();
        walReceiver = false;

        assertThat(kept(WAITS_TO_RETRY, 100)).isFalse();
        assertThat(detachment.isInForce(LIFE.run(), 0)).isFalse();
    }

    @Test
    void the_last_walreceiver_may_still_be_seen_before_anything_is_proven() {
        assertThat(fresh(null, 100)).isFalse();
        walReceiver = true;
        assertThat(kept(null, 200)).isFalse();
        walReceiver = false;

        assertThat(kept(WAITS_TO_RETRY, 200)).isTrue();
    }

    // ---- an upstream that is written meanwhile

    @Test
    void what_was_proven_before_an_upstream_was_written_is_not_known_after_it() {
        assertThat(fresh(WAITS_TO_RETRY, 100)).isTrue();
        detachment.willFollow();

        assertThat(kept(WAITS_TO_RETRY, 100)).isFalse();
        assertThat(fresh(WAITS_TO_RETRY, 100)).isTrue();
    }

    @Test
    void an_upstream_that_is_written_while_the_look_goes_on_refutes_it() {
        long before = detachment.follows();
        detachment.willFollow();

        assertThat(detachment.isProven(look(before, true, WAITS_TO_RETRY, 100))).isFalse();
    }

    @Test
    void also_when_it_was_proven_already() {
        assertThat(fresh(WAITS_TO_RETRY, 100)).isTrue();
        long before = detachment.follows();
        detachment.willFollow();

        assertThat(detachment.isProven(look(before, false, null, 100))).isFalse();
    }

    // ---- other processes

    @Test
    void another_postmaster_has_to_be_asked_anew() {
        assertThat(fresh(WAITS_TO_RETRY, 100)).isTrue();
        life = new Life(8, LIFE.startup());

        assertThat(kept(WAITS_TO_RETRY, 100)).isFalse();
    }

    @Test
    void the_next_startup_process_of_the_same_postmaster_knows_of_no_upstream_but_has_proven_nothing_yet() {
        assertThat(fresh(WAITS_TO_RETRY, 100)).isTrue();
        life = AFTER_A_CRASH;

        assertThat(kept(null, 100)).isFalse();
        assertThat(kept(WAITS_TO_RETRY, 100)).isTrue();
    }

    @Test
    void the_records_of_the_startup_process_before_do_not_count_for_the_next() {
        assertThat(fresh(null, 100)).isFalse();
        assertThat(kept(null, 200)).isFalse();
        life = AFTER_A_CRASH;

        assertThat(kept(null, 300)).isFalse();
        assertThat(kept(null, 400)).isFalse();
        assertThat(kept(null, 500)).isTrue();
    }

    @Test
    void the_next_startup_process_is_not_known_to_be_without_an_upstream_when_the_one_before_was_not() {
        assertThat(kept(null, 100)).isFalse();
        life = AFTER_A_CRASH;

        assertThat(kept(WAITS_TO_RETRY, 100)).isFalse();
    }

    @Test
    void nor_when_an_upstream_was_written_between_the_two() {
        assertThat(fresh(WAITS_TO_RETRY, 100)).isTrue();
        detachment.willFollow();
        life = AFTER_A_CRASH;

        assertThat(kept(WAITS_TO_RETRY, 100)).isFalse();
    }

    // ---- a start without an upstream

    @Test
    void a_postmaster_that_was_started_without_an_upstream_is_detached_from_the_first_look_on() {
        detachment.started(LIFE.run());

        assertThat(kept(null, 100)).isTrue();
        life = AFTER_A_CRASH;
        assertThat(kept(null, 100)).isTrue();
    }

    @Test
    void also_when_an_upstream_had_been_written_before() {
        detachment.willFollow();
        detachment.started(LIFE.run());

        assertThat(kept(null, 100)).isTrue();
    }

    @Test
    void another_one_is_not() {
        detachment.started(LIFE.run());
        life = new Life(8, LIFE.startup());

        assertThat(kept(null, 100)).isFalse();
    }

    @Test
    void an_upstream_that_was_written_since_the_start_has_to_be_taken_away_again() {
        detachment.started(LIFE.run());
        detachment.willFollow();

        assertThat(kept(null, 100)).isFalse();
        assertThat(fresh(null, 100)).isFalse();
        assertThat(kept(WAITS_TO_RETRY, 100)).isTrue();
    }

    @Test
    void also_when_it_is_written_while_the_look_goes_on() {
        detachment.started(LIFE.run());
        long before = detachment.follows();
        detachment.willFollow();

        assertThat(detachment.isProven(look(before, false, null, 100))).isFalse();
    }

    // ---- who is to ask anew

    @Test
    void a_new_session_is_needed_until_one_has_seen_that_there_is_no_upstream() {
        assertThat(detachment.isInForce(LIFE.run(), 0)).isFalse();
        kept(null, 100);
        assertThat(detachment.isInForce(LIFE.run(), 0)).isFalse();
        fresh(null, 100);
        assertThat(detachment.isInForce(LIFE.run(), 0)).isTrue();

        assertThat(detachment.isInForce(8, 0)).isFalse();
        assertThat(detachment.isInForce(LIFE.run(), 1)).isFalse();
    }

    private boolean fresh(@Nullable String startupWaits, long replayed) {
        return detachment.isProven(look(detachment.follows(), true, startupWaits, replayed));
    }

    private boolean kept(@Nullable String startupWaits, long replayed) {
        return detachment.isProven(look(detachment.follows(), false, startupWaits, replayed));
    }

    private Detachment.Look look(long follows, boolean fresh, @Nullable String startupWaits, long replayed) {
        return new Detachment.Look(
                life, follows, emptyOnDisk, emptyInSession, fresh, walReceiver, startupWaits, new Lsn(replayed));
    }
}
