package org.cellkeeper.cell.peer;

import java.io.EOFException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.PeerView;
import org.cellkeeper.cell.port.Peers;
import org.cellkeeper.cell.trust.Credentials;
import org.cellkeeper.cell.trust.Secrets;
import org.cellkeeper.cell.trust.Strangers;
import org.cellkeeper.cell.wire.Json;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The links between the agents. Every agent dials every other and sends its views on the connection that it dialed, so there
 * is one connection for each ordered pair; the acceptor answers every frame with a receipt, which tells the dialer that the
 * connection still leads somewhere.
 *
 * <p>One platform thread accepts, one looks for stuck writes; each connection has virtual threads of its own. No
 * method waits for the network. Silence is never an event: whoever reads the events has the clock for that.
 */
public final class TcpPeers implements Peers, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(TcpPeers.class);

    /** More who have not proved yet who they are, and one of them goes: an agent proves it within milliseconds. */
    private static final int MOST_STRANGERS = 64;

    private static final long STRANGER_NANOS = TimeUnit.SECONDS.toNanos(2);
    private static final long STUCK_NANOS = TimeUnit.SECONDS.toNanos(2);
    private static final long WATCH_MILLIS = 250;
    /** An accepted connection that is silent for so long, and so many heartbeats, leads nowhere. */
    private static final long IDLE_NANOS = TimeUnit.SECONDS.toNanos(5);

    private static final int IDLE_HEARTBEATS = 5;
    private static final Duration HEARTBEAT = Duration.ofMillis(200);

    private static final byte[] RECEIPT = {};
    private static final int LONGEST_TEXT = 2000;

    private final CellName self;
    private final long heartbeatNanos;
    private final Secrets secrets;
    private final Handshake handshake;
    private final Credentials credentials;
    private final ServerSocket server;
    private final RateLimitedLog complaints = new RateLimitedLog();
    private final Set<Socket> accepted = ConcurrentHashMap.newKeySet();
    private final Strangers<Socket> strangers =
            new Strangers<>(MOST_STRANGERS, Duration.ofNanos(STRANGER_NANOS), Session::closeQuietly);
    /** The newest connection from each peer; one that was replaced says nothing any more. */
    private final Map<CellName, Session> inbound = new ConcurrentHashMap<>();

    private final Disbelief disbelief = new Disbelief();

    private final ExecutorService lookups = Executors.newCachedThreadPool(
            Thread.ofPlatform().daemon().name("peer-lookup-", 1).factory());
    private final CountDownLatch closing = new CountDownLatch(1);

    private volatile Map<CellName, Link> links = Map.of();
    private volatile List<Secret> keys;
    private volatile Latest latest = new Latest(0, new byte[0]);
    private volatile Consumer<Event> listener = event -> {};
    private volatile boolean closed;

    /** The newest view, as sent; empty while there is none. */
    static final class Latest {
        private final long number;
        private final byte[] bytes;

        private Latest(long number, byte[] bytes) {
            this.number = number;
            this.bytes = bytes;
        }

        long number() {
            return number;
        }

        byte[] bytes() {
            return bytes;
        }
    }

    /**
     * Listens at once; dials nobody yet.
     *
     * @param listenOn where the others reach this cell
     * @param secrets the cluster's, 16 bytes at least
     * @param credentials with which the links are encrypted
     */
    public TcpPeers(CellName self, InetSocketAddress listenOn, Secrets secrets, Credentials credentials)
            throws IOException {
        this(self, listenOn, secrets, credentials, HEARTBEAT);
    }

    /**
     * The same with another heartbeat.
     *
     * @param heartbeat how often a view is sent that has not changed
     */
    public TcpPeers(
            CellName self, InetSocketAddress listenOn, Secrets secrets, Credentials credentials, Duration heartbeat)
            throws IOException {
        this.self = self;
        this.credentials = credentials;
        this.heartbeatNanos = heartbeat.toNanos();
        this.secrets = secrets;
        this.keys = keys(secrets);
        this.handshake = new Handshake(self, () -> keys);
        this.server = new ServerSocket();
        try {
            server.setReuseAddress(true);
            server.bind(listenOn, MOST_STRANGERS);
        } catch (IOException failure) {
            Session.closeQuietly(server);
            throw new IOException(
                    "cannot listen for the other agents on " + listenOn + ": " + failure.getMessage(), failure);
        }
        secrets.onChange(this::secretsChanged);
        Thread.ofPlatform().daemon().name("peer-accept").start(this::accept);
        Thread.ofPlatform().daemon().name("peer-watch").start(this::watch);
    }

    /** The port it listens on. */
    public int port() {
        return server.getLocalPort();
    }

    @Override
    public void listen(Consumer<Event> newListener) {
        listener = newListener;
    }

    @Override
    public synchronized void publish(PeerView view) {
        byte[] bytes = Json.write(view);
        if (bytes.length > Session.MAX_PAYLOAD) {
            bytes = Json.write(shortened(view));
        }
        if (!Arrays.equals(bytes, latest.bytes())) {
            latest = new Latest(latest.number() + 1, bytes);
            links.values().forEach(Link::wake);
        }
    }

    @Override
    public synchronized void connectTo(Map<CellName, Address> others) {
        if (closed) {
            return;
        }
        Map<CellName, Link> next = new HashMap<>();
        Map<CellName, Link> fresh = new HashMap<>();
        others.forEach((name, address) -> {
            if (!name.equals(self)) {
                Link existing = links.get(name);
                if (existing != null && existing.leadsTo(address)) {
                    next.put(name, existing);
                } else {
                    Link link = new Link(name, address, this, lookups);
                    next.put(name, link);
                    fresh.put(name, link);
                }
            }
        });
        Map<CellName, Link> previous = links;
        links = Map.copyOf(next);
        previous.forEach((name, link) -> {
            if (next.get(name) != link) {
                link.stop();
            }
        });
        fresh.values().forEach(Link::start);
    }

    /** Stops listening first, so that the others see at once that this agent is gone. */
    @Override
    public synchronized void close() {
        if (closed) {
            return;
        }
        closed = true;
        Session.closeQuietly(server);
        links.values().forEach(Link::stop);
        links = Map.of();
        accepted.forEach(Session::closeQuietly);
        closing.countDown();
        lookups.shutdownNow();
    }

    /** With which of the others this cell has no secret in common, in words; empty when there is none. Any thread may ask. */
    public String disbelief() {
        return disbelief.inWords(secrets.toString());
    }

    private static List<Secret> keys(Secrets secrets) {
        return secrets.all().stream().map(Secret::new).toList();
    }

    /** Connections that stand are made anew by the secret that is first now; those that were proven by a dropped one end. */
    private void secretsChanged() {
        List<Secret> now = keys(secrets);
        keys = now;
        links.values().forEach(Link::renew);
        inbound.values().stream()
                .filter(session -> !now.contains(session.provenBy()))
                .forEach(Session::drop);
    }

    /** The one that is proven first. */
    List<Secret> keys() {
        return keys;
    }

    Disbelief disbelieved() {
        return disbelief;
    }

    long heartbeatNanos() {
        return heartbeatNanos;
    }

    Credentials credentials() {
        return credentials;
    }

    Handshake handshake() {
        return handshake;
    }

    Latest latest() {
        return latest;
    }

    void tell(Event event) {
        try {
            listener.accept(event);
        } catch (RuntimeException failure) {
            LOG.error("The listener failed on {}", event, failure);
        }
    }

    void complain(String subject, String message) {
        complaints.warn(subject, message);
    }

    private void accept() {
        while (!closed) {
            try {
                Socket socket = server.accept();
                if (strangers.add(socket, socket.getInetAddress()) > 0) {
                    complain("Links", "more than " + MOST_STRANGERS + " who do not say who they are");
                }
                accepted.add(socket);
                if (closed) {
                    // It came too late to be closed with the others.
                    Session.closeQuietly(socket);
                }
                Thread.ofVirtual().name("peer-from").start(() -> serve(socket));
            } catch (IOException failure) {
                if (!closed) {
                    complain("Links", "cannot accept: " + failure.getMessage());
                    // Out of file handles, say: no reason to spin.
                    isClosingWithin(WATCH_MILLIS);
                }
            }
        }
    }

    private boolean isClosingWithin(long millis) {
        try {
            return closing.await(millis, TimeUnit.MILLISECONDS);
        } catch (InterruptedException stop) {
            return true;
        }
    }

    private void watch() {
        while (!isClosingWithin(WATCH_MILLIS)) {
            dropStuck();
        }
    }

    private void serve(Socket socket) {
        String stranger = "Stranger at " + socket.getInetAddress().getHostAddress();
        try {
            socket.setTcpNoDelay(true);
            long deadline = System.nanoTime() + STRANGER_NANOS;
            Handshake.Admitted admitted = handshake.accept(Channel.accepted(socket, credentials, deadline), deadline);
            strangers.remove(socket);
            if (admitted.session().peer().equals(self)) {
                throw new ProtocolViolation("it bears our own name");
            }
            // Known before the dialer knows that it is: what it replaces can then be closed in silence.
            Session replaced = inbound.put(admitted.session().peer(), admitted.session());
            if (replaced != null) {
                replaced.drop();
            }
            if (!keys.contains(admitted.session().provenBy())) {
                // It was dropped meanwhile.
                admitted.session().drop();
            }
            disbelief.believed(admitted.session().peer());
            receiveFrom(admitted);
        } catch (UnknownSecret unknown) {
            if (links.containsKey(unknown.claimed())) {
                disbelief.refused(unknown.claimed());
            }
            complain(stranger, String.valueOf(unknown.getMessage()));
        } catch (ProtocolViolation bad) {
            complain(stranger, bad.reason());
        } catch (IOException incomplete) {
            if (!closed) {
                complain(stranger, "no handshake: " + incomplete.getMessage());
            }
        } finally {
            Session.closeQuietly(socket);
            strangers.remove(socket);
            accepted.remove(socket);
        }
    }

    private void receiveFrom(Handshake.Admitted admitted) {
        Session session = admitted.session();
        CellName peer = session.peer();
        boolean lost = false;
        try {
            admitted.confirm();
            while (true) {
                byte[] payload =
                        session.receive(System.nanoTime() + Math.max(IDLE_NANOS, IDLE_HEARTBEATS * heartbeatNanos));
                session.send(RECEIPT);
                if (payload.length > 0) {
                    hear(session, payload);
                }
            }
        } catch (ProtocolViolation bad) {
            complain("Peer " + peer, bad.reason());
        } catch (EOFException | SocketException broken) {
            lost = !session.isDropped() && !closed;
        } catch (IOException silent) {
            LOG.debug("{}: {}", peer, silent.getMessage());
        }
        if (inbound.remove(peer, session) && lost) {
            Link link = links.get(peer);
            if (link != null) {
                link.inboundLost();
            }
        }
    }

    private void hear(Session session, byte[] payload) throws ProtocolViolation {
        PeerView view;
        try {
            view = Json.read(payload, PeerView.class);
        } catch (Json.Unreadable unreadable) {
            throw new ProtocolViolation("a view that cannot be read: " + unreadable.getMessage());
        }
        CellName peer = session.peer();
        if (!view.cell().name().equals(peer)) {
            complain("Peer " + peer, "a view of " + view.cell().name());
            return;
        }
        Link link = links.get(peer);
        if (link != null && inbound.get(peer) == session) {
            link.heard(view);
        }
    }

    private void dropStuck() {
        long now = System.nanoTime();
        links.values().forEach(link -> link.dropIfStuck(now, STUCK_NANOS));
        inbound.values().stream()
                .filter(session -> session.isStuck(now, STUCK_NANOS))
                .forEach(Session::drop);
        strangers.look();
    }

    /** Words are the only part of a view that can be long. */
    private static PeerView shortened(PeerView view) {
        return view.withWords(shortened(view.sentence()), shortened(view.problem()));
    }

    private static String shortened(String text) {
        return text.length() <= LONGEST_TEXT ? text : text.substring(0, LONGEST_TEXT) + " ...";
    }
}
