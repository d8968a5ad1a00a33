package org.cellkeeper.cell.loop;

import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;
import org.cellkeeper.cell.decide.Preflight;
import org.cellkeeper.cell.decide.Tasks;
import org.cellkeeper.cell.decide.View;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.CellState;
import org.cellkeeper.cell.model.ClusterReport;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.EnsembleServer;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.HistoryEntry;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.PeerView;
import org.cellkeeper.cell.model.Task;
import org.cellkeeper.cell.port.Coordination;
import org.cellkeeper.cell.port.Operator;
import org.cellkeeper.cell.report.Health;
import org.cellkeeper.cell.report.Known;
import org.jspecify.annotations.Nullable;

/**
 * Answers operators. Reads come from the loop's last snapshot; requests are checked on the loop's thread and then become tasks in
 * ZooKeeper, which the loops pick up. Carries nothing out but a change of the failover mode, which is one compare-and-set.
 */
public final class CellOperator implements Operator {
    private static final int MODE_ATTEMPTS = 5;
    private static final int LOOKS = 11;

    private final CellLoop loop;
    private final Ports ports;
    private final Supplier<List<EnsembleServer>> servers;
    private final Supplier<ClusterReport> beforeTheFirst;
    private final HistoryWriter historyWriter;

    /**
     * Made once per agent.
     *
     * @param servers how the ZooKeeper servers are at present
     * @param beforeTheFirst what is reported while the loop has not seen anything yet
     */
    public CellOperator(
            CellLoop loop,
            Ports ports,
            Supplier<List<EnsembleServer>> servers,
            Supplier<ClusterReport> beforeTheFirst) {
        this.loop = loop;
        this.ports = ports;
        this.servers = servers;
        this.beforeTheFirst = beforeTheFirst;
        this.historyWriter = new HistoryWriter(loop, ports);
    }

    @Override
    public ClusterReport report() {
        CellLoop.Snapshot snapshot = loop.snapshot();
        if (snapshot == null) {
            return beforeTheFirst.get();
        }
        View view = snapshot.view();
        return Health.report(new Known(
                view.settings(),
                ports.clock().millis(),
                ports.clock().now(),
                view.state(),
                view.version(),
                view.coordination(),
                view.memory().timers().coordinationAway().startOr(0),
                snapshot.self(),
                view.peers(),
                servers.get()));
    }

    @Override
    public boolean isPrimary() {
        CellLoop.Snapshot snapshot = loop.snapshot();
        if (snapshot == null) {
            return false;
        }
        PeerView self = snapshot.self();
        return self.state() == CellState.PRIMARY && !self.readOnly();
    }

    @Override
    public @Nullable Local local() {
        CellLoop.Snapshot snapshot = loop.snapshot();
        if (snapshot == null) {
            return null;
        }
        View view = snapshot.view();
        PeerView self = snapshot.self();
        ClusterState state = view.state();
        PeerView primary = state == null ? null : view.fresh(state.primary());
        boolean primaryServes = primary != null && primary.state() == CellState.PRIMARY;
        DatabaseView.Primary own = view.database().primary();
        long now = ports.clock().millis();
        return new Local(
                self.state(),
                self.readOnly(),
                self.rule(),
                view.database().instance(),
                view.coordinationKnown(),
                view.memory().timers().coordinationAway().heldFor(now),
                self.state() == CellState.PRIMARY || primaryServes,
                state == null ? 0 : state.lastBallot(),
                view.memory().ballots().burnt(),
                own == null ? 0 : own.waiting(),
                unreplayed(primary, self),
                Math.max(0, now - view.now()),
                !view.settings().refused().isEmpty());
    }

    private static long unreplayed(@Nullable PeerView primary, PeerView self) {
        Lsn flushed = primary == null ? null : primary.received();
        Lsn replayed = self.replayed();
        boolean comparable = primary != null && primary.timeline() == self.timeline();
        return flushed == null || replayed == null || !comparable ? -1 : Math.max(0, flushed.minus(replayed));
    }

    @Override
    public List<Task> tasks() {
        CellLoop.Snapshot snapshot = loop.snapshot();
        return snapshot == null ? List.of() : snapshot.view().coordination().tasks();
    }

