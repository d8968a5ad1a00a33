package org.cellkeeper.cell.sim;

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import org.cellkeeper.cell.decide.Action;
import org.cellkeeper.cell.decide.Memory;
import org.cellkeeper.cell.decide.Plan;
import org.cellkeeper.cell.decide.Since;
import org.cellkeeper.cell.decide.View;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.CoordinationView;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.Incarnation;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.Member;
import org.cellkeeper.cell.model.PeerLink;
import org.cellkeeper.cell.model.PeerView;
import org.cellkeeper.cell.model.Phase;
import org.cellkeeper.cell.model.Reign;
import org.cellkeeper.cell.model.VersionedState;
import org.cellkeeper.cell.model.Vote;
import org.jspecify.annotations.Nullable;

/** The {@link Mutation}s of the protocol's refinements, and of the rules that judge the end of a ballot and of a promotion. */
final class BrokenRefinements {
    private static final long LOSS_HELD_MILLIS = 10_000;

    private final World world;
    private final Map<CellName, Vote> votesOfBurntBallots = new TreeMap<>();

    BrokenRefinements(World world) {
        this.world = world;
    }

    /** What the cell takes for the world. */
    View seen(View view) {
        ClusterState state = view.state();
        if (state == null) {
            return view;
        }
        return switch (world.mutation()) {
            case OLD_VOTE_OF_A_NAME_COUNTED -> withVotes(view, this::withThoseOfFormerIncarnations, state);
            case ADMISSION_NOT_CHECKED_AT_THE_FINISH ->
                isOpen(state)
                        ? Records.with(view, "settings", Records.with(view.settings(), "minStandbysAfterFailover", 0))
                        : view;
            case FINISHED_IN_MANUAL_MODE ->
                isOpen(state) ? withState(view, s -> Records.with(s, "failoverMode", FailoverMode.AUTOMATIC)) : view;
            case PRIORITY_ZERO_PASSED_OVER ->
                withVotes(view, (now, votes) -> votes.replaceAll((name, vote) -> held(vote)), state);
            case TORN_HEAD_TAKEN_FOR_DIVERGED ->
                isPrimary(view, state)
                        ? view
                        : withState(
                                view,
                                s -> reigns(
                                        s,
                                        reign -> new Reign(
                                                reign.primary(),
                                                reign.timeline(),
                                                reign.startLsn(),
                                                reign.startLsn(),
                                                reign.parent())));
            case TIMELINE_CLASH_OPENED ->
                isPrimary(view, state) && state.reign() == null
                        ? withState(
                                view,
                                s -> reigns(
                                        s,
                                        reign -> new Reign(
                                                reign.primary(),
                                                0,
                                                reign.startLsn(),
                                                reign.sealedLsn(),
                                                reign.parent())))
                        : view;
            case AWAY_VOTER_KEPT -> Records.with(view, "memory.votersAway", Map.of());
            case CRASHED_PRIMARY_STARTED_AT_ONCE -> Records.with(view, "memory.timers.databaseAway", Since.NOT_SO);
            case TASKS_AGED_BY_THE_TIME_OF_DAY -> Records.with(view, "memory.tasksSince", agedByTimeOfDay(view));
            case STANDBY_WITHOUT_WAL_KEPT ->
                withoutOldestWalOf(view, state.primary().name());
            case VOTERS_WITHOUT_WAL_KEPT -> withoutOwnOldestWal(view);
            case LOSS_HELD_FOR_AGAIN -> withForgottenHold(view);
            default -> view;
        };
    }

    /** What it does then, in the world as it is. */
    Plan acted(View view, ClusterState state, Plan plan) {
        return switch (world.mutation()) {
            case FINISHED_IN_MANUAL_MODE ->
                isOpen(state) ? cas(plan, next -> Records.with(next, "failoverMode", state.failoverMode())) : plan;
            case TORN_HEAD_TAKEN_FOR_DIVERGED ->
                isPrimary(view, state) ? plan : cas(plan, next -> Records.with(next, "reigns", state.reigns()));
            case TIMELINE_CLASH_OPENED -> cas(plan, next -> withReignsOf(next, state));
            case FOLLOWED_EPOCH_VOTED ->
                map(
                        plan,
                        action -> action instanceof Action.PublishVote publish
                                ? new Action.PublishVote(Records.with(
                                        publish.vote(), "walEpoch", view.local().walEpoch()))
                                : action);
            case VOTERS_OF_OTHERS_KEPT -> {
                boolean drops = isPrimary(view, state)
                        && !state.standbyVoters().isEmpty()
                        && plan.actions().stream()
                                .anyMatch(action -> action instanceof Action.ApplySync apply
                                        && apply.setting().names().isEmpty());
                yield drops ? new Plan(plan.rule(), List.of(), plan.needsNewSession(), plan.detail()) : plan;
            }
            default -> plan;
        };
    }

    private static View withForgottenHold(View view) {
        Memory.DoorHold hold = view.memory().applied().door().hold();
        boolean isOver = hold != null && view.now() - hold.at() >= LOSS_HELD_MILLIS;
        return isOver ? Records.with(view, "memory.applied.door.hold", null) : view;
    }

