package org.cellkeeper.cell.postgres;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.IntConsumer;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.cellkeeper.cell.model.Busy;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.SyncSetting;
import org.cellkeeper.cell.model.Upstream;
import org.cellkeeper.cell.port.Database;
import org.cellkeeper.cell.port.DatabaseFailure;
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

    /** One that cannot start mostly ends within that. */
    private static final Duration STARTS_WITHIN = Duration.ofSeconds(2);

    private static final Duration STEP = Duration.ofMillis(2);
    private static final Duration CLEAR_EVERY = Duration.ofMillis(200);
    private static final Duration KILL_AFTER = Duration.ofSeconds(1);
    private static final int KEPT_LOGS = 10;
    private static final long REFUSED_WITHIN_SECONDS = 2;
    private static final long RECONFIGURED_WITHIN_SECONDS = 3;
    private static final Duration ADOPTING = Duration.ofSeconds(5);
    private static final int WAL_SEGMENT_MEGABYTES = 4;
    /** A sibling's slot on a primary that has never been used holds no WAL: after this long it is made anew, so that it does. */
    private static final Duration UNUSED_SLOT = Duration.ofSeconds(10);
    /** The source's agent makes a new sibling's slot as soon as it has read of it. */
    private static final Duration SLOT_WITHIN = Duration.ofSeconds(5);

    private static final Duration SLOT_STEP = Duration.ofMillis(200);

    private static final String END_SESSIONS_IN_THE_WAY =
            """
            WITH a AS MATERIALIZED (SELECT * FROM pg_stat_get_activity(NULL)),
                 s AS (SELECT * FROM a WHERE a.backend_type = 'startup')
            SELECT %s FROM s""".formatted(Observation.sessionsInTheWay("count(pg_terminate_backend(b.pid))"));

    private static final String DUPLICATE_OBJECT = "42710";
    private static final String OBJECT_IN_USE = "55006";
    /** What only a recovering instance can do was asked of another one. */
    private static final String NOT_IN_RECOVERY = "55000";

    private static final Pattern PROGRESS = Pattern.compile("\\s*([0-9]+)/([0-9]+) kB \\(([0-9]+)%\\).*");

    /** What a verb does; it throws when it does not come off. */
    private interface Work {
        void run(Cancellation cancellation) throws IOException, SQLException;
    }

    /** What is asked of a session. */
    private interface Question<T> {
        T ask(Connection session) throws SQLException;
    }

    private final PostgresSettings settings;
    private final OwnedSettings owned;
    private final OwnedFiles files;
    private final Programs programs;
    private final DataDirectory data;
    private final SettingsFile file;
    private final ControlData control;
    private final Postmaster postmaster;
    private final Sessions sessions;
    private final ClosedPortResponder responder;
    private final PostmasterExitWatch exitWatch;
    private final WriteProbe probe;
    private final ForeignEdits edits;
    private final Reconfiguration reconfiguration;
    private final Observer observer;
    private final WalEnd walEnd;
    private final Path passFile;
    private final Path logDir;
    private final List<Runnable> listeners = new CopyOnWriteArrayList<>();
    private final ExecutorService verbs = threadNamed("postgres-verbs");
    private final ExecutorService fence = threadNamed("postgres-fence");
    private final ScheduledExecutorService housekeeping = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().name("postgres-housekeeping").daemon().factory());

    // Verb thread only.
    private @Nullable Connection verbSession;
    private long verbSessionRun;
    private final Map<String, Long> unusedSince = new HashMap<>();
    private long unusedSinceRun;

    // Guarded by this.
    private long generation;
    private @Nullable Cancellation inFlight;

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

    /** The settings that a configuration may not have, with the reason of each. */
    public static Map<String, String> ownedSettings() {
        return OwnedSettings.OWNED;
    }

    /** The settings have been judged. */
    public LocalPostgres(PostgresSettings settings) {
        this.settings = settings;
        this.files = new OwnedFiles(settings.osUser());
        this.programs = new Programs(settings);
        this.passFile = settings.passFile();
        this.logDir = settings.runDir().resolve("log");
        try {
            files.makeFolder(settings.runDir(), "rwxr-xr-x");
            files.makeFolder(logDir, "rwxr-x---");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        this.owned = new OwnedSettings(settings, passFile, programs.version());
        try {
            files.writeIfDifferent(passFile, owned.passLine());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        this.sessions = new Sessions(settings);
        this.data = new DataDirectory(settings.dataDir(), files);
        this.file = new SettingsFile(settings, owned, files, settings.dataDir());
        this.control = new ControlData(programs, settings.dataDir());
        this.walEnd = new WalEnd(programs, data);
        this.postmaster =
                new Postmaster(programs, files, settings.dataDir(), logDir, sessions.socketLock(), this::gone);
        this.responder = new ClosedPortResponder(settings.listenHost(), settings.port());
        this.exitWatch = new PostmasterExitWatch(sessions, postmaster, this::gone);
        this.probe = new WriteProbe(
                data.volume(),
                String.valueOf(settings.dataDir().getFileName()),
                settings.timeouts().probe());
        Notices notices = new Notices();
        StreamCheck streamCheck = new StreamCheck(file, sessions);
        this.edits = new ForeignEdits(file, programs, postmaster, notices);
        this.reconfiguration = new Reconfiguration(
                settings,
                sessions,
                postmaster,
                files,
                data,
                edits,
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
                settings.timeouts().observe());
        probe.start();
        exitWatch.start();
        verbs.execute(this::adoptSettings);
        var _ = housekeeping.scheduleWithFixedDelay(
                reconfiguration::look, 0, RECONFIGURED_WITHIN_SECONDS, TimeUnit.SECONDS);
        var _ = housekeeping.scheduleWithFixedDelay(this::pruneLogs, 1, 60, TimeUnit.SECONDS);
        var _ = housekeeping.scheduleWithFixedDelay(
                this::refuseClients, REFUSED_WITHIN_SECONDS, REFUSED_WITHIN_SECONDS, TimeUnit.SECONDS);
    }

    /** A PostgreSQL that runs already was given its settings by an earlier agent, which may have been configured otherwise. */
    private void adoptSettings() {
        try {
            SettingsFile.Content content = file.read();
            if (postmaster.find() == null || content == null || content.sync() == null || !file.isStale(content)) {
                return;
            }
            file.write(content);
            file.prepare();
            try (Connection session = sessions.open("settings", ADOPTING, ADOPTING);
                    Statement statement = session.createStatement()) {
                statement.execute("SELECT pg_reload_conf()");
            }
            LOG.info("PostgreSQL was told the settings that are configured now");
        } catch (IOException | SQLException | RuntimeException e) {
            LOG.warn("PostgreSQL cannot be told the settings that are configured now: {}", e.getMessage());
        }
    }

    private static ExecutorService threadNamed(String name) {
        return Executors.newSingleThreadExecutor(
                Thread.ofPlatform().name(name).daemon().factory());
    }

    // ---- events

    @Override
    public void listen(Runnable somethingChanged) {
        listeners.add(somethingChanged);
    }

    private void gone() {
        listeners.forEach(Runnable::run);
        try {
            fence.execute(() -> {
                try {
                    postmaster.reap();
                } catch (RuntimeException e) {
                    LOG.error("What the postmaster left behind cannot be ended", e);
                }
            });
        } catch (RejectedExecutionException e) {
            // The agent closes.
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

    // ---- verbs: how they run

    private CompletableFuture<DatabaseView> verb(String name, Work work) {
        return verb(name, work, observer::observe);
    }

    private CompletableFuture<DatabaseView> verb(
            String name, Work work, Supplier<CompletableFuture<DatabaseView>> afterwards) {
        CompletableFuture<DatabaseView> result = new CompletableFuture<>();
        long asked;
        synchronized (this) {
            asked = generation;
        }
        verbs.execute(() -> {
            Cancellation cancellation = new Cancellation();
            synchronized (this) {
                if (asked != generation) {
                    cancellation.cancel();
                }
                inFlight = cancellation;
            }
            try {
                cancellation.check();
                work.run(cancellation);
            } catch (IOException | SQLException | RuntimeException e) {
                result.completeExceptionally(failure(name, e, cancellation));
                return;
            } finally {
                synchronized (this) {
                    inFlight = null;
                    notifyAll();
                }
            }
            // Begun after the verb's end: what it shows is not older.
            pass(afterwards.get(), result);
        });
        return result;
    }

    private static void pass(CompletableFuture<DatabaseView> observation, CompletableFuture<DatabaseView> result) {
        var _ = observation.whenComplete((view, problem) -> {
            if (problem == null) {
                result.complete(view);
            } else {
                result.completeExceptionally(problem);
            }
        });
    }

    private DatabaseFailure failure(String verb, Exception e, Cancellation cancellation) {
        String words = cancellation.isCancelled() ? "interrupted by an immediate stop" : String.valueOf(e.getMessage());
        DatabaseFailure failure = new DatabaseFailure(verb + ": " + words, e);
        // Told by whoever asked for it.
        LOG.debug("{}", failure.getMessage());
        return failure;
    }

    private <T> T sql(Cancellation cancellation, Question<T> question) throws SQLException {
        Postmaster.Run run = running();
        Connection session = verbSession;
        if (session != null && verbSessionRun == run.id()) {
            try (Cancellation.Registration _ = cancellation.onCancel(() -> abort(session))) {
                return question.ask(session);
            } catch (SQLException e) {
                if (cancellation.isCancelled() || isAlive(session)) {
                    throw e;
                }
                // The server process of the kept session went before this question reached it.
            }
        }
        forgetVerbSession();
        Connection opened = sessions.open("verbs", quickly(), quickly());
        verbSession = opened;
        verbSessionRun = run.id();
        try (Cancellation.Registration _ = cancellation.onCancel(() -> abort(opened))) {
            return question.ask(opened);
        }
    }

    private static boolean isAlive(Connection session) {
        try {
            return session.isValid(1);
        } catch (SQLException e) {
            return false;
        }
    }

    private void forgetVerbSession() {
        Connection session = verbSession;
        verbSession = null;
        if (session != null) {
            Sessions.close(session);
        }
    }

    private static void abort(Connection session) {
        try {
            session.abort(Runnable::run);
        } catch (SQLException e) {
            Sessions.close(session);
        }
    }

    private static void execute(Connection session, String sql) throws SQLException {
        try (Statement statement = session.createStatement()) {
            statement.execute(sql);
        }
    }

    private static boolean isTrue(Connection session, String sql) throws SQLException {
        try (Statement statement = session.createStatement();
                ResultSet row = statement.executeQuery(sql)) {
            return row.next() && row.getBoolean(1);
        }
    }

    private Duration quickly() {
        return settings.timeouts().quickly();
    }

    // ---- what verbs ask for

    private Postmaster.Run running() {
        Postmaster.Run run = postmaster.find();
        if (run == null) {
            throw new DatabaseFailure("PostgreSQL is not running");
        }
        return run;
    }

    private void needStopped() {
        Postmaster.Run run = postmaster.find();
        if (run != null) {
            throw new DatabaseFailure("PostgreSQL is running (" + run.pid() + "): stop it first");
        }
        postmaster.reap();
    }

    private void needData() {
        DatabaseView.Data state = data.state();
        if (state != DatabaseView.Data.PRESENT) {
            throw new DatabaseFailure("the data directory is " + state);
        }
    }

    private SettingsFile.Content content() {
        SettingsFile.Content content = file.read();
        return content == null ? SettingsFile.Content.FIRST : content;
    }

    /** Writes the settings and, when PostgreSQL runs, makes it read them. */
    private void apply(Cancellation cancellation, SettingsFile.Content content) throws IOException, SQLException {
        cancellation.check();
        file.write(content);
        if (postmaster.find() != null) {
            reload(cancellation);
        }
    }

    private void reload(Cancellation cancellation) throws SQLException {
        Boolean signalled = sql(cancellation, session -> isTrue(session, "SELECT pg_reload_conf()"));
        if (!signalled) {
            throw new DatabaseFailure("PostgreSQL could not be told to reload its settings");
        }
    }

    // ---- verbs: a new instance

    @Override
    public CompletableFuture<DatabaseView> initialise() {
        return verb("initialise", cancellation -> {
            needStopped();
            if (data.state() == DatabaseView.Data.PRESENT) {
                throw new DatabaseFailure("there are data already");
            }
            owned.use(programs.version());
            Path incoming = data.beginReplacing();
            Path passwordFile = settings.runDir().resolve("initdb.password");
            files.write(passwordFile, settings.passwords().superuser() + "\n");
            try {
                expect(programs.run(
                        cancellation,
                        settings.timeouts().program(),
                        "initdb",
                        List.of(
                                "--pgdata=" + incoming,
                                "--username=" + PostgresSettings.SUPERUSER,
                                "--pwfile=" + passwordFile,
                                "--auth=scram-sha-256",
                                "--data-checksums",
                                // A promotion copies one, and each standby makes one, before a commit is acknowledged
                                // again.
                                "--wal-segsize=" + WAL_SEGMENT_MEGABYTES,
                                "--encoding=UTF8",
                                "--locale=C.UTF-8"),
                        Map.of(),
                        null));
            } finally {
                files.delete(passwordFile);
            }
            makeRoles(cancellation, incoming);
            SettingsFile first = new SettingsFile(settings, owned, files, incoming);
            first.write(SettingsFile.Content.FIRST);
            first.prepare();
            reconfiguration.noteGiven();
            cancellation.check();
            replaced();
        });
    }

    private void replaced() throws IOException {
        data.finishReplacing();
        control.forget();
        observer.atRest(null);
    }

    /** In a single-user session: nobody else can be there, and no password crosses a socket or a command line. */
    private void makeRoles(Cancellation cancellation, Path incoming) {
        String statements = """
                CREATE ROLE %1$s LOGIN REPLICATION PASSWORD %2$s;
                CREATE ROLE %3$s LOGIN PASSWORD %4$s;
                CREATE DATABASE %3$s OWNER %3$s;
                CREATE ROLE %5$s LOGIN PASSWORD %6$s;
                CREATE DATABASE %7$s OWNER %5$s;
                REVOKE ALL ON DATABASE %7$s FROM PUBLIC;
                """.formatted(
                        PostgresSettings.REPLICATION_ROLE,
                        literal(settings.passwords().replication()),
                        PostgresSettings.APPLICATION,
                        literal(settings.passwords().application()),
                        PostgresSettings.APP_ROLE,
                        literal(settings.passwords().app()),
                        PostgresSettings.APP_DATABASE);
        expect(programs.run(
                cancellation,
                settings.timeouts().program(),
                "postgres",
                List.of(
                        "--single",
                        "-D",
                        incoming.toString(),
                        "-c",
                        "exit_on_error=on",
                        "-c",
                        "log_min_error_statement=panic",
                        "-c",
                        "standard_conforming_strings=on",
                        "postgres"),
                Map.of(),
                statements));
    }

    static String literal(String text) {
        return "'" + text.replace("'", "''") + "'";
    }

    private static void expect(Programs.Result result) {
        if (result.exit() != 0) {
            throw new DatabaseFailure(result.lastWords());
        }
    }

    @Override
    public CompletableFuture<DatabaseView> cloneFrom(Upstream source, CellId self, IntConsumer percent) {
        return verb("clone", cancellation -> {
            needStopped();
            String slot = self.slotOn(source.primary());
            if (!cancellation.await(SLOT_WITHIN, SLOT_STEP, () -> hasSlot(source, slot))) {
                throw new DatabaseFailure("no slot " + slot + " at " + source.host() + ":" + source.port()
                        + ": the agent of " + source.primary().name()
                        + " has not made it yet, or it is another cell that answers there");
            }
            int version = versionAt(source);
            Programs theirs = programs.ofPrimary(version);
            Path incoming = data.beginReplacing();
            if (!cancellation.await(SLOT_WITHIN, SLOT_STEP, () -> makeSlotAnew(source, slot))) {
                throw new DatabaseFailure(
                        "the slot " + slot + " at " + source.primary().name()
                                + " is still in use, by a clone that was cut off, or by another cell that holds this cell's name");
            }
            List<String> arguments = List.of(
                    "--pgdata=" + incoming,
                    "--dbname=" + owned.conninfoOfClone(source, self),
                    "--slot=" + slot,
                    "--no-password",
                    "--wal-method=stream",
                    "--checkpoint=fast",
                    "--progress");
            percent.accept(0);
            expect(theirs.run(
                    cancellation,
                    Duration.ofDays(7),
                    "pg_basebackup",
                    arguments,
                    Map.of(),
                    null,
                    line -> {},
                    line -> progress(line, percent, incoming)));
            owned.use(version);
            SettingsFile first = new SettingsFile(settings, owned, files, incoming);
            files.write(incoming.resolve("standby.signal"), "");
            first.write(SettingsFile.Content.FIRST);
            first.prepare();
            cancellation.check();
            replaced();
            percent.accept(100);
        });
    }

    /** The major version of its PostgreSQL. */
    private int versionAt(Upstream source) throws SQLException {
        try (Connection session = sessions.openReplication(source.host(), source.port(), Duration.ofSeconds(5))) {
            return session.getMetaData().getDatabaseMajorVersion();
        }
    }

    /** Whether the source's agent has made it: so this is the source. It may have been lost since. */
    private boolean hasSlot(Upstream source, String slot) {
        try (Connection session = sessions.openReplication(source.host(), source.port(), Duration.ofSeconds(5));
                Statement statement = session.createStatement();
                ResultSet row = statement.executeQuery("READ_REPLICATION_SLOT " + slot)) {
            return row.next() && row.getString(1) != null;
        } catch (SQLException e) {
            throw new DatabaseFailure("cannot ask " + source.primary().name() + " for a slot: " + e.getMessage(), e);
        }
    }

    /**
     * The slot that this cell is to stream through keeps the WAL from the clone's beginning on: else what is written during the clone, or
     * between its end and the first stream, may be removed by then, and the next clone fares no better. What it kept for the old data is
     * needed no more. It holds none at first: the checkpoint that a clone begins with might lose it again for WAL from before.
     *
     * @return whether that is done; not while the slot is in use, by a clone that was cut off, say
     */
    private boolean makeSlotAnew(Upstream source, String slot) {
        try (Connection session = sessions.openReplication(source.host(), source.port(), Duration.ofSeconds(5));
                Statement statement = session.createStatement()) {
            statement.execute("DROP_REPLICATION_SLOT " + slot);
            statement.execute("CREATE_REPLICATION_SLOT " + slot + " PHYSICAL");
            return true;
        } catch (SQLException e) {
            // Made by the primary meanwhile: as good.
            if (DUPLICATE_OBJECT.equals(e.getSQLState())) {
                return true;
            }
            if (OBJECT_IN_USE.equals(e.getSQLState())) {
                return false;
            }
            throw new DatabaseFailure(
                    "cannot make the slot " + slot + " at " + source.primary().name() + " anew: " + e.getMessage(), e);
        }
    }

    private void progress(String line, IntConsumer percent, Path incoming) {
        Matcher matcher = PROGRESS.matcher(line);
        if (!matcher.matches()) {
            return;
        }
        try {
            long left = (Long.parseLong(matcher.group(2)) - Long.parseLong(matcher.group(1))) * 1024;
            // The old data are void already; they go early only when there is no room for both.
            if (Files.getFileStore(incoming).getUsableSpace() < left + 4 * WriteProbe.LEAST_SPACE) {
                data.dropOld();
            }
        } catch (IOException e) {
            LOG.warn("The old data cannot be removed to make room: {}", e.getMessage());
        }
        // 100 is said once the clone is in place.
        percent.accept(Math.min(99, Integer.parseInt(matcher.group(3))));
    }

    @Override
    public CompletableFuture<DatabaseView> wipe() {
        return verb("wipe", cancellation -> {
            needStopped();
            data.wipe();
            control.forget();
            observer.atRest(null);
        });
    }

    // ---- verbs: start and stop

    @Override
    public CompletableFuture<DatabaseView> startPrimary() {
        return verb("start as primary", cancellation -> {
            needStopped();
            needData();
            if (data.startsAsStandby()) {
                throw new DatabaseFailure("these data are a standby's: they become a primary's by promotion only");
            }
            // A file that is not ours, or an unreadable rule, becomes one that nobody can fulfil.
            SettingsFile.Content content = content();
            SyncSetting sync = content.sync() == null ? SyncSetting.NOBODY : content.sync();
            file.write(content.withSync(sync).withoutUpstream());
            awaitReady(cancellation, launch(cancellation, requiredOfAPrimary()));
        });
    }

    /** Prepared transactions must find the room that they had; those of before a crash may be known to the WAL alone. */
    private Map<String, Integer> requiredOfAPrimary() throws IOException {
        ControlData.Content read = control.read();
        String name = "max_prepared_transactions";
        Integer had = read == null ? null : read.required().get(name);
        if (read == null || had == null || (read.control().cleanlyShutDown() && !data.hasPreparedTransactions())) {
            return Map.of();
        }
        Map<String, Integer> required = Map.of(name, had);
        owned.raised(required)
                .forEach((setting, value) ->
                        LOG.info("{} is started as {}: prepared transactions need it", setting, value));
        return required;
    }

    @Override
    public CompletableFuture<DatabaseView> startStandby(@Nullable Upstream upstream, CellId self) {
        return verb("start as standby", cancellation -> {
            needStopped();
            needData();
            if (upstream != null) {
                observer.detachment().willFollow();
            }
            data.becomeStandby();
            ControlData.Content read = control.read();
            if (read != null) {
                data.removeDanglingFabrications(read.control().timeline());
            }
            SettingsFile.Content content = content().withSync(SyncSetting.NOBODY);
            file.write(upstream == null ? content.withoutUpstream() : following(content, upstream, self));
            Postmaster.Run run = launch(cancellation, requiredOfAStandby());
            if (upstream == null) {
                observer.detachment().started(run.id());
            }
            // It may have much to replay, or let nobody in for good: other verbs do not wait for that.
            var _ = awaitWhileRunning(cancellation, run, STARTS_WITHIN, () -> postmaster.saysReady(run));
            exitWatch.poke();
        });
    }

    /** The primary's settings of which a standby must not have less, as it last told them in its WAL. */
    private Map<String, Integer> requiredOfAStandby() {
        ControlData.Content read = control.read();
        Map<String, Integer> required = read == null ? Map.of() : read.required();
        owned.raised(required)
                .forEach((name, value) -> LOG.info("{} is started as {}: the primary has it so", name, value));
        return required;
    }

    private Postmaster.Run launch(Cancellation cancellation, Map<String, Integer> required) throws IOException {
        file.prepare();
        edits.judgeAtRest();
        responder.close();
        observer.atRest(null);
        return postmaster.start(cancellation, owned.commandLine(settings.dataDir(), required));
    }

    private void awaitReady(Cancellation cancellation, Postmaster.Run run) {
        awaitWhileRunning(
                cancellation,
                run,
                settings.timeouts().start(),
                "PostgreSQL does not take connections",
                () -> postmaster.saysReady(run));
        exitWatch.poke();
    }

    /** Says whether it came to that; fails when PostgreSQL goes. */
    private boolean awaitWhileRunning(
            Cancellation cancellation, Postmaster.Run run, Duration limit, BooleanSupplier condition) {
        return cancellation.await(limit, STEP, () -> {
            if (!run.equals(postmaster.find())) {
                control.forget();
                throw new DatabaseFailure("PostgreSQL did not come up: " + postmaster.lastWords());
            }
            return condition.getAsBoolean();
        });
    }

    private void awaitWhileRunning(
            Cancellation cancellation,
            Postmaster.Run run,
            Duration limit,
            String otherwise,
            BooleanSupplier condition) {
        if (!awaitWhileRunning(cancellation, run, limit, condition)) {
            throw new DatabaseFailure(otherwise + " after " + limit.toSeconds() + " s; it is left running");
        }
    }

    @Override
    public CompletableFuture<DatabaseView> stopFast(long deadlineMillis) {
        return verb("stop", cancellation -> {
            forgetVerbSession();
            Postmaster.Run run = postmaster.find();
            if (run != null) {
                postmaster.signal("INT", List.of(run.pid()));
                if (!postmaster.awaitGone(cancellation, run, Duration.ofMillis(deadlineMillis))) {
                    LOG.warn("PostgreSQL has not stopped within {} ms: it is stopped immediately", deadlineMillis);
                    postmaster.killAll(KILL_AFTER);
                }
            }
            postmaster.reap();
            control.forget();
        });
    }

    @Override
    public CompletableFuture<DatabaseView> stopImmediate() {
        synchronized (this) {
            generation++;
            Cancellation verb = inFlight;
            if (verb != null) {
                Thread.ofVirtual().start(verb::cancel);
            }
        }
        CompletableFuture<DatabaseView> result = new CompletableFuture<>();
        fence.execute(() -> {
            try {
                cancelInFlight();
                postmaster.killAll(KILL_AFTER);
                control.forget();
                // What is fenced does not start again soon.
                holdPort();
            } catch (RuntimeException e) {
                result.completeExceptionally(new DatabaseFailure("immediate stop: " + e.getMessage(), e));
                return;
            }
            pass(observer.observe(), result);
        });
        return result;
    }

    private void cancelInFlight() {
        Cancellation verb;
        synchronized (this) {
            verb = inFlight;
        }
        if (verb != null) {
            verb.cancel();
        }
    }

    // ---- verbs: replication

    @Override
    public CompletableFuture<DatabaseView> follow(Upstream upstream, CellId self) {
        return verb("follow", cancellation -> {
            needStandby(cancellation);
            observer.detachment().willFollow();
            apply(cancellation, following(content(), upstream, self));
        });
    }

    private SettingsFile.Content following(SettingsFile.Content content, Upstream upstream, CellId self) {
        return content.withUpstream(upstream, owned.conninfo(upstream, self), self.slotOn(upstream.primary()));
    }

    @Override
    public CompletableFuture<DatabaseView> unfollow() {
        return verb("unfollow", cancellation -> {
            needData();
            apply(cancellation, content().withoutUpstream());
            if (postmaster.find() != null) {
                clearTheWay(cancellation);
            }
        });
    }

    /**
     * A replay that is paused, or waits for readers, would neither notice a reload soon nor come to the end of its WAL. (Paused for
     * want of a setting, PostgreSQL ends when it is resumed: then it is read at rest.)
     */
    private void clearTheWay(Cancellation cancellation) throws SQLException {
        sql(cancellation, session -> {
            clearTheWay(session);
            return true;
        });
    }

    static void clearTheWay(Connection session) throws SQLException {
        try {
            if (isTrue(session, "SELECT pg_is_in_recovery()")) {
                if (isTrue(session, "SELECT pg_is_wal_replay_paused()")) {
                    execute(session, "SELECT pg_wal_replay_resume()");
                }
                execute(session, END_SESSIONS_IN_THE_WAY);
            }
        } catch (SQLException e) {
            // It may be promoted between any two of these: then nothing is in the way any more.
            if (!NOT_IN_RECOVERY.equals(e.getSQLState()) || isTrue(session, "SELECT pg_is_in_recovery()")) {
                throw e;
            }
        }
    }

    private void needStandby(Cancellation cancellation) throws SQLException {
        needData();
        if (!data.startsAsStandby()) {
            throw new DatabaseFailure("this is not a standby");
        }
        if (postmaster.find() != null && !sql(cancellation, session -> isTrue(session, "SELECT pg_is_in_recovery()"))) {
            throw new DatabaseFailure("this is not a standby");
        }
    }

    @Override
    public CompletableFuture<DatabaseView> promote(int higherThan) {
        return verb("promote", cancellation -> {
            running();
            needStandby(cancellation);
            DatabaseView before = observer.observe().join();
            DatabaseView.Standby standby = before.standby();
            if (standby == null) {
                throw new DatabaseFailure("this is not a running standby: " + before.problem());
            }
            if (!data.timelinesBeyond(standby.timeline(), standby.replayed()).isEmpty()) {
                // The startup process that runs may have one of them for its target already.
                cancellation.check();
                postmaster.killAll(KILL_AFTER);
                control.forget();
                SyncSetting sync = content().sync();
                promoteFromRest(cancellation, sync == null ? SyncSetting.NOBODY : sync, higherThan);
                return;
            }
            data.fabricateHistories(standby.timeline(), higherThan);
            sql(cancellation, session -> isTrue(session, "SELECT pg_promote(false)"));
            awaitPromoted(cancellation, running(), quickly());
        });
    }

    /** Whoever comes in meanwhile may keep replay from its end. */
    private void awaitPromoted(Cancellation cancellation, Postmaster.Run run, Duration limit) {
        long[] clearedAt = {System.nanoTime()};
        awaitWhileRunning(cancellation, run, limit, "still in recovery", () -> {
            if (!postmaster.saysReady(run)) {
                return false;
            }
            try {
                if (System.nanoTime() - clearedAt[0] > CLEAR_EVERY.toNanos()) {
                    clearTheWay(cancellation);
                    clearedAt[0] = System.nanoTime();
                }
                return !sql(cancellation, session -> isTrue(session, "SELECT pg_is_in_recovery()"));
            } catch (SQLException e) {
                throw new DatabaseFailure(String.valueOf(e.getMessage()), e);
            }
        });
    }

    @Override
    public CompletableFuture<DatabaseView> promoteAtRest(SyncSetting setting, int higherThan) {
        return verb("promote from rest", cancellation -> promoteFromRest(cancellation, setting, higherThan));
    }

    private void promoteFromRest(Cancellation cancellation, SyncSetting setting, int higherThan)
            throws IOException, SQLException {
        needStopped();
        needData();
        data.becomeStandby();
        ControlData.Content read = control.read();
        if (read == null) {
            throw new DatabaseFailure("pg_control cannot be read, or is torn");
        }
        int timeline = read.control().timeline();
        data.removeDanglingFabrications(timeline);
        if (!data.timelinesAbove(timeline).isEmpty()) {
            // Recovery would take one of them for its target, and stop where that one left the line of this WAL.
            List<Integer> others =
                    data.timelinesAbove(walEnd.read(cancellation, read).timeline());
            if (!others.isEmpty()) {
                LOG.info("The histories of timelines {} are removed: this cell's WAL is not of them", others);
                data.forgetTimelines(others);
            }
        }
        file.write(content().withSync(setting).withoutUpstream());
        Postmaster.Run run = launch(cancellation, requiredOfAStandby());
        observer.detachment().started(run.id());
        // It has chosen the timeline to follow before it replays: made-up histories mislead it no more.
        awaitWhileRunning(
                cancellation,
                run,
                settings.timeouts().start(),
                "it does not begin to recover",
                () -> postmaster.hasChild(run, "startup recovering")
                        || postmaster.hasChild(run, "startup waiting")
                        || postmaster.saysReady(run));
        data.fabricateHistories(timeline, higherThan);
        files.write(settings.dataDir().resolve("promote"), "");
        postmaster.signal("USR1", List.of(run.pid()));
        awaitPromoted(cancellation, run, settings.timeouts().start());
        exitWatch.poke();
    }

    @Override
    public CompletableFuture<DatabaseView> readEnd() {
        return verb("read the end of the WAL", cancellation -> {
            needStopped();
            needData();
            control.forget();
            ControlData.Content read = control.read();
            if (read == null) {
                throw new DatabaseFailure("pg_control cannot be read, or is torn");
            }
            observer.atRest(walEnd.read(cancellation, read));
        });
    }

    @Override
    public CompletableFuture<DatabaseView> applySync(SyncSetting setting) {
        // Whether it is in force already is what is asked next.
        return verb(
                "commit rule",
                cancellation -> {
                    needData();
                    observer.reloads().ruleWritten();
                    apply(cancellation, content().withSync(setting));
                    observer.reloads().ruleWritten();
                    if (postmaster.find() != null && !data.startsAsStandby()) {
                        wakeSyncWaiters(cancellation);
                    }
                },
                observer::observeThoroughly);
    }

    /**
     * A commit that waits is looked at again only when a standby tells what it has flushed. One that had flushed it before the rule
     * named it has nothing to tell, for up to wal_receiver_status_interval: some more WAL gives it something, if a commit waits. In a
     * new session, since the postmaster forks none before it has told the walsenders of the rule.
     */
    private void wakeSyncWaiters(Cancellation cancellation) throws SQLException {
        try (Connection session = sessions.open("verbs-anew", quickly(), quickly());
                Cancellation.Registration _ = cancellation.onCancel(() -> abort(session))) {
            execute(session, """
                    SELECT pg_logical_emit_message(true, 'cellkeeper', 'commit rule')
                     WHERE NOT pg_is_in_recovery()
                       AND EXISTS (SELECT FROM pg_stat_get_activity(NULL) a WHERE a.wait_event = 'SyncRep')""");
        }
    }

    @Override
    public CompletableFuture<DatabaseView> setReadOnly(boolean readOnly) {
        return verb(readOnly ? "read-only" : "read-write", cancellation -> {
            needData();
            apply(cancellation, content().withReadOnly(readOnly));
            if (readOnly && postmaster.find() != null) {
                // Terminated, not cancelled: a cancelled wait would tell the client that its commit is done.
                sql(cancellation, session -> {
                    execute(
                            session,
                            "SELECT pg_terminate_backend(pid) FROM pg_stat_get_activity(NULL)"
                                    + " WHERE wait_event = 'SyncRep'");
                    return true;
                });
            }
        });
    }

    @Override
    public CompletableFuture<DatabaseView> terminateOldSenders() {
        return verb("terminate old walsenders", cancellation -> {
            Postmaster.Run run = running();
            sql(cancellation, session -> {
                Set<Integer> all = walsenders(session);
                for (int pid : observer.reloads().older(run.id(), all)) {
                    execute(session, "SELECT pg_terminate_backend(" + pid + ")");
                }
                return true;
            });
        });
    }

    /** Those of standbys of ours. */
    private static Set<Integer> walsenders(Connection session) throws SQLException {
        Set<Integer> pids = new TreeSet<>();
        try (Statement statement = session.createStatement();
                ResultSet rows = statement.executeQuery("SELECT s.pid FROM pg_stat_get_wal_senders() s"
                        + " JOIN pg_stat_get_activity(NULL) a ON a.pid = s.pid"
                        + " WHERE a.application_name ~ '^[a-z][a-z0-9-]{0,29}[.][0-9a-f]{8}[.][0-9]+$'")) {
            while (rows.next()) {
                pids.add(rows.getInt(1));
            }
        }
        return pids;
    }

    @Override
    public CompletableFuture<Void> checkpoint(long deadlineMillis) {
        CompletableFuture<Void> written = new CompletableFuture<>();
        Thread.ofPlatform().name("postgres-checkpoint").daemon().start(() -> {
            try {
                running();
                try (Connection session =
                        sessions.open("checkpoint", quickly(), Duration.ofMillis(deadlineMillis + 1_000))) {
                    execute(session, "SET statement_timeout = " + deadlineMillis);
                    execute(session, "CHECKPOINT");
                }
                written.complete(null);
            } catch (SQLException | RuntimeException e) {
                written.completeExceptionally(new DatabaseFailure("checkpoint: " + e.getMessage(), e));
            }
        });
        return written;
    }

    /** A slot as it is kept. */
    private record Slot(String name, boolean active, boolean holdsWal, boolean lost) {}

    @Override
    public CompletableFuture<DatabaseView> keepSlots(CellId self, Set<CellId> siblings) {
        return verb("slots", cancellation -> {
            long run = running().id();
            if (run != unusedSinceRun) {
                unusedSinceRun = run;
                unusedSince.clear();
            }
            Set<String> wanted =
                    siblings.stream().map(sibling -> sibling.slotOn(self)).collect(Collectors.toSet());
            unusedSince.keySet().retainAll(wanted);
            sql(cancellation, session -> {
                keepSlots(session, self, wanted);
                return true;
            });
        });
    }

    private void keepSlots(Connection session, CellId self, Set<String> wanted) throws SQLException {
        boolean standby = isTrue(session, "SELECT pg_is_in_recovery()");
        Map<String, Slot> present = new HashMap<>();
        try (Statement statement = session.createStatement();
                ResultSet row = statement.executeQuery(
                        "SELECT slot_name, active, restart_lsn IS NOT NULL, wal_status = 'lost' FROM pg_get_replication_slots()"
                                + " WHERE slot_type = 'physical' AND NOT temporary")) {
            while (row.next()) {
                if (self.made(row.getString(1))) {
                    present.put(
                            row.getString(1),
                            new Slot(row.getString(1), row.getBoolean(2), row.getBoolean(3), row.getBoolean(4)));
                }
            }
        }
        for (Slot slot : present.values()) {
            if (!slot.active && (!wanted.contains(slot.name) || isToBeMadeAnew(slot, standby))) {
                drop(session, slot.name);
            }
        }
        for (String name : wanted) {
            // On a standby nobody would ever move it forward: it holds no WAL until it is used.
            try (PreparedStatement statement = session.prepareStatement("""
                    SELECT pg_create_physical_replication_slot(?, ?)
                     WHERE NOT EXISTS (SELECT 1 FROM pg_get_replication_slots() WHERE slot_name = ?)""")) {
                statement.setString(1, name);
                statement.setBoolean(2, !standby);
                statement.setString(3, name);
                statement.execute();
            }
        }
    }

    /** A lost slot refuses its cell for ever; a standby's must hold no WAL; a primary's must. */
    private boolean isToBeMadeAnew(Slot slot, boolean standby) {
        if (slot.lost || standby) {
            return slot.lost || slot.holdsWal;
        }
        if (slot.holdsWal) {
            unusedSince.remove(slot.name);
            return false;
        }
        // Not at once: its cell may be about to connect.
        long now = System.nanoTime();
        long since = unusedSince.computeIfAbsent(slot.name, name -> now);
        return now - since > UNUSED_SLOT.toNanos();
    }

    private static void drop(Connection session, String slot) throws SQLException {
        try (PreparedStatement statement = session.prepareStatement("SELECT pg_drop_replication_slot(?)")) {
            statement.setString(1, slot);
            statement.execute();
        } catch (SQLException e) {
            // 55006: it has come into use meanwhile; 42704: it has gone.
            if (!"55006".equals(e.getSQLState()) && !"42704".equals(e.getSQLState())) {
                throw e;
            }
        }
    }

    // ---- housekeeping

    /** Now and then, not at once: one that is about to start again needs its port, and all of the machine. */
    private void refuseClients() {
        synchronized (this) {
            if (inFlight != null) {
                return;
            }
        }
        holdPort();
    }

    /** Between verbs: none starts PostgreSQL meanwhile. */
    private void holdPort() {
        try {
            verbs.execute(() -> {
                if (postmaster.find() == null) {
                    responder.open();
                }
            });
        } catch (RejectedExecutionException e) {
            // The agent closes.
        }
    }

    private void pruneLogs() {
        try (DirectoryStream<Path> logs = Files.newDirectoryStream(logDir, "postgresql-*.log")) {
            List<Path> all = new ArrayList<>();
            logs.forEach(all::add);
            all.sort(null);
            for (Path log : all.subList(0, Math.max(0, all.size() - KEPT_LOGS))) {
                Files.deleteIfExists(log);
            }
        } catch (IOException e) {
            LOG.warn("Old logs cannot be removed: {}", e.getMessage());
        }
    }

    /** Ends the adapter's threads and sessions. PostgreSQL goes on. */
    @Override
    public void close() {
        synchronized (this) {
            generation++;
        }
        cancelInFlight();
        exitWatch.close();
        probe.close();
        housekeeping.shutdownNow();
        verbs.execute(() -> {
            forgetVerbSession();
            responder.close();
        });
        verbs.shutdown();
        observer.close();
        fence.shutdown();
    }
}
