package org.cellkeeper.cell.zookeeper;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.apache.curator.RetryPolicy;
import org.apache.curator.RetrySleeper;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.api.ACLProvider;
import org.apache.curator.framework.api.BackgroundCallback;
import org.apache.curator.framework.api.CuratorEventType;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.data.ACL;
import org.cellkeeper.cell.trust.TrustFolder;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One connection to one server, for as long as it lasts: a Curator client of its own, on the one {@link Handle} that it ever
 * gets. It never reconnects and never repeats a request, and Curator is held to both: it has no retry to give, no time to
 * wait for a connection, and none of its recipes is used. {@link Session} makes the next connection and takes the session
 * along. Replies and events are handed to the owner's thread, in the order in which they came.
 */
final class Connection {
    private static final Logger LOG = LoggerFactory.getLogger(Connection.class);

    /** The most that a node may hold; a server cuts the connection of whoever sends more than 1 MiB. */
    static final int LARGEST_NODE = 1_000_000;

    private final ScheduledExecutorService thread;
    private final Consumer<Reply> observer;
    private final long answerMillis;
    private final NodeKeys keys;
    private final Set<String> shown = ConcurrentHashMap.newKeySet();
    private final CuratorFramework client;
    private final Handle handle;

    /** Hears of nodes alone: of the connection itself the client's listener is told. */
    private final Watcher changes;

    private volatile boolean abandoned;

    /**
     * @param resumed the session to go on with, or null for a new one
     * @param keys by what the nodes are opened
     * @param failed told when the connection is lost, or was not to be had
     * @param observer told each reply before anybody else
     */
    Connection(
            Target target,
            @Nullable Credentials resumed,
            NodeKeys keys,
            ScheduledExecutorService thread,
            Consumer<WatchedEvent> events,
            Runnable failed,
            Consumer<Reply> observer)
            throws IOException {
        this.thread = thread;
        this.observer = observer;
        this.answerMillis = target.sessionTimeout().toMillis() + 1000;
        Handle.Factory factory = new Handle.Factory(target, resumed, () -> lost(failed));
        this.keys = keys;
        this.client = curator(target, thread, factory);
        client.getCuratorListenable().addListener((curator, event) -> {
            if (event.getType() == CuratorEventType.WATCHED) {
                hand(() -> told(event.getWatchedEvent(), events));
            }
        });
        this.changes = event -> {
            if (event.getType() != Watcher.Event.EventType.None) {
                hand(() -> events.accept(event));
            }
        };
        client.getUnhandledErrorListenable().addListener(Connection::sayFailure);
        client.start();
        this.handle = factory.made();
    }

    private CuratorFramework curator(Target target, ScheduledExecutorService curatorThread, Handle.Factory factory) {
        return CuratorFrameworkFactory.builder()
                .connectString(target.address())
                .zookeeperFactory(factory)
                .sessionTimeoutMs(target.sessionMillis())
                .connectionTimeoutMs(0) // what cannot be sent now is never sent
                .retryPolicy(new NoRetry())
                .aclProvider(new CellsOnly(keys))
                .ensembleTracker(false)
                .dontUseContainerParents()
                .threadFactory(Thread.ofVirtual().name("curator-", 0).factory())
                .runSafeService(curatorThread)
                .build();
    }

    /**
     * The keys are shown when the session stands, and before anything is asked for. ZooKeeper's client that encrypts would send them together
     * with the wish for a session; a server may answer them first, which the client cannot read, and so gives the connection up.
     */
    private void told(WatchedEvent event, Consumer<WatchedEvent> events) {
        if (event.getState() == Watcher.Event.KeeperState.SyncConnected) {
            showKeys();
        }
        events.accept(event);
    }

    private static void sayFailure(String what, Throwable failure) {
        if (failure instanceof KeeperException.ConnectionLossException) {
            LOG.debug("{}: {}", what, failure.toString()); // told by the reply
        } else {
            LOG.error("Curator failed: {}", what, failure);
        }
    }

