package org.cellkeeper.cell.zookeeper;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.CoordinationView;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.Member;
import org.cellkeeper.cell.model.Presence;
import org.cellkeeper.cell.model.VersionedState;
import org.cellkeeper.cell.port.Coordination.Outcome;
import org.cellkeeper.cell.port.CoordinationWatcher;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Three members on hosts of their own: what their loss costs, and how long the ways are. Prints what it measured. */
final class EnsembleIT {
    private static final CellId ONE = CellId.parse("cell-1.0000000a");
    private static final Address ADDRESS = new Address("127.0.0.1", 5432, 5480, 5481);
    private static final ClusterState BORN = ClusterState.born(
            ONE, new Member(ONE.incarnation(), ADDRESS, 100, "rack-1"), "7300000000000000001", FailoverMode.AUTOMATIC);
    private static final String[] HOSTS = {"127.0.0.21", "127.0.0.22", "127.0.0.23"};

    @TempDir
    private Path folder;

    private Ensemble ensemble;
    private final List<ZooKeeperCoordination> clients = new ArrayList<>();

    @BeforeEach
    void startEnsemble() throws Exception {
        ensemble = new Ensemble(folder, HOSTS).start();
    }

    @AfterEach
    void stopEnsemble() {
        clients.forEach(ZooKeeperCoordination::close);
        ensemble.close();
    }

    /** A cell's client, on the cell's own member first. */
    private CoordinationWatcher clientBeside(int member) throws Exception {
        List<String> servers = new ArrayList<>(ensemble.addresses());
        String own = servers.remove(member - 1);
        servers.addFirst(own);
        ZooKeeperCoordination client = new ZooKeeperCoordination(new CoordinationSettings(
                servers,
                CoordinationSettings.DEFAULT_BASE_PATH,
                ZooKeeperBench.SECRET,
                CoordinationSettings.DEFAULT_SESSION_TIMEOUT,
                true,
                ensemble.trust()));
        clients.add(client);
        CoordinationWatcher watcher = new CoordinationWatcher(client);
        watcher.awaits("synced", CoordinationView::synced);
        return watcher;
    }

    private static Outcome outcome(CompletableFuture<Outcome> write) throws Exception {
        return write.get(20, TimeUnit.SECONDS);
    }

    private static ClusterState flipped(ClusterState state) {
        return state.withMode(
                state.failoverMode() == FailoverMode.MANUAL ? FailoverMode.AUTOMATIC : FailoverMode.MANUAL);
    }

    /** One change of the shared state. */
    private static Outcome change(CoordinationWatcher client) throws Exception {
        VersionedState seen = Objects.requireNonNull(client.last().state());
        return outcome(client.coordination.compareAndSet(seen.version(), flipped(seen.state())));
    }

    @Test
    void aChangeIsSeenByAnotherCellWithinMilliseconds() throws Exception {
        CoordinationWatcher writer = clientBeside(1);
        CoordinationWatcher reader = clientBeside(2);
        outcome(writer.coordination.create(BORN));
        reader.awaitsState(state -> true);
        int rounds = 200;
        long[] answered = new long[rounds];
        long[] heard = new long[rounds];

        for (int i = 0; i < rounds; i++) {
            VersionedState seen = writer.awaitsState(state -> true);
            ClusterState next = flipped(seen.state());
            int version = seen.version() + 1;
            CompletableFuture<Long> arrival = new CompletableFuture<>();
            reader.coordination.listen(view -> {
                if (view.state() != null && view.state().version() == version) {
                    arrival.complete(System.nanoTime());
                }
            });
            long start = System.nanoTime();
            assertThat(outcome(writer.coordination.compareAndSet(seen.version(), next)))
                    .isEqualTo(Outcome.APPLIED);
            answered[i] = System.nanoTime() - start;
            heard[i] = arrival.get(20, TimeUnit.SECONDS) - start;
            writer.awaits(
                    "own write", view -> view.state() != null && view.state().version() == version);
        }

        sayTimes("compare-and-set", answered);
        sayTimes("compare-and-set to another cell's listener", heard);
        Arrays.sort(heard);
        assertThat(TimeUnit.NANOSECONDS.toMillis(heard[rounds / 2])).isLessThan(2000);
    }

    @Test
    void aKilledLeaderIsReplacedAndNoSessionIsLost() throws Exception {
        CoordinationWatcher founder = clientBeside(1);
        outcome(founder.coordination.create(BORN));

        for (int round = 1; round <= 3; round++) {
            int leader = ensemble.leader();
            int other = leader % HOSTS.length + 1;
            CoordinationWatcher besideLeader = clientBeside(leader);
            CoordinationWatcher besideFollower = clientBeside(other);
            besideLeader.coordination.publishPresence(presence(ONE)).get(20, TimeUnit.SECONDS);
            besideFollower.awaits("present", view -> !view.present().isEmpty());
            besideFollower.awaitsState(state -> true);

            long start = System.nanoTime();
            ensemble.kill(leader);
            long writable = untilChanged(besideFollower) - start;
            long otherWritable = untilChanged(besideLeader) - start;
            say(String.format(
                    Locale.ROOT,
                    "leader killed (round %d): a follower's cell writes again after %d ms, the leader's cell after %d ms",
                    round,
                    TimeUnit.NANOSECONDS.toMillis(writable),
                    TimeUnit.NANOSECONDS.toMillis(otherWritable)));

            besideLeader.awaits("synced", CoordinationView::synced);
            assertThat(besideFollower.all().stream()
                            .dropWhile(view -> view.present().isEmpty()))
                    .as("the presence stayed through the election")
                    .allSatisfy(view -> assertThat(view.present()).containsKey(ONE.name()));
            assertThat(TimeUnit.NANOSECONDS.toMillis(writable)).isLessThan(10_000);
            ensemble.start(leader);
            ensemble.awaitServing();
            ((ZooKeeperCoordination) besideLeader.coordination).close();
            ((ZooKeeperCoordination) besideFollower.coordination).close();
        }
    }

