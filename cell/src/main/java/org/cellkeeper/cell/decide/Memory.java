package org.cellkeeper.cell.decide;

import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
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
 * milliseconds. Nothing here is needed for safety but {@code rule}, and that is safe to forget.
 *
 * @param started when the agent started
 * @param reigned whether this agent has seen its PostgreSQL reign: when that is gone, it has crashed or been stopped
 * @param votersAway since when each voter does not stream from this primary
 * @param tasksSince since when each open task is known here, by its id: the clocks of two machines are never compared
 */
public record Memory(
        long started,
        Epoch epoch,
        Ballots ballots,
        Timers timers,
        CommitRule rule,
        Applied applied,
        boolean reigned,
        Map<CellId, Long> votersAway,
        Map<String, Long> tasksSince) {

    public static Memory atStart(long now) {
        return new Memory(
                now,
                new Epoch(0, now, 0),
                new Ballots(0, 0, 0, 0),
                Timers.atStart(now),
                new CommitRule(null, null, null),
                new Applied(0, 0, null, new DoorDone(null, null), null),
                false,
                Map.of(),
                Map.of());
    }

    /** What is not so any more from the moment on in which an action begins, whatever comes of it. */
    public Memory begun(Action action, @Nullable DatabaseView before, long now) {
        long postmaster = before == null ? 0 : before.postmaster();
        return with(rule.begun(action), applied.begun(action, postmaster, now));
    }

    /**
     * What is so once an action has been done.
     *
     * @param seen what was observed after it; null when PostgreSQL had no part in it
     */
    public Memory done(Action action, @Nullable DatabaseView seen, long now) {
        long postmaster = seen == null ? 0 : seen.postmaster();
        return with(rule.done(action, postmaster, now), applied.done(action, postmaster, now));
    }

    /** The checkpoint that was asked for with {@link #begun}, and no later one, has ended. */
    public Memory checkpointEnded(@Nullable Checkpoint begun, boolean failed, long now) {
        return begun == null || !begun.equals(applied.checkpoint)
                ? this
                : checkpoint(new Checkpoint(begun.postmaster, begun.asked, Since.of(now), failed));
    }

    Memory checkpoint(Checkpoint asked) {
        return with(rule, applied.checkpoint(asked));
    }

    private Memory with(CommitRule newRule, Applied newApplied) {
        return new Memory(started, epoch, ballots, timers, newRule, newApplied, reigned, votersAway, tasksSince);
    }

    /** What to remember having seen this view (whose memory this is). */
    public Memory after(View view) {
        Epoch nextEpoch = epoch.after(view);
        Timers nextTimers = timers.after(view);
        boolean suspected = timers.suspected.isSo() || nextTimers.suspected.isSo();
        return new Memory(
                started,
                nextEpoch,
                ballots.after(view, nextEpoch.number == epoch.number, suspected),
                nextTimers,
                new CommitRule(rule.confirmed, rule.written, VoterMoves.drainAfter(view)),
                applied,
                Primaries.reigns(view) || (reigned && !handsOver(view)),
                since(votersAway, awayNow(view), view.now()),
                since(tasksSince, openNow(view), view.now()));
    }

    /** What stops for a handover has not crashed. */
    private static boolean handsOver(View view) {
        ClusterState state = view.state();
        return state != null && state.phase() instanceof Phase.Handover;
    }

    private static Set<CellId> awayNow(View view) {
        ClusterState state = view.state();
        if (state == null
                || !state.primary().equals(view.self())
                || !view.database().isPrimary()) {
            return Set.of();
        }
        TreeSet<CellId> away = new TreeSet<>(state.standbyVoters());
        away.removeAll(Primaries.streaming(view));
        return away;
    }

    private static List<String> openNow(View view) {
        return view.coordination().tasks().stream()
                .filter(Task::isOpen)
                .map(Task::id)
                .toList();
    }

    private static <K> Map<K, Long> since(Map<K, Long> before, Collection<K> so, long now) {
        TreeMap<K, Long> since = new TreeMap<>();
        so.forEach(one -> since.put(one, before.getOrDefault(one, now)));
        return since;
    }

    /**
     * The present epoch.
     *
     * @param since when it was first seen
     * @param streamed the epoch in which this cell has had a live stream since the agent's start
     */
    public record Epoch(long number, long since, long streamed) {
        private Epoch after(View view) {
            ClusterState state = view.state();
            long next = state == null ? 0 : state.epoch();
            boolean streams = state != null && Standbys.streamsLive(view);
            return new Epoch(next, next == number ? since : view.now(), streams ? next : streamed);
        }
    }

    /**
     * The ballots of the present epoch.
     *
     * @param open the ballot of the present SEALING or HANDOVER, 0 when steady; {@code phaseSince} when it was first seen
     * @param burnt how many in a row came to nothing; {@code backoffUntil} when the next may be opened
     */
    public record Ballots(long open, long phaseSince, int burnt, long backoffUntil) {
        private static final long FIRST_BACKOFF = 250;
        private static final long LONGEST_BACKOFF = 4000;

        private Ballots after(View view, boolean sameEpoch, boolean suspected) {
            long now = view.now();
            ClusterState state = view.state();
            long next = state == null ? 0 : ballot(state.phase());
            int inVain = sameEpoch ? burnt : 0;
            long backoff = sameEpoch ? backoffUntil : 0;
            if (sameEpoch && open != 0 && next == 0) {
                inVain = burnt + 1;
                backoff = now + Math.min(LONGEST_BACKOFF, FIRST_BACKOFF << Math.min(burnt, 8));
            }
            if (!suspected && next == 0 && now > backoff) {
                inVain = 0;
            }
            return new Ballots(next, next == open ? phaseSince : now, inVain, backoff);
        }

        private static long ballot(Phase phase) {
            return switch (phase) {
                case Phase.Steady() -> 0;
                case Phase.Sealing sealing -> sealing.ballot();
                case Phase.Handover handover -> handover.ballot();
            };
        }
    }

    /**
     * Since when things are so.
     *
     * @param suspected the primary is suspected
     * @param primaryAwaited nobody can write, and somebody is expected to let them again
     * @param primaryStarting the primary says that its PostgreSQL is starting
     * @param coordinationAway ZooKeeper cannot be asked
     * @param coordinationBack this session reaches it
     * @param databaseAway PostgreSQL does not answer (stopped, starting or hung)
     * @param writesFailed the write probe fails
     * @param unsaved the state file cannot be written
     * @param shortOfAckers this primary has too few acknowledging standbys
     * @param replayStands something keeps this standby's replay from going on
     * @param closed a standby runs that lets nobody in
     * @param stopRequested this cell is asked to stop
     * @param stoppedToHandOver this primary's PostgreSQL has stopped for a handover
     */
    public record Timers(
            Since suspected,
            Since primaryAwaited,
            Since primaryStarting,
            Since coordinationAway,
            Since coordinationBack,
            Since databaseAway,
            Since writesFailed,
            Since unsaved,
            Since shortOfAckers,
            Since replayStands,
            Since closed,
            Since stopRequested,
            Since stoppedToHandOver) {
        private static Timers atStart(long now) {
            Since not = Since.NOT_SO;
            return new Timers(not, not, not, Since.of(now), not, not, not, not, not, not, not, not, not);
        }

        private Timers after(View view) {
            long now = view.now();
            DatabaseView database = view.database();
            DatabaseView.Standby standby = database.standby();
            boolean standsStill = standby != null && !standby.standstill().isEmpty();
            return new Timers(
                    suspected.next(Suspicion.suspects(view), now),
                    primaryAwaited.next(Doors.awaitsPrimary(view), now),
                    primaryStarting.next(Suspicion.primaryIsStarting(view), now),
                    coordinationAway.next(!view.coordinationKnown(), now),
                    coordinationBack.next(view.coordination().connected(), now),
                    databaseAway.next(!database.isRunning(), now),
                    writesFailed.next(database.writes() == DatabaseView.Writes.FAILED, now),
                    unsaved.next(view.unsaved(), now),
                    shortOfAckers.next(Primaries.isShortOfAckers(view), now),
                    replayStands.next(standsStill, now),
                    closed.next(database.closed() != null, now),
                    stopRequested.next(view.stopRequested(), now),
                    stoppedToHandOver.next(Handovers.hasStopped(view), now));
        }
    }

    /**
     * What this agent has itself done to the voters and the commit rule: safety rests on it (I1).
     *
     * @param confirmed what its last successful compare-and-set wrote, if none of unknown outcome came after it
     * @param written the commit rule that it last wrote and reloaded, and into which run of the postmaster
     * @param drain what the acknowledgers of a narrower rule must have flushed before the state may follow
     */
    public record CommitRule(
            @Nullable ClusterState confirmed,
            @Nullable Written written,
            @Nullable Drain drain) {
        private CommitRule begun(Action action) {
            return switch (action) {
                // Until its outcome is known it may land at any time (T3).
                case Action.Cas _, Action.CreateState _ -> confirmed(null);
                default -> this;
            };
        }

        private CommitRule done(Action action, long postmaster, long now) {
            return switch (action) {
                case Action.Cas cas -> confirmed(cas.next().stamped());
                case Action.CreateState create -> confirmed(create.first().stamped());
                case Action.StartStandby _ -> wrote(SyncSetting.NOBODY, postmaster, now);
                case Action.PromoteAtRest promote -> wrote(promote.setting(), postmaster, now);
                case Action.ApplySync apply -> wrote(apply.setting(), postmaster, now);
                default -> this;
            };
        }

        private CommitRule confirmed(@Nullable ClusterState state) {
            return new CommitRule(state, written, drain);
        }

        /** What was drained for another one is void. */
        private CommitRule wrote(SyncSetting setting, long postmaster, long now) {
            return new CommitRule(confirmed, new Written(setting, postmaster, now), null);
        }
    }

    /** Nothing is in flight any more through this cell's door, which is held for this call. */
    public Memory doorDrained(long call) {
        DoorHold hold = applied.door.hold;
        if (hold == null || hold.call != call || applied.door.openTo != null) {
            return this;
        }
        DoorHold drained = new DoorHold(hold.caller, call, hold.at, true);
        return with(rule, applied.door(new DoorDone(null, drained)));
    }

    /** A commit rule in the settings file of one run of the postmaster. */
    public record Written(SyncSetting setting, long postmaster, long at) {}

    /**
     * What else this agent has itself done. A run of the postmaster is 0 for none.
     *
     * @param upstreamSetIn the run in which it has set (or emptied) the upstream and reloaded, or that it started with it
     * @param readOnlyUnsureIn the run that was told to turn writers away, or to let them in, and may not have heard it: the file says so
     *     already
     * @param slotsKept the siblings whose slots it has made sure of, in which run, and when
     * @param door what it last had its door do
     * @param checkpoint the checkpoint that it last asked for, or null
     */
    public record Applied(
            long upstreamSetIn,
            long readOnlyUnsureIn,
            @Nullable SlotsKept slotsKept,
            DoorDone door,
            @Nullable Checkpoint checkpoint) {
        /** Whom this cell's door was last opened to; null while it may be held. */
        public @Nullable Upstream doorOpenTo() {
            return door.openTo;
        }

        private Applied begun(Action action, long postmaster, long now) {
            return switch (action) {
                case Action.StartStandby _, Action.Follow _, Action.Unfollow _, Action.PromoteAtRest _ -> upstream(0);
                case Action.HoldDoor hold ->
                    door(new DoorDone(null, new DoorHold(hold.caller(), hold.call(), now, false)));
                case Action.SetReadOnly _ -> readOnlyUnsure(postmaster);
                case Action.Checkpoint _ -> checkpoint(new Checkpoint(postmaster, now, Since.NOT_SO, false));
                default -> this;
            };
        }

        private Applied done(Action action, long postmaster, long now) {
            return switch (action) {
                case Action.StartStandby _, Action.Follow _, Action.Unfollow _, Action.PromoteAtRest _ ->
                    upstream(postmaster);
                case Action.OpenDoor open -> door(new DoorDone(open.primary(), door.hold));
                case Action.SetReadOnly _ -> readOnlyUnsure(0);
                case Action.KeepSlots keep -> slots(new SlotsKept(keep.siblings(), postmaster, now));
                default -> this;
            };
        }

        /** The upstream was set, or emptied, and is loaded; 0 while it may be written and not loaded. */
        private Applied upstream(long postmaster) {
            return new Applied(postmaster, readOnlyUnsureIn, slotsKept, door, checkpoint);
        }

        private Applied readOnlyUnsure(long postmaster) {
            return new Applied(upstreamSetIn, postmaster, slotsKept, door, checkpoint);
        }

        private Applied slots(SlotsKept kept) {
            return new Applied(upstreamSetIn, readOnlyUnsureIn, kept, door, checkpoint);
        }

        private Applied door(DoorDone next) {
            return new Applied(upstreamSetIn, readOnlyUnsureIn, slotsKept, next, checkpoint);
        }

        private Applied checkpoint(Checkpoint asked) {
            return new Applied(upstreamSetIn, readOnlyUnsureIn, slotsKept, door, asked);
        }
    }

    /**
     * What a cell last had its door do.
     *
     * @param openTo whom it leads to; null while it may be held
     * @param hold the last hold, over or not; null when there was none
     */
    public record DoorDone(
            @Nullable Upstream openTo, @Nullable DoorHold hold) {}

    /**
     * A hold of this cell's door.
     *
     * @param caller the primary that called for it, and {@code call} the number of its call
     * @param drained whether nothing is in flight any more
     */
    public record DoorHold(CellId caller, long call, long at, boolean drained) {}

    /** Slots made. */
    public record SlotsKept(Set<CellId> siblings, long postmaster, long at) {}

    /**
     * A checkpoint that was asked for.
     *
     * @param ended since when it is written, or could not be
     */
    public record Checkpoint(long postmaster, long asked, Since ended, boolean failed) {}
}
