package org.cellkeeper.cell.postgres;

import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.cellkeeper.cell.port.DatabaseFailure;

/** Lets an immediate stop interrupt the verb in flight: its waits, its programs and its sessions. Safe for any thread. */
final class Cancellation {
    /** Ends the care for a resource that the verb no longer holds. */
    interface Registration extends AutoCloseable {
        @Override
        void close();
    }

    private final CountDownLatch cancelled = new CountDownLatch(1);
    private final Set<Runnable> closers = ConcurrentHashMap.newKeySet();

    void cancel() {
        cancelled.countDown();
        closers.forEach(Runnable::run);
    }

    boolean isCancelled() {
        return cancelled.getCount() == 0;
    }

    void check() {
        if (isCancelled()) {
            throw new DatabaseFailure("interrupted by an immediate stop");
        }
    }

    /** Runs {@code closer} when cancelled, at once if that is so already. */
    Registration onCancel(Runnable closer) {
        closers.add(closer);
        if (isCancelled()) {
            closer.run();
        }
        return () -> closers.remove(closer);
    }

    /** Asks again and again until it is so; false when the limit has passed first. */
    boolean await(Duration limit, Duration step, BooleanSupplier done) {
        long deadline = System.nanoTime() + limit.toNanos();
        while (!done.getAsBoolean()) {
            long left = deadline - System.nanoTime();
            if (left <= 0) {
                return false;
            }
            pause(Math.min(left, step.toNanos()));
        }
        return true;
    }

    private void pause(long nanos) {
        try {
            if (cancelled.await(nanos, TimeUnit.NANOSECONDS)) {
                check();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new DatabaseFailure("interrupted", e);
        }
    }
}
