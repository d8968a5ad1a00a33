package org.cellkeeper.cell.sim;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import org.cellkeeper.cell.decide.Action;
import org.cellkeeper.cell.decide.Memory;
import org.cellkeeper.cell.decide.Plan;
import org.cellkeeper.cell.decide.View;
import org.cellkeeper.cell.decide.quorum.VoterChange.Drain;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.CoordinationView;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.Halt;
import org.cellkeeper.cell.model.Incarnation;
import org.cellkeeper.cell.model.LocalState;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.Phase;
import org.cellkeeper.cell.model.Reign;
import org.cellkeeper.cell.model.StreamName;
import org.cellkeeper.cell.model.SyncSetting;
import org.cellkeeper.cell.model.VersionedState;
import org.cellkeeper.cell.model.Vote;
import org.cellkeeper.cell.port.Journal;
import org.jspecify.annotations.Nullable;

/** Puts the world's {@link Mutation} between one agent and its world: what it sees, what it decides, what it saves. */
final class Mutations {
    private final World world;
    private final SimCell cell;
    private final BrokenRefinements refinements;
    private final Map<CellName, Vote> votesEverSeen = new TreeMap<>();
    private boolean startedInAHandover;
    private long endKnownIn;
    private @Nullable LocalState lastSaved;
    private @Nullable LocalState keptAfterAFailure;
    private boolean saveFailed;
    private DatabaseView.@Nullable Rest lastRest;

    Mutations(World world, SimCell cell) {
        this.world = world;
        this.cell = cell;
        refinements = new BrokenRefinements(world);
    }

    private boolean broken(Mutation mutation) {
        return world.mutation() == mutation;
    }

    Incarnation newIncarnation() {
        Incarnation old = cell.lastIncarnation();
        return broken(Mutation.IDENTITY_BY_NAME_ONLY) && old != null ? old : cell.newIncarnation();
    }

    Journal journal(Journal real) {
        return new Journal() {
            @Override
            public @Nullable LocalState load() {
                LocalState state = real.load();
                boolean forgetful = broken(Mutation.BACK_IN_TIME) || broken(Mutation.OUTCOME_GUESSED);
                return state != null && forgetful ? Records.with(state, "seen", null) : state;
            }

            @Override
            public CompletableFuture<Void> save(LocalState state) {
                return switch (world.mutation()) {
                    case SEAL_NOT_PERSISTED -> real.save(state.withSealedBallot(0));
                    case TOKEN_BEFORE_MARK -> real.save(state.withHandoverMark(null));
                    case ACTED_BEFORE_DURABLE -> {
                        var ignored = real.save(state);
                        yield CompletableFuture.completedFuture(null);
                    }
                    case SAVE_BEHIND_A_FAILED_ONE_KEPT -> saveForgetting(real, state);
                    default -> real.save(state);
                };
            }
        };
    }

    /** The first change after a failed save is kept once; all later saves are built on what was there before it. */
    private CompletableFuture<Void> saveForgetting(Journal real, LocalState state) {
        LocalState before = lastSaved;
        LocalState kept = keptAfterAFailure;
        LocalState written = before == null || kept == null ? state : Records.undone(state, kept, before);
        return real.save(written).whenComplete((done, problem) -> {
            boolean changes =
                    before != null && !Records.with(state, "seen", null).equals(Records.with(before, "seen", null));
            if (problem != null) {
                saveFailed = true;
            } else if (kept == null && saveFailed && changes) {
                keptAfterAFailure = state;
            } else if (kept == null) {
                lastSaved = state;
            }
        });
    }

    // ---- what is decided

    Function<View, Plan> decider(Function<View, Plan> real) {
        return view -> broken(Mutation.NONE) ? real.apply(view) : acted(view, real.apply(seen(view)));
    }

