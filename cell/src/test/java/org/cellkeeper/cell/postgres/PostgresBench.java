package org.cellkeeper.cell.postgres;

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
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.cellkeeper.cell.FreePort;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.Incarnation;
import org.cellkeeper.cell.model.Upstream;
import org.cellkeeper.cell.port.Bench;
import org.cellkeeper.cell.port.DatabaseFailure;
import org.cellkeeper.cell.trust.Certified;
import org.cellkeeper.cell.trust.Encryption;
import org.cellkeeper.cell.wire.Installations;
import org.cellkeeper.cell.wire.UnixSocketFactory;

/** Real PostgreSQL instances on loopback, under target/, each on a free port; run as postgres when the tests run as root. */
public final class PostgresBench implements Bench {
    static final PostgresSettings.Passwords PASSWORDS =
            new PostgresSettings.Passwords("super'secret", "repl:\\secret'", "app\"secret", "own'secret");
    static final String HOST = "127.0.0.1";

    /** Data with one table, made once by {@code initialise} itself and copied from then on. */
    private static final class Template {
        static final Path DATA = make();

        private static Path make() {
            try {
                PostgresBench bench = new PostgresBench();
                LocalPostgres first = bench.database("template");
                bench.get(first.initialise());
                bench.get(first.startPrimary());
                try (Connection session = bench.agent("template", PostgresSettings.APPLICATION);
                        Statement statement = session.createStatement()) {
                    statement.execute("CREATE TABLE marks (n bigint GENERATED ALWAYS AS IDENTITY, at timestamptz)");
                    statement.execute("GRANT ALL ON marks TO " + PostgresSettings.APPLICATION);
                }
                bench.get(first.stopFast(30_000));
                first.close();
                return bench.dataDir("template");
            } catch (IOException | SQLException e) {
                throw new IllegalStateException(e);
            }
        }
    }

    /** With these, some MB of WAL are much. */
    static final Map<String, String> LITTLE_WAL = Map.of("wal_keep_size", "0", "max_slot_wal_keep_size", "20MB");

    private final Path root;
    private final Map<String, String> common;
    private final Encryption encryption;
    private final Map<String, LocalPostgres> databases = new LinkedHashMap<>();
    private final Map<String, PostgresSettings> settings = new LinkedHashMap<>();

    public PostgresBench() throws IOException {
        this(Map.of());
    }

    /** With these settings of PostgreSQL on every cell that is not given its own. */
    PostgresBench(Map<String, String> common) throws IOException {
        this(common, Encryption.REQUIRED);
    }

