package org.cellkeeper.cell.postgres;

import static org.assertj.core.api.Assertions.assertThat;

import org.cellkeeper.cell.model.Lsn;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** I1: a standby's position counts as the end of its WAL only when its startup process has come to that end. */
final class KnownEndTest {
    private static final Life LIFE = new Life(7, "41@1000.5");

    private final KnownEnd end = new KnownEnd();

    @Test
    void a_startup_process_that_waits_to_ask_again_for_wal_is_at_the_end() {
        assertThat(known(LIFE, "RecoveryRetrieveRetryInterval", null)).isTrue();
    }

    @Test
    void one_that_waits_for_a_stream_is_at_the_end_also_when_it_has_replayed_less_than_was_received() {
        assertThat(known(LIFE, "RecoveryWalStream", "0/300")).isTrue();
    }

    @Test
    void one_that_has_replayed_all_that_its_walreceiver_has_received_is_at_the_end() {
        assertThat(known(LIFE, null, "0/200")).isTrue();
    }

    @Test
    void one_that_has_replayed_more_than_was_received_is_at_the_end() {
        assertThat(known(LIFE, null, "0/100")).isTrue();
    }

    @Test
    void one_that_has_not_replayed_all_that_was_received_may_not_be() {
        assertThat(known(LIFE, null, "0/201")).isFalse();
    }

    @Test
    void a_replay_that_stands_still_tells_nothing() {
        assertThat(known(LIFE, null, null)).isFalse();
        assertThat(known(LIFE, "RecoveryConflictSnapshot", null)).isFalse();
        assertThat(known(LIFE, "RecoveryConflictSnapshot", null)).isFalse();
        assertThat(known(LIFE, "RecoveryApplyDelay", "0/300")).isFalse();
    }

    @Test
    void what_a_startup_process_has_come_to_once_it_does_not_lose() {
        assertThat(known(LIFE, "RecoveryRetrieveRetryInterval", null)).isTrue();

        assertThat(known(LIFE, null, "0/300")).isTrue();
    }

    @Test
    void a_startup_process_that_was_started_anew_by_the_same_postmaster_has_come_to_nothing_yet() {
        assertThat(known(LIFE, "RecoveryRetrieveRetryInterval", null)).isTrue();

        assertThat(known(new Life(LIFE.run(), "42@1003.5"), null, null)).isFalse();
    }

    @Test
    void nor_has_one_of_another_postmaster() {
        assertThat(known(LIFE, "RecoveryRetrieveRetryInterval", null)).isTrue();

        assertThat(known(new Life(8, LIFE.startup()), null, null)).isFalse();
    }

    /** Replayed is 0/200 throughout. */
    private boolean known(Life life, @Nullable String startupWaits, @Nullable String received) {
        return end.isKnown(life, startupWaits, received == null ? null : Lsn.parse(received), Lsn.parse("0/200"));
    }
}
