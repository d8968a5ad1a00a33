package org.cellkeeper.cell.door;

import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * PgBouncer as a process: started in a session of its own so that it outlives its agent, and found again by the next one. Used by the
 * door's thread alone.
 */
final class DoorProcess {
    private static final List<String> FOLDERS = List.of("/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin");
    private static final Duration GONE_WITHIN = Duration.ofSeconds(2);
    private static final String PROGRAM = "pgbouncer";

    private static final Pattern COMPLAINT =
            Pattern.compile("[^\\[]*\\[\\d+] (?:FATAL (.*)|[A-Z]+ (cannot listen on .*))");

    private final DoorSettings settings;
    private final DoorFiles files;
    private final Runnable gone;

    private @Nullable ProcessHandle run;

    /** @param gone is told, on any thread, that a door has ended */
    DoorProcess(DoorSettings settings, DoorFiles files, Runnable gone) {
        this.settings = settings;
        this.files = files;
        this.gone = gone;
    }

    /** Where the program is; null when this machine has none. */
    static @Nullable Path program() {
        return FOLDERS.stream()
                .map(folder -> Path.of(folder, PROGRAM))
                .filter(Files::isExecutable)
                .findFirst()
                .orElse(null);
    }

    /** What the program is; null when it does not say. */
    static @Nullable Version version(Path program) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(program.toString(), "--version")
                .redirectErrorStream(true)
                .start();
        String words = new String(process.getInputStream().readNBytes(10_000), StandardCharsets.UTF_8);
        if (!process.waitFor(5, TimeUnit.SECONDS)) {
            process.destroyForcibly();
        }
        return Version.in(words);
    }

    boolean isAlive() {
        ProcessHandle known = run;
        return known != null && known.isAlive();
    }

    /** Takes over the one that an earlier agent has left; says whether there is one. */
    boolean adopt() {
        if (isAlive()) {
            return true;
        }
        ProcessHandle found = pidInFile() > 0 ? ProcessHandle.of(pidInFile()).orElse(null) : null;
        if (found == null || !found.isAlive() || !isOurs(found.pid())) {
            return false;
        }
        watch(found);
        return true;
    }

    private void watch(ProcessHandle process) {
        run = process;
        var _ = process.onExit().thenRun(gone);
    }

    private long pidInFile() {
        try {
            return Long.parseLong(Files.readString(files.pid()).strip());
        } catch (IOException | NumberFormatException none) {
            return 0;
        }
    }

    private boolean isOurs(long pid) {
        try {
            String text = Files.readString(Path.of("/proc/" + pid + "/cmdline"), StandardCharsets.ISO_8859_1);
            return Arrays.asList(text.split("\0", -1)).contains(files.ini().toString());
        } catch (IOException none) {
            return false;
        }
    }

    /** Starts it; whether it listens is asked later. */
    void start(Path program) throws IOException {
        // Left by a power cut, it names a process that is another's by now.
        Files.deleteIfExists(files.pid());
        if (Files.exists(files.log())) {
            Files.move(files.log(), files.logBefore(), StandardCopyOption.REPLACE_EXISTING);
        }
        List<String> command = new ArrayList<>();
        Path setsid = Path.of("/usr/bin/setsid");
        if (Files.isExecutable(setsid)) {
            command.add(setsid.toString());
        }
        command.addAll(settings.asUser());
        command.addAll(List.of(program.toString(), files.ini().toString()));
        Process process = new ProcessBuilder(command)
                .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
                .redirectErrorStream(true)
                .redirectOutput(files.log().toFile())
                .start();
        files.own(files.log());
        watch(process.toHandle());
    }

    /** Ends it at once; its clients see their connections closed. */
    void kill() {
        ProcessHandle known = run;
        run = null;
        if (known == null || !known.isAlive()) {
            return;
        }
        known.destroyForcibly();
        try {
            var _ = known.onExit().get(GONE_WITHIN.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException | TimeoutException e) {
            throw new IllegalStateException("PgBouncer (" + known.pid() + ") survived SIGKILL", e);
        }
    }

    /** What it complains about; empty when it does not. */
    String complaint() {
        try (var channel = Files.newByteChannel(files.log())) {
            channel.position(Math.max(0, channel.size() - 16_384));
            return complaintIn(new String(Channels.newInputStream(channel).readNBytes(16_384), StandardCharsets.UTF_8));
        } catch (IOException none) {
            return "";
        }
    }

    /** It tells also what PostgreSQL has answered it with, which may be FATAL to a connection and is no complaint of its own. */
    static String complaintIn(String log) {
        return log.lines()
                .map(COMPLAINT::matcher)
                .filter(Matcher::matches)
                .map(line -> line.group(1) == null ? line.group(2) : line.group(1))
                .reduce("", (first, second) -> second);
    }
}
