package org.cellkeeper.cell.zookeeper;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.security.sasl.SaslException;
import org.apache.zookeeper.server.ZKDatabase;
import org.apache.zookeeper.server.persistence.FileTxnSnapLog;
import org.apache.zookeeper.server.quorum.Follower;
import org.apache.zookeeper.server.quorum.Leader;
import org.apache.zookeeper.server.quorum.PatientFollower;
import org.apache.zookeeper.server.quorum.QuorumCnxManager;
import org.apache.zookeeper.server.quorum.QuorumPeer;
import org.apache.zookeeper.server.quorum.QuorumPeerMain;
import org.cellkeeper.cell.trust.Credentials;
import org.cellkeeper.cell.trust.Identity;
import org.cellkeeper.cell.trust.NativeCryptography;
import org.cellkeeper.cell.wire.DurableFiles;
import org.cellkeeper.cell.wire.Json;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The member of the ZooKeeper ensemble that runs beside a cell, as a process of its own: {@code main} reads its settings
 * from a file, writes {@code zoo.cfg} and {@code myid}, and becomes the server. It ends by SIGTERM or SIGKILL, and is
 * started again by whoever started it; it keeps nothing that a restart would lose.
 */
public final class ZooKeeperServer {
    private static final Logger LOG = LoggerFactory.getLogger(ZooKeeperServer.class);

    /** A small heap and few threads: the whole cluster state is some kilobytes. */
    private static final List<String> FOOTPRINT = List.of(
            "-Xms16m",
            "-Xmx96m",
            "-Xss256k",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-XX:ReservedCodeCacheSize=24m",
            "-XX:MaxMetaspaceSize=64m",
            "-XX:+ExitOnOutOfMemoryError",
            NativeCryptography.FLAG,
            "-Dzookeeper.nio.numSelectorThreads=1",
            "-Dzookeeper.nio.numWorkerThreads=2",
            "-Dzookeeper.commitProcessor.numWorkerThreads=1",
            "-Dzookeeper.preAllocSize=1024",
            "-Dzookeeper.jmx.log4j.disable=true",
            // Netty, where connections are encrypted: few threads, little memory set aside, nothing of its own to
            // unpack.
            "-Dio.netty.eventLoopThreads=2",
            "-Dio.netty.allocator.type=unpooled",
            "-Dio.netty.transport.noNative=true",
            "-Dio.netty.noUnsafe=true",
            ClientEntrance.LOOK);

    /** One that finds its data gone takes part in no election, until it has them again from one that leads. */
    private static final String EMPTY_DOES_NOT_VOTE = "-Dzookeeper.db.autocreate=false";

    private static final long RENEWAL_MILLIS = 1000;

    private static final String SETTINGS = "peer.json";
    private static final String CONFIGURATION = "zoo.cfg";
    private static final String DATA = "data";
    private static final String VERSION = "version-2";
    private static final String FIRST_START = "initialize";
    private static final String UNUSABLE = "unusable";

    /** What keeps an election short when a member is dead: by default it waits seconds for it. */
    private static final List<String> HASTE = List.of(
            "-Dzookeeper.cnxTimeout=500",
            "-Dzookeeper.fastleader.minNotificationInterval=100",
            "-Dzookeeper.fastleader.maxNotificationInterval=500",
            "-Dzookeeper.leaderConnectDelayDuringRetryMs=20",
            "-Dzookeeper.tcpKeepAlive=true",
            "-Dzookeeper.learner.closeSocketAsync=true",
            "-Dzookeeper.leader.closeSocketAsync=true");

    private static final Pattern SERVER = Pattern.compile("server\\.(\\d{1,3})=\\[?(.*?)]?:\\d+:\\d+");

    private ZooKeeperServer() {}

    /** The command that runs a member; {@code settingsFile} holds {@link ZooKeeperServerSettings} as JSON. */
    public static List<String> command(Path java, String classPath, Path settingsFile) {
        List<String> command = new ArrayList<>();
        command.add(java.toString());
        command.addAll(FOOTPRINT);
        command.addAll(HASTE);
        command.add(EMPTY_DOES_NOT_VOTE);
        command.addAll(List.of("-cp", classPath, ZooKeeperServer.class.getName(), settingsFile.toString()));
        return command;
    }

    public static void main(String[] arguments) throws IOException, Json.Unreadable {
        if (arguments.length != 1) {
            throw new IllegalArgumentException("one argument is expected: the file with the settings");
        }
        NativeCryptography.use();
        ZooKeeperServerSettings settings =
                Json.read(Files.readAllBytes(Path.of(arguments[0])), ZooKeeperServerSettings.class);
        int code = 0;
        try {
            encrypt(settings);
            new Server(settings).run(prepare(settings));
        } catch (Exception e) {
            Throwable reason = e.getCause() == null ? e : e.getCause();
            LOG.error("The ZooKeeper server cannot run: {}", reason.toString());
            code = 1;
        }
        System.exit(code);
    }

