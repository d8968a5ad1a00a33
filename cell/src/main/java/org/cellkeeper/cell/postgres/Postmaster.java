package org.cellkeeper.cell.postgres;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.cellkeeper.cell.port.DatabaseFailure;
import org.jspecify.annotations.Nullable;

/**
 * The postmaster as a process: started in a session of its own so that it outlives its agent, found again by the next agent,
 * signalled, and killed with all its children. It reads only what any user may read of a process. Safe for any thread.
 */
final class Postmaster {
    /** Linux has no greater process ids than these bits can hold. */
    private static final int PID_BITS = 22;

    /** One run of a postmaster; {@code started} in clock ticks since the machine's boot. */
    record Run(long pid, long started) {
        /** Tells this run from any other. */
        long id() {
            return (started << PID_BITS) | pid;
        }

        static long pid(long id) {
            return id & ((1L << PID_BITS) - 1);
        }
    }

    private static final Duration STEP = Duration.ofMillis(2);
    private static final Duration KILL_AFTER = Duration.ofSeconds(1);

    private final Programs programs;
    private final OwnedFiles files;
    private final Path dataDir;
    private final Path logDir;
    private final Path socketLock;
    private final String shell;
    private final @Nullable String setsid;
    private final Runnable gone;

    private record Place(Run run, LockFile.Listening listening) {}

    private volatile @Nullable Place place;

    private @Nullable Run run;
    private @Nullable Process child;
    private boolean knownClean;

    Postmaster(Programs programs, OwnedFiles files, Path dataDir, Path logDir, Path socketLock, Runnable gone) {
        this.programs = programs;
        this.files = files;
        this.dataDir = dataDir;
        this.logDir = logDir;
        this.socketLock = socketLock;
        this.gone = gone;
        String sh = Programs.find("sh");
        this.shell = sh == null ? "/bin/sh" : sh;
        this.setsid = Programs.find("setsid");
    }

    // ---- finding

    /** The postmaster of our data directory, whoever started it; null when none runs. */
    synchronized @Nullable Run find() {
        Run known = run;
        if (known != null) {
            if (isAlive(known)) {
                return known;
            }
            run = null;
            child = null;
        }
        Run adopted = adoptable();
        if (adopted != null) {
            run = adopted;
            knownClean = false;
            ProcessHandle.of(adopted.pid).ifPresent(handle -> {
                var _ = handle.onExit().thenRun(gone);
            });
        }
        return adopted;
    }

    /** The one that runs; throws when none does. */
    Run running() {
        Run found = find();
        if (found == null) {
            throw new DatabaseFailure("PostgreSQL is not running");
        }
        return found;
    }

    /** Throws when one runs; of one that does not any more nothing is left then. */
    void requireStopped() {
        Run found = find();
        if (found != null) {
            throw new DatabaseFailure("PostgreSQL is running (" + found.pid + "): stop it first");
        }
        reap();
    }

    private boolean isAlive(Run known) {
        Process ours = child;
        return (ours != null && ours.pid() == known.pid) ? ours.isAlive() : known.started == startOf(known.pid);
    }

    private @Nullable Run adoptable() {
        long pid = LockFile.in(dataDir).pid();
        long started = pid > 0 ? startOf(pid) : 0;
        return started > 0 && isPostmasterOfOurs(pid) ? new Run(pid, started) : null;
    }

    private boolean isPostmasterOfOurs(long pid) {
        List<String> command = commandLine(pid);
        if (command.isEmpty() || !nameOf(command.getFirst()).equals("postgres")) {
            return false;
        }
        int option = command.indexOf("-D");
        return option > 0
                && option + 1 < command.size()
                && Path.of(command.get(option + 1)).toAbsolutePath().normalize().equals(dataDir);
    }

    private static String nameOf(String path) {
        return path.substring(path.lastIndexOf('/') + 1);
    }

    private static List<String> commandLine(long pid) {
        try {
            String text = Files.readString(Path.of("/proc/" + pid + "/cmdline"), StandardCharsets.ISO_8859_1);
            return text.isEmpty() ? List.of() : Arrays.asList(text.split("\0", -1));
        } catch (IOException e) {
            return List.of();
        }
    }

