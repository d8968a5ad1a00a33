package org.cellkeeper.cell;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.JarURLConnection;
import java.net.URL;
import java.net.URLConnection;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import java.util.jar.JarFile;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.cellkeeper.cell.app.AppContext;
import org.cellkeeper.cell.app.AppSettings;
import org.cellkeeper.cell.app.CellApp;
import org.cellkeeper.cell.backup.ShareBackups;
import org.cellkeeper.cell.config.CellConfig;
import org.cellkeeper.cell.config.CellConfig.ZooKeeper;
import org.cellkeeper.cell.config.Judges;
import org.cellkeeper.cell.config.Source;
import org.cellkeeper.cell.decide.CellRules;
import org.cellkeeper.cell.decide.View;
import org.cellkeeper.cell.door.NoDoor;
import org.cellkeeper.cell.guard.GuardWatch;
import org.cellkeeper.cell.guard.Heartbeat;
import org.cellkeeper.cell.guard.Role;
import org.cellkeeper.cell.guard.StartSteps;
import org.cellkeeper.cell.http.ApiSettings;
import org.cellkeeper.cell.http.ApplianceApi;
import org.cellkeeper.cell.journal.FileJournal;
import org.cellkeeper.cell.loop.BackupTaskRunner;
import org.cellkeeper.cell.loop.CellBackupOperator;
import org.cellkeeper.cell.loop.CellLoop;
import org.cellkeeper.cell.loop.CellOperator;
import org.cellkeeper.cell.loop.HealthHistory;
import org.cellkeeper.cell.loop.Mailbox;
import org.cellkeeper.cell.loop.Ports;
import org.cellkeeper.cell.loop.SystemClock;
import org.cellkeeper.cell.metrics.CellMetrics;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.CellSettings;
import org.cellkeeper.cell.model.CellState;
import org.cellkeeper.cell.model.ClusterReport;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.Ensemble;
import org.cellkeeper.cell.model.EnsembleServer;
import org.cellkeeper.cell.model.Incarnation;
import org.cellkeeper.cell.model.LocalState;
import org.cellkeeper.cell.model.PeerLink;
import org.cellkeeper.cell.model.PeerView;
import org.cellkeeper.cell.model.VersionedState;
import org.cellkeeper.cell.peer.TcpPeers;
import org.cellkeeper.cell.port.Backups;
import org.cellkeeper.cell.postgres.LocalPostgres;
import org.cellkeeper.cell.postgres.PostgresAppDatabase;
import org.cellkeeper.cell.postgres.PostgresArchive;
import org.cellkeeper.cell.postgres.PostgresReload;
import org.cellkeeper.cell.postgres.PostgresSettings;
import org.cellkeeper.cell.wire.Json;
import org.cellkeeper.cell.zookeeper.CoordinationSettings;
import org.cellkeeper.cell.zookeeper.EnsembleWatch;
import org.cellkeeper.cell.zookeeper.ServerWatch;
import org.cellkeeper.cell.zookeeper.ZooKeeperCoordination;
import org.cellkeeper.cell.zookeeper.ZooKeeperServer;
import org.cellkeeper.cell.zookeeper.ZooKeeperServerSettings;
import org.cellkeeper.cell.zookeeper.ZooKeeperServerStatus;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Composes a cell's agent by hand: starts its parts in order, and stops them in reverse. Also lays out the folder that a cell lives
 * in, and the command that its guard is started by.
 */
