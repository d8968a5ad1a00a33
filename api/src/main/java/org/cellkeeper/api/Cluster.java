package org.cellkeeper.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The answer to {@code GET /nodes}. The first three and {@code warnings} are those that vCD's clients know; the rest is ours.
 * Words are strings, so that an old client can read what a newer cell says.
 *
 * @param localClusterFailover MANUAL, AUTOMATIC, or INDETERMINATE while ZooKeeper cannot be asked
 * @param localClusterHealth HEALTHY, DEGRADED, READ_ONLY_PRIMARY, NO_ACTIVE_PRIMARY, CRITICAL_PROBLEM or SSH_PROBLEM
 * @param acks how many standbys must acknowledge a commit
 * @param sealQuorum how many voters a change of primary needs, the primary not counted
 * @param canSurvive how many further cells may be lost with the cluster staying writable without loss
 * @param zookeeperServers how many ZooKeeper servers there are, and {@code zookeeperServing} how many of them serve, as the cell
 *     that was asked finds them
 * @param phase STEADY, SEALING, HANDOVER, UNBORN or UNKNOWN
 */
public record Cluster(
        String localClusterFailover,
        String localClusterHealth,
        List<Node> localClusterState,
        List<String> warnings,
        long epoch,
        @Nullable String primary,
        int acks,
        int sealQuorum,
        int canSurvive,
        int zookeeperServers,
        int zookeeperServing,
        String phase) {

    /**
     * One cell. {@code connectionString} never holds a password.
     *
     * @param role as registered: primary or standby
     * @param status "* running", "running", "? unreachable", "- failed" or "! running as primary"
     * @param upstream "" or the primary's name, after "? " when the primary is unreachable, after "! " when the cell is not
     *     attached to it
     * @param nodeRole PRIMARY, STANDBY, OLD_PRIMARY or UNKNOWN
     * @param nodeHealth HEALTHY, UNHEALTHY, INACCURATE_DATA or UNRECOVERABLE
     * @param state PRIMARY, STREAMING, CATCHING_UP, CLONING, SEALED, HALTED, REMOVED, DOWN, UNREACHABLE or STARTING
     * @param lagBytes WAL that the primary has and this cell has not, null when not known
     * @param progress of a clone, in percent
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Node(
            int id,
            String name,
            String location,
            String connectionString,
            String role,
            String status,
            String upstream,
            String nodeRole,
            String nodeHealth,
            Failover failover,
            String state,
            String details,
            long epoch,
            int timeline,
            @Nullable String lsn,
            @Nullable Long lagBytes,
            @Nullable Long lagMillis,
            boolean voter,
            int priority,
            String faultDomain,
            @Nullable Integer progress,
            @Nullable Halted halted) {}

    /**
     * The failover agent of one cell.
     *
     * @param mode MANUAL, AUTOMATIC or UNKNOWN
     */
    public record Failover(String mode, String details, Agent repmgrd) {}

    /**
     * Under the name that vCD's clients know it by.
     *
     * @param status RUNNING, NOT RUNNING, NOT APPLICABLE or UNKNOWN
     */
    public record Agent(String status, String details) {}

    /**
     * Why and since when a cell is halted.
     *
     * @param forkLsn where the present primary's WAL left this cell's
     * @param divergedBytes WAL that only this cell holds
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Halted(
            String since,
            long epoch,
            String reason,
            @Nullable String lsn,
            @Nullable String forkLsn,
            @Nullable Long divergedBytes) {}
}