    /** In clock ticks since boot; 0 when there is no such process, or only what is left of one. */
    private static long startOf(long pid) {
        try {
            String stat = Files.readString(Path.of("/proc/" + pid + "/stat"), StandardCharsets.ISO_8859_1);
            String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
            return fields[0].equals("Z") || fields[0].equals("X") ? 0 : Long.parseLong(fields[19]);
        } catch (IOException e) {
            return 0;
        }
    }

    /** Where this run listens, which the lock file is asked for until it says so; null when it does not yet. */
    LockFile.@Nullable Listening listening(Run of) {
        Place known = place;
        if (known != null && known.run.equals(of)) {
            return known.listening;
        }
        LockFile file = LockFile.in(dataDir);
        if (file.pid() != of.pid || file.listening() == null) {
            return null;
        }
        place = new Place(of, file.listening());
        return file.listening();
    }

    /** Whether a child of this kind runs, by its title: for when PostgreSQL itself cannot be asked. */
    boolean hasChild(Run of, String kind) {
        String title = "postgres: " + OwnedSettings.clusterName(dataDir) + ": " + kind;
        return ProcessHandle.of(of.pid)
                .map(handle -> handle.children()
                        .map(child -> commandLine(child.pid()))
                        .anyMatch(command ->
                                !command.isEmpty() && command.getFirst().startsWith(title)))
                .orElse(false);
    }

    /** Its processes. */
    List<Long> children(Run of) {
        // Of the kernel itself: to look through all processes of a machine for those of one takes a hundred times as
        // long.
        Path file = Path.of("/proc/" + of.pid + "/task/" + of.pid + "/children");
        try {
            String text = Files.readString(file, StandardCharsets.ISO_8859_1).strip();
            return text.isEmpty()
                    ? List.of()
                    : Arrays.stream(text.split(" ", -1)).map(Long::valueOf).toList();
        } catch (IOException unknown) {
            return ProcessHandle.of(of.pid)
                    .map(handle -> handle.children().map(ProcessHandle::pid).toList())
                    .orElse(List.of());
        }
    }

    /** What a process calls itself; empty when it is gone. */
    static String title(long pid) {
        List<String> command = commandLine(pid);
        return command.isEmpty() ? "" : command.getFirst().stripTrailing();
    }

    /** Has it read its settings anew, as pg_reload_conf() does. */
    void reload(Run of) {
        if (isAlive(of)) {
            signal("HUP", List.of(of.pid));
        }
    }

    /** Whether the postmaster says that it takes connections. */
    boolean saysReady(Run of) {
        LockFile file = LockFile.in(dataDir);
        return file.pid() == of.pid && file.ready();
    }

    // ---- starting

    /** Starts the postmaster; that it takes connections is awaited elsewhere. */
    synchronized Run start(Cancellation cancellation, List<String> arguments) throws IOException {
        // Under the lock that an immediate stop takes after cancelling: it never misses a postmaster started here.
        cancellation.check();
        if (find() != null) {
            throw new DatabaseFailure("PostgreSQL is running already");
        }
        if (!isClean()) {
            killOrphans();
        }
        // Left by a power cut, they name a process id that is another's by now, in a container above all.
        files.delete(dataDir.resolve(LockFile.NAME));
        files.delete(socketLock);
        Path log = logDir.resolve("startup.log");
        ProcessBuilder builder = programs.builder(setsid == null ? List.of() : List.of(setsid), "postgres", arguments);
        builder.directory(logDir.toFile())
                .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
                .redirectErrorStream(true)
                .redirectOutput(log.toFile());
        Process process = builder.start();
        files.own(log);
        child = process;
        Run started = new Run(process.pid(), startOf(process.pid()));
        run = started;
        knownClean = false;
        var _ = process.onExit().thenRun(gone);
        return started;
    }

    // ---- stopping

