package org.cellkeeper.cell.zookeeper;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.cellkeeper.cell.decide.Belief;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellSettings;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.CoordinationView;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.Member;
import org.cellkeeper.cell.model.Phase;
import org.cellkeeper.cell.model.VersionedState;
import org.cellkeeper.cell.port.Coordination.Outcome;
import org.cellkeeper.cell.port.CoordinationWatcher;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Real servers, and what they do when their lists differ or their data are gone: where ZooKeeper itself does not keep to one
 * ensemble, a cell must, by what it has read.
 */
final class OneEnsembleIT {
    private static final String[] HOSTS = {"127.0.0.31", "127.0.0.32", "127.0.0.33", "127.0.0.34", "127.0.0.35"};
    private static final CellId ONE = CellId.parse("cell-1.0000000a");
    private static final Address ADDRESS = new Address("127.0.0.31", 5432, 5480, 5481);
    private static final Duration FOR_A_WHILE = Duration.ofSeconds(5);

    @TempDir
    private Path folder;

    private Ensemble ensemble;
    private final List<ZooKeeperCoordination> clients = new ArrayList<>();

    @BeforeEach
    void startThree() throws Exception {
        ensemble = new Ensemble(folder, HOSTS);
        ensemble.startFirst(3);
    }

    @AfterEach
    void stopAll() {
        clients.forEach(ZooKeeperCoordination::close);
        ensemble.close();
    }

    private static ClusterState born(String systemId) {
        return ClusterState.born(
                        ONE, new Member(ONE.incarnation(), ADDRESS, 100, "rack-1"), systemId, FailoverMode.AUTOMATIC)
                .withEnsemble(
                        org.cellkeeper.cell.model.Ensemble.first(List.of(HOSTS).subList(0, 3)))
                .stamped();
    }

    private static CellSettings settings(int servers) {
        return new CellSettings(
                        ONE.name(),
                        ADDRESS,
                        100,
                        "rack-1",
                        null,
                        FailoverMode.AUTOMATIC,
                        CellSettings.IsolationResponse.READ_ONLY,
                        1,
                        CellSettings.Timing.defaults())
                .withServers(List.of(HOSTS).subList(0, servers), "");
    }

