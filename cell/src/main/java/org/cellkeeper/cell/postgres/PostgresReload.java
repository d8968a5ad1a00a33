package org.cellkeeper.cell.postgres;

import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.cellkeeper.cell.port.DatabaseFailure;
import org.cellkeeper.cell.port.Operator.Check;
import org.cellkeeper.cell.port.Reloadable;

/** Has the cell's PostgreSQL read its configuration files anew, as anybody may who may signal it. Any thread may use it. */
public final class PostgresReload implements Reloadable {
    private static final Duration LIMIT = Duration.ofSeconds(3);
    private static final int TOLD = 3;

    /** What waits for a restart is no fault. */
    private static final String FAULTS = """
            SELECT sourcefile || ' line ' || sourceline || ': ' || concat_ws(': ', name, error) FROM pg_file_settings f
            WHERE error IS NOT NULL
            AND NOT EXISTS (SELECT FROM pg_settings s WHERE s.name = lower(f.name) AND s.context = 'postmaster')
            UNION ALL
            SELECT current_setting('hba_file') || ' line ' || line_number || ': ' || error FROM pg_hba_file_rules
            WHERE error IS NOT NULL""";

    private final Sessions sessions;

    public PostgresReload(PostgresSettings settings) {
        this.sessions = new Sessions(settings);
    }

    @Override
    public List<Check> checks() {
        try (Connection session = sessions.open("reload", LIMIT, LIMIT);
                Statement statement = session.createStatement();
                ResultSet row = statement.executeQuery(FAULTS)) {
            List<String> faults = new ArrayList<>();
            while (row.next()) {
                faults.add(row.getString(1));
            }
            String told = String.join("; ", faults.subList(0, Math.min(TOLD, faults.size())));
            return List.of(
                    new Check("postgres-answers", true, "it does"),
                    new Check(
                            "configuration-usable",
                            faults.isEmpty(),
                            faults.isEmpty() ? "nothing is wrong with it" : told + "; mend it, nothing was reloaded"));
        } catch (SQLException e) {
            return List.of(new Check(
                    "postgres-answers",
                    false,
                    "this cell's PostgreSQL does not answer: " + e.getMessage()
                            + "; it reads its files when it starts"));
        }
    }

    @Override
    public void reload() {
        try (Connection session = sessions.open("reload", LIMIT, LIMIT);
                Statement statement = session.createStatement()) {
            statement.execute("SELECT pg_reload_conf()");
        } catch (SQLException e) {
            throw new DatabaseFailure("PostgreSQL could not be told to reload: " + e.getMessage(), e);
        }
    }
}
