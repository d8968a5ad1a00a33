package org.cellkeeper.cell.zookeeper;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.TreeMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.cellkeeper.cell.zookeeper.ServerWatch.Found;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a cell says of its own server: only what that really runs with. */
final class ServerWatchTest {
    @TempDir
    private Path folder;

    private final LinkedBlockingQueue<Found> told = new LinkedBlockingQueue<>();

    private ZooKeeperServerSettings settings(String... hosts) {
        TreeMap<Integer, ZooKeeperServerSettings.Server> servers = new TreeMap<>();
        Arrays.stream(hosts).forEach(host -> servers.put(servers.size() + 1, ZooKeeperServerSettings.Server.at(host)));
        return new ZooKeeperServerSettings(folder.toString(), 1, servers, null);
    }

    private ServerWatch watch() {
        return new ServerWatch(folder, folder.resolve("hold"), told::add);
    }

    private Found next() throws InterruptedException {
        Found found = told.poll(20, TimeUnit.SECONDS);
        assertThat(found).as("told within 20 s").isNotNull();
        return found;
    }

    @Test
    void theListIsToldOnceTheServerHasBegunToRunWithItAndItsDataOnceTheyAreThere() throws Exception {
        ZooKeeperServer.write(settings("10.0.0.1", "fd00::2"));
        try (ServerWatch _ = watch()) {
            assertThat(next()).isEqualTo(new Found(null, true, ""));
            ZooKeeperServer.prepare(settings("10.0.0.1", "fd00::2"));
            assertThat(next()).isEqualTo(new Found(List.of("10.0.0.1", "fd00::2"), true, ""));
            Files.writeString(
                    Files.createDirectories(folder.resolve("data/version-2")).resolve("log.100000001"), "x");
            assertThat(next()).isEqualTo(new Found(List.of("10.0.0.1", "fd00::2"), false, ""));
            // Configured anew, and not yet started anew: nobody may take it for what runs.
            ZooKeeperServer.write(settings("10.0.0.1", "fd00::2", "10.0.0.3"));
            assertThat(next()).isEqualTo(new Found(null, false, ""));
        }
        assertThat(ZooKeeperServer.ranWith(folder)).containsExactly("10.0.0.1", "fd00::2");
    }

    @Test
    void whatKeepsItFromRunningIsToldWithItsCure() throws Exception {
        try (ServerWatch _ = watch()) {
            assertThat(next().problem()).isEmpty();
            Files.writeString(folder.resolve("unusable"), "Not able to find valid snapshots\n");
            assertThat(next().problem()).contains("cannot use its files (Not able to find valid snapshots)");
            Files.createFile(folder.resolve("hold"));
            assertThat(next().problem()).contains("held back: remove " + folder.resolve("hold"));
        }
    }
}
