package org.cellkeeper.cell.postgres;

import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.Properties;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.cellkeeper.cell.trust.CredentialSockets;
import org.cellkeeper.cell.wire.UnixSocketFactory;
import org.postgresql.Driver;

/** Opens the agent's sessions, over the Unix socket; or a sibling's, over TCP. None of them ever waits for a standby. Stateless. */
final class Sessions {
    /**
     * All that the agent's sessions rely on, whatever defaults an operator has given the cluster, the database or the role. I1 is
     * about clients: what the agent itself writes must not hang when nobody acknowledges. Its programs are given them as PGOPTIONS.
     */
    static final String OPTIONS = Stream.of(
                    "synchronous_commit=local",
                    // A standby refuses every statement of a serializable transaction.
                    "default_transaction_isolation=read\\ committed",
                    "default_transaction_read_only=off",
                    "default_transaction_deferrable=off",
                    "statement_timeout=0",
                    "lock_timeout=0",
                    "idle_session_timeout=0",
                    "idle_in_transaction_session_timeout=0",
                    "search_path=pg_catalog",
                    "session_preload_libraries=",
                    "local_preload_libraries=",
                    "client_min_messages=notice",
                    "standard_conforming_strings=on",
                    "escape_string_warning=on",
                    "row_security=on",
                    "role=none",
                    "TimeZone=UTC",
                    "IntervalStyle=postgres",
                    "bytea_output=hex",
                    "extra_float_digits=1",
                    "quote_all_identifiers=off",
                    "temp_tablespaces=",
                    "log_min_duration_statement=-1",
                    "log_statement=none",
                    "jit=off",
                    "track_activities=on")
            .map(setting -> "-c " + setting)
            .collect(Collectors.joining(" "));

    /** What PostgreSQL says to one whose password it is not. */
    static final String WRONG_PASSWORD = "28P01";

    private final Driver driver = new Driver();
    private final PostgresSettings settings;

    Sessions(PostgresSettings settings) {
        this.settings = settings;
    }

    /** Where PostgreSQL listens now, or will: its port may have been configured anew since it was started. */
    int port() {
        int port = LockFile.in(settings.dataDir()).port();
        return port == 0 ? settings.port() : port;
    }

    Path socket() {
        return socket(port());
    }

    private Path socket(int port) {
        return settings.runDir().resolve(".s.PGSQL." + port);
    }

    /** PostgreSQL's lock file beside the socket that it will have when it is started. */
    Path socketLock() {
        return Path.of(socket(settings.port()) + ".lock");
    }

    /** A session of the agent's role; {@code answer} limits every wait for an answer, zero means for ever. */
    Connection open(String purpose, Duration login, Duration answer) throws SQLException {
        return open(purpose, "postgres", login, answer);
    }

    /** The same in a database where others may have made things: nothing of theirs may run in it. */
    Connection open(String purpose, String database, Duration login, Duration answer) throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("user", PostgresSettings.SUPERUSER);
        properties.setProperty("socketFactory", UnixSocketFactory.class.getName());
        properties.setProperty("socketFactoryArg", socket().toString());
        properties.setProperty("sslmode", "disable");
        properties.setProperty("options", OPTIONS);
        properties.setProperty("assumeMinServerVersion", "15");
        common(properties, purpose, login, answer);
        return connect("jdbc:postgresql://localhost/" + database, properties);
    }

    /**
     * A session for replication commands at a sibling, as a walreceiver comes to it. Nothing but the role's own attribute lets it in: it
     * is in no database, so no right to connect to one is needed.
     */
    Connection openReplication(String host, int port, Duration limit) throws SQLException {
        if (settings.access().encryption().speaks()) {
            Properties properties = new Properties();
            // Our factory compares the host with the certificate, and knows each way to write an IPv6 address.
            properties.setProperty("sslmode", "verify-ca");
            properties.setProperty("sslfactory", CredentialSockets.class.getName());
            properties.setProperty(
                    "sslfactoryarg", CredentialSockets.nameOf(settings.access().credentials()));
            properties.setProperty("requireAuth", "none");
            return openReplication(host, port, limit, properties);
        }
        return openReplicationByPassword(host, port, limit);
    }

    /** The same by password, without encryption: by whichever of them the role has. */
    Connection openReplicationByPassword(String host, int port, Duration limit) throws SQLException {
        SQLException refusal = new SQLException("there is no password", WRONG_PASSWORD);
        for (String password : settings.passwords().replications()) {
            try {
                Connection session = openReplicationByPassword(host, port, limit, password);
                settings.passwords().streamsWith(password);
                return session;
            } catch (SQLException e) {
                if (!WRONG_PASSWORD.equals(e.getSQLState())) {
                    throw e;
                }
                refusal = e;
            }
        }
        throw refusal;
    }

    /** The same by this password alone. */
    Connection openReplicationByPassword(String host, int port, Duration limit, String password) throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("sslmode", "disable");
        properties.setProperty("password", password);
        properties.setProperty("requireAuth", OwnedSettings.PROOF);
        return openReplication(host, port, limit, properties);
    }

    private Connection openReplication(String host, int port, Duration limit, Properties properties)
            throws SQLException {
        properties.setProperty("user", PostgresSettings.REPLICATION_ROLE);
        properties.setProperty("replication", "true");
        properties.setProperty("preferQueryMode", "simple");
        properties.setProperty("assumeMinServerVersion", "15");
        common(properties, "clone-check", limit, limit);
        String bracketed = host.contains(":") ? "[" + host + "]" : host;
        return connect("jdbc:postgresql://" + bracketed + ":" + port + "/postgres", properties);
    }

    private static void common(Properties properties, String purpose, Duration login, Duration answer) {
        properties.setProperty("ApplicationName", "cellkeeper-" + purpose);
        properties.setProperty("gssEncMode", "disable");
        properties.setProperty("connectTimeout", seconds(login));
        properties.setProperty("socketTimeout", seconds(answer));
        properties.setProperty("prepareThreshold", "2");
    }

    private Connection connect(String url, Properties properties) throws SQLException {
        Connection connection = driver.connect(url, properties);
        if (connection == null) {
            throw new SQLException("not a URL of PostgreSQL: " + url);
        }
        return connection;
    }

    private static String seconds(Duration duration) {
        return duration.isZero() ? "0" : String.valueOf(Math.max(1, duration.toSeconds()));
    }

    // ---- in any session

    static void execute(Connection session, String... statements) throws SQLException {
        try (Statement statement = session.createStatement()) {
            for (String sql : statements) {
                statement.execute(sql);
            }
        }
    }

    static boolean isTrue(Connection session, String question) throws SQLException {
        try (Statement statement = session.createStatement();
                ResultSet row = statement.executeQuery(question)) {
            return row.next() && row.getBoolean(1);
        }
    }

    /** Ends it at once, also while another thread waits in it. */
    static void abort(Connection session) {
        try {
            session.abort(Runnable::run);
        } catch (SQLException e) {
            close(session);
        }
    }

    static void close(AutoCloseable connection) {
        try {
            connection.close();
        } catch (Exception e) {
            // It is to go; that it was gone already is as well.
        }
    }
}
