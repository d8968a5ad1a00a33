package org.cellkeeper.cell.sim;

import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.Ensemble;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.Phase;
import org.cellkeeper.cell.model.Task;
import org.cellkeeper.cell.model.VersionedState;
import org.cellkeeper.cell.model.Vote;
import org.cellkeeper.cell.sim.SimEnsemble.Tree;
import org.jspecify.annotations.Nullable;

/** Whether one change of the shared state is one of the protocol's transitions (I3), and lawful in MANUAL mode (I6). */
final class Transitions {
    /** What a change was, and what is wrong with it, if anything. */
    record Verdict(String what, @Nullable String wrong, String invariant, boolean lossAccepted) {
        static Verdict fine(String what) {
            return new Verdict(what, null, "", false);
        }

        static Verdict bad(String what, String wrong) {
            return new Verdict(what, wrong, "I3", false);
        }

        static Verdict unasked(String what, String wrong) {
            return new Verdict(what, wrong, "I6", false);
        }
    }

    private Transitions() {}

    static Verdict judge(CellName author, Tree tree, ClusterState after) {
        VersionedState versioned = tree.state();
        if (versioned == null) {
            boolean born = after.epoch() == 1 && after.voters().equals(Set.of(after.primary())) && after.acks() == 0;
            return born ? Verdict.fine("birth") : Verdict.bad("birth", "not a newborn state");
        }
        ClusterState before = versioned.state();
        if (!isNextOnTheTrail(before.ensemble(), after.ensemble())) {
            return Verdict.bad("change", "the trail of the ensemble is broken");
        }
        if (before.equals(after.withEnsemble(before.ensemble()))) {
            if (sameServers(before.ensemble(), after.ensemble())) {
                return Verdict.fine("confirmed");
            }
            return author.equals(before.primary().name())
                    ? Verdict.fine("ensemble recorded")
                    : Verdict.bad("ensemble recorded", "not by the primary");
        }
        if (!sameServers(before.ensemble(), after.ensemble())) {
            return Verdict.bad("ensemble recorded", "something else changed too");
        }
        String common = alwaysWrong(before, after);
        if (common != null) {
            return Verdict.bad("change", common);
        }
        if (after.epoch() != before.epoch()) {
            return newReign(author, tree, before, after);
        }
        if (!after.phase().equals(before.phase())) {
            return newPhase(author, tree, before, after);
        }
        return sameReign(author, before, after);
    }

    private static boolean sameServers(@Nullable Ensemble before, @Nullable Ensemble after) {
        return before == null
                ? after == null
                : after != null
                        && before.number() == after.number()
                        && before.servers().equals(after.servers());
    }

    /** One digest more, and all that remain as they were. */
    private static boolean isNextOnTheTrail(@Nullable Ensemble before, @Nullable Ensemble after) {
        if (before == null || after == null) {
            return before == null;
        }
        String last = before.ago(0);
        return last != null && last.equals(after.ago(1)) && !last.equals(after.ago(0));
    }

    private static @Nullable String alwaysWrong(ClusterState before, ClusterState after) {
        if (after.epoch() < before.epoch()) {
            return "the epoch goes back";
        }
        if (after.lastBallot() < before.lastBallot()) {
            return "lastBallot goes back";
        }
        if (after.epoch() > after.lastBallot()) {
            return "the epoch was never a ballot";
        }
        if (!after.systemId().equals(before.systemId())) {
            return "another systemId";
        }
        if (!after.voters().contains(after.primary())) {
            return "the primary is no voter";
        }
        if (after.acks() < 0 || after.acks() > after.voters().size() - 1) {
            return "k is not between 0 and the number of standby voters";
        }
        if (after.voters().size() > 1 && after.acks() == 0) {
            return "k is 0 though there are voters";
        }
        for (var reign : before.reigns().entrySet()) {
            var kept = after.reigns().get(reign.getKey());
            if (kept == null ? after.reigns().size() < 64 : !kept.equals(reign.getValue())) {
                return "the reign of epoch " + reign.getKey() + " was changed";
            }
        }
        return null;
    }

