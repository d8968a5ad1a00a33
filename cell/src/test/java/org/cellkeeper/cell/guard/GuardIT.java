package org.cellkeeper.cell.guard;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A real guard with real children; only the agent, the ZooKeeper server and the postmaster are stand-ins. */
final class GuardIT {
    private static final Path JAVA = Path.of(System.getProperty("java.home"), "bin", "java");
    private static final long TIMEOUT_MILLIS = 1500;
    private static final long PATIENCE_MILLIS = 45_000;

    @TempDir
    private Path folder;

    private final List<Process> processes = new ArrayList<>();
    private final CountDownLatch never = new CountDownLatch(1);
    private long timeoutMillis = TIMEOUT_MILLIS;
    private long startMillis = 20_000;

    private interface Look {
        boolean holds() throws IOException;
    }

    static void note(Path folder, String line) {
        try {
            Files.writeString(folder.resolve("log"), line + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }

    @AfterEach
    void endEverything() throws Exception {
        // The guards first, as they would start the others again.
        for (Process process : processes.reversed()) {
            process.destroyForcibly();
            process.waitFor();
        }
        for (String name : List.of("agent", "zookeeper")) {
            Target child = target(name);
            if (child != null) {
                child.kill();
            }
        }
    }

    private boolean within(long millis, Look look) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
        while (!look.holds()) {
            if (System.nanoTime() > deadline || never.await(5, TimeUnit.MILLISECONDS)) {
                return false;
            }
        }
        return true;
    }

    private void await(String what, Look look) throws Exception {
        assertThat(within(PATIENCE_MILLIS, look))
                .as(() -> what + "; log: " + log() + "; the guard says: " + guardSays())
                .isTrue();
    }

    private void letPass(long millis) throws Exception {
        assertThat(within(millis, () -> false)).isFalse();
    }

    private List<String> log() {
        return lines("log");
    }

    private List<String> guardSays() {
        return lines("guard.log");
    }

    private List<String> lines(String file) {
        try {
            return Files.exists(folder.resolve(file)) ? Files.readAllLines(folder.resolve(file)) : List.of();
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }

    private long count(String line) {
        return log().stream().filter(line::equals).count();
    }

    private Target target(String child) throws IOException {
        Path file = folder.resolve(child + ".pid");
        if (!Files.exists(file)) {
            return null;
        }
        String[] words = Files.readString(file).strip().split(" ", -1);
        if (words.length < 2) {
            return null;
        }
        Target target = new Target(Long.parseLong(words[0]), Long.parseLong(words[1]));
        return target.isAlive() ? target : null;
    }

    private Target awaitChild(String child) throws Exception {
        await(child + " runs", () -> target(child) != null);
        return target(child);
    }

    /** A shell script under this name. */
    private Path script(String name, String... lines) throws IOException {
        Path file = folder.resolve(name);
        Files.writeString(file, "#!/bin/sh\ncd '" + folder + "'\n" + String.join("\n", lines) + "\n");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
        return file;
    }

    private Path idle(String name) throws IOException {
        return script(
                name,
                "echo " + name + " started >> log",
                "trap 'echo " + name + " ended >> log; exit 0' TERM",
                "while :; do sleep 0.05; done");
    }

    private Process guard(List<String> agent, List<String> zookeeper) throws IOException {
        List<String> command = new ArrayList<>(List.of(JAVA.toString()));
        command.addAll(GuardCommand.GUARD_FLAGS);
        command.addAll(List.of(
                "-cp",
                classes(),
                Guard.class.getName(),
                "--run=" + folder,
                "--guard-timeout-millis=" + timeoutMillis,
                "--agent-start-millis=" + startMillis,
                "--agent-stop-millis=2000",
                "--agent-command"));
        command.addAll(agent);
        if (!zookeeper.isEmpty()) {
            command.add("--zookeeper-command");
            command.addAll(zookeeper);
        }
        Process guard = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(
                        folder.resolve("guard.log").toFile()))
                .start();
        processes.add(guard);
        return guard;
    }

    private Process guard(Path agent) throws IOException {
        return guard(List.of(agent.toString()), List.of());
    }

    /** The guard knows nothing but the classes of its own module. */
    private static String classes() {
        for (String entry : System.getProperty("java.class.path").split(File.pathSeparator, -1)) {
            if (Files.exists(Path.of(entry, Guard.class.getName().replace('.', '/') + ".class"))) {
                return entry;
            }
        }
        return System.getProperty("java.class.path");
    }

    private List<String> agentStandIn() {
        return List.of(
                JAVA.toString(),
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-Xshare:auto",
                "-cp",
                System.getProperty("java.class.path"),
                AgentStandIn.class.getName(),
                folder.toString());
    }

    private void says(Role role, long postmaster) throws IOException {
        Files.writeString(folder.resolve("says.new"), role + " " + postmaster + "\n");
        Files.move(folder.resolve("says.new"), folder.resolve("says"), StandardCopyOption.ATOMIC_MOVE);
    }

    private Process postmaster() throws IOException {
        return started(script(
                "postgres",
                "trap 'echo postmaster got QUIT >> log; exit 0' QUIT",
                "echo postmaster started >> log",
                "while :; do sleep 0.05; done"));
    }

    private Process started(Path script) throws IOException {
        Process process = new ProcessBuilder(script.toString()).start();
        processes.addFirst(process);
        return process;
    }

    private void signal(String name, long pid) throws Exception {
        assertThat(new ProcessBuilder("/bin/kill", "-" + name, Long.toString(pid))
                        .start()
                        .waitFor())
                .isZero();
    }

    private void awaitBeat(Role role, long postmaster) throws Exception {
        await("the agent beats", () -> {
            Path file = folder.resolve(Heartbeat.FILE);
            Beat beat = Files.exists(file) ? Beat.parse(Files.readString(file)) : null;
            return beat != null && beat.role() == role && beat.postmaster() == postmaster;
        });
        letPass(400);
    }

    @Test
    void aKilledAgentAndAKilledZooKeeperPeerAreStartedAgainAtOnce() throws Exception {
        guard(List.of(idle("agent").toString()), List.of(idle("zookeeper").toString()));
        Target agent = awaitChild("agent");
        Target zookeeper = awaitChild("zookeeper");
        long start = System.nanoTime();
        agent.kill();
        await("a new agent", () -> target("agent") != null && !agent.equals(target("agent")));
        long millis = (System.nanoTime() - start) / 1_000_000;
        System.out.println("a killed agent is started again after " + millis + " ms");
        assertThat(millis).isLessThan(2000);
        zookeeper.kill();
        await("a new peer", () -> target("zookeeper") != null && !zookeeper.equals(target("zookeeper")));
    }

    @Test
    void theGuardIsSmall() throws Exception {
        Process guard = guard(idle("agent"));
        Target agent = awaitChild("agent");
        agent.kill();
        await("a new agent", () -> target("agent") != null && !agent.equals(target("agent")));
        letPass(2000);
        String rss = Files.readAllLines(Path.of("/proc/" + guard.pid() + "/status")).stream()
                .filter(line -> line.startsWith("VmRSS:"))
                .findFirst()
                .orElseThrow();
        long kib = Long.parseLong(rss.replaceAll("\\D", ""));
        System.out.println("the guard takes " + kib + " KiB");
        assertThat(kib).isLessThan(64 * 1024);
    }

    @Test
    void oneThatKeepsEndingIsStartedLaterAndLater() throws Exception {
        guard(script("agent", "date +%s%3N >> starts", "exit 1"));
        await("five starts", () -> lines("starts").size() >= 5);
        List<Long> millis = lines("starts").stream().map(Long::valueOf).toList();
        List<Long> gaps = new ArrayList<>();
        for (int i = 1; i < 5; i++) {
            gaps.add(millis.get(i) - millis.get(i - 1));
        }
        // A busy machine may take seconds to start a process, but never less than the guard waits.
        assertThat(gaps.get(0)).isLessThan(5000);
        assertThat(gaps.get(1)).isBetween(195L, 5000L);
        assertThat(gaps.get(2)).isBetween(495L, 5500L);
        assertThat(gaps.get(3)).isBetween(995L, 6000L);
    }

    @Test
    void anAgentThatCannotBeStartedIsTriedAgain() throws Exception {
        Path agent = folder.resolve("agent");
        guard(agent);
        await("a try", () -> guardSays().stream().anyMatch(line -> line.contains("cannot be started")));
        idle("agent");
        awaitChild("agent");
    }

    private boolean guardSaid(String words) {
        return guardSays().stream().anyMatch(line -> line.contains(words));
    }

    /** A command on one processor alone, which others of its kind take from each other. */
    private static String onOneProcessor() throws IOException {
        String allowed = Files.readAllLines(Path.of("/proc/self/status")).stream()
                .filter(line -> line.startsWith("Cpus_allowed_list:"))
                .findFirst()
                .orElseThrow();
        return "taskset --cpu-list " + allowed.replaceAll("\\D+", " ").strip().split(" ", -1)[0] + " ";
    }

    @Test
    void aStartingAgentThatIsNotLetRunIsLeftAloneAndOneThatRunsAndGetsNowhereIsKilled() throws Exception {
        startMillis = 1000;
        // It would run for ever, as an agent does that has far to go.
        String spins = "exec " + onOneProcessor() + "nice -n 19 sh -c 'while :; do :; done'";
        List<Process> greedy = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            greedy.add(started(
                    script("greedy" + i, "exec " + onOneProcessor() + "timeout 30 sh -c 'while :; do :; done'")));
        }
        guard(script("agent", "echo agent started >> log", spins));
        await("started", () -> count("agent started") == 1);
        letPass(6 * startMillis);
        assertThat(guardSays()).noneMatch(line -> line.contains("killing it"));
        for (Process process : greedy) {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
        }
        await("killed when it is let run", () -> guardSaid("hangs at its start (it has made no step)"));
    }

