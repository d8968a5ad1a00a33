package org.cellkeeper.cell.postgres;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.StreamName;
import org.cellkeeper.cell.model.Upstream;

/** Which settings of PostgreSQL are ours and what they are; the others come from the configuration. Immutable. */
final class OwnedSettings {
    /** What nobody else may set, with the reason of each. */
    static final Map<String, String> OWNED = owned();

    /** For the server's side of a long copy. */
    static final String PATIENT = "-c wal_sender_timeout=2min -c tcp_user_timeout=2min -c tcp_keepalives_idle=30"
            + " -c tcp_keepalives_interval=10 -c tcp_keepalives_count=9";

    private static Map<String, String> owned() {
        Map<String, String> owned = new TreeMap<>();
        because(
                "who reigns, who is followed and who acknowledges changes while PostgreSQL runs",
                owned,
                "synchronous_standby_names primary_conninfo primary_slot_name default_transaction_read_only");
        because(
                "`host`, `ports.postgres` and `data-dir` say where this PostgreSQL is",
                owned,
                "listen_addresses port unix_socket_directories cluster_name data_directory external_pid_file");
        because(
                "the cell writes these files itself, and nothing else is read",
                owned,
                "config_file hba_file ident_file include include_if_exists include_dir allow_alter_system");
        because(
                "an acknowledged commit is on disk, here and on a standby",
                owned,
                "fsync full_page_writes synchronous_commit wal_level wal_log_hints");
        because("damaged data are to be noticed", owned, "ignore_invalid_pages zero_damaged_pages");
        because(
                "every cell can be a standby, and feed all the others",
                owned,
                "hot_standby max_wal_senders max_replication_slots wal_receiver_create_temp_slot"
                        + " idle_replication_slot_timeout synchronized_standby_slots sync_replication_slots");
        because(
                "nothing but its upstream feeds a standby, and nothing but a promotion ends its recovery",
                owned,
                "restore_command archive_cleanup_command recovery_end_command recovery_min_apply_delay"
                        + " promote_trigger_file recovery_target recovery_target_action recovery_target_inclusive"
                        + " recovery_target_lsn recovery_target_name recovery_target_time recovery_target_timeline"
                        + " recovery_target_xid");
        because("an archive that cannot keep up fills the primary's disk; see the backups", owned, "archive_mode");
        because(
                "a lost cell is noticed soon, and a stream comes back soon",
                owned,
                "wal_retrieve_retry_interval wal_receiver_status_interval wal_receiver_timeout wal_sender_timeout"
                        + " tcp_keepalives_idle tcp_keepalives_interval tcp_keepalives_count");
        because("PostgreSQL comes back by itself when one of its processes crashes", owned, "restart_after_crash");
        because(
                "the agent's own sessions come in, however many clients there are",
                owned,
                "superuser_reserved_connections");
        because(
                "the cell's own app comes in, however many clients there are (from version 16 on)",
                owned,
                "reserved_connections");
        because("pg_hba.conf, which the cell writes, asks for it", owned, "password_encryption");
        because(
                "PostgreSQL shows the cell's certificate, and believes whom the cell believes; see `security.encryption`",
                owned,
                "ssl ssl_cert_file ssl_key_file ssl_ca_file");
        because("no client of today needs less, and what is older has weaknesses", owned, "ssl_min_protocol_version");
        because(
                "the cell reads PostgreSQL's logs, and removes old ones",
                owned,
                "logging_collector log_destination log_directory log_filename log_rotation_size log_rotation_age");
        return Map.copyOf(owned);
    }

    private static void because(String reason, Map<String, String> owned, String names) {
        for (String name : names.split(" ", -1)) {
            owned.put(name, reason);
        }
    }

    /** How a password is shown to be known; whoever answers at a lost cell's address is told none. */
    static final String PROOF = "scram-sha-256";

    /** From this major version on libpq refuses to tell a password. */
    static final int REQUIRES_PROOF = 16;

    /** Of the settings that a standby must have no less of than its primary. */
    private static final Map<String, String> POSTGRES_DEFAULTS =
            Map.of("max_worker_processes", "8", "max_prepared_transactions", "0", "max_locks_per_transaction", "64");

    private static final Pattern APPLICATION_NAME = Pattern.compile("(?:^| )application_name='([a-z0-9.-]+)'");

    /** From this major version on there are places for roles that are no superusers. */
    static final int RESERVES = 16;

    private final PostgresSettings settings;
    private final TlsFiles tls;
    private volatile int version;
    private volatile Map<String, String> fixed;

