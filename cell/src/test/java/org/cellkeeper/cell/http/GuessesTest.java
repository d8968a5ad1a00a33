package org.cellkeeper.cell.http;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

final class GuessesTest {
    private static final long SECOND = TimeUnit.SECONDS.toNanos(1);

    private long now = 7 * SECOND;
    private final Guesses guesses = new Guesses(now);

    private boolean guess(String address, String user) {
        if (guesses.waitNanos(address, user, now) > 0) {
            return false;
        }
        guesses.wrong(address, user, now);
        return true;
    }

    private long wait(String address, String user) {
        return guesses.waitNanos(address, user, now);
    }

    @Test
    void waitsDoubleFromTheFifthOnUpToAMinute() {
        for (int i = 0; i < 4; i++) {
            assertThat(guess("a", "root")).isTrue();
        }
        for (long seconds : new long[] {1, 2, 4, 8, 16, 32, 60, 60}) {
            assertThat(guess("a", "root")).isTrue();
            assertThat(guess("a", "root")).isFalse();
            assertThat(wait("a", "root")).isEqualTo(seconds * SECOND);
            assertThat(wait("b", "root")).as("another address").isZero();
            assertThat(wait("a", "monitor")).as("another user").isZero();
            now += seconds * SECOND;
        }
    }

    @Test
    void oneAddressThatTriesManyUsersWaitsForAllOfThem() {
        int looked = 0;
        for (int i = 0; i < 1000; i++) {
            looked += guess("a", "user" + i) ? 1 : 0;
        }
        assertThat(looked).isLessThanOrEqualTo(20);
        assertThat(wait("a", "root")).isPositive();
        now += 10 * SECOND;
        assertThat(wait("a", "root")).isZero();
    }

    @Test
    void addressesWithoutEndFillNothingAndAreLookedAtNowAndThen() {
        int looked = 0;
        long before = now;
        for (int i = 0; i < 200_000; i++) {
            now += SECOND / 1000;
            looked += guess("address" + i, "root") ? 1 : 0;
        }
        assertThat(guesses.size()).isEqualTo(Guesses.ADDRESSES);
        long seconds = (now - before) / SECOND;
        assertThat((long) looked).isLessThan(Guesses.ADDRESSES + 11 * seconds);
        assertThat(guess("address0", "root"))
                .as("one that is kept waits no less for it")
                .isTrue();
        assertThat(wait("address0", "root")).isEqualTo(60 * SECOND);
    }

    @Test
    void whoEverIsQuietForLongIsForgotten() {
        for (int i = 0; i < Guesses.ADDRESSES; i++) {
            guess("address" + i, "root");
        }
        assertThat(guesses.size()).isEqualTo(Guesses.ADDRESSES);
        now += 16 * 60 * SECOND;
        assertThat(guess("new", "root")).isTrue();
        assertThat(guesses.size()).isEqualTo(1);
        assertThat(wait("address0", "root")).isZero();
    }

    @Test
    void aNetworkOfIpv6CountsAsOneAddress() {
        assertThat(Guesses.network("2001:db8:1:2:3:4:5:6"))
                .isEqualTo(Guesses.network("[2001:db8:1:2::9]"))
                .isNotEqualTo(Guesses.network("2001:db8:1:3::9"));
        assertThat(Guesses.network("10.0.0.1")).isEqualTo("10.0.0.1");
        assertThat(Guesses.network("fe80::1%eth0")).isEqualTo("fe80000000000000/64");
        assertThat(Guesses.network("nonsense")).isEqualTo("nonsense");
    }
}
