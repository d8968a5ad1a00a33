package org.cellkeeper.cell.metrics;

import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MultiGauge;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.Timer;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.time.Duration;
import java.util.List;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.function.ToDoubleFunction;
import java.util.stream.Stream;
import org.cellkeeper.cell.model.Busy;
import org.cellkeeper.cell.model.CellState;
import org.cellkeeper.cell.model.ClusterReport;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.Takeover;
import org.cellkeeper.cell.model.Task;
import org.cellkeeper.cell.port.Door;
import org.cellkeeper.cell.port.Operator;
import org.jspecify.annotations.Nullable;

/** A few numbers, worked out anew at every scrape from one report. What is not known is NaN, never 0. Any thread may scrape. */
public final class CellMetrics {
    private static final Duration[] BUCKETS = Stream.of(100, 200, 300, 500, 750, 1000, 2000, 5000, 10_000, 30_000)
            .map(Duration::ofMillis)
            .toArray(Duration[]::new);

    private final Operator operator;
    private final Supplier<Agent> agent;
    private final PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
    private final MultiGauge lagBytes =
            nodes("cellkeeper.node.lag.bytes", "WAL that the primary has and the cell has not");
    private final MultiGauge lagSeconds = nodes("cellkeeper.node.lag.seconds", "How far the cell's replay is behind");
    private final MultiGauge healthy = nodes("cellkeeper.node.healthy", "Whether the cell is healthy");
    private final MultiGauge voters = nodes("cellkeeper.node.voter", "Whether the cell's acknowledgement counts");
    private final Timer failovers = takeovers(
            "cellkeeper.failover", "Failovers to this cell, from its suspicion to the first acknowledged WAL");
    private final Timer switchovers = takeovers(
            "cellkeeper.switchover", "Switchovers to this cell, from their beginning to the first acknowledged WAL");
    private Seen seen;

    /**
     * The agent's own doings since its start.
     *
     * @param loop what the loop's thread has had to do
     * @param probes how it has looked at PostgreSQL
     * @param ballots how many ballots it has seen; {@code vetoed} how many of them vetoed
     * @param door how this cell's door is; null where there is none
     */
    public record Agent(Busy loop, Busy probes, long ballots, long vetoed, Door.@Nullable Status door) {}

    /** All that one scrape tells. */
    private record Seen(ClusterReport report, Operator.@Nullable Local local, List<Task> tasks, Agent agent) {}

    public CellMetrics(Operator operator, Supplier<Agent> agent) {
        this.operator = operator;
        this.agent = agent;
        this.seen = look();
        cluster();
        cell();
        door();
        agent();
    }

    /** This cell has become primary. */
    public void takeover(Takeover takeover) {
        (takeover.kind() == Takeover.Kind.FAILOVER ? failovers : switchovers)
                .record(Duration.ofMillis(takeover.millis()));
    }

    /** In Prometheus' text format. */
    public synchronized String scrape() {
        seen = look();
        rows(lagBytes, node -> known(node.lagBytes()));
        rows(lagSeconds, node -> known(node.lagMillis()) / 1000);
        rows(healthy, node -> flag(node.health() == ClusterReport.NodeHealth.HEALTHY));
        rows(voters, node -> flag(node.voter()));
        return registry.scrape();
    }

    private Seen look() {
        return new Seen(operator.report(), operator.local(), operator.tasks(), agent.get());
    }

