package org.cellkeeper.cell.loop;

import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import org.cellkeeper.cell.decide.Action;
import org.cellkeeper.cell.decide.Belief;
import org.cellkeeper.cell.decide.CellRules;
import org.cellkeeper.cell.decide.Checkpoints;
import org.cellkeeper.cell.decide.Memory;
import org.cellkeeper.cell.decide.Plan;
import org.cellkeeper.cell.decide.Rule;
import org.cellkeeper.cell.decide.SelfReport;
import org.cellkeeper.cell.decide.TakeoverWatch;
import org.cellkeeper.cell.decide.View;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.CellSettings;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.CoordinationView;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.HistoryEntry;
import org.cellkeeper.cell.model.Incarnation;
import org.cellkeeper.cell.model.LocalState;
import org.cellkeeper.cell.model.PeerLink;
import org.cellkeeper.cell.model.PeerView;
import org.cellkeeper.cell.model.Presence;
import org.cellkeeper.cell.model.SyncSetting;
import org.cellkeeper.cell.model.Takeover;
import org.cellkeeper.cell.model.VersionedState;
import org.cellkeeper.cell.port.Coordination.Outcome;
import org.cellkeeper.cell.port.Peers;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The heart of a cell: gathers what the ports tell into one {@link View}, has it decided, and carries out the plan. Owned by one
 * thread, the mailbox: every other thread only puts facts into it. It never waits, and it decides nothing.
 *
 * <p>At most one plan is carried out at a time. While a long action of it runs (a clone, a stop) deciding goes on, and a plan that
 * fences interrupts it.
 */
public final class CellLoop {
    private static final Logger LOG = LoggerFactory.getLogger(CellLoop.class);

    private static final long THOROUGH_EVERY = 5_000;
    private static final long HASTE_LASTS = 2_000;
    private static final long FIRST_RETRY = 50;
    private static final long LAST_RETRY = 5_000;
    /** How long the same plan is not repeated while what it wrote to ZooKeeper has not come back. */
    private static final long ECHO = 250;

    private static final long STOP_DEADLINE = 9_000;

    private static final String EMPTY_SERVER =
            "this cell's ZooKeeper server holds no data and votes for nobody until it has them from a leader: when a majority"
                    + " of the servers is so, stop them and copy zookeeper/data of a cell that has them";

    /** How long one that is not believed is listened to before another server is tried. */
    private static final long DISTRUST = 1_000;

    private volatile CellSettings settings;
    private final Executor mailbox;
    private final Ports ports;
    private final Function<View, Plan> decider;
    private final Supplier<Incarnation> newIncarnation;
    private final CompletableFuture<Void> stopped = new CompletableFuture<>();

    // All below belongs to the mailbox.
    private final DurableState durable;
    private CoordinationView coordination = CoordinationView.nothing();
    private long coordinationChanges;
    /** Why what ZooKeeper last told is not believed; empty when it is. */
    private String objection = "";

    private boolean tryingAnother;
    /** Whether this agent has been told the state of its own cluster. */
    private boolean hasBelieved;

    private @Nullable List<String> runsWith;
    private boolean serverIsEmpty;
    private String serverProblem = "";
    private @Nullable DatabaseView database;
    private final Map<CellName, PeerLink> peers = new HashMap<>();
    private Memory memory;
    private TakeoverWatch takeovers = TakeoverWatch.atStart();
    private boolean stopRequested;

    private @Nullable Run run;
    private long compareAndSets;
    private long verbsBegun;
    private long verbsDone;
    private boolean observing;
    private boolean observeAgain;
    private long thoroughAt;
    private boolean needsNewSession;
    private int progress;

    private int ruleNumber;
    private long ruleSince;
    private int failures;
    private final LastFailure lastFailure = new LastFailure();
    private long notBefore;
    private int doneRule;
    private int doneVersion;
    private long doneAt;
    private long doneCoordinationChanges;

    private long timer;
    private long timerAt = Long.MAX_VALUE;

    private @Nullable PeerView published;
    private long publishedAt;
    private @Nullable Presence presence;
    private Map<CellName, Address> connected = Map.of();
    private long announcedEpoch;

