package org.cellkeeper.testing;

import com.github.dockerjava.api.DockerClient;
import com.github.dockerjava.api.command.CreateContainerCmd;
import com.github.dockerjava.api.command.InspectContainerResponse;
import com.github.dockerjava.api.exception.DockerException;
import com.github.dockerjava.api.exception.NotModifiedException;
import com.github.dockerjava.api.model.Bind;
import com.github.dockerjava.api.model.Capability;
import com.github.dockerjava.api.model.ContainerNetwork;
import com.github.dockerjava.api.model.ExposedPort;
import com.github.dockerjava.api.model.HostConfig;
import com.github.dockerjava.api.model.Network;
import com.github.dockerjava.api.model.PortBinding;
import com.github.dockerjava.api.model.Ports;
import com.github.dockerjava.api.model.Volume;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.IntStream;
import javax.net.ssl.SSLContext;
import org.cellkeeper.api.ApiPaths;
import org.cellkeeper.api.ApplianceClient;
import org.cellkeeper.api.ApplianceFailure;
import org.cellkeeper.api.Cluster;
import org.cellkeeper.api.TaskInfo;
import org.cellkeeper.api.Trust;
import org.jspecify.annotations.Nullable;
import org.postgresql.replication.LogSequenceNumber;
import org.testcontainers.DockerClientFactory;
import org.testcontainers.containers.Container;
import org.testcontainers.containers.ExecConfig;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.containers.wait.strategy.AbstractWaitStrategy;
import org.testcontainers.images.builder.Transferable;
import org.testcontainers.lifecycle.Startable;
import org.testcontainers.utility.DockerImageName;
import org.testcontainers.utility.LogUtils;

/**
 * A cluster of cells in containers, to be broken: each cell is a container with a volume and a fixed address on a network of
 * the cluster's own; its PostgreSQL and its API are ports of this machine. Cells are named {@code cell-1}, {@code cell-2} and
 * so on; {@code cell-1} founds the cluster.
 *
 * <p>Nothing is left behind: {@link #close} removes containers, volumes and network, and so does the end of the JVM. What a
 * killed JVM left, the next cluster removes, whichever JVM that is of: a container beside the cells, the keeper, ends with the JVM
 * that made the cluster, and tells. Ryuk is not needed.
 *
 * <p>The image is {@code cellkeeper/cell}, or what the system property {@code cellkeeper.image} names. The containers get the
 * capability NET_ADMIN, for {@link #cut}; the cells themselves run without it.
 *
 * <p>For one thread, except for the verbs that change a cell ({@link #kill} and so on): those may run {@link #together}.
 */
public final class CellCluster implements Startable {
    private static final int POSTGRES = 5432;
    private static final int API = 5480;
    private static final int LINK = 5481;
    private static final String IMAGE = "cellkeeper/cell";
    private static final String DATA = "/var/lib/cell";
    private static final String USER = "vcloud";
    private static final int FIRST_SUBNET = 91;
    private static final int LAST_SUBNET = 191;
    /** A routing table whose only way leads to a machine that is not there. */
    private static final String NOWHERE = "91";

    private static final Duration STARTED = Duration.ofSeconds(180);
    private static final Duration VERB = Duration.ofSeconds(120);
    private static final Duration TASK = Duration.ofSeconds(120);
    private static final Duration READ = Duration.ofSeconds(60);
    private static final Duration PROBE = Duration.ofSeconds(3);
    private static final Duration SILENCE = Duration.ofSeconds(2);
    private static final Duration STOPPED = Duration.ofSeconds(10);
    /** The exit code of what ended by SIGKILL. */
    private static final int KILLED = 137;

    /** The failover mode that the cluster is born with. */
    public enum Mode {
        MANUAL,
        AUTOMATIC
    }

    private enum State {
        RUNNING,
        PAUSED,
        DOWN,
        NOT_THERE
    }

    private static final class Cell {
        final String name;
        final int postgresPort;
        final int apiPort;
        volatile State state = State.NOT_THERE;
        volatile boolean connected = true;
        /** The last part of its address. */
        volatile int place;
        /** Its container knows the others by addresses of before, whenever it is started. */
        volatile boolean outdated;

        @Nullable
        GenericContainer<?> container;

        Cell(String name, int number, int postgresPort, int apiPort) {
            this.name = name;
            this.place = 10 + number;
            this.postgresPort = postgresPort;
            this.apiPort = apiPort;
        }

        String id() {
            GenericContainer<?> made = container;
            if (made == null) {
                throw new IllegalStateException(name + " has no container");
            }
            return made.getContainerId();
        }

