package org.cellkeeper.cell.loop;

import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.cellkeeper.cell.model.Busy;

/**
 * The one thread that a {@link CellLoop} lives on, and its timers. A task that fails is a programmer's error: it is handed to
 * {@code fatal}, which must end the process, for nothing is known of the loop's state any more.
 */
public final class Mailbox implements Executor, AutoCloseable {
    private final ScheduledThreadPoolExecutor thread;
    private final Consumer<Throwable> fatal;

    /** Written by the one thread alone. */
    private volatile Busy busy = Busy.NEVER;

    public Mailbox(Consumer<Throwable> fatal) {
        this.fatal = fatal;
        this.thread = new ScheduledThreadPoolExecutor(1, task -> new Thread(task, "cell-loop"));
        this.thread.setRemoveOnCancelPolicy(true);
    }

    @Override
    @SuppressWarnings("FutureReturnValueIgnored") // guarded() lets nothing escape into the future
    public void execute(Runnable task) {
        try {
            thread.schedule(guarded(task), 0, TimeUnit.MILLISECONDS);
        } catch (RejectedExecutionException e) {
            // Closed: nobody listens any more.
            return;
        }
    }

    @SuppressWarnings("FutureReturnValueIgnored")
    void after(long delayMillis, Runnable task) {
        try {
            thread.schedule(guarded(task), delayMillis, TimeUnit.MILLISECONDS);
        } catch (RejectedExecutionException e) {
            return;
        }
    }

    /** Runs the task again and again, for as long as the thread gets round to it. */
    @SuppressWarnings("FutureReturnValueIgnored")
    public void every(long periodMillis, Runnable task) {
        thread.scheduleWithFixedDelay(guarded(task), 0, periodMillis, TimeUnit.MILLISECONDS);
    }

    /** What the thread has had to do since its start. */
    public Busy busy() {
        return busy;
    }

    private Runnable guarded(Runnable task) {
        return () -> {
            long begun = System.nanoTime();
            try {
                task.run();
            } catch (RuntimeException | Error e) {
                fatal.accept(e);
            }
            busy = busy.and(System.nanoTime() - begun);
        };
    }

    @Override
    public void close() {
        thread.shutdownNow();
    }
}
