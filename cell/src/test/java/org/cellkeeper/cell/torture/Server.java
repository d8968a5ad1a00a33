package org.cellkeeper.cell.torture;

import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.Map;
import java.util.Properties;
import org.cellkeeper.cell.FreePort;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.Incarnation;
import org.cellkeeper.cell.model.Upstream;
import org.cellkeeper.cell.postgres.Access;
import org.cellkeeper.cell.postgres.LocalPostgres;
import org.cellkeeper.cell.postgres.PostgresSettings;
import org.cellkeeper.cell.trust.Certified;
import org.cellkeeper.cell.trust.Encryption;
import org.cellkeeper.cell.wire.Installations;

/** One PostgreSQL, the adapter that is tried out on it, and what is known of it without that adapter. */
final class Server implements AutoCloseable {
    static final String HOST = "127.0.0.1";
    private static final PostgresSettings.Passwords PASSWORDS =
            new PostgresSettings.Passwords("super", "replication", "application", "app");

    private final String name;
    private final Path root;
    private final Installations programs = Installations.usual();
    private final int port = FreePort.find();
    private final WalFiles disk;
    private final Processes processes;
    private volatile LocalPostgres adapter;
    private int incarnation = 1;
    /** The epoch that it reigns in, or follows. */
    private long epoch = 1;

    Server(String name, Path root, Map<String, String> settings) {
        this.name = name;
        this.root = root;
        this.disk = new WalFiles(dataDir(), programs.newest());
        this.processes = new Processes(dataDir());
        this.adapter = new LocalPostgres(settingsWith(settings));
    }

    private PostgresSettings settingsWith(Map<String, String> extra) {
        PostgresSettings.Timeouts usual = PostgresSettings.Timeouts.defaults();
        return new PostgresSettings(
                programs,
                dataDir(),
                root.resolve(name).resolve("run"),
                HOST,
                port,
                System.getProperty("user.name").equals("root") ? "postgres" : null,
                PASSWORDS,
                extra,
                Access.with(Certified.cells().credentials(Encryption.REQUIRED, name)),
                // One that does not open stays so for as long as a transaction of the primary: no minutes are spent on
                // that.
                new PostgresSettings.Timeouts(
                        usual.observe(), Duration.ofSeconds(15), usual.quickly(), usual.program(), usual.probe()));
    }

    String name() {
        return name;
    }

    Path dataDir() {
        return root.resolve(name).resolve("data");
    }

    LocalPostgres adapter() {
        return adapter;
    }

    WalFiles disk() {
        return disk;
    }

    Processes processes() {
        return processes;
    }

    int port() {
        return port;
    }

    /** The agent dies and another one takes over, which knows nothing; settings count from the next start of PostgreSQL. */
    void anotherAgent(Map<String, String> settings) {
        LocalPostgres before = adapter;
        adapter = new LocalPostgres(settingsWith(settings));
        before.close();
    }

    CellId id() {
        return new CellId(new CellName(name), Incarnation.of(incarnation));
    }

    void newIncarnation() {
        incarnation++;
    }

    long epoch() {
        return epoch;
    }

    void enter(long newEpoch) {
        epoch = newEpoch;
    }

    Upstream asUpstream(long ofEpoch) {
        return new Upstream(id(), ofEpoch, HOST, port);
    }

    /** A session of the superuser; every answer is waited for no longer than this. */
    Connection session(int seconds) throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("user", PostgresSettings.SUPERUSER);
        properties.setProperty("socketFactory", "org.cellkeeper.cell.wire.UnixSocketFactory");
        properties.setProperty(
                "socketFactoryArg",
                root.resolve(name).resolve("run/.s.PGSQL." + port).toString());
        properties.setProperty("ApplicationName", "torture");
        properties.setProperty("sslmode", "disable");
        properties.setProperty("gssEncMode", "disable");
        properties.setProperty("connectTimeout", "2");
        properties.setProperty("loginTimeout", "3");
        properties.setProperty("socketTimeout", String.valueOf(seconds));
        return DriverManager.getConnection("jdbc:postgresql://localhost/" + PostgresSettings.APPLICATION, properties);
    }

    String ask(String sql) throws SQLException {
        try (Connection session = session(20);
                Statement statement = session.createStatement();
                ResultSet row = statement.executeQuery(sql)) {
            return row.next() ? row.getString(1) : null;
        }
    }

    void execute(String sql) throws SQLException {
        try (Connection session = session(20);
                Statement statement = session.createStatement()) {
            statement.execute("SET synchronous_commit = local");
            statement.execute(sql);
        }
    }

    @Override
    public void close() {
        adapter.close();
    }
}
