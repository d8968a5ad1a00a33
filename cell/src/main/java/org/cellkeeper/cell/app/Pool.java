package org.cellkeeper.cell.app;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.function.Supplier;
import javax.sql.DataSource;
import org.cellkeeper.cell.trust.CredentialSockets;
import org.jspecify.annotations.Nullable;
import org.postgresql.PGProperty;
import org.postgresql.ds.PGSimpleDataSource;

/**
 * A few sessions with the primary, or with this cell's own PostgreSQL. Made when the first one is needed, and made anew when the
 * route changes: sessions of before are dropped, whatever waits in them. Any thread may use it; none waits longer than its limits.
 */
final class Pool implements AutoCloseable {
    /** One for each thread that uses it: none waits for another. */
    private static final int SESSIONS = 3;

    private static final long IDLE_MILLIS = 30_000;
    private static final int SOCKET_SECONDS = 10;
    private static final String WRONG_PASSWORD = "28P01";

    /**
     * A statement never holds locks for long. A primary that refuses writes is asked all the same; nothing is written to it. The
     * server ends no wait for a standby by these.
     */
    private static final String OPTIONS = "-c default_transaction_read_only=off -c statement_timeout=5000"
            + " -c lock_timeout=2000 -c idle_in_transaction_session_timeout=10000 -c jit=off";

    /** Where PostgreSQL is. */
    record Host(String name, int port) {}

    /**
     * Whom to ask, the likeliest first.
     *
     * @param epoch of another reign sessions are made anew
     * @param primaryOnly whether the first host that is no standby is meant
     */
    record Route(List<Host> hosts, long epoch, boolean primaryOnly) {
        Route {
            hosts = List.copyOf(hosts);
        }
    }

    /** What is done with a session. */
    interface Work<T> {
        T with(Connection session) throws SQLException;
    }

    private final String name;
    private final AppSettings settings;
    private final Duration patience;

    // Guarded by this.
    private @Nullable Route route;
    private @Nullable HikariDataSource open;
    private boolean closed;

    /** @param patience how long a thread waits for a session */
    Pool(String name, AppSettings settings, Duration patience) {
        this.name = name;
        this.settings = settings;
        this.patience = patience;
    }

    synchronized void follow(Route next) {
        if (!next.equals(route)) {
            route = next;
            drop();
        }
    }

    /** Each wait for an answer takes no longer than this, but for a statement that is given more. */
    <T> T ask(Duration limit, Work<T> work) throws SQLException {
        try (Connection session = current().getConnection()) {
            session.setNetworkTimeout(Runnable::run, Math.toIntExact(limit.toMillis()));
            return work.with(session);
        }
    }

    /**
     * Does it in one transaction.
     *
     * @param acknowledged whether the commit waits for standbys; what is said again in a moment need not
     */
    <T> T change(boolean acknowledged, Work<T> work) throws SQLException {
        return ask(Duration.ofSeconds(SOCKET_SECONDS), session -> {
            session.setAutoCommit(false);
            if (!acknowledged) {
                try (var statement = session.createStatement()) {
                    statement.execute("SET LOCAL synchronous_commit = local");
                }
            }
            T result = work.with(session);
            session.commit();
            return result;
        });
    }

    private synchronized HikariDataSource current() throws SQLException {
        Route to = route;
        if (closed || to == null) {
            throw new SQLException(closed ? "the app is being stopped" : "no cluster is known yet", "08001");
        }
        HikariDataSource pool = open;
        if (pool == null) {
            pool = new HikariDataSource(config(to));
            open = pool;
        }
        return pool;
    }

    private HikariConfig config(Route to) {
        HikariConfig config = new HikariConfig();
        config.setPoolName(name);
        config.setDataSource(source(settings, to));
        config.setMaximumPoolSize(SESSIONS);
        config.setMinimumIdle(0);
        config.setIdleTimeout(IDLE_MILLIS);
        config.setKeepaliveTime(0);
        config.setConnectionTimeout(patience.toMillis());
        config.setValidationTimeout(Math.min(1000, patience.toMillis()));
        config.setInitializationFailTimeout(-1);
        return config;
    }

    /** Not by the driver's global settings, which are everybody's. */
    static DataSource source(AppSettings settings, Route to) {
        PGSimpleDataSource source =
                new OneOfPasswords(settings.passwords(), to.hosts().size() > 1);
        source.setServerNames(to.hosts().stream()
                .map(host -> host.name().contains(":") ? "[" + host.name() + "]" : host.name())
                .toArray(String[]::new));
        source.setPortNumbers(to.hosts().stream().mapToInt(Host::port).toArray());
        source.setDatabaseName(settings.database());
        source.setUser(settings.role());
        // Whoever answers at a lost cell's address is told no password.
        source.setProperty(PGProperty.REQUIRE_AUTH, "scram-sha-256");
        source.setApplicationName("cellkeeper-app");
        source.setOptions(OPTIONS);
        source.setConnectTimeout(1);
        source.setSocketTimeout(SOCKET_SECONDS);
        source.setTcpKeepAlive(true);
        if (settings.credentials().encryption().speaks()) {
            // Our factory compares the host with the certificate, and knows each way to write an IPv6 address.
            source.setSslMode("verify-ca");
            source.setSslfactory(CredentialSockets.class.getName());
            source.setSslFactoryArg(CredentialSockets.nameOf(settings.credentials()));
        } else {
            source.setSslMode("disable");
        }
        source.setGssEncMode("disable");
        if (to.primaryOnly()) {
            source.setTargetServerType("primary");
            source.setHostRecheckSeconds(1);
        }
        return source;
    }

    /** While the cluster's secret is changed, the role has the old password here and the new one there. */
    @SuppressWarnings("serial") // never written
    private static final class OneOfPasswords extends PGSimpleDataSource {
        private final transient Supplier<List<String>> passwords;
        private final boolean severalHosts;
        private volatile String good = "";

        OneOfPasswords(Supplier<List<String>> passwords, boolean severalHosts) {
            this.passwords = passwords;
            this.severalHosts = severalHosts;
        }

        @Override
        public Connection getConnection() throws SQLException {
            SQLException refusal = new SQLException("there is no password", WRONG_PASSWORD);
            for (String password : likeliestFirst()) {
                try {
                    Connection session = getConnection(getUser(), password);
                    good = password;
                    return session;
                } catch (SQLException e) {
                    // Of several hosts it is told what the last one said.
                    if (!severalHosts && !WRONG_PASSWORD.equals(e.getSQLState())) {
                        throw e;
                    }
                    refusal = e;
                }
            }
            throw refusal;
        }

        private List<String> likeliestFirst() {
            return passwords.get().stream()
                    .sorted(Comparator.comparing(password -> !password.equals(good)))
                    .toList();
        }
    }

    /** On a thread of its own, as it may wait for one that is just being connected. */
    private void drop() {
        HikariDataSource old = open;
        open = null;
        if (old != null) {
            Thread.ofPlatform().daemon().name("app-drop").start(old::close);
        }
    }

    @Override
    public synchronized void close() {
        closed = true;
        drop();
    }
}
