package org.cellkeeper.cell.zookeeper;

import java.io.IOException;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher.Event;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps a session with the ensemble: through lost connections, on whichever server answers, and anew when it has expired.
 * It begins with the nearest server and goes round. One that says nothing at all, as a dead machine does, is passed by for a
 * while, and so is one that is known to be gone: waiting for it costs the time in which another one would have answered.
 * Everything in it happens on its owner's thread. It sends nothing but what its owner asks for, and nothing twice.
 */
final class Session {
    /** What the owner is told, on its own thread. */
    interface Owner {
        /** {@code fresh}: the session is a new one; all ephemeral nodes of the one before are gone, or will be. */
        void connected(Connection connection, boolean fresh);

        void disconnected();

        void changed(WatchedEvent event);

        void answered(Reply reply);
    }

    private static final Logger LOG = LoggerFactory.getLogger(Session.class);

    /** What ZooKeeper's own client never does: try again at once. Servers that elect a leader take clients again soon. */
    private static final int HASTY_DELAY_MILLIS = 40;

    private static final int CALM_DELAY_MILLIS = 250;
    static final Duration HASTE_LASTS = Duration.ofSeconds(2);

    /** How long a server may say nothing; each time twice as long. */
    private static final int FIRST_CONNECT_TIMEOUT_MILLIS = 250;

    private static final Duration PASSED_BY = Duration.ofSeconds(1);
    private static final Duration DISTRUSTED = Duration.ofSeconds(5);

    private final CoordinationSettings settings;
    private final NodeKeys keys;
    private final Predicate<String> gone;
    private final ScheduledExecutorService thread;
    private final Owner owner;

    private Connection.@Nullable Credentials credentials;
    private @Nullable Connection connection;
    private long generation;
    private final int[] silences;
    private final long[] passedByUntil;
    private int server;
    private int failures;
    private long triesSince;
    private long begun;
    private boolean live;
    private boolean closed;

    /** @param gone whether the machine of a server is known to be dead; it may be wrong */
    Session(
            CoordinationSettings settings,
            NodeKeys keys,
            Predicate<String> gone,
            ScheduledExecutorService thread,
            Owner owner) {
        this.settings = settings;
        this.keys = keys;
        this.gone = gone;
        this.thread = thread;
        this.owner = owner;
        this.silences = new int[settings.servers().size()];
        this.passedByUntil = new long[settings.servers().size()];
        Arrays.fill(passedByUntil, System.nanoTime());
    }

    void open() {
        if (closed) {
            return;
        }
        long mine = ++generation;
        begun = System.nanoTime();
        try {
            connection = new Connection(
                    target(),
                    credentials,
                    keys,
                    thread,
                    event -> process(mine, event),
                    () -> failed(mine),
                    reply -> answered(mine, reply));
        } catch (IOException | IllegalArgumentException e) {
            LOG.warn("no connection to {} can be made: {}", currentServer(), e.toString());
            tryAgain();
        }
    }

    /** Ends the session. */
    void close() {
        closed = true;
        generation++;
        if (connection != null && live) {
            connection.endSession();
        } else if (connection != null) {
            connection.abandon();
        }
        live = false;
    }

    /** Gives up the connection and the session, which is another ensemble's, and passes the server by for a while. */
    void distrust() {
        if (live) {
            LOG.warn("what ZooKeeper at {} tells is not believed: another server is tried", currentServer());
            credentials = null;
            passedByUntil[server] = System.nanoTime() + DISTRUSTED.toNanos();
            lost();
        }
    }

    String currentServer() {
        return settings.servers().get(server);
    }

    private Connection.Target target() {
        String text = currentServer();
        int colon = text.lastIndexOf(':');
        return new Connection.Target(
                text.substring(0, colon),
                Integer.parseInt(text.substring(colon + 1)),
                settings.sessionTimeout(),
                connectTimeout(),
                settings.trust());
    }

    private Duration connectTimeout() {
        long millis = (long) FIRST_CONNECT_TIMEOUT_MILLIS << Math.min(silences[server], 8);
        return Duration.ofMillis(Math.min(settings.sessionTimeout().toMillis(), millis));
    }

    private void failed(long of) {
        if (of == generation) {
            long now = System.nanoTime();
            if (!live && now - begun >= connectTimeout().toNanos() / 2) {
                silences[server]++;
                passedByUntil[server] = now + PASSED_BY.toNanos();
            }
            lost();
        }
    }

    private void answered(long of, Reply reply) {
        if (of == generation) {
            owner.answered(reply);
            if (reply.code() == KeeperException.Code.CONNECTIONLOSS) {
                lost(); // the event that says so comes later
            }
        }
    }

    private void process(long of, WatchedEvent event) {
        if (of != generation) {
            return;
        }
        if (event.getType() != Event.EventType.None) {
            owner.changed(event);
            return;
        }
        switch (event.getState()) {
            case SyncConnected -> established();
            case Disconnected -> lost();
            case Expired -> {
                LOG.warn("the ZooKeeper session has expired; a new one is made");
                credentials = null;
                lost();
            }
            case AuthFailed -> {
                LOG.error("ZooKeeper at {} does not take the cluster's secret", currentServer());
                lost();
            }
            case Closed, ConnectedReadOnly, SaslAuthenticated -> {}
            default -> LOG.warn("unexpected from ZooKeeper: {}", event);
        }
    }

    private void established() {
        Connection current = connection;
        if (current == null || live) {
            return;
        }
        boolean fresh = credentials == null || credentials.sessionId() != current.sessionId();
        credentials = current.credentials();
        live = true;
        failures = 0;
        silences[server] = 0;
        LOG.info(
                "connected to ZooKeeper at {}, {} session 0x{}",
                currentServer(),
                fresh ? "new" : "same",
                Long.toHexString(current.sessionId()));
        owner.connected(current, fresh);
    }

    private void lost() {
        generation++;
        if (connection != null) {
            connection.abandon();
            connection = null;
        }
        if (live) {
            live = false;
            LOG.warn("the connection to ZooKeeper at {} is lost", currentServer());
            owner.disconnected();
        }
        tryAgain();
    }

    private void tryAgain() {
        long now = System.nanoTime();
        if (failures == 0) {
            triesSince = now;
        }
        boolean hasty = now - triesSince < HASTE_LASTS.toNanos();
        server = nextServer(now, hasty);
        failures++;
        if (failures == settings.servers().size() + 1) {
            LOG.warn("no server of {} can be reached yet; the tries go on", settings.servers());
        }
        int delay = failures == 1 ? 0 : hasty ? HASTY_DELAY_MILLIS : CALM_DELAY_MILLIS;
        try {
            var unused = thread.schedule(this::open, delay, TimeUnit.MILLISECONDS);
        } catch (RejectedExecutionException e) {
            LOG.debug("closed while connecting");
        }
    }

    /**
     * After a loss the nearest, or the one after it; then the next one that is not passed by. If all are, the next; but in haste one that
     * answers late before one that is known to be gone.
     */
    private int nextServer(long now, boolean hasty) {
        int all = settings.servers().size();
        int last = failures == 0 && server != 0 ? all - 1 : server;
        int late = -1;
        for (int step = 1; step <= all; step++) {
            int next = (last + step) % all;
            if (hasty && gone.test(settings.servers().get(next))) {
                continue;
            }
            if (now - passedByUntil[next] >= 0) {
                return next;
            }
            late = late < 0 ? next : late;
        }
        return late < 0 ? (last + 1) % all : late;
    }
}
