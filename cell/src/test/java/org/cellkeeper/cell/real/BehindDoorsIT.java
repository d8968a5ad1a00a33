package org.cellkeeper.cell.real;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
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

/** Clients come through the doors of all three cells while the primary is changed on purpose, or lost. */
@Tag("cells")
@EnabledIfSystemProperty(
        named = "cellkeeper.doors",
        matches = "true",
        disabledReason = "doors are tried with -Dcellkeeper.doors=true")
@ExtendWith(Labs.class)
final class BehindDoorsIT {
    private static final int DOOR_PORT = 6432;
    private static final int CLIENTS_OF_A_DOOR = 5;
    private static final int FAILURES_AT_MOST = 20;

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
        cells.restore(true);
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

    /** Transactions of two statements each, through one door; over one connection, and over another one when that was lost. */
    private final class Client implements Runnable {
        private final String cell;
        private final CountDownLatch ended = new CountDownLatch(1);
        private final Queue<SQLException> failed = new ConcurrentLinkedQueue<>();
        private final Queue<SQLException> refused = new ConcurrentLinkedQueue<>();
        private final AtomicLong longest = new AtomicLong();
        private final AtomicLong transactions = new AtomicLong();
        private volatile boolean over;

        Client(String cell) {
            this.cell = cell;
        }

        Client start() {
            Thread.ofVirtual().name("client of " + cell).start(this);
            return this;
        }

        @Override
        public void run() {
            long since = System.nanoTime();
            while (!over && failed.size() + refused.size() < FAILURES_AT_MOST) {
                try (Connection session = cells.connectBy(cells.host(cell) + ":" + DOOR_PORT)) {
                    since = transact(session, since);
                } catch (SQLException e) {
                    refused.add(e);
                }
            }
            ended.countDown();
        }

        private long transact(Connection session, long begun) throws SQLException {
            // PgBouncer before 1.21 knows nothing of statements that were prepared through it.
            session.unwrap(PGConnection.class).setPrepareThreshold(0);
            session.setAutoCommit(false);
            long since = begun;
            try (Statement statement = session.createStatement()) {
                while (!over) {
                    statement.execute("INSERT INTO behind_doors DEFAULT VALUES");
                    statement.execute("SELECT count(*) FROM behind_doors WHERE n < 10");
                    session.commit();
                    transactions.incrementAndGet();
                    longest.accumulateAndGet(System.nanoTime() - since, Math::max);
                    since = System.nanoTime();
                }
            } catch (SQLException e) {
                failed.add(e);
            }
            return since;
        }
    }

    private List<Client> clients(List<String> doors) {
        return doors.stream()
                .flatMap(cell -> IntStream.range(0, CLIENTS_OF_A_DOOR).mapToObj(i -> new Client(cell).start()))
                .toList();
    }

    private static void end(List<Client> clients) throws InterruptedException {
        clients.forEach(client -> client.over = true);
        for (Client client : clients) {
            assertThat(client.ended.await(10, TimeUnit.SECONDS)).isTrue();
        }
    }

    private static String told(List<Client> clients) {
        return clients.stream().mapToLong(client -> client.transactions.get()).sum() + " transactions, longest pause "
                + longestMillis(clients) + " ms, failed " + failures(clients, client -> client.failed) + ", refused "
                + failures(clients, client -> client.refused);
    }

    private static long longestMillis(List<Client> clients) {
        return TimeUnit.NANOSECONDS.toMillis(
                clients.stream().mapToLong(client -> client.longest.get()).max().orElseThrow());
    }

    private static List<SQLException> failures(List<Client> clients, Function<Client, Queue<SQLException>> which) {
        return clients.stream().flatMap(client -> which.apply(client).stream()).toList();
    }

