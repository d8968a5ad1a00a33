package org.cellkeeper.cell.zookeeper;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Looks once a second which list of servers this cell's own ZooKeeper server runs with, and whether it holds anything, and tells
 * when that has changed. A thread of its own reads the files, for a disk may hang.
 */
public final class ServerWatch implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ServerWatch.class);
    private static final long EVERY_MILLIS = 1000;

    /** Is told on the watch's own thread. */
    public interface Listener {
        /** Null servers are not known yet; an empty server has no data yet, or has lost them. */
        void found(@Nullable List<String> servers, boolean empty);
    }

    private final Path folder;
    private final Listener listener;
    private final ScheduledThreadPoolExecutor thread = new ScheduledThreadPoolExecutor(
            1, Thread.ofPlatform().name("server-watch").daemon().factory());
    private @Nullable List<String> servers;
    private boolean empty;
    private boolean told;

    /** Begins at once; the folder is the server's own. */
    public ServerWatch(Path folder, Listener listener) {
        this.folder = folder;
        this.listener = listener;
        var unused = thread.scheduleWithFixedDelay(this::look, 0, EVERY_MILLIS, TimeUnit.MILLISECONDS);
    }

    private void look() {
        List<String> now = null;
        boolean nothing = false;
        try {
            now = ZooKeeperPeer.runsWith(folder);
            nothing = ZooKeeperPeer.isEmpty(folder);
        } catch (IOException | RuntimeException e) {
            LOG.warn("what the ZooKeeper server runs with cannot be read: {}", e.toString());
        }
        if (!told || !Objects.equals(now, servers) || nothing != empty) {
            told = true;
            servers = now;
            empty = nothing;
            listener.found(now, nothing);
        }
    }

    @Override
    public void close() {
        thread.shutdownNow();
    }
}
