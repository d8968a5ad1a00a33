package org.cellkeeper.cell.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.port.DatabaseFailure;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(20)
final class VerbsTest {
    private static final Duration LONG = Duration.ofSeconds(15);

    private final Verbs verbs = new Verbs();
    private final List<String> done = new CopyOnWriteArrayList<>();

    @AfterEach
    void close() {
        verbs.interruptAll();
        verbs.close();
    }

    @Test
    void verbs_run_one_after_the_other_each_with_an_observation_after_it() throws Exception {
        CompletableFuture<DatabaseView> first = verbs.run("first", _ -> done.add("first"), this::observe);
        CompletableFuture<DatabaseView> second = verbs.run("second", _ -> done.add("second"), this::observe);

        get(first);
        get(second);
        assertThat(done).containsExactly("first", "observed", "second", "observed");
    }

    @Test
    void a_verb_that_does_not_come_off_ends_with_its_name_and_what_went_wrong_and_the_next_one_runs() throws Exception {
        CompletableFuture<DatabaseView> failing = verbs.run(
                "clone",
                _ -> {
                    throw new SQLException("no such slot");
                },
                this::observe);

        assertThatThrownBy(() -> get(failing))
                .hasCauseInstanceOf(DatabaseFailure.class)
                .hasMessageContaining("clone: no such slot");
        get(verbs.run("next", _ -> done.add("next"), this::observe));
        assertThat(done).containsExactly("next", "observed");
    }

    @Test
    void an_interruption_ends_the_verb_in_flight_and_those_that_wait_but_none_that_is_asked_for_later()
            throws Exception {
        CountDownLatch began = new CountDownLatch(1);
        CompletableFuture<DatabaseView> inFlight = verbs.run(
                "start",
                cancellation -> {
                    began.countDown();
                    cancellation.await(LONG, LONG, () -> false);
                },
                this::observe);
        CompletableFuture<DatabaseView> waits = verbs.run("follow", _ -> done.add("follow"), this::observe);
        assertThat(began.await(10, TimeUnit.SECONDS)).isTrue();
        assertThat(verbs.isIdle()).isFalse();

        CompletableFuture<DatabaseView> fencing = verbs.interrupt("stop", () -> done.add("stop"), this::observe);
        CompletableFuture<DatabaseView> later = verbs.run("later", _ -> done.add("later"), this::observe);

        assertThatThrownBy(() -> get(inFlight)).hasMessageContaining("start: interrupted by an immediate stop");
        assertThatThrownBy(() -> get(waits)).hasMessageContaining("follow: interrupted by an immediate stop");
        get(fencing);
        get(later);
        assertThat(done).containsOnlyOnce("stop", "later").doesNotContain("follow");
        assertThat(verbs.isIdle()).isTrue();
    }

    @Test
    void a_fence_does_not_wait_for_a_verb_that_does_not_heed_its_interruption() throws Exception {
        CountDownLatch began = new CountDownLatch(1);
        CountDownLatch end = new CountDownLatch(1);
        CompletableFuture<DatabaseView> stubborn = verbs.run(
                "stubborn",
                _ -> {
                    began.countDown();
                    await(end);
                },
                this::observe);
        assertThat(began.await(10, TimeUnit.SECONDS)).isTrue();

        get(verbs.interrupt("stop", () -> done.add("stop"), this::observe));
        end.countDown();
        get(stubborn);

        assertThat(done).startsWith("stop");
    }

    @Test
    void a_fence_that_fails_says_so() {
        CompletableFuture<DatabaseView> failing = verbs.interrupt(
                "immediate stop",
                () -> {
                    throw new DatabaseFailure("it survived");
                },
                this::observe);

        assertThatThrownBy(() -> get(failing)).hasMessageContaining("immediate stop: it survived");
        assertThat(done).isEmpty();
    }

    @Test
    void what_is_asked_for_after_the_end_between_or_beside_verbs_is_not_done() {
        verbs.close();

        verbs.between(() -> done.add("between"));
        verbs.beside(() -> done.add("beside"));

        assertThat(done).isEmpty();
    }

    private CompletableFuture<DatabaseView> observe() {
        done.add("observed");
        return CompletableFuture.completedFuture(DatabaseView.nothing());
    }

    private static void get(CompletableFuture<DatabaseView> verb) throws Exception {
        var _ = verb.get(10, TimeUnit.SECONDS);
    }

    private static void await(CountDownLatch latch) {
        try {
            assertThat(latch.await(15, TimeUnit.SECONDS)).isTrue();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
