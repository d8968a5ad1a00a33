package org.cellkeeper.cell.guard;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Keeps a cell's processes running on one machine, and sees to it that no primary runs without an agent that answers for it.
 * It is a process of its own, so small that nothing in it can hang:
 *
 * <pre>
 * java -Xms4m -Xmx16m -Xss256k -XX:+UseSerialGC -Xint -XX:-UsePerfData --limit-modules java.base \
 *   -cp cell.jar org.cellkeeper.cell.guard.Guard --run=/var/lib/cell/run [--guard-timeout-millis=5000] \
 *   [--agent-start-millis=20000] [--agent-stop-millis=9000] \
 *   --agent-command java ... [--zookeeper-command java ...]
 * </pre>
 *
 * <ul>
 *   <li>The agent and the ZooKeeper server are started again as soon as they end; later and later when they keep ending.
 *   <li>The agent beats ({@link Heartbeat}) in {@code agent.heartbeat}. When it lives but has not beaten for the guard timeout
 *       it is hung: if it was primary, its PostgreSQL is stopped in mode immediate; then the agent is killed and started
 *       again. The same goes for a primary whose agent cannot be brought back within the guard timeout.
 *   <li>An agent that starts tells each step that it has made ({@link StartSteps}). It is hung when it makes none for the start
 *       time, without the time in which it wanted to run and the machine did not let it: to kill that one would only make more
 *       work. A primary does not wait for it any longer for that.
 *   <li>When the guard itself has not run for that long, the agent, which fences by itself, gets the time once more.
 *   <li>While {@code zookeeper.hold} exists the ZooKeeper server is not started again: create the file, then end the peer,
 *       for maintenance of it; remove the file, and it is back within a quarter of a second.
 *   <li>On SIGTERM the agent is asked to end first, as it may hand over; then the ZooKeeper server. What is left of PostgreSQL is
 *       stopped, as nobody would look after it.
 *   <li>{@code guard.pid}, {@code agent.pid} and {@code zookeeper.pid} name the processes. When the guard is killed, its agent
 *       notices ({@link GuardWatch}) and ends; the next guard ends what is left before it starts anything.
 * </ul>
 *
 * <p>The main thread watches; each child has a thread of its own. It reaps its own children only: orphans of the agent are
 * the init process's.
 */
public final class Guard {
    private static final long LOOK_MILLIS = 250;
    private static final long IMMEDIATE_MILLIS = 1000;
    private static final long ZOOKEEPER_STOP_MILLIS = 3000;
    private static final String PROGRAM = "postgres";

    private final Path folder;
    private final long timeoutNanos;
    private final long agentStopMillis;
    private final AgentWatch watch;
    private final Child agent;
    private final @Nullable Child zookeeper;
    private final Path heartbeat;
    private final CountDownLatch stopping = new CountDownLatch(1);
    private final StartSteps steps;
    private @Nullable FileTime lastBeat;
    private long agentStarts;
    private long usedNanos;

    private Guard(Options options) {
        long self = ProcessHandle.current().pid();
        folder = options.folder;
        timeoutNanos = TimeUnit.MILLISECONDS.toNanos(options.timeoutMillis);
        agentStopMillis = options.agentStopMillis;
        watch = new AgentWatch(timeoutNanos, TimeUnit.MILLISECONDS.toNanos(options.agentStartMillis));
        heartbeat = folder.resolve(Heartbeat.FILE);
        steps = new StartSteps(folder);
        agent = new Child("agent", options.agent, folder, null, self);
        zookeeper = options.zookeeper.isEmpty()
                ? null
                : new Child("zookeeper", options.zookeeper, folder, folder.resolve("zookeeper.hold"), self);
    }

