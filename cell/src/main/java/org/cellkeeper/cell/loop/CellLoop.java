package org.cellkeeper.cell.loop;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.cellkeeper.cell.decide.CellRules;
import org.cellkeeper.cell.decide.Memory;
import org.cellkeeper.cell.decide.Plan;
import org.cellkeeper.cell.decide.Rule;
import org.cellkeeper.cell.decide.SelfReport;
import org.cellkeeper.cell.decide.View;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.CellSettings;
import org.cellkeeper.cell.model.CoordinationView;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.HistoryEntry;
import org.cellkeeper.cell.model.Incarnation;
import org.cellkeeper.cell.model.LocalState;
import org.cellkeeper.cell.model.PeerView;
import org.cellkeeper.cell.model.Takeover;
import org.cellkeeper.cell.model.VersionedState;
import org.cellkeeper.cell.port.Peers;
import org.cellkeeper.cell.report.TakeoverWatch;
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

    private static final long FAST_LASTS = 2_000;
    private static final long STOP_DEADLINE = 9_000;

    private volatile CellSettings settings;
    private final Executor mailbox;
    private final Ports ports;
    private final Function<View, Plan> decider;
    private final Supplier<Incarnation> newIncarnation;
    private final CompletableFuture<Void> stopped = new CompletableFuture<>();

    // All below belongs to the mailbox.
    private final DurableState durable;
    private final BelievedCoordination coordination;
    private final DatabaseWatch database;
    private final PeerLinks peers = new PeerLinks();
    private final PlanExecutor executor;
    private final Announcer announcer;
    private Memory memory;
    private TakeoverWatch takeovers = TakeoverWatch.atStart();
    private boolean stopRequested;
    private int ruleNumber;
    private long ruleSince;
    private long timer;
    private long timerAt = Long.MAX_VALUE;

    private volatile @Nullable Snapshot snapshot;
    private volatile Consumer<Takeover> takeoverListener = takeover -> {};

    /** What the loop last saw and decided; for reading by other threads. */
    public record Snapshot(View view, Plan plan, PeerView self, TakeoverWatch takeovers) {}

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
        this.coordination = new BelievedCoordination(ports, durable, () -> this.settings);
        this.database = new DatabaseWatch(ports.database(), ports.clock(), mailbox, this::step);
        this.executor = new PlanExecutor(
                ports,
                durable,
                coordination,
                database,
                new Deeds(),
                settings.timing().stop());
        this.announcer = new Announcer(ports, peers, settings.servers());
        this.memory = Memory.atStart(ports.clock().millis());
    }

    /** Reads the state file and begins; to be called once. */
    public void start() {
        mailbox.execute(() -> durable.begin(newIncarnation, this::begin));
    }

    private void begin() {
        ports.coordination().listen(view -> mailbox.execute(() -> heardOfZooKeeper(view)));
        ports.peers().listen(event -> mailbox.execute(() -> heardOfPeer(event)));
        ports.database().listen(() -> mailbox.execute(database::observe));
        database.observe();
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
        coordination.heard(told);
        step();
    }

    /**
     * How this cell's own ZooKeeper server is; any thread may tell.
     *
     * @param servers the hosts of those that it runs with; null while that is not known
     * @param empty whether it holds no data
     * @param problem what keeps it from running, in words; empty when nothing does
     */
    public void ownServer(@Nullable List<String> servers, boolean empty, String problem) {
        mailbox.execute(() -> announcer.ownServer(servers, empty, problem));
    }

    /** What of the configuration is not used, in words, and why; any thread may tell. The status says it. */
    public void refuses(String words) {
        mailbox.execute(() -> {
            settings = settings.withServers(settings.servers(), words);
            step();
        });
    }

    private void heardOfPeer(Peers.Event event) {
        PeerLinks.News news = peers.heard(event, self(), ports.clock().millis());
        if (news.observe()) {
            database.observe();
        }
        if (news.decide()) {
            step();
        }
    }

    // ---- deciding

    private @Nullable View view() {
        LocalState known = durable.known();
        DatabaseView seen = database.seen();
        if (known == null || seen == null) {
            return null;
        }
        return new View(
                ports.clock().millis(),
                ports.clock().now(),
                settings,
                known,
                durable.isFailing(),
                coordination.view(),
                seen,
                peers.links(),
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
        boolean closer = database.needNewSession(plan.needsNewSession());
        executor.carryOut(plan, view);
        if (closer && !database.verbRuns()) {
            database.observe();
        }
        tell(plan, view);
        if (stopRequested && executor.isIdle() && CellRules.mayExit(view)) {
            stopped.complete(null);
        }
        setTimer(pace(plan, view.now()));
    }

    private void watchTakeovers(View view) {
        takeovers = takeovers.after(view);
        Takeover ended = takeovers.ended(view);
        if (ended != null && coordination.view().connected()) {
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
            executor.beginAfresh();
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
        boolean fast = plan.rule().pace() == Rule.Pace.FAST && now - ruleSince < FAST_LASTS && !database.verbRuns();
        return (fast ? settings.timing().haste() : settings.timing().tick()).toMillis();
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
                database.observe();
                step();
            }
        });
    }

    /** What the executor of the plans asks of the loop. */
    private final class Deeds implements PlanExecutor.Loop {
        @Override
        public void execute(Runnable task) {
            mailbox.execute(task);
        }

        @Override
        public CellId self() {
            return CellLoop.this.self();
        }

        @Override
        public @Nullable Plan decideAgain() {
            View now = view();
            return now == null ? null : decider.apply(now);
        }

        @Override
        public void decide() {
            step();
        }

        @Override
        public Memory memory() {
            return memory;
        }

        @Override
        public void remember(UnaryOperator<Memory> change) {
            memory = change.apply(memory);
        }

        @Override
        public void carriedOut(Plan plan) {
            VersionedState seen = lastSeen();
            Rule rule = plan.rule();
            if (rule.audience() == Rule.Audience.HISTORY
                    && seen != null
                    && coordination.view().connected()) {
                tellHistory(seen.state().epoch(), rule.number(), rule.sentence(), plan.detail(), List.of());
            }
        }
    }

    private @Nullable VersionedState lastSeen() {
        LocalState known = durable.known();
        return known == null ? null : known.seen();
    }

    private CellId self() {
        LocalState known = durable.known();
        if (known == null) {
            throw new IllegalStateException("no state file yet");
        }
        return new CellId(settings.name(), known.incarnation());
    }

    private void tell(Plan plan, View view) {
        LastFailure failure = executor.lastFailure();
        if (plan.actions().isEmpty() && plan.rule().pace() == Rule.Pace.NORMAL) {
            failure.forget();
        }
        PeerView mine = announcer.inWords(view, SelfReport.of(view, plan, executor.progress()), failure.told());
        snapshot = new Snapshot(view, plan, mine, takeovers);
        announcer.tell(plan, view, mine, lastSeen());
    }
}