        boolean answers() {
            return state == State.RUNNING && connected;
        }
    }

    private final String id = "cellkeeper-it-" + secret(3);
    private final Map<String, String> environment = new LinkedHashMap<>();
    private final Map<String, Integer> disks = new LinkedHashMap<>();
    private final Map<String, Cell> cells = new LinkedHashMap<>();
    private Mark mark = new Mark(id);
    private final String clusterSecret = secret(16);
    private final String rootPassword = secret(8);
    private final String password = secret(8);
    private final Thread atExit = new Thread(this::removeAll, id + "-clear-away");
    private @Nullable Certificates certificates;
    private @Nullable Path authorityFile;
    private @Nullable HttpClient http;

    private int count = 3;
    private Mode mode = Mode.AUTOMATIC;
    private String image = System.getProperty("cellkeeper.image", IMAGE);
    private Path logs = Path.of(System.getProperty("cellkeeper.build.directory", "target"))
            .resolve("cells")
            .resolve(id);
    private String host = "";
    private String network = "";
    private String subnet = "";
    private @Nullable ApplianceClient client;
    private List<String> clientAsks = List.of();

    // ---- what it is to be; before start()

    /** How many cells; three, if nothing is said. */
    public CellCluster withCells(int cells) {
        count = cells;
        return this;
    }

    /** AUTOMATIC, if nothing is said. */
    public CellCluster withMode(Mode initial) {
        mode = initial;
        return this;
    }

    public CellCluster withImage(String name) {
        image = name;
        return this;
    }

    /** A setting of every cell, by the environment variables of docs/configuration.md. */
    public CellCluster withEnvironment(String variable, String value) {
        environment.put(variable, value);
        return this;
    }

    /** Gives a cell a small disk of its own. It lies in memory, and is empty after the cell's container was down. */
    public CellCluster withDisk(String cell, int megabytes) {
        disks.put(cell, megabytes);
        return this;
    }

    /** Where the containers' logs go when they are removed. */
    public CellCluster withLogsIn(Path folder) {
        logs = folder;
        return this;
    }

    /** Brings all cells up, and waits until the cluster is healthy (one cell alone: until it is primary). */
    @Override
    public void start() {
        if (!cells.isEmpty()) {
            return;
        }
        Mark.removeLeftovers();
        Runtime.getRuntime().addShutdownHook(atExit);
        try {
            mark = new Mark(id);
            mark.keep(image);
            host = DockerClientFactory.instance().dockerHostIpAddress();
            if (host.equals("localhost")) {
                host = "127.0.0.1";
            }
            makeNetwork();
            List<Integer> ports = freePorts(2 * count);
            for (int n = 1; n <= count; n++) {
                Cell cell = new Cell("cell-" + n, n, ports.get(2 * n - 2), ports.get(2 * n - 1));
                cells.put(cell.name, cell);
                makeVolume(cell);
            }
            certificates = Certificates.make(mark, hosts());
            http = HttpClient.newBuilder()
                    .version(HttpClient.Version.HTTP_1_1)
                    .connectTimeout(PROBE)
                    .sslContext(trust())
                    .build();
            together(cells.values().stream()
                    .map(cell -> (Runnable) () -> run(cell, volume(cell)))
                    .toArray(Runnable[]::new));
            if (count < 3) {
                Patience.await("there is a primary", STARTED, () -> primaries().isEmpty() ? summary() : null);
            } else {
                awaitHealth("HEALTHY", STARTED);
            }
        } catch (RuntimeException | AssertionError failure) {
            stop();
            throw failure;
        }
    }

    /** Removes everything. */
    @Override
    public void stop() {
        if (client != null) {
            client.close();
            client = null;
        }
        removeAll();
        try {
            Runtime.getRuntime().removeShutdownHook(atExit);
        } catch (IllegalStateException ending) {
            // The JVM ends: it runs.
        }
    }

    @Override
    public void close() {
        stop();
        if (http != null) {
            http.shutdownNow();
        }
    }

    // ---- what happens to cells

    /** Like a power cut: SIGKILL to everything in the container. */
    public void kill(String name) {
        Cell cell = cell(name);
        cell.state = State.DOWN;
        docker().killContainerCmd(cell.id()).withSignal("KILL").exec();
        awaitDown(cell);
    }

