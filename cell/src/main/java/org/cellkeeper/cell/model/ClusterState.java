package org.cellkeeper.cell.model;

import java.time.Instant;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * The one shared truth of the cluster, changed only by compare-and-set. Each method that returns a new state is one
 * elementary transition of the protocol; whether it may be made is decided elsewhere.
 *
 * @param epoch the number of the reign of {@code primary}; the fencing token of all that a primary does
 * @param voters the cells whose acknowledgement may count, the primary among them
 * @param acks how many voters other than the primary a commit needs
 * @param lastBallot the highest ballot ever opened, burnt or not
 * @param reigns which WAL is whose, by epoch
 * @param ensemble by what the cluster's ZooKeeper is known; null until it is on record
 */
public record ClusterState(
        long epoch,
        CellId primary,
        SortedSet<CellId> voters,
        int acks,
        Phase phase,
        long lastBallot,
        SortedMap<Long, Reign> reigns,
        FailoverMode failoverMode,
        SortedMap<CellName, Halt> halted,
        SortedMap<CellName, Member> members,
        String systemId,
        @Nullable Ensemble ensemble) {

    /** Reigns older than this many are forgotten; a cell whose last WAL is older than that is cloned anew. */
    private static final int REMEMBERED_REIGNS = 64;

    public ClusterState {
        voters = Collections.unmodifiableSortedSet(new TreeSet<>(voters));
        reigns = Collections.unmodifiableSortedMap(new TreeMap<>(reigns));
        halted = Collections.unmodifiableSortedMap(new TreeMap<>(halted));
        members = Collections.unmodifiableSortedMap(new TreeMap<>(members));
    }

    /** The state that a cluster is born with: one cell, which nobody acknowledges yet. */
    public static ClusterState born(CellId primary, Member member, String systemId, FailoverMode mode) {
        return new ClusterState(
                1,
                primary,
                new TreeSet<>(Set.of(primary)),
                0,
                new Phase.Steady(),
                1,
                new TreeMap<>(Map.of(1L, new Reign(primary, 1, Lsn.ZERO, Lsn.ZERO, 0))),
                mode,
                new TreeMap<>(),
                new TreeMap<>(Map.of(primary.name(), member)),
                systemId,
                null);
    }

    // ---- questions

    public boolean isSteady() {
        return phase instanceof Phase.Steady;
    }

    public @Nullable Reign reign() {
        return reigns.get(epoch);
    }

    /** The voters whose acknowledgement counts and whose seal counts: all but the primary. */
    public SortedSet<CellId> standbyVoters() {
        TreeSet<CellId> others = new TreeSet<>(voters);
        others.remove(primary);
        return others;
    }

    public boolean isMember(CellId cell) {
        Member member = members.get(cell.name());
        return member != null && member.incarnation().equals(cell.incarnation());
    }

    /** A member that is not halted. */
    public boolean isActive(CellId cell) {
        return isMember(cell) && !halted.containsKey(cell.name());
    }

    public int highestTimeline() {
        return reigns.values().stream().mapToInt(Reign::timeline).max().orElse(0);
    }

    /** The commit rule that PostgreSQL of the primary should have in force. */
    public SyncSetting syncSetting() {
        return SyncSetting.of(standbyVoters(), Math.max(1, acks), epoch);
    }

    // ---- transitions

    public ClusterState propose(CellId proposer, Phase.Kind kind, Instant now) {
        long ballot = lastBallot + 1;
        return with(new Phase.Sealing(ballot, proposer, kind, now), ballot);
    }

    /** Burns the open ballot, or takes a handover back: the same reign goes on. */
    public ClusterState steadyAgain() {
        return with(new Phase.Steady(), lastBallot);
    }

    /** A ballot's outcome: until the winner has brought others level its WAL is indispensable, so it alone is a voter. */
    public ClusterState elect(CellId winner, long ballot, Map<CellName, Halt> newlyHalted) {
        TreeMap<CellName, Halt> allHalted = new TreeMap<>(halted);
        allHalted.putAll(newlyHalted);
        return reignOf(winner, ballot, allHalted);
    }

    /** A winner that has not opened its reign gives it up to one that holds the same WAL. */
    public ClusterState giveUpReign(CellId equal, Halt halt) {
        long ballot = lastBallot + 1;
        return with(phase, ballot).elect(equal, ballot, Map.of(primary.name(), halt));
    }

    public ClusterState startHandover(CellId target, Instant now) {
        long ballot = lastBallot + 1;
        return with(new Phase.Handover(ballot, target, null, now), ballot);
    }

    public ClusterState publishToken(Lsn token) {
        if (!(phase instanceof Phase.Handover handover)) {
            throw new IllegalStateException("no handover is under way");
        }
        return with(new Phase.Handover(handover.ballot(), handover.target(), token, handover.since()), lastBallot);
    }

    public ClusterState takeOver(CellId target, long ballot) {
        return reignOf(target, ballot, halted);
    }

    public ClusterState recordReign(Reign reign) {
        TreeMap<Long, Reign> all = new TreeMap<>(reigns);
        all.put(epoch, reign);
        while (all.size() > REMEMBERED_REIGNS) {
            all.remove(all.firstKey());
        }
        return new ClusterState(
                epoch,
                primary,
                voters,
                acks,
                phase,
                lastBallot,
                all,
                failoverMode,
                halted,
                members,
                systemId,
                ensemble);
    }

    public ClusterState withVoters(Collection<CellId> newVoters, int newAcks) {
        return new ClusterState(
                epoch,
                primary,
                new TreeSet<>(newVoters),
                newAcks,
                phase,
                lastBallot,
                reigns,
                failoverMode,
                halted,
                members,
                systemId,
                ensemble);
    }

    public ClusterState withMode(FailoverMode mode) {
        return new ClusterState(
                epoch, primary, voters, acks, phase, lastBallot, reigns, mode, halted, members, systemId, ensemble);
    }

    public ClusterState withMember(CellName name, Member member) {
        TreeMap<CellName, Member> all = new TreeMap<>(members);
        all.put(name, member);
        return with(halted, all);
    }

    public ClusterState withHalt(CellName name, Halt halt) {
        TreeMap<CellName, Halt> all = new TreeMap<>(halted);
        all.put(name, halt);
        return with(all, members);
    }

    /** Removes a name that is no voter from {@code members} and {@code halted}. */
    public ClusterState leave(CellName name) {
        TreeMap<CellName, Halt> stillHalted = new TreeMap<>(halted);
        stillHalted.remove(name);
        TreeMap<CellName, Member> stillMembers = new TreeMap<>(members);
        stillMembers.remove(name);
        return with(stillHalted, stillMembers);
    }

    public ClusterState withEnsemble(@Nullable Ensemble recorded) {
        return with(halted, members, recorded);
    }

    /** As it is written: each write leaves its digest, once the ensemble is on record. */
    public ClusterState stamped() {
        Ensemble recorded = ensemble;
        return recorded == null
                ? this
                : withEnsemble(
                        recorded.after(withEnsemble(new Ensemble(recorded.number(), recorded.servers(), List.of()))
                                .toString()));
    }

    private ClusterState with(SortedMap<CellName, Halt> newHalted, SortedMap<CellName, Member> newMembers) {
        return with(newHalted, newMembers, ensemble);
    }

    private ClusterState with(
            SortedMap<CellName, Halt> newHalted, SortedMap<CellName, Member> newMembers, @Nullable Ensemble recorded) {
        return new ClusterState(
                epoch,
                primary,
                voters,
                acks,
                phase,
                lastBallot,
                reigns,
                failoverMode,
                newHalted,
                newMembers,
                systemId,
                recorded);
    }

    private ClusterState with(Phase newPhase, long newLastBallot) {
        return new ClusterState(
                epoch,
                primary,
                voters,
                acks,
                newPhase,
                newLastBallot,
                reigns,
                failoverMode,
                halted,
                members,
                systemId,
                ensemble);
    }

    private ClusterState reignOf(CellId winner, long ballot, SortedMap<CellName, Halt> newHalted) {
        return new ClusterState(
                ballot,
                winner,
                new TreeSet<>(Set.of(winner)),
                0,
                new Phase.Steady(),
                lastBallot,
                reigns,
                failoverMode,
                newHalted,
                members,
                systemId,
                ensemble);
    }
}
