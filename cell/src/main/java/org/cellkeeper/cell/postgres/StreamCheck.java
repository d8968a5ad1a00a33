package org.cellkeeper.cell.postgres;

import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import org.cellkeeper.cell.model.Upstream;
import org.jspecify.annotations.Nullable;

/**
 * Why a standby does not stream, as its primary says to one that comes as the standby's walreceiver does; PostgreSQL itself tells its log
 * alone. Looks on one thread; the words are for any.
 */
final class StreamCheck {
    private static final Duration LIMIT = Duration.ofSeconds(2);

    private record Found(@Nullable Upstream upstream, String words) {}

    private final SettingsFile file;
    private final Sessions sessions;
    /** Whether it did not stream at the last look, either: a stream takes a moment to come. */
    private boolean waited;

    private volatile Found found = new Found(null, "");

    StreamCheck(SettingsFile file, Sessions sessions) {
        this.file = file;
        this.sessions = sessions;
    }

    /** Empty when the primary lets it in. */
    String words(@Nullable Upstream upstream) {
        Found last = found;
        return upstream != null && upstream.equals(last.upstream) ? last.words : "";
    }

    void look(Statement statement) throws SQLException {
        SettingsFile.Content content = file.read();
        Upstream upstream = content == null ? null : content.upstream();
        if (upstream == null || streams(statement)) {
            waited = false;
            found = new Found(null, "");
            return;
        }
        if (waited) {
            found = new Found(upstream, refusal(upstream));
        }
        waited = true;
    }

    private static boolean streams(Statement statement) throws SQLException {
        try (ResultSet row =
                statement.executeQuery("SELECT 1 FROM pg_catalog.pg_stat_wal_receiver WHERE status = 'streaming'")) {
            return row.next();
        }
    }

    private String refusal(Upstream upstream) {
        try (Connection _ = sessions.openReplication(upstream.host(), upstream.port(), LIMIT)) {
            return "";
        } catch (SQLException e) {
            return "cannot stream from " + upstream.primary().name() + ": " + e.getMessage();
        }
    }
}
