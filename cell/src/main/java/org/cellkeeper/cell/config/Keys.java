package org.cellkeeper.cell.config;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.CellSettings;
import org.cellkeeper.cell.model.CellSettings.IsolationResponse;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.trust.Encryption;

/** Everything that can be configured. */
final class Keys {
    private static final CellSettings.Timing TIMING = CellSettings.Timing.defaults();

    static final Key<CellName> NAME = Key.required(
            "name", Kind.CELL, "Name of this cell, unique in its cluster. It survives a wipe of the cell's data.");
    static final Key<String> HOST = Key.computed(
            "host",
            Kind.HOST_NAME,
            "the cell's name",
            "Where the other cells and the clients reach this cell; it listens there for the other agents.");
    static final Key<Path> DATA_DIR = Key.with(
            "data-dir",
            Kind.DATA_DIR,
            "/var/lib/cell",
            "Folder of everything that this cell keeps: database, ZooKeeper server, its own state.");
    static final Key<Integer> PRIORITY = Key.with(
            "priority",
            Kind.number("number", 0, 1000),
            "100",
            "Among standbys that hold the same WAL the one with the highest priority becomes primary. 0: never.");
    static final Key<String> FAULT_DOMAIN =
            Key.with("fault-domain", Kind.NAME, "default", "What this cell may go down together with: a rack, a site.");

    static final Key<String> CLUSTER_NAME =
            Key.with("cluster.name", Kind.NAME, "cellkeeper", "Name of the cluster, the same on every cell.");
    static final Key<Path> CLUSTER_SECRET = Key.required(
            "cluster.secret-file",
            Kind.SECRET,
            "File with the cluster's secret, 16 bytes at least, the same on every cell. Agents prove to each other that they know it. Up to four may be listed, one on each line: the first is used, all are believed, and another list is taken up while the agent runs.");

    static final Key<Integer> API_PORT = port("api", "5480", "The appliance API.");
    static final List<Key<Integer>> PORTS = List.of(
            port("postgres", "5432", "PostgreSQL."),
            API_PORT,
            port("link", "5481", "The links between the agents."),
            port("zookeeper-client", "2181", "ZooKeeper, for the agents."),
            port("zookeeper-quorum", "2888", "ZooKeeper, from its followers to its leader."),
            port("zookeeper-election", "3888", "ZooKeeper, for the election of its leader."));

    static final Key<FailoverMode> INITIAL_MODE = Key.with(
            "failover.initial-mode",
            Kind.oneOf(FailoverMode.class),
            Kind.word(FailoverMode.MANUAL),
            "The failover mode that a new cluster is born with. Later the API changes it, for all cells at once.");
    static final Key<CellName> BOOTSTRAP_PRIMARY =
            Key.computed("failover.bootstrap-primary", Kind.CELL, "any cell", "The cell that founds a new cluster.");
    static final Key<IsolationResponse> ISOLATION_RESPONSE = Key.with(
            "failover.isolation-response",
            Kind.oneOf(IsolationResponse.class),
            Kind.word(IsolationResponse.READ_ONLY),
            "What a primary does that is cut off from ZooKeeper and from its acknowledging standbys: go on with reads that may be stale, or stop.");
    static final Key<Integer> MIN_STANDBYS = Key.with(
            "failover.min-standbys-after-failover",
            Kind.number("number", 0, 254),
            "1",
            "So many standbys must be left to acknowledge after an automatic failover; with fewer it waits for the old primary, or for an operator.");

    static final Key<Map<CellName, String>> ZOOKEEPER_CELLS = Key.computed(
            "zookeeper.cells",
            Kind.CELLS,
            "none",
            "The cells that run the ZooKeeper ensemble, with their hosts, the same list on every cell. A cell's position in it is the id of its server, and the list is on record: append one cell at a time, and the next when all run with it.");
    static final Key<CellConfig.ZooKeeper.External> ZOOKEEPER_CONNECT = Key.computed(
            "zookeeper.connect",
            Kind.CONNECT,
            "none",
            "An ensemble of your own, in place of zookeeper.cells; then no cell runs a ZooKeeper server. All of the cluster lies below /path, under the cluster's name.");
    static final Key<CellConfig.ZooKeeper.Transport> ZOOKEEPER_TRANSPORT = Key.with(
            "zookeeper.transport",
            Kind.oneOf(CellConfig.ZooKeeper.Transport.class),
            "plain",
            "How an ensemble of your own is reached: by TLS its certificates are to be of security.ca-file, and it is shown this cell's. One that the cells run goes by security.encryption.");
    static final Key<Duration> SESSION_TIMEOUT = Key.with(
            "zookeeper.session-timeout",
            Kind.duration("1s", "60s"),
            "4s",
            "How long ZooKeeper keeps the entries of an agent that it does not hear of.");

