package org.apache.zookeeper.server.quorum;

import java.io.IOException;
import java.time.Duration;
import org.apache.zookeeper.server.ZKDatabase;
import org.apache.zookeeper.server.persistence.FileTxnSnapLog;

/**
 * Goes on to knock at a leader's port that was elected a moment ago and is not ready yet. ZooKeeper's own gives up after five times, which
 * are a tenth of a second here; the leader then waits ten seconds for a majority that has turned away, and nobody serves meanwhile. It is
 * in ZooKeeper's package, which lets nobody else extend its follower.
 */
public final class PatientFollower extends Follower {
    /** As long as ZooKeeper itself would let one attempt take. */
    private static final Duration OPENS_WITHIN = Duration.ofSeconds(2);

    public PatientFollower(QuorumPeer peer, FileTxnSnapLog files, ZKDatabase database) throws IOException {
        super(peer, new FollowerZooKeeperServer(files, peer, database));
    }

    @Override
    protected void connectToLeader(MultipleAddresses addresses, String host) throws IOException {
        long begun = System.nanoTime();
        while (true) {
            try {
                super.connectToLeader(addresses, host);
                return;
            } catch (IOException notYet) {
                if (System.nanoTime() - begun > OPENS_WITHIN.toNanos()) {
                    throw notYet;
                }
            }
        }
    }
}
