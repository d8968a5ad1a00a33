package org.cellkeeper.cell.model;

import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What the core must know of a cell's configuration.
 *
 * @param bootstrapPrimary the cell that founds a new cluster; null when any may
 * @param initialMode the failover mode that a new cluster is born with
 * @param servers the hosts of the ZooKeeper servers that cells run, the first being server 1; empty when others run them
 * @param refused what of the configuration is not used, and why; empty when all of it is
 */
public record CellSettings(
        CellName name,
        Address address,
        int priority,
        String faultDomain,
        @Nullable CellName bootstrapPrimary,
        FailoverMode initialMode,
        IsolationResponse isolationResponse,
        int minStandbysAfterFailover,
        Timing timing,
        List<String> servers,
        String refused) {
    public CellSettings {
        servers = List.copyOf(servers);
    }

    /** On an ensemble that others run. */
    public CellSettings(
            CellName name,
            Address address,
            int priority,
            String faultDomain,
            @Nullable CellName bootstrapPrimary,
            FailoverMode initialMode,
            IsolationResponse isolationResponse,
            int minStandbysAfterFailover,
            Timing timing) {
        this(
                name,
                address,
                priority,
                faultDomain,
                bootstrapPrimary,
                initialMode,
                isolationResponse,
                minStandbysAfterFailover,
                timing,
                List.of(),
                "");
    }

    /** What the cluster is to know of the cell. */
    public Member entry(Incarnation incarnation) {
        return new Member(incarnation, address, priority, faultDomain);
    }

    public CellSettings withServers(List<String> known, String why) {
        return new CellSettings(
                name,
                address,
                priority,
                faultDomain,
                bootstrapPrimary,
                initialMode,
                isolationResponse,
                minStandbysAfterFailover,
                timing,
                known,
                why);
    }

    /** What a primary does that is cut off from ZooKeeper and from its acknowledging standbys. */
    public enum IsolationResponse {
        READ_ONLY,
        STOP
    }

    /**
     * How long things may take. None of these is needed for safety.
     *
     * @param silence nothing heard for so long counts as silent
     * @param coldStartGrace how long a cell that has not streamed since its start waits for the primary
     * @param ballot a ballot that has not been decided by then is given up
     * @param handover a handover that is not taken by then, counted from the stop, may be taken back
     * @param isolation how long a primary may be cut off before the isolation response
     * @param readOnlyAfter how long a primary may be without enough acknowledging standbys before it turns read-only
     * @param restartPatience how long a primary in AUTOMATIC mode leaves its crashed PostgreSQL down for others to take over
     * @param dropVoterAfter how long a voter may be away before the primary goes on without it
     * @param stop how long PostgreSQL may take to stop fast
     * @param tick how often an idle cell looks at itself
     * @param haste the same while something is under way
     */
    public record Timing(
            Duration silence,
            Duration coldStartGrace,
            Duration ballot,
            Duration handover,
            Duration isolation,
            Duration readOnlyAfter,
            Duration restartPatience,
            Duration dropVoterAfter,
            Duration stop,
            Duration tick,
            Duration haste) {
        public static Timing defaults() {
            return new Timing(
                    Duration.ofMillis(1500),
                    Duration.ofSeconds(20),
                    Duration.ofSeconds(2),
                    Duration.ofSeconds(5),
                    Duration.ofSeconds(5),
                    Duration.ofSeconds(3),
                    Duration.ofSeconds(3),
                    Duration.ofSeconds(60),
                    Duration.ofSeconds(5),
                    Duration.ofMillis(200),
                    Duration.ofMillis(30));
        }
    }
}
