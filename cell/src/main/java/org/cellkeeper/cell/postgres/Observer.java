package org.cellkeeper.cell.postgres;

import java.net.SocketTimeoutException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import org.cellkeeper.cell.model.Busy;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.DatabaseView.Process;
import org.cellkeeper.cell.model.DatabaseView.Receiver;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.SyncSetting;
import org.cellkeeper.cell.port.DatabaseFailure;
import org.jspecify.annotations.Nullable;

/**
 * Takes the observations, one at a time, on a thread of its own, over one kept session. A request joins an observation that
 * has not begun yet, never one that has. It changes nothing itself.
 */
final class Observer implements AutoCloseable {
    /** What the startup process waits for after it has asked in vain for more WAL, and before it asks again. */
    static final String RETRY_INTERVAL = "RecoveryRetrieveRetryInterval";

    private static final String WAL_STREAM = "RecoveryWalStream";

    /** The server is up, and takes no connections yet, or no more. */
    private static final String CANNOT_CONNECT_NOW = "57P03";

    private final Sessions sessions;
    private final Postmaster postmaster;
    private final DataDirectory data;
    private final SettingsFile file;
    private final ControlData control;
    private final WriteProbe probe;
    private final Reconfiguration reconfiguration;
    private final ForeignEdits edits;
    private final Notices notices;
    private final StreamCheck streamCheck;
    private final Duration patience;
    private final ExecutorService thread;
    private final AtomicReference<@Nullable CompletableFuture<DatabaseView>> notBegun = new AtomicReference<>();
    /** How often an upstream has been written; what was proven about there being none holds for one value only. */
    private final AtomicLong follows = new AtomicLong();

    private final Reloads reloads = new Reloads();
    private final Elapsed elapsed = new Elapsed();
    private @Nullable Kept kept;
    private Detachment detachment = new Detachment(Life.NONE, 0);
    /** The startup process that was seen at the end of its WAL; another one knows nothing of that. */
    private Life sawEnd = Life.NONE;

    private @Nullable OldestWal oldestWal;
    private long lastRun;
    /** The run of the postmaster that began with an empty upstream, and how often one had been written by then. */
    private volatile StartedDetached startedDetached = new StartedDetached(0, 0);

    private volatile DatabaseView.@Nullable Rest rest;
    private volatile Busy looks = Busy.NEVER;

    private record Kept(long run, Connection session, PreparedStatement statement) {}

    /**
     * The life of the processes that an observation is about: a crash of one child makes the postmaster start all of them anew, with
     * empty shared memory, while it goes on itself. What was learnt of one life is not known of the next (I1).
     *
     * @param startup the startup process of that life by pid and start; empty for a primary's
     */
    private record Life(long run, String startup) {
        static final Life NONE = new Life(0, "");
    }

    /** What is known while the upstream is empty on disk. */
    private static final class Detachment {
        final Life life;
        final long follows;
        boolean inForce;
        boolean proven;
        Lsn lastReplay = Lsn.ZERO;
        int advances = -1;

        Detachment(Life life, long follows) {
            this.life = life;
            this.follows = follows;
        }
    }

    /** All processes of this run come from a postmaster that has never known an upstream. */
    private record StartedDetached(long run, long follows) {}

    /** Where the WAL of one timeline began, when one run of the postmaster was last asked. */
    private record OldestWal(
            long run, int timeline, @Nullable Lsn from) {}

    /** The instance did not answer; how it is instead. */
    private static final class NoAnswer extends Exception {
        private static final long serialVersionUID = 1L;
        private final Process process;

        NoAnswer(Process process, String message, Throwable cause) {
            super(message, cause);
            this.process = process;
        }
    }

    Observer(
            Sessions sessions,
            Postmaster postmaster,
            DataDirectory data,
            SettingsFile file,
            ControlData control,
            WriteProbe probe,
            Reconfiguration reconfiguration,
            ForeignEdits edits,
            Notices notices,
            StreamCheck streamCheck,
            Duration patience) {
        this.sessions = sessions;
        this.postmaster = postmaster;
        this.data = data;
        this.file = file;
        this.control = control;
        this.probe = probe;
        this.reconfiguration = reconfiguration;
        this.edits = edits;
        this.notices = notices;
        this.streamCheck = streamCheck;
        this.patience = patience;
        this.thread = Executors.newSingleThreadExecutor(
                Thread.ofPlatform().name("postgres-observer").daemon().factory());
    }

    CompletableFuture<DatabaseView> observe() {
        CompletableFuture<DatabaseView> mine = new CompletableFuture<>();
        CompletableFuture<DatabaseView> waiting = notBegun.compareAndExchange(null, mine);
        if (waiting != null) {
            return waiting.copy();
        }
        thread.execute(() -> {
            notBegun.set(null);
            complete(mine, false);
        });
        return mine.copy();
    }