    private View seen(View view) {
        ClusterState state = view.state();
        return switch (world.mutation()) {
            case SEAL_QUORUM_ONE_TOO_SMALL ->
                state != null && state.phase() instanceof Phase.Sealing && CommitRule.sealQuorum(state) > 1
                        ? withState(view, s -> s.withVoters(s.voters(), s.acks() + 1))
                        : view;
            case BURNT_BALLOT_VOTE_COUNTED -> withZooKeeper(view, withOldVotes(view.coordination()));
            case HALTED_CELL_RESTARTED -> withoutHalt(view);
            case OUTCOME_GUESSED ->
                ballotIsOpen(state)
                        ? view
                        : Records.with(view, "local", view.local().withSealedBallot(0));
            case NAME_WITHOUT_STREAMING -> state == null ? view : withDatabase(view, allStream(view, state));
            case IN_FORCE_NOT_AWAITED -> drained(withDatabase(view, inForce(view.database())));
            case OLD_SENDERS_KEPT -> drained(withDatabase(view, senders(view.database(), Mutations::young)));
            case DROPPED_CELL_STILL_COUNTS ->
                drained(withDatabase(view, senders(view.database(), s -> uncounted(view.database(), s))));
            case WIDENED_WITHOUT_CONFIRMATION ->
                state == null ? view : Records.with(view, "memory.rule.confirmed", state);
            case VOTED_WHILE_RECEIVING -> ballotIsOpen(state) ? withDatabase(view, detached(view.database())) : view;
            case COMPARED_WHILE_RECEIVING -> ballotIsOpen(state) ? view : withDatabase(view, detached(view.database()));
            case END_OUTLIVES_RESTART_IN_PLACE -> withDatabase(view, endKnownAsBefore(view.database()));
            case REST_OUTLIVES_START -> withDatabase(view, restAsBefore(view.database()));
            case MARK_IGNORED -> unmarked(view);
            case L_READ_TOO_EARLY -> drainedEarly(view);
            case DIVERGED_CELL_POINTED ->
                state == null || state.primary().equals(view.self()) ? view : withState(view, Mutations::forkAtTheEnd);
            case WRITTEN_BY_OTHERS_TRUSTED -> trusting(view);
            case PROMOTION_TAKEN_FOR_DONE -> withDatabase(view, promotionDone(view.database()));
            case REIGN_GIVEN_TO_A_LESSER -> withZooKeeper(view, withEqualVotes(view));
            default -> refinements.seen(view);
        };
    }

    private static boolean ballotIsOpen(@Nullable ClusterState state) {
        return state != null && state.phase() instanceof Phase.Sealing;
    }

    private Plan acted(View view, Plan plan) {
        ClusterState state = view.state();
        if (state == null) {
            return plan;
        }
        return switch (world.mutation()) {
            case SEAL_QUORUM_ONE_TOO_SMALL ->
                mapCas(
                        plan,
                        next -> state.phase() instanceof Phase.Sealing && next.epoch() == state.epoch()
                                ? next.withVoters(next.voters(), state.acks())
                                : next);
            case DIVERGED_CELL_POINTED ->
                state.primary().equals(view.self())
                        ? plan
                        : mapCas(plan, next -> Records.with(next, "reigns", state.reigns()));
            case LEVEL_VOTERS_COUNT_AT_ONCE ->
                mapCas(plan, next -> next.epoch() == state.epoch() ? next : withLevelVoters(view, state, next));
            case VOTER_ADDED_IN_POSTGRESQL_FIRST -> addInPostgresFirst(state, plan);
            case VOTER_DROPPED_IN_ZOOKEEPER_FIRST -> dropInZooKeeperFirst(view, state, plan);
            case NAMES_EMPTIED -> emptyNames(view, state, plan);
            case TIMELINE_NOT_RAISED -> unraised(plan);
            case TIMELINE_CLASH_OPENED -> refinements.acted(view, state, unraised(plan));
            default -> refinements.acted(view, state, plan);
        };
    }

    private static Plan unraised(Plan plan) {
        return map(plan, one -> switch (one) {
            case Action.Promote ignored -> new Action.Promote(0);
            case Action.PromoteAtRest promote -> new Action.PromoteAtRest(promote.setting(), 0);
            default -> one;
        });
    }

