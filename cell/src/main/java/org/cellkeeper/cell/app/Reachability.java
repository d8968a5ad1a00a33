package org.cellkeeper.cell.app;

import java.sql.SQLException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Whether the primary's database can be reached from here. One look at a time, on the thread {@code app-check}; all who ask
 * meanwhile get its answer, and within a second afterwards the same again. It looks only when it is asked.
 */
final class Reachability implements AutoCloseable {
    private static final long FRESH_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final Duration ANSWER = Duration.ofSeconds(1);
    private static final long WITHIN_MILLIS = 2500;

    /** What was seen. */
    enum Seen {
        NOTHING,
        /** A primary, in which the app's tables are not there yet. */
        PRIMARY,
        TABLES
    }

    private final Pool primary;
    private final ExecutorService thread = Executors.newSingleThreadExecutor(
            Thread.ofPlatform().daemon().name("app-check").factory());

    /** Whether the tables were ever seen. */
    private volatile boolean everSeen;

    // Guarded by this.
    private @Nullable CompletableFuture<Seen> last;
    private boolean underWay;
    private long ended;

    Reachability(Pool primary) {
        this.primary = primary;
    }

    /** Somebody has just worked with the tables: what was seen before they were there counts no longer. */
    synchronized void reached() {
        everSeen = true;
        if (!underWay) {
            last = null;
        }
    }

    boolean everReached() {
        return everSeen;
    }

    /** Never fails; a look that takes too long has seen nothing. */
    synchronized CompletableFuture<Seen> look() {
        CompletableFuture<Seen> known = last;
        if (known != null && (underWay || System.nanoTime() - ended < FRESH_NANOS)) {
            return known;
        }
        CompletableFuture<Seen> answer = new CompletableFuture<>();
        try {
            thread.execute(() -> take(answer));
        } catch (RejectedExecutionException e) {
            return CompletableFuture.completedFuture(Seen.NOTHING);
        }
        last = answer;
        underWay = true;
        return answer.completeOnTimeout(Seen.NOTHING, WITHIN_MILLIS, TimeUnit.MILLISECONDS);
    }

    private void take(CompletableFuture<Seen> answer) {
        Seen seen = Seen.NOTHING;
        try {
            seen = primary.ask(ANSWER, session -> Schema.isThere(session) ? Seen.TABLES : Seen.PRIMARY);
        } catch (SQLException | RuntimeException e) {
            // Then it is not reached; the next look may be better.
            seen = Seen.NOTHING;
        } finally {
            if (seen == Seen.TABLES) {
                everSeen = true;
            }
            synchronized (this) {
                underWay = false;
                ended = System.nanoTime();
            }
            answer.complete(seen);
        }
    }

    @Override
    public void close() {
        thread.shutdownNow();
    }
}
