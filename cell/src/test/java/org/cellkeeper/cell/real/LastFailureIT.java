package org.cellkeeper.cell.real;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.extension.ExtendWith;

/** Three whole cells, one of which tries in vain: the status says what, and why. */
@Tag("cells")
@ExtendWith(Labs.class)
final class LastFailureIT {
    private static final Duration SOON = Duration.ofSeconds(60);

    private final RealCells cells;

    LastFailureIT(RealCells cells) {
        this.cells = cells;
    }

    @BeforeEach
    void allCellsTakePart(TestInfo test) {
        System.out.println(test.getDisplayName());
        cells.restore(true);
    }

    private void asSuperuser(String cell, String sql) throws IOException, InterruptedException {
        Path socket = cells.folder().resolve(cell).resolve("data/postgres/run");
        Process psql = new ProcessBuilder("psql", "-X", "-q", "-h", socket.toString(), "-U", "cellkeeper", "postgres")
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.INHERIT)
                .start();
        psql.getOutputStream().write((sql + ";\n").getBytes(java.nio.charset.StandardCharsets.UTF_8));
        psql.getOutputStream().close();
        assertThat(psql.waitFor(20, TimeUnit.SECONDS)).isTrue();
        assertThat(psql.exitValue()).isZero();
    }

    @Test
    void aCloneThatCannotBeMadeSaysWhyHowOftenAndSinceWhen() throws Exception {
        String primary = cells.primary();
        String standby = cells.standbys().getFirst();
        cells.kill(standby);
        cells.wipe(standby);
        // All cells are on this machine: the clone's place is the primary's own.
        Path elsewhere = Files.createDirectories(cells.folder().resolve("elsewhere"));
        Path owned = cells.folder().resolve(primary).resolve("data/postgres/data");
        Files.setOwner(elsewhere, Files.getOwner(owned));
        asSuperuser(primary, "CREATE TABLESPACE elsewhere LOCATION '" + elsewhere + "'");
        try {
            cells.start(standby);
            Patience.await("the reason is told", SOON, () -> {
                String details = cells.node(standby).details();
                boolean told =
                        details.contains(" times since ") && details.contains("elsewhere\" exists but is not empty");
                return told ? null : cells.summary();
            });
            assertThat(cells.nodes().warnings())
                    .anyMatch(warning -> warning.startsWith(standby) && warning.contains("is not empty"));
        } finally {
            asSuperuser(primary, "DROP TABLESPACE elsewhere");
        }
        cells.awaitHealth("HEALTHY", SOON);
        Patience.await(
                "nothing is left of it",
                SOON,
                () -> cells.node(standby).details().contains("times since") ? cells.summary() : null);
    }
}
