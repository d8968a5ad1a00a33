package org.cellkeeper.cell.zookeeper;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.retry.RetryOneTime;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.data.Stat;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.CoordinationView;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.HistoryEntry;
import org.cellkeeper.cell.model.Presence;
import org.cellkeeper.cell.model.RevokedSession;
import org.cellkeeper.cell.model.Task;
import org.cellkeeper.cell.port.Coordination.Outcome;
import org.cellkeeper.cell.port.CoordinationBench;
import org.cellkeeper.cell.port.CoordinationContract;
import org.cellkeeper.cell.port.CoordinationWatcher;
import org.cellkeeper.cell.port.Revocations;
import org.cellkeeper.cell.wire.Json;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The contract on a real server, and what only a real server can do. */
final class ZooKeeperCoordinationIT extends CoordinationContract {
    private static final AtomicInteger CLUSTERS = new AtomicInteger();

    @TempDir
    private static Path folder;

    private static Ensemble ensemble;

    @BeforeAll
    static void startServer() throws Exception {
        ensemble = new Ensemble(folder, "127.0.0.1").start();
    }

    @AfterAll
    static void stopServer() throws Exception {
        ensemble.close();
    }

    @Override
    protected CoordinationBench newBench() {
        return new ZooKeeperBench(
                ensemble.server(1), "/path-of/ours_1/prod.db." + CLUSTERS.incrementAndGet(), ensemble.trust());
    }

    private ZooKeeperBench zooKeeper() {
        return (ZooKeeperBench) bench();
    }

    @Test
    void aWriteThatTheServerDoesNotAnswerIsUnknownAndMayBeAppliedLater() throws Exception {
        CoordinationWatcher one = client();
        outcome(one.coordination.create(BORN));
        int version = one.awaitsState(state -> true).version();

        ensemble.signal(1, "STOP");
        Outcome outcome;
        try {
            outcome = outcome(one.coordination.compareAndSet(version, BORN.withMode(FailoverMode.MANUAL)));
            assertThat(one.last().connected()).isFalse();
            assertThat(Objects.requireNonNull(one.last().state()).state()).isEqualTo(BORN);
            assertThat(outcome(one.coordination.compareAndSet(version, BORN))).isEqualTo(Outcome.NOT_SENT);
        } finally {
            ensemble.signal(1, "CONT");
        }

        assertThat(outcome).isEqualTo(Outcome.UNKNOWN);
        one.awaits("synced", CoordinationView::synced);
    }

    @Test
    void aSessionThatIsEndedAtOneCellIsEndedAtAllUntilItWouldHaveExpired() throws Exception {
        Revocations one = (Revocations) client().coordination;
        Revocations two = (Revocations) client().coordination;
        awaitStanding(two, "aa11", Revocations.Standing.VALID);

        assertThat(outcome(one.revoke(new RevokedSession("aa11", Instant.now().plusSeconds(600)))))
                .isEqualTo(Outcome.APPLIED);
        assertThat(one.standing("aa11")).isEqualTo(Revocations.Standing.REVOKED);
        awaitStanding(two, "aa11", Revocations.Standing.REVOKED);
        awaitStanding((Revocations) client().coordination, "aa11", Revocations.Standing.REVOKED);
        assertThat(two.standing("aa12")).isEqualTo(Revocations.Standing.VALID);

        assertThat(outcome(one.revoke(new RevokedSession("bb22", Instant.now().minusSeconds(1)))))
                .isEqualTo(Outcome.APPLIED);
        awaitStanding(two, "bb22", Revocations.Standing.REVOKED);
        awaitStanding(one, "bb22", Revocations.Standing.REVOKED);
        outcome(two.revoke(new RevokedSession("cc33", Instant.now().plusSeconds(600))));
        awaitStanding(two, "bb22", Revocations.Standing.VALID);
        awaitStanding(one, "cc33", Revocations.Standing.REVOKED);
        assertThat(one.standing("aa11")).isEqualTo(Revocations.Standing.REVOKED);
    }

    private static void awaitStanding(Revocations cell, String session, Revocations.Standing wanted) throws Exception {
        for (int tries = 0; tries < 200 && cell.standing(session) != wanted; tries++) {
            Thread.sleep(50);
        }
        assertThat(cell.standing(session)).isEqualTo(wanted);
    }

