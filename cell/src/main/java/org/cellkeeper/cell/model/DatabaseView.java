package org.cellkeeper.cell.model;

import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * One observation of the local PostgreSQL, taken as a whole. What could not be asked is null or UNKNOWN, or not there, never a guess.
 *
 * @param data what lies in the data directory
 * @param systemId of the data directory, or null when there is none
 * @param control read from pg_control, or null when there is none or it is torn
 * @param startsAsStandby whether the directory, started now, would come up in recovery (standby.signal)
 * @param upstreamOnDisk the upstream in the settings file; null when it is empty
 * @param syncOnDisk the commit rule in the settings file, null when the file is not ours
 * @param syncInForce the commit rule that a new session shows, null when not asked or unreadable
 * @param readOnly whether new transactions are read-only by default (in the settings file)
 * @param slots the sibling slots that exist
 * @param writes what the last write probe with fsync on the data volume said
 * @param elsewhere whether it runs, and listens at another address than the one that is configured now
 * @param problem in words, what is wrong with the instance or its data; empty when nothing is
 */
public record DatabaseView(
        Data data,
        @Nullable String systemId,
        @Nullable Control control,
        boolean startsAsStandby,
        Instance instance,
        @Nullable Upstream upstreamOnDisk,
        @Nullable SyncSetting syncOnDisk,
        @Nullable SyncSetting syncInForce,
        boolean readOnly,
        Set<String> slots,
        Writes writes,
        boolean elsewhere,
        String problem) {

    /** What lies in the data directory. */
    public enum Data {
        EMPTY,
        /** A clone or an initdb was cut off: not to be started. */
        INCOMPLETE,
        PRESENT
    }

    /** How PostgreSQL is, with all that can be known of it then. */
    public sealed interface Instance {
        /** Tells one run of the postmaster from the next; 0 while none runs. */
        default long postmaster() {
            return 0;
        }
    }

    /**
     * No process of it is left.
     *
     * @param rest null unless its WAL has been read to its end since it stopped
     */
    public record Stopped(@Nullable Rest rest) implements Instance {}

    /** Its postmaster is dead, and processes of it are still there. */
    public record Orphaned() implements Instance {}

    /** It runs, and cannot be asked. */
    public sealed interface Closed extends Instance {
        /** Whether a walreceiver of it runs, by what the operating system says; false for one that is not to be a standby. */
        boolean receives();
    }

    /**
     * It does not take connections yet, or again after a crash of one of its children. A standby may stay so for as long as the
     * primary's transactions keep it from opening.
     */
    public record Starting(long postmaster, boolean receives) implements Closed {}

    /** It does not answer within the probe's deadline. */
    public record Unresponsive(long postmaster, boolean receives) implements Closed {}

    /** It runs, and answers. */
    public sealed interface Running extends Instance {}

    /** A primary the history of whose timeline cannot be read, or a standby that has replayed nothing yet. */
    public record Unclear(long postmaster) implements Running {}

    /** What the write probe said. */
    public enum Writes {
        OK,
        FAILED,
        UNKNOWN
    }

    /**
     * pg_control of a stopped instance (or as last written by a running one).
     *
     * @param cleanlyShutDown whether the state is "shut down" (of a primary; a standby's is "shut down in recovery")
     * @param end where the WAL ends: the end of the shutdown checkpoint record when cleanly shut down, else the
     *     latest checkpoint's location
     * @param timeline that of the latest checkpoint
     * @param recoversOn the timeline that a start as primary would go on: a promotion is complete once this is its own
     * @param inRecovery whether no primary was opened on these data since they were a standby's
     */
    public record Control(boolean cleanlyShutDown, int timeline, Lsn end, int recoversOn, boolean inRecovery) {}

    /** How the walreceiver is. */
    public enum Receiver {
        /** None runs, and none can come: the empty primary_conninfo is known to be in force in the startup process. */
        DETACHED,
        /** None streams at the moment, but one may at any time. */
        WAITING,
        STREAMING
    }

    /**
     * A running standby.
     *
     * @param silentMillis for how long nothing has come from the upstream, by this agent's own clock; 0 unless STREAMING
     * @param endKnown whether {@code received} and {@code replayed} account for all local WAL: after a restart they do
     *     only once it is replayed
     * @param received received and flushed (never less than replayed)
     * @param timeline the timeline of the last WAL
     * @param replayLagMillis for how long the oldest WAL that is to be replayed has been here, by this agent's own clock; 0 when
     *     there is none
     * @param standstill in words, what keeps replay from going on; empty when nothing does
     */
    public record Standby(
            long postmaster,
            Receiver receiver,
            long silentMillis,
            boolean endKnown,
            Lsn received,
            Lsn replayed,
            int timeline,
            long replayLagMillis,
            String standstill)
            implements Running {}

    /**
     * What lies on the disk of a stopped instance: nobody can receive more, for no process of it is left.
     *
     * @param end of the last whole record
     * @param timeline that this record was written on
     */
    public record Rest(Lsn end, int timeline) {}

    /**
     * A running primary.
     *
     * @param flushed read after {@code syncInForce} and before {@code senders}
     * @param timelineStart where its timeline forked off (0/0 on timeline 1)
     * @param waiting sessions that wait for an acknowledgement
     * @param oldestWal from where on there is WAL to send; null when not known
     */
    public record Primary(
            long postmaster,
            int timeline,
            Lsn timelineStart,
            Lsn flushed,
            List<WalSender> senders,
            int waiting,
            @Nullable Lsn oldestWal)
            implements Running {
        public Primary {
            senders = List.copyOf(senders);
        }
    }

    /**
     * One physical stream to a standby of ours: it holds that cell's slot and, encrypted, shows that cell's certificate. One that bears a
     * cell's name otherwise is none of these, and is ended.
     *
     * @param streaming false while it catches up
     * @param priority PostgreSQL's sync_priority of it: 0 when it does not count
     * @param olderThanReload whether it may not have read the commit rule that this agent last wrote: it was there before that was
     *     seen in force
     */
    public record WalSender(
            StreamName name, boolean streaming, Lsn flushed, int priority, boolean olderThanReload, int pid) {
        public WalSender olderThanReload(boolean older) {
            return new WalSender(name, streaming, flushed, priority, older, pid);
        }
    }

    public DatabaseView {
        slots = Set.copyOf(slots);
    }

    /** Nothing observed yet. */
    public static DatabaseView nothing() {
        return new DatabaseView(
                Data.EMPTY,
                null,
                null,
                false,
                new Stopped(null),
                null,
                null,
                null,
                false,
                Set.of(),
                Writes.UNKNOWN,
                false,
                "not observed yet");
    }

    public long postmaster() {
        return instance.postmaster();
    }

    public boolean isStopped() {
        return instance instanceof Stopped;
    }

    public boolean isRunning() {
        return instance instanceof Running;
    }

    public boolean isPrimary() {
        return instance instanceof Primary;
    }

    public boolean isStandby() {
        return instance instanceof Standby;
    }

    public @Nullable Primary primary() {
        return instance instanceof Primary primary ? primary : null;
    }

    public @Nullable Standby standby() {
        return instance instanceof Standby standby ? standby : null;
    }

    /** A standby that runs, and cannot be asked. */
    public @Nullable Closed closed() {
        return startsAsStandby && instance instanceof Closed closed ? closed : null;
    }

    /** Where the WAL of a standby ends, for sure, whether it runs or is at rest; null while that is not known. */
    public @Nullable Rest knownEnd() {
        return switch (instance) {
            case Stopped stopped -> stopped.rest;
            case Standby standby -> standby.endKnown ? new Rest(standby.received, standby.timeline) : null;
            case Orphaned _, Closed _, Unclear _, Primary _ -> null;
        };
    }
}
