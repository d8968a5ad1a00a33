package org.cellkeeper.cell.zookeeper;

import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.cellkeeper.cell.model.EnsembleServer.Standing;

/**
 * Asks every server of the ensemble once a second how it is: a session tells of one server alone, and not whether the others could
 * go on without it. No rule depends on it.
 */
public final class EnsembleWatch implements AutoCloseable {
    private static final long EVERY_MILLIS = 1000;

    private final Map<String, Standing> found = new ConcurrentHashMap<>();
    private final ScheduledThreadPoolExecutor thread = new ScheduledThreadPoolExecutor(
            1, Thread.ofPlatform().name("ensemble-watch").daemon().factory());
    private final ExecutorService asking = Executors.newThreadPerTaskExecutor(
            Thread.ofVirtual().name("ensemble-ask").factory());

    /** @param servers as in a connect string: host and client port */
    public EnsembleWatch(List<String> servers) {
        for (String server : servers) {
            var _ = thread.scheduleWithFixedDelay(
                    () -> asking.execute(() -> found.put(server, ask(server))), 0, EVERY_MILLIS, TimeUnit.MILLISECONDS);
        }
    }

    /** How that server was when it was last asked. */
    public Standing standing(String server) {
        return found.getOrDefault(server, Standing.UNKNOWN);
    }

    private static Standing ask(String server) {
        int colon = server.lastIndexOf(':');
        String host = server.substring(0, colon);
        String plain = host.startsWith("[") ? host.substring(1, host.length() - 1) : host;
        return switch (ZooKeeperServerStatus.of(plain, Integer.parseInt(server.substring(colon + 1)))) {
            case LEADER, FOLLOWER, STANDALONE, OBSERVER, UNTOLD -> Standing.SERVING;
            case NOT_SERVING -> Standing.WAITING;
            case UNREACHABLE -> Standing.SILENT;
        };
    }

    @Override
    public void close() {
        thread.shutdownNow();
        asking.shutdownNow();
    }
}
