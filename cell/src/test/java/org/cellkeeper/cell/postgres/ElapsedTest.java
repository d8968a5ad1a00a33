package org.cellkeeper.cell.postgres;

import static org.assertj.core.api.Assertions.assertThat;

import org.cellkeeper.cell.model.Lsn;
import org.junit.jupiter.api.Test;

/** What lasts is measured by the agent's own steady clock: that of the machine may be set meanwhile, and the primary's is another. */
final class ElapsedTest {
    private static final long MILLI = 1_000_000;

    private final Elapsed elapsed = new Elapsed();

    @Test
    void a_stream_is_silent_since_its_last_new_message_was_seen_whatever_time_that_message_bears() {
        assertThat(elapsed.silentMillis("41@1000", 10_000 * MILLI)).isZero();
        assertThat(elapsed.silentMillis("41@1000", 10_400 * MILLI)).isEqualTo(400);
        // The clock was set back by an hour, and forward by two.
        assertThat(elapsed.silentMillis("41@-2600", 10_500 * MILLI)).isZero();
        assertThat(elapsed.silentMillis("41@-2600", 12_000 * MILLI)).isEqualTo(1_500);
        assertThat(elapsed.silentMillis("41@4600", 12_100 * MILLI)).isZero();
    }

    @Test
    void another_walreceiver_is_not_held_to_be_as_silent_as_the_last_one() {
        elapsed.silentMillis("41@1000", 10_000 * MILLI);

        assertThat(elapsed.silentMillis("42@1000", 15_000 * MILLI)).isZero();
    }

    @Test
    void a_walreceiver_that_was_just_seen_may_yet_be_refused() {
        assertThat(elapsed.lasts(41, 1_000 * MILLI)).isFalse();
        assertThat(elapsed.lasts(41, 1_199 * MILLI)).isFalse();
        assertThat(elapsed.lasts(41, 1_200 * MILLI)).isTrue();
        assertThat(elapsed.lasts(42, 1_300 * MILLI)).isFalse();
    }

    @Test
    void replay_lags_by_the_age_of_the_oldest_wal_that_waits() {
        assertThat(lag("0/100", "0/100", 0)).isZero();
        assertThat(lag("0/200", "0/100", 50)).isZero();
        assertThat(lag("0/300", "0/100", 100)).isEqualTo(50);
        assertThat(lag("0/300", "0/200", 150)).isEqualTo(50);
        assertThat(lag("0/300", "0/200", 1_000)).isEqualTo(900);
        assertThat(lag("0/300", "0/300", 1_050)).isZero();
    }

    @Test
    void a_standby_that_falls_behind_for_long_is_never_told_to_lag_less_than_it_does() {
        lag("0/10", "0/10", 0);
        for (int i = 1; i <= 5_000; i++) {
            lag("0/" + Integer.toHexString(0x10 + i), "0/10", i);
        }

        assertThat(lag("0/" + Integer.toHexString(0x10 + 5_000), "0/10", 5_000)).isEqualTo(4_999);
        assertThat(lag("0/" + Integer.toHexString(0x10 + 5_000), "0/" + Integer.toHexString(0x10 + 4_000), 5_000))
                .isGreaterThanOrEqualTo(1_000);
    }

    @Test
    void wal_that_was_thrown_away_does_not_wait_any_more() {
        lag("0/500", "0/100", 0);

        assertThat(lag("0/200", "0/200", 10)).isZero();
    }

    @Test
    void no_look_at_postgresql_reckons_with_a_clock() {
        assertThat(Observation.SQL)
                .doesNotContainIgnoringCase("clock_timestamp")
                .doesNotContainIgnoringCase("now()")
                .doesNotContainIgnoringCase("current_timestamp")
                .doesNotContainIgnoringCase("pg_conf_load_time");
    }

    private long lag(String received, String replayed, long millis) {
        return elapsed.replayLagMillis(Lsn.parse(received), Lsn.parse(replayed), millis * MILLI);
    }
}
