package org.cellkeeper.cell.torture;

import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/** The clients that hurt: writers at the primary, and a reader at the standbys who takes his time. */
final class Load implements AutoCloseable {
    static final int PREPARED = 20;
    private static final int WRITERS = 2;
    private static final int MOST_ROWS = 150_000;
    private static final int IN_SUBTRANSACTIONS = 100;

    private final List<Server> servers;
    private final long seed;
    private final List<Thread> threads = new ArrayList<>();
    private final AtomicLong rounds = new AtomicLong();
    private volatile Server primary;
    private volatile boolean paused;
    private volatile boolean closed;

    Load(List<Server> servers, Server primary, long seed) {
        this.servers = List.copyOf(servers);
        this.primary = primary;
        this.seed = seed;
        for (int i = 0; i < WRITERS; i++) {
            start("writer-" + i, i, this::write);
        }
        start("reader", WRITERS, this::read);
    }

    /** What one client does in a session until that breaks. */
    private interface Client {
        void serve(Random chance) throws SQLException;
    }

    private void start(String name, int number, Client client) {
        Random chance = new Random(seed * 31 + number);
        threads.add(Thread.ofPlatform().name(name).daemon().start(() -> {
            while (!closed) {
                try {
                    client.serve(chance);
                } catch (SQLException e) {
                    // Thrown out, or nobody there: that is what this run is about.
                    pass(200);
                }
            }
        }));
    }

    static void prepare(Server primary) throws SQLException {
        primary.execute("""
                CREATE TABLE hot AS SELECT n, 0 AS v FROM generate_series(1, 200) n;
                CREATE TABLE bulk (n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text);
                CREATE TABLE marks (n bigint GENERATED ALWAYS AS IDENTITY, what text)""");
    }

    void primaryIs(Server now) {
        primary = now;
    }

    void pause(boolean so) {
        paused = so;
    }

    /** What the writers have done. */
    int rounds() {
        return rounds.intValue();
    }

    private void write(Random chance) throws SQLException {
        Server at = primary;
        try (Connection session = at.session(20);
                Statement statement = session.createStatement()) {
            while (!closed && at.equals(primary)) {
                if (paused) {
                    pass(20);
                    continue;
                }
                // Nobody waits for standbys here: what is lost with a primary is not looked for.
                statement.execute("SET synchronous_commit = " + (chance.nextInt(4) == 0 ? "local" : "off"));
                round(session, statement, chance);
                rounds.incrementAndGet();
                pass(chance.nextInt(40));
            }
        }
    }

    private void round(Connection session, Statement statement, Random chance) throws SQLException {
        int drawn = chance.nextInt(100);
        if (drawn < 50) {
            // Much WAL on few pages: quickly written and streamed, slowly replayed.
            statement.execute("DO $$ BEGIN FOR i IN 1.." + (20 + chance.nextInt(130))
                    + " LOOP UPDATE hot SET v = v + 1; COMMIT; END LOOP; END $$");
        } else if (drawn < 65) {
            statement.execute("INSERT INTO bulk (what) SELECT repeat(md5(i::text), 8) FROM generate_series(1, "
                    + (500 + chance.nextInt(4_000)) + ") i");
        } else if (drawn < 72) {
            inSubtransactions(session, statement, chance);
        } else if (drawn < 79) {
            prepared(statement, chance);
        } else if (drawn < 83) {
            // One record that is longer than a segment.
            statement.execute("SELECT pg_logical_emit_message(" + chance.nextBoolean() + ", 'torture', repeat('x', "
                    + (1_000_000 + chance.nextInt(5_000_000)) + "))");
        } else if (drawn < 87) {
            statement.execute("SELECT pg_switch_wal()");
        } else if (drawn < 90) {
            statement.execute("CHECKPOINT");
        } else if (drawn < 94) {
            statement.execute(chance.nextBoolean() ? "VACUUM hot" : "VACUUM (FREEZE) bulk");
        } else if (drawn < 96 || rowsOf(statement) > MOST_ROWS) {
            statement.execute("TRUNCATE bulk");
        } else if (drawn < 98) {
            statement.execute("CREATE TABLE IF NOT EXISTS passing (n int); DROP TABLE passing");
        } else {
            statement.execute("INSERT INTO marks (what) VALUES (clock_timestamp()::text)");
        }
    }

    private static long rowsOf(Statement statement) throws SQLException {
        try (ResultSet row = statement.executeQuery("SELECT count(*) FROM bulk")) {
            return row.next() ? row.getLong(1) : 0;
        }
    }

    /** A standby that starts meanwhile lets nobody in. */
    private void inSubtransactions(Connection session, Statement statement, Random chance) throws SQLException {
        session.setAutoCommit(false);
        try {
            for (int part = 0; part < IN_SUBTRANSACTIONS; part++) {
                session.setSavepoint();
                statement.execute("INSERT INTO marks (what) VALUES ('part " + part + "')");
            }
            pass(chance.nextInt(1_500));
            if (chance.nextInt(4) == 0) {
                session.rollback();
            } else {
                session.commit();
            }
        } finally {
            if (!session.isClosed()) {
                session.setAutoCommit(true);
            }
        }
    }

    private static void prepared(Statement statement, Random chance) throws SQLException {
        List<String> waiting = new ArrayList<>();
        try (ResultSet row = statement.executeQuery("SELECT gid FROM pg_prepared_xacts")) {
            while (row.next()) {
                waiting.add(row.getString(1));
            }
        }
        if (waiting.size() < PREPARED / 4) {
            statement.execute("BEGIN; INSERT INTO marks (what) SELECT 'prepared' FROM generate_series(1, 50);"
                    + " PREPARE TRANSACTION 't" + chance.nextInt(1_000_000) + "'");
        } else {
            String one = waiting.get(chance.nextInt(waiting.size()));
            // The other writer may have been quicker.
            statement.execute((chance.nextBoolean() ? "COMMIT" : "ROLLBACK") + " PREPARED '" + one + "'");
        }
    }

    private void read(Random chance) throws SQLException {
        Server at = servers.get(chance.nextInt(servers.size()));
        if (at.equals(primary) || paused) {
            pass(50);
            return;
        }
        try (Connection session = at.session(20);
                Statement statement = session.createStatement()) {
            session.setAutoCommit(false);
            session.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
            statement.executeQuery("SELECT count(*) FROM hot").close();
            for (int left = chance.nextInt(60); left > 0 && !closed && !paused; left--) {
                pass(100);
            }
            session.rollback();
        }
    }

    private static void pass(long millis) {
        try {
            var _ = new CountDownLatch(1).await(millis, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void close() {
        closed = true;
        for (Thread thread : threads) {
            try {
                thread.join(3_000);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
