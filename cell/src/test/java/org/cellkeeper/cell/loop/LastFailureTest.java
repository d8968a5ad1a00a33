package org.cellkeeper.cell.loop;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

final class LastFailureTest {
    private static final Instant NOON = Instant.parse("2026-01-02T12:00:00.5Z");

    private final LastFailure failure = new LastFailure();

    @Test
    void whatFailsAgainIsToldWithItsNewestWordsSinceTheFirstTime() {
        failure.failed(701, "start: no room", NOON);
        assertThat(failure.told()).isEmpty();
        failure.failed(701, "start: no such library", NOON.plusSeconds(9));
        assertThat(failure.told()).isEqualTo("tried 2 times since 2026-01-02T12:00:00Z: start: no such library");
    }

    @Test
    void whatSucceedsOrIsNoLongerNeededIsToldNoMore() {
        failure.failed(701, "x", NOON);
        failure.failed(701, "x", NOON);
        failure.succeeded(310);
        assertThat(failure.told()).isNotEmpty();
        failure.succeeded(701);
        assertThat(failure.told()).isEmpty();
        failure.failed(212, "y", NOON);
        failure.failed(212, "y", NOON);
        failure.forget();
        assertThat(failure.told()).isEmpty();
    }

    @Test
    void theLogHasEverFewerLinesOfIt() {
        List<Integer> logged = new ArrayList<>();
        for (int time = 1; time <= 1000; time++) {
            failure.failed(212, "x", NOON);
            if (failure.isToBeLogged()) {
                logged.add(time);
            }
        }
        assertThat(logged).containsExactly(1, 2, 4, 8, 16, 32, 64, 128, 256, 512);
    }
}
