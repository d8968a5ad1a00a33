package org.cellkeeper.cell.decide;

import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;
import org.cellkeeper.cell.decide.quorum.CommitQuorum;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.DatabaseView.WalSender;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.PeerView;
import org.cellkeeper.cell.model.SyncSetting;
import org.jspecify.annotations.Nullable;

/**
 * Changes the voters and k one elementary move at a time (the protocol's section 4), resumable at any point: each view is
 * looked at as if an unknown predecessor had died in the middle of its move.
 *
 * <p>Invariant at every instant: each seal quorum computed from the shared state intersects each set that PostgreSQL accepts
 * as acknowledgement, and covers all that was acknowledged before. So PostgreSQL is never wider than the state: what
 * widens it is done in ZooKeeper first, what narrows it in PostgreSQL first.
 */
public final class VoterMoves {
    /** A reload that has not shown by then is done again. */
    private static final long RELOAD_MILLIS = 1000;

    private VoterMoves() {}

    /** The next step of the primary. */
    public sealed interface Step {
        /** PostgreSQL and the state agree, and are as they should be. */
        record Nothing() implements Step {}

        /** A no-op compare-and-set: before widening, an old one of unknown outcome must not be able to land any more. */
        record Confirm() implements Step {}

        /** Write this rule and reload. */
        record Write(SyncSetting setting, String why) implements Step {}

        /** Walsenders that may not have reloaded still release commits by their old k. */
        record TerminateOldSenders() implements Step {}

        record Await(String what) implements Step {}

        record Change(SortedSet<CellId> voters, int acks, String why) implements Step {}
    }

    /** What PostgreSQL should have in force, and what the state may then become. */
    private record Goal(SyncSetting setting, @Nullable SortedSet<CellId> voters, int acks, boolean raises, String why) {
        /** PostgreSQL should be as the state is. */
        static Goal asTheState(ClusterState state) {
            return new Goal(state.syncSetting(), null, 0, false, "as the shared state says");
        }
    }

    public static Step next(View view) {
        ClusterState state = view.state();
        DatabaseView database = view.database();
        if (state == null || !state.isSteady() || !view.coordinationKnown() || !Primaries.reigns(view)) {
            return new Step.Nothing();
        }
        Goal goal = goal(view, state);
        if (goal == null) {
            return new Step.Nothing();
        }
        SyncSetting want = goal.setting();
        SyncSetting onDisk = database.syncOnDisk();
        SyncSetting inForce = database.syncInForce();
        // T12: what an unknown predecessor wrote may not be in force yet, and what is in force may not be what it
        // wrote.
        boolean tampered = inForce != null && isWritten(view, want) && !want.equals(inForce);
        if (!isWritten(view, want) || !want.equals(onDisk)) {
            boolean widens = onDisk == null || want.widens(onDisk) || (inForce != null && want.widens(inForce));
            if (!widens && inForce == null) {
                return new Step.Await("a new session's view of the commit rule");
            }
            if (widens && !isConfirmed(view, state)) {
                return new Step.Confirm(); // I1, T3
            }
            return new Step.Write(want, goal.why());
        }
        if (goal.voters() == null && !tampered) {
            Step move = firstInZooKeeper(view, state);
            return move == null ? new Step.Nothing() : move;
        }
        if (inForce == null) {
            return new Step.Await("a new session's view of the commit rule");
        }
        if (tampered) {
            return new Step.Await("the commit rule to come into force");
        }
        DatabaseView.Primary primary = database.primary();
        SortedSet<CellId> newVoters = goal.voters();
        if (primary == null || newVoters == null) {
            return new Step.Nothing();
        }
        if (droppedStillCounts(primary, want)) {
            return new Step.Await("the dropped cell's stream to stop counting");
        }
        if (goal.raises() && hasOldSender(primary, want)) {
            return new Step.TerminateOldSenders(); // T11
        }
        Memory.Drain drain = view.memory().drain();
        if (drain == null || !drain.setting().equals(want)) {
            return new Step.Await("the flush position to be covered");
        }
        long covered = primary.senders().stream()
                .filter(sender -> want.names().contains(sender.name()))
                .filter(sender -> sender.flushed().atLeast(drain.until()))
                .map(WalSender::name)
                .distinct()
                .count();
        int needed = want.names().isEmpty() ? 0 : want.acks();
        if (covered < needed) {
            return new Step.Await(needed + " of the new voters to have flushed " + drain.until());
        }
        return new Step.Change(newVoters, goal.acks(), goal.why());
    }