    /**
     * Cleanly, as {@code docker stop} does it: a primary in AUTOMATIC mode hands over first. Says how long it took; a cell that
     * has not ended after Docker's 10 s, and was killed then, is a failure.
     */
    public Duration stop(String name) {
        Cell cell = cell(name);
        long begun = System.nanoTime();
        // Until it is down it answers.
        try {
            docker().stopContainerCmd(cell.id())
                    .withTimeout((int) STOPPED.toSeconds())
                    .exec();
        } catch (NotModifiedException down) {
            // It was down.
        }
        Duration taken = Duration.ofNanos(System.nanoTime() - begun);
        cell.state = State.DOWN;
        Long exit = inspect(name).getState().getExitCodeLong();
        if (exit != null && exit == KILLED) {
            throw new AssertionError(name + " had not ended after " + STOPPED.toSeconds() + " s, and was killed");
        }
        return taken;
    }

    /** Starts a container that was killed or stopped. It does not wait for the cell. */
    public void start(String name) {
        Cell cell = cell(name);
        if (cell.outdated) {
            removeContainer(cell);
            run(cell, volume(cell));
            return;
        }
        try {
            docker().startContainerCmd(cell.id()).exec();
        } catch (NotModifiedException runs) {
            // It runs.
        }
        cell.state = State.RUNNING;
    }

    /** {@code docker restart}. */
    public void restart(String name) {
        stop(name);
        start(name);
    }

    /** Freezes all of the cell's processes. */
    public void pause(String name) {
        Cell cell = cell(name);
        cell.state = State.PAUSED;
        docker().pauseContainerCmd(cell.id()).exec();
    }

    public void resume(String name) {
        Cell cell = cell(name);
        docker().unpauseContainerCmd(cell.id()).exec();
        cell.state = State.RUNNING;
    }

    /** An empty disk under the old name: container and volume are removed, and made anew. It does not wait for the cell. */
    public void wipe(String name) {
        Cell cell = cell(name);
        removeContainer(cell);
        docker().removeVolumeCmd(volume(cell)).exec();
        makeVolume(cell);
        run(cell, volume(cell));
    }

    /**
     * What an operator does with a halted or lost cell: removes it from the cluster, gives it a new machine with an empty
     * disk, and waits until it streams.
     */
    public void replace(String name) {
        Cell cell = cell(name);
        removeContainer(cell);
        docker().removeVolumeCmd(volume(cell)).exec();
        succeeds(api().remove(name, true), TASK);
        makeVolume(cell);
        run(cell, volume(cell));
        awaitState(name, "STREAMING", STARTED);
    }

    /** Makes the cell's container anew with the volume of a cell of another cluster, which must be down. */
    public void startWithVolumeOf(String name, CellCluster other, String othersCell) {
        Cell cell = cell(name);
        removeContainer(cell);
        run(cell, other.volume(other.cell(othersCell)));
    }

    /** Gives the cell so much of one processor; 0: as much as there is. */
    public void limitProcessor(String name, double share) {
        docker().updateContainerCmd(cell(name).id())
                .withCpuPeriod(100_000L)
                .withCpuQuota(share == 0 ? -1L : Math.round(100_000 * share))
                .exec();
    }

    /** Runs a command in the cell's container, as the user that the cell runs as. */
    public Container.ExecResult execute(String name, String... command) {
        return execute(cell(name), "postgres", command);
    }

