package org.cellkeeper.cell.postgres;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.cellkeeper.cell.trust.Encryption;
import org.cellkeeper.cell.trust.Identity;

/**
 * The cell's certificate and those whom it believes, in files of PostgreSQL's own: its server reads them, and so do its walreceiver and
 * programs. The key lies beside its certificate in one file, so that no one ever reads one without the other.
 */
final class TlsFiles {
    /** Java 11, OpenSSL 1.1.1 and whatever is newer speak it: no client of today needs less. */
    static final String PROTOCOL = "TLSv1.3";

    private final PostgresSettings settings;

    TlsFiles(PostgresSettings settings) {
        this.settings = settings;
    }

    private Encryption encryption() {
        return settings.access().encryption();
    }

    private Path own() {
        return settings.runDir().resolve("cell.pem");
    }

    private Path authorities() {
        return settings.runDir().resolve("ca.pem");
    }

    /** As they are to be now, by place. */
    Map<String, String> content() {
        Identity identity = settings.access().credentials().identity();
        return identity == null || !encryption().accepts()
                ? Map.of()
                : Map.of(
                        own().toString(),
                        identity.key() + identity.chain(),
                        authorities().toString(),
                        identity.authorities());
    }

    /** The server's settings, which all take effect by a reload. */
    Map<String, String> server() {
        return encryption().accepts()
                ? Map.of(
                        "ssl",
                        "on",
                        "ssl_cert_file",
                        own().toString(),
                        "ssl_key_file",
                        own().toString(),
                        "ssl_ca_file",
                        authorities().toString(),
                        "ssl_min_protocol_version",
                        PROTOCOL)
                : Map.of("ssl", "off");
    }

    /**
     * How a program of PostgreSQL, or its walreceiver, comes to a PostgreSQL as the replicator.
     *
     * @param version its own major version
     */
    Map<String, String> conninfo(int version) {
        Map<String, String> map = new LinkedHashMap<>();
        if (!encryption().speaks()) {
            map.put("passfile", settings.passFile().toString());
            map.put("sslmode", "disable");
            if (version >= OwnedSettings.REQUIRES_PROOF) {
                map.put("require_auth", OwnedSettings.PROOF);
            }
            return map;
        }
        map.put("sslmode", "verify-full");
        map.put("sslrootcert", authorities().toString());
        map.put("sslcert", own().toString());
        map.put("sslkey", own().toString());
        map.put("ssl_min_protocol_version", PROTOCOL);
        if (version >= OwnedSettings.REQUIRES_PROOF) {
            map.put("sslcertmode", "require");
            // The certificate is all that there is to show.
            map.put("require_auth", "none");
        }
        return map;
    }

    /** The same as environment. */
    Map<String, String> environment(int version) {
        Map<String, String> names = Map.of(
                "passfile", "PGPASSFILE",
                "ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION",
                "require_auth", "PGREQUIREAUTH");
        Map<String, String> environment = new LinkedHashMap<>();
        conninfo(version)
                .forEach((name, value) -> environment.put(
                        names.getOrDefault(name, "PG" + name.toUpperCase(java.util.Locale.ROOT)), value));
        return environment;
    }
}
