package org.cellkeeper.cell.real;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.retry.RetryOneTime;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.client.ZKClientConfig;
import org.cellkeeper.api.ApplianceClient.Request;
import org.cellkeeper.api.ApplianceFailure;
import org.cellkeeper.api.BackupFile;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.peer.TcpPeers;
import org.cellkeeper.cell.trust.Authority;
import org.cellkeeper.cell.trust.Credentials;
import org.cellkeeper.cell.trust.Encryption;
import org.cellkeeper.cell.trust.Identity;
import org.cellkeeper.cell.trust.Pem;
import org.cellkeeper.cell.trust.Secrets;
import org.cellkeeper.cell.trust.TrustFolder;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.extension.ExtendWith;

/** The cluster's secret and the passwords of three real cells become others while a client writes. */
@Tag("cells")
@ExtendWith(Labs.class)
final class RotationIT {
    private static final Duration SOON = Duration.ofSeconds(30);
    private static final Duration LONG = Duration.ofSeconds(120);
    private static final Duration LONGEST_GAP = Duration.ofSeconds(1);
    private static final String BASE = "/lab";
    private static final int ZOOKEEPER = 2181;
    private static final int LINK = 5481;
    private static final int SIGNED_IN = 200;
    private static final AtomicInteger ASKED = new AtomicInteger();

    private final RealCells cells;
    private final Map<Path, byte[]> before = new HashMap<>();
    private String latest = "";

    RotationIT(RealCells cells) {
        this.cells = cells;
    }

    @BeforeEach
    void allCellsTakePart(TestInfo test) throws IOException {
        System.out.println(test.getDisplayName());
        cells.restore(true);
        for (String file : List.of("root.password", "vcloud.password")) {
            before.put(
                    cells.folder().resolve(file),
                    Files.readAllBytes(cells.folder().resolve(file)));
        }
        for (String cell : cells.cells()) {
            before.put(yaml(cell), Files.readAllBytes(yaml(cell)));
        }
        latest = cells.secret("cluster.secret");
    }

    /** The tests after these meet the lab that they expect: with one file for all cells, though with another secret in it. */
    @AfterEach
    void restore() throws IOException {
        replace(cells.folder().resolve("cluster.secret"), latest + "\n");
        for (Map.Entry<Path, byte[]> file : before.entrySet()) {
            replace(file.getKey(), new String(file.getValue(), StandardCharsets.UTF_8));
        }
        awaitNoWarning();
    }

    private Path yaml(String cell) {
        return cells.folder().resolve(cell).resolve("cell.yaml");
    }

    private Path secretFile(String cell) {
        return cells.folder().resolve(cell).resolve("cluster.secret");
    }