    private volatile @Nullable Snapshot snapshot;
    private volatile Consumer<Takeover> takeoverListener = takeover -> {};

    /** What the loop last saw and decided; for reading by other threads. */
    public record Snapshot(View view, Plan plan, PeerView self, TakeoverWatch takeovers) {}

    /** A plan that is being carried out, and the version of the state that it was made of. */
    private static final class Run {
        private final Plan plan;
        private final int version;
        private final ArrayDeque<Action> rest;
        private @Nullable Action current;

        Run(Plan plan, int version) {
            this.plan = plan;
            this.version = version;
            this.rest = new ArrayDeque<>(plan.actions());
        }
    }

    /**
     * @param mailbox runs tasks one after the other, on the thread that owns the loop
     * @param decider usually {@link CellRules#decide}
     */
    public CellLoop(
            CellSettings settings,
            Executor mailbox,
            Ports ports,
            Function<View, Plan> decider,
            Supplier<Incarnation> newIncarnation) {
        this.settings = settings;
        this.mailbox = mailbox;
        this.ports = ports;
        this.decider = decider;
        this.newIncarnation = newIncarnation;
        this.durable = new DurableState(ports.journal(), ports.clock(), mailbox, this::step);
        this.memory = Memory.atStart(ports.clock().millis());
        this.runsWith = settings.servers();
    }

    /** Reads the state file and begins; to be called once. */
    public void start() {
        mailbox.execute(() -> durable.begin(newIncarnation, this::begin));
    }

    private void begin() {
        ports.coordination().listen(view -> mailbox.execute(() -> heardOfZooKeeper(view)));
        ports.peers().listen(event -> mailbox.execute(() -> heardOfPeer(event)));
        ports.database().listen(() -> mailbox.execute(this::observe));
        observe();
        step();
    }

    /** As by SIGTERM: hands over when it should, stops PostgreSQL; completes when the agent may exit. */
    public CompletableFuture<Void> stop() {
        mailbox.execute(() -> {
            stopRequested = true;
            ports.clock().after(STOP_DEADLINE, () -> stopped.complete(null));
            step();
        });
        return stopped;
    }

    public CellName name() {
        return settings.name();
    }

    /** What was last seen and decided; null before the first decision. */
    public @Nullable Snapshot snapshot() {
        return snapshot;
    }

    /** Tells, on the loop's thread, how this cell has come to be primary, each time that it has. */
    public void onTakeover(Consumer<Takeover> listener) {
        takeoverListener = listener;
    }

    /** Runs a question on the loop's thread, with the view of this moment; null before the first. */
    public <T> CompletableFuture<T> ask(Function<@Nullable View, T> question) {
        CompletableFuture<T> answer = new CompletableFuture<>();
        mailbox.execute(() -> {
            try {
                answer.complete(question.apply(view()));
            } catch (RuntimeException e) {
                answer.completeExceptionally(e);
            }
        });
        return answer;
    }

    // ---- facts

    private void heardOfZooKeeper(CoordinationView told) {
        CoordinationView heard = believed(told);
        VersionedState read = heard.state();
        if (read != null) {
            durable.read(read);
        }
        coordination = withNewest(heard);
        coordinationChanges++;
        step();
    }

    /** I3: a lagging server's older answer is not taken for the state. */
    private CoordinationView withNewest(CoordinationView heard) {
        VersionedState newest = durable.newestRead();
        VersionedState read = heard.state();
        if (newest == null
                || (read != null
                        && (read.version() >= newest.version() || !DurableState.isOfOneCluster(read, newest)))) {
            return heard;
        }
        return heard.withState(newest);
    }

