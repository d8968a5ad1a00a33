package org.cellkeeper.cell.postgres;

import java.io.IOException;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import org.cellkeeper.cell.port.DatabaseFailure;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What verbs work on: the files of the instance, its process, and their session in it. Verb thread only. */
record Instance(
        PostgresSettings settings,
        OwnedFiles files,
        DataDirectory data,
        SettingsFile file,
        ControlData control,
        Postmaster postmaster,
        VerbSession session) {
    private static final Logger LOG = LoggerFactory.getLogger(Instance.class);
    private static final Duration ADOPTING = Duration.ofSeconds(5);

    /** Writes the settings and, when PostgreSQL runs, makes it read them. */
    void apply(Cancellation cancellation, SettingsFile.Content content) throws IOException, SQLException {
        cancellation.check();
        file.write(content);
        if (postmaster.find() != null && !session.isTrue(cancellation, "SELECT pg_reload_conf()")) {
            throw new DatabaseFailure("PostgreSQL could not be told to reload its settings");
        }
    }

    /** Of data, whether PostgreSQL runs on them or not. */
    void requireStandby(Cancellation cancellation) throws SQLException {
        data.requirePresent();
        if (!data.startsAsStandby()
                || (postmaster.find() != null && !session.isTrue(cancellation, "SELECT pg_is_in_recovery()"))) {
            throw new DatabaseFailure("this is not a standby");
        }
    }

    /**
     * A PostgreSQL that runs already was given its settings by an earlier agent, which may have been configured otherwise.
     *
     * @param renewed whether there is a certificate that it has not been shown
     */
    void adoptSettings(Sessions sessions, boolean renewed) {
        try {
            SettingsFile.Content content = file.read();
            if (postmaster.find() == null || content == null || content.sync() == null) {
                return;
            }
            List<String> others = file.putRight();
            if (!others.isEmpty()) {
                LOG.info("written anew: {}", String.join(", ", others));
            }
            SettingsFile.Content now = file.renewed(content);
            if (file.isStale(now)) {
                file.write(now);
            } else if (others.isEmpty() && !renewed) {
                return;
            }
            try (Connection adopting = sessions.open("settings", ADOPTING, ADOPTING)) {
                Sessions.execute(adopting, "SELECT pg_reload_conf()");
            }
            LOG.info("PostgreSQL was told the settings that are configured now");
        } catch (IOException | SQLException | RuntimeException e) {
            LOG.warn("PostgreSQL cannot be told the settings that are configured now: {}", e.getMessage());
        }
    }
}