    private static Verdict newReign(CellName author, Tree tree, ClusterState before, ClusterState after) {
        boolean alone = after.voters().equals(Set.of(after.primary())) && after.acks() == 0;
        return switch (before.phase()) {
            case Phase.Sealing sealing -> {
                String what = "elected (" + sealing.kind() + ")";
                if (!alone || !(after.phase() instanceof Phase.Steady) || after.epoch() != sealing.ballot()) {
                    yield Verdict.bad(what, "not the outcome of ballot " + sealing.ballot());
                }
                if (after.lastBallot() != before.lastBallot()) {
                    yield Verdict.bad(what, "lastBallot changed");
                }
                if (!before.isActive(after.primary())) {
                    yield Verdict.bad(what, "the winner is no active member");
                }
                if (!after.halted().containsKey(before.primary().name())
                        && !before.primary().equals(after.primary())) {
                    yield Verdict.bad(what, "the old primary is not halted");
                }
                TreeMap<CellName, Vote> votes = tree.votes().getOrDefault(sealing.ballot(), new TreeMap<>());
                Vote winning = votes.get(after.primary().name());
                if (winning == null
                        || winning.veto() != null
                        || !winning.voter().equals(after.primary())) {
                    yield Verdict.bad(what, "the winner has not voted");
                }
                long sealed = before.standbyVoters().stream()
                        .filter(voter -> {
                            Vote vote = votes.get(voter.name());
                            return vote != null
                                    && vote.veto() == null
                                    && vote.voter().equals(voter);
                        })
                        .count();
                boolean forced = sealing.kind() == Phase.Kind.FORCED;
                if (!forced && sealed < CommitRule.sealQuorum(before)) {
                    yield Verdict.bad(
                            what, "only " + sealed + " of " + CommitRule.sealQuorum(before) + " sealed voters");
                }
                if (before.failoverMode() == FailoverMode.MANUAL && sealing.kind() == Phase.Kind.AUTOMATIC) {
                    yield Verdict.unasked(what, "elected by itself in MANUAL mode");
                }
                boolean lonely = votes.values().stream()
                                .filter(vote ->
                                        vote.veto() == null && !vote.voter().equals(before.primary()))
                                .count()
                        < 2;
                if (sealing.kind() == Phase.Kind.AUTOMATIC && lonely) {
                    yield new Verdict(what, "nobody is sealed who could acknowledge", "S5", false);
                }
                yield new Verdict(what, null, "", forced && sealed < CommitRule.sealQuorum(before));
            }
            case Phase.Handover handover -> {
                if (!alone
                        || !(after.phase() instanceof Phase.Steady)
                        || after.epoch() != handover.ballot()
                        || !after.primary().equals(handover.target())
                        || handover.token() == null) {
                    yield Verdict.bad("taken over", "not the outcome of handover " + handover.ballot());
                }
                yield Verdict.fine("taken over");
            }
            case Phase.Steady _ -> {
                if (!alone || !(after.phase() instanceof Phase.Steady) || before.reign() != null) {
                    yield Verdict.bad("new reign", "without a ballot");
                }
                yield givenUp(author, tree, before, after);
            }
        };
    }

