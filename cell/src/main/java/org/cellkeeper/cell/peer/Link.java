package org.cellkeeper.cell.peer;

import java.io.EOFException;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NoRouteToHostException;
import java.net.Socket;
import java.net.SocketException;
import java.util.concurrent.Executor;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.PeerView;
import org.cellkeeper.cell.port.Peers.Event;
import org.jspecify.annotations.Nullable;

/**
 * The link to one other agent: dials it, sends it our newest view, and tells what became of it. Its own virtual thread
 * dials and sends, another reads the receipts, and the threads of the peer's own connection to us report what they hear.
 * It never holds up the publisher, nor another link: a view that was not sent before the next one came is skipped.
 */
final class Link {
    private static final long CONNECT_MILLIS = 300;
    private static final long HANDSHAKE_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final long REDIAL_NANOS = TimeUnit.MILLISECONDS.toNanos(200);
    /** Between quick retries, so that no kind of flapping peer can make us spin. */
    private static final long QUICK_NANOS = TimeUnit.MILLISECONDS.toNanos(5);

    /** No receipt for so long, and so many heartbeats in a row, and the connection leads nowhere. */
    private static final long MISSING_NANOS = TimeUnit.SECONDS.toNanos(2);

    private static final long LEAST_MISSED_RECEIPTS = 3;

    /** How often it is tried whether the peer knows the secret that is first here. */
    private static final long RENEW_NANOS = TimeUnit.SECONDS.toNanos(5);

    private final CellName name;
    private final Address address;
    private final TcpPeers owner;
    private final HostLookup host;
    private final long heartbeatNanos;

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private boolean stopped;
    private boolean inboundLost;
    private boolean renewal;
    private @Nullable Session session;
    private @Nullable End end;
    private int missedReceipts;

    /** Held while an event is delivered, so that the listener sees them one at a time and in order. */
    private final ReentrantLock delivery = new ReentrantLock();

    private boolean saidGone;
    private volatile boolean silenced;

    /** How a connection came to its end. */
    private enum End {
        /** Closed or reset from the other side. */
        LOST,
        /** Dropped by us: it led nowhere, or broke the protocol. */
        USELESS,
        /** It stands, and another by the secret that is first now is to take its place. */
        RENEWED
    }

    /** What dialing showed. */
    private sealed interface Outcome {
        record Connected(Session session) implements Outcome {}

        /** Nobody listens there. */
        record Refused() implements Outcome {}

        /** Accepted and closed again: it may be just going down. */
        record Dismissed() implements Outcome {}

        record NoAnswer() implements Outcome {}
    }

    Link(CellName name, Address address, TcpPeers owner, Executor lookups) {
        this.name = name;
        this.address = address;
        this.owner = owner;
        this.heartbeatNanos = owner.heartbeatNanos();
        this.host = new HostLookup(address.host(), lookups);
    }

    void start() {
        Thread.ofVirtual().name("peer-to-" + name).start(this::run);
    }

    boolean leadsTo(Address other) {
        return address.equals(other);
    }