    /** A cell's client, which tries these servers in this order. */
    private CoordinationWatcher client(Integer... servers) throws Exception {
        List<String> addresses = Stream.of(servers)
                .map(number -> ensemble.addresses().get(number - 1))
                .toList();
        ZooKeeperCoordination client = new ZooKeeperCoordination(new CoordinationSettings(
                addresses,
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

    /** One change of the shared state, tried until it comes through; answers with what is there then. */
    private static VersionedState change(CoordinationWatcher client) throws Exception {
        for (int tries = 0; tries < 1000; tries++) {
            CoordinationView view =
                    client.awaits("synced", seen -> seen.connected() && seen.synced() && seen.state() != null);
            VersionedState seen = Objects.requireNonNull(view.state());
            ClusterState next = seen.state()
                    .withMode(
                            seen.state().failoverMode() == FailoverMode.MANUAL
                                    ? FailoverMode.AUTOMATIC
                                    : FailoverMode.MANUAL)
                    .stamped();
            if (outcome(client.coordination.compareAndSet(seen.version(), next)) == Outcome.APPLIED) {
                return new VersionedState(seen.version() + 1, next);
            }
            client.coordination.refresh();
            pass(Duration.ofMillis(50));
        }
        throw new AssertionError("no change came through");
    }

    /** One that the other side does not make: what is written alike is alike. */
    private static VersionedState changeOtherwise(CoordinationWatcher client) throws Exception {
        CoordinationView view = client.awaits("synced", seen -> seen.synced() && seen.state() != null);
        VersionedState seen = Objects.requireNonNull(view.state());
        ClusterState next = seen.state()
                .propose(ONE, Phase.Kind.AUTOMATIC, Instant.EPOCH)
                .steadyAgain()
                .stamped();
        assertThat(outcome(client.coordination.compareAndSet(seen.version(), next)))
                .isEqualTo(Outcome.APPLIED);
        return new VersionedState(seen.version() + 1, next);
    }

    private static void pass(Duration time) throws InterruptedException {
        assertThat(new CountDownLatch(1).await(time.toMillis(), TimeUnit.MILLISECONDS))
                .isFalse();
    }

    private static String objection(VersionedState seen, CoordinationView told) {
        return Belief.objection(seen, told, settings(3));
    }

    private Path data(int number) throws IOException {
        return ensemble.home(number).resolve("data/version-2");
    }

    private void wipe(int number) throws IOException {
        Path data = data(number);
        try (Stream<Path> all = Files.walk(data)) {
            for (Path each : all.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(each);
            }
        }
    }

    private static void copy(Path from, Path to) throws IOException {
        Files.createDirectories(to);
        try (Stream<Path> all = Files.list(from)) {
            for (Path each : all.toList()) {
                Files.copy(each, to.resolve(each.getFileName()));
            }
        }
    }

    // ---- appending one server

    /** Which server is restarted with the longer list first; the new one is the fourth. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "new, follower, follower, leader",
                "leader, follower, follower, new",
                "follower, leader, new, follower"
            })
    void oneServerIsAppendedInARollingRestartOfAnyOrder(String order) throws Exception {
        CoordinationWatcher client = client(1, 2, 3);
        assertThat(outcome(client.coordination.create(born("7")))).isEqualTo(Outcome.APPLIED);
        List<Integer> left = new ArrayList<>(List.of(1, 2, 3));
        List<VersionedState> states = new ArrayList<>(List.of(change(client)));

        boolean newFirst = order.startsWith("new");
        for (String next : order.split(", ", -1)) {
            int number = 4;
            if (!next.equals("new")) {
                int leader = ensemble.leader();
                boolean leads = next.equals("leader") && left.contains(leader);
                number = leads
                        ? leader
                        : left.stream()
                                .filter(one -> one != leader || left.size() == 1)
                                .findFirst()
                                .orElseThrow();
                left.remove(Integer.valueOf(number));
                ensemble.kill(number);
                if (newFirst) {
                    states.add(change(client));
                }
            } else {
                ZooKeeperServer.letVoteThoughEmpty(ensemble.home(4));
            }
            int started = number;
            ensemble.startAmong(number, 4);
            states.add(change(client));
            assertThat(leaders()).hasSizeLessThanOrEqualTo(1);
            if (newFirst) {
                // Each that is restarted finds three of four at once. In another order it has to wait for the next one.
                Ensemble.await(
                        number + " serves", () -> ensemble.status(started).isServing());
            }
        }
        ensemble.awaitServing(4);
        states.add(change(client));

        assertThat(states.stream().map(VersionedState::version))
                .doesNotHaveDuplicates()
                .isSorted();
        assertThat(leaders()).hasSize(1);
        for (int i = 1; i < states.size(); i++) {
            CoordinationView told = told(states.get(i));
            assertThat(objection(states.get(i - 1), told)).isEmpty();
        }
        // Now it takes three of four.
        ensemble.kill(ensemble.leader());
        change(client);
    }

    private static CoordinationView told(VersionedState state) {
        return new CoordinationView(true, true, false, state, 0, Map.of(), Map.of(), false, List.of(), "");
    }

    private List<Integer> leaders() {
        return IntStream.rangeClosed(1, HOSTS.length)
                .filter(number -> ensemble.status(number).isLeading())
                .boxed()
                .toList();
    }

    // ---- what must not be

    /** As it was seen: three cells were restarted with two servers appended at once. */
    @Test
    void twoEnsemblesOfOneCopyAreToldApartAndACellGoesToItsOwn() throws Exception {
        CoordinationWatcher client = client(1, 2);
        assertThat(outcome(client.coordination.create(born("7")))).isEqualTo(Outcome.APPLIED);
        VersionedState common = change(client);

        ensemble.kill(3);
        for (int number : new int[] {4, 5}) {
            ZooKeeperServer.letVoteThoughEmpty(ensemble.home(number));
        }
        for (int number : new int[] {3, 4, 5}) {
            ensemble.startAmong(number, 5);
        }
        Ensemble.await(
                "there are two leaders: this is what no list may bring about",
                () -> leaders().size() == 2);

        VersionedState own = change(client);
        CoordinationWatcher other = client(4);
        VersionedState theirs = changeOtherwise(other);
        assertThat(theirs.version()).isEqualTo(own.version());
        VersionedState theirsLater = change(other);

        // Whoever has read what the other side wrote knows; by the version alone nobody would.
        assertThat(objection(own, other.last())).contains("does not follow from version " + own.version());
        assertThat(objection(theirs, client.awaits("own", view -> own.equals(view.state()))))
                .contains("does not follow");
        assertThat(objection(common, other.last())).isEmpty();

        // A cell whose nearest server has gone over finds its way to the others.
        CoordinationWatcher lost = client(3, 1, 2);
        assertThat(objection(own, lost.awaits("later", view -> view.synced() && theirsLater.equals(view.state()))))
                .contains(HOSTS[2]);
        lost.coordination.distrust();
        CoordinationView found =
                lost.awaits("its own", view -> view.connected() && view.synced() && own.equals(view.state()));
        assertThat(objection(own, found)).isEmpty();

        // And the lists are such as no cell starts with.
        assertThat(org.cellkeeper.cell.model.Ensemble.refusal(
                        settings(3).servers(), settings(5).servers()))
                .contains("One server at a time");
    }

    @Test
    void aMajorityThatLostItsDataElectsNobodyUntilTheDataAreBack() throws Exception {
        CoordinationWatcher client = client(1, 2, 3);
        assertThat(outcome(client.coordination.create(born("7")))).isEqualTo(Outcome.APPLIED);
        VersionedState before = change(client);
        for (int number : new int[] {1, 2, 3}) {
            ensemble.kill(number);
        }
        wipe(1);
        wipe(2);
        for (int number : new int[] {1, 2}) {
            assertThat(ZooKeeperServer.isEmpty(ensemble.home(number))).isTrue();
            ensemble.startAmong(number, 3);
        }
        pass(FOR_A_WHILE);
        assertThat(leaders()).as("two empty servers of three").isEmpty();
        ensemble.startAmong(3, 3);
        pass(FOR_A_WHILE);
        assertThat(leaders())
                .as("one of three has the data, and needs another's vote")
                .isEmpty();

        ensemble.kill(1);
        wipe(1);
        copy(data(3), data(1));
        ensemble.startAmong(1, 3);
        ensemble.awaitServing(3);

        CoordinationView after = client.awaits("synced", view -> view.connected() && view.synced());
        assertThat(after.state()).isEqualTo(before);
        assertThat(change(client).version()).isEqualTo(before.version() + 1);
    }

    @Test
    void oneServerThatLostItsDataGetsThemFromTheOthers() throws Exception {
        CoordinationWatcher client = client(1, 2, 3);
        assertThat(outcome(client.coordination.create(born("7")))).isEqualTo(Outcome.APPLIED);
        VersionedState before = change(client);
        int leader = ensemble.leader();
        ensemble.kill(leader);
        wipe(leader);
        ensemble.startAmong(leader, 3);
        ensemble.awaitServing(3);
        CoordinationWatcher beside = client(leader);
        assertThat(beside.awaitsState(state -> true)).isEqualTo(before);
        assertThat(ZooKeeperServer.isEmpty(ensemble.home(leader))).isFalse();
    }

    /** As new machines would: they may vote. A server that knows more does not follow them, and no cell does. */
    @Test
    void aNewEnsembleOfEmptyFoldersIsNotBelieved() throws Exception {
        CoordinationWatcher client = client(1, 2, 3);
        assertThat(outcome(client.coordination.create(born("7")))).isEqualTo(Outcome.APPLIED);
        VersionedState before = change(client);
        // An election more, so that the third knows of more elections than the new ones will.
        ensemble.kill(ensemble.leader());
        change(client);
        for (int number : new int[] {1, 2, 3}) {
            ensemble.kill(number);
        }
        for (int number : new int[] {1, 2}) {
            wipe(number);
            ZooKeeperServer.letVoteThoughEmpty(ensemble.home(number));
            ensemble.startAmong(number, 3);
        }
        Ensemble.await("they serve", () -> leaders().size() == 1);

        CoordinationView told =
                client.awaits("the new one", view -> view.connected() && view.synced() && view.stateAbsent());
        assertThat(objection(before, told)).contains("knows no cluster").contains("its data were lost");
    }

    @Test
    void dataThatWereRestoredFromAnOldCopyAreNotBelieved() throws Exception {
        CoordinationWatcher client = client(1, 2, 3);
        assertThat(outcome(client.coordination.create(born("7")))).isEqualTo(Outcome.APPLIED);
        VersionedState old = change(client);
        Path kept = folder.resolve("kept");
        for (int number : new int[] {1, 2, 3}) {
            ensemble.kill(number);
        }
        for (int number : new int[] {1, 2, 3}) {
            copy(data(number), kept.resolve(String.valueOf(number)));
        }
        for (int number : new int[] {1, 2, 3}) {
            ensemble.startAmong(number, 3);
        }
        ensemble.awaitServing(3);
        VersionedState newest = old;
        for (int i = 0; i < 3; i++) {
            newest = change(client);
        }
        for (int number : new int[] {1, 2, 3}) {
            ensemble.kill(number);
        }
        for (int number : new int[] {1, 2, 3}) {
            wipe(number);
            copy(kept.resolve(String.valueOf(number)), data(number));
            ensemble.startAmong(number, 3);
        }
        ensemble.awaitServing(3);

        // The same client, whose session the copy knows, too; and a new one.
        VersionedState seen = newest;
        CoordinationView told = client.awaits(
                "what was restored", view -> view.connected() && view.synced() && old.equals(view.state()));
        assertThat(objection(seen, told))
                .contains("gone back in time: it holds version " + old.version())
                .contains("version " + seen.version());
        CoordinationWatcher newcomer = client(2);
        assertThat(newcomer.awaitsState(state -> true)).isEqualTo(old);
        // Somebody who knows no better goes on from there: that is no better for who does.
        for (int i = 0; i < 4; i++) {
            VersionedState made = changeOtherwise(newcomer);
            newcomer.awaits("own", view -> made.equals(view.state()));
        }
        CoordinationView later = newcomer.last();
        assertThat(Objects.requireNonNull(later.state()).version()).isGreaterThan(seen.version());
        assertThat(objection(seen, later)).contains("does not follow from version " + seen.version());
        assertThat(leaders().stream().map(String::valueOf).collect(Collectors.joining()))
                .hasSize(1);
    }
}
