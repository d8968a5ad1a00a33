package org.cellkeeper.cell.real;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.cellkeeper.api.ApplianceFailure;
import org.cellkeeper.api.HistoryEvent;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.extension.ExtendWith;

/** Three cells in automatic mode; the primary, or a part of it, is lost in all the ways that a machine is lost. */
@Tag("cells")
@ExtendWith(Labs.class)
final class LossOfThePrimaryIT {
    private static final Duration FAILOVER = Duration.ofSeconds(5);

    private final RealCells cells;

    LossOfThePrimaryIT(RealCells cells) {
        this.cells = cells;
    }

    @BeforeEach
    void allCellsTakePart(TestInfo test) {
        System.out.println(test.getDisplayName());
        cells.restore(true);
    }

    @Test
    @Tag("quick")
    void aKilledPrimaryIsReplacedWithinSecondsAndNothingAcknowledgedIsLost() {
        String old = cells.primary();
        long epoch = cells.epoch();
        try (Writer writer = cells.writer()) {
            long before = System.nanoTime();
            cells.kill(old);
            String next = cells.awaitOtherPrimary(old, Duration.ofSeconds(10));
            writer.awaitRow(Duration.ofSeconds(10));

            Duration gap = writer.longestGapSince(before);
            System.out.println("  " + old + " killed, " + next + " took over; gap " + gap.toMillis() + " ms");
            assertThat(gap).isLessThan(FAILOVER);
            assertThat(cells.epoch()).isGreaterThan(epoch);
            cells.assertNothingLost(writer);

            String sentence = "Failover: " + next + " is primary in place of " + old;
            Patience.await("the history tells of it", Duration.ofSeconds(5), () -> {
                List<HistoryEvent> told = cells.client().history(50).stream()
                        .filter(event -> event.sentence().startsWith(sentence) && event.epoch() == cells.epoch())
                        .toList();
                told.forEach(event -> System.out.println("  " + event.detail()));
                return told.size() == 1 && told.getFirst().steps().size() >= 6 ? null : "told: " + told;
            });
        }
    }

    @Test
    @Tag("quick")
    void aDeposedPrimaryStaysHaltedUntilAnOperatorRemovesAndDeploysIt() {
        String old = cells.primary();
        cells.kill(old);
        cells.awaitOtherPrimary(old, Duration.ofSeconds(10));

        cells.start(old);
        cells.awaitState(old, "HALTED", Duration.ofSeconds(20));
        assertThat(cells.node(old).nodeRole()).isEqualTo("OLD_PRIMARY");
        assertThat(cells.node(old).status()).isEqualTo("- failed");
        cells.awaitNoPostgres(old);

        cells.stop(old);
        cells.start(old);
        cells.awaitState(old, "HALTED", Duration.ofSeconds(20));
        Patience.holds(
                "PostgreSQL of the halted cell stays down",
                Duration.ofSeconds(3),
                () -> cells.postgresListens(old) ? old + " takes connections" : null);
        assertThat(cells.nodes().localClusterHealth()).isEqualTo("DEGRADED");

        cells.succeeds(cells.client().remove(old, false), Duration.ofSeconds(20));
        cells.awaitNoPostgres(old);
        cells.succeeds(cells.client().deploy(old), Duration.ofSeconds(60));
        cells.awaitHealth("HEALTHY", Duration.ofSeconds(30));
        assertThat(cells.node(old).state()).isEqualTo("STREAMING");
    }

    @Test
    void aKilledPostmasterIsReplacedByAnotherCellAndNothingIsLost() {
        String old = cells.primary();
        try (Writer writer = cells.writer()) {
            long before = System.nanoTime();
            cells.kill(old, RealCells.Part.POSTGRES);
            writer.awaitRow(Duration.ofSeconds(10));

            Duration gap = writer.longestGapSince(before);
            System.out.println("  postmaster of " + old + " killed, " + cells.primary() + " is primary; gap "
                    + gap.toMillis() + " ms");
            assertThat(gap).isLessThan(FAILOVER);
            assertThat(cells.primary()).isNotEqualTo(old);
            cells.awaitState(old, "HALTED", Duration.ofSeconds(10));
            cells.awaitNoPostgres(old);
            cells.assertNothingLost(writer);
        }
    }

