package org.cellkeeper.cell.postgres;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What is done now and then, on a thread of its own: what was configured anew, clients of a stopped PostgreSQL, old logs. */
final class Housekeeping implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Housekeeping.class);
    private static final int KEPT_LOGS = 10;

    private final Path logDir;
    private final Reconfiguration reconfiguration;
    private final Runnable refuseClients;
    private final ScheduledExecutorService thread = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().name("postgres-housekeeping").daemon().factory());

    Housekeeping(Path logDir, Reconfiguration reconfiguration, Runnable refuseClients) {
        this.logDir = logDir;
        this.reconfiguration = reconfiguration;
        this.refuseClients = refuseClients;
    }

    void start() {
        every(0, 3, reconfiguration::look);
        every(1, 60, this::pruneLogs);
        every(2, 2, refuseClients);
    }

    private void every(long firstAfterSeconds, long seconds, Runnable work) {
        var _ = thread.scheduleWithFixedDelay(work, firstAfterSeconds, seconds, TimeUnit.SECONDS);
    }

    private void pruneLogs() {
        try (DirectoryStream<Path> logs = Files.newDirectoryStream(logDir, "postgresql-*.log")) {
            List<Path> all = new ArrayList<>();
            logs.forEach(all::add);
            all.sort(null);
            for (Path log : all.subList(0, Math.max(0, all.size() - KEPT_LOGS))) {
                Files.deleteIfExists(log);
            }
        } catch (IOException e) {
            LOG.warn("Old logs cannot be removed: {}", e.getMessage());
        }
    }

    @Override
    public void close() {
        thread.shutdownNow();
    }
}
