package org.cellkeeper.cell.guard;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The agent's sign of life for its {@link Guard}. The loop calls {@link #alive} at every turn, which costs it nothing; a
 * platform thread of its own writes the file every half second if there was such a call since, and at once when what is
 * said changes. So a hung loop stops the beat, and a slow disk does not stop the loop. It never deletes the file: what was
 * said last must outlive the agent.
 */
public final class Heartbeat implements AutoCloseable {
    static final String FILE = "agent.heartbeat";

    private static final Logger LOG = LoggerFactory.getLogger(Heartbeat.class);
    private static final long INTERVAL_NANOS = TimeUnit.MILLISECONDS.toNanos(500);

    private final Path file;
    private final Path fresh;
    private final Thread writer;

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private Beat said = Beat.NONE;
    private boolean alive;
    private boolean urgent;
    private boolean closed;

    /** @param folder the same as the guard's {@code --run} */
    public Heartbeat(Path folder) throws IOException {
        Files.createDirectories(folder);
        file = folder.resolve(FILE);
        fresh = folder.resolve(FILE + ".new");
        writer = Thread.ofPlatform().daemon().name("heartbeat").start(this::write);
    }

    /**
     * The loop has made another turn.
     *
     * @param role {@link Role#NONE} until the agent knows what its PostgreSQL is, {@link Role#PRIMARY} as soon as
     *     it may acknowledge a commit: before a promotion, not after it
     * @param postmaster its process id, 0 when it does not run
     */
    public void alive(Role role, long postmaster) {
        lock.lock();
        try {
            alive = true;
            if (role != said.role() || postmaster != said.postmaster()) {
                Target target = postmaster == 0 ? null : Target.of(postmaster);
                said = new Beat(role, postmaster, target == null ? 0 : target.started());
                urgent = true;
                changed.signalAll();
            }
        } finally {
            lock.unlock();
        }
    }

    /** Ends the beat. */
    @Override
    public void close() {
        lock.lock();
        try {
            closed = true;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        try {
            writer.join(TimeUnit.SECONDS.toMillis(1));
        } catch (InterruptedException stop) {
            Thread.currentThread().interrupt();
        }
    }

    private void write() {
        Beat written = null;
        long next = System.nanoTime();
        while (true) {
            Beat beat;
            lock.lock();
            try {
                long left = next - System.nanoTime();
                while (!closed && !urgent && (left > 0 || !alive)) {
                    left = changed.awaitNanos(left > 0 ? left : INTERVAL_NANOS / 10);
                }
                if (closed) {
                    return;
                }
                beat = said;
                alive = false;
                urgent = false;
            } catch (InterruptedException stop) {
                return;
            } finally {
                lock.unlock();
            }
            next = System.nanoTime() + INTERVAL_NANOS;
            try {
                if (beat.equals(written)) {
                    Files.setLastModifiedTime(file, FileTime.from(Instant.now()));
                } else {
                    replace(beat.text());
                    written = beat;
                }
            } catch (IOException failure) {
                written = null;
                LOG.warn("Cannot write {}: {}", file, failure.toString());
            }
        }
    }

    private void replace(String text) throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.US_ASCII);
        try {
            Files.write(fresh, bytes);
            Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException full) {
            // No room for a second file: over the old one then, which takes none. A reader that meets half of it looks
            // again.
            Files.write(file, bytes, StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING);
        }
    }
}
