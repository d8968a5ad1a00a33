package org.cellkeeper.cell.loop;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.Objects;
import java.util.PriorityQueue;
import java.util.concurrent.CompletableFuture;
import java.util.function.BooleanSupplier;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.Incarnation;
import org.cellkeeper.cell.model.LocalState;
import org.cellkeeper.cell.model.Member;
import org.cellkeeper.cell.model.VersionedState;
import org.cellkeeper.cell.port.Clock;
import org.cellkeeper.cell.port.Journal;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

final class DurableStateTest {
    private static final Logger LOG = (Logger) LoggerFactory.getLogger(DurableState.class);
    private static final Incarnation FIRST = new Incarnation("0000000a");
    private static final LocalState FRESH = LocalState.fresh(FIRST);

    private final Disk disk = new Disk();
    private final Time time = new Time();
    private final DurableState durable = new DurableState(disk, time, Runnable::run, () -> {});
    private final ListAppender<ILoggingEvent> told = new ListAppender<>();

    @BeforeEach
    void listenToTheLog() {
        told.start();
        LOG.setLevel(Level.INFO);
        LOG.setAdditive(false);
        LOG.addAppender(told);
    }

    @AfterEach
    void listenNoMore() {
        LOG.detachAppender(told);
        LOG.setAdditive(true);
        LOG.setLevel(null);
    }

    private void begunWith(LocalState state) {
        disk.file = state;
        durable.begin(() -> FIRST, () -> {});
    }

    @Test
    void nothing_is_known_before_it_is_durable() {
        begunWith(FRESH);

        CompletableFuture<Void> seal = durable.save(state -> state.withSealedBallot(7));
        assertThat(durable.known()).isEqualTo(FRESH);
        assertThat(seal).isNotDone();

        disk.saves();
        assertThat(durable.known()).isEqualTo(FRESH.withSealedBallot(7));
        assertThat(seal).isCompleted();
    }

    @Test
    void what_waits_behind_a_save_that_fails_fails_with_it() {
        begunWith(FRESH);
        CompletableFuture<Void> first = durable.save(state -> state.withSealedBallot(7));
        CompletableFuture<Void> second = durable.save(state -> state.withWalEpoch(2));
        CompletableFuture<Void> third = durable.save(LocalState::withJoined);

        disk.fails();

        assertThat(first).isCompletedExceptionally();
        assertThat(second).isCompletedExceptionally();
        assertThat(third).isCompletedExceptionally();
        assertThat(durable.known()).isEqualTo(FRESH);
        assertThat(disk.asked).isEmpty();
    }

    @Test
    void what_is_saved_after_a_failure_is_not_lost_by_what_is_saved_then() {
        begunWith(FRESH);
        durable.save(state -> state.withSealedBallot(7));
        durable.save(state -> state.withWalEpoch(2));
        disk.fails();

        durable.save(state -> state.withWalEpoch(2));
        durable.save(LocalState::withJoined);
        disk.saves();
        disk.saves();

        assertThat(disk.file).isEqualTo(FRESH.withWalEpoch(2).withJoined());
        assertThat(durable.known()).isEqualTo(disk.file);
    }

    @Test
    void what_is_asked_for_while_a_save_runs_goes_together_into_the_next() {
        begunWith(FRESH);
        durable.save(state -> state.withSealedBallot(7));
        durable.save(state -> state.withWalEpoch(2));
        durable.save(LocalState::withJoined);
        assertThat(disk.asked).hasSize(1);

        disk.saves();

        assertThat(disk.asked).hasSize(1);
        disk.saves();
        assertThat(durable.known())
                .isEqualTo(FRESH.withSealedBallot(7).withWalEpoch(2).withJoined());
    }

    @Test
    void the_newest_state_that_was_read_goes_along_with_any_save_and_an_older_one_with_none() {
        begunWith(FRESH);
        durable.save(LocalState::withJoined);
        durable.read(version(4));
        durable.read(version(6));
        durable.read(version(5));
        durable.save(state -> state.withWalEpoch(2));
        disk.saves();
        disk.saves();

        assertThat(durable.known())
                .isEqualTo(FRESH.withJoined().withSeen(version(6)).withWalEpoch(2));
        assertThat(disk.asked).isEmpty();
    }

