package org.apache.zookeeper.server.quorum;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.server.ZKDatabase;
import org.apache.zookeeper.server.persistence.FileTxnSnapLog;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** An elected leader opens its port when it comes to it. */
@Timeout(30)
final class PatientFollowerTest {
    @TempDir
    private Path folder;

    private PatientFollower follower() throws Exception {
        System.setProperty("zookeeper.leaderConnectDelayDuringRetryMs", "20");
        QuorumPeer peer = new QuorumPeer();
        peer.setTickTime(500);
        peer.setInitLimit(20);
        peer.setConnectToLearnerMasterLimit(4);
        peer.initialize();
        File data = folder.toFile();
        FileTxnSnapLog files = new FileTxnSnapLog(data, data);
        return new PatientFollower(peer, files, new ZKDatabase(files));
    }

    private static InetSocketAddress unused() throws IOException {
        try (ServerSocket any = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return (InetSocketAddress) any.getLocalSocketAddress();
        }
    }

    @Test
    void oneThatOpensLateIsWaitedFor() throws Exception {
        PatientFollower follower = follower();
        InetSocketAddress leader = unused();
        CompletableFuture<Boolean> came = CompletableFuture.supplyAsync(
                () -> {
                    try (ServerSocket opened = new ServerSocket(leader.getPort(), 1, leader.getAddress())) {
                        opened.accept().close();
                        return true;
                    } catch (IOException e) {
                        return false;
                    }
                },
                CompletableFuture.delayedExecutor(700, TimeUnit.MILLISECONDS));
        follower.connectToLeader(new MultipleAddresses(leader), "leader");
        assertThat(came.get()).isTrue();
    }

    @Test
    void oneThatDoesNotOpenIsGivenUp() throws Exception {
        PatientFollower follower = follower();
        MultipleAddresses nobody = new MultipleAddresses(unused());
        long begun = System.nanoTime();
        assertThatThrownBy(() -> follower.connectToLeader(nobody, "leader")).isInstanceOf(IOException.class);
        assertThat(TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - begun)).isBetween(2_000L, 4_000L);
    }
}