public final class Wiring implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Wiring.class);
    private static final long BEAT_MILLIS = 250;
    private static final long STOP_SECONDS = 10;
    private static final int PROGRAMMER_ERROR = 70;

    /** Environment: the file that the agent is to record in what it loads, so that a start cache can be made of it. */
    private static final String RECORDING = "CELLKEEPER_RECORDING";

    /** It may be written on a starved machine. */
    private static final long RECORDING_MILLIS = TimeUnit.MINUTES.toMillis(5);

    /** Small and single-minded: an agent decides little, but must decide soon after its start. */
    private static final List<String> AGENT_FLAGS = List.of(
            "-Xms24m",
            "-Xmx96m",
            "-Xss512k",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-XX:ReservedCodeCacheSize=32m",
            // Priorities of threads count; and who is not root, and so may lower them only, need not be told so.
            "-XX:ThreadPriorityPolicy=1",
            "-XX:-PrintWarnings",
            "-XX:+ExitOnOutOfMemoryError",
            "-Dio.netty.noUnsafe=true");

    private static final List<String> GUARD_FLAGS = List.of(
            "-Xms4m",
            "-Xmx16m",
            "-Xss256k",
            "-XX:+UseSerialGC",
            // It does next to nothing: a compiler would only take memory.
            "-Xint",
            "-XX:-UsePerfData",
            "--limit-modules",
            "java.base");

    private static final Duration LOOK_EVERY = Duration.ofSeconds(2);

    private final Source source;
    private final Source.Choice choice;
    private final CellConfig config;
    private final Deque<AutoCloseable> started = new ArrayDeque<>();

    /** @param choice of what there is in {@code source} */
    public Wiring(Source source, Source.Choice choice) {
        this.source = source;
        this.choice = choice;
        this.config = choice.config();
    }

    /** Those who are to use a configuration, as {@link #start} makes them use it. */
    public static Judges judges() {
        return new Judges() {
            @Override
            public List<String> settings(Path binDir, String osUser, Map<String, String> settings) {
                return LocalPostgres.problems(binDir, isRoot() ? osUser : null, settings);
            }

            @Override
            public List<String> certificate(String chain, String key) {
                String problem = new ApiSettings.Pem(chain, key).problem();
                return problem.isEmpty() ? List.of() : List.of(problem);
            }

            @Override
            public List<String> servers(CellConfig config) {
                String refusal = refusedServers(config);
                return refusal.isEmpty() ? List.of() : List.of(refusal);
            }
        };
    }

    // ---- the folder

    /** Makes the cell's folders, and the argument file that its guard is started with; tells where that lies. */
    public static Path prepare(CellConfig config, @Nullable Path configFile) throws IOException {
        Files.createDirectories(config.dataDir());
        for (String folder : List.of("run", "state", "api")) {
            Files.createDirectories(config.dataDir().resolve(folder));
        }
        Files.writeString(run(config).resolve("api.url"), url(config) + "\n");
        Path java = Path.of(System.getProperty("java.home"), "bin", "java");
        String classPath = System.getProperty("java.class.path");
        List<String> cache = startCache(Path.of(classPath));
        List<String> arguments = new ArrayList<>(GUARD_FLAGS);
        arguments.addAll(List.of(
                "-cp",
                classPath,
                "org.cellkeeper.cell.guard.Guard",
                "--run=" + run(config),
                "--guard-timeout-millis=" + config.guardTimeout().toMillis()));
        String recording = System.getenv(RECORDING);
        if (recording != null) {
            // At its end it writes the recording, and nobody waits for this cell's PostgreSQL.
            arguments.add("--agent-stop-millis=" + RECORDING_MILLIS);
        }
        arguments.addAll(List.of("--agent-command", java.toString()));
        arguments.addAll(AGENT_FLAGS);
        arguments.addAll(
                recording == null ? cache : List.of("-XX:AOTMode=record", "-XX:AOTConfiguration=" + recording));
        arguments.addAll(List.of("-cp", classPath, Main.class.getName(), "agent"));
        if (configFile != null) {
            arguments.addAll(List.of("--config", configFile.toAbsolutePath().toString()));
        }
        arguments.addAll(List.of("--data-dir", config.dataDir().toString()));
        CellConfig.Server own = ownServer(config);
        if (own != null && config.zookeeper() instanceof ZooKeeper.Cells cells) {
            Path folder = serverFolder(config);
            String refusal = refusedServers(config);
            if (!refusal.isEmpty()) {
                LOG.error("This cell's ZooKeeper server is not started: {}", refusal);
            } else if (isOfThisCluster(config, folder)) {
                Path settings = ZooKeeperServer.write(peerSettings(config, cells, folder, own.id()));
                if (Known.of(config).isNewServer(config.host())) {
                    ZooKeeperServer.letVoteThoughEmpty(folder);
                }
                arguments.add("--zookeeper-command");
                List<String> command = ZooKeeperServer.command(java, classPath, settings);
                command.addAll(1, cache);
                arguments.addAll(command);
            }
        }
        StringBuilder text = new StringBuilder();
        for (String argument : arguments) {
            text.append('"')
                    .append(argument.replace("\\", "\\\\").replace("\"", "\\\""))
                    .append("\"\n");
        }
        return Files.writeString(run(config).resolve("guard.args"), text);
    }

    /**
     * The JVM's ahead-of-time cache of this very program, where one was made beside it (appliance-image/rehearse): agent and peer
     * start with less work, and are less slow when they do for the first time what was rehearsed.
     */
    private static List<String> startCache(Path program) throws IOException {
        Path cache = program.resolveSibling("cell.aot");
        boolean fits = Files.exists(cache)
                && Files.getLastModifiedTime(cache).compareTo(Files.getLastModifiedTime(program)) >= 0;
        return fits ? List.of("-XX:AOTCache=" + cache) : List.of();
    }

    static String url(CellConfig config) {
        String host = config.host().contains(":") ? "[" + config.host() + "]" : config.host();
        return "https://" + host + ":" + config.ports().api();
    }

    private static Path run(CellConfig config) {
        return config.dataDir().resolve("run");
    }

    /**
     * Whether the ZooKeeper data in this folder are this cluster's; the first start notes whose they are. A peer with another
     * cluster's must not join: it would lose what it holds, or, having seen more, make the others lose what they hold.
     */
    private static boolean isOfThisCluster(CellConfig config, Path folder) throws IOException {
        Files.createDirectories(folder);
        String purpose = "zookeeper data of " + config.cluster().name();
        String cluster =
                HexFormat.of().formatHex(derived(config.cluster().secret().secret(), purpose));
        Path mark = folder.resolve("cluster");
        String known = Files.exists(mark) ? Files.readString(mark).strip() : "";
        if (known.isEmpty()) {
            Files.writeString(mark, cluster + "\n");
        }
        return known.isEmpty() || known.equals(cluster);
    }

    private static Path serverFolder(CellConfig config) {
        return config.dataDir().resolve("zookeeper");
    }

    /**
     * What this cell durably knows of its ensemble, before anything runs.
     *
     * @param nothing whether it has never read a cluster's state
     * @param servers on record; null when none are known to be
     */
    private record Known(boolean nothing, @Nullable List<String> servers) {
        static Known of(CellConfig config) throws IOException {
            VersionedState seen;
            try {
                LocalState local = FileJournal.peek(config.dataDir().resolve("state"));
                seen = local == null ? null : local.seen();
            } catch (IllegalStateException unusable) {
                // The agent says so. Nothing else is known then but what the server ran with.
                return new Known(false, ranWith(config));
            }
            if (seen == null) {
                return new Known(true, null);
            }
            Ensemble recorded = seen.state().ensemble();
            return new Known(false, recorded == null ? ranWith(config) : recorded.servers());
        }

        /** It has never voted, and so has nothing to forget. */
        boolean isNewServer(String host) {
            return nothing || (servers != null && !servers.contains(host));
        }

        private static @Nullable List<String> ranWith(CellConfig config) throws IOException {
            List<String> before = ZooKeeperServer.ranWith(serverFolder(config));
            return before.isEmpty() ? null : before;
        }
    }

    /** Why neither a server nor an agent may run with the list in this configuration; empty when they may. Changes nothing. */
    public static String refusedServers(CellConfig config) {
        try {
            List<String> recorded = Known.of(config).servers();
            return recorded == null || !(config.zookeeper() instanceof ZooKeeper.Cells cells)
                    ? ""
                    : Ensemble.refusal(recorded, cells.hosts());
        } catch (IOException | UncheckedIOException e) {
            return "what this cell knows of its ensemble cannot be read: " + e.getMessage();
        }
    }

    /** Those of the cluster, also when the configuration has others. */
    private CellSettings settings() throws IOException {
        String refusal = refusedServers(config);
        CellSettings settings = config.settings();
        if (refusal.isEmpty()) {
            return settings;
        }
        LOG.error("The agent goes on with the servers on record: {}", refusal);
        List<String> recorded = Known.of(config).servers();
        return settings.withServers(recorded == null ? List.of() : recorded, refusal);
    }

    static ZooKeeperServerSettings peerSettings(CellConfig config, ZooKeeper.Cells cells, Path folder, int self) {
        CellConfig.Ports ports = config.ports();
        TreeMap<Integer, ZooKeeperServerSettings.Server> servers = new TreeMap<>();
        for (CellConfig.Server server : cells.servers()) {
            servers.put(
                    server.id(),
                    new ZooKeeperServerSettings.Server(
                            server.host(),
                            ports.zookeeperClient(),
                            ports.zookeeperQuorum(),
                            ports.zookeeperElection()));
        }
        return new ZooKeeperServerSettings(folder.toString(), self, servers);
    }

    // ---- the agent

    /** Starts everything; returns at once. */
    public void start() throws IOException {
        StartSteps steps = new StartSteps(run(config));
        steps.made("the configuration is read");
        byte[] secret = config.cluster().secret().secret();
        CellSettings settings = settings();
        Path zookeeper = serverFolder(config);
        if (Files.exists(zookeeper) && !isOfThisCluster(config, zookeeper)) {
            LOG.error(
                    "The ZooKeeper data in {} belong to another cluster: this cell's peer is not started. Give the cell its own"
                            + " volume, or an empty one",
                    zookeeper);
        }
        Mailbox mailbox = opened(new Mailbox(Wiring::fence));
        SystemClock clock = new SystemClock(mailbox);
        FileJournal journal = opened(new FileJournal(config.dataDir().resolve("state")));
        steps.made("the cell's state is open");
        makePostgresFolder();
        PostgresSettings postgresSettings = postgresSettings(secret);
        LocalPostgres postgres = opened(new LocalPostgres(postgresSettings));
        steps.made("PostgreSQL's programs are found");
        TcpPeers peers = opened(new TcpPeers(
                config.name(),
                new InetSocketAddress(config.host(), config.ports().link()),
                secret,
                config.heartbeat()));
        ZooKeeperCoordination coordination =
                opened(new ZooKeeperCoordination(coordinationSettings(config, settings.servers())));
        steps.made("ZooKeeper and the other agents are called");
        SecureRandom random = new SecureRandom();
        CellRules rules = new CellRules(() -> Incarnation.of(random.nextInt()));
        Ports ports = new Ports(clock, coordination, postgres, new NoDoor(), peers, journal);
        CellLoop loop = new CellLoop(settings, mailbox, ports, rules::decide, () -> Incarnation.of(random.nextInt()));
        if (ownServer(config) != null) {
            opened(new ServerWatch(
                    zookeeper,
                    run(config).resolve("zookeeper.hold"),
                    found -> loop.ownServer(found.servers(), found.empty(), found.problem())));
        }
        Map<String, CellName> owners = ownersOfServers();
        coordination.passBy(server -> isGone(loop.snapshot(), owners.get(server)));
        EnsembleWatch ensemble = opened(new EnsembleWatch(serverAddresses(settings.servers())));
        CellOperator operator = new CellOperator(
                loop, ports, () -> ensembleServers(settings.servers(), ensemble), Wiring::nothingKnown);
        Backups backups = new ShareBackups(
                config.transferFolder(),
                new PostgresArchive(postgresSettings),
                config.name(),
                version(),
                Json.write(config));
        CellBackupOperator backupOperator = opened(new CellBackupOperator(loop, ports, backups));
        BackupTaskRunner backupTasks = opened(new BackupTaskRunner(loop, ports, backups));
        CellMetrics metrics = new CellMetrics(operator, () -> {
            CellLoop.Snapshot snapshot = loop.snapshot();
            return new CellMetrics.Agent(
                    mailbox.busy(),
                    postgres.looks(),
                    snapshot == null ? 0 : snapshot.takeovers().ballots(),
                    snapshot == null ? 0 : snapshot.takeovers().vetoed());
        });
        loop.onTakeover(metrics::takeover);
        CellApp app = opened(new CellApp(
                appSettings(secret),
                () -> context(loop.snapshot()),
                new PostgresAppDatabase(postgresSettings),
                operator::history));
        ApiSettings apiSettings = apiSettings(secret);
        ApiServing api = opened(new ApiServing(() -> new ApplianceApi(
                apiSettings,
                operator,
                backupOperator,
                app,
                coordination,
                new PostgresReload(postgresSettings),
                zookeeperStatus(),
                metrics::scrape)));
        steps.made("all parts are made, the loop begins");
        Heartbeat heartbeat = opened(new Heartbeat(run(config)));
        mailbox.every(BEAT_MILLIS, () -> beat(heartbeat, loop));
        loop.start();
        started.push(() -> {
            LOG.info("Stopping");
            loop.stop().get(STOP_SECONDS, TimeUnit.SECONDS);
        });
        backupTasks.start();
        new HealthHistory(loop, ports, operator).start();
        app.start();
        GuardWatch.start(System.getenv(), System.in, () -> System.exit(0));
        api.serve();
        LOG.info("The agent of {} runs; its API is {}", config.name(), url(config));
        watchFiles(settings.refused(), api, loop);
    }

    /** Says in the log and in the status what cannot be used of the files, whenever that changes. */
    private void watchFiles(String refusedServers, ApiServing api, CellLoop loop) {
        ScheduledExecutorService files = Executors.newSingleThreadScheduledExecutor(Thread.ofPlatform()
                .name("files")
                .daemon()
                .priority(Thread.MIN_PRIORITY)
                .factory());
        started.push(files::shutdownNow);
        AtomicReference<String> said = new AtomicReference<>(refusedServers);
        var _ = files.scheduleWithFixedDelay(
                () -> {
                    try {
                        String words = Stream.of(refusedServers, source.objectionTo(choice), api.serve())
                                .filter(part -> !part.isEmpty())
                                .distinct()
                                .collect(Collectors.joining("; "));
                        if (!words.equals(said.getAndSet(words))) {
                            if (words.isEmpty()) {
                                LOG.info("Nothing is wrong with the configuration any more");
                            } else {
                                LOG.warn("{}", words);
                            }
                            loop.refuses(words);
                        }
                    } catch (RuntimeException e) {
                        LOG.error("The configuration cannot be looked at", e);
                    }
                },
                0,
                LOOK_EVERY.toMillis(),
                TimeUnit.MILLISECONDS);
    }

    /** The API, which comes and goes without the agent: no port that is taken and no certificate ends it. */
    private static final class ApiServing implements AutoCloseable {
        private final Supplier<ApplianceApi> maker;
        private @Nullable ApplianceApi serving;
        private boolean closed;

        ApiServing(Supplier<ApplianceApi> maker) {
            this.maker = maker;
        }

        /** Tries, if it does not serve yet; answers why it does not, with nothing when it does. */
        synchronized String serve() {
            if (serving != null || closed) {
                return "";
            }
            ApplianceApi api = null;
            try {
                api = maker.get();
                api.start();
                serving = api;
                return "";
            } catch (RuntimeException e) {
                if (api != null) {
                    api.close();
                }
                Throwable reason = e.getCause() == null ? e : e.getCause();
                return "the API does not serve, and is tried again: " + reason.getMessage();
            }
        }

        @Override
        public synchronized void close() {
            closed = true;
            if (serving != null) {
                serving.close();
            }
        }
    }

    private ApiSettings apiSettings(byte[] secret) {
        CellConfig.Tls tls = config.tls();
        return new ApiSettings(
                config.name(),
                config.address(),
                config.host(),
                config.dataDir().resolve("api"),
                config.passwords().root().password(),
                tls == null
                        ? null
                        : new ApiSettings.Pem(
                                tls.certificate().text(), tls.key().text()),
                tls == null
                        ? null
                        : new ApiSettings.PemFiles(
                                tls.certificate().path(), tls.key().path()),
                PostgresSettings.APPLICATION,
                PostgresSettings.APPLICATION,
                HexFormat.of().formatHex(derived(secret, "api-tokens")),
                Map.of("data", config.dataDir()),
                Duration.ofSeconds(10));
    }

    /** @param servers the hosts of those that cells run; empty when others run them */
    static CoordinationSettings coordinationSettings(CellConfig config, List<String> servers) {
        String above = config.zookeeper() instanceof ZooKeeper.External external ? external.path() : "";
        return new CoordinationSettings(
                nearestFirst(config, servers),
                above + "/" + config.cluster().name(),
                HexFormat.of().formatHex(derived(config.cluster().secret().secret(), "zookeeper")),
                config.sessionTimeout());
    }

    private <T extends AutoCloseable> T opened(T part) {
        started.push(part);
        return part;
    }

    /** Hands over if it should, stops PostgreSQL, and closes everything in reverse. */
    @Override
    public void close() {
        while (!started.isEmpty()) {
            AutoCloseable part = started.pop();
            try {
                part.close();
            } catch (Exception e) {
                LOG.warn("While stopping: {}", e.toString());
            }
        }
    }

    /** Nothing is known of the loop's state any more: end at once, the guard starts anew from what is durable. */
    private static void fence(Throwable problem) {
        LOG.error("The loop failed; the agent ends at once", problem);
        Runtime.getRuntime().halt(PROGRAMMER_ERROR);
    }

    private static void beat(Heartbeat heartbeat, CellLoop loop) {
        CellLoop.Snapshot snapshot = loop.snapshot();
        if (snapshot == null) {
            heartbeat.alive(Role.NONE, 0);
            return;
        }
        View view = snapshot.view();
        long pid = LocalPostgres.pid(view.database().postmaster());
        boolean mayAcknowledge = view.database().isPrimary() || view.local().primaryEpoch() > 0;
        heartbeat.alive(pid == 0 ? Role.NONE : mayAcknowledge ? Role.PRIMARY : Role.STANDBY, pid);
    }

    private AppSettings appSettings(byte[] secret) {
        return new AppSettings(
                config.address(),
                config.host(),
                PostgresSettings.APP_ROLE,
                PostgresSettings.APP_DATABASE,
                HexFormat.of().formatHex(derived(secret, "app")),
                version(),
                built().toString(),
                AppSettings.Pace.usual());
    }

    /** The cluster as the app sees it; null while this cell knows of none. */
    private static @Nullable AppContext context(CellLoop.@Nullable Snapshot snapshot) {
        ClusterState state = snapshot == null ? null : snapshot.view().state();
        if (snapshot == null || state == null) {
            return null;
        }
        View view = snapshot.view();
        PeerView self = snapshot.self();
        PeerView primary = state.primary().equals(view.self()) ? self : view.fresh(state.primary());
        boolean serves = primary != null && primary.state() == CellState.PRIMARY && !primary.readOnly();
        return new AppContext(
                view.self(),
                state.epoch(),
                state.primary(),
                state.isSteady() && serves && !state.standbyVoters().isEmpty(),
                self.state() == CellState.PRIMARY || self.state() == CellState.STREAMING,
                state.members());
    }

    private static String version() {
        return Objects.requireNonNullElse(Wiring.class.getPackage().getImplementationVersion(), "not packaged");
    }

    /** When the program was put together: the time of this class, in its archive or its folder. */
    private static Instant built() {
        try {
            URL place = Objects.requireNonNull(Wiring.class.getResource("Wiring.class"));
            URLConnection file = place.openConnection();
            file.setUseCaches(false);
            if (file instanceof JarURLConnection archived) {
                try (JarFile archive = archived.getJarFile()) {
                    return archive.getJarEntry(archived.getEntryName())
                            .getLastModifiedTime()
                            .toInstant();
                }
            }
            try (InputStream _ = file.getInputStream()) {
                return Instant.ofEpochMilli(file.getLastModified());
            }
        } catch (IOException e) {
            return Instant.EPOCH;
        }
    }

    private static ClusterReport nothingKnown() {
        return new ClusterReport(
                ClusterReport.Health.SSH_PROBLEM,
                null,
                0,
                null,
                0,
                0,
                0,
                ClusterReport.Servers.NONE,
                "UNKNOWN",
                List.of(),
                List.of("this cell's agent has just started and knows nothing yet"));
    }

    /** As {@code GET /services} tells it; null where this cell runs no server of the ensemble. */
    private @Nullable Supplier<String> zookeeperStatus() {
        CellConfig.Server own = ownServer(config);
        if (own == null) {
            return null;
        }
        return () -> switch (ZooKeeperServerStatus.of(own.host(), config.ports().zookeeperClient())) {
            case LEADER, FOLLOWER, STANDALONE, OBSERVER, UNTOLD -> "running";
            case NOT_SERVING -> "start";
            case UNREACHABLE -> "dead";
        };
    }

    /** What this cell runs of the ensemble; null when that is nothing. */
    private static CellConfig.@Nullable Server ownServer(CellConfig config) {
        return config.zookeeper() instanceof ZooKeeper.Cells cells
                ? cells.of(config.name()).orElse(null)
                : null;
    }

    /** The cell's own member first: one that dies then disturbs only its own cell. */
    private static List<String> nearestFirst(CellConfig config, List<String> hosts) {
        if (!(config.zookeeper() instanceof ZooKeeper.Cells cells) || hosts.isEmpty()) {
            return config.zookeeper().addresses();
        }
        List<String> all = new ArrayList<>(hosts.stream().map(cells::addressOf).toList());
        String own = cells.addressOf(config.host());
        if (all.remove(own)) {
            all.addFirst(own);
        }
        return all;
    }

    /** The first being server 1; {@code hosts} are those that cells run. */
    private List<String> serverAddresses(List<String> hosts) {
        return config.zookeeper() instanceof ZooKeeper.Cells cells
                ? hosts.stream().map(cells::addressOf).toList()
                : config.zookeeper().addresses();
    }

    private List<EnsembleServer> ensembleServers(List<String> hosts, EnsembleWatch ensemble) {
        Map<String, CellName> owners = ownersOfServers();
        List<EnsembleServer> servers = new ArrayList<>();
        for (String address : serverAddresses(hosts)) {
            CellName cell = owners.get(address);
            String whose = cell == null ? "" : cell + ", ";
            String name = "server " + (servers.size() + 1) + " (" + whose + address + ")";
            servers.add(new EnsembleServer(name, cell, ensemble.standing(address)));
        }
        return List.copyOf(servers);
    }

    /** The ZooKeeper servers that cells run, as a client names them. */
    private Map<String, CellName> ownersOfServers() {
        if (!(config.zookeeper() instanceof ZooKeeper.Cells cells)) {
            return Map.of();
        }
        return cells.servers().stream().collect(Collectors.toMap(cells::addressOf, CellConfig.Server::cell));
    }

    /** Whether nobody listens where this cell's agent did: its machine has been lost, or the agent alone. */
    private static boolean isGone(CellLoop.@Nullable Snapshot snapshot, @Nullable CellName cell) {
        return snapshot != null && cell != null && snapshot.view().link(cell).status() == PeerLink.Status.GONE;
    }

    private static boolean isRoot() {
        return "root".equals(System.getProperty("user.name"));
    }

    private Path postgresFolder() {
        return config.dataDir().resolve("postgres");
    }

    private void makePostgresFolder() throws IOException {
        Files.createDirectories(postgresFolder());
        if (isRoot()) {
            // PostgreSQL's user must be able to go through to its own folder, whatever the umask was.
            for (Path folder : List.of(config.dataDir(), postgresFolder())) {
                Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-xr-x"));
            }
        }
    }

    private PostgresSettings postgresSettings(byte[] secret) {
        Path folder = postgresFolder();
        return new PostgresSettings(
                config.postgres().programs(),
                config.database(),
                folder.resolve("run"),
                config.host(),
                config.ports().postgres(),
                isRoot() ? config.postgres().osUser() : null,
                new PostgresSettings.Passwords(
                        HexFormat.of().formatHex(derived(secret, "superuser")),
                        HexFormat.of().formatHex(derived(secret, "replication")),
                        config.passwords().vcloud().password(),
                        HexFormat.of().formatHex(derived(secret, "app"))),
                config.postgres().settings(),
                PostgresSettings.Timeouts.defaults());
    }

    /** A secret of its own for each purpose: none tells the cluster's. */
    private static byte[] derived(byte[] secret, String purpose) {
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(secret, "HmacSHA256"));
            return mac.doFinal(purpose.getBytes(StandardCharsets.UTF_8));
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("this Java has no HmacSHA256", e);
        }
    }
}
