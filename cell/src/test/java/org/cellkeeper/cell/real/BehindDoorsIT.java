package org.cellkeeper.cell.real;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.extension.ExtendWith;
import org.postgresql.PGConnection;

/** Clients come through the doors of all three cells while the primary is changed on purpose. */
@Tag("cells")
@EnabledIfSystemProperty(
        named = "cellkeeper.doors",
        matches = "true",
        disabledReason = "doors are tried with -Dcellkeeper.doors=true")
@ExtendWith(Labs.class)
final class BehindDoorsIT {
    private static final int DOOR_PORT = 6432;
    private static final int CLIENTS_OF_A_DOOR = 5;

    private final RealCells cells;

    BehindDoorsIT(RealCells cells) {
        this.cells = cells;
    }

    @BeforeEach
    void allCellsHaveDoors(TestInfo test) throws IOException {
        System.out.println(test.getDisplayName());
        cells.restore(true);
        configure("door:\n  software: pgbouncer\n");
        for (String cell : cells.cells()) {
            Patience.await("the door of " + cell, Duration.ofSeconds(30), () -> leads(cell));
        }
    }

    @AfterEach
    void noDoors() throws IOException {
        configure("");
        for (String cell : cells.cells()) {
            Patience.await("no door at " + cell, Duration.ofSeconds(10), () -> leads(cell) == null ? "it leads" : null);
        }
    }

    /** Each agent is killed, and the next one reads this, too. */
    private void configure(String more) throws IOException {
        for (String cell : cells.cells()) {
            Path file = cells.folder().resolve(cell).resolve("cell.yaml");
            String before = Files.readString(file).replaceFirst("(?s)door:\\n.*", "");
            Files.writeString(file, before + more);
        }
        cells.killAgents(cells.cells(), Duration.ofSeconds(30));
    }

    /** Null when the door lets a client in; else why not. */
    private @Nullable String leads(String cell) {
        try (Connection _ = cells.connectBy(cells.host(cell) + ":" + DOOR_PORT)) {
            return null;
        } catch (SQLException e) {
            return e.toString();
        }
    }

    /** Transactions of two statements each, through one door, over one connection. */
    private final class Client implements Runnable {
        private final String cell;
        private final AtomicBoolean over;
        private final Queue<String> failures;
        private final AtomicLong longest;
        private final CountDownLatch ended;
        private long transactions;

        Client(String cell, AtomicBoolean over, Queue<String> failures, AtomicLong longest, CountDownLatch ended) {
            this.cell = cell;
            this.over = over;
            this.failures = failures;
            this.longest = longest;
            this.ended = ended;
        }

        @Override
        public void run() {
            try (Connection session = cells.connectBy(cells.host(cell) + ":" + DOOR_PORT);
                    Statement statement = session.createStatement()) {
                // PgBouncer before 1.21 knows nothing of statements that were prepared through it.
                session.unwrap(PGConnection.class).setPrepareThreshold(0);
                session.setAutoCommit(false);
                while (!over.get()) {
                    long begun = System.nanoTime();
                    statement.execute("INSERT INTO behind_doors DEFAULT VALUES");
                    statement.execute("SELECT count(*) FROM behind_doors WHERE n < 10");
                    session.commit();
                    transactions++;
                    longest.accumulateAndGet(System.nanoTime() - begun, Math::max);
                }
            } catch (SQLException e) {
                failures.add(cell + ": " + e);
            } finally {
                ended.countDown();
            }
        }
    }

    @Test
    void noTransactionFailsInTwoSwitchovers() throws Exception {
        execute("CREATE TABLE IF NOT EXISTS behind_doors (n bigint GENERATED ALWAYS AS IDENTITY)");
        List<String> all = cells.cells();
        AtomicBoolean over = new AtomicBoolean();
        Queue<String> failures = new ConcurrentLinkedQueue<>();
        AtomicLong longest = new AtomicLong();
        CountDownLatch ended = new CountDownLatch(all.size() * CLIENTS_OF_A_DOOR);
        List<Client> clients = all.stream()
                .flatMap(cell -> IntStream.range(0, CLIENTS_OF_A_DOOR)
                        .mapToObj(i -> new Client(cell, over, failures, longest, ended)))
                .toList();
        clients.forEach(client -> Thread.ofVirtual().start(client));
        for (int round = 0; round < 2; round++) {
            assertThat(ended.await(4, TimeUnit.SECONDS)).as("%s", failures).isFalse();
            String target = cells.standbys().get(round);
            cells.succeeds(cells.client().switchover(target), Duration.ofSeconds(20));
            assertThat(cells.primary()).isEqualTo(target);
        }
        assertThat(ended.await(4, TimeUnit.SECONDS)).as("%s", failures).isFalse();
        over.set(true);
        assertThat(ended.await(10, TimeUnit.SECONDS)).isTrue();
        long pause = TimeUnit.NANOSECONDS.toMillis(longest.get());
        System.out.println(
                "  " + clients.stream().mapToLong(client -> client.transactions).sum() + " transactions, longest "
                        + pause + " ms, failures " + failures);
        assertThat(failures).isEmpty();
        assertThat(clients).allMatch(client -> client.transactions > 0);
        assertThat(pause).isLessThan(5000);
    }

    private void execute(String sql) throws SQLException {
        try (Connection session = cells.connect(Duration.ofSeconds(10));
                Statement statement = session.createStatement()) {
            statement.execute(sql);
        }
    }
}