    /** ZooKeeper's own server, but for one whose files it cannot use. */
    private static final class Server extends QuorumPeerMain {
        private final ZooKeeperServerSettings settings;

        Server(ZooKeeperServerSettings settings) {
            this.settings = settings;
        }

        void run(Path configuration) throws Exception {
            initializeAndRun(new String[] {configuration.toString()});
        }

        @Override
        protected QuorumPeer getQuorumPeer() throws SaslException {
            return new QuorumPeer() {
                private final Doorkeeper doorkeeper = new Doorkeeper();
                private @Nullable ZKDatabase database;

                @Override
                public void setZKDatabase(ZKDatabase read) {
                    database = read;
                    super.setZKDatabase(read);
                }

                @Override
                public QuorumCnxManager createCnxnManager() {
                    return doorkeeper.elections(this, getTickTime() * getSyncLimit());
                }

                @Override
                protected Leader makeLeader(FileTxnSnapLog files) throws IOException {
                    return doorkeeper.leader(this, files, Objects.requireNonNull(database));
                }

                @Override
                protected Follower makeFollower(FileTxnSnapLog files) throws IOException {
                    return new PatientFollower(this, files, Objects.requireNonNull(database));
                }

                @Override
                public synchronized void start() {
                    Path folder = Path.of(settings.folder());
                    try {
                        super.start();
                        Files.deleteIfExists(folder.resolve(UNUSABLE));
                    } catch (IOException e) {
                        throw new UncheckedIOException(e);
                    } catch (RuntimeException e) {
                        if (e.getCause() instanceof IOException unusable) {
                            giveUp(settings, String.valueOf(unusable.getMessage()));
                        }
                        throw e;
                    }
                }
            };
        }
    }

    /**
     * Its files cannot be read, after a loss of power, say. While another one leads, and so a majority runs without it, they are put
     * aside: the next start finds nothing, votes for nobody, and takes all from the leader. Else they are left as they are, for they
     * may be what is left.
     */
    private static void giveUp(ZooKeeperServerSettings settings, String reason) {
        Path folder = Path.of(settings.folder());
        try {
            Files.writeString(folder.resolve(UNUSABLE), reason + "\n");
            ZooKeeperServerSettings.Tls tls = settings.tls();
            Credentials credentials = tls == null || !tls.encryption().speaks() ? null : credentials(tls);
            boolean led = settings.servers().entrySet().stream()
                    .filter(server -> server.getKey() != settings.self())
                    .map(server -> ZooKeeperServerStatus.of(
                            server.getValue().host(), server.getValue().clientPort(), credentials))
                    .anyMatch(ZooKeeperServerStatus::isLeading);
            if (!led) {
                return;
            }
            Path aside = folder.resolve("unusable-data");
            deleteAll(aside);
            Files.move(folder.resolve(DATA).resolve(VERSION), aside);
            LOG.warn(
                    "Its files cannot be used and are in {} now; the server takes the data of the one that leads",
                    aside);
        } catch (IOException e) {
            LOG.warn("Its files cannot be put aside: {}", e.toString());
        }
    }

    /** What it shows its clients is renewed while it runs, as is what it shows the other servers. */
    private static void encrypt(ZooKeeperServerSettings settings) throws IOException {
        ZooKeeperServerSettings.Tls tls = settings.tls();
        if (tls == null) {
            return;
        }
        Renewing renewing = new Renewing(tls);
        ClientEntrance.guard(renewing.credentials);
        var unused = Executors.newSingleThreadScheduledExecutor(
                        Thread.ofPlatform().name("certificates").daemon().factory())
                .scheduleWithFixedDelay(renewing::look, RENEWAL_MILLIS, RENEWAL_MILLIS, TimeUnit.MILLISECONDS);
    }

    private static final class Renewing {
        private final ZooKeeperServerSettings.Tls tls;
        private final List<Path> files;
        private final Credentials credentials;
        private List<String> known;

        Renewing(ZooKeeperServerSettings.Tls tls) throws IOException {
            this.tls = tls;
            files = List.of(Path.of(tls.own()), Path.of(tls.authorities()));
            known = texts(files);
            credentials = credentials(tls);
        }

        void look() {
            try {
                List<String> found = texts(files);
                if (!found.equals(known)) {
                    credentials.renew(identity(tls));
                    known = found;
                }
            } catch (IOException | RuntimeException unusable) {
                LOG.debug("The certificate cannot be renewed: {}", unusable.toString());
            }
        }
    }

