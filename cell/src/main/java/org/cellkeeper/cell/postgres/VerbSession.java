package org.cellkeeper.cell.postgres;

import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** The session that verbs use, kept from one to the next; an immediate stop aborts it. Verb thread only. */
final class VerbSession {
    /** What is done in a session. */
    interface Deed {
        void perform(Connection session) throws SQLException;
    }

    private interface Question {
        boolean ask(Connection session) throws SQLException;
    }

    private final Sessions sessions;
    private final Postmaster postmaster;
    private final Duration limit;
    private @Nullable Connection kept;
    private long keptRun;

    VerbSession(Sessions sessions, Postmaster postmaster, Duration limit) {
        this.sessions = sessions;
        this.postmaster = postmaster;
        this.limit = limit;
    }

    boolean isTrue(Cancellation cancellation, String question) throws SQLException {
        return ask(cancellation, session -> Sessions.isTrue(session, question));
    }

    void perform(Cancellation cancellation, Deed deed) throws SQLException {
        ask(cancellation, session -> {
            deed.perform(session);
            return true;
        });
    }

    private boolean ask(Cancellation cancellation, Question question) throws SQLException {
        Postmaster.Run run = postmaster.running();
        Connection session = kept;
        if (session != null && keptRun == run.id()) {
            try (Cancellation.Registration _ = cancellation.onCancel(() -> Sessions.abort(session))) {
                return question.ask(session);
            } catch (SQLException e) {
                if (cancellation.isCancelled() || isAlive(session)) {
                    throw e;
                }
                // The server process of the kept session went before this question reached it.
            }
        }
        forget();
        Connection opened = sessions.open("verbs", limit, limit);
        kept = opened;
        keptRun = run.id();
        try (Cancellation.Registration _ = cancellation.onCancel(() -> Sessions.abort(opened))) {
            return question.ask(opened);
        }
    }

    private static boolean isAlive(Connection session) {
        try {
            return session.isValid(1);
        } catch (SQLException e) {
            return false;
        }
    }

    /** A session that is opened for this alone. */
    void performAnew(Cancellation cancellation, Deed deed) throws SQLException {
        try (Connection session = sessions.open("verbs-anew", limit, limit);
                Cancellation.Registration _ = cancellation.onCancel(() -> Sessions.abort(session))) {
            deed.perform(session);
        }
    }

    void forget() {
        Connection session = kept;
        kept = null;
        if (session != null) {
            Sessions.close(session);
        }
    }
}
