package org.cellkeeper.cell.postgres;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.cellkeeper.cell.port.DatabaseFailure;
import org.cellkeeper.cell.wire.Installations;
import org.jspecify.annotations.Nullable;

/**
 * Has further settings judged by the PostgreSQL that is to run with them: in a folder of its own that is thrown away, with the settings and
 * the command line of a real start, it does all that comes before it takes memory and ports, the loading of libraries included.
 */
final class TrialSettings {
    /** An agent that starts must not wait for it so long that its guard takes it for lost. */
    private static final Duration LIMIT = Duration.ofSeconds(5);
    /** It is worked out only after all else has been looked at. */
    private static final String LAST_OF_ALL = "shared_memory_size";

    private static final String CONFIGURATION = "postgresql.conf";

    private static final Pattern LINE = Pattern.compile("^CONTEXT: +line ([0-9]{1,6}) of configuration file");
    /** It has no certificate in a trial; that is no fault of a line. */
    private static final String NO_TLS_HERE = "SSL is disabled";

    private final long begun = System.nanoTime();
    private final OwnedFiles files;
    private final Programs programs;
    private final int version;
    private final @Nullable String osUser;
    private final Path binDir;
    private final Path folder;

    private TrialSettings(Path binDir, @Nullable String osUser, Programs programs, OwnedFiles files, Path folder) {
        this.files = files;
        this.binDir = binDir;
        this.osUser = osUser;
        this.programs = programs;
        this.version = programs.version();
        this.folder = folder;
    }

    static List<String> problems(Path binDir, @Nullable String osUser, Map<String, String> extra) {
        List<String> problems = new ArrayList<>();
        Map<String, String> plausible = new TreeMap<>();
        new TreeMap<>(extra).forEach((name, value) -> {
            String reason = OwnedSettings.OWNED.get(name);
            if (reason != null) {
                problems.add("has " + name + ", which only the cell itself may set (" + reason + "); remove it");
            } else if (value.chars().anyMatch(c -> c < ' ')) {
                problems.add("the value of " + name + " holds a control character; write it in one line");
            } else if (name.equals("max_slot_wal_keep_size") && value.strip().startsWith("-")) {
                problems.add("max_slot_wal_keep_size is " + value
                        + ", and a dead standby would fill the disk; set how much WAL may be kept, such as 1GB");
            } else {
                plausible.put(name, value);
            }
        });
        problems.addAll(refused(binDir, osUser, plausible, Map.of()).values());
        return problems;
    }

    /** What PostgreSQL refuses of lines for pg_hba.conf. */
    static List<String> problems(Path binDir, @Nullable String osUser, List<String> lines) {
        return lines.isEmpty() ? List.of() : in(binDir, osUser, "pg_hba.conf", trial -> trial.refused(lines));
    }

    /**
     * What of {@code judged} PostgreSQL would not start with beside the others, and why, as a problem in words; under the empty name
     * what it refuses of them together.
     */
    static Map<String, String> refused(
            Path binDir, @Nullable String osUser, Map<String, String> judged, Map<String, String> others) {
        return in(binDir, osUser, "its settings", trial -> trial.refused(judged, others));
    }

    /** What is asked of it. */
    private interface Question<T> {
        T of(TrialSettings trial) throws IOException;
    }

