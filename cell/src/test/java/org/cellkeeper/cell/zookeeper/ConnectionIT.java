package org.cellkeeper.cell.zookeeper;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import org.apache.zookeeper.ClientCnxn;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.cellkeeper.cell.port.Coordination.Outcome;
import org.cellkeeper.cell.trust.Certified;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What Curator is held to, on a real server: no retry, no handle of its own making, nothing left behind. */
final class ConnectionIT {
    private static final Duration SESSION = Duration.ofSeconds(2);

    @TempDir
    private static Path folder;

    private static Ensemble ensemble;

    private final ScheduledExecutorService thread = Executors.newSingleThreadScheduledExecutor();
    private final BlockingQueue<KeeperState> states = new LinkedBlockingQueue<>();
    private final List<String> order = new ArrayList<>();
    private Relay way;

    @BeforeAll
    static void startServer() throws Exception {
        ensemble = new Ensemble(folder, "127.0.0.1").start();
    }

    @AfterAll
    static void stopServer() throws Exception {
        ensemble.close();
    }

    @BeforeEach
    void openWay() throws Exception {
        way = new Relay(ensemble.server(1).host(), ensemble.server(1).clientPort());
    }

    @AfterEach
    void close() throws Exception {
        way.close();
        thread.shutdownNow();
        Ensemble.await("no thread of a client is left", () -> clientThreads() == 0);
    }

    private Connection connect(Connection.@Nullable Credentials resumed) throws Exception {
        int colon = way.address().lastIndexOf(':');
        Connection.Target target = new Connection.Target(
                way.address().substring(0, colon),
                Integer.parseInt(way.address().substring(colon + 1)),
                SESSION,
                Duration.ofSeconds(5),
                ensemble.trust());
        return new Connection(
                target,
                resumed,
                new NodeKeys(() -> List.of(ZooKeeperBench.SECRET)),
                thread,
                this::heard,
                () -> states.add(KeeperState.Disconnected),
                reply -> order.add(reply.path()));
    }

    private void heard(WatchedEvent event) {
        if (event.getPath() == null) {
            states.add(event.getState());
        } else {
            order.add("event " + event.getPath());
        }
    }

    private Connection connected(Connection.@Nullable Credentials resumed) throws Exception {
        Connection connection = connect(resumed);
        await(KeeperState.SyncConnected);
        return connection;
    }

    private void await(KeeperState wanted) throws Exception {
        KeeperState told = null;
        while (told != wanted) {
            told = states.poll(10, TimeUnit.SECONDS);
            assertThat(told).as("what came before %s", wanted).isNotNull();
        }
    }

    private static Reply answer(CompletableFuture<Reply> request) throws Exception {
        return request.get(10, TimeUnit.SECONDS);
    }

    /** ZooKeeper's own client has two; those that Curator adds are virtual. */
    private static long clientThreads() {
        return Thread.getAllStackTraces().keySet().stream()
                .map(Thread::getName)
                .filter(name -> name.contains("SendThread") || name.contains("EventThread") || name.contains("urator"))
                .count();
    }

    /** An encrypted server may answer what is sent together with the wish for a session before it answers that. */
    @Test
    void nothingIsSentBeforeTheSessionStands() throws Exception {
        SSLContext shown = Certified.cells().identity("cell-1", "127.0.0.1").context();
        try (ServerSocket server =
                shown.getServerSocketFactory().createServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            server.setSoTimeout(10_000);
            Connection.Target target = new Connection.Target(
                    "127.0.0.1",
                    server.getLocalPort(),
                    Duration.ofSeconds(20),
                    Duration.ofSeconds(5),
                    ensemble.trust());
            NodeKeys keys = new NodeKeys(() -> List.of(ZooKeeperBench.SECRET));
            Connection connection = new Connection(target, null, keys, thread, this::heard, () -> {}, reply -> {});
            try (Socket client = server.accept()) {
                DataInputStream in = new DataInputStream(client.getInputStream());
                in.readNBytes(in.readInt());
                client.setSoTimeout(300);
                assertThatThrownBy(in::read).isInstanceOf(SocketTimeoutException.class);

                DataOutputStream out = new DataOutputStream(client.getOutputStream());
                out.writeInt(4 + 4 + 8 + 4 + 16 + 1);
                out.writeInt(0);
                out.writeInt(20_000);
                out.writeLong(7);
                out.writeInt(16);
                out.write(new byte[16 + 1]);
                out.flush();
                await(KeeperState.SyncConnected);
                client.setSoTimeout(5000);
                int length = in.readInt();
                assertThat(length).isPositive();
                assertThat(in.readInt()).isEqualTo(ClientCnxn.AUTHPACKET_XID);
            }
            connection.abandon();
        }
    }

