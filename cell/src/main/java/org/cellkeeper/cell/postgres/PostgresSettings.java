package org.cellkeeper.cell.postgres;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.cellkeeper.cell.wire.Installations;
import org.jspecify.annotations.Nullable;

/**
 * What the adapter must know of the cell's configuration.
 *
 * @param programs where postgres, initdb, pg_basebackup and pg_controldata are
 * @param dataDir the data directory; its parent is on the same volume and is ours too (clones are made there and moved in place)
 * @param runDir sockets, logs, and the files that prove who the cell is
 * @param listenHost what PostgreSQL listens on, as {@code listen_addresses} takes it
 * @param osUser whom PostgreSQL runs as; null for the agent's own user (never root)
 * @param extra further settings of PostgreSQL; those that this adapter owns are refused
 * @param access who may come in over the network, and how
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
        Access access,
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

    /**
     * The passwords of the roles, as they are when they are asked for; never printed. Those of the cell's own roles are made from the
     * cluster's secrets: one of each, of which the first is the one that the primary gives.
     */
    public static final class Passwords {
        private final Supplier<List<String>> seal;
        private final Supplier<List<String>> replication;
        private final Supplier<String> application;
        private final Supplier<List<String>> app;
        private volatile String streaming = "";
        private volatile Runnable written = () -> {};

        /**
         * Each may have become another whenever it is asked for.
         *
         * @param seal by which it is noted, in a file, what a role was given
         */
        public Passwords(
                Supplier<List<String>> seal,
                Supplier<List<String>> replication,
                Supplier<String> application,
                Supplier<List<String>> app) {
            this.seal = seal;
            this.replication = replication;
            this.application = application;
            this.app = app;
        }

        /** Such as stay as they are. */
        public Passwords(String seal, String replication, String application, String app) {
            this(() -> List.of(seal), () -> List.of(replication), () -> application, () -> List.of(app));
        }

        List<String> seals() {
            return seal.get();
        }

        String replication() {
            return replication.get().getFirst();
        }

        /** All that the role that streams may have, the likeliest first. */
        List<String> replications() {
            String likeliest = streaming();
            return Stream.concat(
                            Stream.of(likeliest), replication.get().stream().filter(each -> !each.equals(likeliest)))
                    .toList();
        }

        /** What the role that streams was last found to have; the first while nothing is known. */
        String streaming() {
            List<String> all = replication.get();
            String found = streaming;
            return all.contains(found) ? found : all.getFirst();
        }

        /** It comes in with this one. */
        void streamsWith(String password) {
            if (!password.equals(streaming)) {
                streaming = password;
                written.run();
            }
        }

        /** Is told when the role that streams was found to have another one, on the thread that found it. */
        void onStreaming(Runnable listener) {
            written = listener;
        }

        public String application() {
            return application.get();
        }

        String app() {
            return app.get().getFirst();
        }

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