    private static Verdict givenUp(CellName author, Tree tree, ClusterState before, ClusterState after) {
        String what = "reign given up";
        TreeMap<CellName, Vote> votes = tree.votes().getOrDefault(before.epoch(), new TreeMap<>());
        Vote own = votes.get(before.primary().name());
        Vote next = votes.get(after.primary().name());
        if (!author.equals(before.primary().name())
                || after.epoch() != before.lastBallot() + 1
                || after.lastBallot() != after.epoch()
                || !after.halted().containsKey(before.primary().name())
                || !before.isActive(after.primary())) {
            return Verdict.bad(what, "not by its winner, not to an active member, or not with a new ballot's number");
        }
        boolean equal = own != null
                && next != null
                && own.voter().equals(before.primary())
                && next.voter().equals(after.primary())
                && own.veto() == null
                && next.veto() == null
                && own.walEpoch() == next.walEpoch()
                && own.lsn().equals(next.lsn());
        if (!equal) {
            return Verdict.bad(what, "to one whose vote tells of other WAL");
        }
        return before.failoverMode() == FailoverMode.AUTOMATIC
                ? Verdict.fine(what)
                : Verdict.unasked(what, "given up in MANUAL mode");
    }

    private static Verdict newPhase(CellName author, Tree tree, ClusterState before, ClusterState after) {
        if (!restAlike(before, after)) {
            return Verdict.bad("new phase", "something else changed too");
        }
        return switch (after.phase()) {
            case Phase.Sealing sealing -> {
                String what = "ballot opened (" + sealing.kind() + ")";
                if (before.phase() instanceof Phase.Sealing
                        || sealing.ballot() != before.lastBallot() + 1
                        || after.lastBallot() != sealing.ballot()) {
                    yield Verdict.bad(what, "not a new ballot");
                }
                if (before.failoverMode() == FailoverMode.MANUAL && sealing.kind() == Phase.Kind.AUTOMATIC) {
                    yield Verdict.unasked(what, "opened by itself in MANUAL mode");
                }
                if (sealing.kind() != Phase.Kind.AUTOMATIC && !hasTask(tree, Task.Operation.PROMOTE)) {
                    yield Verdict.unasked(what, "no operator asked for it");
                }
                yield Verdict.fine(what);
            }
            case Phase.Handover handover -> {
                if (before.phase() instanceof Phase.Handover old) {
                    boolean published = old.ballot() == handover.ballot()
                            && old.target().equals(handover.target())
                            && old.token() == null
                            && handover.token() != null
                            && after.lastBallot() == before.lastBallot()
                            && author.equals(before.primary().name());
                    yield published ? Verdict.fine("token") : Verdict.bad("token", "not the token of this handover");
                }
                if (!(before.phase() instanceof Phase.Steady)
                        || handover.ballot() != before.lastBallot() + 1
                        || after.lastBallot() != handover.ballot()
                        || handover.token() != null
                        || !author.equals(before.primary().name())) {
                    yield Verdict.bad("handover", "not a new handover by the primary");
                }
                if (before.failoverMode() == FailoverMode.MANUAL && !hasTask(tree, Task.Operation.SWITCHOVER)) {
                    yield Verdict.unasked("handover", "no operator asked for it");
                }
                yield Verdict.fine("handover");
            }
            case Phase.Steady _ -> {
                if (after.lastBallot() != before.lastBallot()) {
                    yield Verdict.bad("steady again", "lastBallot changed");
                }
                yield Verdict.fine(before.phase() instanceof Phase.Handover ? "handover taken back" : "ballot burnt");
            }
        };
    }

    private static boolean hasTask(Tree tree, Task.Operation operation) {
        return tree.tasks().stream().anyMatch(task -> task.operation() == operation);
    }

    private static boolean restAlike(ClusterState before, ClusterState after) {
        return before.primary().equals(after.primary())
                && before.voters().equals(after.voters())
                && before.acks() == after.acks()
                && before.reigns().equals(after.reigns())
                && before.failoverMode() == after.failoverMode()
                && before.halted().equals(after.halted())
                && before.members().equals(after.members());
    }

