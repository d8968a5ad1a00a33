package org.cellkeeper.cell.door;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import org.cellkeeper.cell.postgres.PostgresBench;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The door's contract, on the real PgBouncer before real PostgreSQL. */
final class DoorIT {
    private static final long DRAIN = 1000;
    private static final long HOLD = 2500;

    private DoorBench bench;

    @BeforeEach
    void open() throws IOException {
        bench = new DoorBench();
        bench.open("a");
    }

    @AfterEach
    void close() {
        bench.close();
    }

    private static CompletableFuture<String> asking(Connection client) {
        CompletableFuture<String> answer = new CompletableFuture<>();
        Thread.ofVirtual().start(() -> {
            try {
                answer.complete(DoorBench.ask(client));
            } catch (SQLException e) {
                answer.completeExceptionally(e);
            }
        });
        return answer;
    }

    private CompletableFuture<String> connecting() {
        CompletableFuture<String> answer = new CompletableFuture<>();
        Thread.ofVirtual().start(() -> {
            try (Connection client = bench.client("vcloud")) {
                answer.complete(DoorBench.ask(client));
            } catch (SQLException e) {
                answer.completeExceptionally(e);
            }
        });
        return answer;
    }

    private static String within(CompletableFuture<String> answer, long millis) throws Exception {
        return answer.get(millis, TimeUnit.MILLISECONDS);
    }

    private static void assertWaits(CompletableFuture<String> answer) {
        assertThatThrownBy(() -> within(answer, 300)).isInstanceOf(TimeoutException.class);
    }

    @Test
    void whoIsHeldKeepsItsConnectionAndGoesOnAtTheNewPrimary() throws Exception {
        try (Connection client = bench.client("vcloud")) {
            assertThat(DoorBench.ask(client)).isEqualTo(bench.portOf("a"));
            bench.postgres.get(bench.door().hold(DRAIN, 8000));
            assertThat(bench.door().status().heldSince()).isNotNull();
            CompletableFuture<String> held = asking(client);
            CompletableFuture<String> fresh = connecting();
            assertWaits(held);
            bench.postgres.get(bench.postgres.database("a").stopFast(10_000));

            bench.postgres.get(bench.door().openTo(bench.to("b")));

            assertThat(within(held, 2000)).isEqualTo(bench.portOf("b"));
            assertThat(within(fresh, 2000)).isEqualTo(bench.portOf("b"));
            assertThat(bench.door().status().heldSince()).isNull();
        }
    }

    @Test
    void preparedStatementsOutliveTheChange() throws Exception {
        try (Connection client = bench.client(
                        "vcloud",
                        bench.postgres.settings("a").passwords().application(),
                        Map.of("prepareThreshold", "0"));
                var prepared = client.prepareStatement("SELECT current_setting('port') WHERE 1 = ?")) {
            for (String name : List.of("a", "b")) {
                bench.postgres.get(bench.door().hold(DRAIN, HOLD));
                bench.postgres.get(bench.door().openTo(bench.to(name)));
                prepared.setInt(1, 1);
                try (var row = prepared.executeQuery()) {
                    assertThat(row.next()).isTrue();
                    assertThat(row.getString(1)).isEqualTo(bench.portOf(name));
                }
            }
        }
    }

    @Test
    void aHoldWaitsForTheTransactionsInFlightAndNoNewOneBegins() throws Exception {
        try (Connection busy = bench.client("vcloud");
                Connection other = bench.client("vcloud")) {
            busy.setAutoCommit(false);
            DoorBench.ask(busy);
            CompletableFuture<Void> hold = bench.door().hold(3000, 8000);
            assertThatThrownBy(() -> hold.get(300, TimeUnit.MILLISECONDS)).isInstanceOf(TimeoutException.class);
            CompletableFuture<String> next = asking(other);
            assertWaits(next);
            assertThat(DoorBench.ask(busy)).isEqualTo(bench.portOf("a"));
            busy.commit();
            hold.get(500, TimeUnit.MILLISECONDS);
            assertWaits(next);
            bench.postgres.get(bench.door().openTo(bench.to("a")));
            assertThat(within(next, 1000)).isEqualTo(bench.portOf("a"));
        }
    }