    @Test
    void whatWasEndedWithoutZooKeeperIsToldWhenItIsBack() throws Exception {
        CoordinationWatcher one = client();
        Revocations here = (Revocations) one.coordination;
        Revocations there = (Revocations) client().coordination;
        awaitStanding(there, "dd44", Revocations.Standing.VALID);
        bench().cutOff(one.coordination);
        one.awaits("disconnected", view -> !view.connected());
        assertThat(outcome(here.revoke(new RevokedSession("dd44", Instant.now().plusSeconds(600)))))
                .isEqualTo(Outcome.NOT_SENT);
        assertThat(here.standing("dd44")).isEqualTo(Revocations.Standing.REVOKED);
        bench().reconnect(one.coordination);
        awaitStanding(there, "dd44", Revocations.Standing.REVOKED);
    }

    @Test
    void anotherSecretNeitherReadsNorWrites() throws Exception {
        CoordinationWatcher one = client();
        outcome(one.coordination.create(BORN));
        int version = one.awaitsState(state -> true).version();
        CoordinationWatcher stranger = new CoordinationWatcher(zooKeeper().client("another secret"));
        stranger.awaits("connected", CoordinationView::connected);

        assertThat(outcome(stranger.coordination.compareAndSet(version, BORN.withMode(FailoverMode.MANUAL))))
                .isEqualTo(Outcome.CONFLICT);
        assertThat(outcome(stranger.coordination.publishVote(vote(1, TWO)))).isEqualTo(Outcome.CONFLICT);
        assertThat(outcome(stranger.coordination.publishPresence(new Presence(TWO, ADDRESS, ""))))
                .isEqualTo(Outcome.CONFLICT);
        assertThat(outcome(stranger.coordination.takeBirthLock())).isEqualTo(Outcome.CONFLICT);
        assertThat(outcome(stranger.coordination.deleteVotes(9))).isEqualTo(Outcome.CONFLICT);
        assertThat(stranger.coordination.history(1))
                .failsWithin(10, TimeUnit.SECONDS)
                .withThrowableOfType(ExecutionException.class);

        assertThat(stranger.all()).allSatisfy(view -> {
            assertThat(view.state()).isNull();
            assertThat(view.synced()).isFalse();
            assertThat(view.stateAbsent()).isFalse();
        });
        assertThat(one.awaitsState(state -> true).version()).isEqualTo(version);
    }

    /** By another client than the program's own, which could be wrong at both ends alike. */
    @Test
    void anotherKindOfClientReadsTheStateWithTheSecretOnly() throws Exception {
        CoordinationWatcher one = client();
        outcome(one.coordination.create(BORN));
        int version = one.awaitsState(state -> true).version();
        String path = zooKeeper().basePath() + "/state";

        try (CuratorFramework knowing = curator(ZooKeeperBench.SECRET);
                CuratorFramework stranger = curator("another secret")) {
            Stat stat = new Stat();
            byte[] data = knowing.getData().storingStatIn(stat).forPath(path);
            assertThat(Json.read(data, ClusterState.class)).isEqualTo(BORN);
            assertThat(stat.getVersion()).isEqualTo(version);
            assertThatThrownBy(() -> stranger.getData().forPath(path))
                    .isInstanceOf(KeeperException.NoAuthException.class);
            assertThatThrownBy(() -> stranger.setData().forPath(path, data))
                    .isInstanceOf(KeeperException.NoAuthException.class);
        }
    }

    private static CuratorFramework curator(String secret) throws InterruptedException {
        CuratorFramework client = CuratorFrameworkFactory.builder()
                .connectString(
                        ensemble.server(1).host() + ":" + ensemble.server(1).clientPort())
                .retryPolicy(new RetryOneTime(100))
                .zkClientConfig(EncryptedEnsembleIT.configuration(ensemble.trust()))
                .authorization("digest", ("cell:" + secret).getBytes(StandardCharsets.UTF_8))
                .build();
        client.start();
        assertThat(client.blockUntilConnected(10, TimeUnit.SECONDS)).isTrue();
        return client;
    }

    @Test
    void theSecretIsInNoText() {
        CoordinationSettings settings = new CoordinationSettings(
                List.of("127.0.0.1:1"), "/cluster", ZooKeeperBench.SECRET, ZooKeeperBench.SESSION);

        assertThat(settings.toString()).doesNotContain(ZooKeeperBench.SECRET);
    }

