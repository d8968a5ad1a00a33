package org.cellkeeper.cell.postgres;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.cellkeeper.cell.port.BackupFailure;
import org.cellkeeper.cell.port.DatabaseFailure;
import org.cellkeeper.cell.wire.Installations;
import org.jspecify.annotations.Nullable;

/**
 * Runs PostgreSQL's own programs, as the user that PostgreSQL runs as, in a clean environment. Safe for any thread. It never
 * puts a secret on a command line.
 */
final class Programs {
    /** What a program said and how it ended. */
    record Result(int exit, String out, String err) {
        /** Its last words, for a message. */
        String lastWords() {
            String[] lines = (err.isBlank() ? out : err).strip().split("\n", -1);
            return String.join(" | ", Arrays.asList(lines).subList(Math.max(0, lines.length - 4), lines.length));
        }
    }

    /** What has been read so far; as much as a message may need. */
    private static final class Words {
        private static final int LIMIT = 200_000;
        private final StringBuilder text = new StringBuilder();

        synchronized void add(String line) {
            if (text.length() < LIMIT) {
                text.append(line).append('\n');
            }
        }

        @Override
        public synchronized String toString() {
            return text.toString();
        }
    }

    /** For what takes as long as it takes. */
    static final Duration LONG = Duration.ofDays(7);

    private static final List<String> FOLDERS = List.of("/usr/bin", "/bin", "/usr/sbin", "/sbin");

    private static final Set<String> PASSED_ON = Set.of("LD_LIBRARY_PATH", "PATH", "TZ");

    private static final Pattern VERSION = Pattern.compile("\\(PostgreSQL\\) ([0-9]+)");

    private final Installations installations;
    private final Path dataDir;
    private final List<String> asUser;

    Programs(PostgresSettings settings) {
        this(settings.programs(), settings.dataDir(), settings.osUser());
    }

    /** Those that fit the data in {@code dataDir} at the time. */
    Programs(Installations installations, Path dataDir, @Nullable String osUser) {
        this(installations, dataDir, prefix(osUser));
    }

    private Programs(Installations installations, Path dataDir, List<String> asUser) {
        this.installations = installations;
        this.dataDir = dataDir;
        this.asUser = asUser;
    }

    /** Those of a primary's version, whatever data are here; {@link DatabaseFailure} when this machine has none. */
    Programs ofPrimary(int version) {
        Programs theirs;
        try {
            theirs = new Programs(Installations.only(installations.of(version)), dataDir, asUser);
        } catch (NoSuchElementException missing) {
            throw new DatabaseFailure(
                    "the primary runs " + missing.getMessage() + " on this machine, or set postgres.bin-dir", missing);
        }
        int own = theirs.version();
        if (own != version) {
            throw new DatabaseFailure("the primary runs PostgreSQL " + version + ", and postgres.bin-dir is "
                    + theirs.folder() + " with " + own + ": set it to the folder of " + version);
        }
        return theirs;
    }

    Path folder() {
        try {
            return installations.fitting(dataDir);
        } catch (NoSuchElementException missing) {
            throw new DatabaseFailure(String.valueOf(missing.getMessage()), missing);
        }
    }

    static List<String> prefix(@Nullable String osUser) {
        String me = System.getProperty("user.name");
        if (osUser == null || osUser.equals(me)) {
            if ("root".equals(me)) {
                throw new IllegalArgumentException(
                        "PostgreSQL does not run as root: name the user that it is to run as");
            }
            return List.of();
        }
        String setpriv = find("setpriv");
        if (setpriv != null) {
            return List.of(setpriv, "--reuid=" + osUser, "--regid=" + groupOf(osUser), "--init-groups", "--");
        }
        throw new IllegalArgumentException(
                "setpriv (of util-linux) is not on this machine: PostgreSQL cannot be run as " + osUser);
    }

    /** setpriv takes a group by name or number only; the primary group is in the passwd database alone. */
    private static String groupOf(String osUser) {
        try {
            for (String line : Files.readAllLines(Path.of("/etc/passwd"))) {
                String[] fields = line.split(":", -1);
                if (fields.length > 3 && fields[0].equals(osUser)) {
                    return fields[3];
                }
            }
        } catch (IOException e) {
            throw new IllegalArgumentException("/etc/passwd cannot be read", e);
        }
        throw new IllegalArgumentException("no such user: " + osUser);
    }

    static @Nullable String find(String program) {
        return FOLDERS.stream()
                .map(folder -> folder + "/" + program)
                .filter(path -> Files.isExecutable(Path.of(path)))
                .findFirst()
                .orElse(null);
    }

    /** The major version. */
    int version() {
        Result result =
                run(new Cancellation(), Duration.ofMinutes(2), "postgres", List.of("--version"), Map.of(), null);
        Matcher matcher = VERSION.matcher(result.out());
        if (!matcher.find()) {
            throw new IllegalArgumentException("no PostgreSQL in " + folder() + ": " + result.lastWords());
        }
        return Integer.parseInt(matcher.group(1));
    }

    String path(String program) {
        return folder().resolve(program).toString();
    }

