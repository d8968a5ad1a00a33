package org.cellkeeper.cell.postgres;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.function.IntConsumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.Deflater;
import java.util.zip.GZIPOutputStream;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.port.BackupFailure;
import org.cellkeeper.cell.port.DatabaseArchive.Target;
import org.cellkeeper.cell.port.DatabaseFailure;
import org.jspecify.annotations.Nullable;

/**
 * Copies the instance, all of it through the agent's hands: what it vouches for is what PostgreSQL sent, and no file that others may
 * have changed. pg_basebackup writes the data to its output. The WAL of meanwhile pg_receivewal keeps in a folder of the cell's own,
 * since it has to follow the primary closely; as much of it as the copy needs goes into the copy.
 */
final class Copying {
    /** @param unpackedBytes of data and WAL */
    record Done(int timeline, Lsn end, long unpackedBytes) {}

    private static final String NAME = "cellkeeper-copying";
    private static final String SLOT = "cellkeeper_copying";
    private static final Duration LAST_SEGMENT = Duration.ofMinutes(2);
    private static final Duration LOOK = Duration.ofMillis(20);
    private static final Duration END_WITHIN = Duration.ofSeconds(10);

    private static final Pattern PROGRESS = Pattern.compile("\\s*[0-9]+/[0-9]+ kB \\(([0-9]+)%\\).*");
    private static final Pattern SEGMENT = Pattern.compile("[0-9A-F]{24}");
    private static final Pattern HISTORY = Pattern.compile("[0-9A-F]{8}\\.history");

    /** It ends the list of files that pg_basebackup puts at the end. */
    private static final Pattern WAL_RANGE = Pattern.compile(
            "\"Timeline\": *([0-9]+), *\"Start-LSN\": *\"([0-9A-F/]+)\", *\"End-LSN\": *\"([0-9A-F/]+)\"");

    private final PostgresSettings settings;
    private final Programs programs;
    private final OwnedFiles files;
    private final int port;
    private final Path wal;

    Copying(PostgresSettings settings, Programs programs, OwnedFiles files, int port) {
        this.settings = settings;
        this.programs = programs;
        this.files = files;
        this.port = port;
        this.wal = settings.dataDir().resolveSibling("copying");
    }

    // ---- before and after

    /** Ends what this copy, or one that an agent that died had begun, leaves in PostgreSQL: its slot would hold WAL back for nobody. */
    void end(Connection session) throws SQLException {
        Sessions.execute(
                session,
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_replication WHERE application_name = '" + NAME
                        + "'",
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '" + SLOT
                        + "' AND NOT active");
    }

    void clear() throws IOException {
        OwnedFiles.deleteTree(wal);
    }

    // ---- copying

    Done copy(Connection session, Target target, IntConsumer percent) throws SQLException, IOException {
        files.makeFolder(wal, "rwx------");
        // Whatever the first segment is that the copy needs, it is kept from here on.
        Sessions.execute(session, "SELECT pg_create_physical_replication_slot('" + SLOT + "', true)");
        Cancellation enough = new Cancellation();
        CompletableFuture<String> received = new CompletableFuture<>();
        Thread receiver =
                Thread.ofPlatform().name("backup-wal").daemon().start(() -> received.complete(receive(enough)));
        try {
            Counted data = new Counted();
            try (OutputStream out = target.make(Scratch.DATA)) {
                pourData(out, data, percent);
            }
            Matcher range = WAL_RANGE.matcher(data.tail());
            if (!range.find()) {
                throw new BackupFailure("pg_basebackup wrote a manifest that is not understood");
            }
            String first = walFile(session, range.group(2));
            String last = walFile(session, range.group(3));
            awaitSegment(wal.resolve(last), received);
            return new Done(
                    Integer.parseInt(range.group(1)),
                    Lsn.parse(range.group(3)),
                    data.bytes + addWal(target, first, last));
        } finally {
            enough.cancel();
            join(receiver);
        }
    }