    OwnedSettings(PostgresSettings settings, int version) {
        this.settings = settings;
        this.tls = new TlsFiles(settings);
        this.version = version;
        this.fixed = fixed(version);
    }

    /** From here on for this major version. */
    void use(int next) {
        version = next;
        fixed = fixed(next);
    }

    /** Tells the processes of this data directory from those of any other on the machine. */
    static String clusterName(Path dataDir) {
        return "cellkeeper-%08x".formatted(dataDir.toString().hashCode());
    }

    private Map<String, String> fixed(int major) {
        Map<String, String> map = new LinkedHashMap<>();
        map.put("listen_addresses", settings.listenHost());
        map.put("port", String.valueOf(settings.port()));
        map.put("unix_socket_directories", settings.runDir().toString());
        map.put("cluster_name", clusterName(settings.dataDir()));
        map.put("password_encryption", "scram-sha-256");
        // The agent's own sessions come in, however many clients there are.
        map.put("superuser_reserved_connections", "8");
        // I1: what is acknowledged is on disk, here and there.
        map.put("fsync", "on");
        map.put("full_page_writes", "on");
        map.put("synchronous_commit", "on");
        map.put("wal_level", "replica");
        map.put("wal_log_hints", "on");
        map.put("hot_standby", "on");
        map.put("max_wal_senders", "16");
        map.put("max_replication_slots", "16");
        map.put("restart_after_crash", "on");
        // Nothing but the upstream feeds a standby, and nothing but a promotion ends its recovery.
        map.put("restore_command", "");
        map.put("archive_cleanup_command", "");
        map.put("recovery_end_command", "");
        map.put("recovery_target", "");
        map.put("recovery_target_timeline", "latest");
        map.put("recovery_min_apply_delay", "0");
        map.put("wal_receiver_create_temp_slot", "off");
        map.put("wal_retrieve_retry_interval", "100ms");
        map.put("wal_receiver_status_interval", "1s");
        map.put("wal_receiver_timeout", "2s");
        map.put("wal_sender_timeout", "3s");
        map.put("tcp_keepalives_idle", "2");
        map.put("tcp_keepalives_interval", "1");
        map.put("tcp_keepalives_count", "3");
        map.put("logging_collector", "on");
        map.put("log_destination", "stderr");
        map.put("log_directory", settings.runDir().resolve("log").toString());
        map.put("log_filename", "postgresql-%Y%m%d-%H%M%S.log");
        map.put("log_rotation_size", "20MB");
        map.put("log_rotation_age", "1d");
        if (major >= RESERVES) {
            map.put("reserved_connections", "6");
        }
        if (major >= 17) {
            map.put("allow_alter_system", "off");
        }
        if (major >= 18) {
            map.put("idle_replication_slot_timeout", "0");
        }
        List<String> all = new ArrayList<>(map.keySet());
        all.addAll(tls.server().keySet());
        for (String name : all) {
            if (!owns(name)) {
                throw new IllegalStateException(name + " is set, and has no reason in OWNED");
            }
        }
        return Map.copyOf(map);
    }

    /** What never changes while PostgreSQL runs; given on its command line, where ALTER SYSTEM does not reach. */
    Map<String, String> fixed() {
        return fixed;
    }

    /** What never differs from the configuration, but takes effect while PostgreSQL runs: it is not on its command line. */
    Map<String, String> reloadable() {
        return tls.server();
    }

    TlsFiles tls() {
        return tls;
    }

    /** What the configuration may change. */
    Map<String, String> defaults() {
        Map<String, String> map = new TreeMap<>();
        map.put("max_connections", "200");
        // Who comes in proves at once who he is; who does not holds a place until then.
        map.put("authentication_timeout", "10s");
        // As by PostgreSQL for segments of 16 MB; initdb lowers them with the size of a segment.
        map.put("max_wal_size", "1GB");
        map.put("min_wal_size", "80MB");
        map.put("max_slot_wal_keep_size", "1GB");
        map.put("wal_keep_size", "128MB");
        // A seal and a promotion wait for replay: a long query on a standby may hold it up no longer than this.
        map.put("max_standby_streaming_delay", "2s");
        map.put("max_standby_archive_delay", "2s");
        // A long reader at a standby does not bloat the primary, unless that is wanted.
        map.put("hot_standby_feedback", "off");
        // A start after a crash fsyncs every file of the data folder first, and a failover may wait for it: one call
        // does the same.
        map.put("recovery_init_sync_method", "syncfs");
        map.put("log_line_prefix", "%m [%p] %q%u@%d %a ");
        map.put("log_checkpoints", "on");
        map.put("log_lock_waits", "on");
        return map;
    }

