package org.cellkeeper.cell.guard;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * The command that a {@link Guard} is started by, with those by which it starts the agent and the ZooKeeper server: an argument file for
 * {@code java}. All three run this very program, in this very Java.
 */
public final class GuardCommand {
    /** Environment: the file that the agent is to record in what it loads, so that a start cache can be made of it. */
    private static final String RECORDING = "CELLKEEPER_RECORDING";

    /** It may be written on a starved machine. */
    private static final long RECORDING_MILLIS = TimeUnit.MINUTES.toMillis(5);

    /** Small and single-minded: an agent decides little, but must decide soon after its start. */
    private static final List<String> AGENT_FLAGS = List.of(
            "-Xms24m",
            "-Xmx96m",
            "-Xss512k",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-XX:ReservedCodeCacheSize=32m",
            // Priorities of threads count; and who is not root, and so may lower them only, need not be told so.
            "-XX:ThreadPriorityPolicy=1",
            "-XX:-PrintWarnings",
            "-XX:+ExitOnOutOfMemoryError",
            "--enable-native-access=ALL-UNNAMED",
            "-Dio.netty.noUnsafe=true",
            "-Dio.netty.eventLoopThreads=1",
            "-Dio.netty.allocator.type=unpooled",
            "-Dio.netty.transport.noNative=true");

    static final List<String> GUARD_FLAGS = List.of(
            "-Xms4m",
            "-Xmx16m",
            "-Xss256k",
            "-XX:+UseSerialGC",
            // It does next to nothing: a compiler would only take memory.
            "-Xint",
            "-XX:-UsePerfData",
            "--limit-modules",
            "java.base");

    private GuardCommand() {}

    public static Path java() {
        return Path.of(System.getProperty("java.home"), "bin", "java");
    }

    public static String classPath() {
        return System.getProperty("java.class.path");
    }

    /**
     * Writes the file; tells where it lies.
     *
     * @param agent its class and arguments
     * @param zookeeper the whole command, which begins with {@link #java}; empty for none
     */
    public static Path write(Path run, Duration guardTimeout, List<String> agent, List<String> zookeeper)
            throws IOException {
        List<String> cache = startCache(Path.of(classPath()));
        List<String> arguments = new ArrayList<>(GUARD_FLAGS);
        arguments.addAll(List.of(
                "-cp",
                classPath(),
                Guard.class.getName(),
                "--run=" + run,
                "--guard-timeout-millis=" + guardTimeout.toMillis()));
        String recording = System.getenv(RECORDING);
        if (recording != null) {
            // At its end it writes the recording, and nobody waits for this cell's PostgreSQL.
            arguments.add("--agent-stop-millis=" + RECORDING_MILLIS);
        }
        arguments.addAll(List.of("--agent-command", java().toString()));
        arguments.addAll(AGENT_FLAGS);
        arguments.addAll(
                recording == null ? cache : List.of("-XX:AOTMode=record", "-XX:AOTConfiguration=" + recording));
        arguments.addAll(List.of("-cp", classPath()));
        arguments.addAll(agent);
        if (!zookeeper.isEmpty()) {
            arguments.addAll(List.of("--zookeeper-command", zookeeper.getFirst()));
            arguments.addAll(cache);
            arguments.addAll(zookeeper.subList(1, zookeeper.size()));
        }
        StringBuilder text = new StringBuilder();
        for (String argument : arguments) {
            text.append('"')
                    .append(argument.replace("\\", "\\\\").replace("\"", "\\\""))
                    .append("\"\n");
        }
        return Files.writeString(run.resolve("guard.args"), text);
    }

    /**
     * The JVM's ahead-of-time cache of this very program, where one was made beside it (appliance-image/rehearse): agent and peer
     * start with less work, and are less slow when they do for the first time what was rehearsed.
     */
    private static List<String> startCache(Path program) throws IOException {
        Path cache = program.resolveSibling("cell.aot");
        boolean fits = Files.exists(cache)
                && Files.getLastModifiedTime(cache).compareTo(Files.getLastModifiedTime(program)) >= 0;
        return fits ? List.of("-XX:AOTCache=" + cache) : List.of();
    }
}