    /** The protocol's refinement (q): what is not the cluster's own ZooKeeper is as good as none. */
    private CoordinationView believed(CoordinationView told) {
        LocalState known = durable.known();
        VersionedState saved = known == null ? null : known.seen();
        VersionedState read = durable.newestRead();
        boolean readIsNewer = read != null && (saved == null || read.version() > saved.version());
        VersionedState own = readIsNewer ? read : saved;
        String found = Belief.objection(own, told, settings);
        VersionedState shown = told.state();
        // An agent that has only ever met another cluster's knows its data by it for those of another cluster (203).
        boolean foreign = !hasBelieved && own != null && shown != null && !DurableState.isOfOneCluster(own, shown);
        if (found.isEmpty() && !objection.isEmpty() && !(told.connected() && told.synced())) {
            // Nothing has been told since that would clear it.
            return foreign ? told.objectedTo(objection) : told.disbelieved(objection);
        }
        if (!found.equals(objection)) {
            if (found.isEmpty()) {
                LOG.info("ZooKeeper at {} is the cluster's own: it is believed again", told.server());
            } else {
                LOG.error("{}", found);
            }
            objection = found;
        }
        if (found.isEmpty()) {
            hasBelieved |= told.synced() && shown != null;
            return told;
        }
        if (foreign) {
            return told.objectedTo(found);
        }
        tryAnotherServer();
        return told.disbelieved(found);
    }

    /** After a while: the same server may only have been behind. */
    private void tryAnotherServer() {
        if (tryingAnother) {
            return;
        }
        tryingAnother = true;
        ports.clock().after(DISTRUST, () -> {
            tryingAnother = false;
            if (!objection.isEmpty()) {
                ports.coordination().distrust();
            }
        });
    }

    /**
     * How this cell's own ZooKeeper server is; any thread may tell.
     *
     * @param servers the hosts of those that it runs with; null while that is not known
     * @param empty whether it holds no data
     * @param problem what keeps it from running, in words; empty when nothing does
     */
    public void ownServer(@Nullable List<String> servers, boolean empty, String problem) {
        mailbox.execute(() -> {
            runsWith = servers;
            serverIsEmpty = empty;
            serverProblem = problem;
        });
    }

    /** What of the configuration is not used, in words, and why; any thread may tell. The status says it. */
    public void refuses(String words) {
        mailbox.execute(() -> {
            settings = settings.withServers(settings.servers(), words);
            step();
        });
    }

    private void heardOfPeer(Peers.Event event) {
        long now = ports.clock().millis();
        switch (event) {
            case Peers.Event.Heard(PeerView view) -> {
                PeerLink before = peers.get(view.cell().name());
                peers.put(view.cell().name(), new PeerLink(PeerLink.Status.CONNECTED, view, now));
                PeerView known = before == null ? null : before.view();
                boolean news = known == null
                        || before == null
                        || before.status() != PeerLink.Status.CONNECTED
                        || known.state() != view.state()
                        || known.health() != view.health()
                        || !Objects.equals(known.streamsFrom(), view.streamsFrom());
                if (news) {
                    if (self().equals(view.streamsFrom())) {
                        // An acknowledger, perhaps the first: look at once.
                        observe();
                    }
                    step();
                }
            }
            case Peers.Event.Gone(CellName cell) -> {
                PeerLink before = peers.getOrDefault(cell, PeerLink.unknown());
                peers.put(cell, new PeerLink(PeerLink.Status.GONE, before.view(), before.heardMillis()));
                // The cause may have taken the WAL stream too: look at once.
                observe();
                step();
            }
            case Peers.Event.Doubtful(CellName cell) -> {
                PeerLink before = peers.getOrDefault(cell, PeerLink.unknown());
                peers.put(cell, new PeerLink(PeerLink.Status.UNKNOWN, before.view(), before.heardMillis()));
                observe();
                step();
            }
        }
    }

    private void observe() {
        if (observing) {
            observeAgain = true;
            return;
        }
        observing = true;
        observeAgain = false;
        long begunAfter = verbsDone;
        long now = ports.clock().millis();
        // A verb under way ends with a look of its own, and thorough ones beside it would slow it down.
        boolean thorough = (needsNewSession && !verbRuns()) || database == null || now - thoroughAt >= THOROUGH_EVERY;
        if (thorough) {
            thoroughAt = now;
        }
        CompletableFuture<DatabaseView> seen = thorough
                ? ports.database().observeThoroughly()
                : ports.database().observe();
        whenDone(seen, (view, problem) -> {
            observing = false;
            if (problem != null) {
                LOG.warn("PostgreSQL could not be observed: {}", message(problem));
            } else if (begunAfter == verbsDone) {
                database = view;
            }
            if (observeAgain || (problem == null && begunAfter != verbsDone)) {
                observe();
            }
            step();
        });
    }

