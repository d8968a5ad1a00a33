package org.cellkeeper.cell.zookeeper;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.WatchedEvent;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** How a session finds its way to a server, when not all of them answer. */
final class SessionIT {
    @TempDir
    private static Path folder;

    /** Notes when the connection comes and goes. */
    private static final class Notes implements Session.Owner {
        private final BlockingQueue<String> told = new LinkedBlockingQueue<>();

        @Override
        public void connected(Connection connection, boolean fresh) {
            told.add(fresh ? "new session" : "same session");
        }

        @Override
        public void disconnected() {
            told.add("disconnected");
        }

        @Override
        public void changed(WatchedEvent event) {}

        @Override
        public void answered(Reply reply) {}

        private String next() throws InterruptedException {
            return told.poll(20, TimeUnit.SECONDS);
        }
    }

    /** Takes connections and says nothing, as a dead machine does: both let a client wait. */
    private static final class Mute implements AutoCloseable {
        private final ServerSocket door = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        private final Queue<Socket> taken = new ConcurrentLinkedQueue<>();

        Mute() throws IOException {
            Thread.ofVirtual().start(() -> {
                while (!door.isClosed()) {
                    try {
                        taken.add(door.accept());
                    } catch (IOException e) {
                        // closed: the loop's condition tells
                    }
                }
            });
        }

        @Override
        public void close() throws IOException {
            door.close();
            for (Socket socket : taken) {
                socket.close();
            }
        }
    }

    @Test
    void aServerThatSaysNothingIsPassedBySoThatAnotherIsFoundSoonerAndTheSessionGoesOn() throws Exception {
        ScheduledExecutorService thread = Executors.newSingleThreadScheduledExecutor();
        Notes notes = new Notes();
        try (Ensemble ensemble = new Ensemble(folder, "127.0.0.1").start();
                Mute mute = new Mute();
                Relay way =
                        new Relay(ensemble.server(1).host(), ensemble.server(1).clientPort())) {
            CoordinationSettings settings = new CoordinationSettings(
                    List.of(way.address(), "127.0.0.1:" + mute.door.getLocalPort()),
                    "/c",
                    ZooKeeperBench.SECRET,
                    Duration.ofSeconds(20));
            Session session = new Session(settings, thread, notes);
            thread.execute(session::open);
            assertThat(notes.next()).isEqualTo("new session");

            way.cut();
            assertThat(notes.next()).isEqualTo("disconnected");
            Ensemble.await("it tries again and again", () -> way.turnedAway() >= 10);
            assertThat(mute.taken.size())
                    .as("tries at the mute server, and %d at the other", way.turnedAway())
                    .isBetween(1, way.turnedAway() / 3);

            way.mend();
            assertThat(notes.next()).isEqualTo("same session");
            thread.submit(session::close).get(10, TimeUnit.SECONDS);
        } finally {
            thread.shutdownNow();
        }
    }
}