    @Test
    void noTransactionFailsInTwoSwitchovers() throws Exception {
        execute("CREATE TABLE IF NOT EXISTS behind_doors (n bigint GENERATED ALWAYS AS IDENTITY)");
        List<Client> clients = clients(cells.cells());
        for (int round = 0; round < 2; round++) {
            TimeUnit.SECONDS.sleep(4);
            String target = cells.standbys().get(round);
            cells.succeeds(cells.client().switchover(target), Duration.ofSeconds(20));
            assertThat(cells.primary()).isEqualTo(target);
        }
        TimeUnit.SECONDS.sleep(4);
        end(clients);
        System.out.println("  " + told(clients));
        assertThat(failures(clients, client -> client.failed)).isEmpty();
        assertThat(failures(clients, client -> client.refused)).isEmpty();
        assertThat(clients).allMatch(client -> client.transactions.get() > 0);
        assertThat(longestMillis(clients)).isLessThan(5000);
    }

    @Test
    void whoReadsComesToAStandbyThroughEveryDoor() throws Exception {
        for (String cell : cells.cells()) {
            String door = cells.host(cell) + ":" + DOOR_PORT;
            Patience.await("vcloud_ro at the door of " + cell, Duration.ofSeconds(10), () -> {
                try (Connection session = cells.connectBy(door, "vcloud_ro");
                        Statement statement = session.createStatement();
                        ResultSet row = statement.executeQuery("SELECT pg_is_in_recovery()")) {
                    return row.next() && row.getBoolean(1) ? null : "it leads to the primary";
                } catch (SQLException e) {
                    return e.toString();
                }
            });
        }
    }

    @Test
    void aLostPrimaryIsFeltByTransactionsInFlightAlone() throws Exception {
        execute("CREATE TABLE IF NOT EXISTS behind_doors (n bigint GENERATED ALWAYS AS IDENTITY)");
        String old = cells.primary();
        List<String> doors = cells.standbys();
        List<Connection> idle = new ArrayList<>();
        try {
            for (String cell : doors) {
                idle.add(cells.connectBy(cells.host(cell) + ":" + DOOR_PORT));
                assertThat(writes(idle.getLast())).isTrue();
            }
            List<Client> clients = clients(doors);
            TimeUnit.SECONDS.sleep(4);
            cells.kill(old);
            List<Client> comeInTheGap = clients(doors);
            cells.awaitOtherPrimary(old, Duration.ofSeconds(10));
            TimeUnit.SECONDS.sleep(4);
            end(clients);
            end(comeInTheGap);
            System.out.println("  there before: " + told(clients));
            System.out.println("  came in the gap: " + told(comeInTheGap));
            assertThat(failures(clients, client -> client.refused)).isEmpty();
            // What was in flight; and one that comes anew within the millisecond until the door is held may be sent
            // away.
            assertThat(clients).allMatch(client -> client.failed.size() <= 2);
            assertThat(failures(clients, client -> client.failed))
                    .extracting(SQLException::getSQLState)
                    .allMatch(state -> state.startsWith("08") || state.equals("57P01"));
            assertThat(failures(comeInTheGap, client -> client.refused)).isEmpty();
            assertThat(failures(comeInTheGap, client -> client.failed)).isEmpty();
            assertThat(clients).allMatch(client -> client.transactions.get() > 0);
            assertThat(longestMillis(clients)).isLessThan(5000);
            for (Connection still : idle) {
                assertThat(writes(still)).isTrue();
            }
        } finally {
            for (Connection each : idle) {
                each.close();
            }
        }
    }

    private static boolean writes(Connection session) throws SQLException {
        session.unwrap(PGConnection.class).setPrepareThreshold(0);
        try (Statement statement = session.createStatement()) {
            return statement.executeUpdate("INSERT INTO behind_doors DEFAULT VALUES") == 1;
        }
    }

    private void execute(String sql) throws SQLException {
        try (Connection session = cells.connect(Duration.ofSeconds(10));
                Statement statement = session.createStatement()) {
            statement.execute(sql);
        }
    }
}
