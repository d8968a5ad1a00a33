package org.cellkeeper.cell.zookeeper;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Collection;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.client.HostProvider;
import org.apache.zookeeper.client.ZKClientConfig;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One connection to one server, for as long as it lasts. It never reconnects: ZooKeeper's own client sleeps up to a second
 * before it does, so {@link Session} makes the next connection instead and takes the session along. It never repeats a
 * request. Replies and events are handed to the owner's thread, in the order in which they came.
 */
final class Connection {
    private static final Logger LOG = LoggerFactory.getLogger(Connection.class);

    /** The most that a node may hold; a server cuts the connection of whoever sends more than 1 MiB. */
    static final int LARGEST_NODE = 1_000_000;

    private final ScheduledExecutorService thread;
    private final Consumer<Reply> observer;
    private final long answerMillis;
    private final Handle handle;
    private volatile boolean abandoned;

    /**
     * @param resumed the session to go on with, or null for a new one
     * @param failed told when the connection is lost, or was not to be had
     * @param observer told each reply before anybody else
     */
    Connection(
            Target target,
            @Nullable Credentials resumed,
            String secret,
            ScheduledExecutorService thread,
            Consumer<WatchedEvent> events,
            Runnable failed,
            Consumer<Reply> observer)
            throws IOException {
        this.thread = thread;
        this.observer = observer;
        this.answerMillis = target.sessionTimeout().toMillis() + 1000;
        OneServer server = new OneServer(target, () -> hand(failed));
        Watcher watcher = event -> hand(() -> events.accept(event));
        this.handle =
                resumed == null ? new Handle(target, watcher, server) : new Handle(target, watcher, server, resumed);
        server.live = () -> handle.getState().isAlive();
        handle.addAuthInfo("digest", ("cell:" + secret).getBytes(StandardCharsets.UTF_8));
    }

    /** Where to connect to. {@code connectTimeout} bounds the way from the first packet to the open session. */
    record Target(String host, int port, Duration sessionTimeout, Duration connectTimeout) {}

    /** What a session is resumed by. */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    record Credentials(long sessionId, byte[] password) {}

    Credentials credentials() {
        return new Credentials(handle.getSessionId(), handle.getSessionPasswd());
    }

    long sessionId() {
        return handle.getSessionId();
    }

    /** Whether what comes by it is out of date: a later connection may have told more already. */
    boolean isAbandoned() {
        return abandoned;
    }

    /** Gives the connection up and leaves the session as it is. */
    void abandon() {
        abandoned = true;
        Thread.ofVirtual().name("zookeeper-abandon").start(handle::disconnect);
    }

