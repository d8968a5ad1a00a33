package org.cellkeeper.cell.postgres;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.IntConsumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.GZIPInputStream;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.port.BackupFailure;
import org.cellkeeper.cell.port.DatabaseArchive.Copy;
import org.cellkeeper.cell.port.DatabaseArchive.Room;
import org.jspecify.annotations.Nullable;

/**
 * A PostgreSQL that is unpacked from a copy and started beside the cell's own, for what is in it: it listens on no network, and
 * nobody but the agent reaches it. There is one at a time; whoever begins one clears it away, and the next agent what is left of
 * it after a kill.
 */
final class Scratch {
    /** The data, with the list that pg_basebackup made of them. */
    static final String DATA = "base.tar.gz";

    /** How the name of a file ends that is compressed: of each segment of WAL, and of a timeline's history. */
    static final String ZIPPED = ".gz";

    private static final Pattern SEGMENT = Pattern.compile("(?:[0-9A-F]{24}|[0-9A-F]{8}\\.history)\\.gz");

    /** Of a backup that was made before the agent wrote the files itself: the WAL, and the list. */
    private static final String WAL = "pg_wal.tar.gz";

    private static final String MANIFEST = "backup_manifest";

    private static final int EVENT_TRIGGERS_CAN_BE_OFF = 17;

    private static final Duration LOGIN = Duration.ofSeconds(10);
    private static final Duration STATEMENT = Duration.ofMinutes(10);

    /** What it writes by itself: the segments that it keeps of its own WAL, and what a dump sorts on disk. */
    private static final long OWN_WRITES = 256L << 20;

    private static final long BLOCK = 4096;
    private static final Pattern FILE_SIZE = Pattern.compile("\", \"Size\": ([0-9]+), \"");
    private static final Pattern WAL_RANGE = Pattern.compile(
            "\"Timeline\": *[0-9]+, *\"Start-LSN\": *\"([0-9A-F/]+)\", *\"End-LSN\": *\"([0-9A-F/]+)\"");
    private static final Pattern LOUD = Pattern.compile("(?:FATAL|PANIC|ERROR|DETAIL|HINT):  (.*)");

    /** What is run here. Somebody's editor that has one of the files open is none of them. */
    private static final Set<String> OWN_PROGRAMS =
            Set.of("tar", "setpriv", "pg_verifybackup", "pg_ctl", "pg_dump", "pg_restore", "postgres");

    private static final Duration END_WITHIN = Duration.ofSeconds(5);
    private static final int REMOVALS = 5;

    private final PostgresSettings settings;
    private final Programs programs;
    private final OwnedFiles files;
    private final Path folder;
    private final Path data;
    private final Path brought;

    Scratch(PostgresSettings settings, Programs programs, OwnedFiles files) {
        this.settings = settings;
        this.programs = programs;
        this.files = files;
        this.folder = settings.dataDir().resolveSibling("restore");
        this.data = folder.resolve("data");
        this.brought = folder.resolve("brought");
    }

    Path folder() {
        return folder;
    }

    long freeBytes() throws IOException {
        return Files.getFileStore(folder.getParent()).getUsableSpace();
    }

    /** What bringing, unpacking and starting a copy takes. */
    Room room(Copy copy) throws IOException {
        long brought =
                copy.files().values().stream().mapToLong(Long::longValue).max().orElse(0);
        long unpacked = copy.unpackedBytes() > 0 ? copy.unpackedBytes() : listed(copy);
        return new Room(OWN_WRITES + brought + unpacked, freeBytes());
    }

