package org.cellkeeper.cell.real;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Each file that cells and their PostgreSQL are configured by goes bad in every way, under a writer, and the agents that read it are
 * killed then: no gap, no failover; it is told until it is mended, and nobody need restart anything. One way for each file by
 * default; all with {@code -Dcellkeeper.bad.ways=99}, which takes a quarter of an hour.
 */
@Tag("cells")
@ExtendWith(Labs.class)
final class BadInTenWaysIT {
    private static final Duration TOLD = Duration.ofSeconds(5);
    private static final Duration BACK = Duration.ofSeconds(60);
    private static final int WAYS = Integer.getInteger("cellkeeper.bad.ways", 1);

    /** What becomes of a file that was good. */
    private enum Way {
        EMPTY,
        REMOVED,
        BLANKS,
        FOLDER,
        LINK_TO_NOTHING,
        LINK_TO_ITSELF,
        PIPE,
        ENDLESS,
        TOO_LONG,
        NO_TEXT,
        CUT_OFF,
        UNKNOWN_LINE;

        void doneTo(Path file, byte[] good) throws Exception {
            clear(file);
            switch (this) {
                case EMPTY -> Files.write(file, new byte[0]);
                case REMOVED -> {}
                case BLANKS -> Files.writeString(file, " \n\t\n \n");
                case FOLDER -> Files.createDirectory(file);
                case LINK_TO_NOTHING -> Files.createSymbolicLink(file, Path.of("/nowhere/at/all"));
                case LINK_TO_ITSELF -> Files.createSymbolicLink(file, file);
                case PIPE -> run("mkfifo", "--mode=666", file.toString());
                case ENDLESS -> Files.createSymbolicLink(file, Path.of("/dev/zero"));
                case TOO_LONG -> {
                    byte[] much = new byte[40 << 20];
                    Arrays.fill(much, (byte) 'x');
                    Files.write(file, much);
                }
                case NO_TEXT -> Files.write(file, new byte[] {(byte) 0xff, 0, (byte) 0xc3, 10, 7, 0, '[', '{'});
                case CUT_OFF -> Files.write(file, Arrays.copyOf(good, good.length / 2));
                case UNKNOWN_LINE ->
                    Files.writeString(file, new String(good, StandardCharsets.UTF_8) + "nonsense: [1\n");
            }
        }
    }

    private final RealCells cells;

    BadInTenWaysIT(RealCells cells) {
        this.cells = cells;
    }