    private static List<String> texts(List<Path> files) throws IOException {
        List<String> texts = new ArrayList<>();
        for (Path file : files) {
            texts.add(Files.readString(file));
        }
        return texts;
    }

    private static Credentials credentials(ZooKeeperServerSettings.Tls tls) throws IOException {
        return new Credentials(tls.encryption(), identity(tls));
    }

    private static Identity identity(ZooKeeperServerSettings.Tls tls) throws IOException {
        String own = Files.readString(Path.of(tls.own()));
        try {
            return Identity.of(Files.readString(Path.of(tls.authorities())), own, own);
        } catch (GeneralSecurityException e) {
            throw new IOException("this server's certificate cannot be used: " + e.getMessage(), e);
        }
    }

    private static void deleteAll(Path folder) throws IOException {
        if (Files.exists(folder)) {
            try (Stream<Path> all = Files.walk(folder)) {
                for (Path each : all.sorted(Comparator.reverseOrder()).toList()) {
                    Files.delete(each);
                }
            }
        }
    }

    /** Why the server in this folder cannot use its files; empty when it can. */
    public static String unusable(Path folder) throws IOException {
        Path words = folder.resolve(UNUSABLE);
        return Files.exists(words) ? Files.readString(words).strip() : "";
    }

    /** Writes the server's own files; answers with its configuration. */
    static Path prepare(ZooKeeperServerSettings settings) throws IOException {
        Path folder = Path.of(settings.folder());
        Files.createDirectories(folder.resolve(DATA));
        Files.writeString(folder.resolve(DATA).resolve("myid"), settings.self() + "\n");
        return Files.writeString(folder.resolve(CONFIGURATION), settings.configuration());
    }

    /** Writes the file that {@link #command} names; answers with it. */
    public static Path write(ZooKeeperServerSettings settings) throws IOException {
        Path folder = Files.createDirectories(Path.of(settings.folder()));
        return Files.write(folder.resolve(SETTINGS), Json.write(settings));
    }

    /**
     * Whether the data in this folder are of this cluster, which the first call notes, by the first of its marks. A server with another cluster's must not join:
     * it would lose what it holds, or, having seen more, make the others lose what they hold.
     */
    public static boolean isOf(Path folder, List<String> marks) throws IOException {
        Files.createDirectories(folder);
        Path mark = folder.resolve("cluster");
        String known = Files.exists(mark) ? Files.readString(mark).strip() : "";
        boolean ours = known.isEmpty() || marks.contains(known);
        if (ours && !known.equals(marks.getFirst())) {
            DurableFiles.replace(
                    mark, folder.resolve("cluster.tmp"), (marks.getFirst() + "\n").getBytes(StandardCharsets.UTF_8));
        }
        return ours;
    }

    /** Lets a member that has never run vote although it holds nothing; the server itself takes that back at its start. */
    public static void letVoteThoughEmpty(Path folder) throws IOException {
        Path data = Files.createDirectories(folder.resolve(DATA));
        if (isEmpty(folder) && !Files.exists(data.resolve(FIRST_START))) {
            Files.createFile(data.resolve(FIRST_START));
        }
    }

    /** Whether it holds no data at all. */
    public static boolean isEmpty(Path folder) throws IOException {
        Path data = folder.resolve(DATA).resolve(VERSION);
        if (!Files.isDirectory(data)) {
            return true;
        }
        try (Stream<Path> files = Files.list(data)) {
            return files.map(file -> file.getFileName().toString())
                    .noneMatch(name -> name.startsWith("snapshot.") || name.startsWith("log."));
        }
    }

    /** The hosts of the servers that the member in this folder runs with; null while it has not begun to run with its settings. */
    public static @Nullable List<String> runsWith(Path folder) throws IOException {
        try {
            ZooKeeperServerSettings settings =
                    Json.read(Files.readAllBytes(folder.resolve(SETTINGS)), ZooKeeperServerSettings.class);
            String running = Files.readString(folder.resolve(CONFIGURATION));
            return running.equals(settings.configuration()) ? settings.hosts() : null;
        } catch (NoSuchFileException | Json.Unreadable e) {
            return null;
        }
    }

    /** The hosts of the servers that the member in this folder last ran with; empty when it has never run. */
    public static List<String> ranWith(Path folder) throws IOException {
        TreeMap<Integer, String> hosts = new TreeMap<>();
        try {
            for (String line : Files.readAllLines(folder.resolve(CONFIGURATION))) {
                Matcher server = SERVER.matcher(line);
                if (server.matches()) {
                    hosts.put(Integer.parseInt(server.group(1)), server.group(2));
                }
            }
        } catch (NoSuchFileException e) {
            return List.of();
        }
        return List.copyOf(hosts.values());
    }
}
