package org.cellkeeper.cell.zookeeper;

import java.io.IOException;
import java.net.Socket;
import java.time.Duration;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.server.ZKDatabase;
import org.apache.zookeeper.server.persistence.FileTxnSnapLog;
import org.apache.zookeeper.server.quorum.Leader;
import org.apache.zookeeper.server.quorum.LeaderZooKeeperServer;
import org.apache.zookeeper.server.quorum.LearnerHandler;
import org.apache.zookeeper.server.quorum.QuorumCnxManager;
import org.apache.zookeeper.server.quorum.QuorumPeer;
import org.apache.zookeeper.server.quorum.auth.NullQuorumAuthLearner;
import org.apache.zookeeper.server.quorum.auth.NullQuorumAuthServer;
import org.apache.zookeeper.server.quorum.auth.QuorumAuthServer;
import org.cellkeeper.cell.trust.Strangers;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps strangers at the two ports between ZooKeeper's servers from keeping the members out. ZooKeeper itself takes one after the other at
 * the port for elections, and waits for what each has to say; and it gives each a thread at the leader's port, however many there are.
 */
final class Doorkeeper {
    private static final Logger LOG = LoggerFactory.getLogger(Doorkeeper.class);

    /** There are eight other servers at most, and each proves within milliseconds who it is. */
    private static final int MOST = 64;

    private static final Duration PATIENCE = Duration.ofSeconds(2);
    private static final long LOOK_MILLIS = 250;
    /** As by default, with which connections are made to the others. */
    private static final int CONNECTION_THREADS = 20;

    private final Strangers<Socket> atElections = new Strangers<>(MOST, PATIENCE, Doorkeeper::close);
    private final Strangers<Socket> atTheLeader = new Strangers<>(MOST, PATIENCE, Doorkeeper::close);

    Doorkeeper() {
        var unused = Executors.newSingleThreadScheduledExecutor(
                        Thread.ofPlatform().name("strangers").daemon().factory())
                .scheduleWithFixedDelay(this::look, LOOK_MILLIS, LOOK_MILLIS, TimeUnit.MILLISECONDS);
    }

    private void look() {
        atElections.look();
        atTheLeader.look();
    }

    private static void close(Socket socket) {
        try {
            socket.close();
        } catch (IOException e) {
            LOG.debug("A stranger cannot be sent away: {}", e.getMessage());
        }
    }

    /** In place of {@link QuorumPeer#createCnxnManager}. */
    QuorumCnxManager elections(QuorumPeer peer, int timeoutMillis) {
        return new QuorumCnxManager(
                peer,
                peer.getMyId(),
                peer.getView(),
                new NullQuorumAuthServer(),
                new NullQuorumAuthLearner(),
                timeoutMillis,
                peer.getQuorumListenOnAllIPs(),
                CONNECTION_THREADS,
                false) {
            /** On the one thread that accepts; ZooKeeper reads here until it knows who has come. */
            @Override
            public void receiveConnection(Socket socket) {
                atElections.add(socket, socket.getInetAddress());
                Thread.ofVirtual().name("election-stranger").start(() -> {
                    try {
                        super.receiveConnection(socket);
                    } finally {
                        atElections.remove(socket);
                    }
                });
            }
        };
    }

    /** In place of the leader that {@code makeLeader} makes. */
    Leader leader(QuorumPeer peer, FileTxnSnapLog files, ZKDatabase database) throws IOException {
        return new Leader(peer, new LeaderZooKeeperServer(files, peer, database)) {
            /** ZooKeeper asks it about each connection that it has accepted, before it gives it a thread. */
            @Override
            public QuorumAuthServer getQuorumAuthServer() {
                return (socket, in) -> atTheLeader.add(socket, socket.getInetAddress());
            }

            /** The first words have been read, so that the certificate has been seen. */
            @Override
            public void registerLearnerHandlerBean(LearnerHandler learner, Socket socket) {
                atTheLeader.remove(socket);
                super.registerLearnerHandlerBean(learner, socket);
            }
        };
    }
}