    @Test
    @Tag("quick")
    void aKilledAgentOfThePrimaryIsNoOutage() {
        String primary = cells.primary();
        long epoch = cells.epoch();
        String started = cells.postgresStart(primary);
        try (Writer writer = cells.writer()) {
            long before = System.nanoTime();
            cells.kill(primary, RealCells.Part.AGENT);
            Duration back = Patience.await("the agent is back and answers", Duration.ofSeconds(15), () -> {
                List<String> primaries = cells.primaries();
                return primaries.equals(List.of(primary)) ? null : "primary are " + primaries;
            });
            System.out.println("  agent of " + primary + " killed; it answers again after " + back.toMillis()
                    + " ms, longest gap of the writer "
                    + writer.longestGapSince(before).toMillis() + " ms");

            cells.awaitHealth("HEALTHY", Duration.ofSeconds(15));
            assertThat(writer.longestGapSince(before)).isLessThan(Duration.ofSeconds(5));
            assertThat(cells.epoch()).isEqualTo(epoch);
            assertThat(cells.postgresStart(primary)).as("start of PostgreSQL").isEqualTo(started);
            cells.assertNothingLost(writer);
        }
    }

    @Test
    void aPausedPrimaryIsReplacedAndNeverAcknowledgesWhatItWasAskedMeanwhile() throws SQLException {
        String old = cells.primary();
        String asked = "asked-while-paused-" + System.nanoTime();
        try (Writer writer = cells.writer();
                Writer pinned = Writer.pinnedTo(cells, old);
                Connection insert = cells.connectTo(old);
                Connection commit = cells.connectTo(old)) {
            commit.setAutoCommit(false);
            execute(commit, "INSERT INTO rows (writer, n) VALUES ('" + asked + "', 1)");
            long before = System.nanoTime();
            cells.pause(old);
            long paused = System.nanoTime();
            // The machine still takes what is sent; the answer is awaited for as long as it takes.
            CompletableFuture<String> inserted = inBackground(() -> {
                execute(insert, "INSERT INTO rows (writer, n) VALUES ('" + asked + "', 2)");
                return "acknowledged";
            });
            CompletableFuture<String> committed = inBackground(() -> {
                commit.commit();
                if (commit.getWarnings() != null) {
                    throw commit.getWarnings();
                }
                return "acknowledged";
            });

            Map.Entry<String, Duration> next = cells.awaitWritableBut(old, Duration.ofSeconds(15));
            System.out.println("  " + old + " paused; " + next.getKey() + " took a row after "
                    + next.getValue().toMillis() + " ms");
            assertThat(next.getValue()).isLessThan(FAILOVER);
            writer.awaitRow(Duration.ofSeconds(15));
            // Mostly the client's own: its timeouts on the silent session, then on the silent host.
            System.out.println(
                    "  gap of a writer " + writer.longestGapSince(before).toMillis() + " ms");
            assertThat(inserted).isNotDone();
            assertThat(committed).isNotDone();

            cells.resume(old);
            cells.awaitState(old, "HALTED", Duration.ofSeconds(20));
            cells.awaitNoPostgres(old);
            Patience.await("the pinned session ends", Duration.ofSeconds(10), pinned::hasEnded, "it goes on");
            for (CompletableFuture<String> sent : List.of(inserted, committed)) {
                assertThat(sent)
                        .failsWithin(Duration.ofSeconds(10))
                        .withThrowableOfType(ExecutionException.class)
                        .withCauseInstanceOf(SQLException.class)
                        .satisfies(failure -> System.out.println("  it was told: " + failure.getMessage()));
            }
            assertThat(cells.primary()).isEqualTo(next.getKey());
            assertThat(cells.rows(asked)).isZero();
            cells.assertNothingLost(writer);
            // One that was sent before may be acknowledged late, if the standbys had it: then it is not lost either.
            cells.assertNothingLost(pinned);
            System.out.println("  acknowledged after the pause: " + pinned.acknowledgedAfter(paused));
            assertThat(pinned.sentAndAcknowledgedAfter(paused))
                    .as("rows that were sent to the paused primary, and acknowledged")
                    .isZero();
        }
    }

