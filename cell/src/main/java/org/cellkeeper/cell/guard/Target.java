package org.cellkeeper.cell.guard;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * One certain process: a process id alone may be another's by the time that it is signalled, so the moment of its start
 * belongs to it. Signals go out only after a look that it is still the one.
 *
 * @param started in ticks since the kernel's start, as in {@code /proc/<pid>/stat}
 */
record Target(long pid, long started) {
    private static final int STATE = 0;
    /** User's and system's time of a process, and those of its children that have ended. */
    private static final int FIRST_TIME = 11;

    private static final int LAST_TIME = 14;
    private static final int START_TIME = 19;
    private static final long TICK_NANOS = TimeUnit.MILLISECONDS.toNanos(10);

    /** The process of this id as it is now; null when there is none. */
    static @Nullable Target of(long pid) {
        String[] fields = stat(Path.of("/proc/" + pid));
        return fields == null || isDead(fields) ? null : new Target(pid, Long.parseLong(fields[START_TIME]));
    }

    /** The same, if its program has this name and, unless 0 is given, it started then. */
    static @Nullable Target of(long pid, String program, long started) {
        Target target = of(pid);
        boolean meant = target != null
                && (started == 0 || started == target.started)
                && program.equals(read(Path.of("/proc/" + pid + "/comm")));
        return meant ? target : null;
    }

    boolean isAlive() {
        return equals(of(pid));
    }

    /** Sends a signal by its name, such as QUIT. Tells whether it went out. */
    boolean signal(String name) throws InterruptedException {
        if (!isAlive()) {
            return false;
        }
        try {
            return new ProcessBuilder("/bin/kill", "-" + name, Long.toString(pid))
                            .redirectOutput(ProcessBuilder.Redirect.INHERIT)
                            .redirectError(ProcessBuilder.Redirect.INHERIT)
                            .start()
                            .waitFor()
                    == 0;
        } catch (IOException noNewProcess) {
            return false;
        }
    }

    /** Needs no new process, so it works when there cannot be one. */
    void kill() {
        ProcessHandle handle = ProcessHandle.of(pid).orElse(null);
        if (handle != null && isAlive()) {
            handle.destroyForcibly();
        }
    }

    /** The processor's time that it has had, with its children that have ended. */
    long usedNanos() {
        String[] fields = stat(Path.of("/proc/" + pid));
        long ticks = 0;
        for (int i = FIRST_TIME; fields != null && i <= LAST_TIME; i++) {
            ticks += Long.parseLong(fields[i]);
        }
        return ticks * TICK_NANOS;
    }

    /** Whether at this moment one of its threads, or of its descendants', runs or waits for a processor or a disk. */
    boolean wantsToRun() {
        return wantsToRun(pid)
                || ProcessHandle.of(pid)
                        .map(ProcessHandle::descendants)
                        .orElse(Stream.empty())
                        .anyMatch(child -> wantsToRun(child.pid()));
    }

    private static boolean wantsToRun(long pid) {
        try (DirectoryStream<Path> threads = Files.newDirectoryStream(Path.of("/proc/" + pid + "/task"))) {
            for (Path thread : threads) {
                String[] fields = stat(thread);
                if (fields != null && (fields[STATE].equals("R") || fields[STATE].equals("D"))) {
                    return true;
                }
            }
        } catch (IOException | DirectoryIteratorException gone) {
            // It has ended.
        }
        return false;
    }

    private static boolean isDead(String[] fields) {
        return fields[STATE].equals("Z") || fields[STATE].equals("X");
    }

    /** The fields after the name, which may hold anything. */
    private static String @Nullable [] stat(Path process) {
        String line = read(process.resolve("stat"));
        if (line == null) {
            return null;
        }
        String[] fields = line.substring(line.lastIndexOf(')') + 2).split(" ", -1);
        return fields.length > START_TIME ? fields : null;
    }

    private static @Nullable String read(Path file) {
        try {
            return Files.readString(file, StandardCharsets.ISO_8859_1).strip();
        } catch (IOException gone) {
            return null;
        }
    }
}
