package org.cellkeeper.cell.http;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.cellkeeper.api.AuditEntry;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps what was noted in the cell's folder, within bounds. What is refused has a file of its own and is counted, each kind for ten minutes
 * in one entry, so that nobody who may do nothing can push out what others did. One thread, {@code api-audit}, writes and reads, for a
 * disk may hang; any thread may use it.
 */
final class AuditLog implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(AuditLog.class);

    static final String SEVERAL = "several";

    private static final int QUEUED = 1000;
    private static final int OPEN = 64;
    private static final Duration ONE_ENTRY_FOR = Duration.ofMinutes(10);
    private static final Duration DISK_ANSWERS = Duration.ofSeconds(1);
    private static final Duration TOLD_AGAIN = Duration.ofMinutes(1);
    private static final int NEW_KINDS = 100;
    private static final Duration NEW_KIND = Duration.ofMillis(500);

    private final AuditFile done;
    private final AuditFile refused;
    private final ThreadPoolExecutor thread = new ThreadPoolExecutor(
            1,
            1,
            0,
            TimeUnit.SECONDS,
            new ArrayBlockingQueue<>(QUEUED),
            Thread.ofPlatform()
                    .daemon()
                    .name("api-audit")
                    .priority(Thread.MIN_PRIORITY)
                    .factory());

    // ---- owned by the thread

    /** Entries that may yet grow, the oldest first, by what makes them the same. */
    private final LinkedHashMap<AuditEntry, Counted> open = new LinkedHashMap<>();

    private final Allowance newKinds = new Allowance(NEW_KINDS, NEW_KIND, System.nanoTime());
    private long toldAt = System.nanoTime() - TOLD_AGAIN.toNanos();

    /** @param largest how many bytes each of four files has, or one entry more */
    AuditLog(Path folder, long largest) {
        this.done = new AuditFile(folder, "done", largest);
        this.refused = new AuditFile(folder, "refused", largest);
    }

    private final class Counted {
        private final AuditFile file;
        private final long since = System.nanoTime();
        private AuditEntry entry;
        private long written;

        private Counted(AuditFile file, AuditEntry entry) {
            this.file = file;
            this.entry = entry;
        }

        private void more(String until) {
            entry = with(entry, until, entry.count() + 1);
            // Each doubling is written: few lines, and of what a crash leaves no more than half is missing.
            if (entry.count() >= 2 * written) {
                write();
            }
        }

        private void write() {
            if (written < entry.count()) {
                append(file, entry, false);
                written = entry.count();
            }
        }
    }

    // ---- on any thread

    /** On the disk when this returns, unless that takes too long. */
    void note(AuditEntry entry) {
        CompletableFuture<Void> written = submit(() -> append(done, entry, true));
        try {
            written.get(DISK_ANSWERS.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException | ExecutionException e) {
            log.warn("Not known to be in the audit log: {}", words(entry));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** What was not refused, and is of a kind that comes often. */
    void count(AuditEntry entry) {
        var unused = submit(() -> count(done, entry, kindOf(entry)));
    }

    /** @param kind the same for what is to be one entry: its time and whatever else does not count are left out */
    void refuse(AuditEntry entry, AuditEntry kind) {
        if (thread.getQueue().size() > QUEUED / 2) {
            // What is left is for those who may do something.
            return;
        }
        var unused = submit(() -> {
            boolean isNew = !open.containsKey(kind);
            if (isNew && !newKinds.take(System.nanoTime())) {
                AuditEntry several = new AuditEntry(
                        entry.time(),
                        null,
                        entry.event(),
                        null,
                        null,
                        SEVERAL,
                        "",
                        "",
                        entry.status(),
                        entry.code(),
                        1);
                count(refused, several, kindOf(several));
            } else {
                count(refused, entry, kind);
            }
        });
    }

    /** The newest first. */
    CompletableFuture<List<AuditEntry>> newest(int limit, @Nullable Instant before) {
        try {
            return CompletableFuture.supplyAsync(() -> read(limit, before), thread);
        } catch (RejectedExecutionException full) {
            return CompletableFuture.failedFuture(full);
        }
    }

    private CompletableFuture<Void> submit(Runnable deed) {
        try {
            return CompletableFuture.runAsync(deed, thread);
        } catch (RejectedExecutionException full) {
            return CompletableFuture.failedFuture(full);
        }
    }

    /** What counts has reached the disk when this returns, unless that takes too long. */
    @Override
    public void close() {
        var unused = submit(() -> open.values().forEach(Counted::write));
        thread.shutdown();
        try {
            if (!thread.awaitTermination(DISK_ANSWERS.toMillis(), TimeUnit.MILLISECONDS)) {
                thread.shutdownNow();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    // ---- on the thread

    private void count(AuditFile file, AuditEntry entry, AuditEntry kind) {
        boolean isFull = open.size() >= OPEN && !open.containsKey(kind);
        Iterator<Counted> oldest = open.values().iterator();
        while (oldest.hasNext()) {
            Counted counted = oldest.next();
            if (!isFull && System.nanoTime() - counted.since < ONE_ENTRY_FOR.toNanos()) {
                break;
            }
            isFull = false;
            counted.write();
            oldest.remove();
        }
        Counted before = open.get(kind);
        if (before != null) {
            before.more(entry.time());
            return;
        }
        Counted counted = new Counted(file, entry);
        open.put(kind, counted);
        counted.write();
    }

    private void append(AuditFile file, AuditEntry entry, boolean durably) {
        try {
            file.append(entry, durably);
        } catch (IOException e) {
            if (durably || System.nanoTime() - toldAt > TOLD_AGAIN.toNanos()) {
                toldAt = System.nanoTime();
                log.warn("The audit log cannot be written: {}; not in it: {}", e.toString(), words(entry));
            }
        }
    }

    private List<AuditEntry> read(int limit, @Nullable Instant before) {
        Newest newest = new Newest(limit, before);
        try {
            done.read(newest::add);
            refused.read(newest::add);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        open.values().forEach(counted -> newest.add(counted.entry));
        return newest.all();
    }

    /** Of entries that were written again with a greater count the last one counts. */
    private static final class Newest {
        private record Place(Instant time, AuditEntry of) {}

        private final int limit;
        private final @Nullable Instant before;
        private final PriorityQueue<Place> oldestFirst = new PriorityQueue<>(Comparator.comparing(Place::time));
        private final Map<AuditEntry, List<AuditEntry>> found = new HashMap<>();

        private Newest(int limit, @Nullable Instant before) {
            this.limit = limit;
            this.before = before;
        }

        private void add(AuditEntry entry) {
            Instant time = Instant.parse(entry.time());
            if (before != null && !time.isBefore(before)) {
                return;
            }
            AuditEntry same = with(entry, null, 1);
            List<AuditEntry> those = found.get(same);
            if (those != null && isCounted(entry)) {
                if (those.getLast().count() < entry.count()) {
                    those.set(those.size() - 1, entry);
                }
                return;
            }
            Place oldest = oldestFirst.peek();
            if (oldestFirst.size() >= limit && oldest != null) {
                if (time.isBefore(oldest.time)) {
                    return;
                }
                oldestFirst.remove();
                List<AuditEntry> old = found.getOrDefault(oldest.of, new ArrayList<>());
                if (!old.isEmpty()) {
                    old.removeFirst();
                }
                if (old.isEmpty()) {
                    found.remove(oldest.of);
                }
            }
            oldestFirst.add(new Place(time, same));
            found.computeIfAbsent(same, unused -> new ArrayList<>()).add(entry);
        }

        private List<AuditEntry> all() {
            return found.values().stream()
                    .flatMap(List::stream)
                    .sorted(Comparator.comparing((AuditEntry entry) -> Instant.parse(entry.time()))
                            .reversed())
                    .toList();
        }
    }

    private static boolean isCounted(AuditEntry entry) {
        return !entry.event().equals(Audit.CHANGE);
    }

    private static AuditEntry with(AuditEntry entry, @Nullable String until, long count) {
        return new AuditEntry(
                entry.time(),
                until,
                entry.event(),
                entry.user(),
                entry.role(),
                entry.address(),
                entry.method(),
                entry.path(),
                entry.status(),
                entry.code(),
                count);
    }

    /** The same without its time. */
    static AuditEntry kindOf(AuditEntry entry) {
        return new AuditEntry(
                "",
                null,
                entry.event(),
                entry.user(),
                entry.role(),
                entry.address(),
                entry.method(),
                entry.path(),
                entry.status(),
                entry.code(),
                1);
    }

    private static String words(AuditEntry entry) {
        return String.join(
                " ",
                entry.time(),
                entry.event(),
                String.valueOf(entry.user()),
                entry.address(),
                entry.method(),
                entry.path(),
                String.valueOf(entry.status()));
    }
}