    static final Key<Path> BIN_DIR = Key.computed(
            "postgres.bin-dir",
            Kind.PATH,
            "under /usr/lib/postgresql those of the data's version; for new data the newest",
            "Folder of PostgreSQL's server programs, version 15 or newer.");
    static final Key<String> OS_USER =
            Key.with("postgres.os-user", Kind.NAME, "postgres", "The operating system's user that PostgreSQL runs as.");
    static final Key<Map<String, String>> SETTINGS = Key.computed(
            "postgres.settings",
            Kind.SETTINGS,
            "none",
            "Further PostgreSQL parameters, without [those that a cell sets by itself](#what-a-cell-sets-by-itself). PostgreSQL itself judges them. A PostgreSQL that runs takes them up when its agent starts; what it takes up at its own next start alone is told as pending.");

    static final Key<List<String>> CLIENT_NETWORKS = Key.with(
            "postgres.client-networks",
            Kind.NETWORKS,
            "0.0.0.0/0, ::/0",
            "From where clients may come to PostgreSQL with their password. The cells themselves come in by their certificates.");
    static final Key<Boolean> PLAINTEXT_CLIENTS = Key.with(
            "postgres.plaintext-clients",
            Kind.YES_OR_NO,
            "no",
            "Whether clients may come in without encryption where `security.encryption` is required. Standbys never may.");
    static final Key<List<String>> HBA = Key.computed(
            "postgres.hba",
            Kind.LINES,
            "none",
            "Further lines of `pg_hba.conf`, after those by which the cells come in and the superuser does not, and before those for clients. PostgreSQL itself judges them; what an agent has taken up takes effect at once.");

    static final Key<CellConfig.Door.Software> DOOR_SOFTWARE = Key.with(
            "door.software",
            Kind.oneOf(CellConfig.Door.Software.class),
            "none",
            "What stands at the door's port, leads clients to the primary wherever it is, and holds them while it changes. none: nothing. pgbouncer: where it is not installed the cell goes on without, and says so.");
    static final Key<Integer> DOOR_PORT = Key.with("door.port", Kind.PORT, "6432", "The door.");
    static final Key<Duration> DOOR_MAX_LAG = Key.with(
            "door.max-lag",
            Kind.duration("100ms", "1h"),
            "10s",
            "A standby that is further behind is not read from through the door.");

    static final Key<Path> TRANSFER_FOLDER = Key.computed(
            "transfer.folder",
            Kind.PATH,
            "there is no transfer share",
            "Folder of the transfer share, one that all cells mount: backups are kept there, signed. The agent's user must be able to write there.");

    static final Key<Path> ROOT_PASSWORD =
            Key.required("security.root-password-file", Kind.SECRET, "File with the password of the API's user root.");
    static final Key<Path> VCLOUD_PASSWORD = Key.required(
            "security.vcloud-password-file",
            Kind.SECRET,
            "File with the password of the database's user vcloud, the owner of the application's data. A new one is given by the primary's agent within seconds; one that was changed by SQL stays until the file is changed.");
    static final Key<Path> CA = Key.computed(
            "security.ca-file",
            Kind.FILE,
            "none",
            "Certificates of the authorities that sign for the cluster's cells, as PEM. While one is replaced by another, both are in it.");
    static final Key<Path> CERTIFICATE = Key.computed(
            "security.certificate-file",
            Kind.FILE,
            "none",
            "This cell's certificate, as PEM, and those between it and an authority. Its common name is the cell's name, and `host` is among its alternative names; it is good for servers and for clients. `cellctl ca` makes such ones.");
    static final Key<Path> KEY = Key.computed(
            "security.key-file", Kind.FILE, "none", "Private key of that certificate, as PEM (PKCS #8); RSA or EC.");
    static final Key<Encryption> ENCRYPTION = Key.computed(
            "security.encryption",
            Kind.oneOf(Encryption.class),
            "required; off where a cell without certificates ran already",
            "Whether the channels of this cell are encrypted and both ends show certificates. A running cluster goes over in steps, cell after cell each time: accepted, preferred, required.");
    static final Key<Path> MONITOR_PASSWORD = Key.computed(
            "security.monitor-password-file",
            Kind.SECRET,
            "there is no user monitor",
            "File with the password of the API's user monitor, who reads and changes nothing.");
    static final Key<Path> USERS = Key.computed(
            "security.users-file",
            Kind.FILE,
            "there are no others",
            "File with further users of the API, the same on every cell: a line name:role:hash for each, the role being root or monitor, the hash made by cellctl user hash.");
    static final Key<Path> TLS_CERTIFICATE = Key.computed(
            "security.tls-certificate-file",
            Kind.FILE,
            "the cell's own certificate; without one, a self-signed one is made",
            "Certificate chain of the API, as PEM, if it is to be another than the cell's.");
    static final Key<Path> TLS_KEY = Key.computed(
            "security.tls-key-file",
            Kind.FILE,
            "that of the certificate that is used",
            "Private key of that certificate, as PEM (PKCS #8).");

