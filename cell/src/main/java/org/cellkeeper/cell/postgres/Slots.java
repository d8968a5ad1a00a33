package org.cellkeeper.cell.postgres;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.cellkeeper.cell.model.CellId;

/** The slots that this cell keeps for its siblings; what it did not make it leaves alone. Verb thread only. */
final class Slots {
    /** A sibling's slot on a primary that has never been used holds no WAL: after this long it is made anew, so that it does. */
    private static final Duration UNUSED = Duration.ofSeconds(10);

    static final String OBJECT_IN_USE = "55006";
    private static final String UNDEFINED_OBJECT = "42704";

    /** A slot as it is kept. */
    private record Slot(String name, boolean active, boolean holdsWal, boolean lost) {}

    private final Instance instance;
    private final Map<String, Long> unusedSince = new HashMap<>();
    private long unusedSinceRun;

    Slots(Instance instance) {
        this.instance = instance;
    }

    void keep(Cancellation cancellation, CellId self, Set<CellId> siblings) throws SQLException {
        long run = instance.postmaster().running().id();
        if (run != unusedSinceRun) {
            unusedSinceRun = run;
            unusedSince.clear();
        }
        Set<String> wanted =
                siblings.stream().map(sibling -> sibling.slotOn(self)).collect(Collectors.toSet());
        unusedSince.keySet().retainAll(wanted);
        instance.session().perform(cancellation, session -> keep(session, self, wanted));
    }

    private void keep(Connection session, CellId self, Set<String> wanted) throws SQLException {
        boolean standby = Sessions.isTrue(session, "SELECT pg_is_in_recovery()");
        for (Slot slot : present(session, self)) {
            if (!slot.active && (!wanted.contains(slot.name) || isToBeMadeAnew(slot, standby))) {
                drop(session, slot.name);
            }
        }
        for (String name : wanted) {
            // On a standby nobody would ever move it forward: it holds no WAL until it is used.
            try (PreparedStatement statement = session.prepareStatement("""
                    SELECT pg_create_physical_replication_slot(?, ?)
                     WHERE NOT EXISTS (SELECT 1 FROM pg_get_replication_slots() WHERE slot_name = ?)""")) {
                statement.setString(1, name);
                statement.setBoolean(2, !standby);
                statement.setString(3, name);
                statement.execute();
            }
        }
    }

    private static List<Slot> present(Connection session, CellId self) throws SQLException {
        List<Slot> present = new ArrayList<>();
        try (Statement statement = session.createStatement();
                ResultSet row = statement.executeQuery(
                        "SELECT slot_name, active, restart_lsn IS NOT NULL, wal_status = 'lost' FROM pg_get_replication_slots()"
                                + " WHERE slot_type = 'physical' AND NOT temporary")) {
            while (row.next()) {
                if (self.made(row.getString(1))) {
                    present.add(new Slot(row.getString(1), row.getBoolean(2), row.getBoolean(3), row.getBoolean(4)));
                }
            }
        }
        return present;
    }

    /** A lost slot refuses its cell for ever; a standby's must hold no WAL; a primary's must. */
    private boolean isToBeMadeAnew(Slot slot, boolean standby) {
        if (slot.lost || standby) {
            return slot.lost || slot.holdsWal;
        }
        if (slot.holdsWal) {
            unusedSince.remove(slot.name);
            return false;
        }
        // Not at once: its cell may be about to connect.
        long now = System.nanoTime();
        long since = unusedSince.computeIfAbsent(slot.name, name -> now);
        return now - since > UNUSED.toNanos();
    }

    private static void drop(Connection session, String slot) throws SQLException {
        try (PreparedStatement statement = session.prepareStatement("SELECT pg_drop_replication_slot(?)")) {
            statement.setString(1, slot);
            statement.execute();
        } catch (SQLException e) {
            // It has come into use meanwhile, or has gone.
            if (!OBJECT_IN_USE.equals(e.getSQLState()) && !UNDEFINED_OBJECT.equals(e.getSQLState())) {
                throw e;
            }
        }
    }
}
