package org.cellkeeper.cell.real;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.cellkeeper.api.ApplianceClient;
import org.cellkeeper.api.ApplianceFailure;
import org.cellkeeper.api.Cluster;
import org.cellkeeper.api.TaskInfo;
import org.cellkeeper.api.Trust;
import org.postgresql.replication.LogSequenceNumber;

/** A lab of its own for tests: drives {@code scripts/lab}, and asks the cells. For the test's thread. */
final class RealCells implements AutoCloseable {
    private static final int API_PORT = 5480;
    private static final int POSTGRES_PORT = 5432;
    private static final String UNREACHED = "08001";
    private static final Duration VERB = Duration.ofSeconds(200);

    /** What of a cell is killed alone. */
    enum Part {
        POSTGRES("postgres"),
        AGENT("agent"),
        ZOOKEEPER("zookeeper");

        private final String word;

        Part(String word) {
            this.word = word;
        }
    }

    private final int count;
    private final Path build;
    private final Path folder;
    private final String hostPrefix;
    private final ApplianceClient client;
    private final String password;
    private volatile boolean plaintext;
    /** For a run that is cut off. */
    private final Thread atExit = new Thread(() -> lab("down"), "lab-down");

    /** Brings up a new lab, on 127.0.{@code net}.11 and so on. */
    RealCells(int count, int net) {
        this.count = count;
        this.build = Path.of(System.getProperty("cellkeeper.build.directory", "target"))
                .toAbsolutePath()
                .normalize();
        this.folder = build.resolve("lab-" + count);
        this.hostPrefix = "127.0." + net + ".1";
        lab("down", "--destroy");
        Runtime.getRuntime().addShutdownHook(atExit);
        lab("up", "--cells", String.valueOf(count), "--mode", "automatic");
        try {
            password = Files.readString(folder.resolve("vcloud.password")).strip();
            client = new ApplianceClient(
                    cells().stream().map(this::api).toList(),
                    "root",
                    Files.readString(folder.resolve("root.password")).strip(),
                    Trust.all());
            createTable();
            assertZooKeeperAgrees();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        client.close();
        lab("down");
        Runtime.getRuntime().removeShutdownHook(atExit);
    }

    /** ZooKeeper's servers check with each change that all of them hold the same. */
    private void assertZooKeeperAgrees() throws IOException {
        for (String cell : cells()) {
            assertThat(Files.readString(folder.resolve(cell).resolve("log")))
                    .as("log of " + cell)
                    .doesNotContain("Digests are not matching");
        }
    }

    // ---- what happens to cells

    void kill(String cell) {
        lab("kill", cell);
    }

    void kill(String cell, Part only) {
        lab("kill", cell, "--only", only.word);
    }

    /** Kills these agents, and waits until others are there in their place. */
    void killAgents(List<String> of, Duration within) {
        Map<String, Long> agents = new HashMap<>();
        of.forEach(cell -> agents.put(cell, agent(cell)));
        of.forEach(cell -> kill(cell, Part.AGENT));
        Patience.await(
                "other agents answer",
                within,
                () -> of.stream()
                                .allMatch(cell -> agent(cell) != agents.get(cell)
                                        && node(cell)
                                                .failover()
                                                .repmgrd()
                                                .status()
                                                .equals("RUNNING"))
                        ? null
                        : summary());
    }

    /** Finds all processes of a cell; running it kills them at once, sooner than {@link #kill} can. */
    Runnable readyToKill(String cell) {
        String mine = folder.resolve(cell) + "/";
        List<ProcessHandle> found = ProcessHandle.allProcesses()
                .filter(process -> process.info().commandLine().orElse("").contains(mine))
                .flatMap(process -> Stream.concat(Stream.of(process), process.descendants()))
                .distinct()
                .toList();
        if (found.isEmpty()) {
            throw new AssertionError(cell + " does not run");
        }
        return () -> found.forEach(ProcessHandle::destroyForcibly);
    }

    /** All but its ZooKeeper server, as if that were on another machine. */
    void killButZooKeeper(String cell) {
        lab("kill", cell, "--keep-zookeeper");
    }

    void start(String cell) {
        lab("start", cell);
    }

    void stop(String cell) {
        lab("stop", cell);
    }

    void pause(String cell) {
        lab("pause", cell);
    }

    void resume(String cell) {
        lab("resume", cell);
    }

    void wipe(String cell) {
        lab("wipe", cell);
    }

    /** Several things at the same time. */
    static void together(Runnable... deeds) {
        CompletableFuture<?>[] all = new CompletableFuture<?>[deeds.length];
        for (int i = 0; i < deeds.length; i++) {
            Runnable deed = deeds[i];
            CompletableFuture<Void> done = new CompletableFuture<>();
            all[i] = done;
            Thread.ofVirtual().start(() -> {
                try {
                    deed.run();
                    done.complete(null);
                } catch (Throwable failure) {
                    done.completeExceptionally(failure);
                }
            });
        }
        try {
            CompletableFuture.allOf(all).get(VERB.toSeconds(), TimeUnit.SECONDS);
        } catch (ExecutionException | TimeoutException e) {
            throw new AssertionError("one of them failed", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError("interrupted", e);
        }
    }

    /** What a verb of {@code scripts/lab} says. */
    String lab(String... words) {
        List<String> command = new ArrayList<>();
        command.add(projectFolder().resolve("scripts/lab").toString());
        command.addAll(List.of(words));
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().put("LAB_DIR", folder.toString());
        builder.environment().put("LAB_HOST_PREFIX", hostPrefix);
        builder.environment().put("LAB_BUILD", System.getProperty("cellkeeper.lab.build", "rehearse"));
        builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
        try {
            Path output = Files.createTempFile(build, "lab-", ".out");
            try {
                builder.redirectOutput(output.toFile());
                Process process = builder.start();
                if (!process.waitFor(VERB.toSeconds(), TimeUnit.SECONDS)) {
                    process.destroyForcibly();
                    throw new AssertionError(
                            "scripts/lab " + String.join(" ", words) + " hangs: " + Files.readString(output));
                }
                String said = Files.readString(output, StandardCharsets.UTF_8);
                System.out.println("  lab " + String.join(" ", words) + ": " + said.strip());
                if (process.exitValue() != 0) {
                    throw new AssertionError("scripts/lab " + String.join(" ", words) + " ended with "
                            + process.exitValue() + ": " + said);
                }
                return said;
            } finally {
                Files.deleteIfExists(output);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError("interrupted", e);
        }
    }

    Path projectFolder() {
        Path project = build.resolve("../..").normalize();
        if (!Files.isExecutable(project.resolve("scripts/lab"))) {
            throw new AssertionError(project + " has no scripts/lab");
        }
        return project;
    }

    /** Where all cells keep everything. */
    Path folder() {
        return folder;
    }

    /** What a file of the lab says, such as root.password. */
    String secret(String file) {
        return read(folder.resolve(file)).strip();
    }

    /** The process that answers for the cell. */
    long agent(String cell) {
        String file = read(folder.resolve(cell).resolve("data/run/agent.pid"));
        return Long.parseLong(file.substring(0, file.indexOf(' ')));
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    // ---- what they say

    List<String> cells() {
        return IntStream.rangeClosed(1, count).mapToObj(n -> "cell-" + n).toList();
    }

    ApplianceClient client() {
        return client;
    }

    String host(String cell) {
        return hostPrefix + cell.substring("cell-".length());
    }

    URI api(String cell) {
        return URI.create("https://" + host(cell) + ":" + API_PORT);
    }

    Cluster nodes() {
        return client.nodes();
    }

    Cluster.Node node(String cell) {
        return nodes().localClusterState().stream()
                .filter(node -> node.name().equals(cell))
                .findFirst()
                .orElseThrow(() -> new AssertionError("GET /nodes does not name " + cell));
    }

    long epoch() {
        return nodes().epoch();
    }

    /** Those who say right now that they are primary. */
    List<String> primaries() {
        List<String> found = new ArrayList<>();
        for (String cell : cells()) {
            try {
                // A cell that does not even take connections need not be waited for.
                if (apiListens(cell) && client.isPrimary(api(cell))) {
                    found.add(cell);
                }
            } catch (ApplianceFailure silent) {
                // Then it does not say so.
            }
        }
        return found;
    }

    String primary() {
        List<String> found = new ArrayList<>();
        Patience.await("one cell is primary", Duration.ofSeconds(15), () -> {
            found.clear();
            found.addAll(primaries());
            return found.size() == 1 ? null : "primary are " + found;
        });
        return found.getFirst();
    }

    /** All but the primary. */
    List<String> standbys() {
        String primary = primary();
        return cells().stream().filter(cell -> !cell.equals(primary)).toList();
    }

    /** Whom a promotion without a primary elects: a cell that holds less is passed over. */
    String cellWithMostWal() {
        return nodes().localClusterState().stream()
                .filter(node -> node.lsn() != null && cells().contains(node.name()))
                .filter(node -> !node.state().equals("DOWN"))
                .max(Comparator.comparing(node -> LogSequenceNumber.valueOf(node.lsn())))
                .orElseThrow(() -> new IllegalStateException("no cell says what WAL it holds: " + summary()))
                .name();
    }

    /** Another primary than before, within the time; says how long it took. */
    String awaitOtherPrimary(String before, Duration within) {
        List<String> found = new ArrayList<>();
        Patience.await("another primary than " + before, within, () -> {
            found.clear();
            for (String cell : cells()) {
                if (!cell.equals(before) && apiListens(cell) && client.isPrimary(api(cell))) {
                    found.add(cell);
                }
            }
            return found.size() == 1 ? null : "primary are " + found;
        });
        return found.getFirst();
    }

    Duration awaitHealth(String health, Duration within) {
        return Patience.await(
                "the cluster is " + health,
                within,
                () -> nodes().localClusterHealth().equals(health) ? null : summary());
    }

    /** Looks much more often than the others: phases are short. */
    void awaitPhase(String phase, Duration within) {
        long start = System.nanoTime();
        while (!nodes().phase().equals(phase)) {
            if (System.nanoTime() - start > within.toNanos()) {
                throw new AssertionError("Not within " + within + ": phase " + phase + "; " + summary());
            }
            Patience.pass(Duration.ofMillis(2));
        }
    }

    Duration awaitState(String cell, String state, Duration within) {
        return Patience.await(
                cell + " is " + state, within, () -> node(cell).state().equals(state) ? null : summary());
    }

    String summary() {
        Cluster now = nodes();
        StringBuilder text = new StringBuilder(now.localClusterHealth())
                .append(", epoch ")
                .append(now.epoch())
                .append(", ")
                .append(now.phase());
        now.localClusterState()
                .forEach(node -> text.append("; ")
                        .append(node.name())
                        .append(' ')
                        .append(node.state())
                        .append(" (")
                        .append(node.details())
                        .append(')'));
        return text + (now.warnings().isEmpty() ? "" : "; " + now.warnings());
    }

    /** Whether a PostgreSQL is there, and not only an agent that says that none is. */
    boolean postgresListens(String cell) {
        try (Connection _ = connectBy(host(cell) + ":" + POSTGRES_PORT)) {
            return true;
        } catch (SQLException e) {
            return !UNREACHED.equals(e.getSQLState())
                    && !String.valueOf(e.getMessage()).contains("PostgreSQL of this cell does not run");
        }
    }

    /** What is halted may have been halted a moment ago. */
    void awaitNoPostgres(String cell) {
        Patience.await(
                "no PostgreSQL runs at " + cell,
                Duration.ofSeconds(2),
                () -> postgresListens(cell) ? "it takes connections" : null);
    }

    /** Its agent is back. */
    void awaitApi(String cell) {
        Patience.await(
                "the API of " + cell,
                Duration.ofSeconds(30),
                () -> apiListens(cell) ? null : "it takes no connections");
    }

    private boolean apiListens(String cell) {
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress(host(cell), API_PORT), 500);
            return true;
        } catch (IOException refused) {
            return false;
        }
    }

    /** Waits for the task's end; it must be a good one. */
    TaskInfo succeeds(String task, Duration within) {
        TaskInfo end = ends(task, within);
        if (!end.hasSucceeded()) {
            throw new AssertionError("The task failed: " + end + "; " + summary());
        }
        return end;
    }

    TaskInfo ends(String task, Duration within) {
        return client.await(task, within, seen -> {})
                .orElseThrow(() -> new AssertionError("Task " + task + " has not ended; " + summary()));
    }

    // ---- the database

    private String url(List<String> hosts) {
        return "jdbc:postgresql://"
                + String.join(
                        ",",
                        hosts.stream()
                                .map(cell -> host(cell) + ":" + POSTGRES_PORT)
                                .toList())
                + "/vcloud";
    }

    /** A session on the primary, wherever it is. */
    Connection connect(Duration silence) throws SQLException {
        Properties properties = properties();
        properties.setProperty("targetServerType", "primary");
        properties.setProperty("hostRecheckSeconds", "0");
        properties.setProperty("socketTimeout", String.valueOf(Math.max(1, silence.toSeconds())));
        return DriverManager.getConnection(url(cells()), properties);
    }

    /** Waits until a row is acknowledged by another cell than this one; each is asked itself. Says which cell, and how long it took. */
    Map.Entry<String, Duration> awaitWritableBut(String lost, Duration within) {
        List<String> others =
                cells().stream().filter(cell -> !cell.equals(lost)).toList();
        List<String> found = new ArrayList<>();
        Duration took = Patience.await("a cell but " + lost + " takes a row", within, () -> {
            for (String cell : others) {
                try (Connection session = connectTo(cell);
                        var statement = session.createStatement()) {
                    session.setNetworkTimeout(Runnable::run, 4000);
                    statement.executeUpdate("INSERT INTO rows (writer, n) VALUES ('probe', " + System.nanoTime() + ")");
                    if (statement.getWarnings() == null) {
                        found.add(cell);
                        return null;
                    }
                } catch (SQLException e) {
                    // Not this one, or not yet.
                }
            }
            return "none does";
        });
        return Map.entry(found.getFirst(), took);
    }

    /** How many rows of this writer the present primary has. */
    int rows(String writer) {
        int[] count = new int[1];
        Patience.await("the rows can be counted", Duration.ofSeconds(20), () -> {
            try (Connection session = connect(Duration.ofSeconds(10));
                    PreparedStatement query = session.prepareStatement("SELECT count(*) FROM rows WHERE writer = ?")) {
                query.setString(1, writer);
                try (ResultSet row = query.executeQuery()) {
                    row.next();
                    count[0] = row.getInt(1);
                }
                return null;
            } catch (SQLException e) {
                return e.toString();
            }
        });
        return count[0];
    }

    /** A session with whatever listens there, a proxy say, which no certificate names. */
    Connection connectBy(String hostAndPort) throws SQLException {
        return connectBy(hostAndPort, "vcloud");
    }

    Connection connectBy(String hostAndPort, String database) throws SQLException {
        Properties properties = properties();
        if (!plaintext) {
            properties.setProperty("sslmode", "verify-ca");
        }
        properties.setProperty("socketTimeout", "5");
        properties.setProperty("loginTimeout", "3");
        return DriverManager.getConnection("jdbc:postgresql://" + hostAndPort + "/" + database, properties);
    }

    /** A session on this cell that waits as long as it takes. */
    Connection connectTo(String cell) throws SQLException {
        return DriverManager.getConnection(url(List.of(cell)), properties());
    }

    /** When PostgreSQL was started there. */
    String postgresStart(String cell) {
        try (Connection session = connectTo(cell);
                var statement = session.createStatement();
                ResultSet row = statement.executeQuery("SELECT pg_postmaster_start_time()")) {
            row.next();
            return row.getString(1);
        } catch (SQLException e) {
            throw new AssertionError(cell + " cannot be asked", e);
        }
    }

    /** Whether clients also take a PostgreSQL that does not encrypt. */
    void takePlaintext(boolean take) {
        plaintext = take;
    }

    private Properties properties() {
        Properties properties = new Properties();
        properties.setProperty("user", "vcloud");
        properties.setProperty("password", password);
        properties.setProperty("sslmode", plaintext ? "prefer" : "verify-full");
        properties.setProperty("sslrootcert", folder.resolve("ca/ca.pem").toString());
        properties.setProperty("gssEncMode", "disable");
        properties.setProperty("connectTimeout", "1");
        return properties;
    }

    private void createTable() {
        Patience.await("the table of rows is there", Duration.ofSeconds(20), () -> {
            try (Connection session = connect(Duration.ofSeconds(5));
                    var statement = session.createStatement()) {
                statement.execute("CREATE TABLE IF NOT EXISTS rows (writer text, n bigint, PRIMARY KEY (writer, n))");
                return null;
            } catch (SQLException e) {
                return e.toString();
            }
        });
    }

    Writer writer() {
        return new Writer(this);
    }

    /** Ends the writer; every row that was acknowledged to it is on the present primary. */
    void assertNothingLost(Writer writer) {
        writer.close();
        Set<Long> acknowledged = writer.acknowledged();
        if (acknowledged.isEmpty()) {
            throw new AssertionError("nothing was acknowledged at all: " + writer.lastFailure());
        }
        Set<Long> there = new TreeSet<>();
        Patience.await("the rows can be read", Duration.ofSeconds(20), () -> {
            there.clear();
            try (Connection session = connect(Duration.ofSeconds(10));
                    PreparedStatement query = session.prepareStatement("SELECT n FROM rows WHERE writer = ?")) {
                query.setString(1, writer.name());
                try (ResultSet rows = query.executeQuery()) {
                    while (rows.next()) {
                        there.add(rows.getLong(1));
                    }
                }
                return null;
            } catch (SQLException e) {
                return e.toString();
            }
        });
        Set<Long> lost = new TreeSet<>(acknowledged);
        lost.removeAll(there);
        if (!lost.isEmpty()) {
            throw new AssertionError("LOST: " + lost.size() + " of " + acknowledged.size() + " acknowledged rows: "
                    + lost + "; " + summary());
        }
        System.out.println("  nothing lost: " + acknowledged.size() + " rows acknowledged, " + there.size() + " there");
    }

    // ---- mending

    /** Once ZooKeeper can be asked, too. */
    private void setMode(boolean automatic) {
        Patience.await("the mode is set", Duration.ofSeconds(60), () -> {
            try {
                succeeds(client.setMode(automatic), Duration.ofSeconds(20));
                return null;
            } catch (ApplianceFailure notYet) {
                return String.valueOf(notYet.getMessage());
            }
        });
    }

    /** Whatever was done to them: all cells run and take part again, in this mode. */
    void restore(boolean automatic) {
        cells().forEach(this::start);
        Patience.await("somebody answers and knows the cluster", Duration.ofSeconds(60), () -> {
            Cluster now = nodes();
            return now.localClusterFailover().equals("INDETERMINATE") ? summary() : null;
        });
        String mode = automatic ? "AUTOMATIC" : "MANUAL";
        if (!nodes().localClusterFailover().equals(mode)) {
            setMode(automatic);
        }
        if (nodes().localClusterHealth().equals("NO_ACTIVE_PRIMARY") && !automatic) {
            setMode(true);
            primary();
            setMode(false);
        }
        Patience.await("all cells take part", Duration.ofSeconds(90), () -> {
            Cluster now = nodes();
            List<String> others = new ArrayList<>(cells());
            for (Cluster.Node node : now.localClusterState()) {
                switch (node.state()) {
                    case "PRIMARY", "STREAMING" -> {
                        others.remove(node.name());
                        if (node.details().contains("pending restart")) {
                            stop(node.name());
                            start(node.name());
                        }
                    }
                    case "HALTED" -> {
                        succeeds(client.remove(node.name(), false), Duration.ofSeconds(20));
                        succeeds(client.deploy(node.name()), Duration.ofSeconds(60));
                    }
                    case "REMOVED" -> succeeds(client.deploy(node.name()), Duration.ofSeconds(60));
                    default -> {}
                }
            }
            return others.isEmpty()
                            && now.localClusterHealth().equals("HEALTHY")
                            && now.warnings().isEmpty()
                    ? null
                    : summary();
        });
        cells().forEach(this::awaitApi);
    }
}
