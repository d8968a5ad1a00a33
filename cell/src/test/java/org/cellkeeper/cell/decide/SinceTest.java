package org.cellkeeper.cell.decide;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;

/** What lasts is counted from the first look that saw it, and anew after it was over. */
final class SinceTest {
    private static final Duration SECOND = Duration.ofSeconds(1);

    @Test
    void it_begins_goes_on_and_is_over() {
        Since begun = Since.NOT_SO.next(true, 0);
        assertThat(begun).as("the clock may begin with 0").isEqualTo(Since.of(0));
        Since later = begun.next(true, 700);
        assertThat(later).isEqualTo(begun);
        assertThat(later.next(false, 800)).isEqualTo(Since.NOT_SO);
        assertThat(later.next(false, 800).next(true, 900)).isEqualTo(Since.of(900));
    }

    @Test
    void it_lasts_from_its_beginning_on() {
        Since since = Since.of(500);
        assertThat(since.heldFor(1499)).isEqualTo(999);
        assertThat(since.lasts(1499, SECOND)).isFalse();
        assertThat(since.lasts(1500, SECOND)).isTrue();
    }

    @Test
    void what_is_not_so_lasts_for_no_time_at_all() {
        assertThat(Since.NOT_SO.isSo()).isFalse();
        assertThat(Since.NOT_SO.heldFor(5000)).isZero();
        assertThat(Since.NOT_SO.lasts(5000, Duration.ZERO)).isFalse();
        assertThat(Since.NOT_SO.startOr(7)).isEqualTo(7);
    }
}