    /** A builder for a program of PostgreSQL, as its user. */
    ProcessBuilder builder(List<String> before, String program, List<String> arguments) {
        List<String> command = new ArrayList<>(before);
        command.addAll(asUser);
        command.add(path(program));
        command.addAll(arguments);
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.environment().keySet().retainAll(PASSED_ON);
        builder.environment().put("LC_ALL", "C");
        return builder;
    }

    Result run(
            Cancellation cancellation,
            Duration limit,
            String program,
            List<String> arguments,
            Map<String, String> environment,
            @Nullable String input) {
        return run(cancellation, limit, program, arguments, environment, input, line -> {}, line -> {});
    }

    /** Runs a program to its end; throws when it cannot be started, is interrupted, or takes too long. */
    Result run(
            Cancellation cancellation,
            Duration limit,
            String program,
            List<String> arguments,
            Map<String, String> environment,
            @Nullable String input,
            Consumer<String> outLine,
            Consumer<String> errorLine) {
        return run(
                cancellation,
                limit,
                program,
                arguments,
                environment,
                input,
                (process, words) -> reader(process.getInputStream(), words, outLine),
                Duration.ofSeconds(2),
                errorLine);
    }

    /** Starts to read what a program writes. */
    private interface Reading {
        Thread begin(Process process, Words words);
    }

    private Result run(
            Cancellation cancellation,
            Duration limit,
            String program,
            List<String> arguments,
            Map<String, String> environment,
            @Nullable String input,
            Reading reading,
            Duration readWithin,
            Consumer<String> errorLine) {
        cancellation.check();
        ProcessBuilder builder = builder(List.of(), program, arguments);
        builder.environment().putAll(environment);
        Process process;
        try {
            process = builder.start();
        } catch (IOException e) {
            throw new DatabaseFailure(program + " cannot be run: " + e.getMessage(), e);
        }
        try (Cancellation.Registration _ = cancellation.onCancel(() -> kill(process))) {
            Words out = new Words();
            Words err = new Words();
            Thread readsOut = reading.begin(process, out);
            Thread readsErr = reader(process.getErrorStream(), err, errorLine);
            try (OutputStream stdin = process.getOutputStream()) {
                if (input != null) {
                    stdin.write(input.getBytes(StandardCharsets.UTF_8));
                }
            } catch (IOException e) {
                // It ended before it read all: its exit code and its words tell why.
                err.add("(input not taken)");
            }
            if (!process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS)) {
                throw new DatabaseFailure(program + " took longer than " + limit.toSeconds() + " s");
            }
            readsOut.join(readWithin);
            readsErr.join(Duration.ofSeconds(2));
            cancellation.check();
            return new Result(process.exitValue(), out.toString(), err.toString());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new DatabaseFailure("interrupted", e);
        } finally {
            kill(process);
        }
    }

    /** For a backup: it takes as long as it takes, and has to come off. */
    void complete(String program, List<String> arguments, Map<String, String> environment, Consumer<String> errorLine) {
        Result result = run(new Cancellation(), LONG, program, arguments, environment, null, line -> {}, errorLine);
        if (result.exit() != 0) {
            throw new BackupFailure(Path.of(program).getFileName() + ": " + result.lastWords());
        }
    }

    /** What is done with the bytes that a program writes. */
    interface Drain {
        void of(InputStream out) throws IOException;
    }

    /** As {@link #complete}, for one that writes bytes: its end is also that of the drain, and a drain that fails ends it. */
    void pour(
            String program,
            List<String> arguments,
            Map<String, String> environment,
            Consumer<String> errorLine,
            Drain drain) {
        CompletableFuture<@Nullable Throwable> drained = new CompletableFuture<>();
        Result result = run(
                new Cancellation(),
                LONG,
                program,
                arguments,
                environment,
                null,
                (process, words) -> Thread.ofVirtual().start(() -> drained.complete(drain(drain, process))),
                LONG,
                errorLine);
        Throwable problem = drained.getNow(null);
        if (problem != null) {
            throw new BackupFailure("what " + program + " wrote could not be kept: " + problem.getMessage(), problem);
        }
        if (result.exit() != 0) {
            throw new BackupFailure(program + ": " + result.lastWords());
        }
    }

    private static @Nullable Throwable drain(Drain drain, Process process) {
        try {
            drain.of(process.getInputStream());
            return null;
        } catch (IOException | RuntimeException e) {
            kill(process);
            return e;
        }
    }

    void complete(String program, String... arguments) {
        complete(program, List.of(arguments), Map.of(), line -> {});
    }

    private static Thread reader(InputStream stream, Words into, Consumer<String> line) {
        return Thread.ofVirtual().start(() -> {
            try (BufferedReader reader = new BufferedReader(new InputStreamReader(stream, StandardCharsets.UTF_8))) {
                // pg_basebackup ends its lines of progress with a carriage return on a terminal, a newline elsewhere.
                for (String text = reader.readLine(); text != null; text = reader.readLine()) {
                    into.add(text);
                    line.accept(text);
                }
            } catch (IOException e) {
                into.add("(" + e.getMessage() + ")");
            }
        });
    }

    private static void kill(Process process) {
        if (process.isAlive()) {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
        }
    }
}