    private boolean verbRuns() {
        return verbsBegun > verbsDone;
    }

    // ---- deciding

    private @Nullable View view() {
        LocalState known = durable.known();
        DatabaseView seen = database;
        if (known == null || seen == null) {
            return null;
        }
        return new View(
                ports.clock().millis(),
                ports.clock().now(),
                settings,
                known,
                durable.isFailing(),
                coordination,
                seen,
                peers,
                memory,
                stopRequested);
    }

    private void step() {
        View before = view();
        if (before == null) {
            setTimer(settings.timing().tick().toMillis());
            return;
        }
        memory = memory.after(before);
        View view = view();
        if (view == null) {
            return;
        }
        Plan plan = decider.apply(view);
        noteRule(plan, view.now());
        watchTakeovers(view);
        boolean closer = plan.needsNewSession() && !needsNewSession;
        needsNewSession = plan.needsNewSession();
        carryOut(plan, view);
        if (closer && !verbRuns()) {
            observe();
        }
        tell(plan, view);
        if (stopRequested && run == null && CellRules.mayExit(view)) {
            stopped.complete(null);
        }
        setTimer(pace(plan, view.now()));
    }

    private void watchTakeovers(View view) {
        takeovers = takeovers.after(view);
        Takeover ended = takeovers.ended(view);
        if (ended != null && coordination.connected()) {
            takeovers = takeovers.told();
            LOG.info("{} {}", ended.sentence(), ended.detail());
            takeoverListener.accept(ended);
            tellHistory(ended.epoch(), 0, ended.sentence(), ended.detail(), ended.steps());
        }
    }

    /** An entry that ZooKeeper does not take is lost: the history tells, it does not decide. */
    private void tellHistory(long epoch, int rule, String sentence, String detail, List<HistoryEntry.Step> steps) {
        var ignored = ports.coordination()
                .appendHistory(
                        new HistoryEntry(ports.clock().now(), settings.name(), epoch, rule, sentence, detail, steps));
    }

    private void noteRule(Plan plan, long now) {
        Rule rule = plan.rule();
        if (rule.number() != ruleNumber) {
            ruleNumber = rule.number();
            ruleSince = now;
            failures = 0;
            notBefore = 0;
            if (rule.audience() != Rule.Audience.NOWHERE) {
                LOG.info("rule {}: {}{}", rule.number(), rule.sentence(), inBrackets(plan.detail()));
            } else {
                LOG.debug("rule {}: {}{}", rule.number(), rule.sentence(), inBrackets(plan.detail()));
            }
        }
    }

    private static String inBrackets(String detail) {
        return detail.isEmpty() ? "" : " [" + detail + "]";
    }

    private long pace(Plan plan, long now) {
        // What a verb has come to is told at its end: looking often meanwhile would only slow it down.
        boolean hasty = plan.rule().pace() == Rule.Pace.FAST && now - ruleSince < HASTE_LASTS && !verbRuns();
        return (hasty ? settings.timing().haste() : settings.timing().tick()).toMillis();
    }

    private void setTimer(long delay) {
        long at = ports.clock().millis() + delay;
        if (at >= timerAt) {
            return;
        }
        timerAt = at;
        long mine = ++timer;
        ports.clock().after(delay, () -> {
            if (mine == timer) {
                timerAt = Long.MAX_VALUE;
                observe();
                step();
            }
        });
    }

    // ---- acting

