package org.cellkeeper.cell.decide;

import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.cellkeeper.cell.decide.quorum.VoterChange.Drain;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.Phase;
import org.cellkeeper.cell.model.SyncSetting;
import org.cellkeeper.cell.model.Task;
import org.cellkeeper.cell.model.Upstream;
import org.jspecify.annotations.Nullable;

/**
 * What a cell remembers from one view to the next, and forgets when its agent dies. Times are the cell's own monotonic
 * milliseconds; 0 means that the thing is not so. Nothing here is needed for safety but {@code confirmed}, {@code written}
 * and {@code drain}, and those are safe to forget.
 *
 * @param started when the agent started
 * @param streamedEpoch the epoch in which this cell has had a live stream since the agent's start
 * @param epochSince when the present epoch was first seen
 * @param phaseBallot the ballot of the present SEALING or HANDOVER, 0 when steady; {@code phaseSince} when it was first seen
 * @param burnt how many ballots in a row came to nothing; {@code backoffUntil} when the next may be opened
 * @param suspectedSince since when the primary is suspected
 * @param confirmed what this agent's last successful compare-and-set wrote, if none of unknown outcome came after it
 * @param written the commit rule that this agent last wrote and reloaded, and into which run of the postmaster
 * @param drain what the acknowledgers of a narrower rule must have flushed before the state may follow
 * @param databaseAwaySince since when PostgreSQL does not answer (stopped, starting or hung)
 * @param writesFailedSince since when the write probe fails
 * @param unsavedSince since when the state file cannot be written
 * @param shortSince since when the primary has too few acknowledging standbys
 * @param primaryStartingSince since when the primary says that its PostgreSQL is starting
 * @param coordinationAwaySince since when ZooKeeper cannot be asked
 * @param coordinationBackSince since when this session reaches it
 * @param votersAway since when each voter does not stream from this primary
 * @param reignedIn the run of the postmaster that this agent has seen reign, 0 for none: when it is gone, it has crashed or been stopped
 * @param upstreamSetIn the run of the postmaster in which this agent has itself set (or emptied) the upstream and reloaded, or that
 *     it started with it; 0 for none
 * @param replayStandsSince since when something keeps this standby's replay from going on; 0 when nothing does
 * @param closedSince since when a standby runs that lets nobody in; 0 when none does
 * @param tasksSince since when each open task is known here, by its id: the clocks of two machines are never compared
 * @param doorOpenTo whom this cell's door was last opened to; null while it may be held
 * @param readOnlyUnsureIn the run of the postmaster that was told to turn writers away, or to let them in, and may not have heard it:
 *     the file says so already; 0 for none
 * @param checkpoint the checkpoint that this agent last asked for, or null
 * @param slotsKept the siblings whose slots this agent has made sure of, in which run of the postmaster, and when
 */
