package org.cellkeeper.cell.postgres;

import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The roles that clients come as, and by what PostgreSQL knows them: whoever lets clients in before PostgreSQL does has to know them,
 * too. One thread at a time.
 */
public final class PostgresRoles implements AutoCloseable {
    private static final Duration LIMIT = Duration.ofSeconds(2);

    /** None of ours comes in as a client. */
    private static final String QUESTION = """
            SELECT rolname, rolpassword FROM pg_authid
            WHERE rolcanlogin AND NOT rolsuper AND NOT rolreplication AND rolname <> '%s'
            AND rolpassword LIKE 'SCRAM-SHA-256$%%' AND coalesce(rolvaliduntil > now(), true)""".formatted(PostgresSettings.APP_ROLE);

    private final Sessions sessions;
    private final List<String> prefix;
    private @Nullable Connection session;

    public PostgresRoles(PostgresSettings settings) {
        this.sessions = new Sessions(settings);
        this.prefix = Programs.prefix(settings.osUser());
    }

    /** What goes before a command so that it runs as PostgreSQL's user. */
    public List<String> asUser() {
        return prefix;
    }

    /** By name, as they are kept. */
    public Map<String, String> secrets() throws SQLException {
        Connection open = session;
        if (open == null || open.isClosed()) {
            open = sessions.open("roles", LIMIT, LIMIT);
            session = open;
        }
        Map<String, String> secrets = new TreeMap<>();
        try (Statement statement = open.createStatement();
                ResultSet row = statement.executeQuery(QUESTION)) {
            while (row.next()) {
                secrets.put(row.getString(1), row.getString(2));
            }
            return secrets;
        } catch (SQLException e) {
            close();
            throw e;
        }
    }

    @Override
    public void close() {
        Connection open = session;
        session = null;
        if (open != null) {
            Sessions.close(open);
        }
    }
}
