package org.cellkeeper.cell.peer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.PeerView;
import org.cellkeeper.cell.port.Peers;
import org.cellkeeper.cell.port.Peers.Event;
import org.cellkeeper.cell.port.PeersContract;
import org.cellkeeper.cell.trust.Certified;
import org.cellkeeper.cell.trust.Credentials;
import org.cellkeeper.cell.trust.Encryption;
import org.cellkeeper.cell.trust.Secrets;
import org.cellkeeper.cell.wire.Json;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** The real links, on the loopback, and what strangers and broken networks may do to them; encrypted, and not. */
@ParameterizedClass
@EnumSource(
        value = Encryption.class,
        names = {"OFF", "REQUIRED"})
final class TcpPeersTest extends PeersContract {
    private static final InetAddress LOOPBACK = InetAddress.getLoopbackAddress();
    private static final byte[] SECRET = "a secret of the cluster".getBytes(StandardCharsets.UTF_8);
    private static final byte[] OTHER_SECRET = "a secret of some others".getBytes(StandardCharsets.UTF_8);
    private static final int GENEROUS_MILLIS = 20;

    private final Encryption encryption;
    private final Map<CellName, TcpPeers> running = new HashMap<>();
    private final Map<CellName, Integer> ports = new HashMap<>();
    private final Map<CellName, Secrets> secrets = new HashMap<>();

    TcpPeersTest(Encryption encryption) {
        this.encryption = encryption;
    }

    private Credentials credentials(CellName cell) {
        return Certified.cells().credentials(encryption, cell.value());
    }

    private TcpPeers peers(CellName cell, int port, byte[] secret) throws IOException {
        return peers(cell, port, Secrets.of(secret));
    }

    private TcpPeers peers(CellName cell, int port, Secrets list) throws IOException {
        return new TcpPeers(cell, new InetSocketAddress(LOOPBACK, port), list, credentials(cell));
    }

    @Override
    protected Peers start(CellName cell) throws IOException {
        secrets.put(cell, Secrets.of(SECRET));
        TcpPeers peers = peers(cell, ports.getOrDefault(cell, 0), secrets.get(cell));
        ports.put(cell, peers.port());
        running.put(cell, peers);
        return peers;
    }

    @Override
    protected void kill(CellName cell) {
        running.get(cell).close();
    }

    @Override
    protected Address address(CellName cell) {
        return at(ports.get(cell));
    }