    private static Plan map(Plan plan, UnaryOperator<Action> change) {
        List<Action> actions = new ArrayList<>();
        plan.actions().forEach(action -> actions.add(change.apply(action)));
        return new Plan(plan.rule(), actions, plan.needsNewSession(), plan.detail());
    }

    private static Plan mapCas(Plan plan, UnaryOperator<ClusterState> change) {
        return map(
                plan,
                action -> action instanceof Action.Cas cas
                        ? new Action.Cas(cas.version(), change.apply(cas.next()), cas.what())
                        : action);
    }

    // ---- parts of views

    private static View withDatabase(View view, DatabaseView database) {
        return Records.with(view, "database", database);
    }

    private static View withZooKeeper(View view, CoordinationView coordination) {
        return Records.with(view, "coordination", coordination);
    }

    private static View withState(View view, UnaryOperator<ClusterState> change) {
        VersionedState seen = view.local().seen();
        View changed =
                seen == null ? view : Records.with(view, "local", view.local().withSeen(changed(seen, change)));
        VersionedState read = view.coordination().state();
        return read == null
                ? changed
                : withZooKeeper(changed, Records.with(view.coordination(), "state", changed(read, change)));
    }

    private static VersionedState changed(VersionedState old, UnaryOperator<ClusterState> change) {
        return new VersionedState(old.version(), change.apply(old.state()));
    }

    private CoordinationView withOldVotes(CoordinationView coordination) {
        coordination.votes().forEach((name, vote) -> {
            if (vote.veto() == null) {
                votesEverSeen.put(name, vote);
            }
        });
        if (coordination.votesOf() == 0) {
            return coordination;
        }
        TreeMap<CellName, Vote> votes = new TreeMap<>(coordination.votes());
        votesEverSeen.forEach((name, vote) -> votes.putIfAbsent(
                name,
                new Vote(
                        coordination.votesOf(),
                        vote.voter(),
                        null,
                        vote.walEpoch(),
                        vote.timeline(),
                        vote.lsn(),
                        vote.priority())));
        return Records.with(coordination, "votes", votes);
    }

    private static DatabaseView promotionDone(DatabaseView old) {
        DatabaseView.Control control = old.control();
        return control == null || old.startsAsStandby()
                ? old
                : Records.with(old, "control", Records.with(control, "recoversOn", Integer.MAX_VALUE));
    }

    private static CoordinationView withEqualVotes(View view) {
        ClusterState state = view.state();
        CoordinationView coordination = view.coordination();
        Vote own = coordination.votes().get(view.settings().name());
        boolean won = state != null && state.primary().equals(view.self()) && state.reign() == null;
        if (!won || own == null) {
            return coordination;
        }
        TreeMap<CellName, Vote> votes = new TreeMap<>();
        coordination
                .votes()
                .forEach((name, vote) -> votes.put(
                        name, Records.with(Records.with(vote, "walEpoch", own.walEpoch()), "lsn", own.lsn())));
        return Records.with(coordination, "votes", votes);
    }

    private static View withoutHalt(View view) {
        LocalState local = view.local();
        if (local.removed()) {
            return view;
        }
        LocalState active = Records.with(Records.with(local, "haltReason", null), "primaryEpoch", primaryEpoch(view));
        return withState(Records.with(view, "local", active), state -> {
            TreeMap<CellName, Halt> halted = new TreeMap<>(state.halted());
            halted.remove(view.settings().name());
            return Records.with(state, "halted", halted);
        });
    }

    private View unmarked(View view) {
        ClusterState state = view.state();
        boolean handover = state != null
                && state.primary().equals(view.self())
                && state.phase() instanceof Phase.Handover phase
                && phase.token() != null;
        startedInAHandover |= handover && !view.memory().reigned();
        return handover && startedInAHandover
                ? withState(
                        Records.with(view, "local", view.local().withHandoverMark(null)),
                        s -> Records.with(s, "phase", new Phase.Steady()))
                : view;
    }