    private static long untilChanged(CoordinationWatcher client) throws Exception {
        for (int tries = 0; tries < 1000; tries++) {
            if (change(client) == Outcome.APPLIED) {
                return System.nanoTime();
            }
            client.awaits("connected and read", CoordinationView::synced);
        }
        throw new AssertionError("no change came through");
    }

    @Test
    void aKilledFollowerIsNoticedByItsOwnCellOnly() throws Exception {
        int leader = ensemble.leader();
        int follower = leader % HOSTS.length + 1;
        CoordinationWatcher besideLeader = clientBeside(leader);
        CoordinationWatcher besideFollower = clientBeside(follower);
        outcome(besideLeader.coordination.create(BORN));
        besideFollower.awaitsState(state -> true);
        int told = besideLeader.all().size();

        long start = System.nanoTime();
        ensemble.kill(follower);
        besideFollower.awaits("lost", view -> !view.connected());
        long writable = untilChanged(besideFollower) - start;

        say(String.format(
                Locale.ROOT,
                "own follower killed: its cell writes again after %d ms",
                TimeUnit.NANOSECONDS.toMillis(writable)));
        assertThat(besideLeader.all().subList(told, besideLeader.all().size()))
                .allSatisfy(view -> assertThat(view.connected()).isTrue());
        besideLeader.awaits("present or not, it goes on", CoordinationView::synced);
    }

    @Test
    void aNewClientComesInWhileAMemberIsDown() throws Exception {
        int leader = ensemble.leader();
        int follower = leader % HOSTS.length + 1;
        ensemble.kill(follower);

        CoordinationWatcher client = clientBeside(follower);

        assertThat(outcome(client.coordination.create(BORN))).isEqualTo(Outcome.APPLIED);
    }

    @Test
    void withoutAQuorumNothingIsAppliedAndTheStateStays() throws Exception {
        int leader = ensemble.leader();
        CoordinationWatcher client = clientBeside(leader);
        outcome(client.coordination.create(BORN));
        VersionedState before = client.awaitsState(state -> true);

        for (int member = 1; member <= HOSTS.length; member++) {
            if (member != leader) {
                ensemble.kill(member);
            }
        }
        client.awaits("lost", view -> !view.connected());

        assertThat(change(client)).isIn(Outcome.NOT_SENT, Outcome.UNKNOWN);
        assertThat(client.last().state()).isEqualTo(before);
        Ensemble.await(
                "the last member serves no more", () -> !ensemble.status(leader).isServing());
        for (int member = 1; member <= HOSTS.length; member++) {
            if (member != leader) {
                ensemble.start(member);
            }
        }
        untilChanged(client);
    }

    @Test
    void anIdleEnsembleAndItsClientsCostLittle() throws Exception {
        List<CoordinationWatcher> watchers = new ArrayList<>();
        for (int member = 1; member <= HOSTS.length; member++) {
            CoordinationWatcher client = clientBeside(member);
            client.coordination
                    .publishPresence(presence(CellId.parse("cell-" + member + ".0000000a")))
                    .get(20, TimeUnit.SECONDS);
            watchers.add(client);
        }
        outcome(watchers.getFirst().coordination.create(BORN));
        long idleSeconds = 5;
        long[] peersBefore = ticksOfPeers();
        long ownBefore =
                ProcessHandle.current().info().totalCpuDuration().orElseThrow().toMillis();

        new CountDownLatch(1).await(idleSeconds, TimeUnit.SECONDS);

        long own =
                ProcessHandle.current().info().totalCpuDuration().orElseThrow().toMillis() - ownBefore;
        long[] peersAfter = ticksOfPeers();
        say(String.format(
                Locale.ROOT, "three idle clients in one process: %.2f %% of a processor", own / 10.0 / idleSeconds));
        for (int member = 1; member <= HOSTS.length; member++) {
            long kilobytes = ensemble.residentKilobytes(member);
            say(String.format(
                    Locale.ROOT,
                    "idle member %d (%s): %.2f %% of a processor, %d MB resident",
                    member,
                    ensemble.status(member),
                    (peersAfter[member - 1] - peersBefore[member - 1]) / 10.0 / idleSeconds,
                    kilobytes / 1024));
            assertThat(kilobytes / 1024).isLessThan(300);
        }
    }

    private long[] ticksOfPeers() {
        return IntStream.rangeClosed(1, HOSTS.length)
                .mapToLong(member -> ProcessHandle.of(ensemble.pid(member))
                        .flatMap(process -> process.info().totalCpuDuration())
                        .orElseThrow()
                        .toMillis())
                .toArray();
    }

    private static Presence presence(CellId cell) {
        return new Presence(cell, ADDRESS, "STREAMING");
    }

    private static void sayTimes(String what, long[] nanos) {
        long[] sorted = nanos.clone();
        Arrays.sort(sorted);
        say(String.format(
                Locale.ROOT,
                "%s: median %.1f ms, 95 %% within %.1f ms, longest %.1f ms",
                what,
                sorted[sorted.length / 2] / 1e6,
                sorted[sorted.length * 95 / 100] / 1e6,
                sorted[sorted.length - 1] / 1e6));
    }

    private static void say(String figure) {
        System.out.println("figure: " + figure);
    }
}
