package org.cellkeeper.cell.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;

final class BackoffTest {
    private static final Backoff BACKOFF = new Backoff(Duration.ofMillis(50), Duration.ofSeconds(5));

    @Test
    void eachFailureDoublesThePauseUpToTheLongest() {
        assertThat(BACKOFF.after(1)).isEqualTo(Duration.ofMillis(50));
        assertThat(BACKOFF.after(2)).isEqualTo(Duration.ofMillis(100));
        assertThat(BACKOFF.after(7)).isEqualTo(Duration.ofMillis(3200));
        assertThat(BACKOFF.after(8)).isEqualTo(Duration.ofSeconds(5));
        assertThat(BACKOFF.after(Integer.MAX_VALUE)).isEqualTo(Duration.ofSeconds(5));
    }
}
