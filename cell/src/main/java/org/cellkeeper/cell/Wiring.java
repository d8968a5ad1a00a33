package org.cellkeeper.cell;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import org.cellkeeper.cell.app.AppContext;
import org.cellkeeper.cell.app.AppSettings;
import org.cellkeeper.cell.app.CellApp;
import org.cellkeeper.cell.backup.ShareBackups;
import org.cellkeeper.cell.backup.Signatures;
import org.cellkeeper.cell.config.CellConfig;
import org.cellkeeper.cell.config.CellConfig.ZooKeeper;
import org.cellkeeper.cell.config.Judges;
import org.cellkeeper.cell.config.ObjectionWatch;
import org.cellkeeper.cell.config.Source;
import org.cellkeeper.cell.decide.CellRules;
import org.cellkeeper.cell.decide.View;
import org.cellkeeper.cell.door.DoorSettings;
import org.cellkeeper.cell.door.NoDoor;
import org.cellkeeper.cell.door.PgBouncerDoor;
import org.cellkeeper.cell.door.Reader;
import org.cellkeeper.cell.guard.GuardCommand;
import org.cellkeeper.cell.guard.GuardWatch;
import org.cellkeeper.cell.guard.Heartbeat;
import org.cellkeeper.cell.guard.Role;
import org.cellkeeper.cell.guard.StartSteps;
import org.cellkeeper.cell.http.ApiServing;
import org.cellkeeper.cell.http.ApiSettings;
import org.cellkeeper.cell.http.ApplianceApi;
import org.cellkeeper.cell.http.Companions;
import org.cellkeeper.cell.http.Users;
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
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.CellSettings;
import org.cellkeeper.cell.model.CellState;
import org.cellkeeper.cell.model.ClusterReport;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.EnsembleServer.Standing;
import org.cellkeeper.cell.model.Incarnation;
import org.cellkeeper.cell.model.PeerLink;
import org.cellkeeper.cell.model.PeerView;
import org.cellkeeper.cell.peer.TcpPeers;
import org.cellkeeper.cell.port.Backups;
import org.cellkeeper.cell.port.Door;
import org.cellkeeper.cell.postgres.Access;
import org.cellkeeper.cell.postgres.LocalPostgres;
import org.cellkeeper.cell.postgres.PostgresAppDatabase;
import org.cellkeeper.cell.postgres.PostgresArchive;
import org.cellkeeper.cell.postgres.PostgresReload;
import org.cellkeeper.cell.postgres.PostgresRoles;
import org.cellkeeper.cell.postgres.PostgresSettings;
import org.cellkeeper.cell.trust.Credentials;
import org.cellkeeper.cell.trust.Identity;
import org.cellkeeper.cell.trust.Renewal;
import org.cellkeeper.cell.trust.Secrets;
import org.cellkeeper.cell.trust.TrustFolder;
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
    private final Secrets secrets;
    private volatile String vcloudPassword;
    private final Deque<AutoCloseable> started = new ArrayDeque<>();

    /** @param choice of what there is in {@code source} */
    public Wiring(Source source, Source.Choice choice) {
        this.source = source;
        this.choice = choice;
        this.config = choice.config();
        this.secrets = new Secrets(config.cluster().secrets());
        this.vcloudPassword = config.passwords().vcloud().password();
    }

    /** Those who are to use a configuration, as {@link #start} makes them use it. */
    public static Judges judges() {
        return new Judges() {
            @Override
            public List<String> settings(Path binDir, String osUser, Map<String, String> settings) {
                return LocalPostgres.problems(binDir, PostgresSettings.osUser(osUser), settings);
            }

            @Override
            public List<String> hba(Path binDir, String osUser, List<String> lines) {
                return LocalPostgres.problems(binDir, PostgresSettings.osUser(osUser), lines);
            }

            @Override
            public List<String> certificate(String chain, String key) {
                String problem = new ApiSettings.Pem(chain, key).problem();
                return problem.isEmpty() ? List.of() : List.of(problem);
            }

            @Override
            public List<String> identity(String ca, String chain, String key, String cell, String host) {
                String problem;
                try {
                    problem = Identity.of(ca, chain, key).problem(cell, host);
                } catch (GeneralSecurityException unusable) {
                    problem = String.valueOf(unusable.getMessage());
                }
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
        var _ = credentials(config);
        Path settings = ZooKeeperServer.write(serverSettings(config, cells, folder, own.id()));
        if (knownEnsemble(config).isNewServer(config.host())) {
            ZooKeeperServer.letVoteThoughEmpty(folder);
        }
        return ZooKeeperServer.command(GuardCommand.java(), GuardCommand.classPath(), settings);
    }

    /** What this cell shows and believes, which is kept for programs that read files, too. */
    private static Credentials credentials(CellConfig config) throws IOException {
        CellConfig.Trust trust = config.trust();
        CellConfig.TrustFiles files = trust.files();
        if (files == null) {
            return Credentials.none();
        }
        try {
            Identity identity = Identity.of(
                    files.ca().text(), files.certificate().text(), files.key().text());
            trustFolder(config).write(identity);
            return new Credentials(trust.encryption(), identity);
        } catch (GeneralSecurityException e) {
            throw new IOException("this cell's certificate cannot be used: " + e.getMessage(), e);
        }
    }

    /** Looks for new certificates, and tells when the one in force ends soon. */
    private Supplier<String> renewing(Credentials credentials) {
        CellConfig.TrustFiles files = config.trust().files();
        if (files == null) {
            return () -> "";
        }
        Renewal renewal = new Renewal(
                new Renewal.Files(
                        files.ca().path(),
                        files.certificate().path(),
                        files.key().path()),
                config.name().value(),
                config.host(),
                trustFolder(config),
                credentials);
        return renewal::look;
    }

    private static TrustFolder trustFolder(CellConfig config) {
        return new TrustFolder(config.dataDir().resolve("tls"));
    }

    private static Path run(CellConfig config) {
        return config.dataDir().resolve("run");
    }

    private static boolean isOfThisCluster(CellConfig config) throws IOException {
        CellConfig.Cluster cluster = config.cluster();
        return ZooKeeperServer.isOf(serverFolder(config), marks(cluster.name(), new Secrets(cluster.secrets())));
    }

    /** By which the data of its ZooKeeper servers are known. */
    private static List<String> marks(String cluster, Secrets secrets) {
        return secrets.derived("zookeeper data of " + cluster);
    }

    /** The data of this cell's server are marked by the secret that is first now: others may be dropped. */
    private void markServer() {
        try {
            if (Files.exists(serverFolder(config))) {
                var _ = ZooKeeperServer.isOf(
                        serverFolder(config), marks(config.cluster().name(), secrets));
            }
        } catch (IOException e) {
            LOG.warn("The data of this cell's ZooKeeper server cannot be marked by another secret: {}", e.getMessage());
        }
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
                    "The ZooKeeper data in {} belong to another cluster, or to this one by a secret that is not listed: this cell's peer is"
                            + " not started. Give the cell its own volume, or an empty one, or list that secret, too",
                    zookeeper);
        }
        Mailbox mailbox = opened(new Mailbox(Wiring::fence));
        SystemClock clock = new SystemClock(mailbox);
        FileJournal journal = opened(new FileJournal(config.dataDir().resolve("state")));
        steps.made("the cell's state is open");
        Credentials credentials = credentials(config);
        PostgresSettings postgresSettings = postgresSettings(credentials);
        LocalPostgres.makeWay(config.dataDir(), postgresSettings);
        LocalPostgres postgres = opened(new LocalPostgres(postgresSettings));
        steps.made("PostgreSQL's programs are found");
        TcpPeers peers = opened(new TcpPeers(
                config.name(),
                new InetSocketAddress(config.host(), config.ports().link()),
                secrets,
                credentials,
                config.heartbeat()));
        ZooKeeperCoordination coordination =
                opened(new ZooKeeperCoordination(coordinationSettings(config, settings.servers(), secrets)));
        steps.made("ZooKeeper and the other agents are called");
        secrets.onChange(coordination::secretsChanged);
        secrets.onChange(this::markServer);
        SecureRandom random = new SecureRandom();
        CellRules rules = new CellRules(() -> Incarnation.of(random.nextInt()));
        AtomicReference<@Nullable CellLoop> deciding = new AtomicReference<>();
        Door door = door(postgresSettings, credentials, deciding);
        Ports ports = new Ports(clock, coordination, postgres, door, peers, journal);
        CellLoop loop = new CellLoop(settings, mailbox, ports, rules::decide, () -> Incarnation.of(random.nextInt()));
        deciding.set(loop);
        if (config.ownServer() != null) {
            opened(new ServerWatch(
                    zookeeper,
                    run(config).resolve("zookeeper.hold"),
                    found -> loop.ownServer(found.servers(), found.empty(), found.problem())));
        }
        Map<String, CellName> owners = config.zookeeper().owners();
        coordination.passBy(server -> isGone(loop.snapshot(), owners.get(server)));
        EnsembleWatch ensemble = opened(new EnsembleWatch(
                config.zookeeper().addresses(settings.servers()), owners, zooKeeperCredentials(credentials)));
        CellOperator operator = new CellOperator(loop, ports, ensemble::servers, ClusterReport::nothingKnown);
        Backups backups = new ShareBackups(
                config.transferFolder(),
                new PostgresArchive(postgresSettings),
                config.name(),
                Build.version(),
                Json.write(config),
                new Signatures(() -> secrets.derived("backups")));
        CellBackupOperator backupOperator = opened(new CellBackupOperator(loop, ports, backups));
        BackupTaskRunner backupTasks = opened(new BackupTaskRunner(loop, ports, backups));
        Supplier<Door.Status> doorStatus =
                config.door().software() == CellConfig.Door.Software.NONE ? null : door::status;
        CellMetrics metrics = new CellMetrics(operator, () -> {
            CellLoop.Snapshot snapshot = loop.snapshot();
            return new CellMetrics.Agent(
                    mailbox.busy(),
                    postgres.looks(),
                    snapshot == null ? 0 : snapshot.takeovers().ballots(),
                    snapshot == null ? 0 : snapshot.takeovers().vetoed(),
                    doorStatus == null ? null : doorStatus.get());
        });
        loop.onTakeover(metrics::takeover);
        CellApp app = opened(new CellApp(
                appSettings(credentials),
                () -> context(loop.snapshot()),
                new PostgresAppDatabase(postgresSettings),
                operator::history));
        Users users = new Users(config.passwords().api());
        ApiSettings apiSettings = apiSettings(users);
        ApiServing api = opened(new ApiServing(() -> new ApplianceApi(
                apiSettings,
                operator,
                backupOperator,
                app,
                coordination,
                new PostgresReload(postgresSettings),
                new Companions(zookeeperStanding(zooKeeperCredentials(credentials)), doorStatus),
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
                settings.refused(),
                List.of(
                        () -> source.objectionTo(choice, good -> {
                            users.take(good.passwords().api());
                            vcloudPassword = good.passwords().vcloud().password();
                            secrets.take(good.cluster().secrets());
                        }),
                        peers::disbelief,
                        coordination::secretsInWords,
                        api::serve,
                        renewing(credentials)),
                loop::refuses));
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

    private PostgresSettings postgresSettings(Credentials credentials) {
        CellConfig.Clients clients = config.postgres().clients();
        return new PostgresSettings(
                config.postgres().programs(),
                config.database(),
                config.database().resolveSibling("run"),
                config.host(),
                config.ports().postgres(),
                PostgresSettings.osUser(config.postgres().osUser()),
                new PostgresSettings.Passwords(
                        () -> secrets.derived("superuser"),
                        () -> secrets.derived("replication"),
                        () -> vcloudPassword,
                        () -> secrets.derived("app")),
                config.postgres().settings(),
                new Access(credentials, clients.networks(), clients.plaintext(), clients.hba()),
                PostgresSettings.Timeouts.defaults());
    }

    private Door door(
            PostgresSettings postgres, Credentials credentials, AtomicReference<@Nullable CellLoop> deciding) {
        CellConfig.Clients clients = config.postgres().clients();
        PostgresRoles roles = opened(new PostgresRoles(postgres));
        DoorSettings settings = new DoorSettings(
                run(config).resolve("door"),
                config.host(),
                config.door().port(),
                PostgresSettings.APPLICATION,
                roles.asUser(),
                postgres.osUser(),
                clients.networks(),
                clients.plaintext(),
                clients.hba(),
                credentials);
        if (config.door().software() == CellConfig.Door.Software.NONE) {
            PgBouncerDoor.endThatOf(settings);
            return new NoDoor();
        }
        PgBouncerDoor door = opened(new PgBouncerDoor(settings, () -> reader(deciding.get()), roles::secrets));
        door.start();
        return door;
    }

    /**
     * A standby that streams and is not too far behind, as this cell knows it: itself, else the next one by name, so that not all doors
     * lead to the same one.
     */
    private @Nullable Reader reader(@Nullable CellLoop loop) {
        CellLoop.Snapshot snapshot = loop == null ? null : loop.snapshot();
        ClusterState state = snapshot == null ? null : snapshot.view().state();
        if (snapshot == null || state == null) {
            return null;
        }
        View view = snapshot.view();
        List<Reader> before = new ArrayList<>();
        List<Reader> after = new ArrayList<>();
        state.members().forEach((name, member) -> {
            CellId cell = new CellId(name, member.incarnation());
            PeerView said = cell.equals(view.self()) ? snapshot.self() : view.fresh(cell);
            if (said != null
                    && said.state() == CellState.STREAMING
                    && said.lagMillis() >= 0
                    && said.lagMillis() <= config.door().maxLag().toMillis()) {
                boolean isBefore = name.compareTo(view.self().name()) < 0;
                (isBefore ? before : after)
                        .add(new Reader(
                                member.address().host(), member.address().postgresPort()));
            }
        });
        after.addAll(before);
        return after.isEmpty() ? null : after.getFirst();
    }

    /** @param servers the hosts of those that cells run; empty when others run them */
    static CoordinationSettings coordinationSettings(CellConfig config, List<String> servers, Secrets secrets) {
        String above = config.zookeeper() instanceof ZooKeeper.External external ? external.path() : "";
        return new CoordinationSettings(
                nearestFirst(config, servers),
                above + "/" + config.cluster().name(),
                () -> secrets.derived("zookeeper"),
                secrets::names,
                config.sessionTimeout(),
                !(config.zookeeper() instanceof ZooKeeper.External),
                isZooKeeperEncrypted(config) ? trustFolder(config) : null);
    }

    private static boolean isZooKeeperEncrypted(CellConfig config) {
        return config.zookeeper() instanceof ZooKeeper.External external
                ? external.transport() == ZooKeeper.Transport.TLS
                : config.trust().encryption().speaks();
    }

    /** With which its servers are asked; null when they are asked in plain. */
    private @Nullable Credentials zooKeeperCredentials(Credentials credentials) {
        return isZooKeeperEncrypted(config) ? credentials : null;
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
        CellConfig.Trust trust = config.trust();
        return new ZooKeeperServerSettings(
                folder.toString(),
                self,
                servers,
                trust.files() == null || !trust.encryption().accepts()
                        ? null
                        : new ZooKeeperServerSettings.Tls(trustFolder(config), trust.encryption()));
    }

    private AppSettings appSettings(Credentials credentials) {
        return new AppSettings(
                config.address(),
                config.host(),
                PostgresSettings.APP_ROLE,
                PostgresSettings.APP_DATABASE,
                () -> secrets.derived("app"),
                Build.version(),
                Build.time().toString(),
                credentials,
                AppSettings.Pace.usual());
    }

    private ApiSettings apiSettings(Users users) {
        CellConfig.TrustFiles files = config.trust().files();
        CellConfig.Tls tls = config.tls() != null || files == null
                ? config.tls()
                : new CellConfig.Tls(files.certificate(), files.key());
        return new ApiSettings(
                config.name(),
                config.address(),
                config.host(),
                config.dataDir().resolve("api"),
                users,
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
                () -> secrets.derived("api-tokens"),
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
    private @Nullable Supplier<Standing> zookeeperStanding(@Nullable Credentials credentials) {
        CellConfig.Server own = config.ownServer();
        int port = config.ports().zookeeperClient();
        return own == null
                ? null
                : () -> ZooKeeperServerStatus.of(own.host(), port, credentials).standing();
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
