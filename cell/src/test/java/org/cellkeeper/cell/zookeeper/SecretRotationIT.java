package org.cellkeeper.cell.zookeeper;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.retry.RetryOneTime;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.server.auth.DigestAuthenticationProvider;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.CoordinationView;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.Incarnation;
import org.cellkeeper.cell.model.Presence;
import org.cellkeeper.cell.model.RevokedSession;
import org.cellkeeper.cell.port.Coordination.Outcome;
import org.cellkeeper.cell.port.CoordinationContract;
import org.cellkeeper.cell.port.CoordinationWatcher;
import org.cellkeeper.cell.trust.Secrets;
import org.cellkeeper.cell.wire.Json;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Three cells at a real server, whose secrets become others one cell after the other. */
final class SecretRotationIT {
    private static final String BASE = "/above/cluster";
    private static final String OLD = "an old secret of the cluster";
    private static final String NEW = "a new secret of the cluster";
    private static final String ODD = "a secret that nobody has heard of";
    private static final Address ADDRESS = new Address("127.0.0.1", 1, 2, 3);

    @TempDir
    private Path folder;

    private Ensemble ensemble;
    private final List<Cell> cells = new ArrayList<>();

    /** As the wiring joins them. */
    private final class Cell implements AutoCloseable {
        private final CellId id;
        private final Secrets secrets;
        private final ZooKeeperCoordination coordination;
        private final CoordinationWatcher watcher;

        Cell(int number, String... listed) {
            id = new CellId(new CellName("cell-" + number), Incarnation.of(number));
            secrets = new Secrets(bytes(listed));
            coordination = new ZooKeeperCoordination(new CoordinationSettings(
                    List.of(ensemble.server(1).host() + ":" + ensemble.server(1).clientPort()),
                    BASE,
                    () -> secrets.derived("zookeeper"),
                    secrets::names,
                    ZooKeeperBench.SESSION,
                    true,
                    ensemble.trust()));
            secrets.onChange(coordination::secretsChanged);
            watcher = new CoordinationWatcher(coordination);
            get(coordination.publishPresence(new Presence(id, ADDRESS, "")));
        }

        void take(String... listed) {
            secrets.take(bytes(listed));
        }

        @Override
        public void close() {
            coordination.close();
        }
    }

    private static List<byte[]> bytes(String... secrets) {
        return Arrays.stream(secrets)
                .map(secret -> secret.getBytes(StandardCharsets.UTF_8))
                .toList();
    }

    private static String derived(String secret) {
        return new Secrets(bytes(secret)).derived("zookeeper").getFirst();
    }