    @Test
    void aStartingAgentThatWaitsForAChildThatIsNotLetRunIsLeftAlone() throws Exception {
        startMillis = 1000;
        Process greedy =
                started(script("greedy", "exec " + onOneProcessor() + "timeout 30 sh -c 'while :; do :; done'"));
        guard(script(
                "agent",
                "echo agent started >> log",
                onOneProcessor() + "nice -n 19 timeout 20 sh -c 'while :; do :; done' & wait"));
        await("started", () -> count("agent started") == 1);
        letPass(4 * startMillis);
        assertThat(guardSays()).noneMatch(line -> line.contains("killing it"));
        greedy.descendants().forEach(ProcessHandle::destroyForcibly);
        greedy.destroyForcibly();
    }

    @Test
    @Tag("quick")
    void aStartingAgentThatMakesStepsIsLeftAloneAndOneThatHangsIsKilled() throws Exception {
        startMillis = 1000;
        guard(script(
                "agent",
                "echo agent started >> log",
                "for step in 1 2 3 4 5 6 7; do sleep 0.5; echo step $step > agent.step; done",
                "exec sleep 30"));
        await("killed", () -> guardSaid("hangs at its start"));
        assertThat(guardSays()).anyMatch(line -> line.contains("hangs at its start (its last step: step 7)"));
    }

