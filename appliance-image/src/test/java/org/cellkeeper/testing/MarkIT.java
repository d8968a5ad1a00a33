package org.cellkeeper.testing;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.testcontainers.DockerClientFactory;

/** Two jobs on one Docker engine, which see nothing of each other's processes. */
final class MarkIT {
    private final String id = "cellkeeper-mark-" + ProcessHandle.current().pid() + "-" + System.nanoTime();
    private Process other;

    /** The other job: it marks a volume, and lives on. */
    static final class Maker {
        private Maker() {}

        public static void main(String[] args) throws InterruptedException {
            Mark mark = new Mark(args[0]);
            mark.keep(System.getProperty("cellkeeper.image", "cellkeeper/cell"));
            DockerClientFactory.lazyClient()
                    .createVolumeCmd()
                    .withName(args[0])
                    .withLabels(mark.labels())
                    .exec();
            System.out.println("made");
            new CountDownLatch(1).await();
        }
    }

    @BeforeEach
    void startTheOther() throws IOException {
        List<String> command = new ArrayList<>();
        if ("root".equals(System.getProperty("user.name"))) {
            command.addAll(List.of("unshare", "--pid", "--fork", "--kill-child", "--mount-proc"));
        }
        command.addAll(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                "-Dcellkeeper.image=" + System.getProperty("cellkeeper.image", "cellkeeper/cell"),
                Maker.class.getName(),
                id));
        other = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        BufferedReader says = new BufferedReader(new InputStreamReader(other.getInputStream(), StandardCharsets.UTF_8));
        String line = says.readLine();
        while (line != null && !line.equals("made")) {
            line = says.readLine();
        }
        assertThat(line).isEqualTo("made");
    }

    @AfterEach
    void endTheOther() throws InterruptedException {
        kill();
        new Mark(id).close();
        assertThat(isThere()).isFalse();
    }

    private void kill() throws InterruptedException {
        other.descendants().forEach(ProcessHandle::destroyForcibly);
        other.destroyForcibly();
        assertThat(other.waitFor(20, TimeUnit.SECONDS)).isTrue();
    }

    private boolean isThere() {
        return DockerClientFactory.lazyClient().listVolumesCmd().exec().getVolumes().stream()
                .anyMatch(volume -> id.equals(volume.getName()));
    }

    @Test
    void whatALivingJobHasMadeIsLeftAloneAndWhatADeadOneHasMadeIsRemoved() throws Exception {
        Mark.removeLeftovers();
        assertThat(isThere()).isTrue();
        kill();
        Patience.await("its volume is gone", Duration.ofSeconds(30), () -> {
            Mark.removeLeftovers();
            return isThere() ? "it is there" : null;
        });
    }
}