    @Test
    void aShortCutKeepsTheSessionAndItsEntries() throws Exception {
        CoordinationWatcher one = client();
        CoordinationWatcher two = client();
        outcome(two.coordination.publishPresence(new Presence(TWO, ADDRESS, "STREAMING")));
        outcome(two.coordination.takeBirthLock());
        one.awaits("present", view -> !view.present().isEmpty());

        bench().cutOff(two.coordination);
        two.awaits("disconnected", view -> !view.connected());
        bench().reconnect(two.coordination);

        CoordinationView back = two.awaits("synced", view -> view.synced() && view.birthLock());
        assertThat(back.present()).containsKey(TWO.name());
        assertThat(one.all().stream().dropWhile(view -> view.present().isEmpty()))
                .allSatisfy(view -> assertThat(view.present()).containsKey(TWO.name()));
    }

    @Test
    void aServerThatCannotBeResolvedIsPassedOver() throws Exception {
        ZooKeeperServerSettings.Server real = ensemble.server(1);
        try (ZooKeeperCoordination client = new ZooKeeperCoordination(new CoordinationSettings(
                List.of("no-such-host.invalid:2181", "127.0.0.1:1", real.host() + ":" + real.clientPort()),
                "/cellkeeper/unresolved",
                ZooKeeperBench.SECRET,
                ZooKeeperBench.SESSION,
                true,
                ensemble.trust()))) {
            new CoordinationWatcher(client).awaits("synced", CoordinationView::synced);
        }
    }

    @Test
    void aServerIsReachedByItsIpv6Address(@TempDir Path own) throws Exception {
        try (Ensemble ofOne = new Ensemble(own, "::1").start();
                ZooKeeperCoordination client = new ZooKeeperCoordination(new CoordinationSettings(
                        List.of("[::1]:" + ofOne.server(1).clientPort()),
                        "/prod.db",
                        ZooKeeperBench.SECRET,
                        ZooKeeperBench.SESSION,
                        true,
                        ofOne.trust()))) {
            new CoordinationWatcher(client).awaits("synced", CoordinationView::synced);
        }
    }

    @Test
    void withoutAnyServerNothingIsSentAndNobodyIsHeldUp() throws Exception {
        try (ZooKeeperCoordination client = new ZooKeeperCoordination(new CoordinationSettings(
                List.of("127.0.0.1:1"), "/cluster", ZooKeeperBench.SECRET, ZooKeeperBench.SESSION))) {
            CoordinationWatcher watcher = new CoordinationWatcher(client);
            assertThat(outcome(client.create(BORN))).isEqualTo(Outcome.NOT_SENT);
            assertThat(outcome(client.publishPresence(new Presence(TWO, ADDRESS, ""))))
                    .isEqualTo(Outcome.NOT_SENT);
            assertThat(client.history(5))
                    .failsWithin(5, TimeUnit.SECONDS)
                    .withThrowableOfType(ExecutionException.class);
            assertThat(watcher.last().connected()).isFalse();
        }
    }

    @Test
    void afterClosingNothingIsSent() throws Exception {
        ZooKeeperCoordination client = zooKeeper().client();
        new CoordinationWatcher(client).awaits("synced", CoordinationView::synced);

        client.close();

        assertThat(outcome(client.create(BORN))).isEqualTo(Outcome.NOT_SENT);
        assertThat(client.history(5)).failsWithin(5, TimeUnit.SECONDS).withThrowableOfType(ExecutionException.class);
        client.refresh();
    }

