package org.cellkeeper.cell.real;

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
 * other may ask.
 */
final class Writer implements AutoCloseable {
    private static final AtomicLong COUNT = new AtomicLong();
    private static final int ROWS_AT_START = 50;
    private static final Duration SILENCE = Duration.ofSeconds(2);
    private static final Duration BETWEEN_ROWS = Duration.ofMillis(4);
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
    private final List<Long> failures = new ArrayList<>();
    private String lastFailure = "none";
    private boolean closed;
    private long ended;
    private @Nullable Connection session;

    /** Writes to the primary, wherever it is. */
    Writer(RealCells cells) {
        this(() -> cells.connect(SILENCE), true);
        awaitStart();
    }

    private Writer(Connector connector, boolean reconnects) {
        this.name = "writer-" + ProcessHandle.current().pid() + "-" + COUNT.incrementAndGet();
        this.connector = connector;
        this.reconnects = reconnects;
        this.thread = Thread.ofPlatform().daemon().name(name).start(this::write);
    }

    /** Writes on one session to this cell alone, however long that is silent, and ends with it. */
    static Writer pinnedTo(RealCells cells, String cell) {
        Writer writer = new Writer(() -> cells.connectTo(cell), false);
        writer.awaitStart();
        return writer;
    }

    String name() {
        return name;
    }

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

    synchronized Set<Long> acknowledged() {
        Set<Long> numbers = new TreeSet<>();
        acknowledgements.forEach(row -> numbers.add(row.number()));
        return numbers;
    }

    synchronized String lastFailure() {
        return lastFailure;
    }

    /** How many rows that were sent after that moment were acknowledged. */
    synchronized long sentAndAcknowledgedAfter(long nanos) {
        return acknowledgements.stream().filter(row -> row.sent() > nanos).count();
    }

    synchronized long acknowledgedAfter(long nanos) {
        return acknowledgements.stream().filter(row -> row.at() > nanos).count();
    }

    /** The longest time without an acknowledgement, from that moment or the last one before it on. */
    synchronized Duration longestGapSince(long nanos) {
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

    Duration longestGap() {
        return longestGapSince(firstAcknowledgement());
    }

    private synchronized long firstAcknowledgement() {
        return acknowledgements.isEmpty() ? begun : acknowledgements.getFirst().at();
    }

    /** Waits until it writes steadily. */
    private void awaitStart() {
        Patience.await(
                "a writer writes",
                Duration.ofSeconds(20),
                () -> acknowledged().size() >= ROWS_AT_START ? null : "last failure: " + lastFailure());
    }

    /** Waits until a row that is sent from now on is acknowledged. */
    void awaitRow(Duration within) {
        long now = System.nanoTime();
        Patience.await(
                "a row is acknowledged",
                within,
                () -> sentAndAcknowledgedAfter(now) > 0 ? null : "last failure: " + lastFailure());
    }

    /** Waits until a row fails after that moment; says how long after it. */
    Duration awaitFailureAfter(long nanos, Duration within) {
        Patience.await("a write fails", within, () -> firstFailureAfter(nanos) != 0 ? null : "no failure");
        return Duration.ofNanos(firstFailureAfter(nanos) - nanos);
    }

    private synchronized long firstFailureAfter(long nanos) {
        return failures.stream().filter(at -> at > nanos).findFirst().orElse(0L);
    }

    boolean hasEnded() {
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
        failures.add(System.nanoTime());
    }
}
