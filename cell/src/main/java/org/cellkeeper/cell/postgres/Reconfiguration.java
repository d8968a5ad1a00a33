package org.cellkeeper.cell.postgres;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What was configured anew while PostgreSQL ran: where this is the primary, the passwords of the application and of the cell's own app
 * are changed, and that app gets its places among the connections. Of what PostgreSQL takes up at its next start alone it is said that it waits for that, and
 * of a data directory that cannot be replaced, why. Lives on the thread {@code postgres-housekeeping}; the words are for any thread.
 */
final class Reconfiguration {
    private static final Logger LOG = LoggerFactory.getLogger(Reconfiguration.class);
    private static final Duration LIMIT = Duration.ofSeconds(2);

    /** Tells, by a digest, the password that the application's role was last given or found to be given. */
    private static final String GIVEN = "application.password";

    private static final String GIVEN_TO_APP = "app.password";

    private final PostgresSettings settings;
    private final Sessions sessions;
    private final Postmaster postmaster;
    private final OwnedFiles files;
    private final Path given;
    private final Path givenToApp;
    private final DataDirectory data;
    private final ForeignEdits edits;
    private final SettingsFile file;
    private final ReplicationRole role;
    private final StreamCheck streamCheck;

    private record Waiting(long run, String settings) {}

    private volatile Waiting waiting = new Waiting(0, "");
    private volatile String obstacle = "";
    private long rolesSeenIn;

    Reconfiguration(
            PostgresSettings settings,
            Sessions sessions,
            Postmaster postmaster,
            OwnedFiles files,
            DataDirectory data,
            ForeignEdits edits,
            SettingsFile file,
            ReplicationRole role,
            StreamCheck streamCheck) {
        this.settings = settings;
        this.sessions = sessions;
        this.postmaster = postmaster;
        this.files = files;
        this.data = data;
        this.edits = edits;
        this.file = file;
        this.role = role;
        this.streamCheck = streamCheck;
        this.given = settings.runDir().resolve(GIVEN);
        this.givenToApp = settings.runDir().resolve(GIVEN_TO_APP);
    }

    /** Whether this run of PostgreSQL listens at another address or port than it is to. */
    boolean listensElsewhere(Postmaster.Run run) {
        LockFile.Listening at = postmaster.listening(run);
        return at != null && !at.equals(configured());
    }

    private LockFile.Listening configured() {
        return new LockFile.Listening(settings.listenHost(), settings.port());
    }

    /** What this run of PostgreSQL does not do yet, and from when on it will; empty when it does all that is configured. */
    String waitsForStart(Postmaster.Run run) {
        List<String> what = new ArrayList<>();
        LockFile.Listening at = postmaster.listening(run);
        if (at != null && !at.equals(configured())) {
            what.add("listening at " + configured() + " in place of " + at);
        }
        Waiting found = waiting;
        if (found.run == run.id() && !found.settings.isEmpty()) {
            what.add(found.settings);
        }
        return what.isEmpty()
                ? ""
                : "pending restart: " + String.join(", ", what)
                        + ". Restart the cell for it; if it is the primary, switch over first";
    }

    /** Why no clone can take the place of the data here, as it was found last; empty when one can. */
    String obstacle() {
        return obstacle;
    }

    /** Looks what waits, and changes the password if that was configured anew. Tried again at the next look when it fails. */
    void look() {
        try {
            obstacle = data.obstacle();
        } catch (IOException e) {
            LOG.debug("How the data directory is mounted cannot be read: {}", e.getMessage());
        }
        try {
            file.renewPassword();
        } catch (IOException e) {
            LOG.debug("The password of the streams cannot be written: {}", e.getMessage());
        }
        Postmaster.Run run = postmaster.find();
        if (run == null || !postmaster.saysReady(run)) {
            return;
        }
        try {
            edits.judge(run);
        } catch (IOException | RuntimeException e) {
            LOG.debug("What ALTER SYSTEM has set cannot be judged: {}", e.getMessage());
        }
        try (Connection session = sessions.open("reconfiguration", LIMIT, LIMIT);
                Statement statement = session.createStatement()) {
            boolean standby = "true".equals(text(statement, "SELECT pg_is_in_recovery()::text"));
            String names = text(statement, waitingFor(standby));
            waiting = new Waiting(run.id(), names == null ? "" : names);
            LockFile.Listening at = postmaster.listening(run);
            password(statement, standby);
            if (standby) {
                if (at != null) {
                    role.lookAtStandby(statement, at);
                }
                streamCheck.look(statement);
                return;
            }
            appPassword(statement);
            roles(session, statement, run);
            if (at != null) {
                role.look(statement, at);
            }
        } catch (SQLException | IOException | RuntimeException e) {
            LOG.debug("What waits for a restart cannot be asked: {}", e.getMessage());
        }
    }

