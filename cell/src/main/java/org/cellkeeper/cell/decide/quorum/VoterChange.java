package org.cellkeeper.cell.decide.quorum;

import java.util.List;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.DatabaseView.WalSender;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.SyncSetting;
import org.jspecify.annotations.Nullable;

/**
 * The next step of a change of the voters and k, one elementary move at a time (the protocol's section 4), resumable at any point: each
 * time it is looked at as if an unknown predecessor had died in the middle of its move.
 *
 * <p>Invariant at every instant: each seal quorum computed from the shared state intersects each set that PostgreSQL accepts
 * as acknowledgement, and covers all that was acknowledged before. So PostgreSQL is never wider than the state: what
 * widens it is done in ZooKeeper first, what narrows it in PostgreSQL first.
 *
 * @param primary the cell itself, which reigns in {@code epoch}
 * @param quorum the voters and k of the shared state
 * @param confirmed whether this agent's last compare-and-set succeeded, and wrote these very voters and k
 * @param rule PostgreSQL's commit rule
 * @param streaming the active cells that stream from the primary, without those that are to be removed
 * @param leaving the voters that are to go, by themselves or by an operator
 * @param away the voters that have been away for too long
 * @param lost the voters that cannot come back: they need WAL that was removed
 */
public record VoterChange(
        CellId primary,
        long epoch,
        CommitQuorum quorum,
        boolean confirmed,
        Rule rule,
        SortedSet<CellId> streaming,
        Set<CellId> leaving,
        Set<CellId> away,
        Set<CellId> lost) {
    /**
     * PostgreSQL's commit rule, as one observation shows it.
     *
     * @param onDisk null while it cannot be read
     * @param inForce as a new session sees it; null when none was asked
     * @param written what this agent has written and reloaded in this run of the postmaster, and not in vain; null for nothing
     * @param drain what was acknowledged before {@code written} came into force; null until it has
     * @param senders null while PostgreSQL does not say
     */
    public record Rule(
            @Nullable SyncSetting onDisk,
            @Nullable SyncSetting inForce,
            @Nullable SyncSetting written,
            @Nullable Drain drain,
            @Nullable List<WalSender> senders) {
        /** The sender of a cell that was dropped from the rule still counts by its old copy of it. */
        public static boolean droppedStillCounts(List<WalSender> senders, SyncSetting want) {
            return senders.stream()
                    .anyMatch(sender -> sender.priority() > 0 && !want.names().contains(sender.name()));
        }

        /** Whether a sender that counts may still release commits by its old k (T11). */
        public static boolean hasOldSender(List<WalSender> senders, SyncSetting want) {
            return senders.stream()
                    .anyMatch(sender -> sender.olderThanReload() && want.names().contains(sender.name()));
        }
    }

    /**
     * The flush position to be covered, read in an observation that showed the rule in force (T9): observations read the
     * rule first and the position after it.
     *
     * @param want what this agent has written last
     * @param acks k of the shared state
     * @param flushed P's
     */
    public static @Nullable Drain drain(SyncSetting want, int acks, Rule rule, Lsn flushed) {
        List<WalSender> senders = rule.senders;
        boolean overwritten = rule.inForce != null && !want.equals(rule.inForce);
        if (senders == null || overwritten || !want.equals(rule.onDisk)) {
            return null;
        }
        if (rule.drain != null && rule.drain.setting().equals(want)) {
            return rule.drain;
        }
        // T11: only a k that is being raised is not yet the one that every walsender goes by.
        boolean raises = want.acks() > 1 && want.acks() > acks;
        boolean inForce = want.equals(rule.inForce)
                && !Rule.droppedStillCounts(senders, want)
                && (!raises || !Rule.hasOldSender(senders, want));
        return inForce ? new Drain(want, flushed) : null;
    }

    /** P's flush LSN, read once {@code setting} was in force: all that was acknowledged before lies below it. */
    public record Drain(SyncSetting setting, Lsn until) {}

    /** What is to be done next. */
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
    private record Goal(
            SyncSetting setting, @Nullable SortedSet<CellId> voters, int acks, boolean raises, String why) {}

    /** PostgreSQL should be as the state is. */
    private Goal asTheState() {
        return new Goal(stateSetting(), null, 0, false, "as the shared state says");
    }

    private SyncSetting stateSetting() {
        return setting(standbyVoters(), Math.max(1, acks()));
    }

    private SyncSetting setting(SortedSet<CellId> standbys, int acks) {
        return SyncSetting.of(standbys, acks, epoch);
    }

    private SortedSet<CellId> standbyVoters() {
        return quorum.standbyVoters();
    }

    private int acks() {
        return quorum.acks();
    }

    private TreeSet<CellId> withPrimary(Set<CellId> standbys) {
        TreeSet<CellId> voters = new TreeSet<>(standbys);
        voters.add(primary);
        return voters;
    }

    public Step next() {
        Goal goal = goal();
        if (goal == null) {
            return new Step.Nothing();
        }
        SyncSetting want = goal.setting();
        SyncSetting onDisk = rule.onDisk;
        SyncSetting inForce = rule.inForce;
        // T12: what an unknown predecessor wrote may not be in force yet, and what is in force may not be what it
        // wrote.
        boolean tampered = inForce != null && want.equals(rule.written) && !want.equals(inForce);
        if (!want.equals(rule.written) || !want.equals(onDisk)) {
            boolean widens = onDisk == null || want.widens(onDisk) || (inForce != null && want.widens(inForce));
            if (!widens && inForce == null) {
                return new Step.Await("a new session's view of the commit rule");
            }
            if (widens && !confirmed) {
                return new Step.Confirm(); // I1, T3
            }
            return new Step.Write(want, goal.why());
        }
        if (goal.voters() == null && !tampered) {
            Step move = firstInZooKeeper();
            return move == null ? new Step.Nothing() : move;
        }
        if (inForce == null) {
            return new Step.Await("a new session's view of the commit rule");
        }
        if (tampered) {
            return new Step.Await("the commit rule to come into force");
        }
        List<WalSender> senders = rule.senders;
        SortedSet<CellId> newVoters = goal.voters();
        if (senders == null || newVoters == null) {
            return new Step.Nothing();
        }
        if (Rule.droppedStillCounts(senders, want)) {
            return new Step.Await("the dropped cell's stream to stop counting");
        }
        if (goal.raises() && Rule.hasOldSender(senders, want)) {
            return new Step.TerminateOldSenders(); // T11
        }
        Drain drain = rule.drain;
        if (drain == null || !drain.setting().equals(want)) {
            return new Step.Await("the flush position to be covered");
        }
        long covered = senders.stream()
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

    private @Nullable Goal goal() {
        SyncSetting onDisk = rule.onDisk;
        if (standbyVoters().isEmpty()) {
            return firstWidening(onDisk);
        }
        SortedSet<CellId> voters = standbyVoters();
        if (leaving.containsAll(voters) || nobodyComesBack()) {
            // Nobody could seal or acknowledge any more, and the primary holds all that was ever acknowledged: back to
            // the start of a
            // reign.
            return new Goal(SyncSetting.NOBODY, withPrimary(Set.of()), 0, false, "drop all of " + voters);
        }
        SyncSetting asState = stateSetting();
        if (onDisk == null) {
            return asTheState();
        }
        if (!asState.equals(onDisk) && !onDisk.widens(asState)) {
            Goal unfinished = unfinished(onDisk);
            if (unfinished != null) {
                return unfinished;
            }
        }
        // Names enter only while their cells stream; until then PostgreSQL stays narrower than the state.
        TreeSet<CellId> may = new TreeSet<>(voters);
        may.removeIf(voter -> !onDisk.names(voter) && !streaming.contains(voter));
        SyncSetting reachable = setting(may, acks());
        if (!reachable.equals(onDisk) || !reachable.equals(rule.written) || !reachable.equals(asState)) {
            return new Goal(reachable, null, 0, false, "as the shared state says");
        }
        CellId leaver = leaver();
        int acks = acks();
        if (leaver != null && acks <= targetAcks()) {
            TreeSet<CellId> rest = new TreeSet<>(voters);
            rest.remove(leaver);
            if (canCover(rest)) {
                return new Goal(setting(rest, acks), withPrimary(rest), acks, false, "drop " + leaver);
            }
        }
        boolean allStream = streaming.containsAll(voters);
        if (leaver == null && acks < targetAcks() && allStream) {
            return new Goal(
                    setting(voters, acks + 1),
                    withPrimary(standbyVoters()),
                    acks + 1,
                    true,
                    "raise k to " + (acks + 1));
        }
        return asTheState();
    }

    /** From voters={P}: names and k first, then one compare-and-set. What is under way is finished rather than begun anew. */
    private @Nullable Goal firstWidening(@Nullable SyncSetting onDisk) {
        if (onDisk != null && !onDisk.names().isEmpty()) {
            TreeSet<CellId> named = new TreeSet<>();
            onDisk.names().forEach(name -> named.add(name.cell()));
            boolean ofThisEpoch = onDisk.names().stream().allMatch(name -> name.epoch() == epoch);
            boolean sane = onDisk.acks() == Math.max(1, CommitQuorum.defaultAcks(named.size() + 1));
            if (ofThisEpoch && sane && streaming.containsAll(named)) {
                return widening(named, onDisk);
            }
        }
        if (streaming.isEmpty()) {
            return null;
        }
        int acks = Math.max(1, CommitQuorum.defaultAcks(streaming.size() + 1));
        return widening(streaming, setting(streaming, acks));
    }

    private Goal widening(SortedSet<CellId> standbys, SyncSetting setting) {
        return new Goal(
                setting,
                withPrimary(standbys),
                setting.acks(),
                setting.acks() > 1,
                "first voters of the reign " + standbys);
    }

    /** PostgreSQL is narrower than the state: a move that narrows was not finished, or one that widens was not begun here. */
    private @Nullable Goal unfinished(SyncSetting onDisk) {
        SortedSet<CellId> voters = standbyVoters();
        TreeSet<CellId> missing = new TreeSet<>(voters);
        onDisk.names().forEach(name -> missing.remove(name.cell()));
        CellId leaver = leaver();
        for (CellId cell : missing) {
            TreeSet<CellId> rest = new TreeSet<>(voters);
            rest.remove(cell);
            TreeSet<CellId> named = new TreeSet<>();
            onDisk.names().forEach(name -> named.add(name.cell()));
            boolean goes = cell.equals(leaver) || !streaming.contains(cell);
            if (goes && onDisk.acks() == acks() && canCover(named)) {
                return new Goal(onDisk, withPrimary(rest), acks(), false, "drop " + cell);
            }
        }
        boolean raised = missing.isEmpty() && onDisk.acks() == acks() + 1;
        if (raised && onDisk.acks() <= targetAcks()) {
            return new Goal(onDisk, withPrimary(standbyVoters()), onDisk.acks(), true, "raise k to " + onDisk.acks());
        }
        return null;
    }

    /** Whether so many of these stream that what was acknowledged before can be covered by them. */
    private boolean canCover(Set<CellId> cells) {
        TreeSet<CellId> both = new TreeSet<>(cells);
        both.retainAll(streaming);
        return both.size() >= acks();
    }

    /** The moves that make the state wider than PostgreSQL: the compare-and-set comes first. */
    private @Nullable Step firstInZooKeeper() {
        SyncSetting onDisk = rule.onDisk;
        boolean narrower = onDisk != null && !onDisk.widens(stateSetting());
        if (!narrower || standbyVoters().isEmpty()) {
            return null;
        }
        int target = targetAcks();
        if (acks() > target) {
            return new Step.Change(withPrimary(standbyVoters()), acks() - 1, "lower k to " + (acks() - 1));
        }
        for (CellId cell : streaming) {
            if (!standbyVoters().contains(cell) && !cell.equals(primary)) {
                TreeSet<CellId> wider = withPrimary(standbyVoters());
                wider.add(cell);
                return new Step.Change(wider, acks(), "add " + cell);
            }
        }
        return null;
    }

    /** The voter that should go first: one that is no longer who the members say, or is to be removed, or has been away too long. */
    private @Nullable CellId leaver() {
        for (CellId voter : standbyVoters()) {
            if (leaving.contains(voter)) {
                return voter;
            }
        }
        return standbyVoters().size() < 2
                ? null
                : standbyVoters().stream().filter(away::contains).findFirst().orElse(null);
    }

    /** No voter streams, and waiting does not help: one of them at least is no more, or needs WAL that was removed. */
    private boolean nobodyComesBack() {
        SortedSet<CellId> voters = standbyVoters();
        return away.containsAll(voters)
                && voters.stream().anyMatch(voter -> leaving.contains(voter) || lost.contains(voter));
    }

    /** The default k for the voters that are to stay. */
    private int targetAcks() {
        int stay = (int) standbyVoters().stream()
                .filter(voter -> !leaving.contains(voter) && !away.contains(voter))
                .count();
        return Math.max(1, CommitQuorum.defaultAcks(stay + 1));
    }
}
