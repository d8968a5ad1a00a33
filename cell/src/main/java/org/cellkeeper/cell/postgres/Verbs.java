package org.cellkeeper.cell.postgres;

import java.io.IOException;
import java.sql.SQLException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Supplier;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.port.DatabaseFailure;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How verbs run: one after the other on a thread of their own, each followed by an observation. What fences runs on another thread;
 * it interrupts the verb in flight, and all that were asked for before it.
 */
final class Verbs implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Verbs.class);

    /** What a verb does; it throws when it does not come off. */
    interface Work {
        void run(Cancellation cancellation) throws IOException, SQLException;
    }

    private final ExecutorService verbs = threadNamed("postgres-verbs");
    private final ExecutorService fence = threadNamed("postgres-fence");

    // Guarded by this.
    private long generation;
    private @Nullable Cancellation inFlight;

    private static ExecutorService threadNamed(String name) {
        return Executors.newSingleThreadExecutor(
                Thread.ofPlatform().name(name).daemon().factory());
    }

    CompletableFuture<DatabaseView> run(String name, Work work, Supplier<CompletableFuture<DatabaseView>> afterwards) {
        CompletableFuture<DatabaseView> result = new CompletableFuture<>();
        long asked;
        synchronized (this) {
            asked = generation;
        }
        verbs.execute(() -> {
            Cancellation cancellation = new Cancellation();
            synchronized (this) {
                if (asked != generation) {
                    cancellation.cancel();
                }
                inFlight = cancellation;
            }
            try {
                cancellation.check();
                work.run(cancellation);
            } catch (IOException | SQLException | RuntimeException e) {
                result.completeExceptionally(failure(name, e, cancellation));
                return;
            } finally {
                synchronized (this) {
                    inFlight = null;
                }
            }
            // Begun after the verb's end: what it shows is not older.
            pass(afterwards.get(), result);
        });
        return result;
    }

    private static void pass(CompletableFuture<DatabaseView> observation, CompletableFuture<DatabaseView> result) {
        var _ = observation.whenComplete((view, problem) -> {
            if (problem == null) {
                result.complete(view);
            } else {
                result.completeExceptionally(problem);
            }
        });
    }

    private static DatabaseFailure failure(String verb, Exception e, Cancellation cancellation) {
        String words = cancellation.isCancelled() ? "interrupted by an immediate stop" : String.valueOf(e.getMessage());
        DatabaseFailure failure = new DatabaseFailure(verb + ": " + words, e);
        // Told by whoever asked for it.
        LOG.debug("{}", failure.getMessage());
        return failure;
    }

    /** Whether no verb is in flight. */
    synchronized boolean isIdle() {
        return inFlight == null;
    }

    /** Runs it between verbs; not at all once this is closed. */
    void between(Runnable work) {
        try {
            verbs.execute(work);
        } catch (RejectedExecutionException e) {
            // The agent closes.
        }
    }

    // ---- fencing

    /** Interrupts the verb in flight, has this done beside the verbs, and then an observation made. */
    CompletableFuture<DatabaseView> interrupt(
            String name, Runnable work, Supplier<CompletableFuture<DatabaseView>> afterwards) {
        // What is asked for from now on is not interrupted, and may be in flight before the fence's turn comes.
        Cancellation verb = supersede();
        if (verb != null) {
            Thread.ofVirtual().start(verb::cancel);
        }
        CompletableFuture<DatabaseView> result = new CompletableFuture<>();
        fence.execute(() -> {
            try {
                if (verb != null) {
                    verb.cancel();
                }
                work.run();
            } catch (RuntimeException e) {
                result.completeExceptionally(new DatabaseFailure(name + ": " + e.getMessage(), e));
                return;
            }
            pass(afterwards.get(), result);
        });
        return result;
    }

    /** Verbs that wait end without having begun; the one in flight is to be cancelled. */
    private synchronized @Nullable Cancellation supersede() {
        generation++;
        return inFlight;
    }

    /** Runs it beside the verbs, and interrupts none; not at all once this is closed. */
    void beside(Runnable work) {
        try {
            fence.execute(work);
        } catch (RejectedExecutionException e) {
            // The agent closes.
        }
    }

    /** Interrupts the verb in flight and those that wait. */
    void interruptAll() {
        Cancellation verb = supersede();
        if (verb != null) {
            verb.cancel();
        }
    }

    /** Ends the threads once they have done what they were given. */
    @Override
    public void close() {
        verbs.shutdown();
        fence.shutdown();
    }
}