    @Override
    public CompletableFuture<List<HistoryEntry>> history(int limit) {
        return ports.coordination().history(limit);
    }

    @Override
    public CompletableFuture<Verdict> ask(Request request, String caller) {
        return ask(request, caller, LOOKS);
    }

    private CompletableFuture<Verdict> ask(Request request, String caller, int looks) {
        return loop.ask(view -> looks > 1 && isBehind(view)
                        ? (Next) () -> later().thenCompose(ignored -> ask(request, caller, looks - 1))
                        : examine(view, request, caller))
                .thenCompose(next -> next.begin());
    }

    /** A newer state is about to be read, or made durable: what is examined would be over in a moment. */
    private static boolean isBehind(@Nullable View view) {
        if (view == null || view.state() == null || !view.coordination().connected()) {
            return false;
        }
        long silence = view.settings().timing().silence().toMillis();
        return !view.coordinationKnown()
                || view.peers().values().stream().anyMatch(link -> {
                    PeerView said = link.view();
                    return said != null && said.version() > view.version() && view.now() - link.heardMillis() < silence;
                });
    }

    /** What is to be done about a request, once it has been examined. */
    private interface Next {
        CompletableFuture<Verdict> begin();
    }

    private Next examine(@Nullable View view, Request request, String caller) {
        ClusterState state = view == null ? null : view.state();
        if (view == null || state == null) {
            return () -> now(new Verdict.Unavailable("this cell knows of no cluster yet"));
        }
        if (!view.coordinationKnown()) {
            String objection = view.coordination().objection();
            return () -> now(new Verdict.Unavailable(
                    objection.isEmpty()
                            ? "ZooKeeper cannot be asked, so nothing can be changed; bring a majority of the ZooKeeper servers back"
                            : "nothing can be changed: " + objection));
        }
        return switch (request) {
            case Request.SetMode mode ->
                mode.dryRun() ? checked(List.of()) : () -> setMode(mode.mode(), caller, MODE_ATTEMPTS);
            case Request.Promote promote ->
                inspect(
                        view,
                        promote,
                        caller,
                        promote.target(),
                        Preflight.promote(view, promote.target(), promote.acceptDataLoss()),
                        new NewTask(
                                Task.Operation.PROMOTE, promote.target(), promote.target(), promote.acceptDataLoss()));
            case Request.Switchover switchover ->
                inspect(
                        view,
                        switchover,
                        caller,
                        switchover.target(),
                        Preflight.switchover(view, switchover.target()),
                        new NewTask(
                                Task.Operation.SWITCHOVER,
                                switchover.target(),
                                state.primary().name(),
                                false));
            case Request.Remove remove ->
                inspect(
                        view,
                        remove,
                        caller,
                        remove.target(),
                        Preflight.remove(view, remove.target(), remove.force()),
                        new NewTask(Task.Operation.REMOVE, remove.target(), remover(view, state), remove.force()));
            case Request.Deploy deploy ->
                inspect(
                        view,
                        deploy,
                        caller,
                        deploy.target(),
                        Preflight.deploy(view, deploy.target()),
                        new NewTask(Task.Operation.DEPLOY, deploy.target(), deploy.target(), false));
        };
    }

    /** A task to be. */
    private record NewTask(Task.Operation operation, CellName target, CellName executor, boolean accepted) {}

    private Next inspect(
            View view, Request request, String caller, CellName target, List<Preflight.Check> checks, NewTask wanted) {
        ClusterState state = view.state();
        if (state == null) {
            return () -> now(new Verdict.Unavailable("this cell knows of no cluster yet"));
        }
        boolean known = state.members().containsKey(target)
                || state.halted().containsKey(target)
                || view.coordination().present().containsKey(target);
        if (!known) {
            return () -> now(new Verdict.NoSuchNode("there is no cell named " + target));
        }
        if (request.dryRun()) {
            return checked(checks);
        }
        for (Preflight.Check check : checks) {
            if (!check.ok()) {
                return () -> now(new Verdict.Refused(check.code(), check.detail()));
            }
        }
        for (Task open : view.coordination().tasks()) {
            if (open.isOpen()
                    && open.operation() == wanted.operation()
                    && open.target().equals(target)) {
                return () -> now(new Verdict.Accepted(open.id()));
            }
            boolean sameTarget = open.target().equals(target);
            boolean collide = changesPrimary(open.operation())
                    ? changesPrimary(wanted.operation) || (sameTarget && wanted.operation == Task.Operation.REMOVE)
                    : changesPrimary(wanted.operation) && sameTarget && open.operation() == Task.Operation.REMOVE;
            if (open.isOpen() && collide && !Tasks.isOver(state, open)) {
                return () -> now(new Verdict.Refused(
                        "change-under-way", open.operation() + " of " + open.target() + " is under way; wait for it"));
            }
        }
        return () -> put(newTask(wanted, Task.Status.QUEUED, ""), caller);
    }

