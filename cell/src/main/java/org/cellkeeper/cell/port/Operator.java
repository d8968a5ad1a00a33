package org.cellkeeper.cell.port;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.CellState;
import org.cellkeeper.cell.model.ClusterReport;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.HistoryEntry;
import org.cellkeeper.cell.model.Task;
import org.jspecify.annotations.Nullable;

/** The cell as operators see it, through the API. Reads never wait and never fail. */
public interface Operator {
    /** The cluster as this cell knows it. */
    ClusterReport report();

    /** Whether this cell is the primary and, as far as it can know, takes writes. */
    boolean isPrimary();

    /** This cell itself; null while it has not seen anything yet. */
    @Nullable
    Local local();

    /** All tasks, newest first. */
    List<Task> tasks();

    /** What happened, newest first. */
    CompletableFuture<List<HistoryEntry>> history(int limit);

    /** Examines it; unless it is a dry run, or refused, it becomes a task. {@code caller}: who asks, for the history. */
    CompletableFuture<Verdict> ask(Request request, String caller);

    /**
     * What one cell knows of itself.
     *
     * @param readOnly whether it is a primary that refuses writes for now
     * @param rule the number of the rule that it follows
     * @param zookeeper whether it is connected to ZooKeeper and has read the newest state there
     * @param zookeeperAwayMillis for how long not; 0 while it is
     * @param reachesPrimary whether it is the primary, or hears from the primary that it serves
     * @param lastBallot the highest ballot ever opened
     * @param burntBallots how many in a row came to nothing, as this cell saw it
     * @param waiting sessions of this primary that wait for an acknowledgement
     * @param unreplayed of a standby: bytes of WAL that the primary has and this cell has not replayed; -1 when not known
     * @param decidedMillisAgo how long ago it last looked at itself
     * @param refusesConfiguration whether something of its configuration is not used
     */
    record Local(
            CellState state,
            boolean readOnly,
            int rule,
            DatabaseView.Instance postgres,
            boolean zookeeper,
            long zookeeperAwayMillis,
            boolean reachesPrimary,
            long lastBallot,
            int burntBallots,
            int waiting,
            long unreplayed,
            long decidedMillisAgo,
            boolean refusesConfiguration) {}

    /** What an operator wants. */
    sealed interface Request {
        boolean dryRun();

        record Promote(CellName target, boolean acceptDataLoss, boolean dryRun) implements Request {}

        record Switchover(CellName target, boolean dryRun) implements Request {}

        record Remove(CellName target, boolean force, boolean dryRun) implements Request {}

        record Deploy(CellName target, boolean dryRun) implements Request {}

        record SetMode(FailoverMode mode, boolean dryRun) implements Request {}
    }

    /** The answer. */
    sealed interface Verdict {
        record Accepted(String taskId) implements Verdict {}

        /** The preflight checks of a dry run; nothing was changed. */
        record Checked(List<Check> checks) implements Verdict {}

        /** No such node. */
        record NoSuchNode(String detail) implements Verdict {}

        /** A precondition does not hold. {@code code} is stable, {@code detail} says what to do. */
        record Refused(String code, String detail) implements Verdict {}

        /** ZooKeeper cannot be asked. */
        record Unavailable(String detail) implements Verdict {}
    }

    /** One precondition. */
    record Check(String name, boolean ok, String detail) {}
}
