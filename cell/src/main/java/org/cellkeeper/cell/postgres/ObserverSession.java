package org.cellkeeper.cell.postgres;

import java.net.SocketTimeoutException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** The session that observations are asked in, kept from one to the next, or a new one for each. Observer's thread only. */
final class ObserverSession {
    /** The server is up, and takes no connections yet, or no more. */
    private static final String CANNOT_CONNECT_NOW = "57P03";

    private final Sessions sessions;
    private final Postmaster postmaster;
    private final Duration patience;
    private final boolean certified;
    private @Nullable Kept kept;

    private record Kept(long run, Connection session, PreparedStatement statement) {}

    /** The instance did not answer. */
    static final class NoAnswer extends Exception {
        private static final long serialVersionUID = 1L;
        private final boolean starting;

        NoAnswer(boolean starting, String message, Throwable cause) {
            super(message, cause);
            this.starting = starting;
        }

        boolean isStarting() {
            return starting;
        }
    }

    /** @param certified whether every stream must show a certificate */
    ObserverSession(Sessions sessions, Postmaster postmaster, Duration patience, boolean certified) {
        this.sessions = sessions;
        this.postmaster = postmaster;
        this.patience = patience;
        this.certified = certified;
    }

    Observation ask(Postmaster.Run run) throws NoAnswer {
        Kept session = kept;
        if (session != null && session.run == run.id()) {
            try {
                return Observation.take(session.statement, certified);
            } catch (SQLException e) {
                forget();
                if (isSilence(e)) {
                    throw noAnswer(e);
                }
                // Its server process went; whether PostgreSQL did, a new session tells.
            }
        }
        forget();
        try {
            Connection opened = sessions.open("observer", patience, patience);
            Kept fresh;
            try {
                fresh = new Kept(run.id(), opened, Observation.prepare(opened));
            } catch (SQLException e) {
                Sessions.close(opened);
                throw e;
            }
            kept = fresh;
            return Observation.take(fresh.statement, certified);
        } catch (SQLException e) {
            forget();
            throw noAnswer(e);
        }
    }

    Observation askAnew() throws NoAnswer {
        try (Connection session = sessions.open("observer-anew", patience, patience);
                PreparedStatement statement = Observation.prepare(session)) {
            return Observation.take(statement, certified);
        } catch (SQLException e) {
            throw noAnswer(e);
        }
    }

    private NoAnswer noAnswer(SQLException e) {
        Postmaster.Run run = postmaster.find();
        boolean starting = CANNOT_CONNECT_NOW.equals(e.getSQLState())
                || (!isSilence(e) && run != null && !postmaster.saysReady(run));
        return new NoAnswer(starting, String.valueOf(e.getMessage()), e);
    }

    private static boolean isSilence(Throwable e) {
        Throwable cause = e;
        for (int depth = 0; cause != null && depth < 10; depth++) {
            if (cause instanceof SocketTimeoutException) {
                return true;
            }
            cause = cause.getCause();
        }
        return false;
    }

    void forget() {
        Kept session = kept;
        kept = null;
        if (session != null) {
            Sessions.close(session.session);
        }
    }
}