    @Test
    void aTransactionThatDoesNotEndMakesTheHoldGiveUpAndItIsOpenAgain() throws Exception {
        try (Connection busy = bench.client("vcloud");
                Connection other = bench.client("vcloud")) {
            busy.setAutoCommit(false);
            DoorBench.ask(busy);
            CompletableFuture<Void> hold = bench.door().hold(DRAIN, 8000);
            CompletableFuture<String> next = asking(other);
            assertThatThrownBy(() -> hold.get(DRAIN + 500, TimeUnit.MILLISECONDS))
                    .isInstanceOf(ExecutionException.class)
                    .hasMessageContaining("did not end within");
            assertThat(within(next, 500)).isEqualTo(bench.portOf("a"));
            assertThat(DoorBench.ask(busy)).isEqualTo(bench.portOf("a"));
            busy.commit();
            // And it can be held again.
            bench.postgres.get(bench.door().hold(DRAIN, HOLD));
            assertWaits(asking(other));
        }
    }

    @Test
    void aHoldThatNobodyEndsEndsByItself() throws Exception {
        try (Connection client = bench.client("vcloud")) {
            bench.postgres.get(bench.door().hold(DRAIN, HOLD));
            CompletableFuture<String> held = asking(client);
            assertWaits(held);
            assertThat(within(held, HOLD)).isEqualTo(bench.portOf("a"));
            assertThat(bench.door().status().heldSince()).isNull();
        }
    }

    @Test
    void theNextAgentLetsGoWhatADeadOneHeld() throws Exception {
        try (Connection client = bench.client("vcloud")) {
            long pid = bench.process().pid();
            bench.postgres.get(bench.door().hold(DRAIN, 60_000));
            CompletableFuture<String> held = asking(client);
            assertWaits(held);
            bench.anotherAgent();
            assertThat(within(held, 2000)).isEqualTo(bench.portOf("a"));
            bench.open("a");
            assertThat(bench.process().pid()).isEqualTo(pid);
            assertThat(DoorBench.ask(client)).isEqualTo(bench.portOf("a"));
        }
    }

    @Test
    void anAgentThatDiesWhileItWaitsForTransactionsLeavesNothingHeld() throws Exception {
        try (Connection busy = bench.client("vcloud");
                Connection other = bench.client("vcloud")) {
            busy.setAutoCommit(false);
            DoorBench.ask(busy);
            var _ = bench.door().hold(60_000, 60_000);
            bench.postgres.awaitTrue(DoorBench.SOON, () -> bench.door().status().heldSince() != null, "held");
            bench.postgres.pass(200);
            CompletableFuture<String> next = asking(other);
            assertWaits(next);
            bench.anotherAgent();
            assertThat(within(next, 2000)).isEqualTo(bench.portOf("a"));
            assertThat(DoorBench.ask(busy)).isEqualTo(bench.portOf("a"));
        }
    }

    @Test
    void aDoorThatIsKilledComesBackAndIsNoLongerHeldThanItWasToBe() throws Exception {
        bench.postgres.get(bench.door().hold(DRAIN, HOLD));
        long from = System.nanoTime();
        bench.process().destroyForcibly();
        bench.postgres.awaitTrue(
                Duration.ofMillis(HOLD + 1500),
                () -> {
                    try (Connection client = bench.client("vcloud")) {
                        return DoorBench.ask(client).equals(bench.portOf("a"));
                    } catch (SQLException e) {
                        return false;
                    }
                },
                "open again");
        assertThat(Duration.ofNanos(System.nanoTime() - from)).isGreaterThan(Duration.ofMillis(HOLD - 500));
        assertThat(bench.door().status()).isEqualTo(org.cellkeeper.cell.port.Door.Status.OPEN);
    }

    @Test
    void aDoorThatDoesNotAnswerIsStartedAnew() throws Exception {
        bench.postgres.get(bench.door().hold(DRAIN, HOLD));
        ProcessHandle frozen = bench.process();
        PostgresBench.run("kill", "-STOP", String.valueOf(frozen.pid()));
        bench.postgres.get(bench.door().openTo(bench.to("b")));
        bench.open("b");
        assertThat(frozen.isAlive()).isFalse();
    }

    /** As on a machine that is starved: to start it anew would cost every client its connection, and help nobody. */
    @Test
    void aDoorThatAnswersLateWhileNobodyWaitsIsLeftAlone() throws Exception {
        ProcessHandle slow = bench.process();
        try (Connection client = bench.client("vcloud")) {
            PostgresBench.run("kill", "-STOP", String.valueOf(slow.pid()));
            bench.anotherAgent();
            bench.postgres.pass(3000);
            PostgresBench.run("kill", "-CONT", String.valueOf(slow.pid()));
            bench.open("b");
            assertThat(slow.isAlive()).isTrue();
            assertThat(DoorBench.ask(client)).isEqualTo(bench.portOf("b"));
        }
    }

