package org.cellkeeper.cell.model;

import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The cluster in the words of the appliance API, as one cell knows it.
 *
 * @param mode null while ZooKeeper cannot be asked
 * @param canSurvive how many further cells may be lost, whichever they are, with the cluster staying (or by itself becoming) writable
 *     without loss
 */
public record ClusterReport(
        Health health,
        @Nullable FailoverMode mode,
        long epoch,
        @Nullable CellName primary,
        int acks,
        int sealQuorum,
        int canSurvive,
        Servers zookeeper,
        String phase,
        List<Node> nodes,
        List<String> warnings) {
    /** Of a cell whose agent has not looked yet. */
    public static ClusterReport nothingKnown() {
        return new ClusterReport(
                Health.SSH_PROBLEM,
                null,
                0,
                null,
                0,
                0,
                0,
                Servers.NONE,
                "UNKNOWN",
                List.of(),
                List.of("this cell's agent has just started and knows nothing yet"));
    }

    /** How many ZooKeeper servers there are, and how many of them serve. */
    public record Servers(int all, int serving) {
        public static final Servers NONE = new Servers(0, 0);
    }

    /** The cluster in one word. */
    public enum Health {
        HEALTHY,
        DEGRADED,
        READ_ONLY_PRIMARY,
        NO_ACTIVE_PRIMARY,
        CRITICAL_PROBLEM,
        SSH_PROBLEM
    }

    /** What a cell is registered as. */
    public enum Registered {
        PRIMARY,
        STANDBY
    }

    /** What its PostgreSQL was seen to be. */
    public enum Status {
        RUNNING_PRIMARY,
        RUNNING,
        UNREACHABLE,
        FAILED,
        RUNNING_AS_PRIMARY_UNEXPECTEDLY
    }

    /** How it is attached to the primary. */
    public enum Attachment {
        NONE,
        ATTACHED,
        PRIMARY_UNREACHABLE,
        NOT_ATTACHED
    }

    /** What it is, all taken together. */
    public enum NodeRole {
        PRIMARY,
        STANDBY,
        OLD_PRIMARY,
        UNKNOWN
    }

    /** How it is, all taken together. */
    public enum NodeHealth {
        HEALTHY,
        UNHEALTHY,
        INACCURATE_DATA,
        UNRECOVERABLE
    }

    /** Why and since when a cell is halted, and what it holds beyond the fork. */
    public record Halted(
            Instant since,
            long epoch,
            String reason,
            @Nullable Lsn lsn,
            @Nullable Lsn forkLsn,
            @Nullable Long divergedBytes) {}

    /** One cell. {@code id} is its place in the order of names, from 1. */
    public record Node(
            int id,
            CellName name,
            String faultDomain,
            Address address,
            Registered registered,
            Status status,
            Attachment attachment,
            @Nullable CellName upstream,
            NodeRole role,
            NodeHealth health,
            CellState state,
            String detail,
            boolean agentRunning,
            long epoch,
            int timeline,
            @Nullable Lsn lsn,
            long lagBytes,
            long lagMillis,
            boolean voter,
            int priority,
            int progress,
            @Nullable Halted halted) {}
}
