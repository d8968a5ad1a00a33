package org.cellkeeper.cell.postgres;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.function.IntConsumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.Upstream;
import org.cellkeeper.cell.port.DatabaseFailure;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Fills the data directory, with a new cluster or with a copy of the primary's, and empties it. Verb thread only. */
final class Provisioning {
    private static final Logger LOG = LoggerFactory.getLogger(Provisioning.class);

    private static final int WAL_SEGMENT_MEGABYTES = 4;
    /** The source's agent makes a new sibling's slot as soon as it has read of it. */
    private static final Duration SLOT_WITHIN = Duration.ofSeconds(5);

    private static final Duration SLOT_STEP = Duration.ofMillis(200);
    private static final Duration SOURCE_ANSWERS_WITHIN = Duration.ofSeconds(5);

    private static final String DUPLICATE_OBJECT = "42710";

    private static final Pattern PROGRESS = Pattern.compile("\\s*([0-9]+)/([0-9]+) kB \\(([0-9]+)%\\).*");

    private final Instance instance;
    private final OwnedSettings owned;
    private final Programs programs;
    private final Sessions sessions;
    private final Reconfiguration reconfiguration;
    private final Observer observer;

    Provisioning(
            Instance instance,
            OwnedSettings owned,
            Programs programs,
            Sessions sessions,
            Reconfiguration reconfiguration,
            Observer observer) {
        this.instance = instance;
        this.owned = owned;
        this.programs = programs;
        this.sessions = sessions;
        this.reconfiguration = reconfiguration;
        this.observer = observer;
    }

    // ---- a new cluster

    void initialise(Cancellation cancellation) throws IOException {
        PostgresSettings settings = instance.settings();
        instance.postmaster().requireStopped();
        if (instance.data().state() == DatabaseView.Data.PRESENT) {
            throw new DatabaseFailure("there are data already");
        }
        owned.use(programs.version());
        Path incoming = instance.data().beginReplacing();
        expect(programs.run(
                cancellation,
                settings.timeouts().program(),
                "initdb",
                List.of(
                        "--pgdata=" + incoming,
                        "--username=" + PostgresSettings.SUPERUSER,
                        "--auth-local=peer",
                        "--auth-host=reject",
                        "--data-checksums",
                        // A promotion copies one, and each standby makes one, before a commit is acknowledged again.
                        "--wal-segsize=" + WAL_SEGMENT_MEGABYTES,
                        "--encoding=UTF8",
                        "--locale=C.UTF-8"),
                Map.of(),
                null));
        String application = instance.settings().passwords().application();
        makeRoles(cancellation, incoming, application);
        writeSettings(incoming);
        reconfiguration.noteGiven(application);
        cancellation.check();
        replaced();
    }

    private void writeSettings(Path incoming) throws IOException {
        new SettingsFile(instance.settings(), owned, instance.files(), incoming).write(SettingsFile.Content.FIRST);
    }

    private void replaced() throws IOException {
        instance.data().finishReplacing();
        instance.control().forget();
        observer.atRest(null);
    }

    /** In a single-user session: nobody else can be there, and no password crosses a socket or a command line. */
    private void makeRoles(Cancellation cancellation, Path incoming, String application) {
        String statements = """
                CREATE ROLE %1$s LOGIN REPLICATION PASSWORD %2$s;
                CREATE ROLE %3$s LOGIN PASSWORD %4$s;
                CREATE DATABASE %3$s OWNER %3$s;
                CREATE ROLE %5$s LOGIN PASSWORD %6$s;
                CREATE DATABASE %7$s OWNER %5$s;
                REVOKE ALL ON DATABASE %7$s FROM PUBLIC;
                """.formatted(
                        PostgresSettings.REPLICATION_ROLE,
                        LocalPostgres.literal(instance.settings().passwords().replication()),
                        PostgresSettings.APPLICATION,
                        LocalPostgres.literal(application),
                        PostgresSettings.APP_ROLE,
                        LocalPostgres.literal(instance.settings().passwords().app()),
                        PostgresSettings.APP_DATABASE);
        expect(programs.run(
                cancellation,
                instance.settings().timeouts().program(),
                "postgres",
                List.of(
                        "--single",
                        "-D",
                        incoming.toString(),
                        "-c",
                        "exit_on_error=on",
                        "-c",
                        "log_min_error_statement=panic",
                        "-c",
                        "standard_conforming_strings=on",
                        "postgres"),
                Map.of(),
                statements));
    }

    private static void expect(Programs.Result result) {
        if (result.exit() != 0) {
            throw new DatabaseFailure(result.lastWords());
        }
    }

    // ---- a copy