    /**
     * What was given more of on the command line than is configured, as a standby must have it, never counts as pending by PostgreSQL's
     * own word. A standby will go on with more than is configured for as long as its primary has it.
     */
    private static String waitingFor(boolean standby) {
        return """
                SELECT string_agg(name, ', ' ORDER BY name) FROM (
                  SELECT name FROM pg_catalog.pg_settings WHERE pending_restart AND source <> 'command line'
                  UNION
                  SELECT s.name FROM pg_catalog.pg_settings s JOIN
                    (SELECT DISTINCT ON (name) name, setting FROM pg_catalog.pg_file_settings WHERE error IS NULL OR NOT applied
                     ORDER BY name, seqno DESC) f USING (name)
                  WHERE s.source = 'command line' AND s.name IN ('max_connections', 'max_worker_processes', 'max_wal_senders',
                    'max_prepared_transactions', 'max_locks_per_transaction')
                    AND f.setting ~ '^[0-9]{1,9}$' AND f.setting::int %s s.setting::int) waits
                """.formatted(standby ? ">" : "<>");
    }

    /** A password that somebody has changed by SQL stays as it is, for as long as the file does. */
    private void password(Statement statement, boolean standby) throws SQLException, IOException {
        String now = settings.passwords().application();
        String before = OwnedFiles.read(given);
        if (before == null) {
            noteGiven(now);
            return;
        }
        List<String> digests = digests(now);
        if (digests.contains(before.strip())) {
            // By another of the cluster's secrets, which may be dropped.
            if (!digests.getFirst().equals(before.strip())) {
                noteGiven(now);
            }
            return;
        }
        if (has(statement, PostgresSettings.APPLICATION, now)) {
            // By another cell, which was the primary then.
            noteGiven(now);
        } else if (!standby) {
            give(statement, PostgresSettings.APPLICATION, now);
            noteGiven(now);
            LOG.info("The role {} was given the password that is configured now", PostgresSettings.APPLICATION);
        }
    }

    /** It is nobody's to change by SQL. */
    private void appPassword(Statement statement) throws SQLException, IOException {
        String now = settings.passwords().app();
        String digest = digests(now).getFirst();
        String before = OwnedFiles.read(givenToApp);
        if (before != null && before.strip().equals(digest)) {
            return;
        }
        if (role(statement, "true", "pg_roles", PostgresSettings.APP_ROLE) != null) {
            if (!has(statement, PostgresSettings.APP_ROLE, now)) {
                give(statement, PostgresSettings.APP_ROLE, now);
            }
            files.write(givenToApp, digest + "\n");
        }
    }

    private static boolean has(Statement statement, String role, String password) throws SQLException {
        return ScramSecret.isOf(password, role(statement, "rolpassword", "pg_authid", role));
    }

    private static void give(Statement statement, String role, String password) throws SQLException {
        // No statement that fails may write the password into PostgreSQL's log.
        statement.execute("SET log_min_error_statement = panic");
        statement.execute("ALTER ROLE " + role + " PASSWORD " + LocalPostgres.literal(password));
    }

    /** What new clusters are born with: a superuser without a password, and the app's places among the connections. */
    private void roles(Connection session, Statement statement, Postmaster.Run run) throws SQLException {
        if (rolesSeenIn == run.id()) {
            return;
        }
        // It comes in by the socket alone, as a user of the machine.
        if ("true".equals(role(statement, "rolpassword IS NOT NULL", "pg_authid", PostgresSettings.SUPERUSER))) {
            statement.execute("ALTER ROLE " + PostgresSettings.SUPERUSER + " PASSWORD NULL");
        }
        if (session.getMetaData().getDatabaseMajorVersion() < OwnedSettings.RESERVES) {
            rolesSeenIn = run.id();
            return;
        }
        String has = role(
                statement,
                "pg_catalog.pg_has_role(oid, 'pg_use_reserved_connections', 'USAGE')",
                "pg_roles",
                PostgresSettings.APP_ROLE);
        if ("false".equals(has)) {
            statement.execute("GRANT pg_use_reserved_connections TO " + PostgresSettings.APP_ROLE);
        }
        rolesSeenIn = has == null ? 0 : run.id();
    }

    private static @Nullable String role(Statement statement, String what, String table, String name)
            throws SQLException {
        return text(
                statement, "SELECT (" + what + ")::text FROM pg_catalog." + table + " WHERE rolname = '" + name + "'");
    }

    /** The application's role has this one now. */
    void noteGiven(String password) throws IOException {
        files.write(given, digests(password).getFirst() + "\n");
    }

    /** By each of the seals. */
    private List<String> digests(String password) {
        return settings.passwords().seals().stream()
                .map(seal -> digest(seal, password))
                .toList();
    }

    private static String digest(String seal, String password) {
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(seal.getBytes(StandardCharsets.UTF_8), "HmacSHA256"));
            return HexFormat.of().formatHex(mac.doFinal(password.getBytes(StandardCharsets.UTF_8)));
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("this Java has no HmacSHA256", e);
        }
    }

    private static @Nullable String text(Statement statement, String question) throws SQLException {
        try (ResultSet row = statement.executeQuery(question)) {
            return row.next() ? row.getString(1) : null;
        }
    }
}
