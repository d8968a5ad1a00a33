package org.cellkeeper.cell.sim;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.cellkeeper.cell.decide.CellRules;
import org.cellkeeper.cell.loop.CellLoop;
import org.cellkeeper.cell.loop.CellOperator;
import org.cellkeeper.cell.loop.HealthHistory;
import org.cellkeeper.cell.loop.Ports;
import org.cellkeeper.cell.model.ClusterReport;
import org.cellkeeper.cell.port.Operator;

/** The real core in the simulated world. */
final class CoreAgent implements SimAgent {
    private final CellLoop loop;
    private final Ports ports;
    private final Operator operator;

    CoreAgent(Seat seat) {
        ports = new Ports(
                seat.clock(), seat.coordination(), seat.database(), seat.door(), seat.peers(), seat.journal());
        CellRules rules = new CellRules(seat.newIncarnation());
        loop = new CellLoop(
                seat.settings(), seat.mailbox(), ports, seat.variant().apply(rules::decide), seat.newIncarnation());
        operator = new CellOperator(loop, ports, List::of, CoreAgent::nothingYet);
    }

    private static ClusterReport nothingYet() {
        return new ClusterReport(
                ClusterReport.Health.NO_ACTIVE_PRIMARY,
                null,
                0,
                null,
                0,
                0,
                0,
                ClusterReport.Servers.NONE,
                "",
                List.of(),
                List.of());
    }

    /** Has it tell of the cluster's health; left out where many worlds are run, since no rule asks for it. */
    void watchHealth() {
        new HealthHistory(loop, ports, operator).start();
    }

    CellLoop loop() {
        return loop;
    }

    @Override
    public void start() {
        loop.start();
    }

    @Override
    public CompletableFuture<Void> stopRequested() {
        return loop.stop();
    }

    @Override
    public String describe() {
        CellLoop.Snapshot snapshot = loop.snapshot();
        return snapshot == null
                ? "has not decided yet"
                : "rule %d: %s [%s]%n    sees %s%n    remembers %s"
                        .formatted(
                                snapshot.plan().rule().number(),
                                snapshot.plan().rule().sentence(),
                                snapshot.plan().detail(),
                                snapshot.view().database(),
                                snapshot.view().memory());
    }

    @Override
    public Operator operator() {
        return operator;
    }
}
