package org.cellkeeper.image;

import static org.assertj.core.api.Assertions.assertThat;

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.cellkeeper.testing.CellCluster;

/**
 * Sessions with a primary that are open before it is lost to the others, and ask for a write only then: no such write may ever
 * be acknowledged, however long it waits. Each asks on a thread of its own.
 */
final class Latecomers implements AutoCloseable {
    private final String name = "latecomer-" + System.nanoTime();
    private final List<Connection> sessions = new ArrayList<>();
    private final List<CompletableFuture<String>> answers = new ArrayList<>();

    /** Has a transaction that only wants its commit; the table of rows must be there. */
    Latecomers(CellCluster cells, String cell) throws SQLException {
        for (int n = 1; n <= 3; n++) {
            sessions.add(DriverManager.getConnection(cells.jdbcUrl(cell), cells.user(), cells.password()));
        }
        sessions.getFirst().setAutoCommit(false);
        execute(sessions.getFirst(), insert(1));
        // This one is not to be turned away, as long as anybody lets it write.
        execute(sessions.getLast(), "SET default_transaction_read_only = off");
    }

    /** Asks for everything at once, and returns. */
    void ask() {
        answers.add(inBackground(() -> {
            Connection session = sessions.getFirst();
            session.commit();
            if (session.getWarnings() != null) {
                throw session.getWarnings();
            }
        }));
        answers.add(inBackground(() -> execute(sessions.get(1), insert(2))));
        answers.add(inBackground(() -> execute(sessions.get(2), insert(3))));
    }

    /** Waits for all answers, each of which must be an error. */
    void assertNothingWasAcknowledged(Duration within) {
        assertThat(answers).isNotEmpty();
        for (CompletableFuture<String> answer : answers) {
            assertThat(answer)
                    .failsWithin(within)
                    .withThrowableOfType(ExecutionException.class)
                    .withCauseInstanceOf(SQLException.class)
                    .satisfies(told -> System.out.println(
                            "    a latecomer was told: " + told.getCause().getMessage()));
        }
    }

    private String insert(int n) {
        return "INSERT INTO rows (writer, n) VALUES ('" + name + "', " + n + ")";
    }

    private static void execute(Connection session, String sql) throws SQLException {
        try (Statement statement = session.createStatement()) {
            statement.executeUpdate(sql);
            if (statement.getWarnings() != null) {
                // A cancelled wait for the standbys: no acknowledgement.
                throw statement.getWarnings();
            }
        }
    }

    private interface Deed {
        void run() throws SQLException;
    }

    private static CompletableFuture<String> inBackground(Deed deed) {
        CompletableFuture<String> answer = new CompletableFuture<>();
        Thread.ofPlatform().daemon().start(() -> {
            try {
                deed.run();
                answer.complete("acknowledged");
            } catch (SQLException | RuntimeException failure) {
                answer.completeExceptionally(failure);
            }
        });
        return answer;
    }

    @Override
    public void close() throws SQLException {
        for (Connection session : sessions) {
            // Not an orderly end: it may hang, and must not.
            session.abort(Runnable::run);
        }
    }
}