    private static long primaryEpoch(View view) {
        ClusterState newest = view.newestState();
        return newest == null || newest.primary().equals(view.self())
                ? view.local().primaryEpoch()
                : 0;
    }

    private static ClusterState forkAtTheEnd(ClusterState state) {
        TreeMap<Long, Reign> reigns = new TreeMap<>();
        Lsn end = new Lsn(Long.MAX_VALUE);
        state.reigns()
                .forEach((epoch, reign) ->
                        reigns.put(epoch, new Reign(reign.primary(), reign.timeline(), end, end, reign.parent())));
        return Records.with(state, "reigns", reigns);
    }

    private static DatabaseView senders(DatabaseView old, UnaryOperator<DatabaseView.WalSender> change) {
        DatabaseView.Primary primary = old.primary();
        if (primary == null) {
            return old;
        }
        List<DatabaseView.WalSender> senders = new ArrayList<>();
        primary.senders().forEach(sender -> senders.add(change.apply(sender)));
        return Records.with(old, "instance", Records.with(primary, "senders", senders));
    }

    private static DatabaseView.WalSender young(DatabaseView.WalSender sender) {
        return Records.with(sender, "olderThanReload", false);
    }

    private static DatabaseView.WalSender uncounted(DatabaseView view, DatabaseView.WalSender sender) {
        SyncSetting onDisk = view.syncOnDisk();
        boolean named = onDisk != null && onDisk.names().contains(sender.name());
        return named ? sender : Records.with(sender, "priority", 0);
    }

    private static DatabaseView inForce(DatabaseView old) {
        DatabaseView young = senders(old, sender -> uncounted(old, young(sender)));
        return old.syncInForce() == null ? young : Records.with(young, "syncInForce", old.syncOnDisk());
    }

    private static DatabaseView allStream(View view, ClusterState state) {
        DatabaseView old = view.database();
        DatabaseView.Primary primary = old.primary();
        if (primary == null) {
            return old;
        }
        List<DatabaseView.WalSender> senders = new ArrayList<>(primary.senders());
        TreeSet<CellId> missing = new TreeSet<>();
        state.members().forEach((name, member) -> missing.add(new CellId(name, member.incarnation())));
        missing.remove(view.self());
        senders.forEach(sender -> missing.remove(sender.name().cell()));
        int pid = 1_000_000;
        for (CellId cell : missing) {
            senders.add(new DatabaseView.WalSender(
                    new StreamName(cell, state.epoch()), true, primary.flushed(), 0, false, ++pid));
        }
        return Records.with(old, "instance", Records.with(primary, "senders", senders));
    }

    private static DatabaseView detached(DatabaseView old) {
        DatabaseView.Standby standby = old.standby();
        if (standby == null || old.upstreamOnDisk() != null) {
            return old;
        }
        return Records.with(old, "instance", Records.with(standby, "receiver", DatabaseView.Receiver.DETACHED));
    }

    /** Knowledge of one run of the postmaster, whatever has become of its children since. */
    private DatabaseView endKnownAsBefore(DatabaseView old) {
        DatabaseView.Standby standby = old.standby();
        if (standby == null) {
            return old;
        }
        if (standby.endKnown()) {
            endKnownIn = old.postmaster();
        }
        return Records.with(old, "instance", Records.with(standby, "endKnown", endKnownIn == old.postmaster()));
    }

    private DatabaseView restAsBefore(DatabaseView old) {
        if (!old.isStopped()) {
            return old;
        }
        lastRest = lastRest == null ? old.knownEnd() : lastRest;
        return Records.with(old, "instance", new DatabaseView.Stopped(lastRest));
    }

