package org.cellkeeper.cell.real;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.cellkeeper.cell.real.RealCells.Part;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.extension.ExtendWith;

/** Files that agents cannot use any more, and agents that are killed then: nobody may notice but who reads the status. */
@Tag("cells")
@ExtendWith(Labs.class)
final class BadFilesIT {
    private static final Duration TOLD = Duration.ofSeconds(5);
    /** A new agent under load may take as long as this until it is heard. */
    private static final Duration BACK = Duration.ofSeconds(60);

    private final RealCells cells;
    private final Map<Path, byte[]> before = new HashMap<>();

    BadFilesIT(RealCells cells) {
        this.cells = cells;
    }

    @BeforeEach
    void allCellsTakePart(TestInfo test) throws IOException {
        System.out.println(test.getDisplayName());
        cells.restore(true);
        for (String name : List.of("root.password", "cluster.secret", "vcloud.password")) {
            remember(cells.folder().resolve(name));
        }
        for (String cell : cells.cells()) {
            remember(yaml(cell));
        }
    }

    private void remember(Path file) throws IOException {
        before.put(file, Files.readAllBytes(file));
    }

    @AfterEach
    void mend() {
        before.forEach((file, content) -> {
            try {
                Files.write(file, content);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
    }

    private Path yaml(String cell) {
        return cells.folder().resolve(cell).resolve("cell.yaml");
    }

    private void edit(String cell, UnaryOperator<String> how) {
        try {
            String text = Files.readString(yaml(cell));
            String edited = how.apply(text);
            assertThat(edited).isNotEqualTo(text);
            Files.writeString(yaml(cell), edited);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String withSetting(String yaml, String setting) {
        return yaml.replace("    shared_buffers:", "    " + setting + "\n    shared_buffers:");
    }

    private String warnings() {
        return String.join("\n", cells.nodes().warnings());
    }

    /** What each of the cells tells. */
    private void awaitTold(List<String> of, String words) {
        Duration took = Patience.await(of + " are said to have " + words, TOLD, () -> {
            String told = warnings();
            return of.stream()
                            .allMatch(cell ->
                                    told.lines().anyMatch(line -> line.startsWith(cell + ": ") && line.contains(words)))
                    ? null
                    : cells.summary();
        });
        System.out.println("  told after " + took.toMillis() + " ms: " + words);
    }

    private void awaitNothingTold() {
        Patience.await("no warning is left", BACK, () -> warnings().isEmpty() ? null : cells.summary());
    }

    /** Nobody notices that these cells' agents are killed, who then find this. */
    private void killAgents(List<String> of, String words) {
        String primary = cells.primary();
        long epoch = cells.epoch();
        Map<String, String> starts = new HashMap<>();
        cells.cells().forEach(cell -> starts.put(cell, cells.postgresStart(cell)));
        try (Writer writer = cells.writer()) {
            awaitTold(of, words);
            cells.killAgents(of, BACK);
            awaitTold(of, words);
            // Longer than the guard leaves a primary without an agent.
            Patience.pass(Duration.ofSeconds(11));
            awaitTold(of, words);
            cells.awaitHealth("HEALTHY", Duration.ofSeconds(1));
            assertThat(cells.primary()).isEqualTo(primary);
            assertThat(cells.epoch()).isEqualTo(epoch);
            cells.cells().forEach(cell -> assertThat(cells.postgresStart(cell)).isEqualTo(starts.get(cell)));
            System.out.println("  longest gap " + writer.longestGap().toMillis() + " ms");
            assertThat(writer.longestGap()).isLessThan(Duration.ofSeconds(1));
            cells.assertNothingLost(writer);
        }
        mend();
        awaitNothingTold();
    }

    @Test
    void aSettingThatPostgresRefusesCostsThePrimaryNothing() {
        String primary = cells.primary();
        edit(primary, text -> withSetting(text, "work_mem: banana"));
        killAgents(List.of(primary), "work_mem = 'banana'");
    }

    @Test
    void theSameInTheFilesOfAllCellsCostsNothing() {
        cells.cells().forEach(cell -> edit(cell, text -> withSetting(text, "shared_preload_libraries: not_there")));
        killAgents(cells.cells(), "shared_preload_libraries = 'not_there'");
    }

    @Test
    void aFileThatIsNoYamlAnyMoreCostsNothing() {
        String primary = cells.primary();
        edit(primary, text -> text.substring(0, text.indexOf("failover:")) + "failover: [");
        killAgents(List.of(primary), "cannot be read as YAML");
    }

    @Test
    void anEmptiedSecretOfTheClusterCostsNothing() throws IOException {
        Files.writeString(cells.folder().resolve("cluster.secret"), "");
        killAgents(cells.cells(), "cluster.secret-file: ");
    }

    @Test
    void aWholeCellIsStartedWithWhatItKept() {
        String standby = cells.standbys().getFirst();
        edit(standby, text -> text + "nonsense: 1\n");
        cells.kill(standby);
        cells.start(standby);
        cells.awaitState(standby, "STREAMING", Duration.ofSeconds(30));
        awaitTold(List.of(standby), "nonsense: is unknown");
        edit(standby, text -> text.replace("nonsense: 1\n", "priority: 90\n"));
        awaitNothingTold();
        cells.kill(standby, Part.AGENT);
        Path kept = cells.folder().resolve(standby).resolve("data/config/last-good.json");
        Patience.await("the mended file is taken", BACK, () -> {
            try {
                return Files.readString(kept).contains("priority") ? null : "it is not";
            } catch (IOException e) {
                return e.toString();
            }
        });
        mend();
        cells.stop(standby);
        cells.start(standby);
    }
}
