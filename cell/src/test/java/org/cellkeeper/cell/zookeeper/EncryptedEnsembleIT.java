package org.cellkeeper.cell.zookeeper;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.client.ZKClientConfig;
import org.apache.zookeeper.data.Stat;
import org.cellkeeper.cell.model.CoordinationView;
import org.cellkeeper.cell.port.CoordinationWatcher;
import org.cellkeeper.cell.trust.Authority;
import org.cellkeeper.cell.trust.Certified;
import org.cellkeeper.cell.trust.Encryption;
import org.cellkeeper.cell.trust.Identity;
import org.cellkeeper.cell.trust.Pem;
import org.cellkeeper.cell.trust.TrustFolder;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A real ensemble of three, and those who want into it without a certificate of its authority. */
final class EncryptedEnsembleIT {
    private static final String[] HOSTS = {"127.0.41.1", "127.0.41.2", "127.0.41.3"};
    private static final Duration REFUSED_FOR = Duration.ofSeconds(3);
    private static final int STRANGERS = 300;
    private static final long MOST_THREADS = 160;
    /** Of ZooKeeper's own. */
    private static final long COMPUTED_FROM = 0xB3415C00L;

    @TempDir
    private Path folder;

    private final List<AutoCloseable> opened = new ArrayList<>();

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable each : opened.reversed()) {
            each.close();
        }
    }

    private Ensemble ensemble(Encryption encryption) throws Exception {
        Ensemble ensemble = new Ensemble(encryption, folder, HOSTS);
        opened.add(ensemble);
        return ensemble.start();
    }

    private CoordinationWatcher agent(Ensemble ensemble, @Nullable TrustFolder trust) throws Exception {
        ZooKeeperCoordination client = new ZooKeeperCoordination(new CoordinationSettings(
                ensemble.addresses(),
                CoordinationSettings.DEFAULT_BASE_PATH,
                ZooKeeperBench.SECRET,
                CoordinationSettings.DEFAULT_SESSION_TIMEOUT,
                true,
                trust));
        opened.add(client);
        CoordinationWatcher watcher = new CoordinationWatcher(client);
        watcher.awaits("synced", CoordinationView::synced);
        return watcher;
    }

    private TrustFolder shown(Identity identity, String name) throws IOException {
        TrustFolder shown = new TrustFolder(folder.resolve(name));
        shown.write(identity);
        return shown;
    }

    /** Of ZooKeeper's own client; with nothing, or with what is in the folder. */
    static ZKClientConfig configuration(@Nullable TrustFolder trust) {
        ZKClientConfig configuration = new ZKClientConfig();
        if (trust != null) {
            configuration.setProperty(ZKClientConfig.SECURE_CLIENT, "true");
            configuration.setProperty(
                    ZKClientConfig.ZOOKEEPER_CLIENT_CNXN_SOCKET, "org.apache.zookeeper.ClientCnxnSocketNetty");
            configuration.setProperty(
                    "zookeeper.ssl.keyStore.location", trust.own().toString());
            configuration.setProperty(
                    "zookeeper.ssl.trustStore.location", trust.authorities().toString());
        }
        return configuration;
    }

    private ZooKeeper client(ZooKeeperServerSettings.Server server, @Nullable TrustFolder trust) throws Exception {
        CountDownLatch connected = new CountDownLatch(1);
        ZooKeeper client = new ZooKeeper(
                server.host() + ":" + server.clientPort(),
                2000,
                event -> {
                    if (event.getState() == Watcher.Event.KeeperState.SyncConnected) {
                        connected.countDown();
                    }
                },
                configuration(trust));
        opened.add(() -> client.close(1000));
        var unused = connected.await(REFUSED_FOR.toMillis(), TimeUnit.MILLISECONDS);
        return client;
    }

    @Test
    void whoHasNoCertificateOfTheAuthorityIsNoClient() throws Exception {
        Ensemble ensemble = ensemble(Encryption.REQUIRED);
        ZooKeeperServerSettings.Server server = ensemble.server(1);
        assertThat(client(server, null).getState().isConnected()).isFalse();
        Authority.Issued foreign =
                Certified.strangers().authority().issue("client", List.of(HOSTS), Duration.ofDays(1));
        Identity stranger = Certified.believing(
                Certified.cells().authority(), Pem.text(foreign.certificate()), Pem.text(foreign.key()));
        assertThat(client(server, shown(stranger, "stranger")).getState().isConnected())
                .isFalse();
        assertThat(client(server, ensemble.trust()).getState().isConnected()).isTrue();
        assertThat(ZooKeeperServerStatus.of(server.host(), server.clientPort(), null))
                .as("not even the words of four letters are answered")
                .isIn(ZooKeeperServerStatus.NOT_SERVING, ZooKeeperServerStatus.UNREACHABLE);
    }

    /** Its number is all that is needed: the password follows from it. Without encryption that succeeds. */
    @ParameterizedTest
    @EnumSource(
            value = Encryption.class,
            names = {"OFF", "REQUIRED"})
    void nobodyEndsTheSessionOfAnAgentWithoutACertificate(Encryption encryption) throws Exception {
        Ensemble ensemble = ensemble(encryption);
        ZooKeeperServerSettings.Server server = ensemble.server(1);
        ZooKeeper victim = client(server, ensemble.trust());
        long session = victim.getSessionId();
        byte[] computed = new byte[16];
        new Random(session ^ COMPUTED_FROM).nextBytes(computed);
        assertThat(victim.getSessionPasswd()).isEqualTo(computed);
        CountDownLatch taken = new CountDownLatch(1);
        ZooKeeper thief = new ZooKeeper(
                server.host() + ":" + server.clientPort(),
                2000,
                event -> {
                    if (event.getState() == Watcher.Event.KeeperState.SyncConnected) {
                        taken.countDown();
                    }
                },
                session,
                computed,
                false);
        opened.add(() -> thief.close(1000));
        assertThat(taken.await(REFUSED_FOR.toMillis(), TimeUnit.MILLISECONDS)).isEqualTo(encryption == Encryption.OFF);
        thief.close(1000);
        boolean lives;
        try {
            lives = victim.exists("/", false) != null;
        } catch (KeeperException.SessionExpiredException | KeeperException.ConnectionLossException ended) {
            lives = false;
        }
        assertThat(lives).isEqualTo(encryption == Encryption.REQUIRED);
    }

    @Test
    void thereIsNoRoomForOthersAtTheRoot() throws Exception {
        Ensemble ensemble = ensemble(Encryption.REQUIRED);
        agent(ensemble, ensemble.trust());
        ZooKeeper client = client(ensemble.server(1), ensemble.trust());
        Ensemble.await("the agent has closed the root", () -> !readsAcl(client));
        assertThat(creates(client)).isFalse();
        client.addAuthInfo("digest", ("cell:" + ZooKeeperBench.SECRET).getBytes(StandardCharsets.UTF_8));
        assertThat(creates(client)).isTrue();
    }

    /** To whom the root is open: told only to those to whom it is. */
    private static boolean readsAcl(ZooKeeper client) {
        try {
            return !client.getACL("/", new Stat()).isEmpty();
        } catch (KeeperException.NoAuthException refused) {
            return false;
        } catch (KeeperException | InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    private static boolean creates(ZooKeeper client) throws Exception {
        try {
            client.create("/filling", new byte[100_000], ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            return true;
        } catch (KeeperException.NoAuthException refused) {
            return false;
        }
    }

    /** As an observer, and as a member under the number of one that is down: in plain, and with another cluster's certificate. */
    @Test
    void aServerOfSomebodyElseIsNotLetIn() throws Exception {
        Ensemble ensemble = ensemble(Encryption.REQUIRED);
        int leader = ensemble.leader();
        int down = leader == 3 ? 2 : 3;
        ensemble.kill(down);
        TrustFolder foreign = shown(Certified.strangers().identity("cell-9", HOSTS), "foreign");
        ZooKeeperServerSettings.Tls certified = new ZooKeeperServerSettings.Tls(foreign, Encryption.REQUIRED);
        // One after the other would wait four times as long.
        List<Intruder> intruders = List.of(
                new Intruder(ensemble, down, null, "member"),
                new Intruder(ensemble, 9, null, "observer"),
                new Intruder(ensemble, down, certified, "certified-member"),
                new Intruder(ensemble, 9, certified, "certified-observer"));
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        while (System.nanoTime() < end) {
            for (Intruder intruder : intruders) {
                assertThat(intruder.serves()).as(intruder.name).isFalse();
            }
            TimeUnit.MILLISECONDS.sleep(200);
        }
        assertThat(ensemble.status(leader).isServing()).isTrue();
    }

    /** A server that is not the ensemble's. */
    private final class Intruder {
        private final ZooKeeperServerSettings.Server server;
        private final ZooKeeperServerSettings.@Nullable Tls tls;
        private final String name;

        /** @param number of a member, or 9: then it is an observer */
        Intruder(Ensemble ensemble, int number, ZooKeeperServerSettings.@Nullable Tls tls, String name)
                throws IOException {
            this.tls = tls;
            this.name = name;
            SortedMap<Integer, ZooKeeperServerSettings.Server> all = new TreeMap<>();
            for (int member = 1; member <= 3; member++) {
                all.put(member, ensemble.server(member));
            }
            int[] ports = Ensemble.freePorts(HOSTS[0], 3);
            // Its clients' port is its own; as a member it has the address of the one that is down.
            server = number == 9
                    ? new ZooKeeperServerSettings.Server(HOSTS[0], ports[0], ports[1], ports[2])
                    : new ZooKeeperServerSettings.Server(ensemble.server(number).host(), ports[0], ports[1], ports[2]);
            all.put(number, server);
            Path home = Files.createDirectories(folder.resolve(name));
            Path configuration =
                    ZooKeeperServer.prepare(new ZooKeeperServerSettings(home.toString(), number, all, tls));
            if (number == 9) {
                Files.writeString(
                        configuration,
                        Files.readString(configuration).replaceAll("(server\\.9=.*)", "$1:observer")
                                + "peerType=observer\n");
            }
            Process process = new ProcessBuilder(
                            Path.of(System.getProperty("java.home"), "bin", "java")
                                    .toString(),
                            "-Dzookeeper.db.autocreate=false",
                            "-Dzookeeper.cnxTimeout=500",
                            "-cp",
                            System.getProperty("java.class.path"),
                            "org.apache.zookeeper.server.quorum.QuorumPeerMain",
                            configuration.toString())
                    .redirectErrorStream(true)
                    .redirectOutput(home.resolve("log").toFile())
                    .start();
            opened.add(() -> process.destroyForcibly().waitFor());
        }

        boolean serves() {
            // ZooKeeper's own program does not encrypt the clients' port.
            ZooKeeperServerStatus status = ZooKeeperServerStatus.of(server.host(), server.clientPort(), null);
            return status.isServing() || status == ZooKeeperServerStatus.OBSERVER;
        }
    }

    /** Who says nothing at the port for elections holds up no member that comes back, and one that leads gives them no thread each. */
    @Test
    void strangersAtTheServersPortsKeepNoMemberOut() throws Exception {
        Ensemble ensemble = ensemble(Encryption.REQUIRED);
        int leader = ensemble.leader();
        int back = leader == 1 ? 2 : 1;
        ensemble.kill(back);
        List<Socket> strangers = new ArrayList<>();
        opened.add(() -> {
            for (Socket socket : strangers) {
                socket.close();
            }
        });
        for (int number = 1; number <= 3; number++) {
            if (number != back) {
                ZooKeeperServerSettings.Server server = ensemble.server(number);
                for (int n = 0; n < STRANGERS; n++) {
                    strangers.add(stranger(server.host(), server.electionPort(), n));
                    if (number == leader) {
                        strangers.add(stranger(server.host(), server.followerPort(), n));
                        strangers.add(stranger(server.host(), server.clientPort(), n));
                    }
                }
            }
        }
        assertThat(threads(ensemble.pid(leader))).isLessThan(MOST_THREADS);
        ensemble.start(back);
        long begun = System.nanoTime();
        ensemble.awaitServing();
        assertThat(Duration.ofNanos(System.nanoTime() - begun)).isLessThan(Duration.ofSeconds(20));
        agent(ensemble, ensemble.trust());
    }

    /** The third part says nothing, the third part a byte, and the third part that it is going to encrypt. */
    private static Socket stranger(String host, int port, int number) throws IOException {
        Socket socket = new Socket();
        socket.connect(new InetSocketAddress(host, port), 2000);
        if (number % 3 == 1) {
            socket.getOutputStream().write(22);
        } else if (number % 3 == 2) {
            socket.getOutputStream().write(new byte[] {22, 3, 1, 2, 0});
        }
        return socket;
    }

    private static long threads(long pid) throws IOException {
        return Files.readAllLines(Path.of("/proc/" + pid + "/status")).stream()
                .filter(line -> line.startsWith("Threads:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")))
                .findFirst()
                .orElseThrow();
    }

    @Test
    void nothingCanBeReadBetweenServersAndAgents() throws Exception {
        Ensemble ensemble = ensemble(Encryption.REQUIRED);
        for (int number = 1; number <= 3; number++) {
            ZooKeeperServerSettings.Server server = ensemble.server(number);
            for (int port : List.of(server.clientPort(), server.electionPort())) {
                try (Socket plain = new Socket()) {
                    plain.connect(new InetSocketAddress(server.host(), port), 1000);
                    plain.setSoTimeout(3000);
                    plain.getOutputStream().write("srvr\n".getBytes(StandardCharsets.US_ASCII));
                    byte[] answer = plain.getInputStream().readNBytes(64);
                    assertThat(new String(answer, StandardCharsets.US_ASCII)).doesNotContain("Zookeeper", "Mode");
                } catch (IOException closed) {
                    assertThat(closed.getMessage()).containsAnyOf("reset", "timed out", "Broken");
                }
            }
        }
    }

    /** A cluster goes over step by step, one server after the other, and serves all the time; agents of the step before come in. */
    @Test
    void aRunningEnsembleGoesOverOneServerAfterTheOther() throws Exception {
        Ensemble ensemble = ensemble(Encryption.OFF);
        agent(ensemble, null);
        TrustFolder client = shown(Certified.cells().identity("client"), "client");
        for (Encryption step : List.of(Encryption.ACCEPTED, Encryption.PREFERRED, Encryption.REQUIRED)) {
            ensemble.encrypt(step);
            for (int number = 1; number <= 3; number++) {
                ensemble.kill(number);
                ensemble.start(number);
                ensemble.awaitServing();
            }
            if (step == Encryption.ACCEPTED) {
                agent(ensemble, null);
            }
            agent(ensemble, client);
        }
    }

    @Test
    void anAuthorityIsReplacedByAnotherWithoutARestart() throws Exception {
        Ensemble ensemble = ensemble(Encryption.REQUIRED);
        Authority before = Certified.cells().authority();
        Authority after = Certified.strangers().authority();
        String both = Pem.text(before.certificate()) + Pem.text(after.certificate());
        for (int number = 1; number <= 3; number++) {
            Identity old = Certified.cells().identity("cell-" + number, HOSTS[number - 1]);
            new TrustFolder(ensemble.home(number).resolve("tls")).write(Identity.of(both, old.chain(), old.key()));
        }
        Identity renewed = Certified.strangers().identity("client");
        TrustFolder client = shown(Identity.of(both, renewed.chain(), renewed.key()), "renewed");
        Ensemble.await("a new certificate is taken", () -> {
            try {
                ZooKeeper asking = client(ensemble.server(1), client);
                return asking.getState().isConnected();
            } catch (Exception e) {
                return false;
            }
        });
    }
}