    @Test
    void aDoorWhoseConsoleIsClosedToItsAgentIsStartedAnew() throws Exception {
        Files.writeString(bench.file("pgbouncer.ini"), "[pgbouncer]\nlisten_port = 1\n");
        PostgresBench.run("kill", "-HUP", String.valueOf(bench.process().pid()));
        bench.anotherAgent();
        bench.open("b");
        try (Connection client = bench.client("vcloud")) {
            assertThat(DoorBench.ask(client)).isEqualTo(bench.portOf("b"));
        }
    }

    @Test
    void aFileThatIsHalfWrittenIsWrittenAnew() throws Exception {
        String whole = Files.readString(bench.file("pgbouncer.ini"));
        Files.writeString(bench.file("pgbouncer.ini"), whole.substring(0, whole.length() / 3));
        bench.open("b");
        assertThat(Files.readString(bench.file("pgbouncer.ini"))).hasSameSizeAs(whole);
    }

    @Test
    void readersComeToAStandbyAndToThePrimaryWhenThereIsNone() throws Exception {
        bench.open("b");
        try (Connection client = bench.client("vcloud_ro")) {
            assertThat(DoorBench.ask(client)).isEqualTo(bench.portOf("b"));
        }
        bench.reader = new Reader("127.0.0.1", bench.to("a").port());
        bench.open("b");
        try (Connection client = bench.client("vcloud_ro")) {
            assertThat(DoorBench.ask(client)).isEqualTo(bench.portOf("a"));
            bench.postgres.get(bench.door().hold(DRAIN, HOLD));
            assertThat(within(asking(client), 1000)).isEqualTo(bench.portOf("a"));
        }
    }

    @Test
    void thoseWhoReadFromThePrimaryAreHeldWithTheOthers() throws Exception {
        try (Connection client = bench.client("vcloud_ro")) {
            assertThat(DoorBench.ask(client)).isEqualTo(bench.portOf("a"));
            bench.postgres.get(bench.door().hold(DRAIN, HOLD));
            CompletableFuture<String> held = asking(client);
            assertWaits(held);
            bench.postgres.get(bench.door().openTo(bench.to("b")));
            assertThat(within(held, 1000)).isEqualTo(bench.portOf("b"));
        }
    }

    private void awaitLetsIn(String password) {
        bench.postgres.awaitTrue(
                DoorBench.SOON,
                () -> {
                    try (Connection client = bench.client("vcloud", password, Map.of())) {
                        return DoorBench.ask(client).equals(bench.portOf("a"));
                    } catch (SQLException e) {
                        return false;
                    }
                },
                "the new password lets in");
    }

    @Test
    void aNewPasswordIsKnownSoonAndAnOldOneNoMore() throws Exception {
        String old = bench.postgres.settings("a").passwords().application();
        bench.postgres.execute("a", "ALTER ROLE vcloud PASSWORD 'another one'");
        awaitLetsIn("another one");
        assertThatThrownBy(() -> bench.client("vcloud", old, Map.of())).hasMessageContaining("authentication failed");
    }

    /** PgBouncer makes its connections with what the last one has proven who came in. */
    @Test
    void whoStandsAtTheDoorGoesOnOnceSomebodyHasComeWithTheNewPassword() throws Exception {
        try (Connection standing = bench.client("vcloud")) {
            DoorBench.ask(standing);
            bench.postgres.execute("a", "ALTER ROLE vcloud PASSWORD 'another one'");
            bench.postgres.get(bench.door().hold(DRAIN, HOLD));
            bench.postgres.get(bench.door().openTo(bench.to("a")));
            awaitLetsIn("another one");
            assertThat(within(asking(standing), 5000)).isEqualTo(bench.portOf("a"));
        }
    }