    @Test
    void aStartingAgentThatIsStoppedIsKilled() throws Exception {
        startMillis = 1000;
        guard(idle("agent"));
        Target agent = awaitChild("agent");
        signal("STOP", agent.pid());
        await("killed", () -> guardSaid("hangs at its start"));
        await("a new agent", () -> target("agent") != null && !agent.equals(target("agent")));
    }

    @Test
    @Tag("quick")
    void aHungAgentOfAPrimaryHasItsPostgresStoppedAndIsStartedAgain() throws Exception {
        Process postmaster = postmaster();
        says(Role.PRIMARY, postmaster.pid());
        guard(agentStandIn(), List.of());
        Target agent = awaitChild("agent");
        awaitBeat(Role.PRIMARY, postmaster.pid());
        assertThat(postmaster.isAlive()).isTrue();
        signal("STOP", agent.pid());
        long start = System.nanoTime();
        await("QUIT", () -> count("postmaster got QUIT") == 1);
        assertThat(System.nanoTime() - start).isGreaterThan(TimeUnit.MILLISECONDS.toNanos(TIMEOUT_MILLIS - 800));
        await("a new agent", () -> count("agent started") == 2);
        assertThat(agent.isAlive()).isFalse();
        assertThat(postmaster.waitFor(1, TimeUnit.SECONDS)).isTrue();
    }

    @Test
    void aHungAgentOfAStandbyIsStartedAgainAndItsPostgresLeftAlone() throws Exception {
        Process postmaster = postmaster();
        says(Role.STANDBY, postmaster.pid());
        guard(agentStandIn(), List.of());
        Target agent = awaitChild("agent");
        awaitBeat(Role.STANDBY, postmaster.pid());
        signal("STOP", agent.pid());
        await("a new agent", () -> count("agent started") == 2);
        letPass(500);
        assertThat(postmaster.isAlive()).isTrue();
        assertThat(log()).doesNotContain("postmaster got QUIT");
    }

