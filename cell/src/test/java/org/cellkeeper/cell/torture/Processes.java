package org.cellkeeper.cell.torture;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The processes of one PostgreSQL by what the operating system says, and the signals that they get. Safe for any thread. */
final class Processes {
    private static final Pattern CLUSTER_NAME = Pattern.compile("(?m)^cluster_name = '([^']+)'");

    /** A process of PostgreSQL but its postmaster. {@code title} says what it is and does; an orphan has it as well. */
    record Child(long pid, String title) {
        boolean is(String kind) {
            return title.startsWith(kind);
        }
    }

    private final Path dataDir;

    Processes(Path dataDir) {
        this.dataDir = dataDir;
    }

    /** All of this data directory, whether their postmaster lives or not; the log collector, which touches no data, is left out. */
    List<Child> children() {
        String name = clusterName();
        List<Child> found = new ArrayList<>();
        if (name.isEmpty()) {
            return found;
        }
        String prefix = "postgres: " + name + ": ";
        try (DirectoryStream<Path> processes = Files.newDirectoryStream(Path.of("/proc"), "[0-9]*")) {
            for (Path process : processes) {
                String title = commandLine(process);
                if (title.startsWith(prefix) && !title.startsWith(prefix + "logger")) {
                    found.add(new Child(
                            Long.parseLong(String.valueOf(process.getFileName())),
                            title.substring(prefix.length()).strip()));
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return found;
    }

    /** The last of this kind that was started. */
    Optional<Child> child(String kind) {
        return children().stream().filter(child -> child.is(kind)).reduce((first, second) -> second);
    }

    /** 0 when none lives. */
    long postmaster() {
        try {
            Path file = dataDir.resolve("postmaster.pid");
            if (!Files.exists(file)) {
                return 0;
            }
            List<String> lines = Files.readAllLines(file);
            long pid = lines.isEmpty() ? 0 : Long.parseLong(lines.getFirst().strip());
            return commandLine(Path.of("/proc/" + pid)).contains(dataDir.toString()) ? pid : 0;
        } catch (IOException | NumberFormatException e) {
            return 0;
        }
    }

    boolean areGone() {
        return postmaster() == 0 && children().isEmpty();
    }

    /** The name is in the title of every process; it is taken from the file that PostgreSQL itself reads. */
    private String clusterName() {
        try {
            Matcher name = CLUSTER_NAME.matcher(Files.readString(dataDir.resolve("cellkeeper.conf")));
            return name.find() ? name.group(1) : "";
        } catch (IOException e) {
            return "";
        }
    }

    /** Empty for one that is gone, or has ended and only waits to be reaped. */
    private static String commandLine(Path process) {
        try {
            return Files.readString(process.resolve("cmdline"), StandardCharsets.ISO_8859_1)
                    .replace('\0', ' ');
        } catch (IOException e) {
            return "";
        }
    }

    /** A signal by its name; to such as have gone meanwhile it does nothing. */
    static void signal(String name, List<Long> pids) {
        List<String> command = new ArrayList<>(List.of("/bin/sh", "-c", "kill -" + name + " \"$@\"", "kill"));
        pids.stream().filter(pid -> pid > 1).map(String::valueOf).forEach(command::add);
        if (command.size() == 4) {
            return;
        }
        try {
            Process process = new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .start();
            if (!process.waitFor(5, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
