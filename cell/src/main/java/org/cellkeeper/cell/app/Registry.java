package org.cellkeeper.cell.app;

import java.sql.Array;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.Incarnation;
import org.cellkeeper.cell.port.App.RegisteredCell;

/** The table of cells. Stateless; time is the database's own. */
final class Registry {
    private Registry() {}

    static void beat(Connection session, CellId self, AppSettings settings) throws SQLException {
        try (PreparedStatement statement = session.prepareStatement("""
                INSERT INTO cell (name, incarnation, address, product_version, build_date, heartbeat)
                VALUES (?, ?, ?, ?, ?, clock_timestamp())
                ON CONFLICT (name) DO UPDATE SET (incarnation, address, product_version, build_date, heartbeat) =
                    (excluded.incarnation, excluded.address, excluded.product_version, excluded.build_date,
                     excluded.heartbeat)
                """)) {
            statement.setString(1, self.name().value());
            statement.setString(2, self.incarnation().value());
            statement.setString(3, settings.address().host());
            statement.setString(4, settings.version());
            statement.setString(5, settings.built());
            statement.executeUpdate();
        }
    }

    /** Forgets all others. */
    static int retain(Connection session, Collection<CellId> members) throws SQLException {
        Array kept = session.createArrayOf(
                "text", members.stream().map(CellId::toString).toArray());
        try (PreparedStatement statement =
                session.prepareStatement("DELETE FROM cell WHERE name || '.' || incarnation <> ALL (?)")) {
            statement.setArray(1, kept);
            return statement.executeUpdate();
        }
    }

    static List<RegisteredCell> all(Connection session, Duration active) throws SQLException {
        List<RegisteredCell> cells = new ArrayList<>();
        try (PreparedStatement statement = session.prepareStatement("""
                SELECT name, incarnation, address, product_version, build_date,
                       heartbeat > clock_timestamp() - ? * interval '1 millisecond'
                FROM cell ORDER BY name
                """)) {
            statement.setLong(1, active.toMillis());
            try (ResultSet row = statement.executeQuery()) {
                while (row.next()) {
                    cells.add(new RegisteredCell(
                            new CellId(new CellName(row.getString(1)), new Incarnation(row.getString(2))),
                            row.getString(3),
                            row.getString(4),
                            row.getString(5),
                            row.getBoolean(6)));
                }
            }
        }
        return List.copyOf(cells);
    }
}