    /** Several things at the same time. */
    public static void together(Runnable... deeds) {
        CompletableFuture<?>[] all = new CompletableFuture<?>[deeds.length];
        for (int i = 0; i < deeds.length; i++) {
            Runnable deed = deeds[i];
            CompletableFuture<Void> done = new CompletableFuture<>();
            all[i] = done;
            Thread.ofPlatform().daemon().start(() -> {
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
            throw new AssertionError("one of them failed: " + e, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError("interrupted", e);
        }
    }

    // ---- what happens to the network

    /** All that this cell and the others send to each other is lost, silently. Clients outside still reach it. */
    public void cut(String name) {
        cells.keySet().stream().filter(other -> !other.equals(name)).forEach(other -> cut(name, other));
    }

    /** All that these two send to each other is lost. */
    public void cut(String one, String other) {
        cutOneWay(one, other);
        cutOneWay(other, one);
    }

    /** All that the first sends to the second is lost; what the second sends arrives. */
    public void cutOneWay(String from, String to) {
        lose(from, to, "");
    }

    /** PostgreSQL and the agents of these two do not reach each other any more; ZooKeeper does. */
    public void cutButZooKeeper(String one, String other) {
        for (int port : List.of(POSTGRES, LINK)) {
            for (String side : List.of("sport", "dport")) {
                lose(one, other, " ipproto tcp " + side + " " + port);
                lose(other, one, " ipproto tcp " + side + " " + port);
            }
        }
    }

    /** Ends all cuts. */
    public void heal() {
        for (Cell cell : cells.values()) {
            if (cell.answers()) {
                asRoot(cell, "while ip rule del lookup " + NOWHERE + " 2>/dev/null; do :; done");
            }
        }
    }

    /** Takes the cell off the network; not even its clients reach it. */
    public void disconnect(String name) {
        Cell cell = cell(name);
        cell.connected = false;
        docker().disconnectFromNetworkCmd()
                .withContainerId(cell.id())
                .withNetworkId(network)
                .exec();
    }

    /** Puts it on the network again, at its old address. */
    public void reconnect(String name) {
        Cell cell = cell(name);
        docker().connectToNetworkCmd()
                .withContainerId(cell.id())
                .withNetworkId(network)
                .withContainerNetwork(new ContainerNetwork()
                        .withIpamConfig(new ContainerNetwork.Ipam().withIpv4Address(address(cell))))
                .exec();
        cell.connected = true;
    }

    /**
     * These two, which must be down, will come back at each other's address, as containers do that are started in another order. All
     * cells find each by its name.
     */
    public void exchangeAddresses(String one, String other) {
        int place = cell(one).place;
        cell(one).place = cell(other).place;
        cell(other).place = place;
        StringBuilder hosts = new StringBuilder("127.0.0.1 localhost\n");
        cells.values().forEach(each -> hosts.append(address(each) + " " + each.name + "\n"));
        for (Cell cell : cells.values()) {
            cell.outdated = true;
            if (cell.answers()) {
                // Docker has mounted the file; it cannot be replaced, only written.
                asRoot(cell, "printf '%s' '" + hosts + "' >/etc/hosts");
            }
        }
    }

    private void lose(String from, String to, String what) {
        String nobody = subnet + ".250";
        // A network that was disconnected comes back as another device.
        asRoot(
                cell(from),
                "device=$(ip -oneline -4 address show to " + address(cell(from)) + " | cut -d ' ' -f 2)"
                        + " && ip neighbour replace " + nobody
                        + " lladdr 02:00:00:00:00:00 nud permanent dev \"$device\""
                        + " && ip route replace default via " + nobody + " table " + NOWHERE
                        + " && ip rule add to " + address(cell(to)) + what + " lookup " + NOWHERE);
    }

    private void asRoot(Cell cell, String commands) {
        Container.ExecResult result = execute(cell, "root", "sh", "-c", commands);
        if (result.getExitCode() != 0) {
            throw new AssertionError(cell.name + ": " + commands + ": " + result.getStderr());
        }
    }

    // ---- what they say

    /** All names, also of those that are down. */
    public List<String> cells() {
        return List.copyOf(cells.keySet());
    }

    /** Talks to the cells that answer now; ask for it anew after something was broken. */
    public ApplianceClient api() {
        List<String> asked = new ArrayList<>(probe().keySet());
        if (asked.isEmpty()) {
            // Then it says itself that nobody answers.
            asked = cells();
        }
        ApplianceClient usable = client;
        if (usable == null || !asked.equals(clientAsks)) {
            if (usable != null) {
                usable.close();
            }
            usable = new ApplianceClient(asked.stream().map(this::apiOf).toList(), "root", rootPassword, trust());
            client = usable;
            clientAsks = asked;
        }
        return usable;
    }

    /** Where the API of this cell is. */
    public URI apiOf(String name) {
        return URI.create("https://" + host + ":" + cell(name).apiPort);
    }

    /** Who has signed the cells' certificates, as PEM: for clients of the API, and of the database. */
    public String certificateAuthority() {
        return certificates().authority();
    }

    private Certificates certificates() {
        return Objects.requireNonNull(certificates, "the cluster was never started");
    }

    private SSLContext trust() {
        try {
            return Trust.of(certificateAuthority());
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("the image makes certificates that cannot be used", e);
        }
    }

    /** By which each cell is reached, from inside and outside. */
    private Map<String, List<String>> hosts() {
        Map<String, List<String>> hosts = new LinkedHashMap<>();
        cells.forEach((name, cell) -> hosts.put(name, List.of(name, host, "localhost", "127.0.0.1")));
        return hosts;
    }

    public String rootPassword() {
        return rootPassword;
    }

    public String clusterSecret() {
        return clusterSecret;
    }

    public Cluster nodes() {
        return api().nodes();
    }

    public Cluster.Node node(String name) {
        return nodes().localClusterState().stream()
                .filter(node -> node.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new IllegalStateException("GET /nodes does not name " + name));
    }

    /** Those who say right now that they are primary. */
    public List<String> primaries() {
        return probe().entrySet().stream()
                .filter(Map.Entry::getValue)
                .map(Map.Entry::getKey)
                .toList();
    }

    /** Those whose agents answer right now. */
    public List<String> answering() {
        return List.copyOf(probe().keySet());
    }

    /** The one primary; there must be one soon. */
    public String primary() {
        return awaitPrimaryOtherThan("", Duration.ofSeconds(60));
    }

    /** All but the primary. */
    public List<String> standbys() {
        String primary = primary();
        return cells.keySet().stream().filter(name -> !name.equals(primary)).toList();
    }

    /** Whom a promotion without a primary elects: a cell that holds less is passed over. */
    public String cellWithMostWal() {
        return nodes().localClusterState().stream()
                .filter(node -> node.lsn() != null && !node.state().equals("DOWN"))
                .max(Comparator.comparing(node -> LogSequenceNumber.valueOf(node.lsn())))
                .orElseThrow(() -> new IllegalStateException("no cell says what WAL it holds: " + summary()))
                .name();
    }

    public String awaitPrimaryOtherThan(String before, Duration within) {
        List<String> found = new ArrayList<>();
        Patience.await(before.isEmpty() ? "one cell is primary" : "another primary than " + before, within, () -> {
            found.clear();
            found.addAll(primaries());
            found.remove(before);
            return found.size() == 1 ? null : "primary are " + found + "; " + summary();
        });
        return found.getFirst();
    }

    /** {@code HEALTHY}, {@code DEGRADED} and so on, as in docs/operations.md. Says how long it took. */
    public Duration awaitHealth(String health, Duration within) {
        return Patience.await(
                "the cluster is " + health,
                within,
                () -> nodes().localClusterHealth().equals(health) ? null : summary());
    }

    /** {@code STREAMING}, {@code HALTED} and so on. */
    public Duration awaitState(String name, String state, Duration within) {
        return Patience.await(
                name + " is " + state, within, () -> node(name).state().equals(state) ? null : summary());
    }

    /** Waits for the task's end, which must be a good one. */
    public void succeeds(String task, Duration within) {
        TaskInfo end = api().await(task, within, seen -> {})
                .orElseThrow(() -> new AssertionError("Task " + task + " has not ended; " + summary()));
        if (!end.hasSucceeded()) {
            throw new AssertionError("The task failed: " + end + "; " + summary());
        }
    }

    /** The cluster in one line. */
    public String summary() {
        Cluster now;
        try {
            now = nodes();
        } catch (ApplianceFailure silent) {
            return silent.getMessage();
        }
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

    /** What the cell's container said. */
    public String log(String name) {
        return LogUtils.getOutput(docker(), cell(name).id());
    }

    /** What Docker knows of the cell's container. */
    public InspectContainerResponse inspect(String name) {
        return docker().inspectContainerCmd(cell(name).id()).exec();
    }

    /** Who answers, and whether as primary. All are asked at once: one that is silent costs no more than the time limit. */
    private Map<String, Boolean> probe() {
        Map<String, CompletableFuture<HttpResponse<String>>> asked = new LinkedHashMap<>();
        for (Cell cell : cells.values()) {
            if (cell.answers()) {
                HttpRequest request = HttpRequest.newBuilder(apiOf(cell.name).resolve(ApiPaths.IS_PRIMARY))
                        .timeout(PROBE)
                        .build();
                asked.put(
                        cell.name,
                        Objects.requireNonNull(http).sendAsync(request, HttpResponse.BodyHandlers.ofString()));
            }
        }
        Map<String, Boolean> answers = new LinkedHashMap<>();
        asked.forEach((name, answer) -> {
            try {
                HttpResponse<String> response = answer.get(2 * PROBE.toSeconds(), TimeUnit.SECONDS);
                if (response.statusCode() == 200) {
                    answers.put(name, response.body().replace(" ", "").contains("\"isPrimary\":true"));
                }
            } catch (ExecutionException | TimeoutException silent) {
                // Then it does not answer.
            } catch (InterruptedException stop) {
                Thread.currentThread().interrupt();
            }
        });
        return answers;
    }

    // ---- the database

    /** The primary, wherever it is. User {@link #user}, password {@link #password}. */
    public String jdbcUrl() {
        return url(cells.values()) + "&targetServerType=primary&hostRecheckSeconds=0";
    }

    /** This cell's database, whatever the cell is. */
    public String jdbcUrl(String name) {
        return url(List.of(cell(name)));
    }

    private String url(Iterable<Cell> those) {
        List<String> hosts = new ArrayList<>();
        those.forEach(cell -> hosts.add(host + ":" + cell.postgresPort));
        return "jdbc:postgresql://" + String.join(",", hosts) + "/" + USER
                + "?connectTimeout=2&gssEncMode=disable&sslmode=verify-full&sslrootcert="
                + URLEncoder.encode(authorityFile().toString(), StandardCharsets.UTF_8);
    }

    /** Who has signed the cells' certificates, for clients that read a file; it goes with this process. */
    public synchronized Path authorityFile() {
        Path file = authorityFile;
        if (file == null) {
            try {
                file = Files.createTempFile("cells-ca", ".pem");
                file.toFile().deleteOnExit();
                Files.writeString(file, certificateAuthority());
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            authorityFile = file;
        }
        return file;
    }

    public String user() {
        return USER;
    }

    public String password() {
        return password;
    }

    /** A session with the primary that fails when nothing is heard for this time. */
    public Connection connect(Duration silence) throws SQLException {
        return DriverManager.getConnection(jdbcUrl(), properties(silence));
    }

    private Properties properties(Duration silence) {
        Properties properties = properties();
        properties.setProperty("socketTimeout", String.valueOf(Math.max(1, silence.toSeconds())));
        return properties;
    }

    private Properties properties() {
        Properties properties = new Properties();
        properties.setProperty("user", USER);
        properties.setProperty("password", password);
        return properties;
    }

    /** A client that writes rows to the primary, wherever it is; it writes already. */
    public Writer writer() {
        createTable();
        return new Writer(() -> connect(SILENCE), true);
    }

    /** One that writes to this cell on one session, however long that is silent, and ends with it. */
    public Writer writerOn(String name) {
        createTable();
        return new Writer(() -> DriverManager.getConnection(jdbcUrl(name), properties()), false);
    }

    private void createTable() {
        Patience.await("the table of rows is there", Duration.ofSeconds(60), () -> {
            try (Connection session = connect(Duration.ofSeconds(10));
                    var statement = session.createStatement()) {
                statement.execute("CREATE TABLE IF NOT EXISTS rows (writer text, n bigint, PRIMARY KEY (writer, n))");
                return null;
            }
        });
    }

    /** Ends the writer; every row that was acknowledged to it must be on the present primary. Says how many those are. */
    public int assertNothingLost(Writer writer) {
        writer.close();
        Set<Long> acknowledged = writer.acknowledged();
        if (acknowledged.isEmpty()) {
            throw new AssertionError("nothing was acknowledged at all: " + writer.lastFailure());
        }
        Set<Long> lost = new TreeSet<>();
        Patience.await("the rows can be read", READ, () -> {
            try (Connection session = connect(Duration.ofSeconds(20))) {
                lost.clear();
                lost.addAll(missing(session, writer));
                return null;
            }
        });
        if (!lost.isEmpty()) {
            throw new AssertionError("LOST: " + lost.size() + " of " + acknowledged.size() + " acknowledged rows: "
                    + lost + "; " + summary());
        }
        return acknowledged.size();
    }

    /** Waits until this cell, a standby, has replayed every row that was acknowledged to the writer. */
    public void awaitRowsOn(String name, Writer writer) {
        Patience.await(name + " has all acknowledged rows", READ, () -> {
            try (Connection session = DriverManager.getConnection(jdbcUrl(name), properties(READ))) {
                Set<Long> missing = missing(session, writer);
                return missing.isEmpty() ? null : missing.size() + " are missing, " + missing;
            }
        });
    }

    /** The numbers that were acknowledged and are not there. */
    private static Set<Long> missing(Connection session, Writer writer) throws SQLException {
        Set<Long> missing = new TreeSet<>(writer.acknowledged());
        try (PreparedStatement query = session.prepareStatement("SELECT n FROM rows WHERE writer = ?")) {
            query.setString(1, writer.name());
            try (ResultSet rows = query.executeQuery()) {
                while (rows.next()) {
                    missing.remove(rows.getLong(1));
                }
            }
        }
        return missing;
    }

    // ---- mending

    /** Whatever was done to them: all cells run and take part again, in this mode. */
    public void restore(Mode wanted) {
        for (Cell cell : cells.values()) {
            switch (cell.state) {
                case PAUSED -> resume(cell.name);
                case DOWN -> start(cell.name);
                case NOT_THERE -> run(cell, volume(cell));
                case RUNNING -> {}
            }
            if (!cell.connected) {
                reconnect(cell.name);
            }
        }
        heal();
        Patience.await(
                "somebody answers and knows the cluster",
                STARTED,
                () -> nodes().localClusterFailover().equals("INDETERMINATE") ? summary() : null);
        Patience.await("all cells take part", STARTED, () -> {
            Cluster now = nodes();
            List<String> others = new ArrayList<>(cells.keySet());
            for (Cluster.Node node : now.localClusterState()) {
                switch (node.state()) {
                    case "PRIMARY", "STREAMING" -> others.remove(node.name());
                    case "HALTED" -> {
                        succeeds(api().remove(node.name(), false), TASK);
                        succeeds(api().deploy(node.name()), TASK);
                    }
                    case "REMOVED" -> succeeds(api().deploy(node.name()), TASK);
                    default -> {}
                }
            }
            if (now.localClusterHealth().equals("NO_ACTIVE_PRIMARY")
                    && now.localClusterFailover().equals("MANUAL")) {
                succeeds(api().setMode(true), TASK);
            }
            return others.isEmpty()
                            && now.localClusterHealth().equals("HEALTHY")
                            && now.warnings().isEmpty()
                    ? null
                    : summary();
        });
        if (!nodes().localClusterFailover().equals(wanted.name())) {
            succeeds(api().setMode(wanted == Mode.AUTOMATIC), TASK);
        }
    }

    // ---- containers

    private static DockerClient docker() {
        return DockerClientFactory.lazyClient();
    }

    private Cell cell(String name) {
        Cell cell = cells.get(name);
        if (cell == null) {
            throw new IllegalArgumentException("there is no " + name + ", only " + cells.keySet());
        }
        return cell;
    }

    private String address(Cell cell) {
        return subnet + "." + cell.place;
    }

    private String volume(Cell cell) {
        return id + "-" + cell.name;
    }

    private void makeVolume(Cell cell) {
        Map<String, String> options = disks.containsKey(cell.name)
                ? Map.of(
                        "type",
                        "tmpfs",
                        "device",
                        "tmpfs",
                        "o",
                        "size=" + disks.get(cell.name) + "m,uid=999,gid=999,mode=755")
                : Map.of();
        docker().createVolumeCmd()
                .withName(volume(cell))
                .withDriver("local")
                .withDriverOpts(options)
                .withLabels(mark.labels())
                .exec();
    }

    private void run(Cell cell, String volume) {
        GenericContainer<?> container = new GenericContainer<>(DockerImageName.parse(image))
                .withNetworkMode(id)
                .withLabels(mark.labels())
                .withEnv(environment)
                .withEnv("CELL_NAME", cell.name)
                .withEnv("CELL_CLUSTER_NAME", "testing")
                .withEnv("CELL_FAILOVER_INITIAL_MODE", mode == Mode.AUTOMATIC ? "automatic" : "manual")
                .withEnv("CELL_FAILOVER_BOOTSTRAP_PRIMARY", "cell-1")
                .withEnv("CELL_ZOOKEEPER_CELLS", ensemble())
                .withEnv("CELL_CLUSTER_SECRET_FILE", "/run/secrets/cluster")
                .withEnv("CELL_SECURITY_ROOT_PASSWORD_FILE", "/run/secrets/root")
                .withEnv("CELL_SECURITY_VCLOUD_PASSWORD_FILE", "/run/secrets/vcloud")
                .withEnv("CELL_SECURITY_CA_FILE", "/run/secrets/ca")
                .withEnv("CELL_SECURITY_CERTIFICATE_FILE", "/run/secrets/certificate")
                .withEnv("CELL_SECURITY_KEY_FILE", "/run/secrets/key")
                .withCopyToContainer(Transferable.of(certificates().authority(), 0444), "/run/secrets/ca")
                .withCopyToContainer(Transferable.of(certificates().chain(cell.name), 0444), "/run/secrets/certificate")
                .withCopyToContainer(Transferable.of(certificates().key(cell.name), 0444), "/run/secrets/key")
                .withCopyToContainer(Transferable.of(clusterSecret, 0444), "/run/secrets/cluster")
                .withCopyToContainer(Transferable.of(rootPassword, 0444), "/run/secrets/root")
                .withCopyToContainer(Transferable.of(password, 0444), "/run/secrets/vcloud")
                .withSharedMemorySize(256L << 20)
                .withCreateContainerCmdModifier(create -> shape(create, cell, volume))
                // The cluster is waited for, not the container.
                .waitingFor(new AbstractWaitStrategy() {
                    @Override
                    protected void waitUntilReady() {}
                });
        // Docker forgets the names of those that are down.
        cells.values().forEach(each -> container.withExtraHost(each.name, address(each)));
        container.start();
        cell.container = container;
        cell.outdated = false;
        cell.connected = true;
        cell.state = State.RUNNING;
    }

    private String ensemble() {
        return String.join(
                ",",
                IntStream.rangeClosed(1, count)
                        .mapToObj(n -> "cell-" + n + "=cell-" + n)
                        .toList());
    }

    private void shape(CreateContainerCmd create, Cell cell, String volume) {
        HostConfig config = create.getHostConfig();
        if (config == null) {
            throw new IllegalStateException("a container without a configuration");
        }
        // Fixed ports: others would be others after each start.
        String binding = host.equals("127.0.0.1") ? host : "0.0.0.0";
        config.withPortBindings(
                        new PortBinding(
                                Ports.Binding.bindIpAndPort(binding, cell.postgresPort), ExposedPort.tcp(POSTGRES)),
                        new PortBinding(Ports.Binding.bindIpAndPort(binding, cell.apiPort), ExposedPort.tcp(API)))
                .withBinds(new Bind(volume, new Volume(DATA)))
                .withCapDrop(Capability.ALL)
                .withCapAdd(Capability.NET_ADMIN);
        create.withName(id + "-" + cell.name)
                .withHostName(cell.name)
                .withIpv4Address(address(cell))
                .withExposedPorts(ExposedPort.tcp(POSTGRES), ExposedPort.tcp(API));
    }

    private void awaitDown(Cell cell) {
        Patience.await(cell.name + " is down", VERB, () -> {
            Boolean running =
                    docker().inspectContainerCmd(cell.id()).exec().getState().getRunning();
            return Boolean.TRUE.equals(running) ? "its container runs" : null;
        });
    }

    private Container.ExecResult execute(Cell cell, String user, String... command) {
        GenericContainer<?> container = cell.container;
        if (container == null) {
            throw new IllegalStateException(cell.name + " has no container");
        }
        try {
            return container.execInContainer(
                    ExecConfig.builder().user(user).command(command).build());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError("interrupted", e);
        }
    }

    private void removeContainer(Cell cell) {
        GenericContainer<?> container = cell.container;
        cell.state = State.NOT_THERE;
        cell.container = null;
        if (container != null) {
            saveLog(cell, container.getContainerId());
            docker().removeContainerCmd(container.getContainerId())
                    .withForce(true)
                    .withRemoveVolumes(true)
                    .exec();
        }
    }

    private void saveLog(Cell cell, String container) {
        try {
            Files.createDirectories(logs);
            Path file = logs.resolve(cell.name + ".log");
            Files.writeString(
                    file,
                    LogUtils.getOutput(docker(), container),
                    StandardOpenOption.CREATE,
                    StandardOpenOption.APPEND);
        } catch (IOException | RuntimeException e) {
            System.out.println("  the log of " + cell.name + " is lost: " + e);
        }
    }

    private void makeNetwork() {
        DockerException refused = null;
        for (int n = FIRST_SUBNET; n <= LAST_SUBNET; n++) {
            try {
                network = docker().createNetworkCmd()
                        .withName(id)
                        .withLabels(mark.labels())
                        .withIpam(new Network.Ipam()
                                .withConfig(new Network.Ipam.Config().withSubnet("172.28." + n + ".0/24")))
                        .exec()
                        .getId();
                subnet = "172.28." + n;
                return;
            } catch (DockerException taken) {
                refused = taken;
            }
        }
        throw new IllegalStateException("no network could be made", refused);
    }

    private static List<Integer> freePorts(int wanted) {
        List<ServerSocket> held = new ArrayList<>();
        try {
            for (int i = 0; i < wanted; i++) {
                held.add(new ServerSocket(0, 1, InetAddress.getLoopbackAddress()));
            }
            return held.stream().map(ServerSocket::getLocalPort).toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } finally {
            for (ServerSocket socket : held) {
                try {
                    socket.close();
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            }
        }
    }

    private static String secret(int bytes) {
        byte[] random = new byte[bytes];
        new SecureRandom().nextBytes(random);
        return HexFormat.of().formatHex(random);
    }

    // ---- clearing away

    private void removeAll() {
        for (Cell cell : cells.values()) {
            GenericContainer<?> container = cell.container;
            if (container != null) {
                saveLog(cell, container.getContainerId());
            }
        }
        mark.close();
        cells.clear();
    }
}
