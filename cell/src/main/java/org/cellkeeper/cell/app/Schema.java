package org.cellkeeper.cell.app;

import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import javax.sql.DataSource;
import org.flywaydb.core.Flyway;

/**
 * The versions of the app's tables. Whether there is anything to migrate is asked with one statement, so that Flyway is not even
 * loaded when there is not. Stateless. It never takes a schema back: a newer one than this program knows is left as it is.
 */
final class Schema {
    /** The newest migration of this program. */
    static final int NEWEST = 1;

    static final String LOCATION = "org/cellkeeper/cell/app/migration";

    private static final String TABLE = "schema_version";

    private Schema() {}

    /** The newest version that was migrated to; 0 where there is none. */
    static int version(Connection session) throws SQLException {
        try (Statement statement = session.createStatement()) {
            if (!is(statement, "to_regclass('public." + TABLE + "') IS NOT NULL")) {
                return 0;
            }
            try (ResultSet row = statement.executeQuery(
                    "SELECT coalesce(max(version::integer), 0) FROM public." + TABLE + " WHERE success")) {
                row.next();
                return row.getInt(1);
            }
        }
    }

    /** One round trip. */
    static boolean isThere(Connection session) throws SQLException {
        try (Statement statement = session.createStatement()) {
            return is(statement, "to_regclass('public.cell') IS NOT NULL AND to_regclass('public.event') IS NOT NULL");
        }
    }

    private static boolean is(Statement statement, String condition) throws SQLException {
        try (ResultSet row = statement.executeQuery("SELECT " + condition)) {
            return row.next() && row.getBoolean(1);
        }
    }

    /** Brings the schema to {@link #NEWEST}; two that do so at the same time wait for each other. */
    static void migrate(DataSource source) {
        Flyway.configure(Schema.class.getClassLoader())
                .dataSource(source)
                .locations("classpath:" + LOCATION)
                .failOnMissingLocations(true)
                .defaultSchema("public")
                .table(TABLE)
                .loggers("slf4j")
                .load()
                .migrate();
    }
}