    /** There is a newer view. */
    void wake() {
        lock.lock();
        try {
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** The secret that is first may be another now. */
    void renew() {
        lock.lock();
        try {
            renewal = true;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** The peer's own connection to us was closed or reset: what about the peer? */
    void inboundLost() {
        lock.lock();
        try {
            inboundLost = true;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    void heard(PeerView view) {
        deliver(new Event.Heard(view));
    }

    /** Drops a connection whose write has been stuck for too long. */
    void dropIfStuck(long nowNanos, long limitNanos) {
        lock.lock();
        try {
            if (session != null && session.isStuck(nowNanos, limitNanos)) {
                session.drop();
            }
        } finally {
            lock.unlock();
        }
    }

    /** An event that is just being delivered is the last one. */
    void stop() {
        lock.lock();
        try {
            stopped = true;
            silenced = true;
            if (session != null) {
                session.drop();
            }
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    private void run() {
        try {
            // A connection was lost, and it is not known yet what that means.
            boolean lost = false;
            boolean patient = false;
            while (!isStopped()) {
                long dialed = System.nanoTime();
                Outcome outcome = dial();
                switch (outcome) {
                    case Outcome.Connected(Session fresh) -> {
                        if (!take(fresh)) {
                            return;
                        }
                        if (lost) {
                            deliver(new Event.Doubtful(name));
                        }
                        End how = feed(fresh);
                        patient = false;
                        lost = how == End.LOST;
                        if (how == End.RENEWED) {
                            continue;
                        }
                        lost |= await(lost ? dialed + QUICK_NANOS - System.nanoTime() : redial(), !lost);
                    }
                    case Outcome.Refused() -> {
                        leave();
                        if (lost) {
                            deliver(new Event.Gone(name));
                        }
                        lost = await(redial(), true);
                    }
                    case Outcome.Dismissed() -> {
                        leave();
                        // One that goes down may still have taken the quick retry: the next one will tell.
                        boolean again = lost && !patient;
                        patient = true;
                        lost |= await(again ? QUICK_NANOS : redial(), !again);
                    }
                    case Outcome.NoAnswer() -> {
                        leave();
                        lost |= await(redial(), true);
                    }
                }
            }
        } catch (InterruptedException stop) {
            Thread.currentThread().interrupt();
        } finally {
            leave();
        }
    }

    private static long redial() {
        return ThreadLocalRandom.current().nextLong(REDIAL_NANOS * 3 / 4, REDIAL_NANOS * 5 / 4);
    }

    private boolean isStopped() {
        lock.lock();
        try {
            return stopped;
        } finally {
            lock.unlock();
        }
    }

    /** Waits so long; less when stopped, or when the peer's own connection is lost and that matters. Tells whether it is. */
    private boolean await(long nanos, boolean inboundMatters) throws InterruptedException {
        lock.lock();
        try {
            long left = nanos;
            while (!stopped && !(inboundMatters && inboundLost) && left > 0) {
                left = changed.awaitNanos(left);
            }
            boolean lost = inboundLost;
            inboundLost = false;
            return lost;
        } finally {
            lock.unlock();
        }
    }

    /** By the first of the secrets that the peer believes. */
    private Outcome dial() throws InterruptedException {
        InetAddress known = host.address(CONNECT_MILLIS);
        if (known == null) {
            host.refresh();
            return new Outcome.NoAnswer();
        }
        Outcome outcome = new Outcome.NoAnswer();
        for (Secret secret : owner.keys()) {
            AtomicBoolean believed = new AtomicBoolean(true);
            outcome = dial(known, secret, believed);
            if (outcome instanceof Outcome.Connected) {
                owner.disbelieved().believedBy(name);
            }
            if (believed.get()) {
                return outcome;
            }
        }
        owner.disbelieved().refusedBy(name);
        return outcome;
    }

    /** @param believed is made false when the peer was there and did not believe this secret */
    private Outcome dial(InetAddress known, Secret secret, AtomicBoolean believed) {
        Socket socket = new Socket();
        try {
            socket.setTcpNoDelay(true);
            socket.connect(new InetSocketAddress(known, address.linkPort()), (int) CONNECT_MILLIS);
        } catch (IOException failure) {
            Session.closeQuietly(socket);
            host.refresh();
            // A connect that times out in the kernel takes longer than ours: this one was refused.
            return failure instanceof ConnectException ? new Outcome.Refused() : new Outcome.NoAnswer();
        }
        try {
            long deadline = System.nanoTime() + HANDSHAKE_NANOS;
            Channel channel = Channel.dialed(socket, owner.credentials(), deadline);
            return new Outcome.Connected(owner.handshake().dial(channel, name, secret, deadline));
        } catch (IOException end) {
            Session.closeQuietly(socket);
            host.refresh();
            IOException failure = end;
            if (end instanceof NotBelieved refusal) {
                believed.set(false);
                failure = refusal.end();
            }
            if (failure instanceof ProtocolViolation bad) {
                owner.complain("Peer " + name + " at " + known.getHostAddress(), bad.reason());
            }
            return switch (failure) {
                case EOFException _ -> new Outcome.Dismissed();
                case NoRouteToHostException _ -> new Outcome.NoAnswer();
                case SocketException _ -> new Outcome.Refused();
                default -> new Outcome.NoAnswer();
            };
        }
    }

    /** The new connection takes the place of the old one, which is closed after it: the peer then knows that it was replaced. */
    private boolean take(Session fresh) {
        lock.lock();
        try {
            if (session != null) {
                session.drop();
            }
            if (stopped) {
                fresh.drop();
                return false;
            }
            session = fresh;
            renewal = !owner.keys().contains(fresh.provenBy());
            end = null;
            inboundLost = false;
            missedReceipts = 0;
        } finally {
            lock.unlock();
        }
        Thread.ofVirtual().name("peer-receipts-" + name).start(() -> readReceipts(fresh));
        return true;
    }

    private void leave() {
        lock.lock();
        try {
            if (session != null) {
                session.drop();
                session = null;
            }
        } finally {
            lock.unlock();
        }
    }

    /** Sends views until the connection ends, or the peer's own one does. */
    private End feed(Session to) throws InterruptedException {
        long nextBeat = System.nanoTime();
        long nextMiss = nextBeat + heartbeatNanos;
        long nextRenewal = nextBeat + RENEW_NANOS;
        long sentNumber = 0;
        while (true) {
            TcpPeers.Latest latest;
            lock.lock();
            try {
                long left = nextBeat - System.nanoTime();
                while (!stopped
                        && end == null
                        && !inboundLost
                        && !renewal
                        && owner.latest().number() == sentNumber
                        && left > 0) {
                    left = changed.awaitNanos(left);
                }
                if (stopped) {
                    return End.USELESS;
                }
                if (end != null) {
                    return end;
                }
                if (inboundLost) {
                    // The connection stays, until the retry has shown what to make of it.
                    return End.LOST;
                }
                long now = System.nanoTime();
                boolean first = owner.keys().getFirst().equals(to.provenBy());
                if (!first && (renewal || now >= nextRenewal)) {
                    renewal = false;
                    return End.RENEWED;
                }
                renewal = false;
                if (now >= nextMiss) {
                    // Counted in our own heartbeats, so that a pause of our own is not held against the peer.
                    missedReceipts++;
                    nextMiss = now + heartbeatNanos;
                }
                if (missedReceipts > Math.max(LEAST_MISSED_RECEIPTS, MISSING_NANOS / heartbeatNanos)) {
                    to.drop();
                    return End.USELESS;
                }
                latest = owner.latest();
            } finally {
                lock.unlock();
            }
            try {
                to.send(latest.bytes());
            } catch (IOException broken) {
                to.close();
                return to.isDropped() ? End.USELESS : End.LOST;
            }
            sentNumber = latest.number();
            nextBeat = System.nanoTime() + heartbeatNanos;
        }
    }

    private void readReceipts(Session from) {
        End how = End.LOST;
        try {
            while (true) {
                from.receive(Long.MAX_VALUE / 2 + System.nanoTime());
                lock.lock();
                try {
                    missedReceipts = 0;
                } finally {
                    lock.unlock();
                }
            }
        } catch (ProtocolViolation bad) {
            how = End.USELESS;
            owner.complain("Peer " + name, bad.reason());
        } catch (IOException closed) {
            if (from.isDropped()) {
                how = End.USELESS;
            }
        }
        from.close();
        lock.lock();
        try {
            if (session == from && end == null) {
                end = how;
                changed.signalAll();
            }
        } finally {
            lock.unlock();
        }
    }

    private void deliver(Event event) {
        delivery.lock();
        try {
            boolean gone = event instanceof Event.Gone;
            if (silenced || (gone && saidGone)) {
                return;
            }
            saidGone = gone;
            owner.tell(event);
        } finally {
            delivery.unlock();
        }
    }
}
