package org.cellkeeper.cell.postgres;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import org.cellkeeper.cell.wire.Installations;
import org.jspecify.annotations.Nullable;

/**
 * What the adapter must know of the cell's configuration.
 *
 * @param programs where postgres, initdb, pg_basebackup and pg_controldata are
 * @param dataDir the data directory; its parent is on the same volume and is ours too (clones are made there and moved in place)
 * @param runDir sockets, logs and password files
 * @param listenHost what PostgreSQL listens on, as {@code listen_addresses} takes it
 * @param osUser whom PostgreSQL runs as; null for the agent's own user (never root)
 * @param extra further settings of PostgreSQL; those that this adapter owns are refused
 */
public record PostgresSettings(
        Installations programs,
        Path dataDir,
        Path runDir,
        String listenHost,
        int port,
        @Nullable String osUser,
        Passwords passwords,
        Map<String, String> extra,
        Timeouts timeouts) {

    /** The agent's role, which may do everything. */
    public static final String SUPERUSER = "cellkeeper";

    /** The role that standbys stream as. */
    public static final String REPLICATION_ROLE = "replicator";

    /** The application's role, and the name of its database. */
    public static final String APPLICATION = "vcloud";

    /** The role of the cell's own app; its database is {@link #APP_DATABASE}. */
    public static final String APP_ROLE = "cellkeeper_app";

    /** What the cell's own app keeps: the registry of cells and the archive of events. */
    public static final String APP_DATABASE = "cellkeeper";

    public PostgresSettings {
        dataDir = dataDir.toAbsolutePath().normalize();
        runDir = runDir.toAbsolutePath().normalize();
        extra = Map.copyOf(new TreeMap<>(extra));
    }

    /** Whom PostgreSQL runs as where this user is wanted: only root can have it run as another than itself. */
    public static @Nullable String osUser(String wanted) {
        return "root".equals(System.getProperty("user.name")) ? wanted : null;
    }

    /** Holds the password of the replication role, for PostgreSQL's own programs. */
    Path passFile() {
        return runDir.resolve("replication.pgpass");
    }

    /** The passwords of the four roles; never printed. */
    public record Passwords(String superuser, String replication, String application, String app) {
        @Override
        public String toString() {
            return "Passwords[***]";
        }
    }

    /**
     * How long things may take.
     *
     * @param observe an instance that has not answered an observation by then is UNRESPONSIVE
     * @param start until an instance takes connections, crash recovery included
     * @param quickly any verb of SQL alone, and promotion
     * @param program initdb and the other programs, but for a clone, which ends by itself or is interrupted
     * @param probe a write probe that takes longer has failed
     */
    public record Timeouts(Duration observe, Duration start, Duration quickly, Duration program, Duration probe) {
        public static Timeouts defaults() {
            return new Timeouts(
                    Duration.ofSeconds(1),
                    Duration.ofMinutes(10),
                    Duration.ofSeconds(30),
                    Duration.ofMinutes(2),
                    Duration.ofSeconds(2));
        }
    }
}
