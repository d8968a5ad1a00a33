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
import org.cellkeeper.cell.trust.Encryption;
import org.cellkeeper.cell.wire.Installations;
import org.jspecify.annotations.Nullable;

/** Puts a configuration together; every key is read, and every rule between keys looked at, before it says that anything is wrong. */
final class Draft {
    private static final int SHORTEST_PASSWORD = 1;
    private static final int LONGEST_PASSWORD = 4096;

    private final Settings from;
    private final @Nullable Kept before;

    /** @param before what this cell ran with; null for a new one */
    Draft(Settings from, @Nullable Kept before) {
        this.from = from;
        this.before = before;
    }

    /**
     * All of it.
     *
     * @param of those who judge; null when nobody is to be asked
     * @param anew whether they are asked again about what this cell ran with
     */
    CellConfig finish(@Nullable Judges of, boolean anew) throws InvalidConfiguration {
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
        SideFile secret = secrets();
        Ports ports = ports();
        Failover failover = from.section("failover", Failover.class);
        ZooKeeper zooKeeper = zooKeeper(name, host, ports);
        Duration sessionTimeout = from.value(Keys.SESSION_TIMEOUT);
        Postgres postgres = postgres(dataDir);
        CellConfig.Door door = from.section("door", CellConfig.Door.class);
        Path transfer = from.value(Keys.TRANSFER_FOLDER);
        SideFile root = password(Keys.ROOT_PASSWORD);
        SideFile vcloud = password(Keys.VCLOUD_PASSWORD);
        SideFile monitor = password(Keys.MONITOR_PASSWORD);
        SideFile users = users();
        CellConfig.Trust trust = trust();
        Tls tls = tls();
        Duration heartbeat = from.value(Keys.HEARTBEAT);
        Duration guardTimeout = from.value(Keys.GUARD);
        Timing timing = timing();
        boolean judged = !anew && before != null && from.kept(before.from()).equals(before);
        Judges judges = judged ? null : of;
        if (judges != null) {
            judge(judges, postgres, dataDir, tls);
            judge(judges, trust, name, host);
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
                given(door),
                transfer,
                new CellConfig.Passwords(given(root), given(vcloud), monitor, users),
                given(trust),
                tls,
                given(heartbeat),
                given(guardTimeout),
                given(timing));
        if (judges != null) {
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
                judges.hba(programs, postgres.osUser(), postgres.clients().hba())
                        .forEach(problem -> from.complain(Keys.HBA, problem));
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

    private void judge(
            Judges judges, CellConfig.@Nullable Trust trust, @Nullable CellName name, @Nullable String host) {
        CellConfig.TrustFiles files = trust == null ? null : trust.files();
        if (files == null || name == null || host == null) {
            return;
        }
        String where = " (" + files.certificate() + ", with " + from.where(Keys.KEY) + " " + files.key() + " and "
                + from.where(Keys.CA) + " " + files.ca() + ")";
        judges.identity(
                        files.ca().text(),
                        files.certificate().text(),
                        files.key().text(),
                        name.value(),
                        host)
                .forEach(problem -> from.complain(Keys.CERTIFICATE, problem + where));
    }

    private @Nullable SideFile file(Key<Path> key) {
        Path path = from.value(key);
        return path == null ? null : from.read(key, path);
    }

    private @Nullable SideFile secrets() {
        SideFile file = file(Keys.CLUSTER_SECRET);
        if (file != null) {
            SecretsFile.of(file.content())
                    .problems()
                    .forEach(problem -> from.complain(Keys.CLUSTER_SECRET, file + " " + problem));
        }
        return file;
    }

    private @Nullable SideFile password(Key<Path> key) {
        SideFile file = file(key);
        int length = file == null ? SHORTEST_PASSWORD : file.secret().length;
        if (length < SHORTEST_PASSWORD || length > LONGEST_PASSWORD) {
            from.complain(
                    key,
                    file + " holds " + length + " bytes; " + SHORTEST_PASSWORD + " to " + LONGEST_PASSWORD
                            + " make a secret");
        }
        if (file != null && file.password().chars().anyMatch(c -> c < ' ' || c == 0xfffd)) {
            from.complain(key, file + " holds a control character or no UTF-8; a password is one line of text");
        }
        return file;
    }

    private @Nullable SideFile users() {
        SideFile file = file(Keys.USERS);
        if (file != null) {
            UsersFile.of(file.text()).problems().forEach(problem -> from.complain(Keys.USERS, file + " " + problem));
        }
        return file;
    }

    private @Nullable Ports ports() {
        Map<Integer, Key<Integer>> taken = new HashMap<>();
        List<Key<Integer>> all = new ArrayList<>(Keys.PORTS);
        all.add(Keys.DOOR_PORT);
        for (Key<Integer> key : all) {
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
        ZooKeeper.Transport transport = from.value(Keys.ZOOKEEPER_TRANSPORT);
        if (transport == ZooKeeper.Transport.TLS && !from.isGiven(Keys.CERTIFICATE)) {
            from.complain(Keys.ZOOKEEPER_TRANSPORT, "is tls, which needs " + Keys.CERTIFICATE.path());
        }
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
            return connect == null || transport == null
                    ? null
                    : new ZooKeeper.External(connect.addresses(), connect.path(), transport);
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
        List<String> networks = from.value(Keys.CLIENT_NETWORKS);
        Boolean plaintext = from.value(Keys.PLAINTEXT_CLIENTS);
        List<String> hba = from.value(Keys.HBA);
        return programs == null || osUser == null || networks == null || plaintext == null
                ? null
                : new Postgres(
                        programs,
                        osUser,
                        settings == null ? Map.of() : settings,
                        new CellConfig.Clients(networks, plaintext, hba == null ? List.of() : hba));
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

    private CellConfig.@Nullable Trust trust() {
        SideFile ca = file(Keys.CA);
        SideFile certificate = file(Keys.CERTIFICATE);
        SideFile key = file(Keys.KEY);
        Encryption said = from.value(Keys.ENCRYPTION);
        List<Key<Path>> all = List.of(Keys.CA, Keys.CERTIFICATE, Keys.KEY);
        List<Key<Path>> missing =
                all.stream().filter(each -> !from.isGiven(each)).toList();
        if (missing.size() == all.size()) {
            boolean ranWithout = before != null && !before.values().containsKey(Keys.CA.path());
            Encryption encryption = said == null && ranWithout ? Encryption.OFF : said;
            if (encryption == Encryption.OFF) {
                return new CellConfig.Trust(Encryption.OFF, null);
            }
            if (said != null || !from.isGiven(Keys.ENCRYPTION)) {
                from.complain(
                        Keys.CA,
                        "must be set, and with it " + Keys.CERTIFICATE.path() + " and " + Keys.KEY.path()
                                + ": cellctl ca makes them; or set " + Keys.ENCRYPTION.path() + " to off");
            }
            return null;
        }
        missing.forEach(each -> from.complain(each, "must be set, as the others of the three are"));
        return ca == null || certificate == null || key == null
                ? null
                : new CellConfig.Trust(
                        said == null ? Encryption.REQUIRED : said, new CellConfig.TrustFiles(ca, certificate, key));
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