    private static @Nullable Goal goal(View view, ClusterState state) {
        SortedSet<CellId> streaming = Primaries.streaming(view);
        streaming.removeIf(cell -> !state.isActive(cell) || Tasks.removalAsked(view, cell.name()));
        SyncSetting onDisk = view.database().syncOnDisk();
        if (state.standbyVoters().isEmpty()) {
            return firstWidening(state, streaming, onDisk);
        }
        SortedSet<CellId> voters = state.standbyVoters();
        if (voters.stream().allMatch(voter -> mustGo(view, state, voter)) || nobodyComesBack(view, state)) {
            // Nobody could seal or acknowledge any more, and the primary holds all that was ever acknowledged: back to
            // the start of a
            // reign.
            return new Goal(
                    SyncSetting.NOBODY, new TreeSet<>(Set.of(state.primary())), 0, false, "drop all of " + voters);
        }
        SyncSetting asState = state.syncSetting();
        if (onDisk == null) {
            return Goal.asTheState(state);
        }
        if (!asState.equals(onDisk) && !onDisk.widens(asState)) {
            Goal unfinished = unfinished(view, state, streaming, onDisk, voters);
            if (unfinished != null) {
                return unfinished;
            }
        }
        // Names enter only while their cells stream; until then PostgreSQL stays narrower than the state.
        TreeSet<CellId> may = new TreeSet<>(voters);
        may.removeIf(voter -> !onDisk.names(voter) && !streaming.contains(voter));
        SyncSetting reachable = SyncSetting.of(may, state.acks(), state.epoch());
        if (!reachable.equals(onDisk) || !isWritten(view, reachable) || !reachable.equals(asState)) {
            return new Goal(reachable, null, 0, false, "as the shared state says");
        }
        CellId leaver = leaver(view, state);
        int acks = state.acks();
        if (leaver != null && acks <= targetAcks(view, state)) {
            TreeSet<CellId> rest = new TreeSet<>(voters);
            rest.remove(leaver);
            if (canCover(rest, streaming, acks)) {
                TreeSet<CellId> newVoters = new TreeSet<>(rest);
                newVoters.add(state.primary());
                return new Goal(SyncSetting.of(rest, acks, state.epoch()), newVoters, acks, false, "drop " + leaver);
            }
        }
        boolean allStream = streaming.containsAll(voters);
        if (leaver == null && acks < targetAcks(view, state) && allStream) {
            return new Goal(
                    SyncSetting.of(voters, acks + 1, state.epoch()),
                    state.voters(),
                    acks + 1,
                    true,
                    "raise k to " + (acks + 1));
        }
        return Goal.asTheState(state);
    }

    /** From voters={P}: names and k first, then one compare-and-set. What is under way is finished rather than begun anew. */
    private static @Nullable Goal firstWidening(
            ClusterState state, SortedSet<CellId> streaming, @Nullable SyncSetting onDisk) {
        if (onDisk != null && !onDisk.names().isEmpty()) {
            TreeSet<CellId> named = new TreeSet<>();
            onDisk.names().forEach(name -> named.add(name.cell()));
            boolean ofThisEpoch = onDisk.names().stream().allMatch(name -> name.epoch() == state.epoch());
            boolean sane = onDisk.acks() == Math.max(1, CommitQuorum.defaultAcks(named.size() + 1));
            if (ofThisEpoch && sane && streaming.containsAll(named)) {
                return widening(state, named, onDisk);
            }
        }
        if (streaming.isEmpty()) {
            return null;
        }
        int acks = Math.max(1, CommitQuorum.defaultAcks(streaming.size() + 1));
        return widening(state, streaming, SyncSetting.of(streaming, acks, state.epoch()));
    }

