package org.cellkeeper.cell.config;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Collectors;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.CellSettings;
import org.cellkeeper.cell.model.CellSettings.IsolationResponse;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.wire.Installations;
import org.jspecify.annotations.Nullable;

/**
 * A cell's configuration, complete and checked. It holds no secret, only where the secrets are, so it may be printed.
 *
 * @param dataDir the folder of everything that the cell keeps
 * @param transferFolder where the transfer share is mounted; null when there is none
 */
public record CellConfig(
        CellName name,
        String host,
        Path dataDir,
        int priority,
        String faultDomain,
        Cluster cluster,
        Ports ports,
        Failover failover,
        ZooKeeper zookeeper,
        Duration sessionTimeout,
        Postgres postgres,
        @Nullable Path transferFolder,
        Passwords passwords,
        @Nullable Tls tls,
        Duration heartbeat,
        Duration guardTimeout,
        CellSettings.Timing timing) {

    private static final int SHORTEST_SECRET = 16;
    private static final int SHORTEST_PASSWORD = 1;
    private static final int LONGEST_SECRET = 4096;

    public record Cluster(String name, SideFile secret) {}

    public record Ports(
            int postgres, int api, int link, int zookeeperClient, int zookeeperQuorum, int zookeeperElection) {}

    /**
     * How the primary is chosen and replaced.
     *
     * @param bootstrapPrimary the cell that founds a new cluster; null when any may
     */
    public record Failover(
            FailoverMode initialMode,
            @Nullable CellName bootstrapPrimary,
            IsolationResponse isolationResponse,
            int minStandbysAfterFailover) {}

    /** The ZooKeeper ensemble. */
    public sealed interface ZooKeeper {
        /** Each server as {@code host:port}. */
        List<String> addresses();

        /** Of those that run on these hosts; of all where others run them. */
        default List<String> addresses(List<String> hosts) {
            return addresses();
        }

        /** Where cells run the servers, the first being server 1; empty where others do. */
        default List<String> hosts() {
            return List.of();
        }

        /** The cell that runs each server, by its address; none where others run them. */
        default Map<String, CellName> owners() {
            return Map.of();
        }

        /** The server that this cell runs; empty when it runs none. */
        default Optional<Server> of(CellName cell) {
            return Optional.empty();
        }

        /** Run by these cells. */
        record Cells(List<Server> servers, int clientPort) implements ZooKeeper {
            @Override
            public List<String> addresses() {
                return addresses(hosts());
            }

            @Override
            public List<String> addresses(List<String> hosts) {
                return hosts.stream().map(this::addressOf).toList();
            }

            /** The server on this host, as in the connect string. */
            public String addressOf(String host) {
                return hostInUrl(host) + ":" + clientPort;
            }

            @Override
            public List<String> hosts() {
                return servers.stream().map(Server::host).toList();
            }

            @Override
            public Map<String, CellName> owners() {
                return servers.stream().collect(Collectors.toMap(server -> addressOf(server.host()), Server::cell));
            }

            @Override
            public Optional<Server> of(CellName cell) {
                return servers.stream()
                        .filter(server -> server.cell().equals(cell))
                        .findFirst();
            }
        }

        /**
         * Run by others.
         *
         * @param path the node that the cluster is to lie below; empty for the root
         */
        record External(List<String> addresses, String path) implements ZooKeeper {
            public External {
                addresses = List.copyOf(addresses);
            }
        }
    }

    /**
     * A server of the ensemble.
     *
     * @param id its number there
     */
    public record Server(int id, CellName cell, String host) {}

    /** The local PostgreSQL. */
    public record Postgres(Installations programs, String osUser, Map<String, String> settings) {}

    public record Passwords(SideFile root, SideFile vcloud) {}

    public record Tls(SideFile certificate, SideFile key) {}

    /**
     * Puts it together.
     *
     * @param judges of values whose form alone does not tell; null when nobody is to be asked
     * @param known one that was good: nobody is asked about the same again
     */
    static CellConfig of(Settings from, @Nullable Judges judges, @Nullable Kept known) throws InvalidConfiguration {
        return new Draft(from).finish(judges, known);
    }

    /** PostgreSQL's data directory. */
    public Path database() {
        return database(dataDir);
    }

    private static Path database(Path dataDir) {
        return dataDir.resolve("postgres/data");
    }

    public Address address() {
        return new Address(host, ports.postgres(), ports.api(), ports.link());
    }

    /** What the core must know of it. */
    public CellSettings settings() {
        return new CellSettings(
                        name,
                        address(),
                        priority,
                        faultDomain,
                        failover.bootstrapPrimary(),
                        failover.initialMode(),
                        failover.isolationResponse(),
                        failover.minStandbysAfterFailover(),
                        timing)
                .withServers(zookeeper.hosts(), "");
    }

    /** Where the API is served. */
    public String url() {
        return "https://" + hostInUrl(host) + ":" + ports.api();
    }

    private static String hostInUrl(String host) {
        return host.contains(":") ? "[" + host + "]" : host;
    }

    /** What this cell runs of the ensemble; null when that is nothing. */
    public @Nullable Server ownServer() {
        return zookeeper.of(name).orElse(null);
    }

    /** Puts it together; every key is read, and every rule between keys looked at, before it says that anything is wrong. */
    private static final class Draft {
        private final Settings from;

        Draft(Settings from) {
            this.from = from;
        }

        CellConfig finish(@Nullable Judges judges, @Nullable Kept known) throws InvalidConfiguration {
            if (from.isUnread()) {
                throw new InvalidConfiguration(from.problems());
            }
            CellName name = from.value(Keys.NAME);
            String host = from.optional(Keys.HOST);
            if (host == null && name != null && !from.isGiven(Keys.HOST)) {
                host = hostOf(name);
            }
            Path dataDir = from.value(Keys.DATA_DIR);
            Integer priority = from.value(Keys.PRIORITY);
            String faultDomain = from.value(Keys.FAULT_DOMAIN);
            String clusterName = from.value(Keys.CLUSTER_NAME);
            SideFile secret = secret(Keys.CLUSTER_SECRET, SHORTEST_SECRET);
            Ports ports = ports();
            FailoverMode mode = from.value(Keys.INITIAL_MODE);
            CellName bootstrap = from.optional(Keys.BOOTSTRAP_PRIMARY);
            IsolationResponse response = from.value(Keys.ISOLATION_RESPONSE);
            Integer minStandbys = from.value(Keys.MIN_STANDBYS);
            ZooKeeper zooKeeper = zooKeeper(name, host, ports);
            Duration sessionTimeout = from.value(Keys.SESSION_TIMEOUT);
            Postgres postgres = postgres(dataDir);
            Path transfer = from.optional(Keys.TRANSFER_FOLDER);
            SideFile root = password(Keys.ROOT_PASSWORD);
            SideFile vcloud = password(Keys.VCLOUD_PASSWORD);
            Tls tls = tls();
            Duration heartbeat = from.value(Keys.HEARTBEAT);
            Duration guardTimeout = from.value(Keys.GUARD);
            CellSettings.Timing timing = timing(heartbeat);
            boolean judged =
                    judges == null || (known != null && from.kept(known.from()).equals(known));
            if (judges != null && !judged) {
                judge(judges, postgres, dataDir, tls);
            }
            if (!from.problems().isEmpty()) {
                throw new InvalidConfiguration(from.problems());
            }
            CellConfig config = new CellConfig(
                    given(name),
                    given(host),
                    given(dataDir),
                    given(priority),
                    given(faultDomain),
                    new Cluster(given(clusterName), given(secret)),
                    given(ports),
                    new Failover(given(mode), bootstrap, given(response), given(minStandbys)),
                    given(zooKeeper),
                    given(sessionTimeout),
                    given(postgres),
                    transfer,
                    new Passwords(given(root), given(vcloud)),
                    tls,
                    given(heartbeat),
                    given(guardTimeout),
                    given(timing));
            if (judges != null && !judged) {
                judges.servers(config).forEach(problem -> from.complain(from.where(Keys.ZOOKEEPER_CELLS), problem));
                if (!from.problems().isEmpty()) {
                    throw new InvalidConfiguration(from.problems());
                }
            }
            return config;
        }

        private @Nullable String hostOf(CellName name) {
            try {
                return Kind.HOST_NAME.read(Kind.HOST_NAME.entries(name.value()));
            } catch (IllegalArgumentException wrong) {
                from.complain(
                        Keys.HOST.path(),
                        "must be set, as the cell's name is none; allowed: " + Kind.HOST_NAME.allowed());
                return null;
            }
        }

        private static <T> T given(@Nullable T value) {
            return Objects.requireNonNull(value, "missing without a complaint");
        }

        private void judge(Judges judges, @Nullable Postgres postgres, @Nullable Path dataDir, @Nullable Tls tls) {
            if (postgres != null && dataDir != null) {
                try {
                    judges.settings(
                                    postgres.programs().fitting(database(dataDir)),
                                    postgres.osUser(),
                                    postgres.settings())
                            .forEach(problem -> from.complain(from.where(Keys.SETTINGS), problem));
                } catch (RuntimeException unknown) {
                    from.complain(from.where(Keys.SETTINGS), String.valueOf(unknown.getMessage()));
                }
            }
            if (tls != null) {
                judges.certificate(tls.certificate().text(), tls.key().text())
                        .forEach(problem -> from.complain(
                                from.where(Keys.TLS_CERTIFICATE),
                                problem + " (" + tls.certificate() + ", with " + from.where(Keys.TLS_KEY) + " "
                                        + tls.key() + ")"));
            }
        }

        private @Nullable SideFile secret(Key<Path> key, int shortest) {
            Path path = from.value(key);
            SideFile file = path == null ? null : from.read(key, path);
            if (file == null) {
                return null;
            }
            int length = file.secret().length;
            if (length < shortest || length > LONGEST_SECRET) {
                from.complain(
                        from.where(key),
                        file + " holds " + length + " bytes; " + shortest + " to " + LONGEST_SECRET + " make a secret");
            }
            return file;
        }

        private @Nullable SideFile password(Key<Path> key) {
            SideFile file = secret(key, SHORTEST_PASSWORD);
            if (file != null && file.password().chars().anyMatch(c -> c < ' ' || c == 0xfffd)) {
                from.complain(
                        from.where(key),
                        file + " holds a control character or no UTF-8; a password is one line of text");
            }
            return file;
        }

        private @Nullable Ports ports() {
            List<Key<Integer>> keys = List.of(
                    Keys.POSTGRES_PORT,
                    Keys.API_PORT,
                    Keys.LINK_PORT,
                    Keys.CLIENT_PORT,
                    Keys.QUORUM_PORT,
                    Keys.ELECTION_PORT);
            List<Integer> numbers = new ArrayList<>();
            Map<Integer, Key<Integer>> taken = new HashMap<>();
            for (Key<Integer> key : keys) {
                Integer port = from.value(key);
                if (port == null) {
                    continue;
                }
                numbers.add(port);
                Key<Integer> other = taken.putIfAbsent(port, key);
                if (other != null) {
                    from.complain(
                            from.where(key), port + " is also " + other.path() + "; each needs a port of its own");
                }
            }
            return numbers.size() < keys.size()
                    ? null
                    : new Ports(
                            numbers.get(0),
                            numbers.get(1),
                            numbers.get(2),
                            numbers.get(3),
                            numbers.get(4),
                            numbers.get(5));
        }

        private @Nullable ZooKeeper zooKeeper(@Nullable CellName self, @Nullable String host, @Nullable Ports ports) {
            boolean hasCells = from.isGiven(Keys.ZOOKEEPER_CELLS);
            boolean hasConnect = from.isGiven(Keys.ZOOKEEPER_CONNECT);
            Map<CellName, String> cells = from.optional(Keys.ZOOKEEPER_CELLS);
            ZooKeeper.External connect = from.optional(Keys.ZOOKEEPER_CONNECT);
            if (hasCells == hasConnect) {
                from.complain(
                        hasCells ? from.where(Keys.ZOOKEEPER_CONNECT) : Keys.ZOOKEEPER_CELLS.path(),
                        hasCells
                                ? "cannot be set together with " + Keys.ZOOKEEPER_CELLS.path()
                                : "either this or " + Keys.ZOOKEEPER_CONNECT.path() + " must be set; allowed: "
                                        + Kind.CELLS.allowed());
                return null;
            }
            if (connect != null) {
                return connect;
            }
            if (cells == null) {
                return null;
            }
            List<Server> servers = new ArrayList<>();
            cells.forEach((cell, at) -> servers.add(new Server(servers.size() + 1, cell, at)));
            if (self != null && host != null && cells.containsKey(self) && !host.equals(cells.get(self))) {
                from.complain(
                        from.where(Keys.ZOOKEEPER_CELLS),
                        "has " + self + " at " + cells.get(self) + ", but its " + Keys.HOST.path() + " is " + host);
            }
            if (servers.stream().map(Server::host).distinct().count() < servers.size()) {
                from.complain(
                        from.where(Keys.ZOOKEEPER_CELLS), "has two cells on one host; each needs a host of its own");
            }
            return ports == null ? null : new ZooKeeper.Cells(List.copyOf(servers), ports.zookeeperClient());
        }

        private @Nullable Postgres postgres(@Nullable Path dataDir) {
            Path binDir = from.optional(Keys.BIN_DIR);
            Installations programs = null;
            if (binDir != null && Files.isExecutable(binDir.resolve("postgres"))) {
                programs = Installations.only(binDir);
            } else if (binDir != null) {
                from.complain(
                        from.where(Keys.BIN_DIR),
                        binDir + " holds no program postgres; allowed: the folder of PostgreSQL's server programs");
            } else if (dataDir != null && !from.isGiven(Keys.BIN_DIR)) {
                programs = Installations.usual();
                try {
                    var _ = programs.fitting(database(dataDir));
                } catch (NoSuchElementException missing) {
                    from.complain(
                            Keys.BIN_DIR.path(),
                            missing.getMessage() + ", or set it to the folder of its server programs");
                }
            }
            String osUser = from.value(Keys.OS_USER);
            Map<String, String> settings = from.optional(Keys.SETTINGS);
            return programs == null || osUser == null
                    ? null
                    : new Postgres(programs, osUser, settings == null ? Map.of() : settings);
        }

        private @Nullable Tls tls() {
            SideFile certificate = file(Keys.TLS_CERTIFICATE);
            SideFile key = file(Keys.TLS_KEY);
            if (from.isGiven(Keys.TLS_CERTIFICATE) != from.isGiven(Keys.TLS_KEY)) {
                from.complain(
                        from.isGiven(Keys.TLS_KEY) ? Keys.TLS_CERTIFICATE.path() : Keys.TLS_KEY.path(),
                        "must be set, as the other half of the pair is; or leave both out");
            }
            return certificate == null || key == null ? null : new Tls(certificate, key);
        }

        private @Nullable SideFile file(Key<Path> key) {
            Path path = from.optional(key);
            return path == null ? null : from.read(key, path);
        }

        private CellSettings.@Nullable Timing timing(@Nullable Duration heartbeat) {
            Duration silence = from.value(Keys.SILENCE);
            Duration coldStartGrace = from.value(Keys.COLD_START_GRACE);
            Duration ballot = from.value(Keys.BALLOT);
            Duration handover = from.value(Keys.HANDOVER);
            Duration isolation = from.value(Keys.ISOLATION);
            Duration readOnlyAfter = from.value(Keys.READ_ONLY_AFTER);
            Duration restartPatience = from.value(Keys.RESTART_PATIENCE);
            Duration dropVoterAfter = from.value(Keys.DROP_VOTER_AFTER);
            Duration stop = from.value(Keys.STOP);
            Duration tick = from.value(Keys.TICK);
            Duration haste = from.value(Keys.HASTE);
            if (heartbeat != null && silence != null && silence.compareTo(heartbeat.multipliedBy(3)) < 0) {
                from.complain(
                        from.where(Keys.SILENCE),
                        Kind.text(silence) + " is less than three times " + Keys.HEARTBEAT.path() + ", which is "
                                + Kind.text(heartbeat));
            }
            if (tick != null && haste != null && tick.compareTo(haste) < 0) {
                from.complain(
                        from.where(Keys.TICK),
                        Kind.text(tick) + " is less than " + Keys.HASTE.path() + ", which is " + Kind.text(haste));
            }
            if (silence == null
                    || coldStartGrace == null
                    || ballot == null
                    || handover == null
                    || isolation == null
                    || readOnlyAfter == null
                    || restartPatience == null
                    || dropVoterAfter == null
                    || stop == null
                    || tick == null
                    || haste == null) {
                return null;
            }
            return new CellSettings.Timing(
                    silence,
                    coldStartGrace,
                    ballot,
                    handover,
                    isolation,
                    readOnlyAfter,
                    restartPatience,
                    dropVoterAfter,
                    stop,
                    tick,
                    haste);
        }
    }
}
