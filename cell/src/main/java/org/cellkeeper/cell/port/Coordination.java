package org.cellkeeper.cell.port;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.CoordinationView;
import org.cellkeeper.cell.model.HistoryEntry;
import org.cellkeeper.cell.model.Presence;
import org.cellkeeper.cell.model.Task;
import org.cellkeeper.cell.model.Vote;

/**
 * ZooKeeper as the referee of changes. Reads come by {@link #listen}, whenever something changed, and may be old at any
 * time. Writes complete with what is known of them; they never throw for a lost connection.
 */
public interface Coordination {
    /** What is known of a write. */
    enum Outcome {
        APPLIED,
        /** Certainly not applied: the version (or the absence) was another. */
        CONFLICT,
        /** Certainly not applied: never sent. */
        NOT_SENT,
        /** It may have been applied, or may yet be. */
        UNKNOWN
    }

    void listen(Consumer<CoordinationView> listener);

    /** Changes the shared state if its version is still this one. */
    CompletableFuture<Outcome> compareAndSet(int expectedVersion, ClusterState next);

    /** Makes the shared state if there is none. */
    CompletableFuture<Outcome> create(ClusterState first);

    /** Tries to take the birth lock, an ephemeral of this session; the view tells the outcome. */
    CompletableFuture<Outcome> takeBirthLock();

    /** Writes this cell's vote, replacing an earlier one of it for the same ballot. */
    CompletableFuture<Outcome> publishVote(Vote vote);

    /** Removes all votes of ballots up to this one. */
    CompletableFuture<Outcome> deleteVotes(long upToBallot);

    /** Keeps this cell's ephemeral entry as given, in this session and the next ones. CONFLICT: another incarnation lives under the name. */
    CompletableFuture<Outcome> publishPresence(Presence presence);

    /** Keeps {@code /cluster/leader}, the primary's ephemeral entry with its epoch, until {@link #resignLeader}. */
    CompletableFuture<Outcome> announceLeader(CellId primary, long epoch);

    CompletableFuture<Outcome> resignLeader();

    /** Makes a task, or replaces the one of the same id. CONFLICT: it has ended, or somebody else has just changed it. */
    CompletableFuture<Outcome> putTask(Task task);

    CompletableFuture<Outcome> appendHistory(HistoryEntry entry);

    /** What happened, newest first; fails when ZooKeeper cannot be asked. */
    CompletableFuture<List<HistoryEntry>> history(int limit);

    /** Reads everything anew after a sync; the listener is told. */
    void refresh();

    /** What this connection tells is not the cluster's: gives it and its session up, and goes on to another server. */
    void distrust();
}
