package org.cellkeeper.cell.torture;

import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BooleanSupplier;
import org.cellkeeper.cell.decide.WalHistory;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.DatabaseView.Receiver;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.Reign;
import org.cellkeeper.cell.model.SyncSetting;
import org.cellkeeper.cell.port.DatabaseFailure;

/**
 * Real PostgreSQL under the real adapter, without agents: one primary and its standbys, under load, that are crashed, stopped, paused,
 * sealed, promoted and cloned by chance. Whatever the adapter says of them is held against what lies on the disk while nothing can
 * change there.
 */
final class Torture implements AutoCloseable {
    private static final long VERB_SECONDS = 120;
    private static final Duration PATIENCE = Duration.ofSeconds(6);
    private static final Duration BACK_WITHIN = Duration.ofSeconds(90);
    private static final List<String> CHILDREN =
            List.of("backend", "backend", "checkpointer", "background writer", "walreceiver", "startup");

    /** What was done, and how often something was held against the disk. */
    record Outcome(int steps, long observations, Map<String, Integer> counted) {
        int of(String what) {
            return counted.getOrDefault(what, 0);
        }
    }

    /** Such as make PostgreSQL start its children anew under the same postmaster; without a startup process that ends it. */
    private static final List<String> RESTARTED = List.of("backend", "checkpointer", "background writer");

    /** One way to torment it. */
    private interface Step {
        void run();
    }