    private static void replace(Path file, String text) throws IOException {
        Path next = Files.writeString(file.resolveSibling(file.getFileName() + ".next"), text);
        Files.move(next, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    private void list(String cell, String... secrets) {
        try {
            replace(secretFile(cell), String.join("\n", secrets) + "\n");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** As an operator waits between two steps. */
    private void awaitNoWarning() {
        Patience.await(
                "no warning is left", SOON, () -> cells.nodes().warnings().isEmpty() ? null : cells.summary());
    }

    private void awaitWarning(String... words) {
        Patience.await("the status warns", SOON, () -> {
            String told = String.join("\n", cells.nodes().warnings());
            return Arrays.stream(words).allMatch(told::contains) ? null : cells.summary();
        });
    }

    private static Secrets of(String... secrets) {
        return new Secrets(Arrays.stream(secrets)
                .map(secret -> secret.getBytes(StandardCharsets.UTF_8))
                .toList());
    }

    private static String derived(String secret, String purpose) {
        return of(secret).derived(purpose).getFirst();
    }

    // ---- who knows a secret, and a certificate, and no more

    /** At the ZooKeeper server of a cell, with that cell's certificate. */
    private CuratorFramework atZooKeeper(String cell, String secret) throws InterruptedException {
        TrustFolder trust = new TrustFolder(cells.folder().resolve(cell).resolve("data/tls"));
        ZKClientConfig tls = new ZKClientConfig();
        tls.setProperty(ZKClientConfig.SECURE_CLIENT, "true");
        tls.setProperty(ZKClientConfig.ZOOKEEPER_CLIENT_CNXN_SOCKET, "org.apache.zookeeper.ClientCnxnSocketNetty");
        tls.setProperty("zookeeper.ssl.keyStore.location", trust.own().toString());
        tls.setProperty("zookeeper.ssl.trustStore.location", trust.authorities().toString());
        CuratorFramework client = CuratorFrameworkFactory.builder()
                .connectString(cells.host(cell) + ":" + ZOOKEEPER)
                .retryPolicy(new RetryOneTime(100))
                .zkClientConfig(tls)
                .authorization("digest", ("cell:" + derived(secret, "zookeeper")).getBytes(StandardCharsets.UTF_8))
                .build();
        client.start();
        assertThat(client.blockUntilConnected(10, TimeUnit.SECONDS)).isTrue();
        return client;
    }

    private String zooKeeperSays(String secret) {
        try (CuratorFramework client = atZooKeeper(cells.cells().getFirst(), secret)) {
            assertThat(client.getData().forPath(BASE + "/state")).isNotEmpty();
            return "open";
        } catch (KeeperException.NoAuthException refused) {
            return "refused";
        } catch (Exception e) {
            throw new AssertionError("ZooKeeper cannot be asked", e);
        }
    }

    /** An agent of its own, with a certificate of the cluster's authority, dials this cell. */
    private boolean isBelievedByAgentOf(String cell, String secret) throws Exception {
        Path ca = cells.folder().resolve("ca");
        Authority authority =
                Authority.of(Files.readString(ca.resolve("ca.pem")), Files.readString(ca.resolve("ca.key")));
        Authority.Issued issued = authority.issue("guest", List.of("127.0.0.1"), Duration.ofDays(1));
        Identity identity = Identity.of(
                Files.readString(ca.resolve("ca.pem")), Pem.text(issued.certificate()), Pem.text(issued.key()));
        try (TcpPeers guest = new TcpPeers(
                new CellName("guest"),
                new InetSocketAddress("127.0.0.1", 0),
                of(secret),
                new Credentials(Encryption.REQUIRED, identity))) {
            guest.connectTo(Map.of(new CellName(cell), new Address(cells.host(cell), 5432, 5480, LINK)));
            long begun = System.nanoTime();
            while (System.nanoTime() - begun < Duration.ofSeconds(6).toNanos()) {
                if (guest.disbelief().contains(cell)) {
                    return false;
                }
                Patience.pass(Duration.ofMillis(100));
            }
            return true;
        }
    }

    /** The cell's own app's role, over the socket, where anybody shows a password. */
    private boolean appComesIn(String cell, String secret) throws Exception {
        ProcessBuilder psql = new ProcessBuilder(
                "psql",
                "--no-psqlrc",
                "--host=" + cells.folder().resolve(cell).resolve("data/postgres/run"),
                "--username=cellkeeper_app",
                "--no-password",
                "--command=SELECT 1",
                "cellkeeper");
        psql.environment().put("PGPASSWORD", derived(secret, "app"));
        Process process = psql.redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(said).isIn(0, 2);
        assertThat(said).containsAnyOf("(1 row)", "password authentication failed");
        return process.exitValue() == 0;
    }

    private int status(String cell, String credentials) {
        try (Requests once = new Requests("127.1.4." + ASKED.incrementAndGet() % 250)) {
            return once.send("GET", cells.api(cell).resolve("/api/1.0.0/nodes"), credentials)
                    .status();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private String token(String cell) throws IOException {
        try (Requests once = new Requests()) {
            return "Bearer "
                    + once.send(
                                    "POST",
                                    cells.api(cell).resolve("/api/1.0.0/sessions"),
                                    Requests.basic("root", cells.secret("root.password")))
                            .json()
                            .path("token")
                            .asText();
        }
    }

    private BackupFile backUp() {
        cells.succeeds(cells.client().submit(new Request.Backup(false)), LONG);
        return cells.client().backups().getFirst();
    }

    private void awaitSignature(BackupFile backup, String signature) {
        for (String cell : cells.cells()) {
            Patience.await(cell + " says of " + backup.name() + ": " + signature, SOON, () -> {
                String said =
                        String.valueOf(cells.client().backup(backup.name()).signature());
                return said.equals(signature) ? null : said;
            });
        }
    }

    private Map<String, Long> agents() {
        Map<String, Long> agents = new HashMap<>();
        cells.cells().forEach(cell -> agents.put(cell, cells.agent(cell)));
        return agents;
    }

    // ----

    @Test
    void theClustersSecretIsRotatedUnderAWriterAndTheOldOneIsRefusedAfterwards() throws Exception {
        cells.awaitHealth("HEALTHY", SOON);
        String old = latest;
        String next = "the-next-secret-of-the-lab-" + System.nanoTime();
        for (String cell : cells.cells()) {
            list(cell, old);
            replace(
                    yaml(cell),
                    Files.readString(yaml(cell))
                            .replace(
                                    cells.folder() + "/cluster.secret",
                                    secretFile(cell).toString()));
            assertThat(Files.readString(yaml(cell))).contains(secretFile(cell).toString());
        }
        BackupFile byOld = backUp();
        assertThat(byOld.signature()).isEqualTo("VALID");
        String tokenByOld = token(cells.cells().getFirst());
        assertThat(zooKeeperSays(old)).isEqualTo("open");
        assertThat(zooKeeperSays(next)).isEqualTo("refused");
        assertThat(isBelievedByAgentOf("cell-1", old)).isTrue();
        assertThat(isBelievedByAgentOf("cell-1", next)).isFalse();
        assertThat(appComesIn("cell-1", old)).isTrue();
        awaitNoWarning();
        long epoch = cells.epoch();
        Map<String, Long> agents = agents();
        try (Writer writer = new Writer(cells)) {
            // What cannot be used changes nothing, and is told.
            list("cell-2", old, "short");
            awaitWarning("cell-2: ", "cluster.secret-file", "line 2 holds 5 bytes; 16 to 4096 make a secret");
            list("cell-2", next);
            awaitWarning("cell-2: ", "holds none of the secrets that this cell has run with");

            list("cell-2", old, next);
            awaitWarning("the cells do not list the same secrets", "take the next step of a rotation");
            list("cell-1", old, next);
            list("cell-3", old, next);
            awaitNoWarning();
            assertThat(zooKeeperSays(old)).isEqualTo("open");
            assertThat(zooKeeperSays(next)).isEqualTo("open");
            say(writer, "the new secret is listed");

            for (String cell : List.of("cell-3", "cell-1", "cell-2")) {
                list(cell, next, old);
                Patience.pass(Duration.ofSeconds(1));
            }
            awaitNoWarning();
            awaitSignature(byOld, "VALID");
            for (String cell : cells.cells()) {
                assertThat(status(cell, tokenByOld)).isEqualTo(SIGNED_IN);
            }
            say(writer, "it is the first");
            BackupFile byNext = backUp();

            for (String cell : cells.standbys()) {
                list(cell, next);
            }
            awaitWarning("the cells do not list the same secrets");
            list(cells.primary(), next);
            latest = next;
            awaitNoWarning();
            Patience.await("ZooKeeper refuses the old secret", SOON, () -> {
                String said = zooKeeperSays(old);
                return said.equals("refused") ? null : said;
            });
            say(writer, "the old one is dropped");
            assertThat(zooKeeperSays(next)).isEqualTo("open");
            for (String cell : cells.cells()) {
                assertThat(isBelievedByAgentOf(cell, old)).as("old at " + cell).isFalse();
                assertThat(isBelievedByAgentOf(cell, next))
                        .as("next at " + cell)
                        .isTrue();
                Patience.await(
                        cell + " refuses the token of before",
                        SOON,
                        () -> status(cell, tokenByOld) == SIGNED_IN ? "it takes it" : null);
                Patience.await(cell + " has the app's next password", SOON, () -> {
                    try {
                        return appComesIn(cell, next) && !appComesIn(cell, old) ? null : "it has not";
                    } catch (Exception e) {
                        return e.toString();
                    }
                });
            }
            awaitSignature(byNext, "VALID");
            awaitSignature(byOld, "FOREIGN");
            assertThatExceptionOfType(ApplianceFailure.class)
                    .isThrownBy(
                            () -> cells.succeeds(cells.client().submit(new Request.CheckBackup(byOld.name())), LONG))
                    .withMessageContaining("list it again");
            assertThat(writer.longestGap()).isLessThan(LONGEST_GAP);
            assertThat(cells.epoch()).as("no failover").isEqualTo(epoch);
            assertThat(agents()).isEqualTo(agents);

            // An old backup may be wanted yet.
            cells.cells().forEach(cell -> list(cell, next, old));
            awaitSignature(byOld, "VALID");
            cells.succeeds(cells.client().submit(new Request.CheckBackup(byOld.name())), LONG);
            awaitNoWarning();
            cells.cells().forEach(cell -> list(cell, next));
            awaitSignature(byOld, "FOREIGN");
            awaitNoWarning();
            assertThat(cells.epoch()).as("no failover").isEqualTo(epoch);
            say(writer, "and once more");
            assertThat(writer.longestGap()).isLessThan(LONGEST_GAP);
            cells.assertNothingLost(writer);
        }
        aFailoverAndAReturnByTheNewSecret();
    }

    private static void say(Writer writer, String what) {
        System.out.println("  " + what + ": longest gap " + writer.longestGap().toMillis() + " ms");
    }

    /** Whoever starts anew finds its ZooKeeper data, its votes and its upstream by the new secret alone. */
    private void aFailoverAndAReturnByTheNewSecret() {
        String primary = cells.primary();
        cells.kill(primary);
        cells.awaitOtherPrimary(primary, SOON);
        cells.restore(true);
        awaitNoWarning();
        assertThat(zooKeeperSays(latest)).isEqualTo("open");
    }

    @Test
    void thePasswordsOfRootAndVcloudFollowTheirFilesUnderAWriter() throws Exception {
        cells.awaitHealth("HEALTHY", SOON);
        long epoch = cells.epoch();
        Map<String, Long> agents = agents();
        String oldRoot = cells.secret("root.password");
        String oldVcloud = cells.secret("vcloud.password");
        String nextRoot = "next-root-" + System.nanoTime();
        String nextVcloud = "next-vcloud-" + System.nanoTime();
        try (Writer writer = new Writer(cells)) {
            replace(cells.folder().resolve("root.password"), nextRoot + "\n");
            for (String cell : cells.cells()) {
                Patience.await(
                        cell + " knows root's next password",
                        SOON,
                        () -> status(cell, Requests.basic("root", nextRoot)) == SIGNED_IN ? null : "not yet");
                assertThat(status(cell, Requests.basic("root", oldRoot))).isEqualTo(401);
            }
            replace(cells.folder().resolve("root.password"), oldRoot + "\n");
            for (String cell : cells.cells()) {
                Patience.await(
                        cell + " knows root's password",
                        SOON,
                        () -> status(cell, Requests.basic("root", oldRoot)) == SIGNED_IN ? null : "not yet");
            }

            assertThat(logIn(oldVcloud)).isTrue();
            replace(cells.folder().resolve("vcloud.password"), nextVcloud + "\n");
            Patience.await("vcloud has its next password", SOON, () -> logIn(nextVcloud) ? null : "not yet");
            assertThat(logIn(oldVcloud)).isFalse();
            // For as long as the file is the same, a password that was set by SQL stays.
            try (Connection session = vcloud(nextVcloud);
                    var statement = session.createStatement()) {
                statement.execute("ALTER ROLE vcloud PASSWORD 'set by sql'");
            }
            Patience.pass(Duration.ofSeconds(7));
            assertThat(logIn("set by sql")).isTrue();
            replace(cells.folder().resolve("vcloud.password"), oldVcloud + "\n");
            Patience.await("vcloud has its password again", SOON, () -> logIn(oldVcloud) ? null : "not yet");
            assertThatThrownBy(() -> vcloud("set by sql").close()).isInstanceOf(SQLException.class);
            System.out.println("  longest gap while passwords were changed: "
                    + writer.longestGap().toMillis() + " ms");
            assertThat(writer.longestGap()).isLessThan(LONGEST_GAP);
            cells.assertNothingLost(writer);
        }
        assertThat(cells.epoch()).isEqualTo(epoch);
        assertThat(agents()).isEqualTo(agents);
    }

    private Connection vcloud(String password) throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("user", "vcloud");
        properties.setProperty("password", password);
        properties.setProperty("sslmode", "verify-full");
        properties.setProperty(
                "sslrootcert", cells.folder().resolve("ca/ca.pem").toString());
        return DriverManager.getConnection(
                "jdbc:postgresql://" + cells.host(cells.primary()) + ":5432/vcloud", properties);
    }

    private boolean logIn(String password) {
        try (Connection _ = vcloud(password)) {
            return true;
        } catch (SQLException refused) {
            assertThat(refused.getSQLState()).isEqualTo("28P01");
            return false;
        }
    }
}
