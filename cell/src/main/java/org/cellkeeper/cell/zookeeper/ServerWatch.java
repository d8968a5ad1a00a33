package org.cellkeeper.cell.zookeeper;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Looks once a second which list of servers this cell's own ZooKeeper server runs with, whether it holds anything, and what keeps it
 * from running, and tells when that has changed. A thread of its own reads the files, for a disk may hang.
 */
public final class ServerWatch implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ServerWatch.class);
    private static final long EVERY_MILLIS = 1000;

    /** Is told on the watch's own thread. */
    public interface Listener {
        void found(Found found);
    }

    /**
     * How the server is.
     *
     * @param servers the hosts of those that it runs with; null while that is not known
     * @param empty whether it has no data yet, or has lost them
     * @param problem what keeps it from running, and what to do; empty when nothing does
     */
    public record Found(@Nullable List<String> servers, boolean empty, String problem) {}

    private final Path folder;
    private final Path hold;
    private final Listener listener;
    private final ScheduledThreadPoolExecutor thread = new ScheduledThreadPoolExecutor(
            1, Thread.ofPlatform().name("server-watch").daemon().factory());
    private @Nullable Found told;

    /** Begins at once; the folder is the server's own, and {@code hold} the file that keeps the guard from starting it. */
    public ServerWatch(Path folder, Path hold, Listener listener) {
        this.folder = folder;
        this.hold = hold;
        this.listener = listener;
        var unused = thread.scheduleWithFixedDelay(this::look, 0, EVERY_MILLIS, TimeUnit.MILLISECONDS);
    }

    private void look() {
        Found now;
        try {
            now = new Found(ZooKeeperServer.runsWith(folder), ZooKeeperServer.isEmpty(folder), problem());
        } catch (IOException | RuntimeException e) {
            now = new Found(null, false, "what this cell's ZooKeeper server runs with cannot be read: " + e);
        }
        if (!now.equals(told)) {
            if (!now.problem().isEmpty()) {
                LOG.warn("{}", now.problem());
            }
            told = now;
            listener.found(now);
        }
    }

    private String problem() throws IOException {
        if (Files.exists(hold)) {
            return "this cell's ZooKeeper server is held back: remove " + hold + " to have it started";
        }
        String unusable = ZooKeeperServer.unusable(folder);
        return unusable.isEmpty()
                ? ""
                : "this cell's ZooKeeper server cannot use its files (" + unusable
                        + "): it takes the data of the others as soon as a majority of them serves";
    }

    @Override
    public void close() {
        thread.shutdownNow();
    }
}