public record Memory(
        long started,
        long streamedEpoch,
        long epoch,
        long epochSince,
        long phaseBallot,
        long phaseSince,
        int burnt,
        long backoffUntil,
        long suspectedSince,
        @Nullable ClusterState confirmed,
        @Nullable Written written,
        @Nullable Drain drain,
        long databaseAwaySince,
        long writesFailedSince,
        long unsavedSince,
        long shortSince,
        long coordinationAwaySince,
        long coordinationBackSince,
        long primaryStartingSince,
        Map<CellId, Long> votersAway,
        long reignedIn,
        @Nullable SlotsKept slotsKept,
        @Nullable Upstream doorOpenTo,
        long upstreamSetIn,
        long stopRequestedSince,
        long replayStandsSince,
        long closedSince,
        Map<String, Long> tasksSince,
        long readOnlyUnsureIn,
        @Nullable Checkpoint checkpoint) {

    /** A commit rule in the settings file of one run of the postmaster. */
    public record Written(SyncSetting setting, long postmaster, long at) {}

    /** Slots made. */
    public record SlotsKept(Set<CellId> siblings, long postmaster, long at) {}

    /**
     * A checkpoint that was asked for.
     *
     * @param ended when it was written, or could not be; 0 while it is being written
     */
    public record Checkpoint(long postmaster, long asked, long ended, boolean failed) {}

    private static final long FIRST_BACKOFF = 250;
    private static final long LONGEST_BACKOFF = 4000;

    public static Memory atStart(long now) {
        return new Memory(
                now, 0, 0, now, 0, 0, 0, 0, 0, null, null, null, 0, 0, 0, 0, now, 0, 0, Map.of(), 0, null, null, 0, 0,
                0, 0, Map.of(), 0, null);
    }

    /** What is not so any more from the moment on in which an action begins, whatever comes of it. */
    public Memory begun(Action action, @Nullable DatabaseView before, long now) {
        return switch (action) {
            // Until its outcome is known it may land at any time (T3).
            case Action.Cas _, Action.CreateState _ -> confirmed(null);
            case Action.StartStandby _, Action.Follow _, Action.Unfollow _, Action.PromoteAtRest _ -> upstreamSetIn(0);
            case Action.HoldDoor _ -> doorOpenTo(null);
            case Action.SetReadOnly _ -> readOnlyUnsureIn(before == null ? 0 : before.postmaster());
            case Action.Checkpoint _ ->
                checkpoint(new Checkpoint(before == null ? 0 : before.postmaster(), now, 0, false));
            default -> this;
        };
    }

    /**
     * What is so once an action has been done.
     *
     * @param seen what was observed after it; null when PostgreSQL had no part in it
     */
    public Memory done(Action action, @Nullable DatabaseView seen, long now) {
        long postmaster = seen == null ? 0 : seen.postmaster();
        return switch (action) {
            case Action.Cas cas -> confirmed(cas.next().stamped());
            case Action.CreateState create -> confirmed(create.first().stamped());
            case Action.Follow _, Action.Unfollow _ -> upstreamSetIn(postmaster);
            case Action.StartStandby _ -> upstreamSetIn(postmaster).wrote(SyncSetting.NOBODY, postmaster, now);
            case Action.PromoteAtRest promote -> upstreamSetIn(postmaster).wrote(promote.setting(), postmaster, now);
            case Action.ApplySync apply -> wrote(apply.setting(), postmaster, now);
            case Action.KeepSlots keep -> slotsKept(new SlotsKept(keep.siblings(), postmaster, now));
            case Action.OpenDoor open -> doorOpenTo(open.primary());
            case Action.SetReadOnly _ -> readOnlyUnsureIn(0);
            default -> this;
        };
    }

    /** The checkpoint that was asked for with {@link #begun}, and no later one, has ended. */
    public Memory checkpointEnded(@Nullable Checkpoint begun, boolean failed, long now) {
        return begun == null || !begun.equals(checkpoint)
                ? this
                : checkpoint(new Checkpoint(begun.postmaster, begun.asked, now, failed));
    }

    /** What the last compare-and-set wrote, if its outcome is known. */
    public Memory confirmed(@Nullable ClusterState applied) {
        return with(applied, written, drain, slotsKept, doorOpenTo, upstreamSetIn, readOnlyUnsureIn, checkpoint);
    }

    private Memory wrote(SyncSetting setting, long postmaster, long now) {
        return with(
                confirmed,
                new Written(setting, postmaster, now),
                null,
                slotsKept,
                doorOpenTo,
                upstreamSetIn,
                readOnlyUnsureIn,
                checkpoint);
    }

    private Memory slotsKept(SlotsKept kept) {
        return with(confirmed, written, drain, kept, doorOpenTo, upstreamSetIn, readOnlyUnsureIn, checkpoint);
    }

    private Memory doorOpenTo(@Nullable Upstream open) {
        return with(confirmed, written, drain, slotsKept, open, upstreamSetIn, readOnlyUnsureIn, checkpoint);
    }

    /** The upstream was set, or emptied, and is loaded; 0 while it may be written and not loaded. */
    private Memory upstreamSetIn(long postmaster) {
        return with(confirmed, written, drain, slotsKept, doorOpenTo, postmaster, readOnlyUnsureIn, checkpoint);
    }

    private Memory readOnlyUnsureIn(long postmaster) {
        return with(confirmed, written, drain, slotsKept, doorOpenTo, upstreamSetIn, postmaster, checkpoint);
    }

    Memory checkpoint(Checkpoint asked) {
        return with(confirmed, written, drain, slotsKept, doorOpenTo, upstreamSetIn, readOnlyUnsureIn, asked);
    }

    private Memory with(
            @Nullable ClusterState newConfirmed,
            @Nullable Written newWritten,
            @Nullable Drain newDrain,
            @Nullable SlotsKept newSlots,
            @Nullable Upstream newDoor,
            long newUpstreamSetIn,
            long newReadOnlyUnsureIn,
            @Nullable Checkpoint newCheckpoint) {
        return new Memory(
                started,
                streamedEpoch,
                epoch,
                epochSince,
                phaseBallot,
                phaseSince,
                burnt,
                backoffUntil,
                suspectedSince,
                newConfirmed,
                newWritten,
                newDrain,
                databaseAwaySince,
                writesFailedSince,
                unsavedSince,
                shortSince,
                coordinationAwaySince,
                coordinationBackSince,
                primaryStartingSince,
                votersAway,
                reignedIn,
                newSlots,
                newDoor,
                newUpstreamSetIn,
                stopRequestedSince,
                replayStandsSince,
                closedSince,
                tasksSince,
                newReadOnlyUnsureIn,
                newCheckpoint);
    }

    /** What to remember having seen this view (whose memory this is). */
    public Memory after(View view) {
        ClusterState state = view.state();
        long now = view.now();
        DatabaseView database = view.database();
        long newEpoch = state == null ? 0 : state.epoch();
        boolean sameEpoch = newEpoch == epoch;

        long ballot = 0;
        if (state != null) {
            ballot = switch (state.phase()) {
                case Phase.Steady() -> 0;
                case Phase.Sealing sealing -> sealing.ballot();
                case Phase.Handover handover -> handover.ballot();
            };
        }
        boolean samePhase = ballot == phaseBallot;
        int newBurnt = sameEpoch ? burnt : 0;
        long newBackoff = sameEpoch ? backoffUntil : 0;
        if (sameEpoch && phaseBallot != 0 && ballot == 0) {
            newBurnt = burnt + 1;
            newBackoff = now + Math.min(LONGEST_BACKOFF, FIRST_BACKOFF << Math.min(burnt, 8));
        }
        boolean suspected = Suspicion.suspects(view);
        if (!suspected && suspectedSince == 0 && ballot == 0 && now > newBackoff) {
            newBurnt = 0;
        }
        boolean streams = state != null && Standbys.streamsLive(view);
        return new Memory(
                started,
                streams ? newEpoch : streamedEpoch,
                newEpoch,
                sameEpoch ? epochSince : now,
                ballot,
                samePhase ? phaseSince : now,
                newBurnt,
                newBackoff,
                since(suspected, suspectedSince, now),
                confirmed,
                written,
                VoterMoves.drainAfter(view),
                since(database.process() != DatabaseView.Process.RUNNING, databaseAwaySince, now),
                since(database.writes() == DatabaseView.Writes.FAILED, writesFailedSince, now),
                since(view.unsaved(), unsavedSince, now),
                since(Primaries.isShortOfAckers(view), shortSince, now),
                since(!view.coordinationKnown(), coordinationAwaySince, now),
                since(view.coordination().connected(), coordinationBackSince, now),
                since(Suspicion.primaryIsStarting(view), primaryStartingSince, now),
                votersAwayAfter(view),
                Primaries.reigns(view) ? database.postmaster() : handsOver(view) ? 0 : reignedIn,
                slotsKept,
                doorOpenTo,
                upstreamSetIn,
                since(view.stopRequested(), stopRequestedSince, now),
                since(standsStill(database.standby()), replayStandsSince, now),
                since(database.closed() != null, closedSince, now),
                tasksSinceAfter(view),
                readOnlyUnsureIn,
                checkpoint);
    }

    private static boolean standsStill(DatabaseView.@Nullable Standby standby) {
        return standby != null && !standby.standstill().isEmpty();
    }

    /** What stops for a handover has not crashed. */
    private static boolean handsOver(View view) {
        ClusterState state = view.state();
        return state != null && state.phase() instanceof Phase.Handover;
    }

    private static long since(boolean so, long before, long now) {
        if (!so) {
            return 0;
        }
        return before == 0 ? now : before;
    }

    private Map<String, Long> tasksSinceAfter(View view) {
        TreeMap<String, Long> since = new TreeMap<>();
        for (Task task : view.coordination().tasks()) {
            if (task.isOpen()) {
                since.put(task.id(), tasksSince.getOrDefault(task.id(), view.now()));
            }
        }
        return since;
    }

    private Map<CellId, Long> votersAwayAfter(View view) {
        ClusterState state = view.state();
        if (state == null
                || !state.primary().equals(view.self())
                || !view.database().isPrimary()) {
            return Map.of();
        }
        TreeMap<CellId, Long> away = new TreeMap<>();
        Set<CellId> streaming = Primaries.streaming(view);
        for (CellId voter : state.standbyVoters()) {
            if (!streaming.contains(voter)) {
                away.put(voter, votersAway.getOrDefault(voter, view.now()));
            }
        }
        return away;
    }
}
