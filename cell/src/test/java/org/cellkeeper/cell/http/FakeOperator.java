package org.cellkeeper.cell.http;

import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.CellState;
import org.cellkeeper.cell.model.ClusterReport;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.HistoryEntry;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.Task;
import org.cellkeeper.cell.port.Operator;

/** An operator that answers as it is told to, and remembers what it was asked. */
public final class FakeOperator implements Operator {
    public static final CellName CELL_1 = new CellName("cell-1");
    public static final CellName CELL_2 = new CellName("cell-2");
    public static final CellName CELL_3 = new CellName("cell-3");
    public static final Instant NOON = Instant.parse("2026-01-02T12:00:00.123Z");

    public static final DatabaseView.Instance RUNS = new DatabaseView.Unclear(815);

    public static final Local LOCAL =
            new Local(CellState.STREAMING, false, 711, RUNS, true, 0, true, 9, 0, 0, 2048, 20, false);

    /** Who asked last. */
    public volatile String caller = "";

    public volatile CompletableFuture<Verdict> verdict =
            CompletableFuture.completedFuture(new Verdict.Accepted("task-7"));
    public volatile boolean primary = true;
    public volatile FailoverMode mode = FailoverMode.AUTOMATIC;
    public volatile ClusterReport.Health health = ClusterReport.Health.DEGRADED;
    public volatile List<String> warnings = List.of("cell-1 is halted");
    public volatile RuntimeException broken;
    public volatile Local local = LOCAL;

    /** Null when it cannot be read; empty for the one entry that names the limit. */
    public volatile List<HistoryEntry> history = List.of();

    public final List<Request> asked = new ArrayList<>();
    public volatile List<Task> tasks = List.of(
            new Task(
                    "task-9",
                    Task.Operation.DEPLOY,
                    CELL_1,
                    CELL_1,
                    false,
                    Task.Status.RUNNING,
                    NOON,
                    null,
                    40,
                    0,
                    "cloning"),
            new Task(
                    "task-8",
                    Task.Operation.PROMOTE,
                    CELL_2,
                    CELL_2,
                    true,
                    Task.Status.ERROR,
                    NOON,
                    NOON,
                    10,
                    8,
                    "no votes"),
            new Task(
                    "task-7",
                    Task.Operation.REMOVE,
                    CELL_1,
                    CELL_2,
                    false,
                    Task.Status.SUCCESS,
                    NOON,
                    NOON,
                    100,
                    0,
                    "removed"));

    @Override
    public ClusterReport report() {
        if (broken != null) {
            throw broken;
        }
        return new ClusterReport(
                health,
                mode,
                8,
                CELL_2,
                1,
                1,
                0,
                new ClusterReport.Servers(3, 2),
                "STEADY",
                List.of(
                        node(
                                1,
                                CELL_1,
                                ClusterReport.Status.FAILED,
                                ClusterReport.Attachment.NONE,
                                ClusterReport.NodeRole.OLD_PRIMARY,
                                ClusterReport.NodeHealth.UNHEALTHY,
                                CellState.HALTED,
                                new ClusterReport.Halted(
                                        NOON, 8, "deposed", Lsn.parse("0/3000100"), Lsn.parse("0/3000000"), 256L)),
                        node(
                                2,
                                CELL_2,
                                ClusterReport.Status.RUNNING_PRIMARY,
                                ClusterReport.Attachment.NONE,
                                ClusterReport.NodeRole.PRIMARY,
                                ClusterReport.NodeHealth.HEALTHY,
                                CellState.PRIMARY,
                                null),
                        node(
                                3,
                                CELL_3,
                                ClusterReport.Status.RUNNING,
                                ClusterReport.Attachment.NOT_ATTACHED,
                                ClusterReport.NodeRole.STANDBY,
                                ClusterReport.NodeHealth.UNHEALTHY,
                                CellState.CATCHING_UP,
                                null)),
                warnings);
    }

    private static ClusterReport.Node node(
            int id,
            CellName name,
            ClusterReport.Status status,
            ClusterReport.Attachment attachment,
            ClusterReport.NodeRole role,
            ClusterReport.NodeHealth health,
            CellState state,
            ClusterReport.Halted halted) {
        boolean isPrimary = name.equals(CELL_2);
        return new ClusterReport.Node(
                id,
                name,
                "default",
                new Address("127.0.0.1" + id, 5432, 5480, 5481),
                isPrimary ? ClusterReport.Registered.PRIMARY : ClusterReport.Registered.STANDBY,
                status,
                attachment,
                attachment == ClusterReport.Attachment.NONE ? null : CELL_2,
                role,
                health,
                state,
                "in words",
                true,
                8,
                2,
                Lsn.parse("0/3000100"),
                isPrimary ? 0 : 512,
                isPrimary ? 0 : -1,
                !name.equals(CELL_1),
                100,
                0,
                halted);
    }

    @Override
    public boolean isPrimary() {
        return primary;
    }

    @Override
    public Local local() {
        return local;
    }

    @Override
    public List<Task> tasks() {
        return tasks;
    }

    @Override
    public CompletableFuture<List<HistoryEntry>> history(int limit) {
        List<HistoryEntry> told = history;
        return told == null
                ? CompletableFuture.failedFuture(new IOException("ZooKeeper cannot be asked"))
                : CompletableFuture.completedFuture(
                        told.isEmpty()
                                ? List.of(new HistoryEntry(NOON, CELL_2, 8, 12, "It was elected.", "limit " + limit))
                                : told);
    }

    @Override
    public CompletableFuture<Verdict> ask(Request request, String caller) {
        synchronized (asked) {
            asked.add(request);
        }
        this.caller = caller;
        return verdict;
    }

    public Request lastAsked() {
        synchronized (asked) {
            return asked.getLast();
        }
    }
}