    /** Ends the session: its ephemeral nodes go at once. Waits for the server a little. */
    void endSession() {
        try {
            handle.close(1000);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    CompletableFuture<Reply> get(String path) {
        return ask(
                path,
                reply -> handle.getData(
                        path,
                        false,
                        (code, p, context, data, stat) -> reply.accept(Reply.of(code, path, data, null, stat)),
                        null));
    }

    CompletableFuture<Reply> exists(String path) {
        return ask(
                path,
                reply -> handle.exists(
                        path,
                        false,
                        (code, p, context, stat) -> reply.accept(Reply.of(code, path, null, null, stat)),
                        null));
    }

    CompletableFuture<Reply> children(String path) {
        return ask(
                path,
                reply -> handle.getChildren(
                        path,
                        false,
                        (code, p, context, children, stat) -> reply.accept(Reply.of(code, path, null, children, stat)),
                        null));
    }

    CompletableFuture<Reply> create(String path, byte[] data, CreateMode mode) {
        return ask(
                path,
                reply -> handle.create(
                        path,
                        data,
                        ZooDefs.Ids.CREATOR_ALL_ACL,
                        mode,
                        (code, p, context, name, stat) ->
                                reply.accept(Reply.of(code, name == null ? path : name, null, null, stat)),
                        null));
    }

    CompletableFuture<Reply> set(String path, byte[] data, int version) {
        return ask(
                path,
                reply -> handle.setData(
                        path,
                        data,
                        version,
                        (code, p, context, stat) -> reply.accept(Reply.of(code, path, null, null, stat)),
                        null));
    }

    CompletableFuture<Reply> delete(String path, int version) {
        return ask(
                path,
                reply -> handle.delete(
                        path,
                        version,
                        (code, p, context) -> reply.accept(Reply.of(code, path, null, null, null)),
                        null));
    }

    /** Whatever is read after this has seen all that the ensemble had agreed on before. */
    CompletableFuture<Reply> sync(String path) {
        return ask(
                path,
                reply -> handle.sync(
                        path, (code, p, context) -> reply.accept(Reply.of(code, path, null, null, null)), null));
    }

    /** From now on every change of the node and below it is an event. */
    CompletableFuture<Reply> watch(String path) {
        return ask(
                path,
                reply -> handle.addWatch(
                        path,
                        AddWatchMode.PERSISTENT_RECURSIVE,
                        (code, p, context) -> reply.accept(Reply.of(code, path, null, null, null)),
                        null));
    }

    private CompletableFuture<Reply> ask(String path, Consumer<Consumer<Reply>> request) {
        CompletableFuture<Reply> answer = new CompletableFuture<>();
        Reply late = Reply.of(KeeperException.Code.OPERATIONTIMEOUT, path);
        Future<?> deadline = thread.schedule(() -> answer.complete(late), answerMillis, TimeUnit.MILLISECONDS);
        request.accept(reply -> {
            boolean handed = hand(() -> {
                deadline.cancel(false);
                observer.accept(reply);
                answer.complete(reply);
            });
            if (!handed) {
                answer.complete(reply);
            }
        });
        return answer;
    }

    private boolean hand(Runnable task) {
        try {
            thread.execute(() -> {
                try {
                    task.run();
                } catch (RuntimeException e) {
                    LOG.error("what ZooKeeper told could not be taken in", e);
                }
            });
            return true;
        } catch (RejectedExecutionException e) {
            return false; // closed: nobody listens any more
        }
    }

    /** Reaches the verb that drops a connection without ending its session. */
    @SuppressWarnings("try") // ZooKeeper's own close() declares InterruptedException
    private static final class Handle extends ZooKeeper {
        Handle(Target target, Watcher watcher, HostProvider server) throws IOException {
            super(text(target), millis(target), watcher, false, server, configuration());
        }

        Handle(Target target, Watcher watcher, HostProvider server, Credentials resumed) throws IOException {
            super(
                    text(target),
                    millis(target),
                    watcher,
                    resumed.sessionId(),
                    resumed.password(),
                    false,
                    server,
                    configuration());
        }

        void disconnect() {
            cnxn.disconnect();
        }

        private static String text(Target target) {
            return target.host() + ":" + target.port();
        }

        private static int millis(Target target) {
            return Math.toIntExact(target.sessionTimeout().toMillis());
        }

        private static ZKClientConfig configuration() {
            ZKClientConfig configuration = new ZKClientConfig();
            configuration.setProperty(ZKClientConfig.ENABLE_CLIENT_SASL_KEY, "false");
            configuration.setProperty(ZKClientConfig.DISABLE_AUTO_WATCH_RESET, "true");
            return configuration;
        }
    }

    /** Names the server once, and holds the client's thread back when it asks for another until it is told to end. */
    private static final class OneServer implements HostProvider {
        private static final int POLL_MILLIS = 20;
        private static final int PATIENCE_MILLIS = 10_000;

        private final Target target;
        private final Runnable failed;
        private final CountDownLatch never = new CountDownLatch(1);
        private volatile BooleanSupplier live = () -> true;
        private volatile boolean given;

        OneServer(Target target, Runnable failed) {
            this.target = target;
            this.failed = failed;
        }

        /** The client divides the session timeout by this to get its connect timeout. */
        @Override
        public int size() {
            return Math.max(1, (int) target.sessionTimeout().dividedBy(target.connectTimeout()));
        }

        @Override
        public InetSocketAddress next(long spinDelay) {
            if (given) {
                failed.run(); // the client itself says nothing of a connection that never stood
                awaitEnd();
            }
            given = true;
            return new InetSocketAddress(target.host(), target.port());
        }

        private void awaitEnd() {
            try {
                for (int waited = 0; live.getAsBoolean() && waited < PATIENCE_MILLIS; waited += POLL_MILLIS) {
                    if (never.await(POLL_MILLIS, TimeUnit.MILLISECONDS)) {
                        return;
                    }
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }

        @Override
        public void onConnected() {}

        @Override
        public boolean updateServerList(Collection<InetSocketAddress> servers, InetSocketAddress current) {
            return false;
        }
    }
}
