package org.cellkeeper.testing;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** Waiting, always within bounds. */
public final class Patience {
    private static final Duration BETWEEN_LOOKS = Duration.ofMillis(100);

    private Patience() {}

    /** A condition, and what is seen while it does not hold. */
    @FunctionalInterface
    public interface Look {
        /** Null when it holds, else what was seen instead. */
        @Nullable
        String take() throws Exception;
    }

    /** Waits until it holds; says how long it took. */
    public static Duration await(String what, Duration within, Look look) {
        long start = System.nanoTime();
        while (true) {
            String seen;
            try {
                seen = look.take();
            } catch (InterruptedException stop) {
                Thread.currentThread().interrupt();
                throw new AssertionError("interrupted", stop);
            } catch (Exception failure) {
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

    /** Something must stay as it is all this time. */
    public static void holds(String what, Duration all, Look look) {
        long start = System.nanoTime();
        while (System.nanoTime() - start < all.toNanos()) {
            String seen;
            try {
                seen = look.take();
            } catch (Exception failure) {
                throw new AssertionError("It cannot be told any more: " + what, failure);
            }
            if (seen != null) {
                throw new AssertionError("After " + (System.nanoTime() - start) / 1_000_000 + " ms no longer: " + what
                        + ". Seen: " + seen);
            }
            pass(BETWEEN_LOOKS);
        }
    }

    /** Lets time pass. */
    public static void pass(Duration time) {
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