    private static boolean changesPrimary(Task.Operation operation) {
        return operation == Task.Operation.PROMOTE || operation == Task.Operation.SWITCHOVER;
    }

    private Task newTask(NewTask wanted, Task.Status status, String message) {
        var now = ports.clock().now();
        boolean ended = status == Task.Status.SUCCESS;
        return new Task(
                UUID.randomUUID().toString(),
                wanted.operation(),
                wanted.target(),
                wanted.executor(),
                wanted.accepted(),
                status,
                now,
                ended ? now : null,
                ended ? 100 : 0,
                0,
                message);
    }

    /** The primary, for only it can drop a voter; without one, whoever was asked. */
    private static CellName remover(View view, ClusterState state) {
        boolean heard = state.primary().equals(view.self()) || view.fresh(state.primary()) != null;
        return heard ? state.primary().name() : view.settings().name();
    }

    private static CompletableFuture<Verdict> now(Verdict verdict) {
        return CompletableFuture.completedFuture(verdict);
    }

    private static Next checked(List<Preflight.Check> checks) {
        List<Check> answers = checks.stream()
                .map(check -> new Check(check.code(), check.ok(), check.detail()))
                .toList();
        return () -> now(new Verdict.Checked(answers));
    }

    private CompletableFuture<Verdict> put(Task task, String caller) {
        return ports.coordination().putTask(task).thenApply(outcome -> switch (outcome) {
            case APPLIED -> {
                historyWriter.asked(task, caller);
                yield new Verdict.Accepted(task.id());
            }
            case CONFLICT, NOT_SENT ->
                new Verdict.Unavailable(
                        "ZooKeeper did not take the task (" + outcome + "); nothing was changed, try again");
            case UNKNOWN ->
                new Verdict.Unavailable(
                        "ZooKeeper's answer was lost; see GET /tasks whether task " + task.id() + " is there");
        });
    }

    private CompletableFuture<Verdict> setMode(FailoverMode mode, String caller, int attempts) {
        return loop.ask(view -> view)
                .thenCompose(view -> {
                    ClusterState state = view == null ? null : view.state();
                    if (view == null || state == null || !view.coordinationKnown()) {
                        return CompletableFuture.completedFuture(Coordination.Outcome.NOT_SENT);
                    }
                    if (state.failoverMode() == mode) {
                        return CompletableFuture.completedFuture(Coordination.Outcome.APPLIED);
                    }
                    return ports.coordination()
                            .compareAndSet(view.version(), state.withMode(mode).stamped());
                })
                .thenCompose(outcome -> switch (outcome) {
                    case APPLIED -> {
                        CellName name = loop.name();
                        yield put(
                                newTask(
                                        new NewTask(Task.Operation.MODE, name, name, false),
                                        Task.Status.SUCCESS,
                                        "the failover mode is " + mode),
                                caller);
                    }
                    case CONFLICT, UNKNOWN -> {
                        ports.coordination().refresh();
                        yield attempts > 1
                                ? later().thenCompose(ignored -> setMode(mode, caller, attempts - 1))
                                : now(
                                        new Verdict.Unavailable(
                                                "the cluster's state changes too fast, or ZooKeeper's answers are lost; try again"));
                    }
                    case NOT_SENT ->
                        now(new Verdict.Unavailable("ZooKeeper cannot be asked, so the mode cannot be changed"));
                });
    }

    private CompletableFuture<@Nullable Void> later() {
        CompletableFuture<@Nullable Void> elapsed = new CompletableFuture<>();
        ports.clock().after(100, () -> elapsed.complete(null));
        return elapsed;
    }
}