    /** SIGHUP, SIGINT (stop fast), SIGQUIT (stop immediately): what the JDK cannot send. */
    void signal(String name, List<Long> pids) {
        if (pids.isEmpty()) {
            return;
        }
        List<String> command = new ArrayList<>(List.of(shell, "-c", "kill -" + name + " \"$@\"", "kill"));
        pids.forEach(pid -> command.add(String.valueOf(pid)));
        try {
            Process process = new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .start();
            if (!process.waitFor(2, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Waits until this run has ended. */
    boolean awaitGone(Cancellation cancellation, Run of, Duration limit) {
        return cancellation.await(limit, STEP, () -> !of.equals(find()));
    }

    /** SIGQUIT, a second later SIGKILL, to the postmaster and all that is its; throws when something survives. */
    void killAll() {
        Cancellation uninterrupted = new Cancellation();
        Run found = find();
        if (found != null) {
            signal("QUIT", List.of(found.pid));
            if (!awaitGone(uninterrupted, found, KILL_AFTER)) {
                // Stopped, it starts no further child while the present ones are counted.
                signal("STOP", List.of(found.pid));
                List<Long> victims = new ArrayList<>();
                ProcessHandle.of(found.pid)
                        .ifPresent(handle -> handle.children().forEach(process -> victims.add(process.pid())));
                victims.add(found.pid);
                signal("KILL", victims);
                if (!awaitGone(uninterrupted, found, Duration.ofSeconds(5))) {
                    throw new DatabaseFailure("the postmaster (" + found.pid + ") survived SIGKILL");
                }
            }
        }
        killOrphans();
    }

    /** Ends what a dead postmaster has left behind: it could still write, or tell a client that a commit is done. */
    synchronized void killOrphans() {
        List<Long> orphans = orphans();
        Cancellation uninterrupted = new Cancellation();
        for (int round = 0; round < 5 && !orphans.isEmpty(); round++) {
            signal("KILL", orphans);
            uninterrupted.await(Duration.ofSeconds(1), STEP, () -> orphans().isEmpty());
            orphans = orphans();
        }
        if (!orphans.isEmpty()) {
            throw new DatabaseFailure("processes of a dead postmaster survived SIGKILL: " + orphans);
        }
        knownClean = true;
    }

    /** Ends what is left when no postmaster runs. */
    synchronized void reap() {
        if (find() == null && !isClean()) {
            killOrphans();
        }
    }

    /** Whether nothing of a dead postmaster is left. To be asked only when none runs. */
    synchronized boolean isClean() {
        if (!knownClean) {
            knownClean = orphans().isEmpty();
        }
        return knownClean;
    }

    private List<Long> orphans() {
        String title = "postgres: " + OwnedSettings.clusterName(dataDir) + ": ";
        List<Long> pids = new ArrayList<>();
        try (DirectoryStream<Path> processes =
                Files.newDirectoryStream(Path.of("/proc"), path -> isNumber(String.valueOf(path.getFileName())))) {
            for (Path process : processes) {
                long pid = Long.parseLong(String.valueOf(process.getFileName()));
                List<String> command = commandLine(pid);
                // The log collector ends by itself once it has read the last words, and touches no data.
                if (!command.isEmpty()
                        && command.getFirst().startsWith(title)
                        && !command.getFirst().startsWith(title + "logger")
                        && startOf(pid) > 0) {
                    pids.add(pid);
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return pids;
    }

    private static boolean isNumber(String text) {
        return !text.isEmpty() && text.chars().allMatch(c -> c >= '0' && c <= '9');
    }

    /** The last complaints in the logs, for a message. */
    String lastWords() {
        List<String> words = new ArrayList<>();
        try (DirectoryStream<Path> logs = Files.newDirectoryStream(logDir, "*.log")) {
            List<Path> all = new ArrayList<>();
            logs.forEach(all::add);
            all.sort(null);
            Set<Path> looked =
                    Set.copyOf(all.size() <= 2 ? all : List.of(all.get(all.size() - 1), all.get(all.size() - 2)));
            for (Path log : all) {
                if (looked.contains(log)) {
                    tailOf(log).stream()
                            .filter(line -> line.contains("FATAL:")
                                    || line.contains("PANIC:")
                                    || line.contains("HINT:")
                                    || line.contains("DETAIL:"))
                            .forEach(words::add);
                }
            }
        } catch (IOException e) {
            return "(" + e.getMessage() + ")";
        }
        return String.join(" | ", words.subList(Math.max(0, words.size() - 4), words.size()));
    }

    private static List<String> tailOf(Path log) throws IOException {
        try (var channel = Files.newByteChannel(log)) {
            channel.position(Math.max(0, channel.size() - 8192));
            byte[] bytes = java.nio.channels.Channels.newInputStream(channel).readNBytes(8192);
            return new String(bytes, StandardCharsets.UTF_8).lines().toList();
        }
    }
}
