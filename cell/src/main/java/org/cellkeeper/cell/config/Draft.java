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
import org.cellkeeper.cell.config.CellConfig.Failover;
import org.cellkeeper.cell.config.CellConfig.Ports;
import org.cellkeeper.cell.config.CellConfig.Postgres;
import org.cellkeeper.cell.config.CellConfig.Server;
import org.cellkeeper.cell.config.CellConfig.Tls;
import org.cellkeeper.cell.config.CellConfig.ZooKeeper;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.CellSettings.Timing;
import org.cellkeeper.cell.wire.Installations;
import org.jspecify.annotations.Nullable;

/** Puts a configuration together; every key is read, and every rule between keys looked at, before it says that anything is wrong. */
final class Draft {
    private static final int SHORTEST_SECRET = 16;
    private static final int SHORTEST_PASSWORD = 1;
    private static final int LONGEST_SECRET = 4096;

    private final Settings from;

    Draft(Settings from) {
        this.from = from;
    }

    CellConfig finish(@Nullable Judges judges, @Nullable Kept known) throws InvalidConfiguration {
        if (from.isUnread()) {
            from.refuse();
        }
        CellName name = from.value(Keys.NAME);
        String host = from.value(Keys.HOST);
        if (host == null && name != null && !from.isGiven(Keys.HOST)) {
            host = hostOf(name);
        }
        Path dataDir = from.value(Keys.DATA_DIR);
        Integer priority = from.value(Keys.PRIORITY);
        String faultDomain = from.value(Keys.FAULT_DOMAIN);
        String clusterName = from.value(Keys.CLUSTER_NAME);
        SideFile secret = secret(Keys.CLUSTER_SECRET, SHORTEST_SECRET);
        Ports ports = ports();
        Failover failover = from.section("failover", Failover.class);
        ZooKeeper zooKeeper = zooKeeper(name, host, ports);
        Duration sessionTimeout = from.value(Keys.SESSION_TIMEOUT);
        Postgres postgres = postgres(dataDir);
        Path transfer = from.value(Keys.TRANSFER_FOLDER);
        SideFile root = password(Keys.ROOT_PASSWORD);
        SideFile vcloud = password(Keys.VCLOUD_PASSWORD);
        Tls tls = tls();
        Duration heartbeat = from.value(Keys.HEARTBEAT);
        Duration guardTimeout = from.value(Keys.GUARD);
        Timing timing = timing();
        boolean judged =
                judges == null || (known != null && from.kept(known.from()).equals(known));
        if (judges != null && !judged) {
            judge(judges, postgres, dataDir, tls);
        }
        from.refuse();
        CellConfig config = new CellConfig(
                given(name),
                given(host),
                given(dataDir),
                given(priority),
                given(faultDomain),
                new CellConfig.Cluster(given(clusterName), given(secret)),
                given(ports),
                given(failover),
                given(zooKeeper),
                given(sessionTimeout),
                given(postgres),
                transfer,
                new CellConfig.Passwords(given(root), given(vcloud)),
                tls,
                given(heartbeat),
                given(guardTimeout),
                given(timing));
        if (judges != null && !judged) {
            judges.servers(config).forEach(problem -> from.complain(Keys.ZOOKEEPER_CELLS, problem));
            from.refuse();
        }
        return config;
    }

    private static <T> T given(@Nullable T value) {
        return Objects.requireNonNull(value, "missing without a complaint");
    }

    private @Nullable String hostOf(CellName name) {
        try {
            return Kind.HOST_NAME.read(Kind.HOST_NAME.entries(name.value()));
        } catch (IllegalArgumentException wrong) {
            from.complain(Keys.HOST, "must be set, as the cell's name is none; allowed: " + Kind.HOST_NAME.allowed());
            return null;
        }
    }

    private void judge(Judges judges, @Nullable Postgres postgres, @Nullable Path dataDir, @Nullable Tls tls) {
        if (postgres != null && dataDir != null) {
            try {
                Path programs = postgres.programs().fitting(CellConfig.database(dataDir));
                judges.settings(programs, postgres.osUser(), postgres.settings())
                        .forEach(problem -> from.complain(Keys.SETTINGS, problem));
            } catch (RuntimeException unknown) {
                from.complain(Keys.SETTINGS, String.valueOf(unknown.getMessage()));
            }
        }
        if (tls != null) {
            String files = " (" + tls.certificate() + ", with " + from.where(Keys.TLS_KEY) + " " + tls.key() + ")";
            judges.certificate(tls.certificate().text(), tls.key().text())
                    .forEach(problem -> from.complain(Keys.TLS_CERTIFICATE, problem + files));
        }
    }

    private @Nullable SideFile file(Key<Path> key) {
        Path path = from.value(key);
        return path == null ? null : from.read(key, path);
    }

    private @Nullable SideFile secret(Key<Path> key, int shortest) {
        SideFile file = file(key);
        int length = file == null ? shortest : file.secret().length;
        if (length < shortest || length > LONGEST_SECRET) {
            from.complain(
                    key,
                    file + " holds " + length + " bytes; " + shortest + " to " + LONGEST_SECRET + " make a secret");
        }
        return file;
    }

