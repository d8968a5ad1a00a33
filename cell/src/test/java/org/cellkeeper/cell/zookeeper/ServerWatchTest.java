package org.cellkeeper.cell.zookeeper;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.TreeMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a cell says of its own server: only what that really runs with. */
final class ServerWatchTest {
    private record Found(@Nullable List<String> servers, boolean empty) {}

    @TempDir
    private Path folder;

    private final LinkedBlockingQueue<Found> told = new LinkedBlockingQueue<>();

    private PeerSettings settings(String... hosts) {
        TreeMap<Integer, PeerSettings.Server> servers = new TreeMap<>();
        Arrays.stream(hosts).forEach(host -> servers.put(servers.size() + 1, PeerSettings.Server.at(host)));
        return new PeerSettings(folder.toString(), 1, servers);
    }

    private Found next() throws InterruptedException {
        Found found = told.poll(20, TimeUnit.SECONDS);
        assertThat(found).as("told within 20 s").isNotNull();
        return found;
    }

    @Test
    void theListIsToldOnceTheServerHasBegunToRunWithItAndItsDataOnceTheyAreThere() throws Exception {
        ZooKeeperPeer.write(settings("10.0.0.1", "fd00::2"));
        try (ServerWatch _ = new ServerWatch(folder, (servers, empty) -> told.add(new Found(servers, empty)))) {
            assertThat(next()).isEqualTo(new Found(null, true));
            ZooKeeperPeer.prepare(settings("10.0.0.1", "fd00::2"));
            assertThat(next()).isEqualTo(new Found(List.of("10.0.0.1", "fd00::2"), true));
            Files.writeString(
                    Files.createDirectories(folder.resolve("data/version-2")).resolve("log.100000001"), "x");
            assertThat(next()).isEqualTo(new Found(List.of("10.0.0.1", "fd00::2"), false));
            // Configured anew, and not yet started anew: nobody may take it for what runs.
            ZooKeeperPeer.write(settings("10.0.0.1", "fd00::2", "10.0.0.3"));
            assertThat(next()).isEqualTo(new Found(null, false));
        }
        assertThat(ZooKeeperPeer.ranWith(folder)).containsExactly("10.0.0.1", "fd00::2");
    }
}
