package org.cellkeeper.cell.loop;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Executor;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.cellkeeper.cell.model.Backoff;
import org.cellkeeper.cell.model.Incarnation;
import org.cellkeeper.cell.model.LocalState;
import org.cellkeeper.cell.model.VersionedState;
import org.cellkeeper.cell.port.Clock;
import org.cellkeeper.cell.port.Journal;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a cell durably knows, and how it comes to know more. A save is built on what is durable, and one runs at a time: what is
 * asked for meanwhile goes into the next one, together with the newest shared state that was read (I3). When a save fails, all
 * that waited behind it fails too, for whoever asked counted on the one before (I1). Nothing else of the loop writes the state
 * file. Owned by the loop's thread; it never waits.
 */
final class DurableState {
    private static final Logger LOG = LoggerFactory.getLogger(DurableState.class);

    private static final Backoff RETRY = new Backoff(Duration.ofMillis(50), Duration.ofSeconds(5));
    /** How often it is said that the file still cannot be written. */
    private static final long REMIND = 60_000;

    /** The state file could not be written; it may hold what was to be saved all the same, but nobody may act on it. */
    static final class NotSaved extends RuntimeException {
        private static final long serialVersionUID = 1L;

        NotSaved(String why, Throwable cause) {
            super(why, cause);
        }
    }

    private record Change(UnaryOperator<LocalState> what, CompletableFuture<Void> done) {}

    private final Journal journal;
    private final Clock clock;
    private final Executor owner;
    private final Runnable learnt;

    private @Nullable LocalState known;
    private @Nullable VersionedState newestRead;
    private List<Change> waiting = new ArrayList<>();
    private boolean saving;
    private int failures;
    private long failingSince;
    private long notBefore;
    private long toldAt;
    private boolean waking;

    /** @param learnt runs when something was saved, or could not be */
    DurableState(Journal journal, Clock clock, Executor owner, Runnable learnt) {
        this.journal = journal;
        this.clock = clock;
        this.owner = owner;
        this.learnt = learnt;
    }

    /** Reads the state file; an empty appliance gets one first, however long that takes. */
    void begin(Supplier<Incarnation> newIncarnation, Runnable then) {
        LocalState loaded = journal.load();
        if (loaded == null) {
            saveFirst(LocalState.fresh(newIncarnation.get()), then);
        } else {
            known = loaded;
            then.run();
        }
    }

    private void saveFirst(LocalState fresh, Runnable then) {
        write(fresh, problem -> {
            if (problem == null) {
                recovered();
                known = fresh;
                then.run();
                saveNext();
            } else {
                failed(problem);
                clock.after(notBefore - clock.millis(), () -> saveFirst(fresh, then));
            }
        });
    }

    /** What is durable, and nothing else; null before the beginning. */
    @Nullable
    LocalState known() {
        return known;
    }

    /** The newest shared state that was read, durable or not. */
    @Nullable
    VersionedState newestRead() {
        return newestRead;
    }

    /** Whether the last save failed. */
    boolean isFailing() {
        return failures > 0;
    }

    /** A shared state was read: it is made durable, if it is news. */
    void read(VersionedState state) {
        if (newestRead == null || isNewer(state, newestRead)) {
            newestRead = state;
        }
        saveNext();
    }

    /** This cell itself wrote the state. */
    void wrote(VersionedState state) {
        if (newestRead == null || state.version() > newestRead.version()) {
            newestRead = state;
        }
        saveNext();
    }

    /** Completes when the change is durable; fails with {@link NotSaved}, and is forgotten then. */
    CompletableFuture<Void> save(UnaryOperator<LocalState> change) {
        CompletableFuture<Void> done = new CompletableFuture<>();
        waiting.add(new Change(change, done));
        saveNext();
        return done;
    }

    private void saveNext() {
        LocalState base = known;
        if (saving || base == null) {
            return;
        }
        VersionedState read = newestRead;
        boolean news = read != null && (base.seen() == null || isNewer(read, base.seen()));
        if (waiting.isEmpty()) {
            if (!news) {
                return;
            }
            long left = notBefore - clock.millis();
            if (left > 0) {
                wakeIn(left);
                return;
            }
        }
        LocalState next = news && read != null ? base.withSeen(read) : base;
        List<Change> batch = waiting;
        waiting = new ArrayList<>();
        for (Change change : batch) {
            next = change.what().apply(next);
        }
        LocalState saved = next;
        write(saved, problem -> {
            if (problem == null) {
                recovered();
                known = saved;
                batch.forEach(change -> change.done().complete(null));
            } else {
                failed(problem);
                batch.addAll(waiting);
                waiting = new ArrayList<>();
                NotSaved failure = new NotSaved(reason(problem), problem);
                batch.forEach(change -> change.done().completeExceptionally(failure));
            }
            learnt.run();
            saveNext();
        });
    }

    private void wakeIn(long millis) {
        if (!waking) {
            waking = true;
            clock.after(millis, () -> {
                waking = false;
                saveNext();
            });
        }
    }

    private interface Then {
        void accept(@Nullable Throwable problem);
    }

    @SuppressWarnings("FutureReturnValueIgnored")
    private void write(LocalState state, Then then) {
        saving = true;
        journal.save(state)
                .whenComplete((done, problem) -> owner.execute(() -> {
                    saving = false;
                    then.accept(problem);
                }));
    }

    /** Notes a failure, and tells of it: at once, and then rarely. */
    private void failed(Throwable problem) {
        long now = clock.millis();
        if (failures == 0) {
            failingSince = now;
            LOG.error(
                    "{}. Until it can be, this cell acts on nothing new; it is tried again and again", reason(problem));
            toldAt = now;
        } else if (now - toldAt >= REMIND) {
            LOG.error(
                    "{}. It has failed for {} s now, {} times",
                    reason(problem),
                    (now - failingSince) / 1_000,
                    failures + 1);
            toldAt = now;
        }
        failures++;
        notBefore = now + RETRY.after(failures).toMillis();
    }

    private void recovered() {
        if (failures > 0) {
            LOG.info(
                    "The state file can be written again, after {} failures in {} ms",
                    failures,
                    clock.millis() - failingSince);
        }
        failures = 0;
        failingSince = 0;
        notBefore = 0;
    }

    private static String reason(Throwable problem) {
        Throwable own =
                problem instanceof CompletionException && problem.getCause() != null ? problem.getCause() : problem;
        Throwable cause = own.getCause();
        return own.getMessage() + (cause == null ? "" : ": " + cause.getMessage());
    }

    /** Versions of two clusters' states tell nothing of each other. */
    private static boolean isNewer(VersionedState one, VersionedState other) {
        return one.version() > other.version() && isOfOneCluster(one, other);
    }

    static boolean isOfOneCluster(VersionedState one, VersionedState other) {
        return one.state().systemId().equals(other.state().systemId());
    }
}
