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
        List<Task> tasks) {
    public CoordinationView {
        votes = Map.copyOf(votes);
        present = Map.copyOf(present);
        tasks = List.copyOf(tasks);
    }

    /** Nothing read yet. */
    public static CoordinationView nothing() {
        return new CoordinationView(false, false, false, null, 0, Map.of(), Map.of(), false, List.of());
    }
}