    private static void execute(Connection session, String sql) throws SQLException {
        try (Statement statement = session.createStatement()) {
            statement.executeUpdate(sql);
            if (statement.getWarnings() != null) {
                throw statement.getWarnings();
            }
        }
    }

    private static CompletableFuture<String> inBackground(Callable<String> question) {
        CompletableFuture<String> answer = new CompletableFuture<>();
        Thread.ofPlatform().daemon().start(() -> {
            try {
                answer.complete(question.call());
            } catch (Exception failure) {
                answer.completeExceptionally(failure);
            }
        });
        return answer;
    }

    @Test
    void withTooFewVotersLeftNobodyIsPromotedUntilAnotherOneIsBack() {
        String old = cells.primary();
        String lost = cells.standbys().getFirst();
        String left = cells.standbys().getLast();
        try (Writer writer = cells.writer()) {
            cells.kill(lost);
            writer.awaitRow(Duration.ofSeconds(10));
            cells.kill(old);
            Patience.holds(
                    "nobody is promoted",
                    Duration.ofSeconds(8),
                    () -> cells.primaries().isEmpty() ? null : "primary are " + cells.primaries());
            assertThat(cells.node(left).nodeRole()).isNotEqualTo("PRIMARY");

            cells.start(lost);
            String next = cells.awaitOtherPrimary(old, Duration.ofSeconds(45));
            System.out.println("  " + lost + " and " + old + " killed, " + lost + " back: " + next + " took over");
            writer.awaitRow(Duration.ofSeconds(15));
            cells.assertNothingLost(writer);
        }
    }

    @Test
    void theLastCellIsPromotedOnlyWhenAnOperatorAcceptsTheLossOfData() {
        String old = cells.primary();
        String lost = cells.standbys().getFirst();
        String left = cells.standbys().getLast();
        cells.killButZooKeeper(lost);
        cells.killButZooKeeper(old);
        Patience.holds(
                "nobody is promoted",
                Duration.ofSeconds(8),
                () -> cells.primaries().isEmpty() ? null : "primary are " + cells.primaries());
        assertThatExceptionOfType(ApplianceFailure.Refused.class)
                .isThrownBy(() -> cells.client().promote(left, false))
                .satisfies(refused -> {
                    assertThat(refused.status()).isEqualTo(409);
                    assertThat(refused.code()).isEqualTo("seal-quorum");
                });

        cells.succeeds(cells.client().promote(left, true), Duration.ofSeconds(20));
        cells.awaitHealth("READ_ONLY_PRIMARY", Duration.ofSeconds(10));
        assertThat(cells.nodes().primary()).isEqualTo(left);

        // The voter that was missed may hold commits that the new primary lacks.
        cells.start(lost);
        cells.awaitState(lost, "HALTED", Duration.ofSeconds(30));
        cells.start(old);
        cells.awaitState(old, "HALTED", Duration.ofSeconds(30));
    }

    @Test
    void emptyDataUnderAHaltedNameStayHalted() {
        String old = cells.primary();
        cells.kill(old);
        cells.awaitOtherPrimary(old, Duration.ofSeconds(10));

        cells.wipe(old);
        cells.start(old);
        cells.awaitState(old, "HALTED", Duration.ofSeconds(20));
        Patience.holds(
                "PostgreSQL of the halted cell stays down",
                Duration.ofSeconds(3),
                () -> cells.postgresListens(old) ? old + " takes connections" : null);
    }

    @Test
    void threeKilledCellsComeBackAsTheyWere() {
        String primary = cells.primary();
        List<String> standbys = cells.standbys();
        long epoch = cells.epoch();
        try (Writer writer = cells.writer()) {
            RealCells.together(() -> cells.kill(standbys.getFirst()), () -> cells.kill(standbys.getLast()));
            cells.kill(primary);
            for (String cell : cells.cells()) {
                cells.start(cell);
            }
            cells.awaitHealth("HEALTHY", Duration.ofSeconds(45));
            assertThat(cells.primary()).isEqualTo(primary);
            assertThat(cells.epoch()).isEqualTo(epoch);
            writer.awaitRow(Duration.ofSeconds(10));
            cells.assertNothingLost(writer);
        }
    }
}
