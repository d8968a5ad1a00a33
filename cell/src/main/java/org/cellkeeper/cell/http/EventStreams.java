package org.cellkeeper.cell.http;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.cellkeeper.cell.model.HistoryEntry;
import org.cellkeeper.cell.port.Operator;
import org.jspecify.annotations.Nullable;

/**
 * Hands new entries of the history to those who listen. One thread, {@code api-events}, reads the newest entries once a second while
 * anybody listens. A listener that does not keep up is let go; it comes back with the last id that it has seen.
 */
final class EventStreams implements AutoCloseable {
    static final int WINDOW = 100;

    private static final int LISTENERS = 32;
    private static final int BATCHES = 64;
    private static final long LOOK_MILLIS = 1000;
    private static final long ANSWER_SECONDS = 5;

    private final Operator operator;
    private final List<Listener> listeners = new CopyOnWriteArrayList<>();
    private final ScheduledThreadPoolExecutor thread = new ScheduledThreadPoolExecutor(
            1, Thread.ofPlatform().daemon().name("api-events").factory());

    EventStreams(Operator operator) {
        this.operator = operator;
    }

    void start() {
        var unused = thread.scheduleWithFixedDelay(this::look, LOOK_MILLIS, LOOK_MILLIS, TimeUnit.MILLISECONDS);
    }

    /** One who listens. What the thread hands over is waited for by the request's own thread. */
    final class Listener implements AutoCloseable {
        private final BlockingQueue<List<HistoryEntry>> batches = new ArrayBlockingQueue<>(BATCHES);
        private volatile boolean ended;
        private Set<HistoryEntry> seen;

        private Listener(Set<HistoryEntry> seen) {
            this.seen = seen;
        }

        /** The next entries, oldest first; none when nothing happened for so long. */
        List<HistoryEntry> next(Duration patience) throws InterruptedException {
            List<HistoryEntry> batch = batches.poll(patience.toMillis(), TimeUnit.MILLISECONDS);
            return batch == null ? List.of() : batch;
        }

        boolean ended() {
            return ended;
        }

        @Override
        public void close() {
            listeners.remove(this);
        }

        private void offer(List<HistoryEntry> newestFirst) {
            List<HistoryEntry> news = new ArrayList<>(newestFirst);
            news.removeAll(seen);
            seen = new HashSet<>(newestFirst);
            if (!news.isEmpty() && !batches.offer(news.reversed())) {
                end();
            }
        }

        private void end() {
            ended = true;
            batches.clear();
            batches.offer(List.of());
        }
    }

    /**
     * @param newestFirst the newest entries
     * @param lastId the last one that the listener has seen; null to hear of new ones only
     */
    Listener listen(List<HistoryEntry> newestFirst, @Nullable String lastId) {
        Listener listener;
        synchronized (this) {
            if (listeners.size() >= LISTENERS) {
                throw RequestProblem.unavailable(
                        "too-many-listeners", LISTENERS + " listen already; ask another cell, or later");
            }
            Set<HistoryEntry> known = new HashSet<>(newestFirst);
            List<HistoryEntry> missed = lastId == null
                    ? List.of()
                    : newestFirst.stream()
                            .takeWhile(entry -> !id(entry).equals(lastId))
                            .toList();
            listener = new Listener(known);
            if (!missed.isEmpty()) {
                listener.batches.add(missed.reversed());
            }
            listeners.add(listener);
        }
        return listener;
    }

    static String id(HistoryEntry entry) {
        return entry.time() + "/" + entry.cell() + "/" + entry.epoch() + "/" + entry.rule();
    }

    private void look() {
        if (listeners.isEmpty()) {
            return;
        }
        try {
            List<HistoryEntry> newest = operator.history(WINDOW).get(ANSWER_SECONDS, TimeUnit.SECONDS);
            listeners.forEach(listener -> listener.offer(newest));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException | TimeoutException | RuntimeException e) {
            // ZooKeeper is away: what happens meanwhile is told when it is back.
            return;
        }
    }

    @Override
    public void close() {
        thread.shutdownNow();
        listeners.forEach(Listener::end);
    }
}
