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
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.apache.zookeeper.WatchedEvent;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** How a session finds its way to a server, when not all of them answer. */
final class SessionIT {
    @TempDir
    private Path folder;

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
        private final CompletableFuture<Long> firstTaken = new CompletableFuture<>();

        Mute() throws IOException {
            Thread.ofVirtual().start(() -> {
                while (!door.isClosed()) {
                    try {
                        taken.add(door.accept());
                        firstTaken.complete(System.nanoTime());
                    } catch (IOException e) {
                        // closed: the loop's condition tells
                    }
                }
            });
        }

        String address() {
            return "127.0.0.1:" + door.getLocalPort();
        }

        @Override
        public void close() throws IOException {
            door.close();
            for (Socket socket : taken) {
                socket.close();
            }
        }
    }

    private final ScheduledExecutorService thread = Executors.newSingleThreadScheduledExecutor();
    private final Notes notes = new Notes();
    private Ensemble ensemble;
    private Mute mute;
    private Relay way;

    @BeforeEach
    void open() throws Exception {
        ensemble = new Ensemble(folder, "127.0.0.1").start();
        mute = new Mute();
        way = new Relay(ensemble.server(1).host(), ensemble.server(1).clientPort());
    }

    @AfterEach
    void close() throws Exception {
        thread.shutdownNow();
        way.close();
        mute.close();
        ensemble.close();
    }

    /** The way to the one server comes first, the mute one second. */
    private Session connected(Predicate<String> gone) throws Exception {
        CoordinationSettings settings = new CoordinationSettings(
                List.of(way.address(), mute.address()),
                "/c",
                ZooKeeperBench.SECRET,
                Duration.ofSeconds(20),
                true,
                ensemble.trust());
        Session session = new Session(settings, new NodeKeys(settings.secrets()), gone, thread, notes);
        thread.execute(session::open);
        assertThat(notes.next()).isEqualTo("new session");
        return session;
    }

    private void goesOn(Session session) throws Exception {
        way.mend();
        assertThat(notes.next()).isEqualTo("same session");
        thread.submit(session::close).get(10, TimeUnit.SECONDS);
    }

    @Test
    void aServerThatSaysNothingIsPassedBySoThatAnotherIsFoundSooner() throws Exception {
        Session session = connected(server -> false);
        way.cut();
        assertThat(notes.next()).isEqualTo("disconnected");
        Ensemble.await("it tries again and again", () -> way.turnedAway() >= 10);
        assertThat(mute.taken.size())
                .as("tries at the mute server, and %d at the other", way.turnedAway())
                .isBetween(1, way.turnedAway() / 3);
        goesOn(session);
    }

    @Test
    void aServerThatIsKnownToBeGoneIsTriedOnlyWhenNoOtherWasFoundForAWhile() throws Exception {
        Session session = connected(mute.address()::equals);
        long cut = System.nanoTime();
        way.cut();
        assertThat(notes.next()).isEqualTo("disconnected");
        long tried = mute.firstTaken.get(20, TimeUnit.SECONDS);
        assertThat(Duration.ofNanos(tried - cut))
                .as("until it tries the other, too")
                .isGreaterThan(Session.HASTE_LASTS);
        assertThat(way.turnedAway()).as("tries at the first until then").isGreaterThan(1);
        goesOn(session);
    }
}