    private void cluster() {
        gauge(
                "cellkeeper.cluster.health",
                "0 HEALTHY, 1 DEGRADED, 2 READ_ONLY_PRIMARY, 3 NO_ACTIVE_PRIMARY, 4 CRITICAL_PROBLEM, 5 SSH_PROBLEM",
                at -> number(at.report().health()));
        gauge("cellkeeper.cluster.automatic", "Whether a lost primary is replaced without an operator", at -> {
            FailoverMode mode = at.report().mode();
            return mode == null ? Double.NaN : flag(mode == FailoverMode.AUTOMATIC);
        });
        gauge(
                "cellkeeper.cluster.epoch",
                "The number of the present reign",
                at -> at.report().epoch());
        gauge(
                "cellkeeper.cluster.can.survive",
                "How many further cells may be lost with the cluster staying writable without loss",
                at -> at.report().canSurvive());
        gauge(
                "cellkeeper.cluster.zookeeper.missing",
                "How many of the ZooKeeper servers this cell does not find serving",
                at -> at.report().zookeeper().all() - at.report().zookeeper().serving());
        gauge(
                "cellkeeper.cluster.acks",
                "How many standbys must acknowledge a commit",
                at -> at.report().acks());
        gauge(
                "cellkeeper.cluster.seal.quorum",
                "How many voters a change of primary needs",
                at -> at.report().sealQuorum());
        gauge(
                "cellkeeper.cluster.cells",
                "How many cells are known",
                at -> at.report().nodes().size());
        gauge(
                "cellkeeper.cluster.tasks.open",
                "Operators' requests that have not ended",
                at -> at.tasks().stream().filter(Task::isOpen).count());
        gauge(
                "cellkeeper.cluster.backup.check",
                "Whether the last check of a backup found that it can be restored",
                at -> at.tasks().stream()
                        .filter(task -> task.operation().checksBackup() && !task.isOpen())
                        .findFirst()
                        .map(task -> flag(task.status() == Task.Status.SUCCESS))
                        .orElse(Double.NaN));
        local("cellkeeper.cluster.last.ballot", "The highest ballot ever opened", Operator.Local::lastBallot);
    }

    private void cell() {
        local(
                "cellkeeper.cell.state",
                "0 PRIMARY, 1 STREAMING, 2 CATCHING_UP, 3 CLONING, 4 SEALED, 5 HALTED, 6 REMOVED, 7 STARTING, 8 DOWN",
                cell -> number(cell.state()));
        local(
                "cellkeeper.cell.primary",
                "Whether this cell is the primary",
                cell -> flag(cell.state() == CellState.PRIMARY));
        gauge("cellkeeper.cell.writable", "Whether this cell takes writes", at -> flag(operator.isPrimary()));
        local("cellkeeper.cell.rule", "The number of the rule that the cell follows", Operator.Local::rule);
        local(
                "cellkeeper.cell.postgres",
                "PostgreSQL: 0 stopped, 1 starting, 2 running, 3 does not answer",
                cell -> number(cell.postgres()));
        local("cellkeeper.cell.zookeeper", "Whether ZooKeeper can be asked", cell -> flag(cell.zookeeper()));
        local(
                "cellkeeper.cell.zookeeper.away.seconds",
                "For how long ZooKeeper cannot be asked",
                cell -> cell.zookeeperAwayMillis() / 1000.0);
        local(
                "cellkeeper.cell.primary.reachable",
                "Whether this cell reaches a primary",
                cell -> flag(cell.reachesPrimary()));
        local(
                "cellkeeper.cell.burnt.ballots",
                "How many ballots in a row came to nothing, as this cell saw it",
                Operator.Local::burntBallots);
        local(
                "cellkeeper.cell.commits.waiting",
                "Sessions that wait for a standby's acknowledgement",
                Operator.Local::waiting);
        local(
                "cellkeeper.cell.configuration.refused",
                "Whether the cell cannot use its configuration, or a file that it names, as it is now",
                cell -> flag(cell.refusesConfiguration()));
    }

    private void door() {
        gauge(
                "cellkeeper.cell.door",
                "This cell's door: 0 nobody comes through, 1 open, 2 held; NaN where there is none",
                at -> {
                    Door.Status door = at.agent().door();
                    if (door == null) {
                        return Double.NaN;
                    }
                    return !door.problem().isEmpty() ? 0 : door.heldSince() == null ? 1 : 2;
                });
    }