    private static void join(Thread receiver) {
        boolean interrupted = Thread.interrupted();
        try {
            receiver.join(END_WITHIN);
        } catch (InterruptedException e) {
            interrupted = true;
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private List<String> arguments(String... own) {
        return Stream.concat(
                        Stream.of(own),
                        Stream.of(
                                "--host=" + settings.listenHost(),
                                "--port=" + port,
                                "--username=" + PostgresSettings.REPLICATION_ROLE,
                                "--no-password"))
                .toList();
    }

    private Map<String, String> environment() {
        Map<String, String> environment = new TreeMap<>(new TlsFiles(settings).environment(programs.version()));
        environment.put("PGGSSENCMODE", "disable");
        environment.put("PGAPPNAME", NAME);
        environment.put("PGOPTIONS", OwnedSettings.PATIENT);
        return environment;
    }

    /** Until it is enough; says how it ended. */
    private String receive(Cancellation enough) {
        try {
            return programs.run(
                            enough,
                            Programs.LONG,
                            "pg_receivewal",
                            arguments(
                                    "--directory=" + wal,
                                    "--slot=" + SLOT,
                                    "--status-interval=1",
                                    "--no-loop",
                                    "--no-sync"),
                            environment(),
                            null)
                    .lastWords();
        } catch (DatabaseFailure e) {
            return String.valueOf(e.getMessage());
        }
    }

    private void pourData(OutputStream out, Counted data, IntConsumer percent) throws IOException {
        try (OutputStream zipped = zipped(out)) {
            programs.pour(
                    "pg_basebackup",
                    arguments(
                            "--pgdata=-",
                            "--format=tar",
                            "--wal-method=none",
                            "--checkpoint=fast",
                            "--manifest-checksums=SHA256",
                            "--progress"),
                    environment(),
                    line -> {
                        Matcher matcher = PROGRESS.matcher(line);
                        if (matcher.matches()) {
                            percent.accept(Math.min(98, Integer.parseInt(matcher.group(1))));
                        }
                    },
                    in -> data.copy(in, zipped));
        }
    }

    /** The fastest: it must not be what a backup waits for. */
    private static OutputStream zipped(OutputStream out) throws IOException {
        return new GZIPOutputStream(out, 1 << 16) {
            {
                def.setLevel(Deflater.BEST_SPEED);
            }
        };
    }

    /** What has gone by, and the end of it. */
    private static final class Counted {
        private static final int TAIL = 8 << 10;

        private byte[] last = new byte[0];
        private long bytes;

        void copy(InputStream in, OutputStream out) throws IOException {
            byte[] chunk = new byte[1 << 16];
            for (int read = in.read(chunk); read >= 0; read = in.read(chunk)) {
                out.write(chunk, 0, read);
                bytes += read;
                keep(chunk, read);
            }
        }

        private void keep(byte[] chunk, int read) {
            int kept = Math.min(last.length, Math.max(0, TAIL - read));
            int added = Math.min(read, TAIL);
            byte[] next = Arrays.copyOfRange(last, last.length - kept, last.length + added);
            System.arraycopy(chunk, read - added, next, kept, added);
            last = next;
        }

        String tail() {
            return new String(last, StandardCharsets.ISO_8859_1);
        }
    }

    // ---- its WAL

    private static String walFile(Connection session, String lsn) throws SQLException {
        try (PreparedStatement statement = session.prepareStatement("SELECT pg_walfile_name(CAST(? AS pg_lsn))")) {
            statement.setString(1, lsn);
            try (ResultSet row = statement.executeQuery()) {
                row.next();
                return row.getString(1);
            }
        }
    }

    /** The end of a copy switches to a new segment, so that its last one becomes whole. */
    private static void awaitSegment(Path last, CompletableFuture<String> received) {
        boolean there = new Cancellation().await(LAST_SEGMENT, LOOK, () -> Files.exists(last) || received.isDone());
        if (!there || !Files.exists(last)) {
            @Nullable String end = received.getNow("it is not there after " + LAST_SEGMENT.toSeconds() + " s");
            throw new BackupFailure("the WAL of the copy was not received: " + end);
        }
    }

    private long addWal(Target target, String first, String last) throws IOException {
        List<Path> needed;
        try (Stream<Path> all = Files.list(wal)) {
            needed = all.filter(file -> isNeeded(file.getFileName().toString(), first, last))
                    .sorted()
                    .toList();
        }
        if (needed.stream().noneMatch(file -> file.endsWith(first))) {
            throw new BackupFailure("the WAL of the copy was not received from its beginning, " + first);
        }
        long bytes = 0;
        for (Path file : needed) {
            try (OutputStream out = target.make(file.getFileName() + Scratch.ZIPPED);
                    OutputStream zipped = zipped(out)) {
                bytes += Files.copy(file, zipped);
            }
        }
        return bytes;
    }

    private static boolean isNeeded(String file, String first, String last) {
        return HISTORY.matcher(file).matches()
                || (SEGMENT.matcher(file).matches() && file.compareTo(first) >= 0 && file.compareTo(last) <= 0);
    }
}
