package org.cellkeeper.cell.zookeeper;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.cellkeeper.cell.trust.Certified;
import org.cellkeeper.cell.trust.Credentials;
import org.cellkeeper.cell.trust.Encryption;
import org.cellkeeper.cell.trust.TrustFolder;
import org.jspecify.annotations.Nullable;

/** A real ensemble: each member is a process of its own, started as in production, on free loopback ports. */
final class Ensemble implements AutoCloseable {
    private static final long PATIENCE_MILLIS = 30_000;

    private final Path folder;
    private Encryption encryption;
    private final SortedMap<Integer, ZooKeeperServerSettings.Server> servers = new TreeMap<>();
    private final SortedMap<Integer, Process> processes = new TreeMap<>();

    /** One member per host; encrypted. */
    Ensemble(Path folder, String... hosts) throws IOException {
        this(Encryption.REQUIRED, folder, hosts);
    }

    Ensemble(Encryption encryption, Path folder, String... hosts) throws IOException {
        this.encryption = encryption;
        this.folder = folder;
        for (int i = 0; i < hosts.length; i++) {
            int[] ports = freePorts(hosts[i], 3);
            servers.put(i + 1, new ZooKeeperServerSettings.Server(hosts[i], ports[0], ports[1], ports[2]));
        }
    }

    static int[] freePorts(String host, int count) throws IOException {
        List<ServerSocket> sockets = new ArrayList<>();
        try {
            int[] ports = new int[count];
            for (int i = 0; i < count; i++) {
                ServerSocket socket = new ServerSocket();
                sockets.add(socket);
                socket.bind(new InetSocketAddress(InetAddress.getByName(host), 0));
                ports[i] = socket.getLocalPort();
            }
            return ports;
        } finally {
            for (ServerSocket socket : sockets) {
                socket.close();
            }
        }
    }

    Ensemble start() throws Exception {
        return startFirst(servers.size());
    }

    void start(int number) throws IOException {
        startAmong(number, servers.size());
    }

    /** With a list of the first {@code count} members only. */
    void startAmong(int number, int count) throws IOException {
        Path home = home(number);
        Path settings = ZooKeeperServer.write(settings(number, count, encryption));
        List<String> command = ZooKeeperServer.command(
                Path.of(System.getProperty("java.home"), "bin", "java"),
                System.getProperty("java.class.path"),
                settings);
        processes.put(
                number,
                new ProcessBuilder(command)
                        .redirectErrorStream(true)
                        .redirectOutput(ProcessBuilder.Redirect.appendTo(
                                home.resolve("peer.log").toFile()))
                        .start());
    }

    /** Members that are started from now on are encrypted so far. */
    void encrypt(Encryption next) {
        encryption = next;
    }

    /** Member and server agree on how far they are encrypted. */
    ZooKeeperServerSettings settings(int number, int count, Encryption how) throws IOException {
        Path home = home(number);
        ZooKeeperServerSettings.Tls tls = null;
        if (how.accepts()) {
            TrustFolder own = new TrustFolder(home.resolve("tls"));
            own.write(Certified.cells()
                    .identity("cell-" + number, servers.get(number).host()));
            tls = new ZooKeeperServerSettings.Tls(own, how);
        }
        return new ZooKeeperServerSettings(home.toString(), number, servers.headMap(count + 1), tls);
    }

    /** What a client of it shows; null when nothing is encrypted. */
    @Nullable
    TrustFolder trust() {
        if (!encryption.speaks()) {
            return null;
        }
        TrustFolder client = new TrustFolder(folder.resolve("client-tls"));
        try {
            client.write(Certified.cells().identity("client"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return client;
    }

    private @Nullable Credentials credentials() {
        return encryption.speaks() ? Certified.cells().credentials(encryption, "client") : null;
    }

    /** The first {@code count} members, who know of no others. None is left behind when they do not come up. */
    Ensemble startFirst(int count) throws Exception {
        boolean serves = false;
        try {
            for (int number = 1; number <= count; number++) {
                ZooKeeperServer.letVoteThoughEmpty(home(number));
                startAmong(number, count);
            }
            awaitServing(count);
            serves = true;
        } finally {
            if (!serves) {
                close();
            }
        }
        return this;
    }

    Path home(int number) throws IOException {
        return Files.createDirectories(folder.resolve("peer-" + number));
    }

    void awaitServing() throws InterruptedException {
        awaitServing(servers.size());
    }

    void awaitServing(int count) throws InterruptedException {
        await(
                "the first " + count + " members serve",
                () -> servers.headMap(count + 1).keySet().stream()
                        .allMatch(number -> status(number).isServing()));
    }

    ZooKeeperServerStatus status(int number) {
        ZooKeeperServerSettings.Server server = servers.get(number);
        return ZooKeeperServerStatus.of(server.host(), server.clientPort(), credentials());
    }

    int leader() throws InterruptedException {
        await(
                "a member leads",
                () -> servers.keySet().stream()
                        .anyMatch(number -> status(number).isLeading()));
        return servers.keySet().stream()
                .filter(number -> status(number).isLeading())
                .findFirst()
                .orElseThrow();
    }

    List<String> addresses() {
        return servers.values().stream()
                .map(server -> server.host() + ":" + server.clientPort())
                .toList();
    }

    ZooKeeperServerSettings.Server server(int number) {
        return servers.get(number);
    }

    long pid(int number) {
        return processes.get(number).pid();
    }

    /** SIGKILL. */
    void kill(int number) throws InterruptedException {
        processes.get(number).destroyForcibly().waitFor(10, TimeUnit.SECONDS);
    }

    /** STOP or CONT. */
    void signal(int number, String name) throws IOException, InterruptedException {
        Process kill = new ProcessBuilder("kill", "-s", name, Long.toString(pid(number))).start();
        if (kill.waitFor() != 0) {
            throw new IOException("kill -s " + name + " failed");
        }
    }

    long residentKilobytes(int number) throws IOException {
        return Files.readAllLines(Path.of("/proc/" + pid(number) + "/status")).stream()
                .filter(line -> line.startsWith("VmRSS:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")))
                .findFirst()
                .orElseThrow();
    }

    static void await(String what, BooleanSupplier condition) throws InterruptedException {
        CountDownLatch never = new CountDownLatch(1);
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(PATIENCE_MILLIS);
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() > deadline || never.await(20, TimeUnit.MILLISECONDS)) {
                throw new AssertionError("did not come true in time: " + what);
            }
        }
    }

    @Override
    public void close() {
        for (Process process : processes.values()) {
            process.destroyForcibly();
        }
        for (Process process : processes.values()) {
            process.onExit().completeOnTimeout(process, 10, TimeUnit.SECONDS).join();
        }
    }
}
