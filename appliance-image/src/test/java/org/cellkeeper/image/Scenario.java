package org.cellkeeper.image;

import static org.assertj.core.api.Assertions.assertThat;

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.cellkeeper.api.Cluster;
import org.cellkeeper.api.HistoryEvent;
import org.cellkeeper.testing.CellCluster;
import org.cellkeeper.testing.Patience;
import org.cellkeeper.testing.Writer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.extension.ExtendWith;
import org.testcontainers.containers.Container.ExecResult;

/** What all scenarios on the shared cluster have in common. Waits are long, as machines may be busy; gaps are printed. */
@ExtendWith(Clusters.class)
abstract class Scenario {
    static final Duration SOON = Duration.ofSeconds(60);
    /** What must not happen would happen within this time. */
    static final Duration FOR_A_WHILE = Duration.ofSeconds(8);
    /** What is to stay as it is stays so for this long. */
    static final Duration STAYS = Duration.ofSeconds(3);
    /** A standby opens a ballot by itself. */
    private static final int OPEN_A_BALLOT = 702;

    private static final int HISTORY = 200;
    private static final String CANNOT_CONNECT_NOW = "57P03";

    final CellCluster cells;
    private final CellCluster.Mode mode;
    private long begun;
    private Instant start = Instant.EPOCH;

    Scenario(CellCluster cells, CellCluster.Mode mode) {
        this.cells = cells;
        this.mode = mode;
    }

    @BeforeEach
    void allCellsTakePart(TestInfo test) {
        begun = System.nanoTime();
        System.out.println(test.getDisplayName());
        cells.restore(mode);
        said("all cells take part");
        start = Instant.now();
    }

    @AfterEach
    void sayHowItIs() {
        said("at the end: " + cells.summary());
    }

    final void said(String what) {
        System.out.println("  " + (System.nanoTime() - begun) / 1_000_000 + " ms: " + what);
    }

    final void saidGap(String what, Writer writer, long since) {
        said(what + "; longest gap of the writer "
                + writer.longestGapSince(since).toMillis() + " ms");
    }

    /** Somebody must answer meanwhile: that nobody says anything proves nothing. */
    final void nobodyIsPrimaryForAWhile() {
        long epoch = epochOnceSomebodyAnswers();
        AtomicInteger answers = new AtomicInteger();
        Patience.holds("nobody is promoted", FOR_A_WHILE, () -> {
            answers.addAndGet(cells.answering().size());
            List<String> primaries = cells.primaries();
            return primaries.isEmpty() ? null : "primary are " + primaries;
        });
        assertThat(answers).hasPositiveValue();
        assertThat(epochOnceSomebodyAnswers()).isEqualTo(epoch);
    }

    private long epochOnceSomebodyAnswers() {
        List<Cluster> seen = new ArrayList<>();
        Patience.await("somebody answers", SOON, () -> {
            seen.add(cells.nodes());
            return null;
        });
        return seen.getLast().epoch();
    }

    /** It is halted and says so, and nothing of its PostgreSQL runs. */
    final void awaitHalted(String cell) {
        cells.awaitState(cell, "HALTED", SOON);
        Patience.await("PostgreSQL of " + cell + " is down", SOON, () -> postgresOf(cell));
        Patience.holds("PostgreSQL of the halted " + cell + " stays down", STAYS, () -> {
            String state = cells.node(cell).state();
            return state.equals("HALTED") ? postgresOf(cell) : cell + " is " + state;
        });
        Patience.await("clients are told, also through Docker's proxy", SOON, () -> refusalOf(cell));
    }

    /** Null when a client is told that it cannot connect now, and is not only cut off. */
    private @Nullable String refusalOf(String cell) {
        try (Connection _ = DriverManager.getConnection(cells.jdbcUrl(cell), cells.user(), cells.password())) {
            return "it is connected";
        } catch (SQLException e) {
            return CANNOT_CONNECT_NOW.equals(e.getSQLState()) ? null : e.getSQLState() + ": " + e.getMessage();
        }
    }

    /** Null when no process of PostgreSQL runs in the cell's container. */
    final @Nullable String postgresOf(String cell) {
        ExecResult found = cells.execute(cell, "pgrep", "-x", "postgres");
        return found.getExitCode() == 1 ? null : "its processes: " + found.getStdout() + found.getStderr();
    }

    /** PreVote: no standby called for a ballot since this test began. */
    final void assertNoBallotWasOpened() {
        List<HistoryEvent> ballots = cells.api().history(HISTORY).stream()
                .filter(event -> event.rule() == OPEN_A_BALLOT)
                .filter(event -> Instant.parse(event.time()).isAfter(start))
                .toList();
        assertThat(ballots).as("ballots").isEmpty();
    }

    final void assertNothingLost(Writer writer) {
        said("nothing lost of " + cells.assertNothingLost(writer) + " acknowledged rows");
    }
}
