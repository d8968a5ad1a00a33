package org.cellkeeper.cell.real;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import org.cellkeeper.api.CellPage;
import org.cellkeeper.api.HistoryEvent;
import org.cellkeeper.api.RegisteredCell;
import org.cellkeeper.api.ServiceInfo;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.extension.ExtendWith;

/** The cell's own app, through what is done to its cells. */
@Tag("cells")
@ExtendWith(Labs.class)
final class OwnAppIT {
    /** A heartbeat comes every 10 s; changes of primary and busy machines put it off. */
    private static final Duration REGISTERED = Duration.ofSeconds(60);
    /** A cell is active for 30 s after its last heartbeat. */
    private static final Duration MISSED = Duration.ofSeconds(60);

    private final RealCells cells;
    private final Requests requests = new Requests();

    OwnAppIT(RealCells cells) {
        this.cells = cells;
    }

    @BeforeEach
    void allCellsTakePart(TestInfo test) {
        System.out.println(test.getDisplayName());
        cells.restore(true);
    }

    @AfterEach
    void hangUp() {
        requests.close();
    }

    private List<String> active(String cell) {
        CellPage page = cells.client().registeredCells(cells.api(cell));
        return page.values().stream()
                .filter(RegisteredCell::isActive)
                .map(RegisteredCell::name)
                .toList();
    }

    private void awaitActive(String at, List<String> expected, Duration within) {
        Duration took = Patience.await(expected + " are active, says " + at, within, () -> {
            List<String> told = active(at);
            return told.equals(expected) ? null : told.toString();
        });
        System.out.println("  " + at + " says that " + expected + " are active, after " + took.toMillis() + " ms");
    }

    private int serverStatus(String cell) {
        try {
            return requests.send("GET", cells.api(cell).resolve("/cloud/server_status"), null)
                    .status();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void cellsAreRegisteredAndTheAppsOfTheOthersGoOnWhenThePrimaryIsKilled() {
        for (String cell : cells.cells()) {
            awaitActive(cell, cells.cells(), REGISTERED);
            assertThat(serverStatus(cell)).isEqualTo(200);
            assertThat(cells.client().services(cells.api(cell))).contains(new ServiceInfo("vcd", "running"));
        }
        CellPage page = cells.client().registeredCells(cells.api("cell-2"));
        assertThat(page.values())
                .extracting(RegisteredCell::primaryIP)
                .containsExactlyElementsOf(
                        cells.cells().stream().map(cells::host).toList());
        assertThat(page.values()).extracting(RegisteredCell::id).doesNotHaveDuplicates();

        String old = cells.primary();
        List<String> others = cells.standbys();
        List<Long> agents = others.stream().map(cells::agent).toList();
        cells.kill(old);
        cells.awaitOtherPrimary(old, Duration.ofSeconds(15));
        for (String cell : others) {
            Duration took = Patience.await(
                    "the app of " + cell + " reaches the new primary",
                    Duration.ofSeconds(10),
                    () -> serverStatus(cell) == 200 ? null : "it does not");
            System.out.println("  " + cell + " serves again after " + took.toMillis() + " ms");
        }
        for (String cell : others) {
            awaitActive(cell, others, MISSED);
        }
        // Long enough for heartbeats of before to have grown old: these are of now.
        Patience.holds("the others are active", Duration.ofSeconds(35), () -> {
            List<String> told = active(others.getFirst());
            return told.equals(others) ? null : told.toString();
        });
        assertThat(others.stream().map(cells::agent).toList()).isEqualTo(agents);
    }

    @Test
    void withNoPrimaryTheServerStatusSaysSoAndTheRegistryIsStillRead() {
        cells.restore(false);
        for (String cell : cells.cells()) {
            awaitActive(cell, cells.cells(), REGISTERED);
        }
        String old = cells.primary();
        String other = cells.standbys().getFirst();
        cells.kill(old);
        Duration took = Patience.await(
                other + " serves no more",
                Duration.ofSeconds(6),
                () -> serverStatus(other) == 503 ? null : "it says that it does");
        System.out.println("  503 after " + took.toMillis() + " ms");
        assertThat(cells.client().services(cells.api(other))).contains(new ServiceInfo("vcd", "dead"));
        assertThat(cells.client().registeredCells(cells.api(other)).values()).hasSize(3);
        cells.start(old);
        Duration back = Patience.await(
                other + " serves again",
                Duration.ofSeconds(30),
                () -> serverStatus(other) == 200 ? null : "it does not");
        System.out.println("  200 again after " + back.toMillis() + " ms");
    }

    @Test
    void theHistoryIsReadFromTheArchiveWhileZooKeeperHasNoQuorum() {
        cells.succeeds(cells.client().setMode(false), Duration.ofSeconds(20));
        cells.succeeds(cells.client().setMode(true), Duration.ofSeconds(20));
        cells.awaitHealth("HEALTHY", Duration.ofSeconds(30));
        // What the last change leads to is told within this time; then nothing happens until the peers are killed.
        Patience.pass(Duration.ofSeconds(5));
        List<HistoryEvent> told = cells.client().history(5);
        Patience.await("it is archived", Duration.ofSeconds(60), () -> {
            List<HistoryEvent> archived =
                    cells.client().history(Instant.now().plusSeconds(60).toString(), 5);
            return archived.equals(told) ? null : archived.toString();
        });
        String primary = cells.primary();
        String other = cells.standbys().getFirst();
        cells.kill(primary, RealCells.Part.ZOOKEEPER);
        cells.kill(other, RealCells.Part.ZOOKEEPER);
        Patience.await(
                "ZooKeeper is away",
                Duration.ofSeconds(15),
                () -> cells.nodes().localClusterFailover().equals("INDETERMINATE") ? null : "not yet");
        for (String cell : cells.cells()) {
            List<HistoryEvent> archived = history(cell, "?limit=5");
            assertThat(archived).as(cell).isEqualTo(told);
            assertThat(history(cell, "?limit=2&before=" + told.get(1).time()))
                    .as(cell)
                    .isEqualTo(told.subList(2, 4));
        }
        cells.start(primary);
        cells.start(other);
        cells.awaitHealth("HEALTHY", Duration.ofSeconds(30));
    }

    private List<HistoryEvent> history(String cell, String query) {
        try {
            Requests.Answer answer = requests.send(
                    "GET",
                    cells.api(cell).resolve("/api/1.0.0/history" + query),
                    Requests.basic("root", cells.secret("root.password")));
            assertThat(answer.status()).as(answer.body()).isEqualTo(200);
            return List.of(new ObjectMapper().readValue(answer.body(), HistoryEvent[].class));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void aCellThatWasRemovedIsForgottenAndOneThatComesBackIsRegisteredAnew() {
        awaitActive("cell-1", cells.cells(), REGISTERED);
        String gone = cells.standbys().getLast();
        String before = id(gone);
        cells.succeeds(cells.client().remove(gone, true), Duration.ofSeconds(60));
        Patience.await(gone + " is forgotten", REGISTERED, () -> {
            List<String> names = cells.client().registeredCells().stream()
                    .map(RegisteredCell::name)
                    .toList();
            return names.contains(gone) ? names.toString() : null;
        });
        cells.succeeds(cells.client().deploy(gone), Duration.ofSeconds(60));
        awaitActive("cell-1", cells.cells(), REGISTERED);
        assertThat(id(gone)).isNotEqualTo(before);
    }

    private String id(String name) {
        return cells.client().registeredCells().stream()
                .filter(cell -> cell.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new AssertionError(name + " is not registered"))
                .id();
    }
}
