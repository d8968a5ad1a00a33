package org.cellkeeper.cell.real;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.cellkeeper.cell.real.RealCells.Part;
import org.cellkeeper.cell.trust.Credentials;
import org.cellkeeper.cell.trust.Encryption;
import org.cellkeeper.cell.trust.Identity;
import org.cellkeeper.cell.zookeeper.ZooKeeperServerSettings;
import org.cellkeeper.cell.zookeeper.ZooKeeperServerStatus;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.extension.ExtendWith;

/** Three whole cells, one of whose ZooKeeper servers is of no use: that is told, and mended where it can be. */
@Tag("cells")
@ExtendWith(Labs.class)
final class ZooKeeperServersIT {
    private static final Duration SOON = Duration.ofSeconds(60);

    private final RealCells cells;

    ZooKeeperServersIT(RealCells cells) {
        this.cells = cells;
    }

    @BeforeEach
    void allCellsTakePart(TestInfo test) {
        System.out.println(test.getDisplayName());
        cells.restore(true);
    }

    private Path folder(String cell) {
        return cells.folder().resolve(cell).resolve("data/zookeeper");
    }

    private void signalServer(String cell, String signal) throws IOException, InterruptedException {
        Path pid = cells.folder().resolve(cell).resolve("data/run/zookeeper.pid");
        String number = Files.readString(pid).split(" ", -1)[0];
        int code = new ProcessBuilder("kill", "-" + signal, number)
                .inheritIO()
                .start()
                .waitFor();
        assertThat(code).isZero();
    }

    private void awaitToldOf(String cell) {
        Patience.await("it is told", SOON, () -> {
            var now = cells.nodes();
            boolean told = now.localClusterHealth().equals("DEGRADED")
                    && now.canSurvive() == 0
                    && now.zookeeperServing() == 2
                    && now.warnings().stream()
                            .anyMatch(warning -> warning.startsWith("2 of the 3 ZooKeeper servers serve")
                                    && warning.contains("(" + cell + ", "));
            return told ? null : cells.summary();
        });
    }

    /** What goes on by itself for ever takes processors and disks from all cells, and nothing tells. */
    @Test
    void cellsThatAreCalmWriteNothing() throws Exception {
        String cell = cells.primary();
        Path tls = cells.folder().resolve(cell).resolve("data/tls");
        String own = Files.readString(tls.resolve("cell.pem"));
        Credentials credentials =
                new Credentials(Encryption.REQUIRED, Identity.of(Files.readString(tls.resolve("ca.pem")), own, own));
        Patience.await("ten seconds pass without a write", SOON, () -> {
            String before = transactions(cell, credentials);
            Patience.pass(Duration.ofSeconds(10));
            String after = transactions(cell, credentials);
            return after.equals(before) ? null : before + ", ten seconds later " + after;
        });
    }

    private String transactions(String cell, Credentials credentials) {
        try {
            return ZooKeeperServerStatus.answer(cells.host(cell), ZooKeeperServerSettings.CLIENT_PORT, credentials)
                    .lines()
                    .filter(line -> line.startsWith("Zxid: "))
                    .findFirst()
                    .orElseThrow();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void aServerThatHangsIsNamedAndCounted() throws Exception {
        String standby = cells.standbys().getFirst();
        assertThat(cells.nodes().canSurvive()).isEqualTo(1);
        assertThat(cells.nodes().zookeeperServers()).isEqualTo(3);
        signalServer(standby, "STOP");
        try {
            awaitToldOf(standby);
        } finally {
            signalServer(standby, "CONT");
        }
        cells.awaitHealth("HEALTHY", SOON);
        assertThat(cells.nodes().canSurvive()).isEqualTo(1);
    }

    @Test
    void aServerThatIsHeldBackIsNamedWithItsCure() {
        String standby = cells.standbys().getFirst();
        cells.kill(standby, Part.ZOOKEEPER);
        awaitToldOf(standby);
        Patience.await(
                "the cure is told",
                SOON,
                () -> cells.node(standby).details().contains("zookeeper.hold to have it started")
                        ? null
                        : cells.summary());
        cells.start(standby);
        cells.awaitHealth("HEALTHY", SOON);
    }

    /** As a loss of power leaves them. */
    @Test
    void aServerWhoseFilesAreEmptyTakesThoseOfTheOthers() throws Exception {
        String standby = cells.standbys().getFirst();
        long epoch = cells.epoch();
        try (Writer writer = cells.writer()) {
            cells.kill(standby, Part.ZOOKEEPER);
            awaitToldOf(standby);
            try (Stream<Path> files = Files.list(folder(standby).resolve("data/version-2"))) {
                for (Path file : files.toList()) {
                    Files.write(file, new byte[0]);
                }
            }
            cells.start(standby);
            cells.awaitHealth("HEALTHY", SOON);
            assertThat(folder(standby).resolve("unusable-data")).isDirectory();
            assertThat(folder(standby).resolve("unusable")).doesNotExist();
            cells.assertNothingLost(writer);
        }
        assertThat(cells.epoch()).isEqualTo(epoch);
    }

    /** They may be all that is left: none is put aside, and each says what is the matter. */
    @Test
    void withoutAMajorityNoFilesAreTouched() throws Exception {
        List<String> standbys = cells.standbys();
        String primary = cells.primary();
        Path[] kept = new Path[2];
        for (int i = 0; i < 2; i++) {
            cells.kill(standbys.get(i), Part.ZOOKEEPER);
            kept[i] = folder(standbys.get(i)).resolve("data/version-2/currentEpoch");
        }
        byte[] good = Files.readAllBytes(kept[0]);
        for (Path file : kept) {
            Files.write(file, new byte[0]);
        }
        standbys.forEach(cells::start);
        for (String standby : standbys) {
            Patience.await(
                    "it says why",
                    SOON,
                    () -> cells.node(standby).details().contains("cannot use its files") ? null : cells.summary());
            assertThat(folder(standby).resolve("data/version-2/currentEpoch")).exists();
        }
        assertThat(cells.nodes().localClusterHealth()).isEqualTo("DEGRADED");
        assertThat(cells.primaries()).containsExactly(primary);
        // An operator mends one; the other follows by itself.
        Files.write(kept[0], good);
        cells.awaitHealth("HEALTHY", SOON);
        assertThat(folder(standbys.get(1)).resolve("unusable-data")).isDirectory();
    }
}