    CompletableFuture<DatabaseView> observeThoroughly() {
        CompletableFuture<DatabaseView> result = new CompletableFuture<>();
        thread.execute(() -> complete(result, true));
        return result;
    }

    /** What looking has taken since the start. */
    Busy looks() {
        return looks;
    }

    Reloads reloads() {
        return reloads;
    }

    /** To be called before an upstream is written. */
    void willFollow() {
        follows.incrementAndGet();
    }

    /** To be called when the postmaster has been started with an empty upstream. */
    void startedDetached(Postmaster.Run run) {
        startedDetached = new StartedDetached(run.id(), follows.get());
    }

    /** What was read of a stopped instance, or with null: it is about to be started, or replaced. */
    void atRest(DatabaseView.@Nullable Rest read) {
        rest = read;
    }

    private void complete(CompletableFuture<DatabaseView> result, boolean thoroughly) {
        long begun = System.nanoTime();
        try {
            DatabaseView seen = look(thoroughly);
            looks = looks.and(System.nanoTime() - begun);
            result.complete(seen);
        } catch (RuntimeException e) {
            result.completeExceptionally(new DatabaseFailure("the instance cannot be observed: " + e.getMessage(), e));
        }
    }

    private DatabaseView look(boolean thoroughly) {
        DatabaseView.Data present = data.state();
        long ruleWrites = reloads.writes();
        SettingsFile.Content content = present == DatabaseView.Data.PRESENT ? file.read() : null;
        List<String> problems = new ArrayList<>();
        Postmaster.Run run = postmaster.find();
        WriteProbe.Verdict writes = probe.verdict();
        if (!writes.problem().isEmpty()) {
            problems.add(writes.problem());
        }
        if (present == DatabaseView.Data.PRESENT && (content == null || content.sync() == null)) {
            problems.add("the settings file " + SettingsFile.NAME + " is not ours");
        }
        if (present == DatabaseView.Data.INCOMPLETE) {
            problems.add("the data directory is not complete: a clone or an initdb was cut off");
        }
        if (run != null) {
            problems.addAll(edits.putRight(run));
            problems.addAll(notices.now());
        }
        if (!reconfiguration.obstacle().isEmpty()) {
            problems.add(reconfiguration.obstacle());
        }
        long seenFollows = follows.get();
        Process process = Process.STOPPED;
        Observation seen = null;
        boolean fresh = false;
        if (run != null) {
            boolean detaching = content != null
                    && content.detached()
                    && data.startsAsStandby()
                    && !(detachment.life.run == run.id() && detachment.follows == seenFollows && detachment.inForce);
            fresh = thoroughly || detaching;
            try {
                seen = fresh ? askAnew() : ask(run);
                process = Process.RUNNING;
            } catch (NoAnswer e) {
                run = postmaster.find();
                process = run == null ? Process.STOPPED : e.process;
                if (run != null) {
                    problems.add("PostgreSQL does not answer: " + e.getMessage());
                }
            }
        }
        DatabaseView.Closed closed = null;
        if (run != null) {
            // Whoever started it: what lies on the disk changes from now on.
            rest = null;
            if (seen == null && data.startsAsStandby()) {
                closed = new DatabaseView.Closed(postmaster.hasChild(run, "walreceiver"));
            }
        }
        if (run == null) {
            forgetRun();
            if (!postmaster.isClean()) {
                process = Process.UNRESPONSIVE;
                problems.add("processes of a dead postmaster are still there");
            }
        } else {
            lastRun = run.id();
            String waits = reconfiguration.waitsForStart(run);
            if (!waits.isEmpty()) {
                problems.add(waits);
            }
        }
        DatabaseView.Primary primary = null;
        DatabaseView.Standby standby = null;
        DatabaseView.Role role = DatabaseView.Role.UNKNOWN;
        String rule = seen != null && fresh ? seen.sync() : null;
        SyncSetting inForce = rule == null ? null : SyncNames.inForce(rule);
        if (seen != null && run != null) {
            if (seen.flushed() != null) {
                role = DatabaseView.Role.PRIMARY;
                if (inForce != null && content != null && inForce.equals(content.sync())) {
                    reloads.seenInForce(ruleWrites, run.id(), pids(seen));
                }
                primary = primary(seen, seen.flushed(), run, thoroughly, problems);
            } else {
                role = DatabaseView.Role.STANDBY;
                standby = standby(seen, fresh, run, seenFollows, content, problems);
            }
        }
        String systemId = null;
        DatabaseView.Control atRest = null;
        if (seen != null) {
            systemId = seen.systemId();
            atRest = new DatabaseView.Control(
                    false,
                    seen.checkpointTimeline(),
                    seen.checkpoint(),
                    seen.checkpointTimeline(),
                    seen.flushed() == null);
        } else if (present == DatabaseView.Data.PRESENT) {
            ControlData.Content read = control.read();
            if (read != null) {
                systemId = read.systemId();
                atRest = read.control();
            } else {
                problems.add("pg_control cannot be read, or is torn");
            }
        }
        return new DatabaseView(
                present,
                process,
                role,
                run == null ? 0 : run.id(),
                systemId,
                atRest,
                data.startsAsStandby(),
                standby,
                primary,
                closed,
                run == null && process == Process.STOPPED ? rest : null,
                content == null ? null : content.upstream(),
                content == null ? null : content.sync(),
                inForce,
                content != null && content.readOnly(),
                seen == null ? Set.of() : seen.slots(),
                writes.writes(),
                run != null && reconfiguration.listensElsewhere(run),
                String.join("; ", problems));
    }

