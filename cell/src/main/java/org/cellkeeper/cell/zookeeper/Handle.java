package org.cellkeeper.cell.zookeeper;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.Collection;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.apache.curator.utils.ZookeeperFactory;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.client.HostProvider;
import org.apache.zookeeper.client.ZKClientConfig;
import org.cellkeeper.cell.trust.TrustFolder;
import org.jspecify.annotations.Nullable;

/**
 * ZooKeeper's own client under one {@link Connection}. ZooKeeper's client sleeps up to a second before it reconnects, so this
 * one connects once and never again. When Curator closes it, it only drops the connection, so that the session can go on
 * elsewhere; it ends the session when it was told to.
 */
@SuppressWarnings("try") // ZooKeeper's own close() declares InterruptedException
final class Handle extends ZooKeeper {
    private static final String TLS = "zookeeper.ssl.";

    private volatile boolean endsSession;

    private Handle(Connection.Target target, Watcher watcher, HostProvider server) throws IOException {
        super(target.address(), target.sessionMillis(), watcher, false, server, configuration(target));
    }

    private Handle(Connection.Target target, Watcher watcher, HostProvider server, Connection.Credentials resumed)
            throws IOException {
        super(
                target.address(),
                target.sessionMillis(),
                watcher,
                resumed.sessionId(),
                resumed.password(),
                false,
                server,
                configuration(target));
    }

    private static ZKClientConfig configuration(Connection.Target target) {
        ZKClientConfig configuration = new ZKClientConfig();
        TrustFolder trust = target.trust();
        if (trust != null) {
            configuration.setProperty(ZKClientConfig.SECURE_CLIENT, "true");
            configuration.setProperty(
                    ZKClientConfig.ZOOKEEPER_CLIENT_CNXN_SOCKET, "org.apache.zookeeper.ClientCnxnSocketNetty");
            configuration.setProperty(TLS + "keyStore.location", trust.own().toString());
            configuration.setProperty(
                    TLS + "trustStore.location", trust.authorities().toString());
            configuration.setProperty(TLS + "hostnameVerification", "true");
        }
        configuration.setProperty(ZKClientConfig.ENABLE_CLIENT_SASL_KEY, "false");
        configuration.setProperty(ZKClientConfig.DISABLE_AUTO_WATCH_RESET, "true");
        return configuration;
    }

    /** From now on closing ends the session. */
    void endSessionOnClose() {
        endsSession = true;
    }

    @Override
    public synchronized void close() throws InterruptedException {
        if (endsSession) {
            super.close();
        } else if (getState().isAlive()) {
            cnxn.disconnect();
        }
    }

    /**
     * Gives Curator its handle. Curator asks for another one by itself when the session has expired; it is given the same
     * again, which has ended then, and so never has a session that its owner does not know of.
     */
    static final class Factory implements ZookeeperFactory {
        private final Connection.Target target;
        private final Connection.@Nullable Credentials resumed;
        private final OneServer server;
        private volatile @Nullable Handle made;

        Factory(Connection.Target target, Connection.@Nullable Credentials resumed, Runnable failed) {
            this.target = target;
            this.resumed = resumed;
            this.server = new OneServer(target, failed);
        }

        @Override
        public synchronized ZooKeeper newZooKeeper(
                String connectString, int sessionTimeout, Watcher watcher, boolean canBeReadOnly) throws IOException {
            Handle handle = made;
            if (handle == null) {
                Handle fresh = resumed == null
                        ? new Handle(target, watcher, server)
                        : new Handle(target, watcher, server, resumed);
                server.live = () -> fresh.getState().isAlive();
                made = fresh;
                handle = fresh;
            }
            return handle;
        }

        /** The handle that Curator was given when it was started. */
        Handle made() throws IOException {
            Handle handle = made;
            if (handle == null) {
                throw new IOException("no client for " + target.address() + " could be made");
            }
            return handle;
        }
    }

    /** Names the server once, and holds the client's thread back when it asks for another until it is told to end. */
    private static final class OneServer implements HostProvider {
        private static final int POLL_MILLIS = 20;
        private static final int PATIENCE_MILLIS = 10_000;

        private final Connection.Target target;
        private final Runnable failed;
        private final CountDownLatch never = new CountDownLatch(1);
        private volatile BooleanSupplier live = () -> true;
        private volatile boolean given;

        OneServer(Connection.Target target, Runnable failed) {
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
