package org.cellkeeper.cell.postgres;

import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The role that the standbys stream with, seen to by the primary: somebody's ALTER ROLE is noticed here and put right, and not by the next
 * failover, when nobody can follow. Whether its password is the configured one is found by coming in with it, once for each change of
 * the role, for as long as any cell may: with a certificate none is asked. A standby finds in the same way by which of the passwords its
 * primary will know it. Lives on one thread.
 */
final class ReplicationRole {
    private static final Logger LOG = LoggerFactory.getLogger(ReplicationRole.class);
    private static final Duration LIMIT = Duration.ofSeconds(2);
    private static final String ROLE = PostgresSettings.REPLICATION_ROLE;

    private final PostgresSettings settings;
    private final Sessions sessions;
    private final Notices notices;
    /** The role when it was last found to be in order. */
    private String inOrder = "";

    ReplicationRole(PostgresSettings settings, Sessions sessions, Notices notices) {
        this.settings = settings;
        this.sessions = sessions;
        this.notices = notices;
    }

    /** @param at where this primary listens */
    void look(Statement statement, LockFile.Listening at) throws SQLException {
        boolean exists;
        boolean mayStream = false;
        String now = "";
        try (ResultSet row = statement.executeQuery("""
                SELECT rolcanlogin AND rolreplication AND rolconnlimit = -1 AND coalesce(rolvaliduntil, 'infinity') = 'infinity',
                       xmin::text || ' ' || coalesce(md5(rolpassword), '')
                FROM pg_catalog.pg_authid WHERE rolname = '%s'""".formatted(ROLE))) {
            exists = row.next();
            if (exists) {
                mayStream = row.getBoolean(1);
                now = row.getString(2) + passwords();
            }
        }
        if (exists && mayStream && (now.equals(inOrder) || comesIn(at))) {
            inOrder = now;
            return;
        }
        boolean another = exists && mayStream && comesInByAny(at);
        // No statement that fails may write the password into PostgreSQL's log.
        statement.execute("SET log_min_error_statement = panic");
        statement.execute((exists ? "ALTER ROLE " : "CREATE ROLE ") + ROLE
                + " LOGIN REPLICATION CONNECTION LIMIT -1 VALID UNTIL 'infinity' PASSWORD "
                + LocalPostgres.literal(settings.passwords().replication()));
        if (another) {
            LOG.info("The role {} was given the password that is made from the cluster's secret now", ROLE);
            return;
        }
        notices.tell("the role " + ROLE + (exists ? " had been changed" : " had been dropped")
                + " so that no standby could have come in with it: it is as the cell needs it again");
    }

    /** On a standby, whose role is its primary's: which password the next stream is to show. */
    void lookAtStandby(Statement statement, LockFile.Listening at) throws SQLException {
        if (settings.access().encryption().speaks()) {
            return;
        }
        try (ResultSet row = statement.executeQuery(
                "SELECT md5(rolpassword) FROM pg_catalog.pg_authid WHERE rolname = '" + ROLE + "'")) {
            String now = row.next() ? row.getString(1) + passwords() : "";
            if (!now.equals(inOrder) && comesInByAny(at)) {
                inOrder = now;
            }
        }
    }

    /** Tells one list of them from another. */
    private String passwords() {
        List<String> all = settings.passwords().replications().stream().sorted().toList();
        return " " + settings.passwords().replication().hashCode() + " " + all.hashCode();
    }

    private boolean comesIn(LockFile.Listening at) throws SQLException {
        if (settings.access().encryption().demands()) {
            return true;
        }
        String first = settings.passwords().replication();
        try (Connection _ = sessions.openReplicationByPassword(at.host(), at.port(), LIMIT, first)) {
            settings.passwords().streamsWith(first);
            return true;
        } catch (SQLException e) {
            return refused(e);
        }
    }

    private boolean comesInByAny(LockFile.Listening at) throws SQLException {
        try (Connection _ = sessions.openReplicationByPassword(at.host(), at.port(), LIMIT)) {
            return true;
        } catch (SQLException e) {
            return refused(e);
        }
    }

    private static boolean refused(SQLException e) throws SQLException {
        if (Sessions.WRONG_PASSWORD.equals(e.getSQLState())) {
            return false;
        }
        throw e;
    }
}