    private DatabaseView.@Nullable Primary primary(
            Observation seen, Lsn flushed, Postmaster.Run run, boolean thoroughly, List<String> problems) {
        Lsn start = data.startOf(seen.timeline());
        if (start == null) {
            problems.add("the history of timeline " + seen.timeline() + " cannot be read");
            return null;
        }
        OldestWal oldest = oldestWal;
        if (thoroughly || oldest == null || oldest.run != run.id() || oldest.timeline != seen.timeline()) {
            oldest = new OldestWal(run.id(), seen.timeline(), data.oldestWal());
            oldestWal = oldest;
        }
        Set<Integer> older = reloads.older(run.id(), pids(seen));
        List<DatabaseView.WalSender> senders = seen.senders().stream()
                .map(sender -> sender.olderThanReload(older.contains(sender.pid())))
                .toList();
        return new DatabaseView.Primary(seen.timeline(), start, flushed, senders, seen.waiting(), oldest.from);
    }

    private static Set<Integer> pids(Observation seen) {
        return seen.senders().stream().map(DatabaseView.WalSender::pid).collect(Collectors.toSet());
    }

    private DatabaseView.@Nullable Standby standby(
            Observation seen,
            boolean fresh,
            Postmaster.Run run,
            long seenFollows,
            SettingsFile.@Nullable Content content,
            List<String> problems) {
        Lsn replayed = seen.replayed();
        if (replayed == null) {
            problems.add("the standby has replayed nothing yet");
            return null;
        }
        Lsn received = seen.received() == null ? replayed : replayed.max(seen.received());
        Life life = new Life(run.id(), seen.startup());
        if (isAtItsEnd(seen, replayed)) {
            sawEnd = life;
        }
        long now = System.nanoTime();
        Observation.Receiving receiving = seen.receiving();
        // The slot is the proof of who is at the other end.
        boolean streaming = receiving != null
                && receiving.streaming()
                && (receiving.heard() || elapsed.lasts(receiving.pid(), now))
                && content != null
                && receiving.slot().equals(content.slot());
        Receiver receiver = isDetached(seen, fresh, life, seenFollows, content)
                ? Receiver.DETACHED
                : streaming ? Receiver.STREAMING : Receiver.WAITING;
        if (receiver == Receiver.WAITING && content != null) {
            String refused = streamCheck.words(content.upstream());
            if (!refused.isEmpty()) {
                problems.add(refused);
            }
        }
        int timeline = receiving != null && receiving.timeline() > 0
                ? receiving.timeline()
                : Math.max(data.timelineOfWalBefore(received), 0);
        return new DatabaseView.Standby(
                receiver,
                streaming && receiving != null ? elapsed.silentMillis(receiving.lastMessage(), now) : 0,
                sawEnd.equals(life),
                received,
                replayed,
                timeline > 0 ? timeline : seen.checkpointTimeline(),
                elapsed.replayLagMillis(received, replayed, now),
                standstill(seen));
    }

    /** In words, for the operator who is to end it. */
    private String standstill(Observation seen) {
        String pausedWith = seen.pausedWith();
        if (pausedWith == null) {
            return seen.inTheWay() == null ? "" : "replay waits for " + seen.inTheWay();
        }
        ControlData.Content said = control.read();
        List<String> tooLow = new ArrayList<>();
        for (String setting : pausedWith.split(" ", -1)) {
            String[] parts = setting.split("=", 2);
            Integer least = said == null ? null : said.required().get(parts[0]);
            if (parts.length == 2 && least != null && Integer.parseInt(parts[1]) < least) {
                tooLow.add(parts[0] + " is " + parts[1] + " here and " + least + " at the primary");
            }
        }
        return tooLow.isEmpty()
                ? "replay is paused: resume it with SELECT pg_wal_replay_resume()"
                : "replay is paused: " + String.join(", ", tooLow)
                        + "; restart this cell, which then starts PostgreSQL with what it needs";
    }

