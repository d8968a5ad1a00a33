package org.cellkeeper.cell.guard;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One process that must run: started, waited for, and started again when it ends, at once the first time and less and
 * less eagerly when it keeps ending. A platform thread of its own does that; the guard's other threads may ask and signal.
 * It writes the process id and start to {@code <name>.pid}.
 */
final class Child {
    private static final long[] DELAYS_MILLIS = {0, 200, 500, 1000, 2000, 5000};
    /** Longer than one that hangs at its start is let be. */
    private static final long STABLE_NANOS = TimeUnit.SECONDS.toNanos(30);

    private static final long LOOK_MILLIS = 250;

    private static final Set<String> PASSED_ON = Set.of("HOME", "LD_LIBRARY_PATH", "PATH", "TZ", "USER");

    private final String name;
    private final List<String> command;
    private final Path pidFile;
    private final @Nullable Path hold;
    private final long guardPid;

    private @Nullable Process process;
    private long starts;
    private boolean stopping;

    /**
     * @param folder where its files are
     * @param hold while this file exists it is not started again; null for none
     */
    Child(String name, List<String> command, Path folder, @Nullable Path hold, long guardPid) {
        this.name = name;
        this.command = command;
        this.pidFile = folder.resolve(name + ".pid");
        this.hold = hold;
        this.guardPid = guardPid;
    }

    void start() {
        new Thread(null, this::keepRunning, "guard-" + name, 256 * 1024).start();
    }

    /** How often it was started: a change means a new process. */
    synchronized long starts() {
        return starts;
    }

    synchronized boolean isAlive() {
        return process != null && process.isAlive();
    }

    /** The process; null when it does not run. */
    synchronized @Nullable Target target() {
        return process == null ? null : Target.of(process.pid());
    }

    synchronized void kill() {
        if (process != null) {
            process.destroyForcibly();
        }
    }

    /** Asks it to end, waits so long, and kills it then; it is not started again. */
    void stop(long millis) throws InterruptedException {
        Process running;
        synchronized (this) {
            stopping = true;
            notifyAll();
            running = process;
        }
        if (running == null || !running.isAlive()) {
            return;
        }
        running.destroy();
        if (running.waitFor(millis, TimeUnit.MILLISECONDS)) {
            return;
        }
        Guard.say(name + " has not ended within " + millis + " ms: killing it");
        running.destroyForcibly();
        if (!running.waitFor(millis, TimeUnit.MILLISECONDS)) {
            Guard.say(name + " cannot be killed");
        }
    }

    /** A child of an earlier guard may still run, and two at once must not be. */
    void clearOrphan(long millis) throws InterruptedException {
        Target orphan = orphan();
        if (orphan == null) {
            return;
        }
        Guard.say(name + " " + orphan.pid() + " of an earlier guard still runs: ending it");
        orphan.signal("TERM");
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
        while (orphan.isAlive() && System.nanoTime() < deadline) {
            pause(20);
        }
        orphan.kill();
        while (orphan.isAlive() && System.nanoTime() < deadline + TimeUnit.SECONDS.toNanos(1)) {
            pause(20);
        }
    }

    void forget() {
        try {
            Files.deleteIfExists(pidFile);
        } catch (IOException left) {
            // The next guard finds out that it means nobody.
        }
    }

    private @Nullable Target orphan() {
        try {
            String[] words = Files.readString(pidFile).strip().split(" ", -1);
            Target then = new Target(Long.parseLong(words[0]), Long.parseLong(words[1]));
            return then.isAlive() ? then : null;
        } catch (IOException | RuntimeException none) {
            return null;
        }
    }

    private void keepRunning() {
        int ends = 0;
        try {
            while (!isStopping()) {
                awaitRelease();
                long started = System.nanoTime();
                String how = runOnce();
                if (isStopping()) {
                    return;
                }
                ends = endsInARow(ends, System.nanoTime() - started);
                long delay = DELAYS_MILLIS[Math.min(ends, DELAYS_MILLIS.length) - 1];
                Guard.say(name + " " + how + ", starting it again in " + delay + " ms");
                pause(delay);
            }
        } catch (InterruptedException stop) {
            Thread.currentThread().interrupt();
        }
    }

    /** This end counted, and those before it if it had not run well since. */
    static int endsInARow(int before, long livedNanos) {
        return livedNanos >= STABLE_NANOS ? 1 : before + 1;
    }

    /** Starts it and waits for its end. */
    private String runOnce() throws InterruptedException {
        Process running;
        try {
            synchronized (this) {
                if (stopping) {
                    return "is to stop";
                }
                ProcessBuilder builder = new ProcessBuilder(command)
                        .redirectOutput(ProcessBuilder.Redirect.INHERIT)
                        .redirectError(ProcessBuilder.Redirect.INHERIT);
                clean(builder.environment());
                builder.environment().put(GuardWatch.VARIABLE, Long.toString(guardPid));
                running = builder.start();
                process = running;
                starts++;
            }
            Guard.say(name + " " + running.pid() + " started");
        } catch (IOException failure) {
            return "cannot be started: " + failure.getMessage();
        }
        Target target = Target.of(running.pid());
        if (target != null) {
            try {
                Files.writeString(pidFile, target.pid() + " " + target.started() + "\n");
            } catch (IOException failure) {
                Guard.say("cannot write " + pidFile + ": " + failure.getMessage());
            }
        }
        int code = running.waitFor();
        return running.pid() + " ended with " + code;
    }

    /** Whoever started the cell: neither language nor options of Java's, of curl's or of PostgreSQL's come with it. */
    static void clean(Map<String, String> environment) {
        environment.keySet().removeIf(name -> !PASSED_ON.contains(name) && !name.startsWith("CELL"));
        environment.put("LC_ALL", "C.UTF-8");
    }

    private void awaitRelease() throws InterruptedException {
        if (hold != null && Files.exists(hold)) {
            Guard.say(name + " is held back while " + hold + " exists");
            while (Files.exists(hold) && !isStopping()) {
                pause(LOOK_MILLIS);
            }
        }
    }

    private synchronized boolean isStopping() {
        return stopping;
    }

    private synchronized void pause(long millis) throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
        while (!stopping) {
            long left = (deadline - System.nanoTime() + 999_999) / 1_000_000;
            if (left <= 0) {
                return;
            }
            wait(left);
        }
    }
}
