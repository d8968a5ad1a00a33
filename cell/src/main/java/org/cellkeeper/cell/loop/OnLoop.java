package org.cellkeeper.cell.loop;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/** Results that other threads bring about, taken over on the loop's own. */
final class OnLoop {
    private OnLoop() {}

    /** Whatever goes wrong in {@code then} is the loop's own failure. */
    @SuppressWarnings("FutureReturnValueIgnored")
    static <T> void whenDone(Executor loop, CompletableFuture<T> future, BiConsumer<T, @Nullable Throwable> then) {
        future.whenComplete((value, problem) -> loop.execute(() -> then.accept(value, problem)));
    }

    /** What went wrong, in the first line that says so. */
    static String message(Throwable problem) {
        Throwable cause = problem.getCause() != null ? problem.getCause() : problem;
        String text = cause.getMessage();
        return text == null
                ? cause.getClass().getSimpleName()
                : text.lines().findFirst().orElse("");
    }
}
