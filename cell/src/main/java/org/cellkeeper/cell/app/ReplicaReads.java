package org.cellkeeper.cell.app;

import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/**
 * Reads of the replicated database: of this cell's own copy while that is current, so that they need no primary; else, or when that
 * cannot be read, of the primary's. One after the other, on the thread {@code app-reads}; who has waited too long is not answered.
 */
final class ReplicaReads implements AutoCloseable {
    private static final Duration ANSWER = Duration.ofSeconds(1);
    private static final long WITHIN_MILLIS = 3000;
    private static final int WAITING = 256;

    private final Pool local;
    private final Pool primary;
    private final BooleanSupplier localCurrent;
    private final ThreadPoolExecutor thread = new ThreadPoolExecutor(
            1,
            1,
            0,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(WAITING),
            Thread.ofPlatform().daemon().name("app-reads").factory());

    ReplicaReads(Pool local, Pool primary, BooleanSupplier localCurrent) {
        this.local = local;
        this.primary = primary;
        this.localCurrent = localCurrent;
    }

    <T> CompletableFuture<T> read(Pool.Work<T> question) {
        CompletableFuture<T> answer = new CompletableFuture<>();
        try {
            thread.execute(() -> {
                if (!answer.isDone()) {
                    read(question, answer);
                }
            });
        } catch (RejectedExecutionException e) {
            return CompletableFuture.failedFuture(e);
        }
        return answer.orTimeout(WITHIN_MILLIS, TimeUnit.MILLISECONDS);
    }

    private <T> void read(Pool.Work<T> question, CompletableFuture<T> answer) {
        List<Pool> order = localCurrent.getAsBoolean() ? List.of(local, primary) : List.of(primary, local);
        try {
            try {
                answer.complete(order.getFirst().ask(ANSWER, question));
            } catch (SQLException first) {
                answer.complete(order.getLast().ask(ANSWER, question));
            }
        } catch (SQLException | RuntimeException e) {
            answer.completeExceptionally(e);
        }
    }

    @Override
    public void close() {
        thread.shutdownNow();
    }
}