    @Test
    void a_state_that_was_read_is_saved_again_and_again_more_and_more_slowly() {
        begunWith(FRESH);
        durable.read(version(4));
        List<Long> tries = new ArrayList<>();
        for (int i = 0; i < 9; i++) {
            disk.fails();
            time.untilSomethingHappens(() -> !disk.asked.isEmpty());
            tries.add(time.now);
        }

        assertThat(tries).containsExactly(50L, 150L, 350L, 750L, 1550L, 3150L, 6350L, 11350L, 16350L);
        disk.saves();
        assertThat(durable.known()).isEqualTo(FRESH.withSeen(version(4)));
        assertThat(durable.isFailing()).isFalse();
    }

    @Test
    void a_plan_need_not_wait_for_that() {
        begunWith(FRESH);
        durable.read(version(4));
        disk.fails();

        CompletableFuture<Void> halt = durable.save(state -> state.withHalt("deposed"));
        disk.saves();

        assertThat(halt).isCompleted();
        assertThat(durable.known()).isEqualTo(FRESH.withSeen(version(4)).withHalt("deposed"));
    }

    @Test
    void a_full_disk_is_told_of_once_and_then_now_and_then() {
        begunWith(FRESH);
        durable.read(version(4));
        time.now = 1_000;
        while (time.now < 200_000) {
            disk.fails();
            time.untilSomethingHappens(() -> !disk.asked.isEmpty());
        }
        disk.saves();

        assertThat(told.list)
                .extracting(ILoggingEvent::getLevel)
                .containsExactly(Level.ERROR, Level.ERROR, Level.ERROR, Level.ERROR, Level.INFO);
        assertThat(told.list.getFirst().getFormattedMessage())
                .startsWith("the state file cannot be written: No space left on device. Until it can be,");
    }

    @Test
    void the_first_state_file_is_tried_until_it_is_there_and_nothing_begins_before() {
        List<LocalState> begun = new ArrayList<>();
        durable.begin(() -> FIRST, () -> begun.add(Objects.requireNonNull(durable.known())));
        for (int i = 0; i < 5; i++) {
            disk.fails();
            assertThat(durable.known()).isNull();
            time.untilSomethingHappens(() -> !disk.asked.isEmpty());
        }
        durable.read(version(4));
        assertThat(begun).isEmpty();

        disk.saves();

        assertThat(begun).containsExactly(FRESH);
        disk.saves();
        assertThat(durable.known()).isEqualTo(FRESH.withSeen(version(4)));
        assertThat(told.list).hasSize(2);
    }

    private static VersionedState version(int version) {
        CellName a = new CellName("a");
        return new VersionedState(
                version,
                ClusterState.born(
                        new CellId(a, FIRST),
                        new Member(FIRST, new Address("10.0.0.1", 5432, 5480, 5481), 100, "here"),
                        "7000000000000000001",
                        FailoverMode.AUTOMATIC));
    }

    /** A disk whose saves end when the test says so. */
    private static final class Disk implements Journal {
        private record Save(LocalState state, CompletableFuture<Void> done) {}

        private final Deque<Save> asked = new ArrayDeque<>();
        private @Nullable LocalState file;

        @Override
        public @Nullable LocalState load() {
            return file;
        }

        @Override
        public CompletableFuture<Void> save(LocalState state) {
            Save save = new Save(state, new CompletableFuture<>());
            asked.add(save);
            return save.done;
        }

        void saves() {
            Save save = asked.removeFirst();
            file = save.state;
            save.done.complete(null);
        }

        void fails() {
            asked.removeFirst()
                    .done
                    .completeExceptionally(new UncheckedIOException(
                            "the state file cannot be written", new IOException("No space left on device")));
        }
    }

    /** A clock that goes when the test says so. */
    private static final class Time implements Clock {
        private record Timer(long at, Runnable task) {}

        private final PriorityQueue<Timer> timers = new PriorityQueue<>(Comparator.comparingLong(Timer::at));
        private long now;

        @Override
        public long millis() {
            return now;
        }

        @Override
        public Instant now() {
            return Instant.EPOCH.plusMillis(now);
        }

        @Override
        public void after(long delayMillis, Runnable task) {
            timers.add(new Timer(now + delayMillis, task));
        }

        void untilSomethingHappens(BooleanSupplier happened) {
            while (!happened.getAsBoolean()) {
                Timer next = timers.remove();
                now = Math.max(now, next.at);
                next.task.run();
            }
        }
    }
}