    private static <T> T in(Path binDir, @Nullable String osUser, String about, Question<T> question) {
        OwnedFiles files = new OwnedFiles(osUser);
        Path folder = null;
        try {
            Programs programs = new Programs(Installations.only(binDir), Path.of("/"), osUser);
            folder = Files.createTempDirectory(
                    "cellkeeper-trial",
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
            files.own(folder);
            return question.of(new TrialSettings(binDir, osUser, programs, files, folder));
        } catch (IOException | DatabaseFailure | IllegalArgumentException e) {
            throw new DatabaseFailure(
                    "PostgreSQL in " + binDir + " cannot be asked about " + about + ": " + e.getMessage(), e);
        } finally {
            remove(folder);
        }
    }

    private static void remove(@Nullable Path folder) {
        if (folder == null) {
            return;
        }
        try {
            OwnedFiles.deleteTree(folder);
        } catch (IOException left) {
            // The system clears its temporary folder.
        }
    }

    private Map<String, String> refused(Map<String, String> judged, Map<String, String> others) throws IOException {
        prepare();
        Map<String, String> together = new TreeMap<>(others);
        together.putAll(judged);
        String all = refusal(together);
        if (all.isEmpty()) {
            return Map.of();
        }
        // It names one at a time.
        Map<String, String> problems = new TreeMap<>();
        Map<String, String[]> known = described();
        for (Map.Entry<String, String> setting : judged.entrySet()) {
            String name = setting.getKey();
            String words = refusal(Map.of(name, setting.getValue()));
            if (!words.isEmpty()) {
                problems.put(
                        name,
                        "has " + name + " = '" + setting.getValue() + "', which PostgreSQL " + version + " refuses: "
                                + words + allowed(known.get(name)));
            }
        }
        return problems.isEmpty() ? Map.of("", "PostgreSQL " + version + " refuses them together: " + all) : problems;
    }

    /** All settings that it has by itself: name, context, group, type, default, least, most. */
    private Map<String, String[]> described() {
        return run("postgres", List.of("--describe-config"))
                .out()
                .lines()
                .map(line -> line.split("\t", -1))
                .filter(fields -> fields.length > 6)
                .collect(Collectors.toMap(fields -> fields[0].toLowerCase(Locale.ROOT), fields -> fields));
    }

    private static String allowed(String @Nullable [] fields) {
        if (fields == null) {
            return "";
        }
        return switch (fields[3]) {
            case "INTEGER" -> "; allowed: a whole number, " + fields[5] + " to " + fields[6] + ", or one with its unit";
            case "REAL" -> "; allowed: a number, " + fields[5] + " to " + fields[6];
            case "BOOLEAN" -> "; allowed: on or off";
            // Of words PostgreSQL says itself which it takes.
            default -> "";
        };
    }

    /** What PostgreSQL takes for a data directory; pg_resetwal makes the control file. */
    private void prepare() throws IOException {
        for (String name : List.of("global", "pg_wal", "pg_wal/archive_status", "pg_wal/summaries")) {
            files.makeFolder(folder.resolve(name), "rwx------");
        }
        write("PG_VERSION", version + "\n");
        write("global/pg_control", "");
        write("postgresql.auto.conf", "");
        Programs.Result result = run("pg_resetwal", List.of("--force", "--wal-segsize=1", "-D", folder.toString()));
        if (result.exit() != 0) {
            throw new DatabaseFailure(result.lastWords());
        }
    }

    /**
     * It is started, which takes it as far as reading that file and one step further; there are no data that it could recover and serve.
     */
    private List<String> refused(List<String> lines) throws IOException {
        prepare();
        for (String name : List.of("base", "pg_dynshmem", "pg_notify", "pg_stat_tmp", "pg_tblspc")) {
            files.makeFolder(folder.resolve(name), "rwx------");
        }
        write(CONFIGURATION, "");
        write("pg_ident.conf", "");
        write(HostRules.FILE, String.join("\n", lines) + "\n");
        List<String> arguments = new ArrayList<>(List.of("-D", folder.toString()));
        for (String setting : List.of(
                "listen_addresses=",
                "unix_socket_directories=" + folder,
                "shared_buffers=128kB",
                "max_connections=2",
                "superuser_reserved_connections=0",
                "max_wal_senders=0",
                "log_line_prefix=")) {
            arguments.addAll(List.of("-c", setting));
        }
        Programs.Result result = run("postgres", arguments);
        if (!result.err().contains("FATAL:  could not load ")) {
            if (!result.err().contains("startup process")) {
                throw new DatabaseFailure(result.lastWords());
            }
            return List.of();
        }
        List<String> problems = new ArrayList<>();
        String words = "";
        for (String said : result.err().lines().toList()) {
            Matcher place = LINE.matcher(said);
            if (place.find()) {
                String line = lines.get(Math.min(Integer.parseInt(place.group(1)), lines.size()) - 1);
                if (!words.contains(NO_TLS_HERE)) {
                    problems.add("has '" + line + "', which PostgreSQL " + version + " refuses: " + words);
                }
            } else if (said.startsWith("LOG: ")) {
                words = said.substring("LOG: ".length()).strip();
            }
        }
        return problems.isEmpty() ? List.of("PostgreSQL " + version + " refuses it: " + result.lastWords()) : problems;
    }

    /** Nothing of this need outlive a crash. */
    private void write(String name, String text) throws IOException {
        files.own(Files.writeString(folder.resolve(name), text));
    }

    /** Empty when it would start. */
    private String refusal(Map<String, String> extra) throws IOException {
        PostgresSettings settings = new PostgresSettings(
                Installations.only(binDir),
                folder,
                folder,
                "localhost",
                5432,
                osUser,
                new PostgresSettings.Passwords("", "", "", ""),
                extra,
                Access.unencrypted(),
                PostgresSettings.Timeouts.defaults());
        OwnedSettings owned = new OwnedSettings(settings, version);
        write(CONFIGURATION, new SettingsFile(settings, owned, files, folder).render(SettingsFile.Content.FIRST));
        List<String> arguments = new ArrayList<>(owned.commandLine(folder, Map.of()));
        // Its words alone, in full.
        arguments.addAll(List.of("-c", "log_line_prefix=", "-c", "log_min_messages=warning", "-C", LAST_OF_ALL));
        Programs.Result result = run("postgres", arguments);
        if (result.exit() == 0) {
            return tooMuch(result.out().strip());
        }
        String words = result.err()
                .lines()
                .filter(line -> !line.contains("contains errors"))
                .map(line -> line.replaceAll("^(LOG|FATAL|ERROR|HINT|DETAIL|postgres): +", "")
                        .replace(" in file \"" + folder.resolve(CONFIGURATION) + "\"", "")
                        .replaceAll(" line [0-9]+$", ""))
                .collect(Collectors.joining(" | "));
        return words.isEmpty() ? "it ends with " + result.exit() : words;
    }

    /** Empty when the machine, or what of it this cell may use, has so much memory at all. */
    private static String tooMuch(String megabytes) {
        var machine = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        long has = (machine.getTotalMemorySize() + machine.getTotalSwapSpaceSize()) >> 20;
        return megabytes.matches("\\d{1,12}") && Long.parseLong(megabytes) > has
                ? "it would take " + megabytes + " MB of shared memory, and there are " + has + " MB in all"
                : "";
    }

    private Programs.Result run(String program, List<String> arguments) {
        Duration left = LIMIT.minusNanos(System.nanoTime() - begun);
        if (left.isNegative()) {
            throw new DatabaseFailure("it takes longer than " + LIMIT.toSeconds() + " s");
        }
        return programs.run(new Cancellation(), left, program, arguments, Map.of(), null);
    }
}