    static final Key<Duration> HEARTBEAT = Key.with(
            "timing.heartbeat",
            Kind.duration("50ms", "10s"),
            "200ms",
            "How often an agent tells the others how it is, when nothing changes.");
    static final Key<Duration> SILENCE = Key.with(
            "timing.silence",
            // Three times the shortest heartbeat.
            Kind.duration("150ms", "1h"),
            Kind.text(TIMING.silence()),
            "An agent or a WAL stream that is not heard for so long counts as silent; three heartbeats at least.");
    static final Key<Duration> COLD_START_GRACE = timing(
            "cold-start-grace",
            TIMING.coldStartGrace(),
            "How long a cell that has not streamed since its own start waits for the primary to come up.");
    static final Key<Duration> BALLOT =
            timing("ballot", TIMING.ballot(), "A ballot that has not been decided by then is given up.");
    static final Key<Duration> HANDOVER = timing(
            "handover",
            TIMING.handover(),
            "A handover that is not taken by then, counted from the old primary's stop, may be taken back.");
    static final Key<Duration> ISOLATION =
            timing("isolation", TIMING.isolation(), "How long a primary may be cut off before the isolation response.");
    static final Key<Duration> READ_ONLY_AFTER = timing(
            "read-only-after",
            TIMING.readOnlyAfter(),
            "How long a primary may be without enough acknowledging standbys before it turns read-only.");
    static final Key<Duration> RESTART_PATIENCE = timing(
            "restart-patience",
            TIMING.restartPatience(),
            "How long a primary in automatic mode leaves its crashed PostgreSQL down for others to take over.");
    static final Key<Duration> DROP_VOTER_AFTER = timing(
            "drop-voter-after",
            TIMING.dropVoterAfter(),
            "How long a voter may be away before the primary goes on without it.");
    static final Key<Duration> STOP =
            timing("stop", TIMING.stop(), "How long PostgreSQL may take to stop fast before it is stopped at once.");
    static final Key<Duration> TICK = timing("tick", TIMING.tick(), "How often an idle cell looks at itself.");
    static final Key<Duration> HASTE = timing("haste", TIMING.haste(), "The same while something is under way.");
    static final Key<Duration> GUARD = Key.with(
            "timing.guard",
            Kind.duration("1s", "10m"),
            "10s",
            "An agent that has not moved for so long is killed by its guard, which stops a primary's PostgreSQL first.");

    /** A group of keys, for the documentation. */
    record Section(String title, List<Key<?>> keys) {}

    static final List<Section> SECTIONS = List.of(
            new Section("The cell", List.of(NAME, HOST, DATA_DIR, PRIORITY, FAULT_DOMAIN)),
            new Section("The cluster", List.of(CLUSTER_NAME, CLUSTER_SECRET)),
            new Section("TCP ports", List.copyOf(PORTS)),
            new Section("Failover", List.of(INITIAL_MODE, BOOTSTRAP_PRIMARY, ISOLATION_RESPONSE, MIN_STANDBYS)),
            new Section("ZooKeeper", List.of(ZOOKEEPER_CELLS, ZOOKEEPER_CONNECT, ZOOKEEPER_TRANSPORT, SESSION_TIMEOUT)),
            new Section("PostgreSQL", List.of(BIN_DIR, OS_USER, SETTINGS, CLIENT_NETWORKS, PLAINTEXT_CLIENTS, HBA)),
            new Section("Door", List.of(DOOR_SOFTWARE, DOOR_PORT, DOOR_MAX_LAG)),
            new Section("Transfer share", List.of(TRANSFER_FOLDER)),
            new Section(
                    "Security",
                    List.of(
                            CA,
                            CERTIFICATE,
                            KEY,
                            ENCRYPTION,
                            ROOT_PASSWORD,
                            VCLOUD_PASSWORD,
                            MONITOR_PASSWORD,
                            USERS,
                            TLS_CERTIFICATE,
                            TLS_KEY)),
            new Section(
                    "Timing",
                    List.of(
                            HEARTBEAT,
                            SILENCE,
                            COLD_START_GRACE,
                            BALLOT,
                            HANDOVER,
                            ISOLATION,
                            READ_ONLY_AFTER,
                            RESTART_PATIENCE,
                            DROP_VOTER_AFTER,
                            STOP,
                            TICK,
                            HASTE,
                            GUARD)));

    static final Map<String, Key<?>> BY_PATH = all().collect(Collectors.toMap(Key::path, Function.identity()));

    private Keys() {}

    static Stream<Key<?>> all() {
        return SECTIONS.stream().flatMap(section -> section.keys().stream());
    }

    /** The key in this section that a record's component is named after. */
    static Key<?> of(String section, String component) {
        String path = section + "." + component.replaceAll("[A-Z]", "-$0").toLowerCase(Locale.ROOT);
        return Objects.requireNonNull(BY_PATH.get(path), path);
    }

    private static Key<Integer> port(String name, String standard, String sentence) {
        return Key.with("ports." + name, Kind.PORT, standard, sentence);
    }

    private static Key<Duration> timing(String name, Duration standard, String sentence) {
        return Key.with("timing." + name, Kind.duration("1ms", "1h"), Kind.text(standard), sentence);
    }
}
