package org.cellkeeper.cell.postgres;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.IntConsumer;
import org.cellkeeper.cell.model.Busy;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.SyncSetting;
import org.cellkeeper.cell.model.Upstream;
import org.cellkeeper.cell.port.Database;
import org.cellkeeper.cell.port.DatabaseFailure;
import org.cellkeeper.cell.wire.DurableFiles;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The real PostgreSQL of this machine. Verbs run one after the other on a thread of their own, observations on another,
 * and the immediate stop on a third, which interrupts the verb in flight. Closing it leaves PostgreSQL as it is: the next agent
 * adopts it. It decides nothing, and never makes a client wait for anybody but a standby.
 */
public final class LocalPostgres implements Database, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(LocalPostgres.class);

    private final PostgresSettings settings;
    private final Sessions sessions;
    private final ControlData control;
    private final Postmaster postmaster;
    private final VerbSession session;
    private final ClosedPortResponder responder;
    private final PostmasterExitWatch exitWatch;
    private final WriteProbe probe;
    private final Observer observer;
    private final Housekeeping housekeeping;
    private final PostgresStrangers strangers;
    private final Provisioning provisioning;
    private final Starting starting;
    private final Following following;
    private final Promotion promotion;
    private final CommitRule commitRule;
    private final Slots slots;
    private final List<Runnable> listeners = new CopyOnWriteArrayList<>();
    private final Verbs verbs = new Verbs();
    private volatile boolean closed;

    /** The process id in {@code DatabaseView.postmaster}; 0 while none runs. */
    public static long pid(long postmaster) {
        return Postmaster.Run.pid(postmaster);
    }

    /**
     * What is wrong with further settings for the PostgreSQL in this folder, each in words; it is asked itself, and {@link DatabaseFailure} is
     * thrown when it cannot be.
     */
    public static List<String> problems(Path binDir, @Nullable String osUser, Map<String, String> extra) {
        return TrialSettings.problems(binDir, osUser, extra);
    }

    /** The same of further lines for pg_hba.conf. */
    public static List<String> problems(Path binDir, @Nullable String osUser, List<String> lines) {
        return TrialSettings.problems(binDir, osUser, lines);
    }

    /** Makes the folder that holds all of PostgreSQL's; its user can go there from this other one, whatever the umask is. */
    public static void makeWay(Path from, PostgresSettings settings) throws IOException {
        Path folder = DurableFiles.folderOf(settings.dataDir());
        Files.createDirectories(folder);
        if (settings.osUser() != null) {
            Files.setPosixFilePermissions(from, PosixFilePermissions.fromString("rwxr-xr-x"));
            Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-xr-x"));
        }
    }

    /** The settings that a configuration may not have, with the reason of each. */
    public static Map<String, String> ownedSettings() {
        return OwnedSettings.OWNED;
    }

    static String literal(String text) {
        return "'" + text.replace("'", "''") + "'";
    }

    /** The settings have been judged. */
    public LocalPostgres(PostgresSettings settings) {
        this.settings = settings;
        OwnedFiles files = new OwnedFiles(settings.osUser());
        Programs programs = new Programs(settings);
        Path logDir = settings.runDir().resolve("log");
        OwnedSettings owned;
        boolean shownAnew = false;
        try {
            files.makeFolder(settings.runDir(), "rwxr-xr-x");
            files.makeFolder(logDir, "rwxr-x---");
            owned = new OwnedSettings(settings, programs.version());
            if (owned.needsPassword()) {
                files.writeIfDifferent(settings.passFile(), owned.passLine());
            } else {
                files.delete(settings.passFile());
            }
            for (Map.Entry<String, String> shown : owned.tls().content().entrySet()) {
                shownAnew |= files.writeIfDifferent(Path.of(shown.getKey()), shown.getValue());
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        this.sessions = new Sessions(settings);
        DataDirectory data = new DataDirectory(settings.dataDir(), files);
        SettingsFile file = new SettingsFile(settings, owned, files, settings.dataDir());
        this.control = new ControlData(programs, settings.dataDir());
        this.postmaster =
                new Postmaster(programs, files, settings.dataDir(), logDir, sessions.socketLock(), this::gone);
        this.session = new VerbSession(sessions, postmaster, settings.timeouts().quickly());
        this.responder = new ClosedPortResponder(
                settings.listenHost(), settings.port(), settings.access().credentials());
        this.exitWatch = new PostmasterExitWatch(sessions, postmaster, this::gone);
        this.probe = new WriteProbe(
                data.volume(),
                String.valueOf(settings.dataDir().getFileName()),
                settings.timeouts().probe());
        Notices notices = new Notices();
        StreamCheck streamCheck = new StreamCheck(file, sessions);
        ForeignEdits edits = new ForeignEdits(file, programs, postmaster, notices);
        Reconfiguration reconfiguration = new Reconfiguration(
                settings,
                sessions,
                postmaster,
                files,
                data,
                edits,
                file,
                new ReplicationRole(settings, sessions, notices),
                streamCheck);
        this.observer = new Observer(
                sessions,
                postmaster,
                data,
                file,
                control,
                probe,
                reconfiguration,
                edits,
                notices,
                streamCheck,
                settings.timeouts().observe(),
                settings.access().encryption().demands());
        Instance instance = new Instance(settings, files, data, file, control, postmaster, session);
        this.provisioning = new Provisioning(instance, owned, programs, sessions, reconfiguration, observer);
        this.starting = new Starting(instance, owned, edits, responder, exitWatch, observer);
        this.following = new Following(instance, observer.detachment());
        this.promotion = new Promotion(instance, starting, following, new WalEnd(programs, data), exitWatch, observer);
        this.commitRule = new CommitRule(instance, observer.reloads());
        this.slots = new Slots(instance);
        this.housekeeping = new Housekeeping(logDir, reconfiguration, this::refuseClients);
        this.strangers = new PostgresStrangers(postmaster);
        probe.start();
        exitWatch.start();
        boolean renewed = shownAnew;
        verbs.between(() -> {
            instance.adoptSettings(sessions, renewed);
            edits.adopted();
        });
        settings.access().credentials().onRenewal(_ -> renewCertificate(file));
        settings.passwords().onStreaming(() -> renewPassword(file));
        housekeeping.start();
        strangers.start();
    }

    // ---- events

    @Override
    public void listen(Runnable somethingChanged) {
        listeners.add(somethingChanged);
    }

    private void gone() {
        listeners.forEach(Runnable::run);
        verbs.beside(() -> {
            try {
                postmaster.reap();
            } catch (RuntimeException e) {
                LOG.error("What the postmaster left behind cannot be ended", e);
            }
        });
    }

    /** Streams and sessions go on; whoever comes from now on is shown the new one. */
    private void renewCertificate(SettingsFile file) {
        if (closed) {
            return;
        }
        try {
            file.renewCertificate();
            Postmaster.Run run = postmaster.find();
            if (run != null) {
                postmaster.reload(run);
            }
        } catch (IOException | RuntimeException e) {
            // Whoever looks for foreign edits tries again.
            LOG.warn("PostgreSQL cannot be given the new certificate yet: {}", e.getMessage());
        }
    }

    private static void renewPassword(SettingsFile file) {
        try {
            file.renewPassword();
        } catch (IOException e) {
            LOG.warn("The password of the streams cannot be written: {}", e.getMessage());
        }
    }

    // ---- observing

    @Override
    public CompletableFuture<DatabaseView> observe() {
        return observer.observe();
    }

    @Override
    public CompletableFuture<DatabaseView> observeThoroughly() {
        return observer.observeThoroughly();
    }

    /** What observing has taken since the start. */
    public Busy looks() {
        return observer.looks();
    }

    // ---- verbs

    private CompletableFuture<DatabaseView> verb(String name, Verbs.Work work) {
        return verbs.run(name, work, observer::observe);
    }

    @Override
    public CompletableFuture<DatabaseView> initialise() {
        return verb("initialise", provisioning::initialise);
    }

    @Override
    public CompletableFuture<DatabaseView> cloneFrom(Upstream source, CellId self, IntConsumer percent) {
        return verb("clone", cancellation -> provisioning.cloneFrom(cancellation, source, self, percent));
    }

    @Override
    public CompletableFuture<DatabaseView> wipe() {
        return verb("wipe", _ -> provisioning.wipe());
    }

    @Override
    public CompletableFuture<DatabaseView> startPrimary() {
        return verb("start as primary", starting::primary);
    }

    @Override
    public CompletableFuture<DatabaseView> startStandby(@Nullable Upstream upstream, CellId self) {
        return verb("start as standby", cancellation -> starting.standby(cancellation, upstream, self));
    }

    @Override
    public CompletableFuture<DatabaseView> stopFast(long deadlineMillis) {
        return verb("stop", cancellation -> {
            session.forget();
            Postmaster.Run run = postmaster.find();
            if (run != null) {
                postmaster.signal("INT", List.of(run.pid()));
                if (!postmaster.awaitGone(cancellation, run, Duration.ofMillis(deadlineMillis))) {
                    LOG.warn("PostgreSQL has not stopped within {} ms: it is stopped immediately", deadlineMillis);
                    postmaster.killAll();
                }
            }
            postmaster.reap();
            control.forget();
        });
    }

    @Override
    public CompletableFuture<DatabaseView> stopImmediate() {
        return verbs.interrupt(
                "immediate stop",
                () -> {
                    postmaster.killAll();
                    control.forget();
                    // What is fenced does not start again soon.
                    holdPort();
                },
                observer::observe);
    }

    @Override
    public CompletableFuture<DatabaseView> follow(Upstream upstream, CellId self) {
        return verb("follow", cancellation -> following.follow(cancellation, upstream, self));
    }

    @Override
    public CompletableFuture<DatabaseView> unfollow() {
        return verb("unfollow", following::unfollow);
    }

    @Override
    public CompletableFuture<DatabaseView> promote(int higherThan) {
        return verb("promote", cancellation -> promotion.whileItRuns(cancellation, higherThan));
    }

    @Override
    public CompletableFuture<DatabaseView> promoteAtRest(SyncSetting setting, int higherThan) {
        return verb("promote from rest", cancellation -> promotion.fromRest(cancellation, setting, higherThan));
    }

    @Override
    public CompletableFuture<DatabaseView> readEnd() {
        return verb("read the end of the WAL", promotion::readEnd);
    }

    @Override
    public CompletableFuture<DatabaseView> applySync(SyncSetting setting) {
        // Whether it is in force already is what is asked next.
        return verbs.run(
                "commit rule", cancellation -> commitRule.apply(cancellation, setting), observer::observeThoroughly);
    }

    @Override
    public CompletableFuture<DatabaseView> setReadOnly(boolean readOnly) {
        return verb(
                readOnly ? "read-only" : "read-write", cancellation -> commitRule.setReadOnly(cancellation, readOnly));
    }

    @Override
    public CompletableFuture<DatabaseView> terminateOldSenders() {
        return verb("terminate old walsenders", commitRule::terminateOldSenders);
    }

    @Override
    public CompletableFuture<DatabaseView> keepSlots(CellId self, Set<CellId> siblings) {
        return verb("slots", cancellation -> slots.keep(cancellation, self, siblings));
    }

    @Override
    public CompletableFuture<Void> checkpoint(long deadlineMillis) {
        CompletableFuture<Void> written = new CompletableFuture<>();
        Thread.ofPlatform().name("postgres-checkpoint").daemon().start(() -> {
            try {
                postmaster.running();
                try (Connection waiting = sessions.open(
                        "checkpoint", settings.timeouts().quickly(), Duration.ofMillis(deadlineMillis + 1_000))) {
                    Sessions.execute(waiting, "SET statement_timeout = " + deadlineMillis, "CHECKPOINT");
                }
                written.complete(null);
            } catch (SQLException | RuntimeException e) {
                written.completeExceptionally(new DatabaseFailure("checkpoint: " + e.getMessage(), e));
            }
        });
        return written;
    }

    // ---- while it does not run

    /** Now and then, not at once: one that is about to start again needs its port, and all of the machine. */
    private void refuseClients() {
        if (verbs.isIdle()) {
            holdPort();
        }
    }

    /** Between verbs: none starts PostgreSQL meanwhile. */
    private void holdPort() {
        verbs.between(() -> {
            if (postmaster.find() == null) {
                responder.open();
            }
        });
    }

    /** Ends the adapter's threads and sessions. PostgreSQL goes on. */
    @Override
    public void close() {
        closed = true;
        verbs.interruptAll();
        exitWatch.close();
        probe.close();
        housekeeping.close();
        strangers.close();
        verbs.between(() -> {
            session.forget();
            responder.close();
        });
        verbs.close();
        observer.close();
    }
}