    private final long seed;
    private final Duration time;
    private final PrintStream out;
    private final Random chance;
    private final Path root;
    private final long begun = System.nanoTime();
    private final Map<String, Server> servers = new LinkedHashMap<>();
    private final Map<Server, Watch> watches = new HashMap<>();
    private final TreeMap<Long, Reign> reigns = new TreeMap<>();
    private final Map<String, Integer> counted = new TreeMap<>();
    private final ScheduledExecutorService later = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().name("continue").daemon().factory());
    private Load load;
    private Server primary;
    private int step;
    private String doing = "the set-up";
    private boolean keep;
    private volatile boolean closed;

    Torture(long seed, Duration time, int size, Path folder, PrintStream out) {
        this.seed = seed;
        this.time = time;
        this.out = out;
        this.chance = new Random(seed);
        try {
            Files.createDirectories(folder);
            this.root = Files.createTempDirectory(
                    folder.toAbsolutePath(),
                    "t",
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwxr-xr-x")));
            Files.setPosixFilePermissions(root, PosixFilePermissions.fromString("rwxr-xr-x"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        for (String name : List.of("a", "b", "c").subList(0, size)) {
            servers.put(name, new Server(name, root, settings()));
        }
        primary = servers.get("a");
    }

    /** Runs for its time; a {@link Mismatch} tells seed and step. */
    Outcome run() {
        try {
            setUp();
            while (System.nanoTime() - begun < time.toNanos()) {
                step++;
                doing = "coming back";
                steady();
                draw().run();
                check();
            }
            doing = "the end";
            steady();
            standbysHoldTheSame();
            counted.put("rounds of the writers", load.rounds());
            return new Outcome(step, observations(), Map.copyOf(counted));
        } catch (Mismatch e) {
            keep = true;
            throw new Mismatch("seed %d, step %d (%s), after %d s: %s%n  the data are left in %s"
                    .formatted(seed, step, doing, seconds(), e.getMessage(), root));
        }
    }

    private long seconds() {
        return (System.nanoTime() - begun) / 1_000_000_000;
    }

    private long observations() {
        return watches.values().stream().mapToLong(Watch::observations).sum();
    }

    private void tell(String what) {
        doing = what;
        out.printf("%4d  %4d s  %s%n", step, seconds(), what);
    }

    private void count(String what) {
        counted.merge(what, 1, Integer::sum);
    }

    private void check() {
        watches.values().forEach(Watch::check);
    }

    // ---- chance

    private <T> T any(List<T> of) {
        return of.get(chance.nextInt(of.size()));
    }

    private boolean once(int in) {
        return chance.nextInt(in) == 0;
    }

    private Map<String, String> settings() {
        Map<String, String> drawn = new HashMap<>();
        drawn.put("max_prepared_transactions", String.valueOf(Load.PREPARED));
        drawn.put("max_wal_size", any(List.of("8MB", "64MB", "1GB")));
        drawn.put("min_wal_size", any(List.of("8MB", "80MB")));
        drawn.put("checkpoint_timeout", any(List.of("30s", "5min", "30min")));
        drawn.put("checkpoint_completion_target", any(List.of("0.1", "0.9")));
        drawn.put("wal_keep_size", any(List.of("0", "128MB")));
        drawn.put("wal_recycle", any(List.of("on", "off")));
        drawn.put("max_standby_streaming_delay", any(List.of("100ms", "2s", "10min")));
        drawn.put("shared_buffers", any(List.of("8MB", "64MB", "64MB")));
        return drawn;
    }

    private Step draw() {
        Server standby = any(standbys());
        int drawn = chance.nextInt(100);
        if (drawn < 34) {
            return () -> seal(standby);
        } else if (drawn < 52) {
            return this::failover;
        } else if (drawn < 59) {
            return this::switchover;
        } else if (drawn < 69) {
            return () -> rest(standby);
        } else if (drawn < 76) {
            return this::restartPrimary;
        } else if (drawn < 82) {
            return () -> keepFromOpening(standby);
        } else if (drawn < 86) {
            return this::crashPrimarysChild;
        } else if (drawn < 92) {
            return this::pauseSomething;
        } else if (drawn < 96) {
            return () -> replaceAgent(any(List.copyOf(servers.values())));
        }
        return () -> {
            tell("clone " + standby.name() + " anew");
            cloneAnew(standby);
        };
    }

    // ---- the stage

    private void setUp() {
        out.printf("seed %d, %s, %d s%n", seed, servers.keySet(), time.toSeconds());
        need("initialise", primary.adapter().initialise());
        need("start", primary.adapter().startPrimary());
        reigns.put(1L, new Reign(primary.id(), 1, Lsn.ZERO, Lsn.ZERO, 0));
        try {
            Load.prepare(primary);
        } catch (SQLException e) {
            throw new IllegalStateException("the tables cannot be made", e);
        }
        servers.values().forEach(server -> watches.put(server, new Watch(server, begun)));
        load = new Load(List.copyOf(servers.values()), primary, seed);
        standbys().forEach(this::cloneAnew);
        steady();
    }

    private List<Server> standbys() {
        return servers.values().stream().filter(s -> !s.equals(primary)).toList();
    }

    private long epoch() {
        return reigns.lastKey();
    }

    private void keepSlots() {
        Set<CellId> siblings = new HashSet<>();
        standbys().forEach(s -> siblings.add(s.id()));
        tried("slots", primary.adapter().keepSlots(primary.id(), siblings));
    }

    private void cloneAnew(Server server) {
        watches.get(server).restEnds();
        for (int tries = 0; tries < 5; tries++) {
            server.newIncarnation();
            if (tried("stop", server.adapter().stopImmediate()) == null) {
                continue;
            }
            keepSlots();
            server.enter(epoch());
            if (tried("clone", server.adapter().cloneFrom(primary.asUpstream(epoch()), server.id(), percent -> {}))
                    != null) {
                // It may not open soon.
                tried("start", server.adapter().startStandby(primary.asUpstream(epoch()), server.id()));
                return;
            }
            revivePrimary();
        }
        throw new Mismatch(server.name() + " cannot be cloned");
    }

    private void revivePrimary() {
        if (look(primary).isStopped()) {
            tried("start", primary.adapter().startPrimary());
        }
    }

    /** Everybody streams again, whatever was done to them. */
    private void steady() {
        load.pause(false);
        revivePrimary();
        keepSlots();
        long until = System.nanoTime() + BACK_WITHIN.toNanos();
        for (Server standby : standbys()) {
            int cloned = 0;
            long repair = System.nanoTime() + BACK_WITHIN.toNanos() / 3;
            while (!streams(look(standby))) {
                check();
                if (System.nanoTime() - until > 0 && cloned > 1) {
                    throw new Mismatch(standby.name() + " does not stream again: " + look(standby));
                }
                if (System.nanoTime() - repair > 0) {
                    count("cloned since it did not stream");
                    cloneAnew(standby);
                    cloned++;
                    repair = System.nanoTime() + BACK_WITHIN.toNanos() / 3;
                }
                revivePrimary();
                if (look(standby).isStopped()) {
                    tried("start", standby.adapter().startStandby(primary.asUpstream(epoch()), standby.id()));
                }
                pass(20);
            }
        }
    }

    private boolean streams(DatabaseView view) {
        return view.standby() != null && view.standby().receiver() == Receiver.STREAMING;
    }

    private void standbysHoldTheSame() {
        load.pause(true);
        String sums = "SELECT (SELECT count(*) || ' ' || sum(v) FROM hot) || ' ' || (SELECT count(*) FROM bulk)"
                + " || ' ' || (SELECT count(*) || ' ' || coalesce(sum(n), 0) FROM marks)";
        for (Server standby : standbys()) {
            String[] last = {"", ""};
            boolean same = await(Duration.ofSeconds(60), () -> {
                try {
                    last[0] = primary.ask(sums);
                    last[1] = standby.ask(sums);
                } catch (SQLException e) {
                    last[1] = e.getMessage();
                }
                return Objects.equals(last[0], last[1]);
            });
            if (!same) {
                throw new Mismatch(standby.name() + " holds " + last[1] + ", and its primary " + last[0]);
            }
            count("standbys that hold what their primary holds");
        }
        load.pause(false);
    }

    // ---- verbs

    private DatabaseView look(Server server) {
        for (int tries = 0; tries < 20; tries++) {
            check();
            try {
                return done("observe", server.adapter().observe());
            } catch (DatabaseFailure e) {
                // A file went while it was looked at.
                pass(10);
            }
        }
        throw new Mismatch(server.name() + " cannot be observed");
    }

    private DatabaseView done(String verb, CompletableFuture<DatabaseView> asked) {
        try {
            return asked.get(VERB_SECONDS, TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof DatabaseFailure failure) {
                throw failure;
            }
            throw new IllegalStateException(verb, e.getCause());
        } catch (TimeoutException e) {
            throw new Mismatch(verb + " has not ended within " + VERB_SECONDS + " s");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted", e);
        }
    }

    /** Null when it did not come off. */
    private DatabaseView tried(String verb, CompletableFuture<DatabaseView> asked) {
        try {
            return done(verb, asked);
        } catch (DatabaseFailure e) {
            count("failed: " + verb);
            return null;
        }
    }

    private DatabaseView need(String verb, CompletableFuture<DatabaseView> asked) {
        try {
            return done(verb, asked);
        } catch (DatabaseFailure e) {
            throw new Mismatch(e.getMessage());
        }
    }

    private boolean await(Duration limit, BooleanSupplier condition) {
        long until = System.nanoTime() + limit.toNanos();
        while (!condition.getAsBoolean()) {
            check();
            if (System.nanoTime() - until > 0) {
                return false;
            }
            pass(5);
        }
        return true;
    }

    private static void pass(long millis) {
        try {
            var _ = new CountDownLatch(1).await(millis, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted", e);
        }
    }

    // ---- faults

    private void crashChild(Server server, String kind) {
        if (kind.equals("backend")) {
            try (Connection session = server.session(5);
                    Statement statement = session.createStatement();
                    var row = statement.executeQuery("SELECT pg_backend_pid()")) {
                row.next();
                Processes.signal("KILL", List.of(row.getLong(1)));
            } catch (SQLException e) {
                count("no session to crash");
            }
            return;
        }
        server.processes().child(kind).ifPresent(child -> Processes.signal("KILL", List.of(child.pid())));
    }

    private void pause(Server server, String kind, int millis) {
        long pid = kind.equals("postmaster")
                ? server.processes().postmaster()
                : server.processes().child(kind).map(Processes.Child::pid).orElse(0L);
        Processes.signal("STOP", List.of(pid));
        try {
            var _ = later.schedule(
                    () -> {
                        boolean itIs = pid == server.processes().postmaster()
                                || server.processes().children().stream().anyMatch(child -> child.pid() == pid);
                        if (itIs) {
                            Processes.signal("CONT", List.of(pid));
                        }
                    },
                    millis,
                    TimeUnit.MILLISECONDS);
        } catch (RejectedExecutionException e) {
            Processes.signal("CONT", List.of(pid));
        }
    }

    /** Something that happens to a standby, in words. */
    private String disturb(Server standby) {
        switch (chance.nextInt(8)) {
            case 0, 1, 2, 3 -> {
                String kind = any(CHILDREN);
                crashChild(standby, kind);
                return kind + " killed";
            }
            case 4 -> {
                int millis = 100 + chance.nextInt(3_000);
                pause(standby, "walreceiver", millis);
                return "walreceiver paused for " + millis + " ms";
            }
            case 5 -> {
                int millis = 100 + chance.nextInt(1_500);
                pause(standby, "startup", millis);
                return "startup paused for " + millis + " ms";
            }
            case 6 -> {
                standby.anotherAgent(settings());
                return "another agent";
            }
            default -> {
                return "undisturbed";
            }
        }
    }

    /** As {@link #disturb}, of a standby whose disk is at rest. */
    private String disturbAtRest(Server standby) {
        if (once(3)) {
            return disturb(standby);
        }
        String kind = any(RESTARTED);
        crashChild(standby, kind);
        return kind + " killed";
    }

    /**
     * Much WAL on few pages, which takes the standbys a while to replay again: above all when nothing else makes them write these
     * pages, and so note that they have replayed so much.
     */
    private void burst() {
        load.pause(once(2));
        try (Connection session = primary.session(20);
                Statement statement = session.createStatement()) {
            statement.execute("SET synchronous_commit = off");
            statement.execute("DO $$ BEGIN FOR i IN 1.." + (150 + chance.nextInt(600))
                    + " LOOP UPDATE hot SET v = v + 1; COMMIT; END LOOP; END $$");
        } catch (SQLException e) {
            count("bursts cut off");
        }
    }

    /** In words. */
    private String stop(Server server) {
        switch (chance.nextInt(4)) {
            case 0 -> {
                tried("stop", server.adapter().stopFast(5_000));
                return "stopped fast";
            }
            case 1 -> {
                tried("stop", server.adapter().stopImmediate());
                return "stopped immediately";
            }
            case 2 -> {
                Processes.signal("KILL", List.of(server.processes().postmaster()));
                return "postmaster killed";
            }
            default -> {
                killAll(server);
                return "all processes killed";
            }
        }
    }

    private static void killAll(Server server) {
        List<Long> all = new ArrayList<>(List.of(server.processes().postmaster()));
        server.processes().children().forEach(child -> all.add(child.pid()));
        Processes.signal("KILL", all);
    }

    private void awaitGone(Server server) {
        if (!await(Duration.ofSeconds(20), () -> server.processes().areGone())) {
            throw new Mismatch(server.name() + " is stopped, and there are still: postmaster "
                    + server.processes().postmaster() + ", "
                    + server.processes().children());
        }
    }

    // ---- what was said, held against the disk

    private void hold(Server server, Watch.Rested rested, WalFiles.Truth truth) {
        check();
        count("rests during which the disk was compared");
        boolean known = false;
        for (Watch.Claim claim : rested.claims()) {
            if (claim.detached()) {
                count("detachments held against the disk");
            }
            if (claim.end() == null) {
                continue;
            }
            known = true;
            Lsn said = claim.end().end();
            boolean running = claim.firstView().standby() != null;
            boolean right =
                    running ? said.atLeast(truth.end().whole()) && truth.most().atLeast(said) : truth.isTheEnd(said);
            if (!right || !truth.isOf(claim.end().timeline())) {
                throw new Mismatch("""
                        %s: the end of the WAL is said to be known, and is not what lies on the disk
                          said: %s on timeline %d, first at %d ms of the run, by a server that is %s
                          disk: %s
                          pg_waldump: the last whole record is at %s
                          observation: %s""".formatted(
                                server.name(),
                                said,
                                claim.end().timeline(),
                                claim.firstAt(),
                                running ? "running" : "stopped",
                                truth,
                                server.disk().lastRecordByWaldump(truth),
                                claim.firstView()));
            }
            count(running ? "ends of running servers held against the disk" : "ends at rest held against the disk");
        }
        if (!known) {
            count("rests in which no end was known");
        }
    }

    private void unchanged(Server server, String why, WalFiles.Truth before, WalFiles.Truth after) {
        if (!before.end().whole().equals(after.end().whole())) {
            throw new Mismatch(
                    server.name() + " received WAL though " + why + "\n  before: " + before + "\n  after: " + after);
        }
    }

    /** The two readers of the torture itself must agree. */
    private void compareWithWaldump(Server server, WalFiles.Truth truth) {
        Lsn other = server.disk().lastRecordByWaldump(truth);
        if (other != null && !other.equals(truth.end().record())) {
            throw new Mismatch("pg_waldump finds the last record of " + server.name() + " at " + other
                    + ", and the torture's own reader does not: " + truth);
        }
        count("reads compared with pg_waldump");
    }

    /** Reads a stopped server's end by the adapter, and holds it against the disk. */
    private WalFiles.Truth readAtRest(Server server, Watch.Rested rested) {
        WalFiles.Truth truth = server.disk().truth();
        try {
            DatabaseView read = done("read the end", server.adapter().readEnd());
            if (read.knownEnd() == null) {
                throw new Mismatch(server.name() + ": the end was read, and is not told: " + read);
            }
            DatabaseView.Control said = read.control();
            Lsn end = truth.control().isCleanlyShutDown()
                    ? truth.end().whole()
                    : truth.control().checkpoint();
            if (said == null
                    || said.cleanlyShutDown() != truth.control().isCleanlyShutDown()
                    || said.timeline() != truth.control().timeline()
                    || !said.end().equals(end)
                    || !Objects.equals(read.systemId(), truth.control().systemId())) {
                throw new Mismatch(server.name() + ": pg_control is told otherwise than it is\n  said: " + said
                        + "\n  disk: " + truth);
            }
        } catch (DatabaseFailure e) {
            throw new Mismatch(server.name() + ": " + e.getMessage() + "\n  disk: " + truth);
        }
        await(Duration.ofSeconds(5), rested::knowsTheEnd);
        compareWithWaldump(server, truth);
        return truth;
    }

    // ---- steps

    /** Unfollows, until it is at rest with a known end, as a cell that seals does; stops it when it does not come to that. */
    private void sealUntilKnown(Server server, Watch.Rested rested) {
        long until = System.nanoTime() + PATIENCE.toNanos();
        boolean unfollowed = false;
        while (System.nanoTime() - until < 0) {
            if (!unfollowed) {
                unfollowed = tried("unfollow", server.adapter().unfollow()) != null;
                pass(unfollowed ? 0 : 50);
            }
            DatabaseView seen = look(server);
            if (seen.isStopped()) {
                break;
            }
            if (unfollowed && seen.standby() != null && seen.standby().receiver() == Receiver.DETACHED) {
                if (seen.knownEnd() != null) {
                    await(Duration.ofSeconds(2), () -> rested.hasBegun() && rested.knowsTheEnd());
                    return;
                }
            }
            pass(5);
        }
        if (!look(server).isStopped()) {
            count("stopped since it did not come to rest");
            need("stop", server.adapter().stopImmediate());
        }
        tried("unfollow", server.adapter().unfollow());
        awaitGone(server);
    }

    private void seal(Server standby) {
        if (once(2)) {
            burst();
        }
        String first = once(2) ? "" : disturb(standby) + ", then ";
        pass(chance.nextInt(400));
        tell(first + "seal " + standby.name());
        Watch watch = watches.get(standby);
        Watch.Rested rested = watch.restOnceDetached();
        sealUntilKnown(standby, rested);
        if (look(standby).isStopped()) {
            atRest(standby);
        } else {
            WalFiles.Truth before = standby.disk().truth();
            String then = once(3) ? "" : disturbAtRest(standby);
            if (!then.isEmpty()) {
                tell("  sealed, " + then);
            }
            pass(chance.nextInt(1_500));
            await(
                    PATIENCE,
                    () -> look(standby).knownEnd() != null || look(standby).isStopped());
            WalFiles.Truth after = standby.disk().truth();
            unchanged(standby, "it was said to be detached", before, after);
            hold(standby, rested, after);
            if (look(standby).isStopped() || once(4)) {
                need("stop", standby.adapter().stopImmediate());
                atRest(standby);
            }
        }
        watch.restEnds();
        followAgain(standby);
    }

    /** Of a server that is stopped. */
    private void atRest(Server server) {
        awaitGone(server);
        Watch.Rested rested = watches.get(server).rest();
        WalFiles.Truth truth = readAtRest(server, rested);
        hold(server, rested, truth);
    }

    private void followAgain(Server standby) {
        watches.get(standby).restEnds();
        standby.enter(epoch());
        if (look(standby).isStopped()) {
            if (once(3) && tried("start", standby.adapter().startStandby(null, standby.id())) != null) {
                startedDetached(standby);
            } else {
                tried("start", standby.adapter().startStandby(primary.asUpstream(epoch()), standby.id()));
                return;
            }
        }
        if (!await(
                Duration.ofSeconds(30),
                () -> tried("follow", standby.adapter().follow(primary.asUpstream(epoch()), standby.id())) != null
                        || look(standby).isStopped())) {
            if (look(standby).closed() == null) {
                throw new Mismatch(standby.name() + " cannot follow: " + look(standby));
            }
            // It follows nobody and lets nobody in: as a cell does (716), it is read at rest, and started as the
            // primary's.
            need("stop", standby.adapter().stopImmediate());
            atRest(standby);
            tried("start", standby.adapter().startStandby(primary.asUpstream(epoch()), standby.id()));
            return;
        }
        upstreamIsInForce(standby);
    }

    /** It receives nothing from its first moment on. */
    private void startedDetached(Server standby) {
        Watch.Rested rested = watches.get(standby).rest();
        WalFiles.Truth before = standby.disk().truth();
        if (once(2)) {
            crashChild(standby, any(CHILDREN));
        }
        await(PATIENCE, () -> look(standby).knownEnd() != null || look(standby).isStopped());
        WalFiles.Truth after = standby.disk().truth();
        unchanged(standby, "it was started without an upstream", before, after);
        hold(standby, rested, after);
        watches.get(standby).restEnds();
    }

    /** What is said to be followed is what the walreceiver is connected to. */
    private void upstreamIsInForce(Server standby) {
        String[] seen = {""};
        boolean streamed = await(Duration.ofSeconds(10), () -> streams(look(standby)));
        if (!streamed) {
            count("did not stream within 10 s");
            return;
        }
        boolean right = await(Duration.ofSeconds(10), () -> {
            try {
                seen[0] =
                        String.valueOf(standby.ask("SELECT sender_port || ' ' || conninfo FROM pg_stat_wal_receiver"));
            } catch (SQLException e) {
                seen[0] = "null";
            }
            DatabaseView view = look(standby);
            return !streams(view)
                    || seen[0].startsWith(primary.port() + " ")
                            && seen[0].replace("'", "")
                                    .contains("application_name=" + standby.id() + "." + epoch() + " ");
        });
        if (!right) {
            throw new Mismatch(standby.name() + " is said to stream from "
                    + look(standby).upstreamOnDisk() + ", and its walreceiver does so from " + seen[0]);
        }
        count("upstreams in force");
    }

    private void rest(Server standby) {
        String first = once(2) ? "" : disturb(standby) + ", then ";
        pass(chance.nextInt(300));
        String how = stop(standby);
        tell(first + "rest of " + standby.name() + ": " + how);
        atRest(standby);
        followAgain(standby);
    }

    /** The primary is gone: nobody sends, and nothing is received once the last walreceiver has ended. */
    private Map<Server, Watch.Rested> awaitSilence() {
        awaitGone(primary);
        Map<Server, Watch.Rested> rested = new LinkedHashMap<>();
        for (Server standby : standbys()) {
            boolean none = await(
                    Duration.ofSeconds(8),
                    () -> standby.processes().child("walreceiver").isEmpty());
            if (none) {
                rested.put(standby, watches.get(standby).rest());
            } else {
                count("a walreceiver outlived its primary");
            }
        }
        return rested;
    }

    private void restartPrimary() {
        List<String> did = new ArrayList<>();
        if (once(2)) {
            burst();
        }
        if (once(2)) {
            standbys().forEach(s -> did.add(s.name() + " " + disturb(s)));
        }
        String how = stop(primary);
        tell("restart of primary " + primary.name() + ": " + how + ", " + did);
        Map<Server, Watch.Rested> rested = awaitSilence();
        Map<Server, WalFiles.Truth> before = new HashMap<>();
        rested.keySet().forEach(s -> before.put(s, s.disk().truth()));
        rested.keySet().forEach(s -> tell("  " + s.name() + " " + disturbAtRest(s)));
        atRest(primary);
        pass(chance.nextInt(1_000));
        rested.forEach((s, r) -> {
            await(Duration.ofSeconds(3), () -> r.knowsTheEnd() || look(s).isStopped());
            WalFiles.Truth after = s.disk().truth();
            unchanged(s, "its primary is gone", before.get(s), after);
            hold(s, r, after);
            watches.get(s).restEnds();
        });
        watches.get(primary).restEnds();
        revivePrimary();
    }

    private void crashPrimarysChild() {
        String kind = any(List.of("backend", "checkpointer", "background writer", "walwriter", "walsender"));
        tell("primary " + primary.name() + ": " + kind + " killed");
        crashChild(primary, kind);
        pass(chance.nextInt(1_000));
    }

    private void pauseSomething() {
        Server server = any(List.copyOf(servers.values()));
        String kind = any(
                server.equals(primary)
                        ? List.of("postmaster", "walsender", "checkpointer", "walwriter")
                        : List.of("postmaster", "walreceiver", "startup", "checkpointer"));
        int millis = 200 + chance.nextInt(4_000);
        tell(server.name() + ": " + kind + " paused for " + millis + " ms");
        pause(server, kind, millis);
        pass(millis);
    }

    private void replaceAgent(Server server) {
        tell("another agent at " + server.name());
        server.anotherAgent(settings());
        if (!server.equals(primary) && once(2)) {
            stop(server);
            atRest(server);
            followAgain(server);
        }
    }

    /** A transaction of more than 64 subtransactions at the primary: a standby that starts meanwhile lets nobody in. */
    private void keepFromOpening(Server standby) {
        tell("keep " + standby.name() + " from opening");
        try (Connection session = primary.session(20);
                Statement statement = session.createStatement()) {
            session.setAutoCommit(false);
            for (int part = 0; part < 100; part++) {
                session.setSavepoint();
                statement.execute("INSERT INTO marks (what) VALUES ('kept')");
            }
            primary.execute("CHECKPOINT");
            pass(300);
            need("stop", standby.adapter().stopImmediate());
            atRest(standby);
            watches.get(standby).restEnds();
            CompletableFuture<DatabaseView> starting =
                    standby.adapter().startStandby(primary.asUpstream(epoch()), standby.id());
            pass(500 + chance.nextInt(2_500));
            if (look(standby).closed() != null) {
                count("standbys that let nobody in");
            }
            need("stop", standby.adapter().stopImmediate());
            tried("start", starting);
            atRest(standby);
            session.rollback();
        } catch (SQLException e) {
            count("no transaction to keep open");
        }
        followAgain(standby);
    }

    private void switchover() {
        Server target = any(standbys());
        tell("switchover from " + primary.name() + " to " + target.name());
        DatabaseView stopped = tried("stop", primary.adapter().stopFast(15_000));
        awaitGone(primary);
        atRest(primary);
        DatabaseView.Control control = stopped == null ? null : stopped.control();
        if (control == null
                || !control.cleanlyShutDown()
                || !await(Duration.ofSeconds(10), () -> holds(target, control.end()))) {
            count("switchovers not begun");
            watches.get(primary).restEnds();
            revivePrimary();
            return;
        }
        reign(target, awaitSilence());
    }

    private boolean holds(Server target, Lsn end) {
        DatabaseView view = look(target);
        return view.standby() != null && view.standby().received().atLeast(end);
    }

    private void failover() {
        List<String> did = new ArrayList<>();
        if (once(2)) {
            burst();
        }
        boolean before = once(2);
        if (before) {
            standbys().forEach(s -> did.add(s.name() + " " + disturb(s)));
            pass(chance.nextInt(300));
        }
        String how = stop(primary);
        if (!before && once(2)) {
            standbys().forEach(s -> did.add(s.name() + " " + disturb(s)));
        }
        tell("primary " + primary.name() + " lost: " + how + ", " + did);
        reign(null, awaitSilence());
    }

    /** What a standby brings along when it is sealed. */
    private record Vote(Server server, long held, Lsn received, Lsn replayed, int timeline, WalFiles.Truth truth) {}

    /** Seals all, and promotes the target, or the one that has the most WAL. */
    private void reign(Server target, Map<Server, Watch.Rested> silent) {
        Server old = primary;
        Map<Server, WalFiles.Truth> before = new HashMap<>();
        silent.keySet().forEach(s -> before.put(s, s.disk().truth()));
        if (target == null) {
            silent.keySet().forEach(s -> {
                if (once(2)) {
                    tell("  " + s.name() + " " + disturbAtRest(s));
                }
            });
        }
        pass(chance.nextInt(500));
        List<Vote> votes = new ArrayList<>();
        for (Server standby : standbys()) {
            Watch watch = watches.get(standby);
            Watch.Rested rested = silent.getOrDefault(standby, watch.restOnceDetached());
            sealUntilKnown(standby, rested);
            votes.add(vote(standby, rested, before.get(standby)));
        }
        Vote winner = votes.stream()
                .filter(vote -> target == null || vote.server.equals(target))
                .max(Comparator.comparingLong(Vote::held).thenComparing(Vote::received))
                .orElseThrow();
        promote(winner, votes);
        for (Vote vote : votes) {
            if (vote != winner) {
                followIfPrefix(vote, winner);
            }
        }
        watches.get(old).restEnds();
        if (target != null && tried("start", old.adapter().startStandby(null, old.id())) != null) {
            // It was shut down cleanly: what it holds is what the target held.
            prefix(old, old.disk().truth(), winner.server);
            followAgain(old);
        } else {
            cloneAnew(old);
        }
    }

    private Vote vote(Server standby, Watch.Rested rested, WalFiles.Truth before) {
        WalFiles.Truth truth = standby.disk().truth();
        if (before != null) {
            unchanged(standby, "its primary is gone", before, truth);
        }
        hold(standby, rested, truth);
        DatabaseView seen = look(standby);
        if (seen.isStopped() || seen.knownEnd() == null || once(4)) {
            need("stop", standby.adapter().stopImmediate());
            atRest(standby);
            seen = look(standby);
        }
        DatabaseView.Rest end = Objects.requireNonNull(seen.knownEnd());
        Lsn replayed = seen.standby() == null ? end.end() : seen.standby().replayed();
        long held = WalHistory.heldEpoch(reigns, standby.epoch(), end.end(), end.timeline());
        return new Vote(standby, held, end.end(), replayed, end.timeline(), truth);
    }

    private void promote(Vote winner, List<Vote> votes) {
        Server server = winner.server;
        int higherThan =
                reigns.values().stream().mapToInt(Reign::timeline).max().orElse(1);
        watches.get(server).restEnds();
        DatabaseView promoted = look(server).isStopped()
                ? need("promote from rest", server.adapter().promoteAtRest(SyncSetting.NOBODY, higherThan))
                : need("promote", server.adapter().promote(higherThan));
        DatabaseView.Primary reigning = promoted.primary();
        if (reigning == null || reigning.timeline() <= higherThan) {
            throw new Mismatch(server.name() + " was promoted above timeline " + higherThan + ", and is: " + promoted);
        }
        long epoch = epoch() + 1;
        reigns.put(
                epoch,
                new Reign(
                        server.id(),
                        reigning.timeline(),
                        reigning.timelineStart(),
                        winner.received.max(reigning.timelineStart()),
                        winner.held));
        primary = server;
        server.enter(epoch);
        load.primaryIs(server);
        keepSlots();
        tell("  " + server.name() + " is primary of epoch " + epoch + " on timeline " + reigning.timeline() + " from "
                + reigning.timelineStart() + ", " + votes.size() + " votes");
        count("promotions");
    }

    private void followIfPrefix(Vote vote, Vote winner) {
        WalHistory.Relation relation = WalHistory.compare(reigns, epoch(), vote.held, vote.received, vote.replayed);
        if (relation == WalHistory.Relation.DIVERGED) {
            count("standbys that had diverged");
            cloneAnew(vote.server);
            return;
        }
        prefix(vote.server, vote.truth, winner.server);
        followAgain(vote.server);
    }

    private void prefix(Server standby, WalFiles.Truth truth, Server reigning) {
        try {
            Lsn difference = standby.disk()
                    .firstDifference(
                            reigning.disk(),
                            truth.control().checkpoint(),
                            truth.end().whole());
            if (difference != null) {
                throw new Mismatch(standby.name() + " is said to hold a prefix of the WAL of " + reigning.name()
                        + ", and differs from it at " + difference + "\n  disk: " + truth);
            }
            count("prefixes compared byte by byte");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    // ---- the end

    /** Whether the data are to stay for a look at them. */
    void keep() {
        keep = true;
    }

    boolean isClosed() {
        return closed;
    }

    /** Ends all that it has started. */
    @Override
    public synchronized void close() {
        if (closed) {
            return;
        }
        closed = true;
        if (load != null) {
            load.close();
        }
        later.shutdownNow();
        watches.values().forEach(Watch::close);
        for (Server server : servers.values()) {
            try {
                server.adapter().stopImmediate().get(30, TimeUnit.SECONDS);
            } catch (ExecutionException | TimeoutException | InterruptedException | RejectedExecutionException e) {
                killAll(server);
            } finally {
                server.close();
            }
        }
        if (!keep) {
            delete(root);
        }
    }

    private static void delete(Path folder) {
        try (var paths = Files.walk(folder)) {
            for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(path);
            }
        } catch (IOException | UncheckedIOException e) {
            System.err.println("torture: " + folder + " cannot be removed: " + e.getMessage());
        }
    }
}