    @Override
    protected boolean passesWithin(Duration limit, BooleanSupplier condition) throws InterruptedException {
        long deadline = System.nanoTime() + limit.toNanos();
        CountDownLatch never = new CountDownLatch(1);
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() > deadline) {
                return false;
            }
            never.await(500, TimeUnit.MICROSECONDS);
        }
        return true;
    }

    private static Address at(int port) {
        return new Address("127.0.0.1", 0, 0, port);
    }

    private boolean isHeardOf(CellName by, CellName of) {
        return events(by).stream()
                .anyMatch(event -> event instanceof Event.Heard(PeerView view)
                        && view.cell().name().equals(of));
    }

    private Socket connectTo(CellName cell) throws IOException {
        return new Socket(LOOPBACK, ports.get(cell));
    }

    /** Dials as an agent would. */
    private Session dialAs(CellName dialer, CellName cell, byte[] secret) throws IOException {
        return new Handshake(dialer, new Secret(secret)).dial(channelTo(dialer, cell), cell, soon());
    }

    private Channel channelTo(CellName dialer, CellName cell) throws IOException {
        return Channel.dialed(connectTo(cell), credentials(dialer), soon());
    }

    private static long soon() {
        return System.nanoTime() + TimeUnit.SECONDS.toNanos(2);
    }

    private static boolean isClosedWithin(Socket socket, Duration limit) throws IOException {
        socket.setSoTimeout((int) limit.toMillis());
        InputStream in = socket.getInputStream();
        try {
            return in.readAllBytes() != null;
        } catch (SocketTimeoutException open) {
            return false;
        } catch (IOException reset) {
            return true;
        }
    }

    @Test
    void aChangedViewArrivesWithinMilliseconds() throws Exception {
        linkAll(1);
        awaitHeard(B, view(A, 1));
        List<Long> micros = new ArrayList<>();
        for (int epoch = 2; epoch < 32; epoch++) {
            PeerView changed = view(A, epoch);
            long start = System.nanoTime();
            agent(A).publish(changed);
            awaitHeard(B, changed);
            micros.add((System.nanoTime() - start) / 1000);
        }
        micros.sort(Long::compare);
        System.out.println(
                "a changed view arrives after (median, worst) " + micros.get(15) + ", " + micros.getLast() + " us");
        assertThat(micros.get(15)).isLessThan(GENEROUS_MILLIS * 1000L);
    }

    @Test
    void aClosedAgentIsGoneWithinMilliseconds() throws Exception {
        linkAll(1);
        awaitHeard(B, view(A, 1));
        awaitHeard(A, view(B, 1));
        long start = System.nanoTime();
        end(A);
        awaitEvent(B, new Event.Gone(A));
        long millis = (System.nanoTime() - start) / 1_000_000;
        System.out.println("a closed agent is gone after " + millis + " ms");
        assertThat(millis).isLessThan(2000);
    }

    @Test
    void anAgentThatOnlyLostItsConnectionIsDoubtfulAndHeardAgain() throws Exception {
        try (Relay relay = new Relay(ports.get(B))) {
            agent(A).connectTo(Map.of(B, at(relay.port())));
            agent(B).connectTo(Map.of(A, address(A)));
            agent(A).publish(view(A, 1));
            agent(B).publish(view(B, 1));
            awaitHeard(A, view(B, 1));
            awaitHeard(B, view(A, 1));
            relay.cut();
            awaitEvent(A, new Event.Doubtful(B));
            int before = events(A).size();
            assertThat(passesWithin(Duration.ofSeconds(2), () -> events(A).size() > before))
                    .isTrue();
            assertThat(events(A)).doesNotContain(new Event.Gone(B));
            events(B).clear();
            awaitHeard(B, view(A, 1));
        }
    }

    @Test
    void anAgentWithAnotherSecretIsRefusedAndNeverHeard() throws Exception {
        assertThatThrownBy(() -> dialAs(A, B, OTHER_SECRET)).isInstanceOf(IOException.class);
        try (TcpPeers liar = peers(new CellName("liar"), 0, OTHER_SECRET)) {
            List<Event> heard = new CopyOnWriteArrayList<>();
            liar.listen(heard::add);
            liar.connectTo(everyone());
            liar.publish(view(new CellName("liar"), 1));
            agent(A).connectTo(Map.of(new CellName("liar"), at(liar.port()), B, address(B)));
            agent(B).connectTo(Map.of(A, address(A)));
            agent(A).publish(view(A, 1));
            agent(B).publish(view(B, 1));
            awaitHeard(A, view(B, 1));
            letPass(Duration.ofMillis(600));
            assertThat(heard).isEmpty();
            assertThat(events(A)).allMatch(new Event.Heard(view(B, 1))::equals);
        }
    }

    /** Whichever cell comes first in each step. */
    @Test
    void noLinkIsLostWhileTheSecretIsRotated() throws Exception {
        linkAll(1);
        for (CellName cell : List.of(A, B, C)) {
            for (CellName other : List.of(A, B, C)) {
                if (!cell.equals(other)) {
                    awaitHeard(cell, view(other, 1));
                }
            }
        }
        List<CellName> order = new ArrayList<>(List.of(A, B, C));
        long epoch = 1;
        for (List<byte[]> step :
                List.of(List.of(SECRET, OTHER_SECRET), List.of(OTHER_SECRET, SECRET), List.of(OTHER_SECRET))) {
            for (CellName cell : order) {
                secrets.get(cell).take(step);
                letPass(Duration.ofMillis(300));
                epoch++;
                for (CellName each : order) {
                    agent(each).publish(view(each, epoch));
                }
                awaitHeard(A, view(B, epoch));
                awaitHeard(A, view(C, epoch));
                awaitHeard(B, view(A, epoch));
                awaitHeard(B, view(C, epoch));
                awaitHeard(C, view(A, epoch));
                awaitHeard(C, view(B, epoch));
            }
            order.addLast(order.removeFirst());
        }
        for (CellName cell : order) {
            assertThat(events(cell)).allMatch(Event.Heard.class::isInstance);
            assertThat(running.get(cell).disbelief()).isEmpty();
            assertThatThrownBy(() -> dialAs(cell.equals(A) ? B : A, cell, SECRET))
                    .isInstanceOf(IOException.class);
        }
        dialAs(A, B, OTHER_SECRET).close();
    }

    @Test
    void aConnectionThatWasProvenByASecretEndsWhenThatIsDroppedAndNotBefore() throws Exception {
        CellName d = new CellName("cell-d");
        Channel channel = channelTo(d, A);
        Session session = new Handshake(d, new Secret(SECRET)).dial(channel, A, soon());
        secrets.get(A).take(List.of(SECRET, OTHER_SECRET));
        session.send(Json.write(view(d, 1)));
        assertThat(session.receive(soon())).isEmpty();
        secrets.get(A).take(List.of(OTHER_SECRET, SECRET));
        session.send(Json.write(view(d, 2)));
        assertThat(session.receive(soon())).isEmpty();
        secrets.get(A).take(List.of(OTHER_SECRET));
        assertThatThrownBy(() -> session.receive(soon())).isInstanceOf(IOException.class);
        session.close();
    }

    /** One that has the new secret first already, or still has the old one first, is heard by those that list both. */
    @Test
    void aDialerProvesWhicheverSecretThePeerKnows() throws Exception {
        secrets.get(A).take(List.of(OTHER_SECRET, SECRET));
        linkAll(1);
        awaitHeard(B, view(A, 1));
        awaitHeard(A, view(B, 1));
        assertThat(running.get(A).disbelief()).isEmpty();
        assertThat(running.get(B).disbelief()).isEmpty();
    }

    @Test
    void whoHasNoSecretInCommonIsNamed() throws Exception {
        linkAll(1);
        awaitHeard(B, view(A, 1));
        secrets.get(A).take(List.of(OTHER_SECRET));
        assertThat(passesWithin(
                        Duration.ofSeconds(10),
                        () -> running.get(A)
                                        .disbelief()
                                        .contains("the agents of cell-b, cell-c and this one do not believe each other")
                                && running.get(B).disbelief().contains("the agents of cell-a and this one")))
                .isTrue();
        assertThat(running.get(B).disbelief())
                .contains(Secrets.of(SECRET).names().getFirst())
                .doesNotContain(new String(SECRET, StandardCharsets.UTF_8));
        secrets.get(A).take(List.of(SECRET));
        assertThat(passesWithin(
                        Duration.ofSeconds(25),
                        () -> running.get(A).disbelief().isEmpty()
                                && running.get(B).disbelief().isEmpty()))
                .isTrue();
    }

    @Test
    void aDialerThatTakesTheCellForAnotherIsRefused() {
        assertThatThrownBy(() -> new Handshake(A, new Secret(SECRET)).dial(channelTo(A, B), C, soon()))
                .isInstanceOf(IOException.class);
    }

    @Test
    void anAgentThatSpeaksForAnotherIsNotHeard() throws Exception {
        agent(B).connectTo(Map.of(A, address(A), C, address(C)));
        try (Session asA = dialAs(A, B, SECRET)) {
            asA.send(Json.write(view(C, 66)));
            asA.send(Json.write(view(A, 67)));
            awaitHeard(B, view(A, 67));
            assertThat(isHeardOf(B, C)).isFalse();
        }
    }

    @Test
    void aReplayedFrameEndsTheConnectionAndIsNotHeardTwice() throws Exception {
        assumeTrue(encryption == Encryption.OFF, "who is in between can tell the frames apart");
        try (Relay relay = new Relay(ports.get(B))) {
            AtomicInteger replays = new AtomicInteger();
            relay.alter(chunk -> {
                if (new String(chunk, StandardCharsets.ISO_8859_1).contains("\"epoch\":41")) {
                    if (replays.getAndIncrement() == 0) {
                        byte[] twice = Arrays.copyOf(chunk, chunk.length * 2);
                        System.arraycopy(chunk, 0, twice, chunk.length, chunk.length);
                        return twice;
                    }
                }
                return chunk;
            });
            agent(B).connectTo(Map.of(A, address(A)));
            agent(A).connectTo(Map.of(B, at(relay.port())));
            agent(A).publish(view(A, 41));
            awaitHeard(B, view(A, 41));
            // The connection was dropped, A dials anew, and its next one is clean.
            assertThat(passesWithin(Duration.ofSeconds(3), () -> replays.get() >= 4))
                    .isTrue();
            long heard = events(B).stream()
                    .filter(new Event.Heard(view(A, 41))::equals)
                    .count();
            assertThat(heard).isLessThanOrEqualTo(replays.get());
        }
    }

    @Test
    void aFrameOfAnEarlierSessionIsNotHeard() throws Exception {
        agent(B).connectTo(Map.of(A, address(A)));
        List<byte[]> sent = new CopyOnWriteArrayList<>();
        try (Relay relay = new Relay(ports.get(B))) {
            relay.alter(chunk -> {
                sent.add(chunk);
                return chunk;
            });
            agent(A).publish(view(A, 41));
            agent(A).connectTo(Map.of(B, at(relay.port())));
            awaitHeard(B, view(A, 41));
        }
        end(A);
        awaitEvent(B, new Event.Gone(A));
        events(B).clear();
        try (Socket replayer = connectTo(B)) {
            for (byte[] chunk : sent) {
                replayer.getOutputStream().write(chunk);
            }
            assertThat(isClosedWithin(replayer, Duration.ofSeconds(3))).isTrue();
        }
        assertThat(events(B)).isEmpty();
    }

    @Test
    void aTamperedFrameIsDroppedTogetherWithItsConnection() throws Exception {
        try (Relay relay = new Relay(ports.get(B))) {
            relay.alter(chunk -> {
                if (encryption != Encryption.OFF) {
                    chunk[chunk.length - 1] ^= 1;
                    return chunk;
                }
                String text = new String(chunk, StandardCharsets.ISO_8859_1);
                return text.replace("\"epoch\":41", "\"epoch\":99").getBytes(StandardCharsets.ISO_8859_1);
            });
            agent(B).connectTo(Map.of(A, address(A)));
            agent(A).connectTo(Map.of(B, at(relay.port())));
            agent(A).publish(view(A, 41));
            letPass(Duration.ofMillis(700));
            assertThat(isHeardOf(B, A)).isFalse();
            relay.alter(chunk -> chunk);
            awaitHeard(B, view(A, 41));
        }
    }

    @Test
    void aFrameThatClaimsToBeHugeEndsTheConnection() throws Exception {
        Socket socket = connectTo(B);
        Channel channel = Channel.dialed(socket, credentials(A), soon());
        new Handshake(A, new Secret(SECRET)).dial(channel, B, soon());
        channel.write(new byte[] {0x7f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
        assertThat(isClosedWithin(socket, Duration.ofSeconds(1))).isTrue();
    }

    @Test
    void aPeerThatTakesTheConnectionAndNeverReadsHoldsUpNobody() throws Exception {
        CountDownLatch dropped = new CountDownLatch(1);
        try (ServerSocket server = new ServerSocket()) {
            server.setReceiveBufferSize(4096);
            server.bind(new InetSocketAddress(LOOPBACK, 0));
            CellName stuck = new CellName("stuck");
            Thread.ofVirtual().start(() -> {
                try {
                    Socket socket = server.accept();
                    new Handshake(stuck, new Secret(SECRET))
                            .accept(Channel.accepted(socket, credentials(stuck), soon()), soon())
                            .confirm();
                    // It never reads again; the next dial tells that this connection was dropped.
                    server.accept().close();
                    dropped.countDown();
                } catch (IOException closed) {
                    // The end of the test.
                }
            });
            agent(B).connectTo(Map.of(A, address(A)));
            agent(A).connectTo(Map.of(stuck, at(server.getLocalPort()), B, address(B)));
            String long1 = "x".repeat(30_000);
            long worst = 0;
            long worstPublish = 0;
            long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
            int epoch = 0;
            while (dropped.getCount() > 0 && System.nanoTime() < end) {
                PeerView view = view(A, ++epoch, long1);
                long start = System.nanoTime();
                agent(A).publish(view);
                worstPublish = Math.max(worstPublish, System.nanoTime() - start);
                awaitHeard(B, view);
                if (epoch > 20) {
                    worst = Math.max(worst, System.nanoTime() - start);
                }
                events(B).clear();
            }
            System.out.println(epoch + " views beside a stuck peer: worst publish " + worstPublish / 1000
                    + " us, worst arrival " + worst / 1000 + " us");
            assertThat(dropped.getCount())
                    .as("the stuck connection was dropped")
                    .isZero();
            assertThat(TimeUnit.NANOSECONDS.toMillis(worst)).isLessThan(3000);
        }
    }

    @Test
    void garbageOnThePortDoesNoHarm() throws Exception {
        linkAll(1);
        awaitHeard(B, view(A, 1));
        List<Socket> strangers = new ArrayList<>();
        Random random = new Random(7);
        for (int i = 0; i < 20; i++) {
            Socket stranger = connectTo(B);
            byte[] garbage = new byte[random.nextInt(2000)];
            random.nextBytes(garbage);
            stranger.getOutputStream().write(garbage);
            strangers.add(stranger);
        }
        Socket silent = connectTo(B);
        long start = System.nanoTime();
        assertThat(isClosedWithin(silent, Duration.ofSeconds(4)))
                .as("a silent stranger is dropped")
                .isTrue();
        assertThat(System.nanoTime() - start).isGreaterThan(TimeUnit.MILLISECONDS.toNanos(1500));
        for (Socket stranger : strangers) {
            assertThat(isClosedWithin(stranger, Duration.ofSeconds(3))).isTrue();
        }
        agent(A).publish(view(A, 2));
        awaitHeard(B, view(A, 2));
        assertThat(events(B)).allMatch(Event.Heard.class::isInstance);
    }

    @Test
    void aStrangerThatDripsBytesIsDroppedAllTheSame() throws Exception {
        try (Socket dripping = connectTo(B)) {
            long start = System.nanoTime();
            AtomicBoolean open = new AtomicBoolean(true);
            assertThat(passesWithin(Duration.ofSeconds(4), () -> {
                        try {
                            letPass(Duration.ofMillis(100));
                            dripping.getOutputStream().write(1);
                        } catch (Exception closed) {
                            open.set(false);
                        }
                        return !open.get();
                    }))
                    .isTrue();
            assertThat(System.nanoTime() - start).isLessThan(TimeUnit.MILLISECONDS.toNanos(3500));
        }
    }

    /** As many as there may be come all the time, and say nothing. */
    @Test
    void strangersKeepNoAgentOut() throws Exception {
        List<Socket> many = new ArrayList<>();
        for (int i = 0; i < 64; i++) {
            many.add(connectTo(B));
        }
        letPass(Duration.ofMillis(100));
        many.add(connectTo(B));
        assertThat(isClosedWithin(many.getFirst(), Duration.ofMillis(500)))
                .as("the first has made place")
                .isTrue();
        AtomicBoolean over = new AtomicBoolean();
        Thread storm = Thread.ofVirtual().start(() -> {
            while (!over.get()) {
                try {
                    Socket one = connectTo(B);
                    TimeUnit.MILLISECONDS.sleep(1);
                    synchronized (many) {
                        many.add(one);
                    }
                } catch (IOException | InterruptedException full) {
                    return;
                }
            }
        });
        agent(B).connectTo(Map.of(A, address(A)));
        agent(A).connectTo(Map.of(B, address(B)));
        agent(A).publish(view(A, 1));
        awaitHeard(B, view(A, 1));
        over.set(true);
        storm.join();
        for (Socket socket : many) {
            socket.close();
        }
    }

    @Test
    void aPeerThatFallsSilentCausesNoEvent() throws Exception {
        try (Relay toB = new Relay(ports.get(B));
                Relay toA = new Relay(ports.get(A))) {
            agent(A).connectTo(Map.of(B, at(toB.port())));
            agent(B).connectTo(Map.of(A, at(toA.port())));
            agent(A).publish(view(A, 1));
            agent(B).publish(view(B, 1));
            awaitHeard(A, view(B, 1));
            awaitHeard(B, view(A, 1));
            toB.stall();
            toA.stall();
            letPass(Duration.ofMillis(100));
            events(A).clear();
            letPass(Duration.ofSeconds(6));
            assertThat(events(A)).isEmpty();
        }
    }

    @Test
    void aPeerThatMovesIsFollowed() throws Exception {
        linkAll(1);
        awaitHeard(B, view(A, 1));
        try (TcpPeers moved = peers(C, 0, SECRET)) {
            List<Event> heard = new CopyOnWriteArrayList<>();
            moved.listen(heard::add);
            moved.connectTo(Map.of(A, address(A)));
            agent(A).connectTo(Map.of(B, address(B), C, at(moved.port())));
            assertThat(passesWithin(Duration.ofSeconds(2), () -> heard.contains(new Event.Heard(view(A, 1)))))
                    .isTrue();
        }
    }

    @Test
    void aPeerIsFoundByItsHostName() throws Exception {
        agent(B).connectTo(Map.of(A, address(A)));
        agent(A).connectTo(Map.of(B, new Address("localhost", 0, 0, ports.get(B))));
        agent(A).publish(view(A, 1));
        awaitHeard(B, view(A, 1));
    }

    @Test
    void anAddressThatIsTakenIsSaid() {
        assertThatThrownBy(() -> peers(A, ports.get(B), SECRET))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("cannot listen for the other agents");
    }

    @Test
    void wordsThatAreTooLongAreShortened() throws Exception {
        agent(B).connectTo(Map.of(A, address(A)));
        agent(A).connectTo(Map.of(B, address(B)));
        agent(A).publish(view(A, 5, "y".repeat(200_000)));
        assertThat(passesWithin(Duration.ofSeconds(2), () -> isHeardOf(B, A))).isTrue();
        assertThat(events(B))
                .allSatisfy(event -> assertThat(event)
                        .isInstanceOfSatisfying(
                                Event.Heard.class,
                                heard -> assertThat(heard.view().sentence())
                                        .startsWith("yyyy")
                                        .endsWith(" ...")));
    }
}