    private static Verdict sameReign(CellName author, ClusterState before, ClusterState after) {
        if (!after.primary().equals(before.primary())) {
            return Verdict.bad("change", "another primary in the same epoch");
        }
        if (after.lastBallot() != before.lastBallot()) {
            return Verdict.bad("change", "lastBallot changed without a ballot");
        }
        boolean voters = !after.voters().equals(before.voters()) || after.acks() != before.acks();
        boolean byPrimary = author.equals(before.primary().name());
        if (voters) {
            return votersChanged(byPrimary, before, after);
        }
        if (!after.reigns().equals(before.reigns())) {
            var added = new TreeSet<>(after.reigns().keySet());
            added.removeAll(before.reigns().keySet());
            boolean own = byPrimary && added.equals(Set.of(after.epoch())) && othersAlike(before, after);
            if (!own) {
                return Verdict.bad("reign", "not the primary's record of its own reign");
            }
            var reign = Objects.requireNonNull(after.reign());
            int highest = before.highestTimeline();
            if (reign.timeline() <= highest || !reign.primary().equals(after.primary())) {
                return Verdict.bad("reign", "timeline " + reign.timeline() + " is not above " + highest);
            }
            return Verdict.fine("reign recorded");
        }
        if (after.failoverMode() != before.failoverMode()) {
            return Verdict.fine("mode " + after.failoverMode());
        }
        if (!after.members().equals(before.members()) || !after.halted().equals(before.halted())) {
            for (CellId voter : after.voters()) {
                if (!after.members().containsKey(voter.name())) {
                    return Verdict.bad("members", voter + " is a voter and no member");
                }
            }
            for (CellName name : before.halted().keySet()) {
                if (!after.halted().containsKey(name) && after.members().containsKey(name)) {
                    return Verdict.bad("halted", name + " is not halted any more, and was not removed");
                }
            }
            return Verdict.fine("members");
        }
        return Verdict.bad("change", "no transition of the protocol");
    }

    private static boolean othersAlike(ClusterState before, ClusterState after) {
        return before.failoverMode() == after.failoverMode()
                && before.halted().equals(after.halted())
                && before.members().equals(after.members());
    }

    private static Verdict votersChanged(boolean byPrimary, ClusterState before, ClusterState after) {
        String what = "voters " + before.voters().size() + "/" + before.acks() + " to "
                + after.voters().size() + "/" + after.acks();
        if (!byPrimary) {
            return Verdict.bad(what, "not by the primary");
        }
        if (!before.isSteady()) {
            return Verdict.bad(what, "not in phase STEADY");
        }
        if (before.reign() == null) {
            return Verdict.bad(what, "before the reign was recorded");
        }
        if (!othersAlike(before, after) || !before.reigns().equals(after.reigns())) {
            return Verdict.bad(what, "something else changed too");
        }
        TreeSet<CellId> added = new TreeSet<>(after.voters());
        added.removeAll(before.voters());
        TreeSet<CellId> dropped = new TreeSet<>(before.voters());
        dropped.removeAll(after.voters());
        for (CellId voter : added) {
            if (!before.isActive(voter)) {
                return Verdict.bad(what, voter + " is no active member");
            }
        }
        if (before.voters().size() == 1) {
            boolean lawful = dropped.isEmpty()
                    && !added.isEmpty()
                    && after.acks() == Math.min(Math.max(1, (added.size() + 1) / 2), added.size());
            return lawful ? Verdict.fine("first widening") : Verdict.bad(what, "not a first widening");
        }
        int raised = after.acks() - before.acks();
        if (added.size() == 1 && dropped.isEmpty() && raised == 0) {
            return Verdict.fine("voter added");
        }
        if (dropped.size() == 1 && added.isEmpty() && raised == 0) {
            return Verdict.fine("voter dropped");
        }
        if (added.isEmpty() && after.voters().size() == 1 && after.acks() == 0) {
            // Back to the start of a reign: no ballot can succeed without the primary, which holds everything.
            return Verdict.fine("all voters dropped");
        }
        if (added.isEmpty() && dropped.isEmpty() && (raised == 1 || raised == -1)) {
            return Verdict.fine(raised > 0 ? "k raised" : "k lowered");
        }
        return Verdict.bad(what, "not one elementary move");
    }
}