    /** Its requests are begun when the thread takes no more, and throw. */
    @Test
    void theHistoryThatIsAskedForWhileItClosesIsAnswered() throws Exception {
        ZooKeeperCoordination client = zooKeeper().client();
        new CoordinationWatcher(client).awaits("synced", CoordinationView::synced);
        CountDownLatch held = new CountDownLatch(1);
        CountDownLatch closed = new CountDownLatch(1);
        client.listen(view -> {
            held.countDown();
            try {
                closed.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        held.await();

        CompletableFuture<List<HistoryEntry>> history = client.history(5);
        client.close();
        closed.countDown();

        assertThat(history).failsWithin(5, TimeUnit.SECONDS).withThrowableOfType(ExecutionException.class);
    }

    @Test
    void aStateThatCannotBeReadIsNotTakenForSyncedUntilAGoodOneFollows() throws Exception {
        CoordinationWatcher one = client();
        outcome(one.coordination.create(BORN));
        one.awaits("synced", view -> view.synced() && view.state() != null);
        String path = zooKeeper().basePath() + "/state";
        try (CuratorFramework other = curator(ZooKeeperBench.SECRET)) {
            other.setData().forPath(path, "no state".getBytes(StandardCharsets.UTF_8));
            CoordinationView unreadable = one.awaits("unreadable", view -> !view.synced());
            assertThat(Objects.requireNonNull(unreadable.state()).state()).isEqualTo(BORN);

            other.setData().forPath(path, Json.write(BORN.withMode(FailoverMode.MANUAL)));
            one.awaitsState(state -> state.failoverMode() == FailoverMode.MANUAL);
            one.awaits("synced again", CoordinationView::synced);

            other.setData().forPath(path, "no state".getBytes(StandardCharsets.UTF_8));
            one.awaits("unreadable again", view -> !view.synced());
            other.delete().forPath(path);
            one.awaits("absent", CoordinationView::stateAbsent);
        }
    }

    /** The many tasks make the reading last, so that the state changes meanwhile. */
    @Test
    void whatWasReadBeforeAStateThatCannotBeReadDoesNotMakeItSynced() throws Exception {
        CoordinationWatcher one = client();
        outcome(one.coordination.create(BORN));
        for (int i = 0; i < 150; i++) {
            outcome(one.coordination.putTask(task("task-" + i, Task.Status.QUEUED)));
        }
        String path = zooKeeper().basePath() + "/state";
        try (CuratorFramework other = curator(ZooKeeperBench.SECRET)) {
            for (int round = 0; round < 60; round++) {
                other.setData().forPath(path, Json.write(BORN));
                one.coordination.refresh();
                one.awaits("synced", CoordinationView::synced);
                one.coordination.history(1).get(20, TimeUnit.SECONDS);
                one.coordination.refresh();
                other.setData().forPath(path, "no state".getBytes(StandardCharsets.UTF_8));
                one.awaits("unreadable", view -> !view.synced());
                for (int i = 0; i < 3; i++) {
                    one.coordination.history(1).get(20, TimeUnit.SECONDS);
                }
                assertThat(one.last().synced()).as("round %d", round).isFalse();
            }
        }
    }

    @Test
    void aStateThatIsTooLargeForANodeIsNotSent() throws Exception {
        CoordinationWatcher one = client();
        HistoryEntry large = new HistoryEntry(NOON, ONE.name(), 1, 1, "x".repeat(1_100_000), "");

        assertThat(outcome(one.coordination.appendHistory(large))).isEqualTo(Outcome.NOT_SENT);
        assertThat(one.last().connected()).isTrue();
    }

    @Test
    void historyIsBounded() throws Exception {
        CoordinationWatcher one = client();
        HistoryEntry entry = new HistoryEntry(NOON, ONE.name(), 1, 1, "again", "");
        for (int i = 0; i < 11; i++) {
            List<CompletableFuture<Outcome>> appends = IntStream.range(0, 100)
                    .mapToObj(n -> one.coordination.appendHistory(entry))
                    .toList();
            for (CompletableFuture<Outcome> append : appends) {
                assertThat(outcome(append)).isEqualTo(Outcome.APPLIED);
            }
        }
        outcome(one.coordination.appendHistory(new HistoryEntry(NOON, ONE.name(), 1, 2, "last", "")));

        List<HistoryEntry> read = one.coordination.history(5000).get(20, TimeUnit.SECONDS);

        assertThat(read).hasSizeBetween(950, 1000);
        assertThat(read.getFirst().sentence()).isEqualTo("last");
    }

    @Test
    void theServerSaysWhatItIs() {
        assertThat(ensemble.status(1)).isEqualTo(ZooKeeperServerStatus.STANDALONE);
        assertThat(ZooKeeperServerStatus.of("127.0.0.1", 1, null)).isEqualTo(ZooKeeperServerStatus.UNREACHABLE);
    }
}