    private void carryOut(Plan plan, View view) {
        Run running = run;
        CellId obsolete = running == null ? null : obsoleteSource(running.current, view);
        if (obsolete != null) {
            LOG.info("{} is not the primary any more: its clone is given up", obsolete);
            run = null;
            whenDone(perform(new Action.StopImmediate()), (done, problem) -> step());
            return;
        }
        if (plan.actions().isEmpty()) {
            return;
        }
        if (running != null) {
            if (!interrupts(plan, running)) {
                return;
            }
            LOG.info("rule {} interrupts {}", plan.rule().number(), name(running.current));
            running.rest.clear();
        }
        long now = view.now();
        if (running == null && now < notBefore) {
            return;
        }
        boolean echo = plan.rule().number() == doneRule
                && view.version() == doneVersion
                && coordinationChanges == doneCoordinationChanges
                && now - doneAt < ECHO
                && waitsForZooKeeper(plan);
        if (running == null && echo) {
            return;
        }
        Run next = new Run(plan, view.version());
        run = next;
        proceed(next);
    }

    /** Whom a clone is made of that is not the primary any more: it would wait for minutes for one that may never answer. */
    private static @Nullable CellId obsoleteSource(@Nullable Action current, View view) {
        ClusterState state = view.state();
        if (state == null || !(current instanceof Action.CloneFrom clone)) {
            return null;
        }
        CellId source = clone.source().primary();
        return state.primary().equals(source) ? null : source;
    }

    /** A stop for fencing interrupts anything but another such stop. */
    private static boolean interrupts(Plan plan, Run running) {
        Action first = plan.actions().getFirst();
        Action current = running.current;
        if (plan.rule().number() == running.plan.rule().number() || current instanceof Action.StopImmediate) {
            return false;
        }
        return first instanceof Action.StopImmediate;
    }

    private static boolean waitsForZooKeeper(Plan plan) {
        return isForZooKeeper(plan.actions().getLast());
    }

    private static boolean isForZooKeeper(Action action) {
        return switch (action) {
            case Action.Cas ignored -> true;
            case Action.CreateState ignored -> true;
            case Action.TakeBirthLock ignored -> true;
            case Action.PublishVote ignored -> true;
            case Action.DeleteVotes ignored -> true;
            case Action.PutTask ignored -> true;
            default -> false;
        };
    }

    private void proceed(Run mine) {
        Action action = mine.rest.poll();
        mine.current = action;
        if (action != null && isStale(mine, action)) {
            run = null;
            step();
            return;
        }
        if (action == null) {
            finished(mine);
            return;
        }
        long begun = ports.clock().millis();
        whenDone(perform(action), (done, problem) -> {
            if (run != mine) {
                step();
                return;
            }
            if (problem == null) {
                LOG.debug("{} took {} ms", name(action), ports.clock().millis() - begun);
                if (mine.rest.isEmpty()) {
                    finished(mine);
                } else {
                    proceed(mine);
                }
            } else {
                failed(mine, action, problem);
            }
        });
    }

    /** I3: what follows a save is done only if it is still what the newest state asks for. */
    private boolean isStale(Run mine, Action action) {
        boolean first = mine.rest.size() + 1 == mine.plan.actions().size();
        boolean bindsToAReign = action instanceof Action.Follow
                || (action instanceof Action.StartStandby start && start.upstream() != null)
                || action instanceof Action.Promote
                || action instanceof Action.PromoteAtRest;
        View now = view();
        return !first
                && bindsToAReign
                && (now == null
                        || decider.apply(now).rule().number()
                                != mine.plan.rule().number());
    }

    private void finished(Run mine) {
        run = null;
        failures = 0;
        lastFailure.succeeded(mine.plan.rule().number());
        doneRule = mine.plan.rule().number();
        doneVersion = mine.version;
        doneAt = ports.clock().millis();
        doneCoordinationChanges = coordinationChanges;
        LocalState known = durable.known();
        VersionedState seen = known == null ? null : known.seen();
        Rule rule = mine.plan.rule();
        if (rule.audience() == Rule.Audience.HISTORY && seen != null && coordination.connected()) {
            tellHistory(seen.state().epoch(), rule.number(), rule.sentence(), mine.plan.detail(), List.of());
        }
        step();
    }