    @Test
    void aPostmasterThatDoesNotStopIsKilled() throws Exception {
        Process postmaster = started(
                script("postgres", "trap '' QUIT", "echo postmaster started >> log", "while :; do sleep 0.05; done"));
        await("the postmaster", () -> count("postmaster started") == 1);
        says(Role.PRIMARY, postmaster.pid());
        guard(agentStandIn(), List.of());
        Target agent = awaitChild("agent");
        awaitBeat(Role.PRIMARY, postmaster.pid());
        signal("STOP", agent.pid());
        assertThat(postmaster.waitFor(PATIENCE_MILLIS, TimeUnit.MILLISECONDS)).isTrue();
        assertThat(postmaster.exitValue()).isEqualTo(128 + 9);
        assertThat(guardSays()).anyMatch(line -> line.contains("has not stopped: killing it"));
    }

    @Test
    void aKilledAgentOfAPrimaryIsStartedAgainAndItsPostgresLeftAlone() throws Exception {
        // Enough for the start of a JVM on a busy machine.
        timeoutMillis = 5000;
        Process postmaster = postmaster();
        says(Role.PRIMARY, postmaster.pid());
        guard(agentStandIn(), List.of());
        Target agent = awaitChild("agent");
        awaitBeat(Role.PRIMARY, postmaster.pid());
        agent.kill();
        await("a new agent", () -> count("agent started") == 2);
        letPass(timeoutMillis + 1000);
        assertThat(postmaster.isAlive()).isTrue();
        assertThat(count("agent started")).isEqualTo(2);
    }

    @Test
    void aPrimaryWhoseAgentCannotBeBroughtBackIsStopped() throws Exception {
        Process postmaster = postmaster();
        says(Role.PRIMARY, postmaster.pid());
        Path agent = script(
                "agent",
                "[ ! -e broken ] || exit 1",
                "exec "
                        + String.join(
                                " ",
                                agentStandIn().stream()
                                        .map(word -> "'" + word + "'")
                                        .toList()));
        guard(agent);
        Target first = awaitChild("agent");
        awaitBeat(Role.PRIMARY, postmaster.pid());
        Files.createFile(folder.resolve("broken"));
        first.kill();
        await("QUIT", () -> count("postmaster got QUIT") == 1);
    }

    @Test
    void aProcessThatIsNotThePostmasterIsNeverSignalled() throws Exception {
        Process innocent = started(script("innocent", "trap 'exit 3' QUIT TERM", "while :; do sleep 0.05; done"));
        Process otherPostgres = postmaster();
        guard(script(
                "agent",
                "echo agent started >> log",
                "echo role=primary postmaster=$(cat whom) started=$(cat when) > agent.heartbeat",
                "while :; do sleep 0.05; done"));
        Files.writeString(folder.resolve("when"), "0");
        Files.writeString(folder.resolve("whom"), "" + innocent.pid());
        await("hung once", () -> count("agent started") >= 2);
        Files.writeString(folder.resolve("when"), "12345");
        Files.writeString(folder.resolve("whom"), "" + otherPostgres.pid());
        long starts = count("agent started");
        await("hung twice more", () -> count("agent started") >= starts + 2);
        assertThat(innocent.isAlive()).isTrue();
        assertThat(otherPostgres.isAlive()).isTrue();
    }

    @Test
    void aPauseOfEverythingIsNotHeldAgainstTheAgent() throws Exception {
        Process postmaster = postmaster();
        says(Role.PRIMARY, postmaster.pid());
        Process guard = guard(agentStandIn(), List.of());
        Target agent = awaitChild("agent");
        awaitBeat(Role.PRIMARY, postmaster.pid());
        signal("STOP", guard.pid());
        signal("STOP", agent.pid());
        letPass(2 * TIMEOUT_MILLIS);
        signal("CONT", guard.pid());
        letPass(TIMEOUT_MILLIS / 2);
        signal("CONT", agent.pid());
        letPass(TIMEOUT_MILLIS);
        assertThat(postmaster.isAlive()).isTrue();
        assertThat(agent.isAlive()).isTrue();
        assertThat(guardSays()).anyMatch(line -> line.contains("stood still"));
    }

    @Test
    void afterAPauseAnAgentThatStaysHungIsDealtWithAllTheSame() throws Exception {
        Process postmaster = postmaster();
        says(Role.PRIMARY, postmaster.pid());
        Process guard = guard(agentStandIn(), List.of());
        Target agent = awaitChild("agent");
        awaitBeat(Role.PRIMARY, postmaster.pid());
        signal("STOP", guard.pid());
        signal("STOP", agent.pid());
        letPass(2 * TIMEOUT_MILLIS);
        signal("CONT", guard.pid());
        await("QUIT", () -> count("postmaster got QUIT") == 1);
        await("a new agent", () -> count("agent started") == 2);
    }

