package org.cellkeeper.cell.real;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Waiting, always within bounds. */
final class Patience {
    private static final Duration BETWEEN_LOOKS = Duration.ofMillis(100);

    private Patience() {}

    /** A condition, and what is seen while it does not hold. */
    interface Look {
        /** Null when it holds, else what was seen instead. */
        @Nullable
        String take();
    }

    /** Waits until it holds; says how long it took. */
    static Duration await(String what, Duration within, Look look) {
        long start = System.nanoTime();
        while (true) {
            String seen;
            try {
                seen = look.take();
            } catch (RuntimeException failure) {
                seen = failure.toString();
            }
            long passed = System.nanoTime() - start;
            if (seen == null) {
                return Duration.ofNanos(passed);
            }
            if (passed > within.toNanos()) {
                throw new AssertionError("Not within " + within.toMillis() + " ms: " + what + ". Last seen: " + seen);
            }
            pass(BETWEEN_LOOKS);
        }
    }

    static Duration await(String what, Duration within, Supplier<Boolean> holds, String otherwise) {
        return await(what, within, () -> holds.get() ? null : otherwise);
    }

    /** Something must stay as it is all this time. */
    static void holds(String what, Duration all, Look look) {
        long start = System.nanoTime();
        while (System.nanoTime() - start < all.toNanos()) {
            String seen = look.take();
            if (seen != null) {
                throw new AssertionError("After " + (System.nanoTime() - start) / 1_000_000 + " ms no longer: " + what
                        + ". Seen: " + seen);
            }
            pass(BETWEEN_LOOKS);
        }
    }

    /** Lets time pass. */
    static void pass(Duration time) {
        try {
            boolean never = new CountDownLatch(1).await(time.toNanos(), TimeUnit.NANOSECONDS);
            if (never) {
                throw new AssertionError("nobody counts down");
            }
        } catch (InterruptedException stop) {
            Thread.currentThread().interrupt();
            throw new AssertionError("interrupted", stop);
        }
    }
}
