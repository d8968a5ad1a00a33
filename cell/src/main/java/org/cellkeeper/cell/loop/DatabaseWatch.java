package org.cellkeeper.cell.loop;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.port.Clock;
import org.cellkeeper.cell.port.Database;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What is known of PostgreSQL: by looking at it, one look at a time, and by the observation that each verb ends with. What was looked at
 * before a verb ended is no news after it.
 */
final class DatabaseWatch {
    private static final Logger LOG = LoggerFactory.getLogger(DatabaseWatch.class);

    private static final long THOROUGH_EVERY = 5_000;

    private final Database database;
    private final Clock clock;
    private final Executor loop;
    private final Runnable learnt;

    private @Nullable DatabaseView seen;
    private long verbsBegun;
    private long verbsDone;
    private boolean looking;
    private boolean lookAgain;
    private long thoroughAt;
    private boolean needsNewSession;

    /** @param learnt to be called after each look */
    DatabaseWatch(Database database, Clock clock, Executor loop, Runnable learnt) {
        this.database = database;
        this.clock = clock;
        this.loop = loop;
        this.learnt = learnt;
    }

    /** What was seen last; null before the first look. */
    @Nullable
    DatabaseView seen() {
        return seen;
    }

    boolean verbRuns() {
        return verbsBegun > verbsDone;
    }

    /** Whether the next looks must show the commit rule as a new session sees it. Says whether that is new. */
    boolean needNewSession(boolean needed) {
        boolean closer = needed && !needsNewSession;
        needsNewSession = needed;
        return closer;
    }

    void observe() {
        if (looking) {
            lookAgain = true;
            return;
        }
        looking = true;
        lookAgain = false;
        long begunAfter = verbsDone;
        long now = clock.millis();
        // A verb under way ends with a look of its own, and thorough ones beside it would slow it down.
        boolean thorough = (needsNewSession && !verbRuns()) || seen == null || now - thoroughAt >= THOROUGH_EVERY;
        if (thorough) {
            thoroughAt = now;
        }
        CompletableFuture<DatabaseView> look = thorough ? database.observeThoroughly() : database.observe();
        OnLoop.whenDone(loop, look, (view, problem) -> {
            looking = false;
            if (problem != null) {
                LOG.warn("PostgreSQL could not be observed: {}", OnLoop.message(problem));
            } else if (begunAfter == verbsDone) {
                seen = view;
            }
            if (lookAgain || (problem == null && begunAfter != verbsDone)) {
                observe();
            }
            learnt.run();
        });
    }

    /** Takes over the observation that a verb ends with; only then is it done. */
    CompletableFuture<Void> verb(CompletableFuture<DatabaseView> verb, Consumer<DatabaseView> done) {
        verbsBegun++;
        CompletableFuture<Void> taken = new CompletableFuture<>();
        OnLoop.whenDone(loop, verb, (view, problem) -> {
            verbsDone++;
            if (problem != null) {
                taken.completeExceptionally(problem);
            } else {
                seen = view;
                done.accept(view);
                taken.complete(null);
            }
        });
        return taken;
    }
}