    @Test
    void nobodyComesInWhoPostgresWouldNotLetIn() throws Exception {
        String password = bench.postgres.settings("a").passwords().application();
        assertThatThrownBy(() -> bench.client("vcloud", password, Map.of("sslmode", "disable")))
                .isInstanceOf(SQLException.class);
        assertThatThrownBy(() -> bench.client("pgbouncer", password, Map.of())).isInstanceOf(SQLException.class);
        assertThatThrownBy(() -> bench.client("postgres", password, Map.of())).isInstanceOf(SQLException.class);
        for (String role : List.of("cellkeeper", "replicator", "cellkeeper_app")) {
            assertThatThrownBy(() -> bench.client("vcloud", "", Map.of("user", role)))
                    .isInstanceOf(SQLException.class);
        }
        bench.anotherAgent(List.of("host vcloud vcloud 127.0.0.0/8 reject"));
        var _ = bench.postgres.get(bench.door().openTo(bench.to("a")));
        assertThatThrownBy(() -> bench.client("vcloud_ro")).hasMessageContaining("reject");
        bench.anotherAgent(List.of("host all all 127.0.0.0/8 ldap ldapserver=x"));
        bench.postgres.awaitTrue(
                DoorBench.SOON,
                () -> bench.door().status().problem().contains("ldapserver=x"),
                "says what it cannot follow");
        assertThatThrownBy(() -> bench.client("vcloud")).isInstanceOf(SQLException.class);
    }

    /** Transactions without a pause; a moment after one has failed, the next in a connection of its own. */
    private final class Busy implements Runnable {
        private final List<String> failed = new CopyOnWriteArrayList<>();
        private final Set<String> seen = ConcurrentHashMap.newKeySet();
        private final AtomicLong longest = new AtomicLong();
        private final CountDownLatch ended = new CountDownLatch(1);
        private volatile boolean over;

        @Override
        public void run() {
            long since = System.nanoTime();
            while (!over && failed.size() < 100) {
                try (Connection client = bench.client("vcloud")) {
                    while (!over) {
                        seen.add(DoorBench.ask(client));
                        long now = System.nanoTime();
                        longest.accumulateAndGet(now - since, Math::max);
                        since = now;
                    }
                } catch (SQLException e) {
                    failed.add(e.getMessage());
                    // As whoever is sent away does: at once it would be sent away again.
                    bench.postgres.pass(100);
                }
            }
            ended.countDown();
        }
    }

    private List<Busy> busy(int clients) {
        List<Busy> all = new ArrayList<>();
        for (int i = 0; i < clients; i++) {
            all.add(new Busy());
            Thread.ofVirtual().start(all.getLast());
        }
        return all;
    }

    private static void end(List<Busy> clients) throws InterruptedException {
        clients.forEach(client -> client.over = true);
        for (Busy client : clients) {
            assertThat(client.ended.await(5, TimeUnit.SECONDS)).isTrue();
        }
        System.out.println(
                "  failed " + clients.stream().map(client -> client.failed).toList() + ", longest pauses "
                        + clients.stream()
                                .map(client -> client.longest.get() / 1_000_000)
                                .toList() + " ms");
    }

    @Test
    void whenThePrimaryIsKilledOnlyWhatWasInFlightFailsAndAllElseWaits() throws Exception {
        List<Busy> clients = busy(8);
        try (Connection idle = bench.client("vcloud")) {
            DoorBench.ask(idle);
            bench.postgres.pass(1000);
            bench.postgres.crash("a");
            bench.postgres.awaitTrue(DoorBench.SOON, () -> bench.door().status().heldSince() != null, "held by itself");
            bench.postgres.pass(300);
            var _ = bench.door().hold(3 * HOLD, 3 * HOLD);
            bench.postgres.awaitTrue(DoorBench.SOON, bench::isPaused, "held for the loss");
            CompletableFuture<String> fresh = connecting();
            assertWaits(fresh);
            bench.postgres.get(bench.door().openTo(bench.to("b")));
            assertThat(within(fresh, 2000)).isEqualTo(bench.portOf("b"));
            assertThat(within(asking(idle), 2000)).isEqualTo(bench.portOf("b"));
        }
        bench.postgres.pass(500);
        end(clients);
        assertThat(clients).allSatisfy(client -> {
            assertThat(client.seen).contains(bench.portOf("b"));
            // What was in flight; and one that comes anew within the millisecond until it is held may be sent away.
            assertThat(client.failed).hasSizeLessThanOrEqualTo(2);
        });
    }

    @Test
    void aPrimaryThatCrashesAndIsThereAgainIsWaitedFor() throws Exception {
        try (Connection idle = bench.client("vcloud")) {
            DoorBench.ask(idle);
            bench.postgres.crashChild("a");
            assertThat(within(connecting(), 5000)).isEqualTo(bench.portOf("a"));
            assertThat(within(asking(idle), 5000)).isEqualTo(bench.portOf("a"));
        }
        bench.postgres.awaitTrue(DoorBench.SOON, () -> bench.door().status().heldSince() == null, "open");
    }