    private static String digest(String secret) {
        try {
            return DigestAuthenticationProvider.generateDigest("cell:" + derived(secret));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    private static <T> T get(CompletableFuture<T> answer) {
        return answer.orTimeout(10, TimeUnit.SECONDS).join();
    }

    @BeforeEach
    void start() throws Exception {
        ensemble = new Ensemble(folder, "127.0.0.1").start();
        for (int number = 1; number <= 3; number++) {
            cells.add(new Cell(number, OLD));
        }
        for (Cell cell : cells) {
            cell.watcher.awaits("synced", CoordinationView::synced);
        }
        assertThat(get(cells.getFirst().coordination.create(CoordinationContract.BORN)))
                .isEqualTo(Outcome.APPLIED);
        for (int i = 0; i < 20; i++) {
            get(cells.get(i % 3)
                    .coordination
                    .revoke(new RevokedSession("ab" + i, Instant.now().plusSeconds(600))));
        }
    }

    @AfterEach
    void stop() throws Exception {
        cells.forEach(Cell::close);
        ensemble.close();
    }

    private CuratorFramework stranger(String secret) throws InterruptedException {
        CuratorFramework client = CuratorFrameworkFactory.builder()
                .connectString(
                        ensemble.server(1).host() + ":" + ensemble.server(1).clientPort())
                .retryPolicy(new RetryOneTime(100))
                .zkClientConfig(EncryptedEnsembleIT.configuration(ensemble.trust()))
                .authorization("digest", ("cell:" + derived(secret)).getBytes(StandardCharsets.UTF_8))
                .build();
        client.start();
        assertThat(client.blockUntilConnected(10, TimeUnit.SECONDS)).isTrue();
        return client;
    }

    /** Every node from the root on, but for ZooKeeper's own, with what it is open to. */
    private List<String> nodesNotOpenToJust(Set<String> digests) throws Exception {
        List<String> wrong = new ArrayList<>();
        try (CuratorFramework all = all()) {
            List<String> open = new ArrayList<>(List.of("/"));
            int seen = 0;
            while (!open.isEmpty()) {
                String path = open.removeLast();
                if (path.startsWith("/zookeeper")) {
                    continue;
                }
                try {
                    Set<String> has = all.getACL().forPath(path).stream()
                            .map(acl -> acl.getPerms() + " " + acl.getId().getScheme() + " "
                                    + acl.getId().getId())
                            .collect(Collectors.toCollection(TreeSet::new));
                    Set<String> wanted = digests.stream()
                            .map(digest -> ZooDefs.Perms.ALL + " digest " + digest)
                            .collect(Collectors.toCollection(TreeSet::new));
                    if (!has.equals(wanted)) {
                        wrong.add(path + " is open to " + has);
                    }
                    all.getChildren()
                            .forPath(path)
                            .forEach(name -> open.add((path.equals("/") ? "" : path) + "/" + name));
                    seen++;
                } catch (KeeperException.NoNodeException gone) {
                    // a moment ago
                }
            }
            assertThat(seen).isGreaterThan(30);
        }
        return wrong;
    }

    /** One who knows all secrets. */
    private CuratorFramework all() throws Exception {
        CuratorFramework client = stranger(OLD);
        for (String secret : List.of(NEW, ODD)) {
            client.getZookeeperClient()
                    .getZooKeeper()
                    .addAuthInfo("digest", ("cell:" + derived(secret)).getBytes(StandardCharsets.UTF_8));
        }
        return client;
    }

    private void awaitOpenToJust(String... secrets) throws Exception {
        Set<String> digests = Stream.of(secrets).map(SecretRotationIT::digest).collect(Collectors.toSet());
        List<String> others = nodesNotOpenToJust(digests);
        for (int tries = 0; tries < 100 && !others.isEmpty(); tries++) {
            Thread.sleep(200);
            others = nodesNotOpenToJust(digests);
        }
        assertThat(others).isEmpty();
    }

    private void awaitWords(Cell cell, String... parts) throws Exception {
        for (int tries = 0;
                tries < 100
                        && !Arrays.stream(parts)
                                .allMatch(part ->
                                        cell.coordination.secretsInWords().contains(part));
                tries++) {
            Thread.sleep(100);
        }
        assertThat(cell.coordination.secretsInWords()).contains(parts);
    }

    private void awaitNoWords() throws Exception {
        for (Cell cell : cells) {
            for (int tries = 0;
                    tries < 100 && !cell.coordination.secretsInWords().isEmpty();
                    tries++) {
                Thread.sleep(100);
            }
            assertThat(cell.coordination.secretsInWords()).isEmpty();
        }
    }

    /** Each writes the state once, and is never away meanwhile. */
    private void allCellsReadAndWrite() throws Exception {
        for (Cell cell : cells) {
            ClusterState state = cell.watcher.awaitsState(any -> true).state();
            FailoverMode other =
                    state.failoverMode() == FailoverMode.MANUAL ? FailoverMode.AUTOMATIC : FailoverMode.MANUAL;
            int version = cell.watcher.last().state().version();
            Outcome outcome = get(cell.coordination.compareAndSet(version, state.withMode(other)));
            assertThat(outcome).as("%s writes", cell.id).isEqualTo(Outcome.APPLIED);
            for (Cell reader : cells) {
                assertThat(reader.watcher
                                .awaitsState(read -> read.failoverMode() == other)
                                .version())
                        .isGreaterThan(version);
            }
            assertThat(get(cell.coordination.revoke(new RevokedSession(
                            "cd" + System.nanoTime(), Instant.now().plusSeconds(600)))))
                    .isEqualTo(Outcome.APPLIED);
        }
    }

    private void take(String... listed) throws Exception {
        for (Cell cell : cells) {
            cell.take(listed);
            allCellsReadAndWrite();
        }
        allCellsReadAndWrite();
    }

    @Test
    void theSecretIsRotatedWhileAllReadAndWriteAndTheOldOneIsRefusedAfterwards() throws Exception {
        awaitOpenToJust(OLD);
        take(OLD, NEW);
        awaitOpenToJust(OLD, NEW);
        awaitNoWords();
        try (CuratorFramework old = stranger(OLD);
                CuratorFramework next = stranger(NEW)) {
            assertThat(old.getData().forPath(BASE + "/state")).isNotEmpty();
            assertThat(next.getData().forPath(BASE + "/state")).isNotEmpty();
        }
        Collections.reverse(cells);
        take(NEW, OLD);
        awaitOpenToJust(OLD, NEW);
        Collections.rotate(cells, 1);
        take(NEW);
        awaitOpenToJust(NEW);
        awaitNoWords();
        try (CuratorFramework old = stranger(OLD)) {
            for (String path : List.of(BASE + "/state", BASE, "/above")) {
                assertThatThrownBy(() -> old.getData().forPath(path))
                        .isInstanceOf(KeeperException.NoAuthException.class);
            }
            assertThatThrownBy(() -> old.create().forPath("/filling"))
                    .isInstanceOf(KeeperException.NoAuthException.class);
        }
        for (Cell cell : cells) {
            assertThat(disconnections(cell))
                    .as("%s has kept its connection", cell.id)
                    .isZero();
        }
        // What a new agent makes and finds.
        try (Cell fresh = new Cell(4, NEW)) {
            fresh.watcher.awaits("synced", CoordinationView::synced);
        }
        awaitOpenToJust(NEW);
    }

    private static long disconnections(Cell cell) {
        return cell.watcher.all().stream()
                .map(CoordinationView::connected)
                .dropWhile(connected -> !connected)
                .filter(connected -> !connected)
                .count();
    }

    /** Each write of an entry has all cells look at all entries: one that answers it with another never ends. */
    @Test
    void whatACellListsIsWrittenOnceAndNotAgain() throws Exception {
        awaitOpenToJust(OLD);
        Ensemble.await(
                "all cells have told",
                () -> cells.stream()
                        .allMatch(cell -> cell.coordination.secretsInWords().isEmpty()));
        TimeUnit.SECONDS.sleep(4);
        try (CuratorFramework reader = stranger(OLD)) {
            List<String> entries = reader.getChildren().forPath(BASE + "/secrets");
            assertThat(entries).hasSize(3);
            for (String entry : entries) {
                assertThat(reader.checkExists()
                                .forPath(BASE + "/secrets/" + entry)
                                .getVersion())
                        .as(entry)
                        .isZero();
            }
        }
    }

    /** In any order: whoever is there is never shut out by another. */
    @Test
    void aCellThatStillListsTheOldSecretAloneIsNotShutOutAndIsNamed() throws Exception {
        cells.get(0).take(OLD, NEW);
        allCellsReadAndWrite();
        cells.get(0).take(NEW);
        cells.get(1).take(NEW, OLD);
        allCellsReadAndWrite();
        awaitOpenToJust(OLD, NEW);
        allCellsReadAndWrite();
        String old = new Secrets(bytes(OLD)).names().getFirst();
        String next = new Secrets(bytes(NEW)).names().getFirst();
        awaitWords(
                cells.get(0),
                "cell-1 lists " + next + "; cell-2 lists " + next + ", " + old + "; cell-3 lists " + old + " (names",
                "take the next step of a rotation, and above all the old secret out, only then");
        cells.get(2).take(OLD, NEW);
        cells.get(2).take(NEW);
        cells.get(1).take(NEW);
        awaitOpenToJust(NEW);
        awaitNoWords();
        allCellsReadAndWrite();
    }

    @Test
    void aCellOfAnEarlierVersionThatTellsNothingIsNotShutOut() throws Exception {
        CellId silent = new CellId(new CellName("cell-9"), Incarnation.of(9));
        try (CuratorFramework earlier = stranger(OLD)) {
            earlier.create()
                    .withMode(CreateMode.EPHEMERAL)
                    .withACL(List.of(new ACL(ZooDefs.Perms.ALL, new Id("digest", digest(OLD)))))
                    .forPath(BASE + "/members/cell-9", Json.write(new Presence(silent, ADDRESS, "")));
            for (Cell cell : cells) {
                cell.take(OLD, NEW);
                cell.take(NEW);
            }
            allCellsReadAndWrite();
            awaitOpenToJust(OLD, NEW);
            Thread.sleep(7000);
            assertThat(nodesNotOpenToJust(Set.of(digest(OLD), digest(NEW)))).isEmpty();
            assertThat(earlier.getData().forPath(BASE + "/state")).isNotEmpty();
        }
        awaitOpenToJust(NEW);
    }

    @Test
    void aCellWhoseSecretsNobodyListsIsToldWhy() throws Exception {
        try (Cell odd = new Cell(4, ODD)) {
            awaitWords(odd, "ZooKeeper refuses this cell", "List the secret of before, too");
            assertThat(odd.coordination.secretsInWords()).doesNotContain(ODD);
            assertThat(odd.watcher.last().synced()).isFalse();
            awaitOpenToJust(OLD);
            // It knows one of the others', and all is well.
            odd.take(OLD);
            odd.watcher.awaits("synced", CoordinationView::synced);
        }
    }

    /** What was made by an earlier version, whose walk through the nodes was cut off, say. */
    @Test
    void aNodeThatIsNotOpenAsAllOthersIsPutRightAtTheNextChange() throws Exception {
        awaitOpenToJust(OLD);
        try (CuratorFramework old = stranger(OLD)) {
            List<ACL> just = List.of(new ACL(ZooDefs.Perms.ALL, new Id("digest", digest(OLD))));
            for (Cell cell : cells) {
                cell.take(OLD, NEW);
            }
            awaitOpenToJust(OLD, NEW);
            old.setACL().withACL(just).forPath(BASE + "/state");
            old.create().withACL(just).forPath(BASE + "/history/odd");
            for (Cell cell : cells) {
                cell.take(NEW, OLD);
            }
            awaitOpenToJust(OLD, NEW);
        }
    }
}