    private void agent() {
        local(
                "cellkeeper.loop.age.seconds",
                "How long ago the agent last looked and decided",
                cell -> cell.decidedMillisAgo() / 1000.0);
        counter(
                "cellkeeper.loop.tasks",
                "Events and timers that the agent's loop has handled",
                at -> at.loop().count());
        counter(
                "cellkeeper.loop.busy.seconds",
                "Time that the agent's loop has been busy",
                at -> seconds(at.loop().nanos()));
        gauge(
                "cellkeeper.loop.longest.seconds",
                "The longest that one event took",
                at -> seconds(at.agent().loop().longestNanos()));
        counter(
                "cellkeeper.probe.looks",
                "How often the agent has looked at PostgreSQL",
                at -> at.probes().count());
        counter(
                "cellkeeper.probe.busy.seconds",
                "Time that looking at PostgreSQL has taken",
                at -> seconds(at.probes().nanos()));
        gauge(
                "cellkeeper.probe.longest.seconds",
                "The longest that one look at PostgreSQL took",
                at -> seconds(at.agent().probes().longestNanos()));
        counter("cellkeeper.cell.ballots", "Ballots that this agent has seen opened", Agent::ballots);
        counter("cellkeeper.cell.vetoed.ballots", "Ballots that this agent has seen vetoed", Agent::vetoed);
        gauge(
                "cellkeeper.agent.heap.bytes",
                "Java heap in use",
                at -> Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory());
    }

    private void gauge(String name, String help, ToDoubleFunction<Seen> value) {
        Gauge.builder(name, this, metrics -> value.applyAsDouble(metrics.seen))
                .description(help)
                .register(registry);
    }

    private void counter(String name, String help, ToDoubleFunction<Agent> value) {
        FunctionCounter.builder(name, this, metrics -> value.applyAsDouble(metrics.seen.agent()))
                .description(help)
                .register(registry);
    }

    private void local(String name, String help, ToDoubleFunction<Operator.Local> value) {
        gauge(name, help, at -> {
            Operator.Local local = at.local();
            return local == null ? Double.NaN : value.applyAsDouble(local);
        });
    }

    private Timer takeovers(String name, String help) {
        return Timer.builder(name)
                .description(help)
                .serviceLevelObjectives(BUCKETS)
                .register(registry);
    }

    private MultiGauge nodes(String name, String help) {
        return MultiGauge.builder(name).description(help).register(registry);
    }

    private void rows(MultiGauge gauge, Function<ClusterReport.Node, Double> value) {
        gauge.register(
                seen.report().nodes().stream()
                        .<MultiGauge.Row<?>>map(node ->
                                MultiGauge.Row.of(Tags.of("cell", node.name().value()), value.apply(node)))
                        .toList(),
                true);
    }

    private static double known(long value) {
        return value < 0 ? Double.NaN : value;
    }

    private static double flag(boolean value) {
        return value ? 1 : 0;
    }

    private static double seconds(long nanos) {
        return nanos / 1e9;
    }

    private static double number(ClusterReport.Health health) {
        return switch (health) {
            case HEALTHY -> 0;
            case DEGRADED -> 1;
            case READ_ONLY_PRIMARY -> 2;
            case NO_ACTIVE_PRIMARY -> 3;
            case CRITICAL_PROBLEM -> 4;
            case SSH_PROBLEM -> 5;
        };
    }

    private static double number(CellState state) {
        return switch (state) {
            case PRIMARY -> 0;
            case STREAMING -> 1;
            case CATCHING_UP -> 2;
            case CLONING -> 3;
            case SEALED -> 4;
            case HALTED -> 5;
            case REMOVED -> 6;
            case STARTING -> 7;
            case DOWN -> 8;
            case UNREACHABLE -> 9;
        };
    }

    private static double number(DatabaseView.Instance postgres) {
        return switch (postgres) {
            case DatabaseView.Stopped _ -> 0;
            case DatabaseView.Starting _ -> 1;
            case DatabaseView.Running _ -> 2;
            case DatabaseView.Unresponsive _, DatabaseView.Orphaned _ -> 3;
        };
    }
}
