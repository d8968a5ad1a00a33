package org.cellkeeper.cell.door;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import org.cellkeeper.cell.door.Console.Place;
import org.cellkeeper.cell.model.Upstream;
import org.cellkeeper.cell.port.Door;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A door by PgBouncer. What it is to be is noted at once; a thread of its own brings PgBouncer there, starts it when it is not there, and
 * looks after it every second. All deadlines of a hold are that thread's, and so none depends on the loop (I8). A PgBouncer that cannot be
 * steered is ended and started anew, as one that stays held would be worse than connections that are closed.
 *
 * <p>A PgBouncer whose primary is gone sends away whoever comes, unless it is held. So it is held for a moment as soon as the primary's
 * PostgreSQL is seen to end, before anybody can know what that means; it is the loop's to have it held for longer.
 */
public final class PgBouncerDoor implements Door, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(PgBouncerDoor.class);

    /** Where the secrets of the roles come from that may go through; it may fail while there is no database. */
    public interface Secrets {
        Map<String, String> read() throws Exception;
    }

    private static final Duration ANSWER = Duration.ofMillis(500);
    private static final Duration COMES_UP = Duration.ofSeconds(2);
    private static final Duration OPENS_WITHIN = Duration.ofSeconds(1);
    private static final long LOOK_MILLIS = 1000;
    private static final long SOON_MILLIS = 20;
    /** How long it is held by itself when the primary's PostgreSQL has ended. */
    private static final long STARTLED_MILLIS = 1000;
    /** One that carries nothing out for so long cannot be steered: while clients wait to be let go on, and else. */
    private static final Duration STEERED_IN_HASTE = Duration.ofSeconds(1);

    private static final Duration STEERED = Duration.ofSeconds(10);
    /** How long it is waited at most for connections that are being made: while clients wait to be let go on, and else. */
    private static final Duration CONNECTS_IN_HASTE = Duration.ofMillis(60);

    private static final Duration CONNECTS = Duration.ofSeconds(2);
    /** How soon one is started again that ended, or could not listen. */
    private static final Duration AGAIN = Duration.ofSeconds(3);

    private final DoorSettings settings;
    private final Supplier<@Nullable Reader> reader;
    private final Secrets secrets;
    private final DoorFiles files;
    private final DoorProcess process;
    private final Console console;
    private final Pauses pauses;
    private final ScheduledExecutorService thread;
    private final PrimaryWatch watch;

    private volatile Status status = new Status(null, "it has not been started yet");
    private volatile boolean closed;

    private @Nullable Path program;
    private @Nullable Version version;
    private @Nullable Upstream primary;
    private @Nullable Map<String, String> known;
    private boolean asking;
    private @Nullable Hold hold;
    private boolean pausing;
    private boolean readersAtPrimary;
    /** The primary's PostgreSQL has ended, and is not there again. */
    private boolean gone;
    /** PgBouncer has been told to keep nobody waiting. */
    private boolean impatient;

    private boolean reloaded;
    /** Since when it waits to be told to read its files again; 0 while it does not. */
    private long reloadDue;
    /** When it last carried something out, since it has been failing; 0 while it does not. */
    private long failingSince;

    private long startedAt;
    private boolean hasStarted;
    private final List<CompletableFuture<Void>> opening = new ArrayList<>();

    private static final class Hold {
        private final boolean startled;
        private final Instant since = Instant.now();
        private final CompletableFuture<Void> drained = new CompletableFuture<>();

        /** @param startled the door holds by itself */
        Hold(boolean startled) {
            this.startled = startled;
        }
    }

    /** What keeps a door from working, in words. */
    private static final class Shut extends Exception {
        private static final long serialVersionUID = 1L;

        Shut(String message) {
            super(message);
        }
    }

    /** What PgBouncer does not answer, or not as it should. */
    private static final class Unsteerable extends Exception {
        private static final long serialVersionUID = 1L;

        Unsteerable(String message) {
            super(message);
        }
    }

    /** @param reader a standby that is not far behind, at the time; null while there is none */
    public PgBouncerDoor(DoorSettings settings, Supplier<@Nullable Reader> reader, Secrets secrets) {
        this.settings = settings;
        this.reader = reader;
        this.secrets = secrets;
        this.files = new DoorFiles(settings);
        this.process = new DoorProcess(settings, files, () -> execute(this::settle));
        this.console = new Console(files.socket());
        this.pauses = new Pauses(files.socket(), settings.database(), settings.readDatabase());
        this.thread = Executors.newSingleThreadScheduledExecutor(
                Thread.ofPlatform().name("door").daemon().factory());
        this.watch = new PrimaryWatch(gone -> execute(() -> startle(gone)), there -> execute(() -> calm(there)));
        settings.credentials().onRenewal(renewed -> execute(this::settle));
    }

    /** Ends the door that an earlier agent has left, of a cell that is to have none any more. */
    public static void endThatOf(DoorSettings settings) {
        DoorProcess left = new DoorProcess(settings, new DoorFiles(settings), () -> {});
        if (left.adopt()) {
            left.kill();
        }
    }

    /** Lets go what an earlier agent held, and looks after the door from now on. */
    public void start() {
        execute(() -> {
            if (process.adopt()) {
                LOG.info("An earlier door runs on");
            }
        });
        var _ = thread.scheduleWithFixedDelay(guarded(this::look), 0, LOOK_MILLIS, TimeUnit.MILLISECONDS);
    }

    // ---- what it is to be

    @Override
    public CompletableFuture<Void> hold(long drainMillis, long holdMillis) {
        Hold mine = new Hold(false);
        execute(() -> {
            begin(mine);
            after(drainMillis, () -> {
                if (hold == mine && !mine.drained.isDone()) {
                    end(mine, "transactions did not end within " + drainMillis + " ms");
                    settle();
                }
            });
            after(holdMillis, () -> {
                if (hold == mine) {
                    LOG.warn("The door was held for {} ms, and opens by itself", holdMillis);
                    end(mine, "held for too long");
                    settle();
                }
            });
            settle();
        });
        return mine.drained;
    }

    private void begin(Hold next) {
        end(hold, "held anew");
        hold = next;
        if (process.isAlive() && !pausing) {
            // Before all else: clients are being sent away.
            pause(next);
        }
    }

    private void startle(Upstream ended) {
        if (closed || !ended.equals(primary)) {
            return;
        }
        gone = true;
        if (hold != null) {
            return;
        }
        LOG.info("The primary's PostgreSQL has ended, or cannot be reached: held for a moment");
        Hold mine = new Hold(true);
        begin(mine);
        after(STARTLED_MILLIS, () -> {
            if (hold == mine) {
                end(mine, "nobody had it held for longer");
                settle();
            }
        });
        settle();
    }

    /** The primary that startled it is there, or there again. */
    private void calm(Upstream there) {
        if (!there.equals(primary)) {
            return;
        }
        gone = false;
        Hold mine = hold;
        if (mine != null && mine.startled) {
            end(mine, "the primary is there");
        }
        settle();
    }

    @Override
    public CompletableFuture<Void> openTo(Upstream to) {
        CompletableFuture<Void> opened = new CompletableFuture<>();
        execute(() -> {
            end(hold, "opened meanwhile");
            gone &= to.equals(primary);
            primary = to;
            watch.watch(to);
            opening.add(opened);
            after(OPENS_WITHIN.toMillis(), () -> opened.complete(null));
            settle();
        });
        return opened;
    }

    @Override
    public Status status() {
        return status;
    }

    private void end(@Nullable Hold over, String why) {
        if (over == null || hold != over) {
            return;
        }
        hold = null;
        if (!over.drained.isDone()) {
            // PgBouncer does not answer a PAUSE that was resumed meanwhile.
            pauses.close();
            over.drained.completeExceptionally(new TimeoutException(why));
        }
    }

    // ---- bringing it there

    private void look() {
        if (!asking) {
            asking = true;
            Thread.ofVirtual().start(this::ask);
        }
        settle();
    }

    private void ask() {
        Map<String, String> read;
        try {
            read = secrets.read();
        } catch (Exception away) {
            read = null;
        }
        Map<String, String> found = read;
        execute(() -> {
            asking = false;
            if (found != null && !found.equals(known)) {
                known = Map.copyOf(found);
                settle();
            }
        });
    }

    /** Has PgBouncer be as it is to be, as far as that can be done now. */
    private void settle() {
        if (closed) {
            return;
        }
        String problem = "";
        try {
            steer();
            failingSince = 0;
        } catch (Unsteerable e) {
            problem = unsteered(e);
        } catch (Shut | IOException e) {
            problem = String.valueOf(e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        if (!problem.isEmpty() && !problem.equals(status.problem())) {
            LOG.warn("The door is down: {}", problem);
        }
        Hold held = hold;
        if (held != null && !problem.isEmpty() && !process.isAlive()) {
            // Nobody comes through.
            held.drained.complete(null);
        }
        status = new Status(held == null ? null : held.since, problem);
    }

    private String unsteered(Unsteerable e) {
        console.close();
        if (hasStarted && !hasHad(COMES_UP)) {
            after(SOON_MILLIS, this::settle);
            return status.problem();
        }
        long now = System.nanoTime();
        failingSince = failingSince == 0 ? now : failingSince;
        Duration patience = hold == null && opening.isEmpty() ? STEERED : STEERED_IN_HASTE;
        if (now - failingSince < patience.toNanos()) {
            after(SOON_MILLIS, this::settle);
            return status.problem();
        }
        failingSince = 0;
        LOG.warn("The door cannot be steered ({}): it is started anew", e.getMessage());
        pauses.close();
        process.kill();
        hasStarted = false;
        after(SOON_MILLIS, this::settle);
        return "it could not be steered, and is started anew: " + e.getMessage();
    }

    private boolean hasHad(Duration since) {
        return System.nanoTime() - startedAt >= since.toNanos();
    }

    private void steer() throws Unsteerable, Shut, IOException, InterruptedException {
        Version found = program();
        String refused = new ClientRules(settings).problem();
        if (!refused.isEmpty()) {
            process.kill();
            throw new Shut(refused);
        }
        Upstream to = primary;
        if (to == null) {
            if (!process.isAlive()) {
                throw new Shut("no primary is known yet");
            }
            letGo();
            return;
        }
        Leads leads = new Leads(to, reader.get());
        files.makeFolder();
        if (process.isAlive() && files.needsRestart(found)) {
            LOG.info("The door is started anew, with other settings");
            process.kill();
            hasStarted = false;
        }
        if (files.write(found, leads, known)) {
            reloaded = false;
        }
        if (!process.isAlive()) {
            startProcess();
        }
        lead(leads);
    }

    /** What an earlier agent held, before it is known whom it leads to. */
    private void letGo() throws Unsteerable {
        try {
            if (hold == null) {
                resume(console.places(ANSWER));
            }
        } catch (IOException e) {
            throw new Unsteerable(String.valueOf(e.getMessage()));
        }
    }

    private void resume(Map<String, Place> places) throws IOException {
        for (Map.Entry<String, Place> place : places.entrySet()) {
            if (place.getValue().paused()) {
                console.execute("RESUME " + place.getKey(), ANSWER);
            }
        }
    }

    private Version program() throws Shut, IOException, InterruptedException {
        Path at = program;
        Version found = version;
        if (at != null && found != null && Files.isExecutable(at)) {
            return found;
        }
        at = DoorProcess.program();
        if (at == null) {
            throw new Shut("there is no program pgbouncer on this machine: install it, or set door.software to none");
        }
        found = DoorProcess.version(at);
        if (found == null || !found.isAtLeast(Version.OLDEST)) {
            throw new Shut(at + " is " + (found == null ? "no PgBouncer" : "PgBouncer " + found) + "; " + Version.OLDEST
                    + " or newer is needed");
        }
        program = at;
        version = found;
        return found;
    }

    private void startProcess() throws Shut, IOException {
        String complaint = process.complaint();
        if (hasStarted && !hasHad(AGAIN)) {
            throw new Shut(complaint.isEmpty() ? "it has ended, and is started again soon" : complaint);
        }
        console.close();
        pauses.close();
        Files.deleteIfExists(files.socket());
        startedAt = System.nanoTime();
        hasStarted = true;
        impatient = false;
        process.start(Objects.requireNonNull(program));
        LOG.info("PgBouncer {} is started at port {}", version, settings.port());
        reloaded = true;
    }

    private void lead(Leads leads) throws Unsteerable, Shut {
        try {
            lead(leads, process.complaint());
        } catch (IOException e) {
            throw new Unsteerable(String.valueOf(e.getMessage()));
        }
    }

    private void lead(Leads leads, String complaint) throws IOException, Unsteerable, Shut {
        if (!reloaded) {
            if (isConnecting()) {
                after(SOON_MILLIS, this::settle);
                return;
            }
            console.execute("RELOAD", ANSWER);
            impatient = false;
        }
        Map<String, Place> places = console.places(ANSWER);
        check(
                places.get(settings.database()),
                leads.primary().host(),
                leads.primary().port());
        check(places.get(settings.readDatabase()), leads.readHost(), leads.readPort());
        reloaded = true;
        if (!complaint.isEmpty()) {
            if (hasHad(AGAIN)) {
                process.kill();
            }
            throw new Shut(complaint);
        }
        Hold held = hold;
        setPatience(held != null || !gone);
        readersAtPrimary = leads.readsFromPrimary();
        if (held == null) {
            if (!pausing) {
                pauses.connect();
            }
            resume(places);
            opening.forEach(opened -> opened.complete(null));
            opening.clear();
        } else {
            Place place = places.get(settings.database());
            boolean paused = held.drained.isDone() && place != null && place.paused();
            if (!pausing && !paused) {
                pause(held);
            }
        }
    }

    /**
     * Whether a RELOAD has to wait. A connection that is being made to PostgreSQL is dropped by it, and taken for one that failed: where
     * there is no other one, whoever comes next is sent away.
     */
    private boolean isConnecting() throws IOException {
        long now = System.nanoTime();
        reloadDue = reloadDue == 0 ? now : reloadDue;
        Duration patience = hold == null && opening.isEmpty() ? CONNECTS : CONNECTS_IN_HASTE;
        if (now - reloadDue < patience.toNanos() && console.logins(ANSWER) > 0) {
            return true;
        }
        reloadDue = 0;
        return false;
    }

    /** Who waits for a primary that is gone, and nobody expects another one, is told so. */
    private void setPatience(boolean patient) throws IOException {
        if (patient == impatient) {
            int seconds = patient ? DoorFiles.WAITS_SECONDS : DoorFiles.WAITS_IN_VAIN_SECONDS;
            console.execute("SET query_wait_timeout = " + seconds, ANSWER);
            impatient = !patient;
        }
    }

    /** RELOAD says that it is done also when a file cannot be used. */
    private void check(@Nullable Place place, String host, int port) throws Unsteerable {
        if (place == null || !place.host().equals(host) || place.port() != port) {
            reloaded = false;
            throw new Unsteerable("it leads to " + (place == null ? "nowhere" : place.host() + ":" + place.port())
                    + " instead of " + host + ":" + port);
        }
    }

    private void pause(Hold held) {
        pausing = true;
        List<String> databases =
                readersAtPrimary ? List.of(settings.database(), settings.readDatabase()) : List.of(settings.database());
        pauses.pause(
                databases,
                problem -> execute(() -> {
                    pausing = false;
                    if (hold != held) {
                        settle();
                    } else if (problem.isEmpty()) {
                        held.drained.complete(null);
                    } else {
                        LOG.info("The door could not be held ({}): tried again", problem);
                        after(SOON_MILLIS, this::settle);
                    }
                }));
    }

    // ---- its thread

    private Runnable guarded(Runnable task) {
        return () -> {
            try {
                task.run();
            } catch (RuntimeException e) {
                LOG.error("The door's thread goes on after a failure", e);
            }
        };
    }

    private void execute(Runnable task) {
        try {
            thread.execute(guarded(task));
        } catch (RejectedExecutionException over) {
            // It is closed.
        }
    }

    private void after(long millis, Runnable task) {
        try {
            var _ = thread.schedule(guarded(task), millis, TimeUnit.MILLISECONDS);
        } catch (RejectedExecutionException over) {
            // It is closed.
        }
    }

    /** Leaves PgBouncer to the next agent, as an agent does that is killed. */
    void abandon() {
        closed = true;
        watch.close();
        thread.shutdownNow();
        console.close();
        pauses.close();
    }

    /** The cell stops, and its door with it. */
    @Override
    public void close() {
        closed = true;
        watch.close();
        execute(process::kill);
        thread.shutdown();
        try {
            var _ = thread.awaitTermination(3, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        console.close();
        pauses.close();
    }
}