    static boolean owns(String name) {
        return OWNED.containsKey(name);
    }

    /** @param required what this instance must have at least, whatever the configuration says */
    List<String> commandLine(Path dataDir, Map<String, Integer> required) {
        List<String> arguments = new ArrayList<>(List.of("-D", dataDir.toString()));
        Map<String, String> all = new TreeMap<>(fixed);
        raised(required).forEach((name, value) -> all.put(name, String.valueOf(value)));
        all.forEach((name, value) -> {
            arguments.add("-c");
            arguments.add(name + "=" + value);
        });
        return arguments;
    }

    /** Those of the required values that the configuration does not reach. */
    Map<String, Integer> raised(Map<String, Integer> required) {
        Map<String, Integer> raised = new TreeMap<>();
        required.forEach((name, least) -> {
            if (configured(name) < least) {
                raised.put(name, least);
            }
        });
        return raised;
    }

    /** A whole number that the configuration, or else PostgreSQL, sets; 0 when it is none, which PostgreSQL refuses then. */
    private int configured(String name) {
        String value = fixed.getOrDefault(
                name, settings.extra().getOrDefault(name, defaults().getOrDefault(name, POSTGRES_DEFAULTS.get(name))));
        try {
            return value == null ? 0 : Integer.decode(value.strip());
        } catch (NumberFormatException e) {
            return 0;
        }
    }

    /** Who is let in without a password: on this machine as the agent's role, and by his certificate. */
    String ident() {
        Set<String> users = new HashSet<>(List.of("root", System.getProperty("user.name")));
        String osUser = settings.osUser();
        if (osUser != null) {
            users.add(osUser);
        }
        return users.stream()
                .sorted()
                .map(user -> "agent \"" + user + "\" " + PostgresSettings.SUPERUSER + "\n")
                .collect(Collectors.joining("", "# Written by Cellkeeper.\n" + HostRules.IDENT, ""));
    }

    /** Whether there is anybody to whom a session of the cell's own must show a password. */
    boolean needsPassword() {
        return !settings.access().encryption().speaks();
    }

    /** What the walreceiver reads its password from. */
    String passLine() {
        return "*:*:*:" + PostgresSettings.REPLICATION_ROLE + ":"
                + settings.passwords().streaming().replace("\\", "\\\\").replace(":", "\\:") + "\n";
    }

    String conninfo(Upstream upstream, CellId self) {
        return conninfo(upstream, new StreamName(self, upstream.epoch()).toString());
    }

    /** To the same upstream under the same name as this one, as it would be written now. */
    String renewed(String conninfo, Upstream upstream) {
        Matcher name = APPLICATION_NAME.matcher(conninfo);
        return name.find() ? conninfo(upstream, name.group(1)) : conninfo;
    }

    /** How a standby reaches its primary: each end takes the other for lost after 3 s of silence. */
    String conninfo(Upstream upstream, String applicationName) {
        Map<String, String> map = replication(upstream, applicationName);
        map.put("keepalives_idle", "2");
        map.put("keepalives_interval", "1");
        map.put("keepalives_count", "2");
        map.put("tcp_user_timeout", "3000");
        // That of a walsender alone: a client that reads slowly looks no different from one that is lost.
        map.put("options", "-c tcp_user_timeout=3s");
        return text(map);
    }

    /** How a clone reaches it: a disk or a network that stands still for a minute costs no copy of hours. */
    String conninfoOfClone(Upstream source, CellId self) {
        Map<String, String> map = replication(source, "clone-" + self.name());
        map.put("keepalives_idle", "30");
        map.put("keepalives_interval", "10");
        map.put("keepalives_count", "9");
        map.put("tcp_user_timeout", "120000");
        map.put("options", PATIENT);
        return text(map);
    }

    /** What it shows is in files. */
    private Map<String, String> replication(Upstream upstream, String applicationName) {
        Map<String, String> map = new LinkedHashMap<>();
        map.put("host", upstream.host());
        map.put("port", String.valueOf(upstream.port()));
        map.put("user", PostgresSettings.REPLICATION_ROLE);
        map.putAll(tls.conninfo(version));
        map.put("application_name", applicationName);
        map.put("connect_timeout", "2");
        map.put("gssencmode", "disable");
        map.put("keepalives", "1");
        return map;
    }

    private static String text(Map<String, String> conninfo) {
        return conninfo.entrySet().stream()
                .map(entry -> entry.getKey() + "='"
                        + entry.getValue().replace("\\", "\\\\").replace("'", "\\'") + "'")
                .collect(Collectors.joining(" "));
    }
}
