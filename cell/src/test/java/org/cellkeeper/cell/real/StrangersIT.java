package org.cellkeeper.cell.real;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.cellkeeper.api.ApplianceFailure;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * The primary's cell is lost while 2,000 strangers are, or knock, at every port of every cell: cells find each other, clients come in, and
 * no cell needs much more memory. It takes some minutes, most of which the strangers take to come: {@code -Dcellkeeper.strangers=2000}.
 */
@Tag("cells")
@EnabledIfSystemProperty(named = "cellkeeper.strangers", matches = "\\d+")
@ExtendWith(Labs.class)
final class StrangersIT {
    private static final int COUNT = Integer.getInteger("cellkeeper.strangers", 0);

    private static final Duration ALL_CAME = Duration.ofMinutes(4);
    private static final Duration SOON = Duration.ofSeconds(30);
    private static final Duration FAILOVER = Duration.ofSeconds(10);

    // An agent's heap may grow by that; what it has for each of its places is a few kilobytes.
    private static final long MORE_KILOBYTES = 200_000;

    private static final int FOLLOWERS = 2888;

    private static final Pattern CAME = Pattern.compile("came \\{(.*)}");
    private static final Pattern AT_A_PORT = Pattern.compile("(\\d+)=(\\d+)");

    private final RealCells cells;

    StrangersIT(RealCells cells) {
        this.cells = cells;
    }

    @BeforeEach
    void allCellsTakePart(TestInfo test) {
        System.out.println(test.getDisplayName());
        cells.restore(true);
    }

    @Test
    void thePrimaryIsLostWhileThousandsAreAtEveryPort() throws Exception {
        cells.awaitHealth("HEALTHY", SOON);
        Map<String, Long> before = new HashMap<>();
        cells.cells().forEach(cell -> before.put(cell, memory(cell)));
        List<Strangers> crowds = new ArrayList<>();
        try (Writer writer = cells.writer()) {
            for (String cell : cells.cells()) {
                crowds.add(new Strangers(cell));
            }
            for (Strangers crowd : crowds) {
                Patience.await(COUNT + " came to each port of " + crowd.cell, ALL_CAME, crowd::missing);
            }
            crowds.forEach(crowd -> System.out.println("  " + crowd.cell + ": " + crowd.last));
            System.out.println(
                    "  longest gap while they came: " + writer.longestGap().toMillis() + " ms");
            cells.awaitHealth("HEALTHY", SOON);
            cells.cells()
                    .forEach(cell -> assertThat(memory(cell))
                            .as("kilobytes of the agent of " + cell)
                            .isLessThan(before.get(cell) + MORE_KILOBYTES));

            String old = cells.primary();
            long killed = System.nanoTime();
            cells.kill(old);
            String next = cells.awaitOtherPrimary(old, FAILOVER);
            writer.awaitRow(FAILOVER);
            Duration gap = writer.longestGapSince(killed);
            System.out.println("  " + old + " killed, " + next + " took over; gap " + gap.toMillis() + " ms");
            assertThat(gap).isLessThan(FAILOVER);

            cells.start(old);
            cells.awaitState(old, "HALTED", SOON);
            cells.succeeds(cells.client().remove(old, false), SOON);
            cells.succeeds(cells.client().deploy(old), Duration.ofSeconds(60));
            cells.awaitHealth("HEALTHY", SOON);
            cells.cells().forEach(cell -> assertThat(comesIn(cell)).isEmpty());
            crowds.forEach(
                    crowd -> assertThat(crowd.process.isAlive()).as(crowd.last).isTrue());
            cells.assertNothingLost(writer);
        } finally {
            crowds.forEach(Strangers::close);
        }
    }

    /** An operator and a client of the database, at this cell. */
    private Optional<String> comesIn(String cell) {
        try (var connection = cells.connectTo(cell)) {
            cells.client().nodes();
            return connection.isValid(5) ? Optional.empty() : Optional.of(cell + " is silent");
        } catch (ApplianceFailure | java.sql.SQLException kept) {
            return Optional.of(cell + ": " + kept);
        }
    }

    private long memory(String cell) {
        try {
            return Files.readAllLines(Path.of("/proc/" + cells.agent(cell) + "/status")).stream()
                    .filter(line -> line.startsWith("VmRSS:"))
                    .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
                    .findFirst()
                    .orElseThrow();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Those at one cell's ports, who come from twenty addresses. */
    private final class Strangers implements AutoCloseable {
        private final String cell;
        private final Process process;
        private volatile String last = "";

        Strangers(String cell) throws IOException {
            this.cell = cell;
            String from = IntStream.range(100, 120)
                    .mapToObj(last -> cells.host(cell).replaceAll("\\d+$", String.valueOf(last)))
                    .collect(Collectors.joining(","));
            String ports = Crowd.PORTS.stream().map(String::valueOf).collect(Collectors.joining(","));
            this.process = new ProcessBuilder(
                            Path.of(System.getProperty("java.home"), "bin", "java")
                                    .toString(),
                            "-XX:TieredStopAtLevel=1",
                            "-cp",
                            System.getProperty("java.class.path"),
                            Crowd.class.getName(),
                            cells.host(cell),
                            String.valueOf(COUNT),
                            from,
                            ports)
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            BufferedReader said = process.inputReader();
            Thread.ofVirtual().start(() -> said.lines().forEach(line -> last = line));
        }

        /** Null when all have come. */
        String missing() {
            Map<Integer, Integer> came = CAME.matcher(last)
                    .results()
                    .flatMap(ports -> AT_A_PORT.matcher(ports.group(1)).results())
                    .collect(Collectors.toMap(port -> number(port, 1), port -> number(port, 2)));
            // Only ZooKeeper's leader has that port open.
            boolean all = Crowd.PORTS.stream()
                    .filter(port -> port != FOLLOWERS || came.getOrDefault(port, 0) > 0)
                    .allMatch(port -> came.getOrDefault(port, 0) >= COUNT);
            return all ? null : last;
        }

        private static int number(MatchResult found, int group) {
            return Integer.parseInt(found.group(group));
        }

        @Override
        public void close() {
            process.destroyForcibly();
        }
    }
}
