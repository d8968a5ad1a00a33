package org.cellkeeper.cell.torture;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/** A short run of scripts/torture. */
final class TortureIT {
    private static final Duration TIME = Duration.ofSeconds(70);
    private static final long SEED = 2;

    @Test
    void whatTheAdapterSaysOfServersThatAreTormentedIsWhatLiesOnTheirDisks() {
        ByteArrayOutputStream said = new ByteArrayOutputStream();
        Path folder = Path.of(System.getProperty("cellkeeper.build.directory", "target"), "torture");
        try (PrintStream out = new PrintStream(said, true, StandardCharsets.UTF_8);
                Torture torture = new Torture(SEED, TIME, 3, folder, out)) {
            Torture.Outcome outcome = torture.run();
            assertThat(outcome.of("ends of running servers held against the disk"))
                    .isPositive();
            assertThat(outcome.of("ends at rest held against the disk")).isPositive();
            assertThat(outcome.of("detachments held against the disk")).isPositive();
            assertThat(outcome.of("promotions")).isPositive();
            assertThat(outcome.of("rounds of the writers")).isPositive();
        } catch (Mismatch mismatch) {
            throw new AssertionError(mismatch.getMessage() + "\n" + said.toString(StandardCharsets.UTF_8), mismatch);
        }
    }
}
