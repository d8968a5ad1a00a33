package org.cellkeeper.cell.model;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What this cell last read in ZooKeeper. It may be old at any time.
 *
 * @param connected whether this session can reach the ensemble right now
 * @param synced whether the state was read after a sync (or an own write) in this session
 * @param stateAbsent whether a synced read found that there is no state: the cluster is not born
 * @param state the newest state that this session has read, or null
 * @param votes the votes of the ballot that is open or, for a primary whose reign is not recorded, of its election;
 *     by voter's name
 * @param votesOf the ballot that {@code votes} belong to; 0 when none were read
 * @param present the cells with a live session
 * @param birthLock whether this cell's session holds the birth lock
 * @param tasks all tasks, newest first
 * @param server the server that is, or was last, connected to; empty when not known
 * @param objection why nothing of what it says is believed, in words; empty when it is
 */
public record CoordinationView(
        boolean connected,
        boolean synced,
        boolean stateAbsent,
        @Nullable VersionedState state,
        long votesOf,
        Map<CellName, Vote> votes,
        Map<CellName, Presence> present,
        boolean birthLock,
        List<Task> tasks,
        String server,
        String objection) {
    public CoordinationView {
        votes = Map.copyOf(votes);
        present = Map.copyOf(present);
        tasks = List.copyOf(tasks);
    }

    public CoordinationView(
            boolean connected,
            boolean synced,
            boolean stateAbsent,
            @Nullable VersionedState state,
            long votesOf,
            Map<CellName, Vote> votes,
            Map<CellName, Presence> present,
            boolean birthLock,
            List<Task> tasks,
            String server) {
        this(connected, synced, stateAbsent, state, votesOf, votes, present, birthLock, tasks, server, "");
    }

    /** Nothing read yet. */
    public static CoordinationView nothing() {
        return new CoordinationView(false, false, false, null, 0, Map.of(), Map.of(), false, List.of(), "");
    }

    /** What is left of it when it is not believed: as if it could not be asked. */
    public CoordinationView disbelieved(String why) {
        return new CoordinationView(false, false, false, null, 0, Map.of(), Map.of(), false, List.of(), server, why);
    }

    /** The same, and nothing may be written to it. */
    public CoordinationView objectedTo(String why) {
        return new CoordinationView(
                connected, synced, stateAbsent, state, votesOf, votes, present, birthLock, tasks, server, why);
    }

    /** The same with a newer state, as this cell has read it elsewhere or before. */
    public CoordinationView withState(VersionedState newer) {
        return new CoordinationView(
                connected, synced, false, newer, votesOf, votes, present, birthLock, tasks, server, objection);
    }
}
