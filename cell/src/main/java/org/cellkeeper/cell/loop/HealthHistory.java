package org.cellkeeper.cell.loop;

import java.util.Collection;
import java.util.TreeSet;
import org.cellkeeper.cell.decide.View;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.ClusterReport;
import org.cellkeeper.cell.model.ClusterReport.Health;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.PeerView;
import org.cellkeeper.cell.port.Operator;
import org.jspecify.annotations.Nullable;

/**
 * Tells the history when the cluster's health has changed and stayed so for a moment. All cells look, one tells: the primary
 * while it is heard of, else the first by name of those that are. It looks on the loop's thread, now and then, and changes
 * nothing. Two cells that do not hear each other may both tell.
 */
public final class HealthHistory {
    private static final long LOOK_EVERY = 500;
    /** A change that a failover or a switchover undoes at once is none. */
    private static final long LASTS = 1_500;

    private final CellLoop loop;
    private final Ports ports;
    private final Operator operator;
    private final HistoryWriter historyWriter;

    private @Nullable Health known;
    private @Nullable Health coming;
    private long comingSince;

    public HealthHistory(CellLoop loop, Ports ports, Operator operator) {
        this.loop = loop;
        this.ports = ports;
        this.operator = operator;
        this.historyWriter = new HistoryWriter(loop, ports);
    }

    public void start() {
        ports.clock().after(LOOK_EVERY, () -> {
            look();
            start();
        });
    }

    private void look() {
        CellLoop.Snapshot snapshot = loop.snapshot();
        if (snapshot == null || !snapshot.view().coordinationKnown()) {
            return;
        }
        ClusterReport report = operator.report();
        Health health = report.health();
        long now = ports.clock().millis();
        if (health != coming) {
            coming = health;
            comingSince = now;
        }
        // One cell that hears of no other knows nothing of the cluster's health.
        if (health == known || now - comingSince < LASTS || health == Health.SSH_PROBLEM) {
            return;
        }
        Health before = known;
        known = health;
        if (before != null && isTeller(snapshot.view())) {
            historyWriter.note(
                    "The cluster's health is " + health + ".", "before " + before + because(report.warnings()));
        }
    }

    private static String because(Collection<String> warnings) {
        return warnings.isEmpty() ? "" : "; " + String.join("; ", warnings);
    }

    private static boolean isTeller(View view) {
        ClusterState state = view.state();
        if (state == null) {
            return false;
        }
        if (view.self().equals(state.primary()) || isHeard(view, state.primary())) {
            return view.self().equals(state.primary());
        }
        TreeSet<CellName> heard = new TreeSet<>();
        state.members().forEach((name, member) -> {
            CellId cell = new CellId(name, member.incarnation());
            if (cell.equals(view.self()) || isHeard(view, cell)) {
                heard.add(name);
            }
        });
        return !heard.isEmpty() && heard.first().equals(view.settings().name());
    }

    private static boolean isHeard(View view, CellId cell) {
        PeerView said = view.fresh(cell);
        return said != null && said.zookeeper();
    }
}