    private void failed(Run mine, Action action, Throwable problem) {
        run = null;
        failures++;
        long delay = action instanceof Action.StopImmediate
                ? FIRST_RETRY
                : Math.min(LAST_RETRY, FIRST_RETRY << Math.min(failures - 1, 10));
        notBefore = ports.clock().millis() + delay;
        if (problem instanceof DurableState.NotSaved) {
            // Told by whoever saves, and not at every try.
            LOG.debug("rule {}: {}: {}", mine.plan.rule().number(), name(action), message(problem));
        } else if (problem instanceof Refused || problem.getCause() instanceof Refused) {
            LOG.info("rule {}: {}: {}", mine.plan.rule().number(), name(action), message(problem));
        } else {
            int number = mine.plan.rule().number();
            lastFailure.failed(number, message(problem), ports.clock().now());
            if (lastFailure.isToBeLogged()) {
                LOG.warn("rule {}: {} failed: {}", number, name(action), message(problem));
            } else {
                LOG.debug("rule {}: {} failed: {}", number, name(action), message(problem));
            }
        }
        observe();
        step();
    }

    /** ZooKeeper did not take a write: nothing wrong, the world has moved on. */
    private static final class Refused extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Refused(Outcome outcome) {
            super("ZooKeeper answered " + outcome);
        }
    }

    private CompletableFuture<?> perform(Action action) {
        var base = ports.database();
        if (!objection.isEmpty() && isForZooKeeper(action)) {
            return CompletableFuture.failedFuture(new Refused(Outcome.NOT_SENT));
        }
        return switch (action) {
            case Action.Persist persist -> durable.save(persist.change());
            case Action.Cas cas -> compareAndSet(cas);
            case Action.CreateState create -> createState(create);
            case Action.TakeBirthLock() -> applied(ports.coordination().takeBirthLock());
            case Action.PublishVote vote -> applied(ports.coordination().publishVote(vote.vote()));
            case Action.DeleteVotes delete -> applied(ports.coordination().deleteVotes(delete.upToBallot()));
            case Action.PutTask put -> applied(ports.coordination().putTask(put.task()));
            case Action.InitDb() -> verb(base.initialise());
            case Action.CloneFrom clone -> {
                progress = 0;
                yield verb(
                        base.cloneFrom(clone.source(), self(), percent -> mailbox.execute(() -> progress = percent)));
            }
            case Action.StartPrimary() -> verb(base.startPrimary());
            case Action.StartStandby start ->
                settingUpstream(base.startStandby(start.upstream(), self()))
                        .thenAccept(seen -> memory = memory.wrote(
                                SyncSetting.NOBODY,
                                seen.postmaster(),
                                ports.clock().millis()));
            case Action.StopFast() ->
                verb(base.stopFast(settings.timing().stop().toMillis()));
            case Action.StopImmediate() -> verb(base.stopImmediate());
            case Action.Follow follow -> settingUpstream(base.follow(follow.upstream(), self()));
            case Action.Unfollow() -> settingUpstream(base.unfollow());
            case Action.Promote promote -> verb(base.promote(promote.higherThan()));
            case Action.PromoteAtRest promote ->
                settingUpstream(base.promoteAtRest(promote.setting(), promote.higherThan()))
                        .thenAccept(seen -> memory = memory.wrote(
                                promote.setting(),
                                seen.postmaster(),
                                ports.clock().millis()));
            case Action.ReadEnd() -> verb(base.readEnd());
            case Action.ApplySync apply ->
                verb(base.applySync(apply.setting()))
                        .thenAccept(seen -> memory = memory.wrote(
                                apply.setting(),
                                seen.postmaster(),
                                ports.clock().millis()));
            case Action.TerminateOldSenders() -> verb(base.terminateOldSenders());
            case Action.SetReadOnly set -> verb(base.setReadOnly(set.readOnly()));
            case Action.Checkpoint() -> {
                askForCheckpoint();
                yield CompletableFuture.completedFuture(null);
            }
            case Action.KeepSlots keep ->
                verb(base.keepSlots(self(), keep.siblings()))
                        .thenAccept(seen -> memory = memory.keptSlots(
                                keep.siblings(),
                                seen.postmaster(),
                                ports.clock().millis()));
            case Action.Wipe() -> verb(base.wipe());
            case Action.HoldDoor hold -> {
                memory = memory.door(null);
                yield ports.door().hold(hold.drainMillis(), hold.holdMillis());
            }
            case Action.OpenDoor open -> {
                CompletableFuture<Void> opened = new CompletableFuture<>();
                whenDone(ports.door().openTo(open.primary()), (done, problem) -> {
                    if (problem == null) {
                        memory = memory.door(open.primary());
                        opened.complete(null);
                    } else {
                        opened.completeExceptionally(problem);
                    }
                });
                yield opened;
            }
        };
    }

    /** Beside the plans: it may take minutes, and no rule waits for it. */
    private void askForCheckpoint() {
        DatabaseView seen = database;
        long postmaster = seen == null ? 0 : seen.postmaster();
        long asked = ports.clock().millis();
        Memory.Checkpoint begun = new Memory.Checkpoint(postmaster, asked, 0, false);
        memory = memory.checkpoint(begun);
        whenDone(ports.database().checkpoint(Checkpoints.LIMIT.toMillis()), (done, problem) -> {
            long now = ports.clock().millis();
            if (problem == null) {
                LOG.info("The checkpoint took {} ms", now - asked);
            } else {
                LOG.warn("The checkpoint came to nothing after {} ms: {}", now - asked, message(problem));
            }
            if (begun.equals(memory.checkpoint())) {
                memory = memory.checkpoint(new Memory.Checkpoint(postmaster, asked, now, problem != null));
            }
            step();
        });
    }

    private CompletableFuture<DatabaseView> settingUpstream(CompletableFuture<DatabaseView> verb) {
        memory = memory.setUpstream(0);
        return verb(verb).thenApply(seen -> {
            memory = memory.setUpstream(seen.postmaster());
            return seen;
        });
    }

    /** Takes over the observation that a verb ends with, on the loop's thread. */
    private CompletableFuture<DatabaseView> verb(CompletableFuture<DatabaseView> verb) {
        verbsBegun++;
        CompletableFuture<DatabaseView> taken = new CompletableFuture<>();
        whenDone(verb, (view, problem) -> {
            verbsDone++;
            if (problem != null) {
                taken.completeExceptionally(problem);
            } else {
                database = view;
                taken.complete(view);
            }
        });
        return taken;
    }

    private CompletableFuture<Void> compareAndSet(Action.Cas cas) {
        // Until its outcome is known it may land at any time (T3).
        memory = memory.unconfirmed();
        long number = ++compareAndSets;
        CompletableFuture<Void> taken = new CompletableFuture<>();
        ClusterState next = cas.next().stamped();
        whenDone(ports.coordination().compareAndSet(cas.version(), next), (outcome, problem) -> {
            if (problem == null && outcome == Outcome.APPLIED) {
                applied(new VersionedState(cas.version() + 1, next), number);
                taken.complete(null);
            } else {
                ports.coordination().refresh();
                taken.completeExceptionally(problem != null ? problem : new Refused(outcome));
            }
        });
        return taken;
    }

    private CompletableFuture<Void> createState(Action.CreateState create) {
        memory = memory.unconfirmed();
        long number = ++compareAndSets;
        CompletableFuture<Void> taken = new CompletableFuture<>();
        ClusterState first = create.first().stamped();
        whenDone(ports.coordination().create(first), (outcome, problem) -> {
            if (problem == null && outcome == Outcome.APPLIED) {
                applied(new VersionedState(0, first), number);
                taken.complete(null);
            } else {
                ports.coordination().refresh();
                taken.completeExceptionally(problem != null ? problem : new Refused(outcome));
            }
        });
        return taken;
    }

    /** What this cell itself has just written is the newest state that it can have read. */
    private void applied(VersionedState written, long number) {
        if (number == compareAndSets) {
            memory = memory.confirmedBy(written.state());
        }
        durable.wrote(written);
        coordination = withNewest(coordination);
    }

    private static CompletableFuture<Void> applied(CompletableFuture<Outcome> write) {
        return write.thenAccept(outcome -> {
            if (outcome != Outcome.APPLIED) {
                throw new Refused(outcome);
            }
        });
    }

    /** Takes a result over on the loop's thread; whatever goes wrong there is the loop's own failure. */
    @SuppressWarnings("FutureReturnValueIgnored")
    private <T> void whenDone(CompletableFuture<T> future, BiConsumer<T, @Nullable Throwable> then) {
        future.whenComplete((value, problem) -> mailbox.execute(() -> then.accept(value, problem)));
    }

    private CellId self() {
        LocalState known = durable.known();
        if (known == null) {
            throw new IllegalStateException("no state file yet");
        }
        return new CellId(settings.name(), known.incarnation());
    }

    // ---- telling the others

    private void tell(Plan plan, View view) {
        if (plan.actions().isEmpty() && plan.rule().pace() == Rule.Pace.NORMAL) {
            lastFailure.forget();
        }
        PeerView mine = withProblem(withServer(view, SelfReport.of(view, plan, progress)), lastFailure.told());
        snapshot = new Snapshot(view, plan, mine, takeovers);
        PeerView before = published;
        boolean changed = before == null
                || before.state() != mine.state()
                || before.health() != mine.health()
                || !before.cell().equals(mine.cell())
                || !Objects.equals(before.streamsFrom(), mine.streamsFrom());
        if (changed || view.now() - publishedAt >= settings.timing().tick().toMillis()) {
            published = mine;
            publishedAt = view.now();
            ports.peers().publish(mine);
        }
        tellPresence(plan, mine);
        connect(view.state());
        announce(view);
    }

    private PeerView withServer(View view, PeerView mine) {
        boolean lacksAll = serverIsEmpty && !view.coordinationKnown() && view.state() != null;
        String words = !serverProblem.isEmpty() || !lacksAll ? serverProblem : EMPTY_SERVER;
        return withProblem(mine, words);
    }

    private static PeerView withProblem(PeerView mine, String words) {
        return words.isEmpty()
                ? mine
                : mine.withWords(mine.sentence(), mine.problem().isEmpty() ? words : mine.problem() + "; " + words);
    }

    /** Who this cell is, at once. How it is, when it is calm: nobody decides by that, and it costs every ZooKeeper server a write. */
    private void tellPresence(Plan plan, PeerView mine) {
        LocalState known = durable.known();
        VersionedState seen = known == null ? null : known.seen();
        String cluster = seen == null ? null : seen.state().systemId();
        Presence now =
                new Presence(mine.cell(), settings.address(), mine.state().name(), cluster, runsWith);
        Presence told = presence;
        boolean another = told == null || !told.cell().equals(now.cell());
        if (another || (plan.rule().pace() == Rule.Pace.NORMAL && !now.equals(told))) {
            presence = now;
            var ignored = ports.coordination().publishPresence(now);
        }
    }

    private void connect(@Nullable ClusterState state) {
        if (state == null) {
            return;
        }
        TreeMap<CellName, Address> others = new TreeMap<>();
        state.members().forEach((name, member) -> {
            if (!name.equals(settings.name())) {
                others.put(name, member.address());
            }
        });
        if (!others.equals(connected)) {
            connected = Map.copyOf(others);
            peers.keySet().retainAll(others.keySet());
            ports.peers().connectTo(others);
        }
    }

    private void announce(View view) {
        ClusterState state = view.state();
        boolean reigns = state != null
                && state.primary().equals(view.self())
                && state.reign() != null
                && view.database().isPrimary();
        long epoch = reigns && state != null ? state.epoch() : 0;
        if (epoch != announcedEpoch) {
            announcedEpoch = epoch;
            var ignored = epoch == 0
                    ? ports.coordination().resignLeader()
                    : ports.coordination().announceLeader(view.self(), epoch);
        }
    }

    private static String name(@Nullable Action action) {
        return action == null ? "nothing" : action.kind().name();
    }

    private static String message(Throwable problem) {
        Throwable cause = problem.getCause() != null ? problem.getCause() : problem;
        String text = cause.getMessage();
        return text == null
                ? cause.getClass().getSimpleName()
                : text.lines().findFirst().orElse("");
    }
}
