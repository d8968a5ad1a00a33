package org.cellkeeper.cell.postgres;

import java.io.IOException;
import java.sql.Connection;
import java.sql.SQLException;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.Upstream;

/** Whom a standby follows, and that nothing keeps it from replaying what it has. Verb thread only. */
final class Following {
    private static final String END_SESSIONS_IN_THE_WAY =
            """
            WITH a AS MATERIALIZED (SELECT * FROM pg_stat_get_activity(NULL)),
                 s AS (SELECT * FROM a WHERE a.backend_type = 'startup')
            SELECT %s FROM s""".formatted(Observation.sessionsInTheWay("count(pg_terminate_backend(b.pid))"));

    /** What only a recovering instance can do was asked of another one. */
    private static final String NOT_IN_RECOVERY = "55000";

    private final Instance instance;
    private final Detachment detachment;

    Following(Instance instance, Detachment detachment) {
        this.instance = instance;
        this.detachment = detachment;
    }

    void follow(Cancellation cancellation, Upstream upstream, CellId self) throws IOException, SQLException {
        instance.requireStandby(cancellation);
        detachment.willFollow();
        SettingsFile file = instance.file();
        instance.apply(cancellation, file.following(file.current(), upstream, self));
    }

    void unfollow(Cancellation cancellation) throws IOException, SQLException {
        instance.data().requirePresent();
        instance.apply(cancellation, instance.file().current().withoutUpstream());
        if (instance.postmaster().find() != null) {
            clearTheWay(cancellation);
        }
    }

    /**
     * A replay that is paused, or waits for readers, would neither notice a reload soon nor come to the end of its WAL. (Paused for
     * want of a setting, PostgreSQL ends when it is resumed: then it is read at rest.)
     */
    void clearTheWay(Cancellation cancellation) throws SQLException {
        instance.session().perform(cancellation, Following::clearTheWay);
    }

    static void clearTheWay(Connection session) throws SQLException {
        try {
            if (Sessions.isTrue(session, "SELECT pg_is_in_recovery()")) {
                if (Sessions.isTrue(session, "SELECT pg_is_wal_replay_paused()")) {
                    Sessions.execute(session, "SELECT pg_wal_replay_resume()");
                }
                Sessions.execute(session, END_SESSIONS_IN_THE_WAY);
            }
        } catch (SQLException e) {
            // It may be promoted between any two of these: then nothing is in the way any more.
            if (!NOT_IN_RECOVERY.equals(e.getSQLState()) || Sessions.isTrue(session, "SELECT pg_is_in_recovery()")) {
                throw e;
            }
        }
    }
}