    public static void main(String[] args) throws IOException, InterruptedException {
        Options options;
        try {
            options = new Options(args);
        } catch (IllegalArgumentException wrong) {
            say(String.valueOf(wrong.getMessage()));
            System.exit(2);
            return;
        }
        Files.createDirectories(options.folder);
        try (FileChannel channel = FileChannel.open(
                options.folder.resolve("guard.lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            FileLock lock = channel.tryLock();
            if (lock == null) {
                say("another guard runs in " + options.folder);
                System.exit(1);
                return;
            }
            new Guard(options).run();
        }
    }

    private void run() throws IOException, InterruptedException {
        Files.writeString(folder.resolve("guard.pid"), ProcessHandle.current().pid() + "\n");
        // An earlier agent may have left a primary behind: it is watched from the start.
        readBeat();
        Runtime.getRuntime().addShutdownHook(new Thread(null, this::stop, "guard-stop", 256 * 1024));
        agent.clearOrphan(agentStopMillis);
        agent.start();
        if (zookeeper != null) {
            zookeeper.clearOrphan(ZOOKEEPER_STOP_MILLIS);
            zookeeper.start();
        }
        long last = System.nanoTime();
        while (!stopping.await(LOOK_MILLIS, TimeUnit.MILLISECONDS)) {
            long now = System.nanoTime();
            long passed = now - last;
            last = now;
            if (passed > timeoutNanos) {
                say("stood still for " + TimeUnit.NANOSECONDS.toMillis(passed) + " ms: the agent gets its time anew");
                watch.forgive();
            } else {
                // More than twice the usual means that the guard was held up: that is not the agent's silence.
                long counted = Math.min(passed, TimeUnit.MILLISECONDS.toNanos(2 * LOOK_MILLIS));
                watch.pass(counted, watch.awaitsFirstBeat() ? given(counted) : counted);
            }
            look();
        }
    }

    /** What a starting agent had of this time: all, unless it wants to run; then what it did run. */
    private long given(long nanos) {
        Target starting = agent.target();
        if (starting == null) {
            return nanos;
        }
        long before = usedNanos;
        usedNanos = starting.usedNanos();
        return starting.wantsToRun() ? Math.clamp(usedNanos - before, 0, nanos) : nanos;
    }

    private void look() throws InterruptedException {
        long starts = agent.starts();
        if (starts != agentStarts) {
            agentStarts = starts;
            usedNanos = 0;
            steps.begin();
            watch.agentStarted();
        }
        if (steps.hasMoved()) {
            watch.step();
        }
        readBeat();
        switch (watch.judge(agent.isAlive())) {
            case CALM -> {}
            case KILL_AGENT -> {
                say(
                        watch.awaitsFirstBeat()
                                ? "the agent hangs at its start (" + steps.last() + "): killing it"
                                : "the agent has not beaten for too long: killing it");
                agent.kill();
            }
            case STOP_PRIMARY -> {
                Target primary = watch.primary();
                if (primary != null) {
                    say("no agent answers for the primary: stopping PostgreSQL " + primary.pid()
                            + " in mode immediate");
                    stopImmediate(primary);
                }
                // It may be about to go on with what it was doing as primary.
                agent.kill();
            }
        }
    }

    private void readBeat() {
        try {
            FileTime time = Files.getLastModifiedTime(heartbeat);
            if (time.equals(lastBeat)) {
                return;
            }
            Beat beat = Beat.parse(Files.readString(heartbeat));
            if (beat != null) {
                lastBeat = time;
                watch.beat(beat.role(), Target.of(beat.postmaster(), PROGRAM, beat.started()));
            }
        } catch (IOException missing) {
            // No beat is what the watch counts.
        }
    }

    private static void stopImmediate(Target postmaster) throws InterruptedException {
        boolean waiting = postmaster.signal("QUIT");
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(IMMEDIATE_MILLIS);
        CountDownLatch never = new CountDownLatch(1);
        while (waiting && postmaster.isAlive() && System.nanoTime() < deadline) {
            waiting = !never.await(10, TimeUnit.MILLISECONDS);
        }
        if (postmaster.isAlive()) {
            say("PostgreSQL " + postmaster.pid() + " has not stopped: killing it");
            postmaster.kill();
        }
    }

    private void stop() {
        stopping.countDown();
        say("stopping");
        try {
            agent.stop(agentStopMillis);
            readBeat();
            Target left = watch.postmaster();
            if (left != null) {
                say("PostgreSQL " + left.pid() + " was left running: stopping it in mode immediate");
                stopImmediate(left);
            }
            if (zookeeper != null) {
                zookeeper.stop(ZOOKEEPER_STOP_MILLIS);
                zookeeper.forget();
            }
            agent.forget();
            Files.deleteIfExists(folder.resolve("guard.pid"));
        } catch (InterruptedException | IOException cutShort) {
            say("stopped early: " + cutShort);
        }
        say("stopped");
        Runtime.getRuntime().halt(0);
    }

    static void say(String message) {
        System.err.println(GuardLog.line(message));
    }

    /** The command line. */
    private static final class Options {
        private static final String AGENT = "--agent-command";
        private static final String ZOOKEEPER = "--zookeeper-command";

        final Path folder;
        long timeoutMillis = 5000;
        long agentStartMillis = 20_000;
        long agentStopMillis = 9000;
        final List<String> agent = new ArrayList<>();
        final List<String> zookeeper = new ArrayList<>();

        Options(String[] args) {
            Path run = null;
            List<String> words = null;
            for (String arg : args) {
                if (arg.equals(AGENT)) {
                    words = agent;
                } else if (arg.equals(ZOOKEEPER)) {
                    words = zookeeper;
                } else if (words != null) {
                    words.add(arg);
                } else if (arg.startsWith("--run=")) {
                    run = Path.of(arg.substring("--run=".length()));
                } else if (arg.startsWith("--guard-timeout-millis=")) {
                    timeoutMillis = millis(arg);
                } else if (arg.startsWith("--agent-start-millis=")) {
                    agentStartMillis = millis(arg);
                } else if (arg.startsWith("--agent-stop-millis=")) {
                    agentStopMillis = millis(arg);
                } else {
                    throw new IllegalArgumentException("unknown argument: " + arg);
                }
            }
            if (run == null || agent.isEmpty()) {
                throw new IllegalArgumentException("needed: --run=<folder> " + AGENT + " <words>");
            }
            folder = run;
        }

        private static long millis(String arg) {
            String number = arg.substring(arg.indexOf('=') + 1);
            long millis;
            try {
                millis = Long.parseLong(number);
            } catch (NumberFormatException wrong) {
                millis = 0;
            }
            if (millis < 100 || millis > 600_000) {
                throw new IllegalArgumentException(arg + ": milliseconds, 100 to 600000");
            }
            return millis;
        }
    }
}
