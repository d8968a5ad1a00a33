package org.cellkeeper.testing;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * A client that inserts numbered rows, one after the other, each in a transaction of its own, and notes which were
 * acknowledged and when. What ended with an error is unknown: its number is not used again. A thread of its own writes; any
 * other may ask. Made by {@link CellCluster#writer()}.
 */
public final class Writer implements AutoCloseable {
    private static final AtomicLong COUNT = new AtomicLong();
    private static final int ROWS_AT_START = 20;
    private static final Duration BETWEEN_ROWS = Duration.ofMillis(5);
    private static final Duration BEFORE_RETRY = Duration.ofMillis(20);
    /** While nobody has taken a row for longer than a failover lasts: each try costs both ends a handshake, and others wait for a processor. */
    private static final Duration IN_AN_OUTAGE = Duration.ofMillis(200);

    private static final Duration OUTAGE = Duration.ofSeconds(3);

    /** Makes the session that is written on. */
    interface Connector {
        Connection connect() throws SQLException;
    }

    /** When the row was sent, and when its commit was acknowledged. */
    private record Acknowledgement(long number, long sent, long at) {}

    private final String name;
    private final Connector connector;
    private final boolean reconnects;
    private final Thread thread;
    private final long begun = System.nanoTime();

    // Guarded by this.
    private final List<Acknowledgement> acknowledgements = new ArrayList<>();
    private String lastFailure = "none";
    private boolean closed;
    private long ended;
    private @Nullable Connection session;

    Writer(Connector connector, boolean reconnects) {
        this.name = "writer-" + ProcessHandle.current().pid() + "-" + COUNT.incrementAndGet();
        this.connector = connector;
        this.reconnects = reconnects;
        this.thread = Thread.ofPlatform().daemon().name(name).start(this::write);
        Patience.await(
                "a writer writes",
                Duration.ofSeconds(60),
                () -> acknowledged().size() >= ROWS_AT_START ? null : "last failure: " + lastFailure());
    }

    /** What it writes into the column {@code writer} of the table {@code rows}. */
    String name() {
        return name;
    }

    /** Ends its session and itself. What it saw can still be asked. */
    @Override
    public void close() {
        Connection open;
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
            ended = System.nanoTime();
            open = session;
        }
        try {
            if (open != null) {
                // Not an orderly end: it may hang, and must not.
                open.abort(Runnable::run);
            }
            thread.join(Duration.ofSeconds(10));
        } catch (SQLException gone) {
            // It is to be gone.
        } catch (InterruptedException stop) {
            Thread.currentThread().interrupt();
        }
    }

    // ---- what it saw

    public synchronized Set<Long> acknowledged() {
        Set<Long> numbers = new TreeSet<>();
        acknowledgements.forEach(row -> numbers.add(row.number()));
        return numbers;
    }

    public synchronized String lastFailure() {
        return lastFailure;
    }

    /** How many rows were acknowledged that were sent after that moment of {@link System#nanoTime}. */
    public synchronized long sentAndAcknowledgedAfter(long nanos) {
        return acknowledgements.stream().filter(row -> row.sent() > nanos).count();
    }

    /** The longest time without an acknowledgement, from that moment or the last one before it on. */
    public synchronized Duration longestGapSince(long nanos) {
        long previous = begun;
        long longest = 0;
        for (Acknowledgement row : acknowledgements) {
            if (row.at() > nanos) {
                longest = Math.max(longest, row.at() - previous);
            }
            previous = row.at();
        }
        return Duration.ofNanos(Math.max(longest, (closed ? ended : System.nanoTime()) - previous));
    }

    /** Waits until a row that is sent from now on is acknowledged. */
    public void awaitRow(Duration within) {
        long now = System.nanoTime();
        Patience.await(
                "a row is acknowledged",
                within,
                () -> sentAndAcknowledgedAfter(now) > 0 ? null : "last failure: " + lastFailure());
    }

    /** Whether it writes no more: it was closed, or its only session broke. */
    public boolean hasEnded() {
        return !thread.isAlive();
    }

    // ---- its thread

    private void write() {
        long number = 0;
        long written = System.nanoTime();
        while (!isClosed()) {
            try (Connection connection = connector.connect()) {
                if (!use(connection)) {
                    return;
                }
                try (PreparedStatement insert =
                        connection.prepareStatement("INSERT INTO rows (writer, n) VALUES (?, ?)")) {
                    while (!isClosed()) {
                        insert.setString(1, name);
                        insert.setLong(2, ++number);
                        insert.clearWarnings();
                        long sent = System.nanoTime();
                        insert.executeUpdate();
                        if (insert.getWarnings() != null) {
                            // Its wait for the standbys was cancelled: no acknowledgement.
                            throw insert.getWarnings();
                        }
                        note(new Acknowledgement(number, sent, System.nanoTime()));
                        written = System.nanoTime();
                        Patience.pass(BETWEEN_ROWS);
                    }
                }
            } catch (SQLException failure) {
                note(failure);
                if (!reconnects) {
                    return;
                }
                Patience.pass(System.nanoTime() - written < OUTAGE.toNanos() ? BEFORE_RETRY : IN_AN_OUTAGE);
            }
        }
    }

    private synchronized boolean use(Connection connection) {
        session = connection;
        return !closed;
    }

    private synchronized boolean isClosed() {
        return closed;
    }

    private synchronized void note(Acknowledgement row) {
        acknowledgements.add(row);
    }

    private synchronized void note(SQLException failure) {
        lastFailure = failure.toString();
    }
}
