package org.cellkeeper.cell.zookeeper;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.EnsembleServer;
import org.cellkeeper.cell.model.EnsembleServer.Standing;
import org.cellkeeper.cell.trust.Credentials;
import org.jspecify.annotations.Nullable;

/**
 * Asks every server of the ensemble every second, or every third, how it is: a session tells of one server alone, and not whether the others could
 * go on without it. No rule depends on it.
 */
public final class EnsembleWatch implements AutoCloseable {
    private static final long EVERY_MILLIS = 1000;
    /** A handshake with a certificate at either end takes both of them some ten milliseconds of a processor. */
    private static final long EVERY_MILLIS_ENCRYPTED = 3000;

    private final List<String> addresses;
    private final @Nullable Credentials credentials;
    private final Map<String, CellName> owners;
    private final Map<String, Standing> found = new ConcurrentHashMap<>();
    private final ScheduledThreadPoolExecutor thread = new ScheduledThreadPoolExecutor(
            1, Thread.ofPlatform().name("ensemble-watch").daemon().factory());
    private final ExecutorService asking = Executors.newThreadPerTaskExecutor(
            Thread.ofVirtual().name("ensemble-ask").factory());

    /**
     * Begins at once.
     *
     * @param addresses of the servers, as in a connect string: host and client port
     * @param owners the cells that run them, by the addresses
     * @param credentials with which they are asked; null when nothing is encrypted
     */
    public EnsembleWatch(List<String> addresses, Map<String, CellName> owners, @Nullable Credentials credentials) {
        this.credentials = credentials;
        this.addresses = addresses;
        this.owners = owners;
        long pause = credentials == null ? EVERY_MILLIS : EVERY_MILLIS_ENCRYPTED;
        for (String server : addresses) {
            var _ = thread.scheduleWithFixedDelay(
                    () -> asking.execute(() -> found.put(server, ask(server))), 0, pause, TimeUnit.MILLISECONDS);
        }
    }

    /** How they were when they were last asked. */
    public List<EnsembleServer> servers() {
        List<EnsembleServer> servers = new ArrayList<>();
        for (String address : addresses) {
            CellName cell = owners.get(address);
            String whose = cell == null ? "" : cell + ", ";
            String name = "server " + (servers.size() + 1) + " (" + whose + address + ")";
            servers.add(new EnsembleServer(name, cell, found.getOrDefault(address, Standing.UNKNOWN)));
        }
        return List.copyOf(servers);
    }

    private Standing ask(String server) {
        int colon = server.lastIndexOf(':');
        String host = server.substring(0, colon);
        String plain = host.startsWith("[") ? host.substring(1, host.length() - 1) : host;
        return ZooKeeperServerStatus.of(plain, Integer.parseInt(server.substring(colon + 1)), credentials)
                .standing();
    }

    @Override
    public void close() {
        thread.shutdownNow();
        asking.shutdownNow();
    }
}