    void cloneFrom(Cancellation cancellation, Upstream source, CellId self, IntConsumer percent)
            throws IOException, SQLException {
        instance.postmaster().requireStopped();
        String slot = self.slotOn(source.primary());
        if (!cancellation.await(SLOT_WITHIN, SLOT_STEP, () -> hasSlot(source, slot))) {
            throw new DatabaseFailure("no slot " + slot + " at " + source.host() + ":" + source.port()
                    + ": the agent of " + source.primary().name()
                    + " has not made it yet, or it is another cell that answers there");
        }
        int version = versionAt(source);
        Programs theirs = programs.ofPrimary(version);
        owned.use(version);
        Path incoming = instance.data().beginReplacing();
        if (!cancellation.await(SLOT_WITHIN, SLOT_STEP, () -> makeSlotAnew(source, slot))) {
            throw new DatabaseFailure(
                    "the slot " + slot + " at " + source.primary().name()
                            + " is still in use, by a clone that was cut off, or by another cell that holds this cell's name");
        }
        List<String> arguments = List.of(
                "--pgdata=" + incoming,
                "--dbname=" + owned.conninfoOfClone(source, self),
                "--slot=" + slot,
                "--no-password",
                "--wal-method=stream",
                "--checkpoint=fast",
                "--progress");
        percent.accept(0);
        expect(theirs.run(
                cancellation,
                Programs.LONG,
                "pg_basebackup",
                arguments,
                Map.of(),
                null,
                line -> {},
                line -> progress(line, percent, incoming)));
        instance.files().write(incoming.resolve("standby.signal"), "");
        writeSettings(incoming);
        cancellation.check();
        replaced();
        percent.accept(100);
    }

    private Connection session(Upstream source) throws SQLException {
        return sessions.openReplication(source.host(), source.port(), SOURCE_ANSWERS_WITHIN);
    }

    /** The major version of its PostgreSQL. */
    private int versionAt(Upstream source) throws SQLException {
        try (Connection session = session(source)) {
            return session.getMetaData().getDatabaseMajorVersion();
        }
    }

    /** Whether the source's agent has made it: so this is the source. It may have been lost since. */
    private boolean hasSlot(Upstream source, String slot) {
        try (Connection session = session(source);
                Statement statement = session.createStatement();
                ResultSet row = statement.executeQuery("READ_REPLICATION_SLOT " + slot)) {
            return row.next() && row.getString(1) != null;
        } catch (SQLException e) {
            throw new DatabaseFailure("cannot ask " + source.primary().name() + " for a slot: " + e.getMessage(), e);
        }
    }

    /**
     * The slot that this cell is to stream through keeps the WAL from the clone's beginning on: else what is written during the clone, or
     * between its end and the first stream, may be removed by then, and the next clone fares no better. What it kept for the old data is
     * needed no more. It holds none at first: the checkpoint that a clone begins with might lose it again for WAL from before.
     *
     * @return whether that is done; not while the slot is in use, by a clone that was cut off, say
     */
    private boolean makeSlotAnew(Upstream source, String slot) {
        try (Connection session = session(source);
                Statement statement = session.createStatement()) {
            statement.execute("DROP_REPLICATION_SLOT " + slot);
            statement.execute("CREATE_REPLICATION_SLOT " + slot + " PHYSICAL");
            return true;
        } catch (SQLException e) {
            // Made by the primary meanwhile: as good.
            if (DUPLICATE_OBJECT.equals(e.getSQLState())) {
                return true;
            }
            if (Slots.OBJECT_IN_USE.equals(e.getSQLState())) {
                return false;
            }
            throw new DatabaseFailure(
                    "cannot make the slot " + slot + " at " + source.primary().name() + " anew: " + e.getMessage(), e);
        }
    }

    private void progress(String line, IntConsumer percent, Path incoming) {
        Matcher matcher = PROGRESS.matcher(line);
        if (!matcher.matches()) {
            return;
        }
        try {
            long left = (Long.parseLong(matcher.group(2)) - Long.parseLong(matcher.group(1))) * 1024;
            // The old data are void already; they go early only when there is no room for both.
            if (Files.getFileStore(incoming).getUsableSpace() < left + 4 * WriteProbe.LEAST_SPACE) {
                instance.data().dropOld();
            }
        } catch (IOException e) {
            LOG.warn("The old data cannot be removed to make room: {}", e.getMessage());
        }
        // 100 is said once the clone is in place.
        percent.accept(Math.min(99, Integer.parseInt(matcher.group(3))));
    }

    void wipe() throws IOException {
        instance.postmaster().requireStopped();
        instance.data().wipe();
        instance.control().forget();
        observer.atRest(null);
    }
}