    private static Goal widening(ClusterState state, SortedSet<CellId> standbys, SyncSetting setting) {
        TreeSet<CellId> voters = new TreeSet<>(standbys);
        voters.add(state.primary());
        return new Goal(setting, voters, setting.acks(), setting.acks() > 1, "first voters of the reign " + standbys);
    }

    /** PostgreSQL is narrower than the state: a move that narrows was not finished, or one that widens was not begun here. */
    private static @Nullable Goal unfinished(
            View view, ClusterState state, SortedSet<CellId> streaming, SyncSetting onDisk, SortedSet<CellId> voters) {
        TreeSet<CellId> missing = new TreeSet<>(voters);
        onDisk.names().forEach(name -> missing.remove(name.cell()));
        CellId leaver = leaver(view, state);
        for (CellId cell : missing) {
            TreeSet<CellId> rest = new TreeSet<>(voters);
            rest.remove(cell);
            TreeSet<CellId> named = new TreeSet<>();
            onDisk.names().forEach(name -> named.add(name.cell()));
            boolean goes = cell.equals(leaver) || !streaming.contains(cell);
            if (goes && onDisk.acks() == state.acks() && canCover(named, streaming, state.acks())) {
                rest.add(state.primary());
                return new Goal(onDisk, rest, state.acks(), false, "drop " + cell);
            }
        }
        boolean raised = missing.isEmpty() && onDisk.acks() == state.acks() + 1;
        if (raised && onDisk.acks() <= targetAcks(view, state)) {
            return new Goal(onDisk, state.voters(), onDisk.acks(), true, "raise k to " + onDisk.acks());
        }
        return null;
    }

    /** Whether so many of these stream that what was acknowledged before can be covered by them. */
    private static boolean canCover(Set<CellId> cells, Set<CellId> streaming, int acks) {
        return cells.stream().filter(streaming::contains).count() >= acks;
    }

    /** The moves that make the state wider than PostgreSQL: the compare-and-set comes first. */
    private static @Nullable Step firstInZooKeeper(View view, ClusterState state) {
        SyncSetting onDisk = view.database().syncOnDisk();
        boolean narrower = onDisk != null && !onDisk.widens(state.syncSetting());
        if (!narrower || state.standbyVoters().isEmpty()) {
            return null;
        }
        int target = targetAcks(view, state);
        if (state.acks() > target) {
            return new Step.Change(state.voters(), state.acks() - 1, "lower k to " + (state.acks() - 1));
        }
        for (CellId cell : Primaries.streaming(view)) {
            if (!state.voters().contains(cell) && state.isActive(cell) && !Tasks.removalAsked(view, cell.name())) {
                TreeSet<CellId> wider = new TreeSet<>(state.voters());
                wider.add(cell);
                return new Step.Change(wider, state.acks(), "add " + cell);
            }
        }
        return null;
    }

    /** The voter that should go first: one that is no longer who the members say, or is to be removed, or has been away too long. */
    private static @Nullable CellId leaver(View view, ClusterState state) {
        for (CellId voter : state.standbyVoters()) {
            if (mustGo(view, state, voter)) {
                return voter;
            }
        }
        return state.standbyVoters().size() < 2
                ? null
                : state.standbyVoters().stream()
                        .filter(voter -> awayTooLong(view, voter))
                        .findFirst()
                        .orElse(null);
    }

    private static boolean mustGo(View view, ClusterState state, CellId voter) {
        var presence = view.coordination().present().get(voter.name());
        boolean reborn = presence != null && !presence.cell().equals(voter);
        return reborn || !state.isActive(voter) || Tasks.removalAsked(view, voter.name());
    }

