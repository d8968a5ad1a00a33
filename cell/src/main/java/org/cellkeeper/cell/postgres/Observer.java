package org.cellkeeper.cell.postgres;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import org.cellkeeper.cell.model.Busy;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.DatabaseView.Receiver;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.SyncSetting;
import org.cellkeeper.cell.port.DatabaseFailure;
import org.jspecify.annotations.Nullable;

/**
 * Takes the observations, one at a time, on a thread of its own, over one kept session. A request joins an observation that
 * has not begun yet, never one that has. It changes no data and no setting itself; who streams under a false name is ended.
 */
final class Observer implements AutoCloseable {
    private final Postmaster postmaster;
    private final DataDirectory data;
    private final SettingsFile file;
    private final ControlData control;
    private final WriteProbe probe;
    private final Reconfiguration reconfiguration;
    private final ForeignEdits edits;
    private final Notices notices;
    private final StreamCheck streamCheck;
    private final ObserverSession session;
    private final Impostors impostors;
    private final ExecutorService thread;
    private final AtomicReference<@Nullable CompletableFuture<DatabaseView>> notBegun = new AtomicReference<>();
    private final Reloads reloads = new Reloads();
    private final Elapsed elapsed = new Elapsed();
    private final Detachment detachment = new Detachment();
    private final KnownEnd knownEnd = new KnownEnd();

    private @Nullable OldestWal oldestWal;
    private long lastRun;

    private volatile DatabaseView.@Nullable Rest rest;
    private volatile Busy looks = Busy.NEVER;

