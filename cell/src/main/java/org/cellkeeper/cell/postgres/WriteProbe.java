package org.cellkeeper.cell.postgres;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.cellkeeper.cell.model.DatabaseView;

/**
 * Finds out whether the data volume still takes writes: on a thread of its own it writes and fsyncs a fresh small file every
 * second. A fresh one, because a file system may take writes to existing blocks long after it has no room.
 */
final class WriteProbe implements AutoCloseable {
    static final long LEAST_SPACE = 32L << 20;

    /** What the last probe said; {@code problem} is empty unless FAILED. */
    record Verdict(DatabaseView.Writes writes, String problem) {}

    private static final Duration PERIOD = Duration.ofSeconds(1);
    private static final int SIZE = 4096;

    private final Path folder;
    private final Path file;
    private final Duration patience;
    private final CountDownLatch closed = new CountDownLatch(1);
    private final Thread thread;
    private volatile Verdict last = new Verdict(DatabaseView.Writes.UNKNOWN, "");
    private volatile long begunNanos;
    private volatile boolean inFlight;

    WriteProbe(Path folder, String name, Duration patience) {
        this.folder = folder;
        this.file = folder.resolve("." + name + ".probe");
        this.patience = patience;
        this.thread = Thread.ofPlatform().name("postgres-write-probe").daemon().unstarted(this::run);
    }

    void start() {
        thread.start();
    }

    Verdict verdict() {
        long begun = begunNanos;
        if (inFlight && System.nanoTime() - begun > patience.toNanos()) {
            return new Verdict(
                    DatabaseView.Writes.FAILED,
                    "a write to the data volume has hung for " + patience.toSeconds() + " s");
        }
        return last;
    }

    private void run() {
        try {
            do {
                begunNanos = System.nanoTime();
                inFlight = true;
                last = probe();
                inFlight = false;
            } while (!closed.await(PERIOD.toMillis(), TimeUnit.MILLISECONDS));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private Verdict probe() {
        try {
            Files.createDirectories(folder);
            long space = Files.getFileStore(folder).getUsableSpace();
            if (space < LEAST_SPACE) {
                return new Verdict(
                        DatabaseView.Writes.FAILED, "the data volume has only " + (space >> 20) + " MiB left");
            }
            Files.deleteIfExists(file);
            try (FileChannel channel =
                    FileChannel.open(file, Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE))) {
                ByteBuffer bytes = ByteBuffer.allocate(SIZE);
                while (bytes.hasRemaining()) {
                    channel.write(bytes);
                }
                channel.force(true);
            } finally {
                Files.deleteIfExists(file);
            }
            return new Verdict(DatabaseView.Writes.OK, "");
        } catch (IOException e) {
            return new Verdict(DatabaseView.Writes.FAILED, "the data volume cannot be written: " + e.getMessage());
        }
    }

    @Override
    public void close() {
        closed.countDown();
    }
}
