package org.cellkeeper.cell.sim;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** {@code scripts/simulate} names the libraries that the simulator needs by itself. */
final class SimulateScriptTest {
    @Test
    void it_finds_all_that_the_stories_of_mutations_need() throws Exception {
        Process script = new ProcessBuilder("scripts/simulate", "--no-build", "--mutation", "ALL")
                .directory(Path.of("..").toRealPath().toFile())
                .redirectErrorStream(true)
                .start();
        try (BufferedReader said =
                new BufferedReader(new InputStreamReader(script.getInputStream(), StandardCharsets.UTF_8))) {
            // All of them take a quarter of an hour.
            assertThat(said.readLine()).contains("; by chance: ");
        } finally {
            script.destroyForcibly().waitFor();
        }
    }
}