    @Test
    void aConnectionCostsTwoThreadsAndLeavesNone() throws Exception {
        Connection connection = connected(null);
        assertThat(answer(connection.exists("/")).isOk()).isTrue();
        assertThat(clientThreads()).isEqualTo(2);

        connection.abandon();

        Ensemble.await("its threads end", () -> clientThreads() == 0);
    }

    @Test
    void noRequestIsCarriedOutTwiceHoweverOftenTheWayBreaks() throws Exception {
        Connection connection = connected(null);
        answer(connection.create("/once", new byte[0], CreateMode.PERSISTENT));
        int rounds = 12;
        int requests = 40;
        List<String> applied = new ArrayList<>();
        for (int round = 0; round < rounds; round++) {
            List<CompletableFuture<Reply>> replies = new ArrayList<>();
            for (int i = 0; i < requests; i++) {
                byte[] payload = (round + "-" + i).getBytes(StandardCharsets.UTF_8);
                replies.add(connection.create("/once/n-", payload, CreateMode.PERSISTENT_SEQUENTIAL));
                if (i == requests / 2) {
                    way.cut();
                }
            }
            for (int i = 0; i < requests; i++) {
                Outcome outcome = answer(replies.get(i)).outcome();
                assertThat(outcome).isIn(Outcome.APPLIED, Outcome.UNKNOWN);
                if (outcome == Outcome.APPLIED) {
                    applied.add(round + "-" + i);
                }
            }
            way.mend();
            Connection.Credentials session = connection.credentials();
            connection.abandon();
            states.clear();
            connection = connected(session);
            assertThat(connection.sessionId()).isEqualTo(session.sessionId());
        }

        List<String> found = new ArrayList<>();
        for (String name : answer(connection.children("/once")).children()) {
            found.add(new String(answer(connection.get("/once/" + name)).data(), StandardCharsets.UTF_8));
        }
        assertThat(found).doesNotHaveDuplicates().containsAll(applied);
        assertThat(found.size()).isLessThanOrEqualTo(rounds * requests);
        connection.endSession();
    }

    @Test
    void anExpiredSessionIsToldAndNoOtherIsMadeByItself() throws Exception {
        Connection first = connected(null);
        Connection.Credentials session = first.credentials();
        first.endSession();
        Ensemble.await("its threads end", () -> clientThreads() == 0);
        states.clear();

        Connection second = connect(session);

        await(KeeperState.Expired);
        assertThat(answer(second.create("/never", new byte[0], CreateMode.PERSISTENT))
                        .outcome())
                .isEqualTo(Outcome.UNKNOWN);
        Ensemble.await("its threads end", () -> clientThreads() == 0);
        second.abandon();
        Connection third = connected(null);
        assertThat(answer(third.exists("/never")).isAbsent()).isTrue();
        third.endSession();
    }

    @Test
    void aConnectionThatIsGivenUpLeavesTheSessionAndItsNodes() throws Exception {
        Connection first = connected(null);
        assertThat(answer(first.create("/kept", new byte[0], CreateMode.EPHEMERAL))
                        .isOk())
                .isTrue();
        first.abandon();
        assertThat(answer(first.exists("/kept")).code()).isEqualTo(Code.CONNECTIONLOSS);
        states.clear();

        Connection second = connected(first.credentials());

        assertThat(answer(second.exists("/kept")).statOfOk().getEphemeralOwner())
                .isEqualTo(first.sessionId());
        second.endSession();
        states.clear();
        Connection third = connected(null);
        assertThat(answer(third.exists("/kept")).isAbsent()).isTrue();
        third.endSession();
    }

    @Test
    void repliesAndEventsComeInTheOrderInWhichTheServerGaveThem() throws Exception {
        Connection connection = connected(null);
        answer(connection.create("/order", new byte[0], CreateMode.PERSISTENT));
        answer(connection.watch("/order"));
        answer(connection.watch("/order"));
        thread.submit(order::clear).get();
        List<CompletableFuture<Reply>> replies = new ArrayList<>();
        List<String> expected = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            String path = "/order/" + i;
            replies.add(connection.create(path, new byte[0], CreateMode.PERSISTENT));
            expected.add("event " + path);
            expected.add(path);
        }
        for (CompletableFuture<Reply> reply : replies) {
            answer(reply);
        }

        List<String> seen = thread.submit(() -> List.copyOf(order)).get();

        assertThat(seen.stream().filter(path -> !path.equals("event /order")).toList())
                .isEqualTo(expected);
        Set<String> distinct = new HashSet<>(seen);
        distinct.remove("event /order");
        assertThat(distinct).hasSameSizeAs(expected);
        connection.endSession();
    }
}