    private static Map<String, Long> agedByTimeOfDay(View view) {
        TreeMap<String, Long> since = new TreeMap<>(view.memory().tasksSince());
        view.coordination()
                .tasks()
                .forEach(task -> since.put(
                        task.id(),
                        view.now() - Duration.between(task.start(), view.wall()).toMillis()));
        return since;
    }

    private static boolean isOpen(ClusterState state) {
        return state.phase() instanceof Phase.Sealing;
    }

    private static boolean isPrimary(View view, ClusterState state) {
        return state.primary().equals(view.self());
    }

    // ---- votes

    /** What a ballot's votes are changed to. */
    private interface Change {
        void to(CoordinationView coordination, TreeMap<CellName, Vote> votes);
    }

    private static View withVotes(View view, Change change, ClusterState state) {
        CoordinationView coordination = view.coordination();
        if (!isOpen(state) && coordination.votes().isEmpty()) {
            return view;
        }
        TreeMap<CellName, Vote> votes = new TreeMap<>(coordination.votes());
        change.to(coordination, votes);
        TreeMap<CellName, Vote> known = new TreeMap<>();
        votes.forEach((name, vote) -> {
            Member member = state.members().get(name);
            boolean former =
                    member != null && !member.incarnation().equals(vote.voter().incarnation());
            known.put(name, former ? inherited(vote, member.incarnation()) : vote);
        });
        return Records.with(view, "coordination", Records.with(coordination, "votes", known));
    }

    private static Vote inherited(Vote vote, Incarnation by) {
        return Records.with(vote, "voter", Records.with(vote.voter(), "incarnation", by));
    }

    private void withThoseOfFormerIncarnations(CoordinationView coordination, TreeMap<CellName, Vote> votes) {
        votes.values().stream()
                .filter(vote -> vote.veto() == null)
                .forEach(vote -> votesOfBurntBallots.put(vote.voter().name(), vote));
        if (coordination.votesOf() != 0) {
            votesOfBurntBallots.forEach((name, vote) -> {
                boolean present = votes.containsKey(name);
                if (!present && vote.ballot() < coordination.votesOf() && isFormer(vote)) {
                    votes.put(name, Records.with(vote, "ballot", coordination.votesOf()));
                }
            });
        }
    }

    private boolean isFormer(Vote vote) {
        SimCell cell = world.find(vote.voter().name());
        return cell != null && !vote.voter().equals(cell.id());
    }

    private static Vote held(Vote vote) {
        return vote.priority() > 0 || vote.veto() != null
                ? vote
                : Records.with(Records.with(vote, "walEpoch", 0L), "lsn", Lsn.ZERO);
    }

    // ---- the shared state

    private static View withState(View view, UnaryOperator<ClusterState> change) {
        VersionedState seen = view.local().seen();
        View changed = seen == null
                ? view
                : Records.with(
                        view,
                        "local",
                        view.local().withSeen(new VersionedState(seen.version(), change.apply(seen.state()))));
        VersionedState read = view.coordination().state();
        return read == null
                ? changed
                : Records.with(
                        changed,
                        "coordination",
                        Records.with(
                                view.coordination(),
                                "state",
                                new VersionedState(read.version(), change.apply(read.state()))));
    }

    private static ClusterState reigns(ClusterState state, UnaryOperator<Reign> change) {
        TreeMap<Long, Reign> reigns = new TreeMap<>();
        state.reigns().forEach((epoch, reign) -> reigns.put(epoch, change.apply(reign)));
        return Records.with(state, "reigns", reigns);
    }

    private static ClusterState withReignsOf(ClusterState next, ClusterState real) {
        TreeMap<Long, Reign> reigns = new TreeMap<>(next.reigns());
        reigns.putAll(real.reigns());
        return Records.with(next, "reigns", reigns);
    }

    private static Plan map(Plan plan, UnaryOperator<Action> change) {
        return new Plan(
                plan.rule(), plan.actions().stream().map(change).toList(), plan.needsNewSession(), plan.detail());
    }

    private static Plan cas(Plan plan, UnaryOperator<ClusterState> change) {
        return map(
                plan,
                action -> action instanceof Action.Cas cas
                        ? new Action.Cas(cas.version(), change.apply(cas.next()), cas.what())
                        : action);
    }

    // ---- WAL that is gone

    private static View withoutOldestWalOf(View view, CellName primary) {
        PeerLink link = view.peers().get(primary);
        @Nullable PeerView said = link == null ? null : link.view();
        if (link == null || said == null) {
            return view;
        }
        Map<CellName, PeerLink> peers = new HashMap<>(view.peers());
        peers.put(primary, Records.with(link, "view", Records.with(said, "oldestWal", null)));
        return Records.with(view, "peers", peers);
    }

    private static View withoutOwnOldestWal(View view) {
        return view.database().isPrimary() ? Records.with(view, "database.instance.oldestWal", null) : view;
    }
}
