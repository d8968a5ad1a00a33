package org.cellkeeper.cell.postgres;

import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;

/**
 * The role that the standbys stream with, seen to by the primary: somebody's ALTER ROLE is noticed here and put right, and not by the next
 * failover, when nobody can follow. Whether its password is the configured one is found by coming in with it, once for each change of
 * the role. Lives on one thread.
 */
final class ReplicationRole {
    private static final Duration LIMIT = Duration.ofSeconds(2);
    private static final String WRONG_PASSWORD = "28P01";
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
                now = String.valueOf(row.getString(2));
            }
        }
        if (exists && mayStream && (now.equals(inOrder) || comesIn(at))) {
            inOrder = now;
            return;
        }
        // No statement that fails may write the password into PostgreSQL's log.
        statement.execute("SET log_min_error_statement = panic");
        statement.execute((exists ? "ALTER ROLE " : "CREATE ROLE ") + ROLE
                + " LOGIN REPLICATION CONNECTION LIMIT -1 VALID UNTIL 'infinity' PASSWORD "
                + LocalPostgres.literal(settings.passwords().replication()));
        notices.tell("the role " + ROLE + (exists ? " had been changed" : " had been dropped")
                + " so that no standby could have come in with it: it is as the cell needs it again");
    }

    private boolean comesIn(LockFile.Listening at) throws SQLException {
        try (Connection _ = sessions.openReplication(at.host(), at.port(), LIMIT)) {
            return true;
        } catch (SQLException e) {
            if (WRONG_PASSWORD.equals(e.getSQLState())) {
                return false;
            }
            throw e;
        }
    }
}
