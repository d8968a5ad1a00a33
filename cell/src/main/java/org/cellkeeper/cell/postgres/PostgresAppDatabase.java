package org.cellkeeper.cell.postgres;

import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import org.cellkeeper.cell.port.AppDatabase;
import org.cellkeeper.cell.port.DatabaseFailure;

/**
 * Makes the app's role and database on a running primary: in a cluster that was founded before there was an app, or after somebody
 * dropped them. Only the agent's role may do that, so it is not the app's own. Any thread may use it; it never drops anything.
 */
public final class PostgresAppDatabase implements AppDatabase {
    private static final Duration LIMIT = Duration.ofSeconds(5);

    private final Sessions sessions;
    private final PostgresSettings.Passwords passwords;

    public PostgresAppDatabase(PostgresSettings settings) {
        this.sessions = new Sessions(settings);
        this.passwords = settings.passwords();
    }

    @Override
    public void provide() {
        try (Connection session = sessions.open("app-database", LIMIT, LIMIT);
                Statement statement = session.createStatement()) {
            // No statement that fails may write the password into PostgreSQL's log.
            statement.execute("SET log_min_error_statement = panic");
            statement.execute("SET log_statement = none");
            boolean role = exists(statement, "pg_roles WHERE rolname = '" + PostgresSettings.APP_ROLE + "'");
            statement.execute((role ? "ALTER ROLE " : "CREATE ROLE ") + PostgresSettings.APP_ROLE + " LOGIN PASSWORD "
                    + LocalPostgres.literal(passwords.app()));
            if (!exists(statement, "pg_database WHERE datname = '" + PostgresSettings.APP_DATABASE + "'")) {
                statement.execute("CREATE DATABASE " + PostgresSettings.APP_DATABASE + " OWNER "
                        + PostgresSettings.APP_ROLE + " TEMPLATE template0");
            }
            statement.execute("REVOKE ALL ON DATABASE " + PostgresSettings.APP_DATABASE + " FROM PUBLIC");
        } catch (SQLException e) {
            throw new DatabaseFailure("the app's database cannot be made: " + e.getMessage(), e);
        }
    }

    private static boolean exists(Statement statement, String what) throws SQLException {
        try (ResultSet row = statement.executeQuery("SELECT 1 FROM " + what)) {
            return row.next();
        }
    }
}