    /**
     * I1: whether this startup process has come to the end of the local WAL, by what it says itself: it waits for more, or a
     * walreceiver that it asked for (it does so at the end only) has received something and all of that is replayed. A replay that
     * merely stands still tells nothing: a conflict, a delay or a slow disk look the same.
     */
    private static boolean isAtItsEnd(Observation seen, Lsn replayed) {
        Lsn received = seen.received();
        return RETRY_INTERVAL.equals(seen.startupWaits())
                || WAL_STREAM.equals(seen.startupWaits())
                || (received != null && replayed.atLeast(received));
    }

    /**
     * I5: whether no walreceiver runs and none can come. The upstream must be empty on disk, and in a session that was opened
     * since: the postmaster forks no such session before it has signalled the startup process. After that, the startup process is
     * known to have read the signal before it could ask for a receiver when it is seen waiting for its retry interval (it has ended
     * the last receiver before, and reads signals after that wait), or when it has finished a second record (it reads signals before
     * each).
     */
    private boolean isDetached(
            Observation seen, boolean fresh, Life life, long seenFollows, SettingsFile.@Nullable Content content) {
        if (content == null || !content.detached() || !"".equals(seen.conninfo()) || seen.walReceiver()) {
            if (content == null || !content.detached() || !"".equals(seen.conninfo()) || detachment.proven) {
                detachment = new Detachment(Life.NONE, 0);
            }
            return false;
        }
        StartedDetached started = startedDetached;
        if (started.run == life.run && started.follows == seenFollows && follows.get() == seenFollows) {
            return true;
        }
        Detachment known = detachmentOf(life, seenFollows);
        detachment = known;
        known.inForce |= fresh;
        if (known.inForce && !known.proven) {
            Lsn replayed = seen.replayed();
            if (replayed != null && replayed.compareTo(known.lastReplay) > 0) {
                known.lastReplay = replayed;
                known.advances++;
            }
            known.proven = RETRY_INTERVAL.equals(seen.startupWaits()) || known.advances >= 2;
        }
        return known.proven && follows.get() == seenFollows;
    }

    private Detachment detachmentOf(Life life, long seenFollows) {
        if (detachment.life.equals(life) && detachment.follows == seenFollows) {
            return detachment;
        }
        Detachment next = new Detachment(life, seenFollows);
        // The postmaster has read the empty upstream, and is the one that starts the next startup process.
        next.inForce = detachment.inForce && detachment.life.run == life.run && detachment.follows == seenFollows;
        return next;
    }

    // ---- asking

    private Observation ask(Postmaster.Run run) throws NoAnswer {
        Kept session = kept;
        if (session != null && session.run == run.id()) {
            try {
                return Observation.take(session.statement);
            } catch (SQLException e) {
                forgetSession();
                if (isSilence(e)) {
                    throw noAnswer(e);
                }
                // Its server process went; whether PostgreSQL did, a new session tells.
            }
        }
        forgetSession();
        try {
            Connection opened = sessions.open("observer", patience, patience);
            Kept fresh;
            try {
                fresh = new Kept(run.id(), opened, Observation.prepare(opened));
            } catch (SQLException e) {
                Sessions.close(opened);
                throw e;
            }
            kept = fresh;
            return Observation.take(fresh.statement);
        } catch (SQLException e) {
            forgetSession();
            throw noAnswer(e);
        }
    }

    private Observation askAnew() throws NoAnswer {
        try (Connection session = sessions.open("observer-anew", patience, patience);
                PreparedStatement statement = Observation.prepare(session)) {
            return Observation.take(statement);
        } catch (SQLException e) {
            throw noAnswer(e);
        }
    }

    private NoAnswer noAnswer(SQLException e) {
        Postmaster.Run run = postmaster.find();
        Process process;
        if (CANNOT_CONNECT_NOW.equals(e.getSQLState())) {
            process = Process.STARTING;
        } else if (isSilence(e)) {
            process = Process.UNRESPONSIVE;
        } else {
            process = run != null && !postmaster.saysReady(run) ? Process.STARTING : Process.UNRESPONSIVE;
        }
        return new NoAnswer(process, String.valueOf(e.getMessage()), e);
    }

    private static boolean isSilence(Throwable e) {
        Throwable cause = e;
        for (int depth = 0; cause != null && depth < 10; depth++) {
            if (cause instanceof SocketTimeoutException) {
                return true;
            }
            cause = cause.getCause();
        }
        return false;
    }

    private void forgetSession() {
        Kept session = kept;
        kept = null;
        if (session != null) {
            Sessions.close(session.session);
        }
    }

    private void forgetRun() {
        forgetSession();
        if (lastRun != 0) {
            lastRun = 0;
            control.forget();
        }
    }

    @Override
    public void close() {
        thread.execute(this::forgetSession);
        thread.shutdown();
    }
}