    /** L as one who does not look closely reads it. */
    private static View drained(View view) {
        Memory.Written written = view.memory().rule().written();
        DatabaseView.Primary primary = view.database().primary();
        boolean needed = view.memory().rule().drain() == null
                && written != null
                && primary != null
                && written.setting().equals(view.database().syncInForce());
        return needed ? withDrain(view, new Drain(written.setting(), primary.flushed())) : view;
    }

    private static View drainedEarly(View view) {
        Memory.Written written = view.memory().rule().written();
        return written == null ? view : withDrain(view, new Drain(written.setting(), Lsn.ZERO));
    }

    private static View withDrain(View view, Drain drain) {
        return Records.with(view, "memory.rule.drain", drain);
    }

    /** What runs is taken for what lies in the file, and for this agent's own work. */
    private static View trusting(View view) {
        DatabaseView.Primary primary = view.database().primary();
        SyncSetting inForce = view.database().syncInForce();
        if (primary == null || inForce == null || view.memory().rule().written() != null) {
            return view;
        }
        Memory trusting = view.memory().done(new Action.ApplySync(inForce), view.database(), view.now());
        return withDatabase(
                withDrain(Records.with(view, "memory", trusting), new Drain(inForce, primary.flushed())),
                Records.with(view.database(), "syncOnDisk", inForce));
    }

    // ---- parts of plans

    private static ClusterState withLevelVoters(View view, ClusterState before, ClusterState next) {
        Map<CellName, Vote> votes = view.coordination().votes();
        Vote winning = votes.get(next.primary().name());
        if (winning == null) {
            return next;
        }
        TreeSet<CellId> voters = new TreeSet<>(next.voters());
        new HashMap<>(votes).forEach((name, vote) -> {
            boolean level = vote.veto() == null
                    && vote.walEpoch() == winning.walEpoch()
                    && vote.lsn().equals(winning.lsn())
                    && before.voters().contains(vote.voter());
            if (level) {
                voters.add(vote.voter());
            }
        });
        return voters.size() == 1 ? next : next.withVoters(voters, Math.max(1, voters.size() / 2));
    }

    /** With no standby in sight the commit rule is emptied, so that writers need not wait. */
    private static Plan emptyNames(View view, ClusterState state, Plan plan) {
        DatabaseView.Primary primary = view.database().primary();
        SyncSetting onDisk = view.database().syncOnDisk();
        boolean alone = primary != null
                && state.primary().equals(view.self())
                && primary.senders().isEmpty()
                && onDisk != null
                && !onDisk.names().isEmpty();
        return alone && plan.actions().isEmpty()
                ? new Plan(
                        plan.rule(),
                        List.of(new Action.ApplySync(SyncSetting.NOBODY)),
                        plan.needsNewSession(),
                        plan.detail())
                : plan;
    }

    private static Plan addInPostgresFirst(ClusterState state, Plan plan) {
        return map(plan, action -> {
            boolean adds = action instanceof Action.Cas cas
                    && cas.next().epoch() == state.epoch()
                    && state.voters().size() > 1
                    && cas.next().voters().size() > state.voters().size();
            return adds ? new Action.ApplySync(((Action.Cas) action).next().syncSetting()) : action;
        });
    }

    private Plan dropInZooKeeperFirst(View view, ClusterState state, Plan plan) {
        return map(plan, action -> {
            if (!(action instanceof Action.ApplySync apply)
                    || !state.isSteady()
                    || state.standbyVoters().isEmpty()) {
                return action;
            }
            TreeSet<CellId> rest = new TreeSet<>(state.standbyVoters());
            rest.removeIf(voter -> !apply.setting().names(voter));
            boolean drop = state.primary().equals(view.self())
                    && rest.size() == state.standbyVoters().size() - 1;
            if (!drop) {
                return action;
            }
            world.note(cell.label(), "MUTATION drops a voter in ZooKeeper first", null, null);
            int acks = rest.isEmpty() ? 0 : Math.min(state.acks(), rest.size());
            rest.add(state.primary());
            return new Action.Cas(view.version(), state.withVoters(rest, acks), "drop a voter");
        });
    }
}
