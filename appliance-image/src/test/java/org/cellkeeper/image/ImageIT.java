package org.cellkeeper.image;

import static org.assertj.core.api.Assertions.assertThat;

import com.github.dockerjava.api.command.InspectContainerResponse;
import java.util.List;
import java.util.Map;
import org.cellkeeper.testing.CellCluster;
import org.cellkeeper.testing.CellCluster.Mode;
import org.cellkeeper.testing.Patience;
import org.cellkeeper.testing.Writer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What the image itself promises of a container, whatever role its cell has. */
@Tag("cells")
final class ImageIT extends Scenario {
    private static final String LABELS = "org.opencontainers.image.";

    ImageIT(CellCluster cells) {
        super(cells, Mode.AUTOMATIC);
    }

    @Test
    void everyProcessRunsAsPostgresAndWithoutAnyCapability() {
        for (String cell : cells.cells()) {
            assertThat(lines(cell, "ps -e -o user=").stream().distinct()).containsExactly("postgres");
            assertThat(lines(cell, "cat /proc/[0-9]*/status | grep ^CapEff | sort -u"))
                    .containsExactly("CapEff:\t0000000000000000");
        }
    }

    @Test
    void noSecretIsInTheEnvironmentOrOnACommandLineOrInTheLog() {
        Map<String, String> secrets =
                Map.of("root", cells.rootPassword(), "vcloud", cells.password(), "cluster", cells.clusterSecret());
        for (String cell : cells.cells()) {
            String container = cells.inspect(cell).toString();
            String processes =
                    String.join("\n", lines(cell, "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline | tr '\\0' '\\n'"));
            String log = cells.log(cell);
            assertThat(processes).contains("CELL_NAME=" + cell);
            assertThat(log).contains("its API is");
            secrets.forEach((name, secret) -> {
                assertThat(secret).hasSizeGreaterThan(8);
                assertThat(container).as("what Docker knows: " + name).doesNotContain(secret);
                assertThat(processes).as("what /proc shows: " + name).doesNotContain(secret);
                assertThat(log).as("the log: " + name).doesNotContain(secret);
            });
        }
    }

    @Test
    void whatDockerIsToldOfIt() {
        for (String cell : cells.cells()) {
            InspectContainerResponse container = cells.inspect(cell);
            Patience.await("Docker calls " + cell + " healthy", SOON, () -> {
                String health = cells.inspect(cell).getState().getHealth().getStatus();
                return "healthy".equals(health) ? null : health;
            });
            assertThat(container.getConfig().getUser()).isEqualTo("postgres");
            assertThat(container.getConfig().getVolumes()).containsOnlyKeys("/var/lib/cell", "/transfer");
            assertThat(container.getConfig().getLabels())
                    .containsEntry(LABELS + "title", "Cellkeeper")
                    .containsKeys(LABELS + "version", LABELS + "revision", LABELS + "description");
        }
    }

    @Test
    void whatAKilledAgentAndAKilledPostmasterLeaveIsReaped() {
        String standby = cells.standbys().getFirst();
        long epoch = cells.nodes().epoch();
        try (Writer writer = cells.writer()) {
            lines(standby, "kill -KILL $(head -n 1 /var/lib/cell/postgres/data/postmaster.pid)");
            lines(standby, "kill -KILL $(cut -d ' ' -f 1 /var/lib/cell/run/agent.pid)");
            Patience.await("nothing is left that has ended", SOON, () -> {
                List<String> dead = lines(standby, "ps -e -o stat=,pid=,comm= | grep ^Z || true");
                return dead.isEmpty() ? null : dead.toString();
            });
            cells.awaitHealth("HEALTHY", SOON);
            assertThat(cells.nodes().epoch()).isEqualTo(epoch);
            assertNothingLost(writer);
            cells.awaitRowsOn(standby, writer);
        }
    }

    private List<String> lines(String cell, String script) {
        var said = cells.execute(cell, "sh", "-c", script);
        assertThat(said.getExitCode()).as(script + ": " + said.getStderr()).isZero();
        return said.getStdout().lines().map(String::strip).toList();
    }
}