    /**
     * Where to connect to.
     *
     * @param connectTimeout bounds the way from the first packet to the open session
     * @param trust what an encrypted connection is made with; null for one that is not
     */
    record Target(
            String host,
            int port,
            Duration sessionTimeout,
            Duration connectTimeout,
            @Nullable TrustFolder trust) {
        String address() {
            return host + ":" + port;
        }

        int sessionMillis() {
            return Math.toIntExact(sessionTimeout.toMillis());
        }
    }

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
        closeAside();
    }

    /** ZooKeeper's client keeps what it was asked in the moment of the loss for its next connection: there is none. */
    private void lost(Runnable failed) {
        closeAside();
        hand(failed);
    }

    private void closeAside() {
        Thread.ofVirtual().name("zookeeper-abandon").start(client::close);
    }

    /** Ends the session: its ephemeral nodes go at once. Waits for the server's word. */
    void endSession() {
        abandoned = true;
        handle.endSessionOnClose();
        client.close();
    }

    CompletableFuture<Reply> get(String path) {
        return ask(path, reply -> client.getData().inBackground(reply).forPath(path));
    }

    CompletableFuture<Reply> exists(String path) {
        return ask(path, reply -> client.checkExists().inBackground(reply).forPath(path));
    }

    CompletableFuture<Reply> children(String path) {
        return ask(path, reply -> client.getChildren().inBackground(reply).forPath(path));
    }

    CompletableFuture<Reply> create(String path, byte[] data, CreateMode mode) {
        return ask(
                path,
                reply -> client.create().withMode(mode).inBackground(reply).forPath(path, data));
    }

    CompletableFuture<Reply> set(String path, byte[] data, int version) {
        return ask(
                path,
                reply -> client.setData()
                        .withVersion(version)
                        .inBackground(reply)
                        .forPath(path, data));
    }

    CompletableFuture<Reply> delete(String path, int version) {
        return ask(
                path,
                reply ->
                        client.delete().withVersion(version).inBackground(reply).forPath(path));
    }

    /** From now on what is made from each of the present secrets is shown; what was shown stays so. */
    void showKeys() {
        for (byte[] key : keys.shown()) {
            if (shown.add(new String(key, StandardCharsets.UTF_8))) {
                handle.addAuthInfo(NodeKeys.SCHEME, key);
            }
        }
    }

    /** To whom it is open. */
    CompletableFuture<Reply> acl(String path) {
        return ask(path, reply -> client.getACL().inBackground(reply).forPath(path));
    }

    /** From now on nobody but cells makes anything at the root. */
    CompletableFuture<Reply> closeRoot() {
        return setAcl("/", keys.acl(), -1);
    }

    /** @param version of what it is open to, as read */
    CompletableFuture<Reply> setAcl(String path, List<ACL> acl, int version) {
        return ask(
                path,
                reply -> client.setACL()
                        .withVersion(version)
                        .withACL(acl)
                        .inBackground(reply)
                        .forPath(path));
    }

    /** Whatever is read after this has seen all that the ensemble had agreed on before. */
    CompletableFuture<Reply> sync(String path) {
        return ask(path, reply -> client.sync().inBackground(reply).forPath(path));
    }

    /** From now on every change of the node and below it is an event. */
    CompletableFuture<Reply> watch(String path) {
        return ask(
                path,
                reply -> client.watchers()
                        .add()
                        .withMode(AddWatchMode.PERSISTENT_RECURSIVE)
                        .inBackground(reply)
                        .usingWatcher(changes)
                        .forPath(path));
    }

    /** A request as Curator takes it, in its background way: sent by the caller's thread, answered on ZooKeeper's. */
    private interface Request {
        void send(BackgroundCallback reply) throws Exception;
    }

    private CompletableFuture<Reply> ask(String path, Request request) {
        CompletableFuture<Reply> answer = new CompletableFuture<>();
        Reply late = Reply.of(KeeperException.Code.OPERATIONTIMEOUT, path);
        Future<?> deadline = thread.schedule(() -> answer.complete(late), answerMillis, TimeUnit.MILLISECONDS);
        Consumer<Reply> take = reply -> {
            boolean handed = hand(() -> {
                deadline.cancel(false);
                observer.accept(reply);
                answer.complete(reply);
            });
            if (!handed) {
                answer.complete(reply);
            }
        };
        if (abandoned || !client.getZookeeperClient().isConnected()) {
            take.accept(Reply.of(KeeperException.Code.CONNECTIONLOSS, path));
            return answer;
        }
        try {
            request.send((curator, event) -> take.accept(Reply.of(path, event)));
        } catch (Exception e) {
            LOG.debug("{} could not be asked for", path, e); // closed meanwhile
            take.accept(Reply.of(KeeperException.Code.SYSTEMERROR, path));
        }
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

    /** Whatever happened to a request, it is not sent again: the one who asked decides. */
    private static final class NoRetry implements RetryPolicy {
        @Override
        public boolean allowRetry(int retryCount, long elapsedMillis, RetrySleeper sleeper) {
            return false;
        }

        @Override
        public boolean allowRetry(Throwable failure) {
            return false;
        }
    }

    /** Every node is theirs who know a secret of the cluster; who has made it, by which certificate, is nothing to it. */
    private static final class CellsOnly implements ACLProvider {
        private final NodeKeys keys;

        CellsOnly(NodeKeys keys) {
            this.keys = keys;
        }

        @Override
        public List<ACL> getDefaultAcl() {
            return keys.acl();
        }

        @Override
        public List<ACL> getAclForPath(String path) {
            return keys.acl();
        }
    }
}
