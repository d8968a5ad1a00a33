package org.cellkeeper.cell.real;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.cellkeeper.cell.real.RealCells.Part;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.extension.ExtendWith;

/** Three whole cells whose ZooKeeper is about to become another one, by an operator's hand or by a lost disk. */
@Tag("cells")
@ExtendWith(Labs.class)
final class AnotherEnsembleIT {
    private static final Duration SOON = Duration.ofSeconds(60);

    private final RealCells cells;

    AnotherEnsembleIT(RealCells cells) {
        this.cells = cells;
    }

    @BeforeEach
    void allCellsTakePart(TestInfo test) {
        System.out.println(test.getDisplayName());
        cells.restore(true);
    }

    private Path data(String cell) {
        return cells.folder().resolve(cell).resolve("data/zookeeper/data/version-2");
    }

    private static void delete(Path folder) throws IOException {
        try (Stream<Path> all = Files.walk(folder)) {
            for (Path each : all.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(each);
            }
        }
    }

    private static void copy(Path from, Path to) throws IOException {
        if (Files.exists(to)) {
            delete(to);
        }
        Files.createDirectories(to);
        try (Stream<Path> all = Files.list(from)) {
            for (Path each : all.toList()) {
                Files.copy(each, to.resolve(each.getFileName()));
            }
        }
    }

    @Test
    void aCellWithTwoServersMoreGoesOnWithItsOldListAndSaysSo() throws Exception {
        String standby = cells.standbys().getLast();
        long epoch = cells.epoch();
        Path file = cells.folder().resolve(standby).resolve("cell.yaml");
        String good = Files.readString(file);
        String bad = good.replace("\npostgres:\n", "\n    cell-8: 127.0.0.8\n    cell-9: 127.0.0.9\npostgres:\n");
        assertThat(bad).isNotEqualTo(good);
        try (Writer writer = cells.writer()) {
            cells.stop(standby);
            Files.writeString(file, bad);
            cells.start(standby);
            Patience.await("it is said", SOON, () -> {
                String warnings = String.join("; ", cells.nodes().warnings());
                return warnings.contains("One server at a time can be appended")
                                && warnings.contains("4=127.0.0.8, 5=127.0.0.9")
                        ? null
                        : cells.summary();
            });
            cells.awaitState(standby, "STREAMING", SOON);
            writer.awaitRow(SOON);
            Files.writeString(file, good);
            cells.awaitHealth("HEALTHY", SOON);
            cells.assertNothingLost(writer);
        } finally {
            Files.writeString(file, good);
        }
        assertThat(cells.epoch()).isEqualTo(epoch);
    }

    @Test
    void aMajorityThatLostItsZooKeeperDataIsNoNewEnsembleAndTheDataOfTheThirdMendIt() throws Exception {
        String primary = cells.primary();
        List<String> standbys = cells.standbys();
        long epoch = cells.epoch();
        try (Writer writer = cells.writer()) {
            for (String standby : standbys) {
                cells.kill(standby, Part.ZOOKEEPER);
                delete(data(standby));
            }
            standbys.forEach(cells::start);
            Patience.await(
                    "both say that they hold nothing",
                    SOON,
                    () -> standbys.stream()
                                    .allMatch(standby ->
                                            cells.node(standby).details().contains("holds no data"))
                            ? null
                            : cells.summary());
            Patience.holds("nobody leads, and the primary goes on", Duration.ofSeconds(10), () -> {
                boolean calm = cells.nodes().localClusterFailover().equals("INDETERMINATE")
                        && cells.primaries().equals(List.of(primary));
                return calm ? null : cells.summary();
            });
            writer.awaitRow(SOON);

            for (String cell : cells.cells()) {
                cells.kill(cell, Part.ZOOKEEPER);
            }
            for (String standby : standbys) {
                copy(data(primary), data(standby));
            }
            cells.cells().forEach(cells::start);
            Patience.await(
                    "ZooKeeper is believed again",
                    SOON,
                    () -> cells.nodes().localClusterFailover().equals("AUTOMATIC") ? null : cells.summary());
            cells.awaitHealth("HEALTHY", SOON);
            cells.assertNothingLost(writer);
        }
        assertThat(cells.epoch()).isEqualTo(epoch);
        assertThat(cells.primary()).isEqualTo(primary);
    }
}
