package org.cellkeeper.cell.postgres;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;
import org.cellkeeper.cell.model.Backup;
import org.cellkeeper.cell.port.BackupFailure;
import org.cellkeeper.cell.port.DatabaseArchive;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Copies the instance by pg_basebackup. Brings a database back by starting the copy as a scratch instance, which nobody but the
 * agent reaches, and by loading what it holds into the live primary: there it is one more application that commits, so
 * replication, acknowledgement and failover know nothing of it.
 */
public final class PostgresArchive implements DatabaseArchive {
    private static final Logger LOG = LoggerFactory.getLogger(PostgresArchive.class);

    private static final Duration STATEMENT = Duration.ofMinutes(10);
    private static final Duration LOGIN = Duration.ofSeconds(10);
    /** The scratch instance, the dump, the loaded copy, and the WAL of loading it. */
    private static final int ROOM = 4;

    /** How far a restore is, in percent, when it has not changed anything yet and is about to. */
    private static final int READ_OUT = 55;

    private static final DateTimeFormatter DATE =
            DateTimeFormatter.ofPattern("yyyyMMddHHmmss").withZone(ZoneOffset.UTC);

    private final PostgresSettings settings;
    private final Programs programs;
    private final OwnedFiles files;
    private final Sessions live;
    private final Scratch scratch;

    public PostgresArchive(PostgresSettings settings) {
        this.settings = settings;
        this.programs = new Programs(settings);
        this.files = new OwnedFiles(settings.osUser());
        this.live = new Sessions(settings);
        this.scratch = new Scratch(settings, programs, files);
    }

    // ---- copying

    @Override
    public Origin backUp(Target target, IntConsumer percent) {
        try (Connection session = live.open("backup", LOGIN, STATEMENT)) {
            if (ask(session, "SELECT count(*) FROM pg_tablespace WHERE spcname !~ '^pg_'")
                            .compareTo("0")
                    > 0) {
                throw new BackupFailure(
                        "there are tablespaces of your own, which a backup cannot hold: move their tables to pg_default");
            }
            Copying copying = copying();
            copying.end(session);
            copying.clear();
            try {
                Copying.Done done = copying.copy(session, target, percent);
                return new Origin(
                        ask(session, "SELECT split_part(current_setting('server_version'), ' ', 1)"),
                        ask(session, "SELECT system_identifier FROM pg_control_system()"),
                        done.timeline(),
                        done.end(),
                        Long.parseLong(ask(session, "SELECT sum(pg_database_size(oid)) FROM pg_database")),
                        done.unpackedBytes(),
                        warnings(session));
            } finally {
                endCopying();
            }
        } catch (SQLException | IOException e) {
            throw new BackupFailure("the database could not be copied: " + e.getMessage(), e);
        }
    }

    private Copying copying() {
        return new Copying(settings, programs, files, live.port());
    }