    /** No voter streams, and waiting does not help: one of them at least is no more, or needs WAL that was removed. */
    private static boolean nobodyComesBack(View view, ClusterState state) {
        SortedSet<CellId> voters = state.standbyVoters();
        return voters.stream().allMatch(voter -> awayTooLong(view, voter))
                && voters.stream().anyMatch(voter -> mustGo(view, state, voter) || lacksWal(view, voter));
    }

    private static boolean lacksWal(View view, CellId voter) {
        DatabaseView.Primary primary = view.database().primary();
        Lsn oldest = primary == null ? null : primary.oldestWal();
        PeerView said = view.fresh(voter);
        Lsn received = said == null ? null : said.received();
        return oldest != null && received != null && !received.atLeast(oldest);
    }

    private static boolean awayTooLong(View view, CellId voter) {
        Long since = view.memory().votersAway().get(voter);
        return since != null
                && view.now() - since
                        >= view.settings().timing().dropVoterAfter().toMillis();
    }

    /** The default k for the voters that are to stay. */
    private static int targetAcks(View view, ClusterState state) {
        int stay = (int) state.standbyVoters().stream()
                .filter(voter -> !mustGo(view, state, voter) && !awayTooLong(view, voter))
                .count();
        return Math.max(1, CommitQuorum.defaultAcks(stay + 1));
    }

    /** Whether this agent has written and reloaded this rule in this run of the postmaster, and not in vain. */
    static boolean isWritten(View view, SyncSetting setting) {
        Memory.Written written = view.memory().written();
        SyncSetting inForce = view.database().syncInForce();
        return written != null
                && written.setting().equals(setting)
                && written.postmaster() == view.database().postmaster()
                && (inForce == null || inForce.equals(setting) || view.now() - written.at() < RELOAD_MILLIS);
    }

    /** Whether this agent's last compare-and-set succeeded and wrote the very voters and k that the state shows. */
    private static boolean isConfirmed(View view, ClusterState state) {
        ClusterState confirmed = view.memory().confirmed();
        return confirmed != null
                && confirmed.epoch() == state.epoch()
                && confirmed.primary().equals(state.primary())
                && confirmed.voters().equals(state.voters())
                && confirmed.acks() == state.acks();
    }

    private static boolean droppedStillCounts(DatabaseView.Primary primary, SyncSetting want) {
        return primary.senders().stream()
                .anyMatch(sender -> sender.priority() > 0 && !want.names().contains(sender.name()));
    }

    private static boolean hasOldSender(DatabaseView.Primary primary, SyncSetting want) {
        return primary.senders().stream()
                .anyMatch(sender -> sender.olderThanReload() && want.names().contains(sender.name()));
    }

    /**
     * The flush position to be covered, read in an observation that showed the rule in force (T9): observations read the
     * rule first and the position after it.
     */
    static Memory.@Nullable Drain drainAfter(View view) {
        Memory.Drain before = view.memory().drain();
        Memory.Written written = view.memory().written();
        DatabaseView database = view.database();
        DatabaseView.Primary primary = database.primary();
        if (written == null || primary == null || written.postmaster() != database.postmaster()) {
            return null;
        }
        SyncSetting want = written.setting();
        if (!want.equals(database.syncOnDisk())) {
            return null;
        }
        if (database.syncInForce() != null && !want.equals(database.syncInForce())) {
            return null;
        }
        if (before != null && before.setting().equals(want)) {
            return before;
        }
        ClusterState state = view.state();
        // T11: only a k that is being raised is not yet the one that every walsender goes by.
        boolean raises = want.acks() > 1 && (state == null || want.acks() > state.acks());
        boolean inForce = want.equals(database.syncInForce())
                && !droppedStillCounts(primary, want)
                && (!raises || !hasOldSender(primary, want));
        return inForce ? new Memory.Drain(want, primary.flushed()) : null;
    }
}
