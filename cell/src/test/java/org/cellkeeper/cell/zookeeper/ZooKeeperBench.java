package org.cellkeeper.cell.zookeeper;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.cellkeeper.cell.port.Coordination;
import org.cellkeeper.cell.port.CoordinationBench;
import org.cellkeeper.cell.trust.TrustFolder;
import org.jspecify.annotations.Nullable;

/** Clients of a running server, each by a way of its own that can be cut. */
final class ZooKeeperBench implements CoordinationBench {
    static final String SECRET = "open sesame";
    static final Duration SESSION = Duration.ofSeconds(2);

    private final ZooKeeperServerSettings.Server server;
    private final String basePath;
    private final @Nullable TrustFolder trust;
    private final Map<Coordination, Relay> ways = new LinkedHashMap<>();

    ZooKeeperBench(ZooKeeperServerSettings.Server server, String basePath, @Nullable TrustFolder trust) {
        this.trust = trust;
        this.server = server;
        this.basePath = basePath;
    }

    String basePath() {
        return basePath;
    }

    @Override
    public ZooKeeperCoordination client() {
        return client(SECRET);
    }

    ZooKeeperCoordination client(String secret) {
        try {
            Relay way = new Relay(server.host(), server.clientPort());
            ZooKeeperCoordination client = new ZooKeeperCoordination(
                    new CoordinationSettings(List.of(way.address()), basePath, secret, SESSION, true, trust));
            ways.put(client, way);
            return client;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void end(Coordination client) {
        ((ZooKeeperCoordination) client).close();
    }

    @Override
    public boolean canCutOff() {
        return true;
    }

    @Override
    public void cutOff(Coordination client) {
        way(client).cut();
    }

    @Override
    public void reconnect(Coordination client) {
        way(client).mend();
    }

    private Relay way(Coordination client) {
        return Objects.requireNonNull(ways.get(client));
    }

    @Override
    public void close() throws IOException {
        for (Map.Entry<Coordination, Relay> entry : ways.entrySet()) {
            end(entry.getKey());
            entry.getValue().close();
        }
    }
}
