package org.cellkeeper.cell.model;

import org.jspecify.annotations.Nullable;

/**
 * What one agent tells the others about itself, at every change and at least every heartbeat.
 *
 * @param version of the newest shared state that it has read
 * @param rule the number of the rule that it follows, and {@code sentence} its words
 * @param health what it says of its own PostgreSQL
 * @param streamsFrom the cell that it has a live WAL stream from, whose agent it knows to be fresh and healthy; or null
 * @param streamEpoch the epoch of that stream
 * @param received of a standby: received and flushed; of a primary: flushed
 * @param lagMillis how far replay is behind, -1 when not known
 * @param readOnly whether this PostgreSQL, a primary's, refuses writes for now
 * @param trouble what is wrong with its data for good
 * @param oldestWal of a primary: from where on it has WAL to send; null when not known
 * @param doors what it asks of the others' doors, and how its own is; null of an agent that knows of no doors
 */
public record PeerView(
        CellId cell,
        long epoch,
        int version,
        CellState state,
        Health health,
        int rule,
        String sentence,
        @Nullable CellId streamsFrom,
        long streamEpoch,
        @Nullable Lsn received,
        @Nullable Lsn replayed,
        int timeline,
        long lagMillis,
        int progress,
        boolean zookeeper,
        String problem,
        boolean readOnly,
        Trouble trouble,
        @Nullable Lsn oldestWal,
        @Nullable Doors doors) {

    /**
     * The doors of a cluster are held together, as a transaction comes to the primary through any of them.
     *
     * @param call the number of the call by which this cell, the primary, has all doors held; 0 for none
     * @param held the call for which this cell holds its door and nothing is in flight through it; 0 for none
     */
    public record Doors(long call, long held) {
        public static final Doors OPEN = new Doors(0, 0);
    }

    /** The same with other words. */
    public PeerView withWords(String newSentence, String newProblem) {
        return new PeerView(
                cell,
                epoch,
                version,
                state,
                health,
                rule,
                newSentence,
                streamsFrom,
                streamEpoch,
                received,
                replayed,
                timeline,
                lagMillis,
                progress,
                zookeeper,
                newProblem,
                readOnly,
                trouble,
                oldestWal,
                doors);
    }

    /** What is wrong although PostgreSQL runs. */
    public enum Trouble {
        NONE,
        /** The data directory belongs to another cluster. */
        FOREIGN_DATA,
        /** The primary no longer has the WAL that this standby needs. */
        WAL_GONE,
        /** What this standby receives is not replayed, for a reason that does not go by itself. */
        REPLAY_STANDS
    }

    /** What an agent says of its own PostgreSQL. */
    public enum Health {
        OK,
        /** It starts, or recovers from a crash of its own; believed for a short time only. */
        STARTING,
        DOWN,
        CANNOT_WRITE,
        CANNOT_REPLICATE;

        /** Whether a primary that says this of itself must be replaced. */
        public boolean isLost() {
            return this == DOWN || this == CANNOT_WRITE || this == CANNOT_REPLICATE;
        }
    }
}