    /** In a session of its own, as the one that it was begun in may have gone; also when the copy was interrupted. */
    private void endCopying() {
        boolean interrupted = Thread.interrupted();
        try {
            if (Files.exists(live.socket())) {
                try (Connection session = live.open("backup-tidy", LOGIN, LOGIN)) {
                    copying().end(session);
                }
            }
        } catch (SQLException e) {
            LOG.info("PostgreSQL cannot be asked for copies that are over: {}", e.getMessage());
        }
        try {
            copying().clear();
        } catch (IOException e) {
            LOG.warn("What a copy left behind cannot be removed: {}", e.getMessage());
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private List<String> warnings(Connection session) throws SQLException {
        if (!exists(session, "SELECT 1 FROM pg_database WHERE datname = ?", PostgresSettings.APPLICATION)) {
            return List.of("database " + PostgresSettings.APPLICATION + " (there is none: nothing can be restored)");
        }
        try {
            return inventory(live).warnings();
        } catch (SQLException e) {
            return List.of("database " + PostgresSettings.APPLICATION + " (it could not be looked into: "
                    + e.getMessage() + ")");
        }
    }

    private static Inventory inventory(Sessions sessions) throws SQLException {
        try (Connection session = sessions.open("backup", PostgresSettings.APPLICATION, LOGIN, STATEMENT)) {
            return Inventory.read(session);
        }
    }

    static String ask(Connection session, String question) throws SQLException {
        try (Statement statement = session.createStatement();
                ResultSet row = statement.executeQuery(question)) {
            row.next();
            return String.valueOf(row.getString(1));
        }
    }

    // ---- bringing back

    @Override
    public String restore(Copy copy, long databaseBytes, IntConsumer percent) {
        return inScratch("the backup could not be restored", () -> {
            // A full volume would stop the primary itself.
            need(new Room(databaseBytes * ROOM, scratch.freeBytes()), "for the time of a restore");
            Path dump = scratch.folder().resolve("application.dump");
            Inventory inventory = readOut(copy, dump, percent);
            scratch.stop();
            return load(inventory, dump, percent);
        });
    }

    @Override
    public Room roomToCheck(Copy copy) {
        try {
            return scratch.room(copy);
        } catch (IOException e) {
            throw new BackupFailure("the backup cannot be read: " + e, e);
        }
    }

    @Override
    public List<String> check(Copy copy, IntConsumer percent) {
        return inScratch("the backup could not be checked", () -> {
            need(scratch.room(copy), "for the time of a check");
            Inventory inventory = readOut(copy, null, done -> percent.accept(done * 99 / READ_OUT));
            List<String> obstacles = new ArrayList<>(inventory.torn().stream()
                    .map(Inventory.Thing::tearsARestore)
                    .toList());
            obstacles.addAll(lacking(inventory));
            if (!obstacles.isEmpty()) {
                throw new BackupFailure("a restore would fail: " + Backup.inShort(obstacles));
            }
            return inventory.warnings();
        });
    }

    private interface Work<T> {
        T done() throws SQLException, IOException;
    }

    private <T> T inScratch(String failed, Work<T> work) {
        tidy();
        try {
            return work.done();
        } catch (SQLException | IOException e) {
            throw new BackupFailure(failed + ": " + e.getMessage(), e);
        } finally {
            tidy();
        }
    }

    private static void need(Room room, String purpose) {
        if (!room.isEnough()) {
            throw new BackupFailure(room.inWords() + " " + purpose + "; nothing was changed, make room");
        }
    }

    /**
     * What a restore does before it changes anything, to {@link #READ_OUT} percent of it: the copy has proved good, and its
     * database has been read in full.
     *
     * @param dump where to; null for nowhere
     */
    private Inventory readOut(Copy copy, @Nullable Path dump, IntConsumer percent) throws SQLException, IOException {
        scratch.start(copy, percent);
        scratch.dump(dump);
        percent.accept(READ_OUT);
        return inventory(scratch.sessions());
    }

    /** Extensions that cannot be made here, each in words. */
    private List<String> lacking(Inventory inventory) throws SQLException {
        List<String> lacking = new ArrayList<>();
        for (Inventory.Extension extension : inventory.extensions()) {
            // A session for each: a library that cannot be used may end it.
            try (Connection session =
                    scratch.sessions().open("check", PostgresSettings.APPLICATION, LOGIN, STATEMENT)) {
                extension.lacking(session).forEach(lacking::add);
            }
        }
        return lacking;
    }

    /** From here on the live database is changed: by transactions like any client's, which standbys acknowledge. */
    private String load(Inventory inventory, Path dump, IntConsumer percent) throws SQLException, IOException {
        try (Connection session = live.open("restore", LOGIN, STATEMENT)) {
            Sessions.execute(session, "SET synchronous_commit = on");
            needWrites(session);
            try {
                List<String> notes = new Loading(settings, programs, files, scratch.folder(), dump, inventory)
                        .load(session, percent);
                percent.accept(95);
                String done = swap(session);
                notes.forEach(note -> LOG.warn("Not restored as it was: {}", note));
                return notes.isEmpty() ? done : done + "; not as it was: " + Backup.inShort(notes);
            } catch (SQLException | IOException | RuntimeException e) {
                forgetLoading(session);
                throw e;
            }
        }
    }

    /** The agent's sessions may always write, and would wait for a standby that is not there. */
    private static void needWrites(Connection session) throws SQLException {
        boolean readOnly = !ask(
                        session,
                        "SELECT count(*) FROM pg_file_settings"
                                + " WHERE name = 'default_transaction_read_only' AND setting = 'on' AND applied")
                .equals("0");
        if (readOnly) {
            throw new BackupFailure(
                    "the primary refuses writes, since no standby acknowledges them: bring one back; nothing was changed");
        }
    }

    /** The next restore does it when this one cannot any more. */
    private static void forgetLoading(Connection session) {
        try {
            Loading.clear(session);
        } catch (SQLException e) {
            LOG.warn("{} is left: {}", Loading.NAME, e.getMessage());
        }
    }

    private static boolean exists(Connection session, String question, String name) throws SQLException {
        try (PreparedStatement statement = session.prepareStatement(question)) {
            statement.setString(1, name);
            try (ResultSet row = statement.executeQuery()) {
                return row.next();
            }
        }
    }

    /** Both names change in one transaction: whoever dies meanwhile, there is always one database of the application's name. */
    private String swap(Connection session) throws SQLException {
        String kept = PostgresSettings.APPLICATION + "_before_" + DATE.format(Instant.now());
        boolean old = exists(session, "SELECT 1 FROM pg_database WHERE datname = ?", PostgresSettings.APPLICATION);
        try (Connection axe = live.open("restore-axe", LOGIN, STATEMENT)) {
            session.setAutoCommit(false);
            Thread terminator = Thread.ofVirtual().start(() -> terminateClients(axe));
            try {
                if (old) {
                    Sessions.execute(session, "ALTER DATABASE " + PostgresSettings.APPLICATION + " RENAME TO " + kept);
                }
                Sessions.execute(
                        session, "ALTER DATABASE " + Loading.NAME + " RENAME TO " + PostgresSettings.APPLICATION);
                session.commit();
            } catch (SQLException e) {
                session.rollback();
                throw e;
            } finally {
                terminator.interrupt();
                session.setAutoCommit(true);
            }
        }
        return old ? "the database of before is kept as " + kept : "there was no such database before";
    }

    /**
     * A rename waits up to 5 s for the last session to end, and lets no new one in meanwhile. Only so long are sessions ended: ten
     * times, on an interrupt sooner.
     */
    private static void terminateClients(Connection axe) {
        try {
            for (int round = 0; round < 10 && !Thread.currentThread().isInterrupted(); round++) {
                Sessions.execute(
                        axe,
                        "SELECT pg_terminate_backend(pid), pg_sleep(0) FROM pg_stat_activity WHERE datname = '"
                                + PostgresSettings.APPLICATION + "'");
                Sessions.execute(axe, "SELECT pg_sleep(0.2)");
            }
        } catch (SQLException e) {
            // The rename has come to its end, and this session with it; else it says itself what stands in its way.
            LOG.debug("No more sessions are ended: {}", e.getMessage());
        }
    }

    @Override
    public void tidy() {
        // What ended the restore must not end the clearing up.
        boolean interrupted = Thread.interrupted();
        try {
            scratch.clear();
            endCopying();
        } catch (IOException | RuntimeException e) {
            LOG.warn("What a restore or a check left behind cannot be removed: {}", e.getMessage());
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