    private @Nullable SideFile password(Key<Path> key) {
        SideFile file = secret(key, SHORTEST_PASSWORD);
        if (file != null && file.password().chars().anyMatch(c -> c < ' ' || c == 0xfffd)) {
            from.complain(key, file + " holds a control character or no UTF-8; a password is one line of text");
        }
        return file;
    }

    private @Nullable Ports ports() {
        Map<Integer, Key<Integer>> taken = new HashMap<>();
        for (Key<Integer> key : Keys.PORTS) {
            Integer port = from.value(key);
            Key<Integer> other = port == null ? null : taken.putIfAbsent(port, key);
            if (other != null) {
                from.complain(key, port + " is also " + other.path() + "; each needs a port of its own");
            }
        }
        return from.section("ports", Ports.class);
    }

    private @Nullable ZooKeeper zooKeeper(@Nullable CellName self, @Nullable String host, @Nullable Ports ports) {
        boolean hasCells = from.isGiven(Keys.ZOOKEEPER_CELLS);
        Map<CellName, String> cells = from.value(Keys.ZOOKEEPER_CELLS);
        ZooKeeper.External connect = from.value(Keys.ZOOKEEPER_CONNECT);
        if (hasCells == from.isGiven(Keys.ZOOKEEPER_CONNECT)) {
            from.complain(
                    hasCells ? Keys.ZOOKEEPER_CONNECT : Keys.ZOOKEEPER_CELLS,
                    hasCells
                            ? "cannot be set together with " + Keys.ZOOKEEPER_CELLS.path()
                            : "either this or " + Keys.ZOOKEEPER_CONNECT.path() + " must be set; allowed: "
                                    + Kind.CELLS.allowed());
            return null;
        }
        if (connect != null || cells == null) {
            return connect;
        }
        List<Server> servers = new ArrayList<>();
        cells.forEach((cell, at) -> servers.add(new Server(servers.size() + 1, cell, at)));
        if (self != null && host != null && cells.containsKey(self) && !host.equals(cells.get(self))) {
            from.complain(
                    Keys.ZOOKEEPER_CELLS,
                    "has " + self + " at " + cells.get(self) + ", but its " + Keys.HOST.path() + " is " + host);
        }
        if (servers.stream().map(Server::host).distinct().count() < servers.size()) {
            from.complain(Keys.ZOOKEEPER_CELLS, "has two cells on one host; each needs a host of its own");
        }
        return ports == null ? null : new ZooKeeper.Cells(List.copyOf(servers), ports.zookeeperClient());
    }

    private @Nullable Postgres postgres(@Nullable Path dataDir) {
        Path binDir = from.value(Keys.BIN_DIR);
        Installations programs = null;
        if (binDir != null && Files.isExecutable(binDir.resolve("postgres"))) {
            programs = Installations.only(binDir);
        } else if (binDir != null) {
            from.complain(
                    Keys.BIN_DIR,
                    binDir + " holds no program postgres; allowed: the folder of PostgreSQL's server programs");
        } else if (dataDir != null && !from.isGiven(Keys.BIN_DIR)) {
            programs = Installations.usual();
            try {
                var _ = programs.fitting(CellConfig.database(dataDir));
            } catch (NoSuchElementException missing) {
                from.complain(Keys.BIN_DIR, missing.getMessage() + ", or set it to the folder of its server programs");
            }
        }
        String osUser = from.value(Keys.OS_USER);
        Map<String, String> settings = from.value(Keys.SETTINGS);
        return programs == null || osUser == null
                ? null
                : new Postgres(programs, osUser, settings == null ? Map.of() : settings);
    }

    private @Nullable Tls tls() {
        SideFile certificate = file(Keys.TLS_CERTIFICATE);
        SideFile key = file(Keys.TLS_KEY);
        if (from.isGiven(Keys.TLS_CERTIFICATE) != from.isGiven(Keys.TLS_KEY)) {
            from.complain(
                    from.isGiven(Keys.TLS_KEY) ? Keys.TLS_CERTIFICATE : Keys.TLS_KEY,
                    "must be set, as the other half of the pair is; or leave both out");
        }
        return certificate == null || key == null ? null : new Tls(certificate, key);
    }

    private @Nullable Timing timing() {
        Timing timing = from.section("timing", Timing.class);
        atLeast(Keys.SILENCE, 3, "three times ", Keys.HEARTBEAT);
        atLeast(Keys.TICK, 1, "", Keys.HASTE);
        return timing;
    }

    private void atLeast(Key<Duration> key, int times, String inWords, Key<Duration> other) {
        Duration duration = from.value(key);
        Duration least = from.value(other);
        if (duration != null && least != null && duration.compareTo(least.multipliedBy(times)) < 0) {
            from.complain(
                    key,
                    Kind.text(duration) + " is less than " + inWords + other.path() + ", which is " + Kind.text(least));
        }
    }
}
