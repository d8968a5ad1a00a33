package org.cellkeeper.cell;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.cellkeeper.cell.app.AppContext;
import org.cellkeeper.cell.app.AppSettings;
import org.cellkeeper.cell.app.CellApp;
import org.cellkeeper.cell.backup.ShareBackups;
import org.cellkeeper.cell.config.CellConfig;
import org.cellkeeper.cell.config.CellConfig.ZooKeeper;
import org.cellkeeper.cell.config.Judges;
import org.cellkeeper.cell.config.ObjectionWatch;
import org.cellkeeper.cell.config.SideFile;
import org.cellkeeper.cell.config.Source;
import org.cellkeeper.cell.decide.CellRules;
import org.cellkeeper.cell.decide.View;
import org.cellkeeper.cell.door.NoDoor;
import org.cellkeeper.cell.guard.GuardCommand;
import org.cellkeeper.cell.guard.GuardWatch;
import org.cellkeeper.cell.guard.Heartbeat;
import org.cellkeeper.cell.guard.Role;
import org.cellkeeper.cell.guard.StartSteps;
import org.cellkeeper.cell.http.ApiServing;
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
import org.cellkeeper.cell.model.ClusterReport;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.EnsembleServer.Standing;
import org.cellkeeper.cell.model.Incarnation;
import org.cellkeeper.cell.model.PeerLink;
import org.cellkeeper.cell.model.PeerView;
import org.cellkeeper.cell.peer.TcpPeers;
import org.cellkeeper.cell.port.Backups;
import org.cellkeeper.cell.postgres.LocalPostgres;
import org.cellkeeper.cell.postgres.PostgresAppDatabase;
import org.cellkeeper.cell.postgres.PostgresArchive;
import org.cellkeeper.cell.postgres.PostgresReload;
import org.cellkeeper.cell.postgres.PostgresSettings;
import org.cellkeeper.cell.wire.Build;
import org.cellkeeper.cell.wire.Json;
import org.cellkeeper.cell.zookeeper.CoordinationSettings;
import org.cellkeeper.cell.zookeeper.EnsembleWatch;
import org.cellkeeper.cell.zookeeper.KnownEnsemble;
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
                return LocalPostgres.problems(binDir, PostgresSettings.osUser(osUser), settings);
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
        Files.writeString(run(config).resolve("api.url"), config.url() + "\n");
        List<String> agent = new ArrayList<>(List.of(Main.class.getName(), "agent"));
        if (configFile != null) {
            agent.addAll(List.of("--config", configFile.toAbsolutePath().toString()));
        }
        agent.addAll(List.of("--data-dir", config.dataDir().toString()));
        return GuardCommand.write(run(config), config.guardTimeout(), agent, serverCommand(config));
    }

    /** What this cell's ZooKeeper server is started by; empty when there is none, or it must not run. */
    private static List<String> serverCommand(CellConfig config) throws IOException {
        CellConfig.Server own = config.ownServer();
        if (own == null || !(config.zookeeper() instanceof ZooKeeper.Cells cells)) {
            return List.of();
        }
        String refusal = refusedServers(config);
        if (!refusal.isEmpty()) {
            LOG.error("This cell's ZooKeeper server is not started: {}", refusal);
            return List.of();
        }
        Path folder = serverFolder(config);
        if (!isOfThisCluster(config)) {
            return List.of();
        }
        Path settings = ZooKeeperServer.write(serverSettings(config, cells, folder, own.id()));
        if (knownEnsemble(config).isNewServer(config.host())) {
            ZooKeeperServer.letVoteThoughEmpty(folder);
        }
        return ZooKeeperServer.command(GuardCommand.java(), GuardCommand.classPath(), settings);
    }

    private static Path run(CellConfig config) {
        return config.dataDir().resolve("run");
    }

    private static boolean isOfThisCluster(CellConfig config) throws IOException {
        CellConfig.Cluster cluster = config.cluster();
        String mark = cluster.secret().derived("zookeeper data of " + cluster.name());
        return ZooKeeperServer.isOf(serverFolder(config), mark);
    }

    private static Path serverFolder(CellConfig config) {
        return config.dataDir().resolve("zookeeper");
    }

    private static KnownEnsemble knownEnsemble(CellConfig config) throws IOException {
        return KnownEnsemble.of(
                serverFolder(config), () -> FileJournal.peek(config.dataDir().resolve("state")));
    }

    /** Why neither a server nor an agent may run with the list in this configuration; empty when they may. Changes nothing. */
    public static String refusedServers(CellConfig config) {
        try {
            return knownEnsemble(config).refusal(config.zookeeper().hosts());
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
        List<String> recorded = knownEnsemble(config).servers();
        return settings.withServers(recorded == null ? List.of() : recorded, refusal);
    }

    // ---- the agent

    /** Starts everything; returns at once. */
    public void start() throws IOException {
        StartSteps steps = new StartSteps(run(config));
        steps.made("the configuration is read");
        CellSettings settings = settings();
        Path zookeeper = serverFolder(config);
        if (Files.exists(zookeeper) && !isOfThisCluster(config)) {
            LOG.error(
                    "The ZooKeeper data in {} belong to another cluster: this cell's peer is not started. Give the cell its own"
                            + " volume, or an empty one",
                    zookeeper);
        }
        Mailbox mailbox = opened(new Mailbox(Wiring::fence));
        SystemClock clock = new SystemClock(mailbox);
        FileJournal journal = opened(new FileJournal(config.dataDir().resolve("state")));
        steps.made("the cell's state is open");
        PostgresSettings postgresSettings = postgresSettings();
        LocalPostgres.makeWay(config.dataDir(), postgresSettings);
        LocalPostgres postgres = opened(new LocalPostgres(postgresSettings));
        steps.made("PostgreSQL's programs are found");
        TcpPeers peers = opened(new TcpPeers(
                config.name(),
                new InetSocketAddress(config.host(), config.ports().link()),
                config.cluster().secret().secret(),
                config.heartbeat()));
        ZooKeeperCoordination coordination =
                opened(new ZooKeeperCoordination(coordinationSettings(config, settings.servers())));
        steps.made("ZooKeeper and the other agents are called");
        SecureRandom random = new SecureRandom();
        CellRules rules = new CellRules(() -> Incarnation.of(random.nextInt()));
        Ports ports = new Ports(clock, coordination, postgres, new NoDoor(), peers, journal);
        CellLoop loop = new CellLoop(settings, mailbox, ports, rules::decide, () -> Incarnation.of(random.nextInt()));
        if (config.ownServer() != null) {
            opened(new ServerWatch(
                    zookeeper,
                    run(config).resolve("zookeeper.hold"),
                    found -> loop.ownServer(found.servers(), found.empty(), found.problem())));
        }
        Map<String, CellName> owners = config.zookeeper().owners();
        coordination.passBy(server -> isGone(loop.snapshot(), owners.get(server)));
        EnsembleWatch ensemble = opened(new EnsembleWatch(config.zookeeper().addresses(settings.servers()), owners));
        CellOperator operator = new CellOperator(loop, ports, ensemble::servers, ClusterReport::nothingKnown);
        Backups backups = new ShareBackups(
                config.transferFolder(),
                new PostgresArchive(postgresSettings),
                config.name(),
                Build.version(),
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
                appSettings(),
                () -> context(loop.snapshot()),
                new PostgresAppDatabase(postgresSettings),
                operator::history));
        ApiSettings apiSettings = apiSettings();
        ApiServing api = opened(new ApiServing(() -> new ApplianceApi(
                apiSettings,
                operator,
                backupOperator,
                app,
                coordination,
                new PostgresReload(postgresSettings),
                zookeeperStanding(),
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
        LOG.info("The agent of {} runs; its API is {}", config.name(), config.url());
        opened(new ObjectionWatch(
                settings.refused(), List.of(() -> source.objectionTo(choice), api::serve), loop::refuses));
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

    // ---- what of the configuration each part is given

    private PostgresSettings postgresSettings() {
        SideFile secret = config.cluster().secret();
        return new PostgresSettings(
                config.postgres().programs(),
                config.database(),
                config.database().resolveSibling("run"),
                config.host(),
                config.ports().postgres(),
                PostgresSettings.osUser(config.postgres().osUser()),
                new PostgresSettings.Passwords(
                        secret.derived("superuser"),
                        secret.derived("replication"),
                        config.passwords().vcloud().password(),
                        secret.derived("app")),
                config.postgres().settings(),
                PostgresSettings.Timeouts.defaults());
    }

    /** @param servers the hosts of those that cells run; empty when others run them */
    static CoordinationSettings coordinationSettings(CellConfig config, List<String> servers) {
        String above = config.zookeeper() instanceof ZooKeeper.External external ? external.path() : "";
        return new CoordinationSettings(
                nearestFirst(config, servers),
                above + "/" + config.cluster().name(),
                config.cluster().secret().derived("zookeeper"),
                config.sessionTimeout());
    }

    /** The cell's own member first: one that dies then disturbs only its own cell. */
    private static List<String> nearestFirst(CellConfig config, List<String> hosts) {
        if (hosts.isEmpty()) {
            return config.zookeeper().addresses();
        }
        List<String> sorted = new ArrayList<>(hosts);
        if (sorted.remove(config.host())) {
            sorted.addFirst(config.host());
        }
        return config.zookeeper().addresses(sorted);
    }

    static ZooKeeperServerSettings serverSettings(CellConfig config, ZooKeeper.Cells cells, Path folder, int self) {
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

    private AppSettings appSettings() {
        return new AppSettings(
                config.address(),
                config.host(),
                PostgresSettings.APP_ROLE,
                PostgresSettings.APP_DATABASE,
                config.cluster().secret().derived("app"),
                Build.version(),
                Build.time().toString(),
                AppSettings.Pace.usual());
    }

    private ApiSettings apiSettings() {
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
                config.cluster().secret().derived("api-tokens"),
                Map.of("data", config.dataDir()),
                Duration.ofSeconds(10));
    }

    // ---- what one part tells another

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

    /** Whether nobody listens where this cell's agent did: its machine has been lost, or the agent alone. */
    private static boolean isGone(CellLoop.@Nullable Snapshot snapshot, @Nullable CellName cell) {
        return snapshot != null && cell != null && snapshot.view().link(cell).status() == PeerLink.Status.GONE;
    }

    /** Null where this cell runs no server of the ensemble. */
    private @Nullable Supplier<Standing> zookeeperStanding() {
        CellConfig.Server own = config.ownServer();
        int port = config.ports().zookeeperClient();
        return own == null
                ? null
                : () -> ZooKeeperServerStatus.of(own.host(), port).standing();
    }

    /** The cluster as the app sees it; null while this cell knows of none. */
    private static @Nullable AppContext context(CellLoop.@Nullable Snapshot snapshot) {
        ClusterState state = snapshot == null ? null : snapshot.view().state();
        if (snapshot == null || state == null) {
            return null;
        }
        View view = snapshot.view();
        PeerView primary = state.primary().equals(view.self()) ? snapshot.self() : view.fresh(state.primary());
        return AppContext.of(view.self(), state, snapshot.self(), primary);
    }
}