    @Test
    void theZooKeeperPeerStaysDownWhileItIsHeld() throws Exception {
        guard(List.of(idle("agent").toString()), List.of(idle("zookeeper").toString()));
        Target zookeeper = awaitChild("zookeeper");
        await("started", () -> count("zookeeper started") == 1);
        Path hold = Files.createFile(folder.resolve("zookeeper.hold"));
        letPass(500);
        assertThat(zookeeper.isAlive()).isTrue();
        assertThat(zookeeper.signal("TERM")).isTrue();
        await("ended", () -> count("zookeeper ended") == 1);
        letPass(1000);
        assertThat(count("zookeeper started")).isEqualTo(1);
        Files.delete(hold);
        await("started again", () -> count("zookeeper started") == 2);
        assertThat(count("agent started")).isEqualTo(1);
    }

    @Test
    void onSigtermTheAgentEndsFirstThenTheZooKeeperPeerThenTheGuard() throws Exception {
        Path agent = script(
                "agent",
                "echo agent started >> log",
                "trap 'echo agent asked >> log; sleep 0.7; echo agent ended >> log; exit 0' TERM",
                "while :; do sleep 0.05; done");
        Process guard =
                guard(List.of(agent.toString()), List.of(idle("zookeeper").toString()));
        await("both", () -> count("agent started") == 1 && count("zookeeper started") == 1);
        guard.destroy();
        assertThat(guard.waitFor(5, TimeUnit.SECONDS)).isTrue();
        assertThat(guard.exitValue()).isZero();
        assertThat(log().subList(2, log().size())).containsExactly("agent asked", "agent ended", "zookeeper ended");
        assertThat(folder.resolve("guard.pid")).doesNotExist();
        assertThat(folder.resolve("agent.pid")).doesNotExist();
    }

    @Test
    void onSigtermAnAgentThatDoesNotEndIsKilledAndItsPostgresStopped() throws Exception {
        Process postmaster = postmaster();
        says(Role.STANDBY, postmaster.pid());
        Process guard = guard(agentStandIn(), List.of());
        Target agent = awaitChild("agent");
        awaitBeat(Role.STANDBY, postmaster.pid());
        signal("STOP", agent.pid());
        guard.destroy();
        assertThat(guard.waitFor(8, TimeUnit.SECONDS)).isTrue();
        assertThat(agent.isAlive()).isFalse();
        await("QUIT", () -> count("postmaster got QUIT") == 1);
    }

    @Test
    void anAgentNoticesTheEndOfItsGuardAndTheNextGuardClearsUp() throws Exception {
        says(Role.NONE, 0);
        Process guard = guard(agentStandIn(), List.of(idle("zookeeper").toString()));
        Target agent = awaitChild("agent");
        Target zookeeper = awaitChild("zookeeper");
        awaitBeat(Role.NONE, 0);
        guard.destroyForcibly().waitFor();
        long start = System.nanoTime();
        await("noticed", () -> count("guard died") == 1);
        assertThat(System.nanoTime() - start).isLessThan(TimeUnit.SECONDS.toNanos(1));
        await("ended", () -> !agent.isAlive());
        assertThat(zookeeper.isAlive()).isTrue();

        guard(agentStandIn(), List.of(idle("zookeeper").toString()));
        await("a new agent", () -> count("agent started") == 2);
        await("a new peer", () -> count("zookeeper started") == 2);
        assertThat(zookeeper.isAlive()).isFalse();
    }

    @Test
    void thereIsOneGuardInAFolder() throws Exception {
        guard(idle("agent"));
        awaitChild("agent");
        Process second = guard(idle("agent"));
        assertThat(second.waitFor(5, TimeUnit.SECONDS)).isTrue();
        assertThat(second.exitValue()).isEqualTo(1);
        assertThat(count("agent started")).isEqualTo(1);
    }

    @Test
    void aWrongCommandLineIsSaid() throws Exception {
        Process wrong = new ProcessBuilder(
                        JAVA.toString(), "-cp", classes(), Guard.class.getName(), "--guard-timeout-millis=soon")
                .redirectErrorStream(true)
                .start();
        assertThat(new String(wrong.getInputStream().readAllBytes(), StandardCharsets.UTF_8))
                .contains("--guard-timeout-millis=soon: milliseconds, 100 to 600000");
        assertThat(wrong.waitFor()).isEqualTo(2);
    }
}