    PostgresBench(Map<String, String> common, Encryption encryption) throws IOException {
        this.common = common;
        this.encryption = encryption;
        Path folder = Path.of(System.getProperty("cellkeeper.build.directory", "target"), "pg")
                .toAbsolutePath();
        Files.createDirectories(folder);
        root = Files.createTempDirectory(
                folder, "t", PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwxr-xr-x")));
        Files.setPosixFilePermissions(root, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    static Path binDir() {
        return Installations.usual().newest();
    }

    static String osUser() {
        return System.getProperty("user.name").equals("root") ? "postgres" : null;
    }

    public PostgresSettings settings(String name) {
        return settings.computeIfAbsent(name, key -> settingsWith(key, common));
    }

    /** Before its first use: with these settings of PostgreSQL. */
    void configure(String name, Map<String, String> extra) {
        settings.put(name, settingsWith(name, extra));
    }

    /** Before its first use: it knows these passwords, which may become others. */
    void know(String name, PostgresSettings.Passwords passwords) {
        PostgresSettings usual = settings(name);
        settings.put(
                name,
                new PostgresSettings(
                        usual.programs(),
                        usual.dataDir(),
                        usual.runDir(),
                        usual.listenHost(),
                        usual.port(),
                        usual.osUser(),
                        passwords,
                        usual.extra(),
                        usual.access(),
                        usual.timeouts()));
    }

    /** Another agent, with these settings and the same port. */
    void reconfigure(String name, Map<String, String> extra) {
        reconfigure(name, HOST, PASSWORDS.application(), extra);
    }

    void reconfigure(String name, String host, String password, Map<String, String> extra) {
        reconfigure(name, host, settings(name).port(), password, extra);
    }

    void reconfigure(String name, String host, int port, String password, Map<String, String> extra) {
        PostgresSettings before = settings(name);
        LocalPostgres agent = databases.remove(name);
        if (agent != null) {
            agent.close();
        }
        PostgresSettings.Passwords passwords = before.passwords();
        settings.put(
                name,
                new PostgresSettings(
                        before.programs(),
                        before.dataDir(),
                        before.runDir(),
                        host,
                        port,
                        before.osUser(),
                        new PostgresSettings.Passwords(
                                passwords.seals().getFirst(), passwords.replication(), password, passwords.app()),
                        extra,
                        before.access(),
                        before.timeouts()));
    }

    /** Another agent, which lets in and comes in so. */
    LocalPostgres reencrypt(String name, Access access) {
        PostgresSettings before = settings(name);
        LocalPostgres agent = databases.remove(name);
        if (agent != null) {
            agent.close();
        }
        settings.put(
                name,
                new PostgresSettings(
                        before.programs(),
                        before.dataDir(),
                        before.runDir(),
                        before.listenHost(),
                        before.port(),
                        before.osUser(),
                        before.passwords(),
                        before.extra(),
                        access,
                        before.timeouts()));
        return database(name);
    }

    /** Before its first use: with these programs. */
    void equip(String name, Installations programs) {
        settings.put(name, settingsWith(name, programs, common));
    }

    PostgresSettings settingsWith(String name, Map<String, String> extra) {
        return settingsWith(name, Installations.usual(), extra);
    }

    private PostgresSettings settingsWith(String name, Installations programs, Map<String, String> extra) {
        return new PostgresSettings(
                programs,
                root.resolve(name).resolve("data"),
                root.resolve(name).resolve("run"),
                HOST,
                FreePort.find(),
                osUser(),
                PASSWORDS,
                extra,
                Access.with(Certified.cells().credentials(encryption, name)),
                PostgresSettings.Timeouts.defaults());
    }

    Path dataDir(String name) {
        return settings(name).dataDir();
    }

    @Override
    public LocalPostgres database(String name) {
        return databases.computeIfAbsent(name, key -> new LocalPostgres(settings(key)));
    }

    /** The agent dies and another takes over: PostgreSQL is left as it is. */
    LocalPostgres anotherAgent(String name) {
        LocalPostgres before = databases.remove(name);
        if (before != null) {
            before.close();
        }
        return database(name);
    }

    @Override
    public void found(String name) {
        Path data = dataDir(name);
        try {
            Files.createDirectories(data.getParent());
            run("cp", "-a", Template.DATA.toString(), data.toString());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    public static void run(String... command) throws IOException {
        Process process = new ProcessBuilder(command).inheritIO().start();
        try {
            if (!process.waitFor(60, TimeUnit.SECONDS) || process.exitValue() != 0) {
                throw new IOException("failed: " + List.of(command));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException(e);
        }
    }

    @Override
    public CellId id(String name) {
        return new CellId(new CellName(name), Incarnation.of(name.hashCode()));
    }

    @Override
    public Upstream upstream(String name, long epoch) {
        return new Upstream(id(name), epoch, HOST, settings(name).port());
    }

    /**
     * A stream without a standby behind it, which says at once that it has flushed.
     *
     * @param as the cell whose certificate, or password, it comes with
     * @param slot null for none
     */
    Process receiveWal(Upstream from, String as, String applicationName, String folder, String slot)
            throws IOException {
        var _ = database(as);
        PostgresSettings with = settings(as);
        Path target = with.runDir().resolve(folder);
        new OwnedFiles(with.osUser()).makeFolder(target, "rwx------");
        Programs programs = new Programs(with);
        List<String> arguments = new ArrayList<>(List.of(
                "--directory=" + target,
                "--synchronous",
                "--no-loop",
                "--status-interval=1",
                "--dbname=" + new OwnedSettings(with, programs.version()).conninfo(from, applicationName)));
        if (slot != null) {
            arguments.add("--slot=" + slot);
        }
        return programs.builder(List.of(), "pg_receivewal", arguments)
                .redirectErrorStream(true)
                .redirectOutput(target.resolve("words").toFile())
                .start();
    }

    /** A session of the application, over TCP. */
    Connection client(String name) throws SQLException {
        return client(name, PASSWORDS.application());
    }

    public Connection client(String name, String password) throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("user", PostgresSettings.APPLICATION);
        properties.setProperty("password", password);
        properties.setProperty("loginTimeout", "5");
        return DriverManager.getConnection(
                "jdbc:postgresql://" + HOST + ":" + settings(name).port() + "/" + PostgresSettings.APPLICATION,
                properties);
    }

    /** Whether the agent has noted which password the application's role has. */
    boolean isGiven(String name) {
        return Files.exists(settings(name).runDir().resolve("application.password"));
    }

    /** A session of the agent's role. */
    Connection agent(String name, String database) throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("user", PostgresSettings.SUPERUSER);
        properties.setProperty("socketFactory", UnixSocketFactory.class.getName());
        properties.setProperty(
                "socketFactoryArg", new Sessions(settings(name)).socket().toString());
        properties.setProperty("sslmode", "disable");
        properties.setProperty("options", "-c synchronous_commit=local");
        return DriverManager.getConnection("jdbc:postgresql://localhost/" + database, properties);
    }

    String ask(String name, String sql) throws SQLException {
        try (Connection session = agent(name, PostgresSettings.APPLICATION);
                Statement statement = session.createStatement();
                ResultSet row = statement.executeQuery(sql)) {
            return row.next() ? row.getString(1) : null;
        }
    }

    public void execute(String name, String sql) throws SQLException {
        try (Connection session = agent(name, PostgresSettings.APPLICATION);
                Statement statement = session.createStatement()) {
            statement.execute(sql);
        }
    }

    @Override
    public boolean commit(String name, long withinMillis) {
        CompletableFuture<Boolean> done = new CompletableFuture<>();
        try (Connection session = client(name)) {
            Thread.ofVirtual().start(() -> {
                try (Statement statement = session.createStatement()) {
                    statement.execute("INSERT INTO marks (at) VALUES (clock_timestamp())");
                    done.complete(statement.getWarnings() == null);
                } catch (SQLException e) {
                    done.complete(false);
                }
            });
            try {
                return done.get(withinMillis, TimeUnit.MILLISECONDS);
            } catch (TimeoutException e) {
                session.abort(Runnable::run);
                return false;
            }
        } catch (SQLException e) {
            return false;
        } catch (ExecutionException | InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public int rows(String name) {
        try {
            return Integer.parseInt(ask(name, "SELECT count(*) FROM marks"));
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public void crash(String name) {
        ProcessHandle postmaster = ProcessHandle.of(postmasterPid(name)).orElseThrow();
        List<ProcessHandle> children = postmaster.children().toList();
        postmaster.destroyForcibly();
        children.forEach(ProcessHandle::destroyForcibly);
    }

    @Override
    public void crashChild(String name) {
        try (Connection session = client(name);
                Statement statement = session.createStatement();
                ResultSet row = statement.executeQuery("SELECT pg_backend_pid()")) {
            row.next();
            ProcessHandle.of(row.getLong(1)).orElseThrow().destroyForcibly();
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public void removeWal(String name) {
        fillSegments(name, 2);
    }

    @Override
    public void makeSlot(String name, String slot) {
        try {
            execute(name, "SELECT pg_create_physical_replication_slot('" + slot + "')");
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public void loseSlots(String name) {
        fillSegments(name, 8);
    }

    private void fillSegments(String name, int segments) {
        try (Connection session = agent(name, PostgresSettings.APPLICATION);
                Statement statement = session.createStatement()) {
            for (int i = 0; i < segments; i++) {
                statement.execute("SELECT pg_logical_emit_message(true, 'test', 'some WAL')");
                statement.execute("SELECT pg_switch_wal()");
            }
            statement.execute("CHECKPOINT");
            statement.execute("CHECKPOINT");
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public void cancelWaits(String name) {
        try {
            ask(name, "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public void overrule(String name) {
        try {
            // As ALTER SYSTEM does where it is not switched off.
            Files.writeString(dataDir(name).resolve("postgresql.auto.conf"), "synchronous_standby_names = ''\n");
            execute(name, "SELECT pg_reload_conf()");
        } catch (IOException | SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    long postmasterPid(String name) {
        String text = OwnedFiles.read(dataDir(name).resolve("postmaster.pid"));
        return text == null ? 0 : text.lines().findFirst().map(Long::parseLong).orElse(0L);
    }

    @Override
    public <T> T get(CompletableFuture<T> future) {
        try {
            return future.get(60, TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof DatabaseFailure failure) {
                throw failure;
            }
            throw new CompletionException(e.getCause());
        } catch (InterruptedException | TimeoutException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public void pass(long millis) {
        try {
            var _ = new CountDownLatch(1).await(millis, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    public void awaitTrue(Duration limit, java.util.function.BooleanSupplier condition, String what) {
        if (!new Cancellation().await(limit, Duration.ofMillis(2), condition)) {
            throw new AssertionError("not within " + limit + ": " + what);
        }
    }

    @Override
    public void close() {
        for (Map.Entry<String, LocalPostgres> entry : databases.entrySet()) {
            try {
                get(entry.getValue().stopImmediate());
            } finally {
                entry.getValue().close();
            }
        }
        try {
            OwnedFiles.deleteTree(root);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
