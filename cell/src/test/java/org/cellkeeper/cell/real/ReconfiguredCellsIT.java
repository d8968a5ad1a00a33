package org.cellkeeper.cell.real;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.cellkeeper.cell.real.RealCells.Part;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.extension.ExtendWith;

/** Three whole cells, whose files an operator changes while they run; then the agents are ended. */
@Tag("cells")
@ExtendWith(Labs.class)
final class ReconfiguredCellsIT {
    private static final Duration SOON = Duration.ofSeconds(60);

    private final RealCells cells;

    ReconfiguredCellsIT(RealCells cells) {
        this.cells = cells;
    }

    @BeforeEach
    void allCellsTakePart(TestInfo test) {
        System.out.println(test.getDisplayName());
        cells.restore(true);
    }

    private Path file(String cell) {
        return cells.folder().resolve(cell).resolve("cell.yaml");
    }

    private void awaitDetails(String cell, String words, boolean there) {
        Patience.await(
                cell + (there ? " says " : " says no more ") + words,
                SOON,
                () -> cells.node(cell).details().contains(words) == there ? null : cells.summary());
    }

    private void reconfigure(String cell, String content) throws IOException {
        Files.writeString(file(cell), content);
        cells.kill(cell, Part.AGENT);
    }

    @Test
    void aStandbyThatGetsPriorityZeroIsPassedOverInTheNextElection() throws IOException {
        String primary = cells.primary();
        String first = cells.standbys().getFirst();
        String second = cells.standbys().getLast();
        String before = Files.readString(file(first));
        try (Writer writer = cells.writer()) {
            reconfigure(first, before + "\npriority: 0\n");
            Patience.await("the cluster knows", SOON, () -> cells.node(first).priority() == 0 ? null : cells.summary());
            cells.awaitHealth("HEALTHY", SOON);
            cells.kill(primary);
            writer.awaitRow(SOON);
            assertThat(cells.primary()).isEqualTo(second);
            cells.assertNothingLost(writer);
        } finally {
            reconfigure(first, before);
        }
        Patience.await("the cluster knows", SOON, () -> cells.node(first).priority() == 100 ? null : cells.summary());
    }

    @Test
    void settingsOfARunningPrimaryAreTakenUpOrToldAsPendingWithoutAFailover() throws IOException {
        String primary = cells.primary();
        long epoch = cells.epoch();
        String before = Files.readString(file(primary));
        assertThat(before).contains("\n  settings:\n");
        try (Writer writer = cells.writer()) {
            reconfigure(
                    primary,
                    before.replace("\n  settings:\n", "\n  settings:\n    work_mem: 7MB\n    wal_buffers: 5MB\n"));
            awaitDetails(primary, "pending restart: wal_buffers", true);
            assertThat(cells.nodes().warnings()).anyMatch(warning -> warning.startsWith(primary + ": pending restart"));
            writer.awaitRow(SOON);
            cells.assertNothingLost(writer);
        } finally {
            reconfigure(primary, before);
        }
        awaitDetails(primary, "pending restart", false);
        assertThat(cells.epoch()).isEqualTo(epoch);
        assertThat(cells.primary()).isEqualTo(primary);
    }
}
