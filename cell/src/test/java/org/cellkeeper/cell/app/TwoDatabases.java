package org.cellkeeper.cell.app;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.cellkeeper.cell.FreePort;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.Incarnation;
import org.cellkeeper.cell.model.Member;
import org.cellkeeper.cell.model.SyncSetting;
import org.cellkeeper.cell.model.Upstream;
import org.cellkeeper.cell.postgres.Access;
import org.cellkeeper.cell.postgres.LocalPostgres;
import org.cellkeeper.cell.postgres.PostgresAppDatabase;
import org.cellkeeper.cell.postgres.PostgresSettings;
import org.cellkeeper.cell.trust.Certified;
import org.cellkeeper.cell.trust.CredentialSockets;
import org.cellkeeper.cell.trust.Credentials;
import org.cellkeeper.cell.trust.Encryption;
import org.cellkeeper.cell.wire.Installations;

/** A real primary, cell-a, and a standby that acknowledges, cell-b; on loopback, under target/. */
final class TwoDatabases implements AutoCloseable {
    static final CellId A = new CellId(new CellName("cell-a"), Incarnation.of(0xa));
    static final CellId B = new CellId(new CellName("cell-b"), Incarnation.of(0xb));
    static final long EPOCH = 5;

    private static final String HOST = "127.0.0.1";
    private static final String APP_PASSWORD = "own'secret";

    private final Path root;
    private final PostgresSettings settingsOfA;
    private final PostgresSettings settingsOfB;
    private final LocalPostgres a;
    private final LocalPostgres b;

    TwoDatabases() throws Exception {
        Path folder = Path.of(System.getProperty("cellkeeper.build.directory", "target"), "pg")
                .toAbsolutePath();
        Files.createDirectories(folder);
        root = Files.createTempDirectory(
                folder, "a", PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwxr-xr-x")));
        Files.setPosixFilePermissions(root, PosixFilePermissions.fromString("rwxr-xr-x"));
        settingsOfA = settings("a");
        settingsOfB = settings("b");
        a = new LocalPostgres(settingsOfA);
        b = new LocalPostgres(settingsOfB);
        get(a.initialise());
        get(a.startPrimary());
        get(a.keepSlots(A, Set.of(B)));
        get(b.cloneFrom(upstream(), B, percent -> {}));
        startB();
        get(a.applySync(SyncSetting.of(List.of(B), 1, EPOCH)));
    }

    private static Credentials credentials(String name) {
        return Certified.cells().credentials(Encryption.REQUIRED, "cell-" + name);
    }

    private PostgresSettings settings(String name) {
        return new PostgresSettings(
                Installations.usual(),
                root.resolve(name).resolve("data"),
                root.resolve(name).resolve("run"),
                HOST,
                FreePort.find(),
                PostgresSettings.osUser("postgres"),
                new PostgresSettings.Passwords("super", "repl", "client", APP_PASSWORD),
                Map.of(),
                Access.with(credentials(name)),
                PostgresSettings.Timeouts.defaults());
    }

    private Upstream upstream() {
        return new Upstream(A, EPOCH, HOST, settingsOfA.port());
    }

    void startB() throws Exception {
        get(b.startStandby(upstream(), B));
    }

    void stopB() throws Exception {
        get(b.stopFast(10_000));
    }

    void startA() throws Exception {
        get(a.startPrimary());
    }

    void stopA() throws Exception {
        get(a.stopFast(10_000));
    }

    private static <T> T get(CompletableFuture<T> verb) throws Exception {
        return verb.get(60, TimeUnit.SECONDS);
    }

    // ---- what the app needs of a cell

    PostgresAppDatabase appDatabase() {
        return new PostgresAppDatabase(settingsOfA);
    }

    AppSettings appSettings(CellId cell, AppSettings.Pace pace) {
        return new AppSettings(
                address(cell),
                HOST,
                PostgresSettings.APP_ROLE,
                PostgresSettings.APP_DATABASE,
                () -> List.of(APP_PASSWORD),
                "1.2.3",
                "2026-01-01T00:00:00Z",
                credentials(cell.equals(B) ? "b" : "a"),
                pace);
    }

    AppContext context(CellId self, boolean calm, CellId... members) {
        TreeMap<CellName, Member> all = new TreeMap<>();
        for (CellId member : members) {
            all.put(member.name(), new Member(member.incarnation(), address(member), 100, "default"));
        }
        return new AppContext(self, EPOCH, A, calm, true, all);
    }

    private Address address(CellId cell) {
        return new Address(HOST, (cell.equals(B) ? settingsOfB : settingsOfA).port(), 5480, 5481);
    }

    // ---- SQL

    /** With a certificate: the app's role is asked for one. */
    Connection session(String role, String password, String database) throws SQLException {
        return DriverManager.getConnection(
                "jdbc:postgresql://" + HOST + ":" + settingsOfA.port() + "/" + database
                        + "?loginTimeout=5&socketTimeout=20&options=-c%20synchronous_commit=local&sslmode=verify-ca&sslfactory="
                        + CredentialSockets.class.getName() + "&sslfactoryarg="
                        + CredentialSockets.nameOf(credentials("a")),
                role,
                password);
    }

    Connection app() throws SQLException {
        return session(PostgresSettings.APP_ROLE, APP_PASSWORD, PostgresSettings.APP_DATABASE);
    }

    void asSuperuser(String... sql) throws SQLException {
        String socket =
                settingsOfA.runDir().resolve(".s.PGSQL." + settingsOfA.port()).toString();
        Properties properties = new Properties();
        properties.setProperty("user", PostgresSettings.SUPERUSER);
        properties.setProperty("socketFactory", "org.cellkeeper.cell.wire.UnixSocketFactory");
        properties.setProperty("socketFactoryArg", socket);
        properties.setProperty("sslmode", "disable");
        properties.setProperty("options", "-c synchronous_commit=local");
        try (Connection session = DriverManager.getConnection("jdbc:postgresql://localhost/postgres", properties);
                Statement statement = session.createStatement()) {
            for (String each : sql) {
                statement.execute(each);
            }
        }
    }

    String ask(String sql) throws SQLException {
        try (Connection session = app();
                Statement statement = session.createStatement();
                ResultSet row = statement.executeQuery(sql)) {
            return row.next() ? row.getString(1) : null;
        }
    }

    // ---- waiting

    /** A condition that may throw while it does not hold. */
    interface Condition {
        boolean holds() throws Exception;
    }

    static void await(String what, Duration within, Condition condition) throws InterruptedException {
        long start = System.nanoTime();
        Exception last = null;
        while (System.nanoTime() - start < within.toNanos()) {
            try {
                if (condition.holds()) {
                    return;
                }
                last = null;
            } catch (Exception e) {
                last = e;
            }
            var unused = new CountDownLatch(1).await(50, TimeUnit.MILLISECONDS);
        }
        throw new AssertionError("not within " + within + ": " + what, last);
    }

    @Override
    public void close() {
        for (LocalPostgres each : List.of(b, a)) {
            try {
                get(each.stopImmediate());
            } catch (Exception e) {
                throw new IllegalStateException(e);
            } finally {
                each.close();
            }
        }
        try (Stream<Path> all = Files.walk(root)) {
            for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