    /** By the list that pg_basebackup made of the files. */
    private static long listed(Copy copy) throws IOException {
        long needed = 0;
        boolean understood = false;
        try (BufferedReader lines =
                new BufferedReader(new InputStreamReader(copy.open(MANIFEST), StandardCharsets.UTF_8))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                Matcher size = FILE_SIZE.matcher(line);
                while (size.find()) {
                    needed += (Long.parseLong(size.group(1)) / BLOCK + 1) * BLOCK;
                }
                Matcher range = WAL_RANGE.matcher(line);
                while (range.find()) {
                    understood = true;
                    needed += Lsn.parse(range.group(2)).minus(Lsn.parse(range.group(1)));
                }
            }
        } catch (IllegalArgumentException e) {
            throw new BackupFailure(MANIFEST + " cannot be read: " + e.getMessage(), e);
        }
        if (!understood) {
            throw new BackupFailure(MANIFEST + " is no list of a backup's files");
        }
        return needed;
    }

    // ---- its life

    /** Unpacks it, has PostgreSQL's own checksums compared, and starts it; to 40 percent of a restore. */
    void start(Copy copy, IntConsumer percent) throws IOException, SQLException {
        files.makeFolder(folder, "rwx------");
        files.makeFolder(data, "rwx------");
        files.makeFolder(brought, "rwx------");
        unpack(copy);
        percent.accept(25);
        Path list = copy.files().containsKey(MANIFEST) ? bring(copy, MANIFEST) : data.resolve(MANIFEST);
        programs.complete("pg_verifybackup", "--quiet", "--exit-on-error", "--manifest-path=" + list, data.toString());
        percent.accept(35);
        isolate();
        startServer();
        try (Connection session = sessions().open("restore", LOGIN, STATEMENT)) {
            Sessions.execute(
                    session,
                    // Libraries and whatever else its owners have sessions begin with.
                    "DELETE FROM pg_db_role_setting",
                    // Its owner may have closed it.
                    "ALTER DATABASE " + PostgresSettings.APPLICATION + " ALLOW_CONNECTIONS true");
        }
        percent.accept(40);
    }

    /** Has a file where nobody else writes, and only if it is what was made: from here on it may be looked into. */
    private Path bring(Copy copy, String name) throws IOException {
        Path here = brought.resolve(name);
        try (InputStream in = copy.open(name)) {
            Files.copy(in, here);
        }
        files.own(here);
        return here;
    }

    private void unpack(Copy copy) throws IOException {
        unpack(bring(copy, DATA), data);
        Path wal = data.resolve("pg_wal");
        if (copy.files().containsKey(WAL)) {
            unpack(bring(copy, WAL), wal);
        }
        for (String name : copy.files().keySet()) {
            if (SEGMENT.matcher(name).matches()) {
                Path zipped = bring(copy, name);
                Path segment = wal.resolve(name.substring(0, name.length() - ZIPPED.length()));
                try (InputStream in = new GZIPInputStream(Files.newInputStream(zipped))) {
                    Files.copy(in, segment);
                }
                files.own(segment);
                Files.delete(zipped);
            }
        }
        // A copy as tar always has it, empty; an entry would lead the scratch instance into the live one's files.
        Path map = data.resolve("tablespace_map");
        if (Files.exists(map) && Files.size(map) > 0) {
            throw new BackupFailure("the backup has tablespaces, which cannot be restored; nothing was changed");
        }
    }

    private void unpack(Path archive, Path into) throws IOException {
        String tar = Programs.find("tar");
        if (tar == null) {
            throw new BackupFailure("tar is not on this machine");
        }
        try {
            programs.complete(tar, "--extract", "--gzip", "--file=" + archive, "--directory=" + into);
        } catch (BackupFailure e) {
            throw new BackupFailure(archive.getFileName() + " cannot be unpacked: " + e.getMessage(), e);
        }
        Files.delete(archive);
        requireFilesAndFolders();
    }

    /** A link would lead what is written next into files that are not the scratch instance's, and a pipe would have it wait. */
    private void requireFilesAndFolders() throws IOException {
        Files.walkFileTree(data, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                boolean plain = attributes.isRegularFile()
                        && Integer.valueOf(1).equals(Files.getAttribute(file, "unix:nlink", LinkOption.NOFOLLOW_LINKS));
                if (!plain) {
                    throw new BackupFailure("the backup holds " + data.relativize(file)
                            + ", which is a link or no file; nothing was changed");
                }
                return FileVisitResult.CONTINUE;
            }
        });
    }

    /**
     * Own settings in place of the cell's: no network, no standby to wait for, no file of the live instance, no library, no command,
     * and nothing that works by itself in what was copied.
     */
    private void isolate() throws IOException {
        for (String name : List.of("postgresql.auto.conf", "standby.signal", "recovery.signal")) {
            files.delete(data.resolve(name));
        }
        files.write(data.resolve("pg_hba.conf"), "local all all trust\n");
        files.write(data.resolve("pg_ident.conf"), "");
        files.write(data.resolve("postgresql.conf"), """
                listen_addresses = ''
                unix_socket_directories = '%s'
                port = %d
                cluster_name = 'restore'
                fsync = off
                archive_mode = off
                autovacuum = off
                max_connections = 20
                max_prepared_transactions = 1000
                max_locks_per_transaction = 256
                max_logical_replication_workers = 0
                shared_preload_libraries = ''
                session_preload_libraries = ''
                local_preload_libraries = ''
                archive_command = ''
                restore_command = ''
                %s""".formatted(
                        folder.toString().replace("'", "''"),
                        settings.port(),
                        programs.version() >= EVENT_TRIGGERS_CAN_BE_OFF ? "event_triggers = off\n" : ""));
    }

    private void startServer() throws IOException {
        Path log = folder.resolve("log");
        try {
            programs.complete(
                    "pg_ctl", "start", "--silent", "--wait", "--timeout=3600", "--pgdata=" + data, "--log=" + log);
        } catch (BackupFailure e) {
            // pg_ctl only points to the log, which nobody finds any more when this is told.
            String said = OwnedFiles.read(log);
            List<String> reasons = new ArrayList<>();
            Matcher loud = LOUD.matcher(said == null ? "" : said);
            while (loud.find()) {
                reasons.add(loud.group(1));
            }
            throw new BackupFailure(
                    "the copy does not start: "
                            + (reasons.isEmpty()
                                    ? e.getMessage()
                                    : String.join(" | ", reasons.subList(0, Math.min(4, reasons.size())))),
                    e);
        }
    }

    Sessions sessions() {
        return new Sessions(new PostgresSettings(
                settings.programs(),
                data,
                folder,
                settings.listenHost(),
                settings.port(),
                settings.osUser(),
                settings.passwords(),
                Map.of(),
                Access.unencrypted(),
                settings.timeouts()));
    }

    /** @param into null to read all of it and keep nothing */
    void dump(@Nullable Path into) {
        programs.complete(
                "pg_dump",
                List.of(
                        "--host=" + folder,
                        "--port=" + settings.port(),
                        "--username=" + PostgresSettings.SUPERUSER,
                        into == null ? "--format=plain" : "--format=custom",
                        "--compress=" + (into == null ? 0 : 1),
                        "--file=" + (into == null ? "/dev/null" : into),
                        PostgresSettings.APPLICATION),
                Map.of("PGOPTIONS", Sessions.OPTIONS),
                line -> {});
    }

    void stop() {
        programs.complete("pg_ctl", "stop", "--silent", "--wait", "--mode=immediate", "--pgdata=" + data);
    }

    // ---- its end

    /** Ends all of it and removes it, also when an agent that was killed has left it in the middle of anything. */
    void clear() throws IOException {
        if (!Files.exists(folder)) {
            return;
        }
        endPrograms(Set.of("postgres"));
        if (serverRuns()) {
            stop();
        }
        endPrograms(Set.of());
        for (int round = 1; ; round++) {
            try {
                OwnedFiles.deleteTree(folder);
                return;
            } catch (IOException e) {
                // The last file of a program that has just ended.
                if (round == REMOVALS) {
                    throw e;
                }
            }
        }
    }

    /** A program outlives an agent that is killed, and would go on to write here. */
    private void endPrograms(Set<String> spared) {
        List<ProcessHandle> own = ProcessHandle.allProcesses()
                .filter(process -> isOwn(process, spared))
                .toList();
        own.forEach(ProcessHandle::destroyForcibly);
        long start = System.nanoTime();
        for (ProcessHandle process : own) {
            process.onExit()
                    .completeOnTimeout(
                            process,
                            Math.max(0, END_WITHIN.toNanos() - (System.nanoTime() - start)),
                            TimeUnit.NANOSECONDS)
                    .join();
        }
    }

    private boolean isOwn(ProcessHandle process, Set<String> spared) {
        ProcessHandle.Info info = process.info();
        String program = info.command()
                .map(command -> String.valueOf(Path.of(command).getFileName()))
                .orElse("");
        return OWN_PROGRAMS.contains(program)
                && !spared.contains(program)
                && info.commandLine().filter(this::isHere).isPresent();
    }

    private boolean isHere(String commandLine) {
        return commandLine.contains(folder + "/") || commandLine.contains("=" + folder + " ");
    }

    /** Whether the process that its file names is it: after a restart of the machine the number may be another's. */
    private boolean serverRuns() {
        String pid = OwnedFiles.read(data.resolve("postmaster.pid"));
        String number = pid == null ? "" : pid.lines().findFirst().orElse("");
        return number.matches("[0-9]{1,10}")
                && ProcessHandle.of(Long.parseLong(number))
                        .flatMap(process -> process.info().commandLine())
                        .filter(this::isHere)
                        .isPresent();
    }
}