    private static void run(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).inheritIO().start();
        assertThat(process.waitFor(10, TimeUnit.SECONDS)).isTrue();
        assertThat(process.exitValue()).isZero();
    }

    private static void clear(Path file) throws IOException {
        Files.deleteIfExists(file);
    }

    /** As an editor does it: the old one is there until the new one is whole. */
    private static void mend(Path file, byte[] good) throws IOException {
        if (Files.isDirectory(file)) {
            Files.delete(file);
        }
        Path next = file.resolveSibling(file.getFileName() + ".next");
        Files.write(next, good);
        Files.move(
                next,
                file,
                java.nio.file.StandardCopyOption.REPLACE_EXISTING,
                java.nio.file.StandardCopyOption.ATOMIC_MOVE);
    }

    private String warnings() {
        return String.join("\n", cells.nodes().warnings());
    }

    private void awaitTold(List<String> of, String what) {
        Patience.await(of + " say that " + what, TOLD, () -> {
            String told = warnings();
            return of.stream().allMatch(cell -> told.lines().anyMatch(line -> line.startsWith(cell + ": ")))
                    ? null
                    : cells.summary();
        });
    }

    private interface Trial {
        void of(Way way) throws Exception;
    }

    /** Every way in its turn, beginning with another one for each file. */
    private void each(String file, Set<Way> ways, Trial trial) throws Exception {
        cells.restore(true);
        String primary = cells.primary();
        long epoch = cells.epoch();
        Map<String, String> starts = new HashMap<>();
        cells.cells().forEach(cell -> starts.put(cell, cells.postgresStart(cell)));
        List<Way> all = new ArrayList<>(ways);
        int first = Math.floorMod(file.hashCode(), all.size());
        try (Writer writer = cells.writer()) {
            for (int i = 0; i < Math.min(WAYS, all.size()); i++) {
                Way way = all.get((first + i) % all.size());
                long begun = System.nanoTime();
                trial.of(way);
                System.out.printf(
                        "  %s %s: longest gap %d ms%n",
                        file, way, writer.longestGapSince(begun).toMillis());
                assertThat(writer.longestGapSince(begun)).as(file + " " + way).isLessThan(Duration.ofSeconds(1));
                assertThat(cells.primary()).as(file + " " + way).isEqualTo(primary);
                assertThat(cells.epoch()).as(file + " " + way).isEqualTo(epoch);
            }
            cells.cells().forEach(cell -> assertThat(cells.postgresStart(cell)).isEqualTo(starts.get(cell)));
            cells.assertNothingLost(writer);
        }
    }

    /** A file of the configuration, which these cells read. */
    private void configurationGoesBad(Path file, Set<Way> ways, List<String> readers) throws Exception {
        byte[] good = Files.readAllBytes(file);
        try {
            each(String.valueOf(file.getFileName()), ways, way -> {
                String what = file.getFileName() + " is bad: " + way;
                way.doneTo(file, good);
                awaitTold(readers, what);
                cells.killAgents(readers, BACK);
                awaitTold(readers, what);
                cells.awaitHealth("HEALTHY", Duration.ofSeconds(1));
                mend(file, good);
                Patience.await(
                        "no warning is left after " + way,
                        BACK,
                        () -> warnings().isEmpty() ? null : cells.summary());
            });
        } finally {
            mend(file, good);
        }
    }

    /** One of the files that the cell writes for PostgreSQL: it writes it again. */
    private void postgresFileGoesBad(String name) throws Exception {
        String primary = cells.primary();
        Path file =
                cells.folder().resolve(primary).resolve("data/postgres/data").resolve(name);
        byte[] good = Files.readAllBytes(file);
        each(name, EnumSet.complementOf(EnumSet.of(Way.FOLDER)), way -> {
            try {
                way.doneTo(file, good);
                cells.killAgents(List.of(primary), BACK);
                Patience.await(
                        name + " is as it was after " + way,
                        TOLD,
                        () -> isGood(file, good) ? null : "it is not; " + warnings());
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
    }

    private static boolean isGood(Path file, byte[] good) {
        try {
            return Files.isRegularFile(file, java.nio.file.LinkOption.NOFOLLOW_LINKS)
                    && Arrays.equals(Files.readAllBytes(file), good);
        } catch (IOException notYet) {
            return false;
        }
    }

    @Test
    void theFileOfThePrimary() throws Exception {
        String primary = cells.primary();
        configurationGoesBad(
                cells.folder().resolve(primary).resolve("cell.yaml"), EnumSet.allOf(Way.class), List.of(primary));
    }

    @Test
    void theFileOfAStandby() throws Exception {
        String standby = cells.standbys().getFirst();
        configurationGoesBad(
                cells.folder().resolve(standby).resolve("cell.yaml"), EnumSet.allOf(Way.class), List.of(standby));
    }

    /** Any text may be a secret. */
    private static final Set<Way> OF_A_SECRET =
            EnumSet.complementOf(EnumSet.of(Way.CUT_OFF, Way.UNKNOWN_LINE, Way.NO_TEXT));

    @Test
    void theSecretOfTheCluster() throws Exception {
        configurationGoesBad(cells.folder().resolve("cluster.secret"), OF_A_SECRET, cells.cells());
    }

    @Test
    void thePasswordOfTheApi() throws Exception {
        configurationGoesBad(cells.folder().resolve("root.password"), OF_A_SECRET, cells.cells());
    }

    @Test
    void thePasswordOfTheApplication() throws Exception {
        configurationGoesBad(cells.folder().resolve("vcloud.password"), OF_A_SECRET, cells.cells());
    }

    @Test
    void theSettingsOfPostgres() throws Exception {
        postgresFileGoesBad("cellkeeper.conf");
    }

    @Test
    void theRulesWhoMayComeIn() throws Exception {
        postgresFileGoesBad("pg_hba.conf");
    }

    @Test
    void theNamesOfWhoComesIn() throws Exception {
        postgresFileGoesBad("pg_ident.conf");
    }

    @Test
    void theFileThatPostgresReadsFirst() throws Exception {
        postgresFileGoesBad("postgresql.conf");
    }
}