    @Test
    void aPrimaryThatDoesNotComeBackHoldsNobodyForLong() throws Exception {
        bench.postgres.crash("a");
        bench.postgres.awaitTrue(DoorBench.SOON, () -> bench.door().status().heldSince() != null, "held by itself");
        bench.postgres.awaitTrue(
                Duration.ofMillis(1500), () -> bench.door().status().heldSince() == null, "open");
    }

    @Test
    void whereNobodyComesBackThoseWhoWaitAreToldSoAndWhoComesLaterWaitsAgainForTheNextOne() throws Exception {
        try (Connection idle = bench.client("vcloud")) {
            DoorBench.ask(idle);
            bench.postgres.crash("a");
            bench.postgres.awaitTrue(DoorBench.SOON, () -> bench.door().status().heldSince() != null, "held by itself");
            CompletableFuture<String> held = asking(idle);
            CompletableFuture<String> fresh = connecting();
            assertToldWithin(held, 6000);
            assertToldWithin(fresh, 2000);
            assertToldWithin(connecting(), 4000);

            var _ = bench.door().hold(8000, 8000);
            CompletableFuture<String> patient = connecting();
            assertThatThrownBy(() -> within(patient, 5000)).isInstanceOf(TimeoutException.class);
            bench.postgres.get(bench.door().openTo(bench.to("b")));
            assertThat(within(patient, 2000)).isEqualTo(bench.portOf("b"));
        }
    }

    @Test
    void anAgentThatFindsThePrimaryGoneKeepsNobodyWaitingEither() throws Exception {
        bench.postgres.crash("a");
        bench.anotherAgent();
        var _ = bench.door().openTo(bench.to("a"));
        bench.postgres.awaitTrue(DoorBench.SOON, () -> bench.door().status().heldSince() != null, "held by itself");
        assertToldWithin(connecting(), 6000);
    }

    private static void assertToldWithin(CompletableFuture<String> answer, long millis) {
        assertThatThrownBy(() -> within(answer, millis))
                .isInstanceOf(ExecutionException.class)
                .cause()
                .isInstanceOfSatisfying(
                        SQLException.class,
                        told -> assertThat(told.getSQLState()).isEqualTo("08P01"));
    }

    @Test
    void thoseWhoReadFromThePrimaryAreHeldBeforeTheTransactionsOfOthersHaveEnded() throws Exception {
        try (Connection busy = bench.client("vcloud");
                Connection reader = bench.client("vcloud_ro")) {
            DoorBench.ask(reader);
            busy.setAutoCommit(false);
            DoorBench.ask(busy);
            var _ = bench.door().hold(3000, 8000);
            bench.postgres.pass(200);
            CompletableFuture<String> held = asking(reader);
            assertWaits(held);
            busy.commit();
            bench.postgres.get(bench.door().openTo(bench.to("b")));
            assertThat(within(held, 1000)).isEqualTo(bench.portOf("b"));
        }
    }

    @Test
    void aPostgresThatSoonClosesWhatSaysNothingIsNotTakenForLost() throws Exception {
        bench.postgres.execute("a", "ALTER SYSTEM SET authentication_timeout = '1s'");
        bench.postgres.execute("a", "SELECT pg_reload_conf()");
        List<Busy> clients = busy(4);
        bench.postgres.pass(8000);
        end(clients);
        assertThat(clients).allSatisfy(client -> {
            assertThat(client.failed).isEmpty();
            assertThat(client.longest.get()).isLessThan(1_000_000_000L);
        });
    }

    @Test
    void aHundredHoldsInARowLoseNoTransaction() throws Exception {
        List<Busy> clients = busy(8);
        for (int i = 0; i < 100; i++) {
            String next = i % 2 == 0 ? "b" : "a";
            bench.postgres.get(bench.door().hold(DRAIN, HOLD));
            clients.forEach(client -> client.seen.clear());
            bench.postgres.get(bench.door().openTo(bench.to(next)));
            bench.postgres.awaitTrue(
                    DoorBench.SOON,
                    () -> clients.stream().anyMatch(client -> client.seen.contains(bench.portOf(next))),
                    "somebody gets a turn");
        }
        end(clients);
        assertThat(clients).allSatisfy(client -> assertThat(client.failed).isEmpty());
    }
}