    /** Where the WAL of one timeline began, when one run of the postmaster was last asked. */
    private record OldestWal(
            long run, int timeline, @Nullable Lsn from) {}

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
            Duration patience,
            boolean certified) {
        this.postmaster = postmaster;
        this.data = data;
        this.file = file;
        this.control = control;
        this.probe = probe;
        this.reconfiguration = reconfiguration;
        this.edits = edits;
        this.notices = notices;
        this.streamCheck = streamCheck;
        this.session = new ObserverSession(sessions, postmaster, patience, certified);
        this.impostors = new Impostors(postmaster, notices);
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

    Detachment detachment() {
        return detachment;
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

    /**
     * What was found of the process.
     *
     * @param run null when none runs any more
     * @param seen null when it did not answer
     * @param starting whether one that did not answer starts
     * @param fresh whether it was seen in a session of its own
     */
    private record Found(
            Postmaster.@Nullable Run run, @Nullable Observation seen, boolean starting, boolean fresh) {}

    private DatabaseView look(boolean thoroughly) {
        DatabaseView.Data present = data.state();
        long ruleWrites = reloads.writes();
        // Before the file: an upstream that is written meanwhile is one that this look does not know of (I5).
        long seenFollows = detachment.follows();
        SettingsFile.Content content = present == DatabaseView.Data.PRESENT ? file.read() : null;
        List<String> problems = new ArrayList<>();
        Postmaster.Run begun = postmaster.find();
        WriteProbe.Verdict writes = probe.verdict();
        if (!writes.problem().isEmpty()) {
            problems.add(writes.problem());
        }
        complain(present, content, begun, problems);
        Found found = find(begun, thoroughly || isDetaching(begun, content, seenFollows), problems);
        Postmaster.Run run = found.run;
        Observation seen = found.seen;
        boolean orphaned = settle(run, problems);
        String rule = seen != null && found.fresh ? seen.sync() : null;
        SyncSetting inForce = rule == null ? null : SyncNames.inForce(rule);
        ControlData.Content read = seen == null && present == DatabaseView.Data.PRESENT ? control(problems) : null;
        boolean startsAsStandby = data.startsAsStandby();
        DatabaseView.Instance instance;
        if (run == null) {
            instance = orphaned ? new DatabaseView.Orphaned() : new DatabaseView.Stopped(rest);
        } else if (seen == null) {
            boolean receives = startsAsStandby && postmaster.hasChild(run, "walreceiver");
            instance = found.starting
                    ? new DatabaseView.Starting(run.id(), receives)
                    : new DatabaseView.Unresponsive(run.id(), receives);
        } else if (seen.flushed() == null) {
            instance = standby(seen, found.fresh, run, seenFollows, content, problems);
        } else {
            if (inForce != null && content != null && inForce.equals(content.sync())) {
                reloads.seenInForce(ruleWrites, run.id(), pids(seen));
            }
            impostors.end(run, seen.impostors());
            instance = primary(seen, seen.flushed(), run, thoroughly, problems);
        }
        return new DatabaseView(
                present,
                seen != null ? seen.systemId() : read != null ? read.systemId() : null,
                seen != null ? control(seen) : read != null ? read.control() : null,
                startsAsStandby,
                instance,
                content == null ? null : content.upstream(),
                content == null ? null : content.sync(),
                inForce,
                content != null && content.readOnly(),
                seen == null ? Set.of() : seen.slots(),
                writes.writes(),
                run != null && reconfiguration.listensElsewhere(run),
                String.join("; ", problems));
    }

    private void complain(
            DatabaseView.Data present,
            SettingsFile.@Nullable Content content,
            Postmaster.@Nullable Run run,
            List<String> problems) {
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
    }

    /** Whether a new session is to tell that there is no upstream any more. */
    private boolean isDetaching(
            Postmaster.@Nullable Run run, SettingsFile.@Nullable Content content, long seenFollows) {
        return run != null
                && content != null
                && content.detached()
                && data.startsAsStandby()
                && !detachment.isInForce(run.id(), seenFollows);
    }

    private Found find(Postmaster.@Nullable Run begun, boolean fresh, List<String> problems) {
        if (begun == null) {
            return new Found(null, null, false, false);
        }
        try {
            return new Found(begun, fresh ? session.askAnew() : session.ask(begun), false, fresh);
        } catch (ObserverSession.NoAnswer e) {
            Postmaster.Run run = postmaster.find();
            if (run != null) {
                problems.add("PostgreSQL does not answer: " + e.getMessage());
            }
            return new Found(run, null, e.isStarting(), fresh);
        }
    }

    /** Keeps in mind which run there is. Says whether a dead one has left processes behind. */
    private boolean settle(Postmaster.@Nullable Run run, List<String> problems) {
        if (run != null) {
            // Whoever started it: what lies on the disk changes from now on.
            rest = null;
            lastRun = run.id();
            String waits = reconfiguration.waitsForStart(run);
            if (!waits.isEmpty()) {
                problems.add(waits);
            }
            return false;
        }
        forgetRun();
        if (postmaster.isClean()) {
            return false;
        }
        problems.add("processes of a dead postmaster are still there");
        return true;
    }

    private ControlData.@Nullable Content control(List<String> problems) {
        ControlData.Content read = control.read();
        if (read == null) {
            problems.add("pg_control cannot be read, or is torn");
        }
        return read;
    }

    private static DatabaseView.Control control(Observation seen) {
        return new DatabaseView.Control(
                false, seen.checkpointTimeline(), seen.checkpoint(), seen.checkpointTimeline(), seen.flushed() == null);
    }

    private DatabaseView.Running primary(
            Observation seen, Lsn flushed, Postmaster.Run run, boolean thoroughly, List<String> problems) {
        Lsn start = data.startOf(seen.timeline());
        if (start == null) {
            problems.add("the history of timeline " + seen.timeline() + " cannot be read");
            return new DatabaseView.Unclear(run.id());
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
        return new DatabaseView.Primary(
                run.id(), seen.timeline(), start, flushed, senders, seen.waiting(), oldest.from);
    }

    private static Set<Integer> pids(Observation seen) {
        return seen.senders().stream().map(DatabaseView.WalSender::pid).collect(Collectors.toSet());
    }

    private DatabaseView.Running standby(
            Observation seen,
            boolean fresh,
            Postmaster.Run run,
            long seenFollows,
            SettingsFile.@Nullable Content content,
            List<String> problems) {
        Lsn replayed = seen.replayed();
        if (replayed == null) {
            problems.add("the standby has replayed nothing yet");
            return new DatabaseView.Unclear(run.id());
        }
        Lsn received = seen.received() == null ? replayed : replayed.max(seen.received());
        Life life = new Life(run.id(), seen.startup());
        long now = System.nanoTime();
        Observation.Receiving receiving = seen.receiving();
        // The slot is the proof of who is at the other end.
        boolean streaming = receiving != null
                && receiving.streaming()
                && (receiving.heard() || elapsed.lasts(receiving.pid(), now))
                && content != null
                && receiving.slot().equals(content.slot());
        boolean detached = detachment.isProven(new Detachment.Look(
                life,
                seenFollows,
                content != null && content.detached(),
                "".equals(seen.conninfo()),
                fresh,
                seen.walReceiver(),
                seen.startupWaits(),
                replayed));
        Receiver receiver = detached ? Receiver.DETACHED : streaming ? Receiver.STREAMING : Receiver.WAITING;
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
                run.id(),
                receiver,
                streaming && receiving != null ? elapsed.silentMillis(receiving.lastMessage(), now) : 0,
                knownEnd.isKnown(life, seen.startupWaits(), seen.received(), replayed),
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

    private void forgetRun() {
        session.forget();
        if (lastRun != 0) {
            lastRun = 0;
            control.forget();
        }
    }

    @Override
    public void close() {
        thread.execute(session::forget);
        thread.shutdown();
    }
}
