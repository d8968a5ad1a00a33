package org.cellkeeper.cell.door;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import java.util.TreeMap;
import org.cellkeeper.cell.trust.Identity;
import org.jspecify.annotations.Nullable;

/**
 * The files that PgBouncer reads, and where it keeps its own. Each is replaced at once; none needs to outlive a loss of power, as an
 * agent writes all of them anew before it starts a door.
 */
final class DoorFiles {
    /** Java 11, OpenSSL 1.1.1 and whatever is newer speak it. */
    private static final String PROTOCOL = "tlsv1.3";

    /** Since then it keeps the prepared statements of its clients. */
    private static final Version PREPARES = new Version(1, 21);

    /** The last bound of a hold, and of any wait for the primary: then a client is told, and closed. */
    static final int WAITS_SECONDS = 30;

    /** The same where the primary is gone and nobody has had the door held; an agent of a slow machine still may. */
    static final int WAITS_IN_VAIN_SECONDS = 3;

    private final DoorSettings settings;

    DoorFiles(DoorSettings settings) {
        this.settings = settings;
    }

    Path ini() {
        return settings.folder().resolve("pgbouncer.ini");
    }

    Path log() {
        return settings.folder().resolve("pgbouncer.log");
    }

    /** Of the run before. */
    Path logBefore() {
        return settings.folder().resolve("pgbouncer.log.1");
    }

    Path pid() {
        return settings.folder().resolve("pgbouncer.pid");
    }

    Path socket() {
        return settings.folder().resolve(".s.PGSQL." + settings.port());
    }

    private Path users() {
        return settings.folder().resolve("users.txt");
    }

    private Path rules() {
        return settings.folder().resolve("hba.conf");
    }

    private Path own() {
        return settings.folder().resolve("cell.pem");
    }

    private Path authorities() {
        return settings.folder().resolve("ca.pem");
    }

    void makeFolder() throws IOException {
        Files.createDirectories(settings.folder());
        Files.setPosixFilePermissions(settings.folder(), PosixFilePermissions.fromString("rwx------"));
        own(settings.folder());
    }

    /**
     * Writes what differs; says whether anything did.
     *
     * @param secrets of the roles that may come in, as PostgreSQL keeps them; null to leave those that were known to an earlier agent
     */
    boolean write(Version version, Leads leads, @Nullable Map<String, String> secrets) throws IOException {
        boolean changed = (secrets != null || !Files.exists(users()))
                && write(users(), users(secrets == null ? Map.of() : secrets));
        changed |= write(rules(), new ClientRules(settings).text());
        Identity identity = settings.credentials().identity();
        if (identity != null) {
            changed |= write(authorities(), identity.authorities());
            changed |= write(own(), identity.key() + identity.chain());
        }
        changed |= write(ini(), databases(leads) + program(version));
        return changed;
    }

    /** Whether the door that runs was started with another listening address, or other limits: those it reads only once. */
    boolean needsRestart(Version version) {
        String now = read(ini());
        return now == null || !now.endsWith(program(version));
    }

    private String databases(Leads leads) {
        String at = "dbname=" + settings.database();
        return "; Written by Cellkeeper.\n[databases]\n"
                + "%s = host=%s port=%d %s%n"
                        .formatted(
                                settings.database(),
                                leads.primary().host(),
                                leads.primary().port(),
                                at)
                + "%s = host=%s port=%d %s%n"
                        .formatted(settings.readDatabase(), leads.readHost(), leads.readPort(), at);
    }

    private String program(Version version) {
        StringBuilder text = new StringBuilder("[pgbouncer]\n");
        values(version)
                .forEach((name, value) ->
                        text.append(name).append(" = ").append(value).append('\n'));
        return text.toString();
    }

    private Map<String, String> values(Version version) {
        Map<String, String> map = new TreeMap<>();
        map.put("listen_addr", settings.host());
        map.put("listen_port", String.valueOf(settings.port()));
        map.put("unix_socket_dir", settings.folder().toString());
        map.put("unix_socket_mode", "0700");
        map.put("pidfile", pid().toString());
        map.put("auth_type", "hba");
        map.put("auth_hba_file", rules().toString());
        map.put("auth_file", users().toString());
        map.put("admin_users", ClientRules.CONSOLE_USER);
        map.put("pool_mode", "transaction");
        map.put("max_client_conn", "1000");
        map.put("default_pool_size", "30");
        map.put("ignore_startup_parameters", "extra_float_digits");
        map.put("query_wait_timeout", String.valueOf(WAITS_SECONDS));
        map.put("server_connect_timeout", "2");
        map.put("server_login_retry", "0.1");
        map.put("tcp_user_timeout", "5000");
        map.put("dns_max_ttl", "5");
        map.put("dns_nxdomain_ttl", "1");
        map.put("log_connections", "0");
        map.put("log_disconnections", "0");
        map.put("log_stats", "0");
        if (version.isAtLeast(PREPARES)) {
            map.put("max_prepared_statements", "200");
        }
        encrypt(map);
        return map;
    }

    private void encrypt(Map<String, String> map) {
        var encryption = settings.credentials().encryption();
        boolean required = encryption.demands() && !settings.plaintext();
        map.put("client_tls_sslmode", !encryption.accepts() ? "disable" : required ? "require" : "allow");
        if (encryption.accepts()) {
            map.put("client_tls_key_file", own().toString());
            map.put("client_tls_cert_file", own().toString());
            map.put("client_tls_ca_file", authorities().toString());
            map.put("client_tls_protocols", PROTOCOL);
        }
        map.put("server_tls_sslmode", encryption.speaks() ? "verify-full" : "disable");
        if (encryption.speaks()) {
            map.put("server_tls_ca_file", authorities().toString());
            map.put("server_tls_key_file", own().toString());
            map.put("server_tls_cert_file", own().toString());
            map.put("server_tls_protocols", PROTOCOL);
        }
    }

    private static String users(Map<String, String> secrets) {
        StringBuilder text = new StringBuilder(quoted(ClientRules.CONSOLE_USER) + " \"\"\n");
        new TreeMap<>(secrets)
                .forEach((role, secret) -> text.append(quoted(role))
                        .append(' ')
                        .append(quoted(secret))
                        .append('\n'));
        return text.toString();
    }

    private static String quoted(String word) {
        return '"' + word.replace("\"", "\"\"") + '"';
    }

    /** Null when there is none, or none that can be read. */
    private static @Nullable String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException none) {
            return null;
        }
    }

    private boolean write(Path file, String text) throws IOException {
        if (text.equals(read(file))) {
            return false;
        }
        Path next = file.resolveSibling(file.getFileName() + ".tmp");
        Files.deleteIfExists(next);
        Files.createFile(next, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        Files.write(next, text.getBytes(StandardCharsets.UTF_8));
        own(next);
        Files.move(next, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        return true;
    }

    void own(Path path) throws IOException {
        String owner = settings.osUser();
        if (owner != null) {
            var users = path.getFileSystem().getUserPrincipalLookupService();
            Files.getFileAttributeView(path, PosixFileAttributeView.class).setOwner(users.lookupPrincipalByName(owner));
        }
    }
}
