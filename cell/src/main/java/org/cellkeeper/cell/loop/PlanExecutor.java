package org.cellkeeper.cell.loop;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.UnaryOperator;
import org.cellkeeper.cell.decide.Action;
import org.cellkeeper.cell.decide.Checkpoints;
import org.cellkeeper.cell.decide.Memory;
import org.cellkeeper.cell.decide.Plan;
import org.cellkeeper.cell.decide.View;
import org.cellkeeper.cell.model.Backoff;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.VersionedState;
import org.cellkeeper.cell.port.Coordination.Outcome;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Carries plans out, one at a time, action by action. While a long action runs, a plan that fences interrupts it. What fails is tried
 * again later and later, by whatever rule applies then.
 */
final class PlanExecutor {
    private static final Logger LOG = LoggerFactory.getLogger(PlanExecutor.class);

    private static final Backoff RETRY = new Backoff(Duration.ofMillis(50), Duration.ofSeconds(5));
    /** How long the same plan is not repeated while what it wrote to ZooKeeper has not come back. */
    private static final long ECHO = 250;

    /** The loop that decides what is carried out here. */
    interface Loop extends Executor {
        CellId self();

        /** What is decided on the newest view; null when there is none. */
        @Nullable
        Plan decideAgain();

        void decide();

        Memory memory();

        void remember(UnaryOperator<Memory> change);

        void carriedOut(Plan plan);
    }

    private final Ports ports;
    private final DurableState durable;
    private final BelievedCoordination coordination;
    private final DatabaseWatch database;
    private final Loop loop;
    private final Duration stopsWithin;

    private @Nullable Run run;
    private long compareAndSets;
    private int progress;
    private int failures;
    private long notBefore;
    private final LastFailure lastFailure = new LastFailure();
    private int doneRule;
    private int doneVersion;
    private long doneAt;
    private long doneChanges;

    /** A plan that is being carried out, and the version of the state that it was made of. */
    private static final class Run {
        private final Plan plan;
        private final int version;
        private final ArrayDeque<Action> rest;
        private @Nullable Action current;

        Run(Plan plan, int version) {
            this.plan = plan;
            this.version = version;
            this.rest = new ArrayDeque<>(plan.actions());
        }
    }

    /** ZooKeeper did not take a write: nothing wrong, the world has moved on. */
    private static final class Refused extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Refused(Outcome outcome) {
            super("ZooKeeper answered " + outcome);
        }
    }

    /** @param stopsWithin how long a fast stop may take before it becomes an immediate one */
    PlanExecutor(
            Ports ports,
            DurableState durable,
            BelievedCoordination coordination,
            DatabaseWatch database,
            Loop loop,
            Duration stopsWithin) {
        this.ports = ports;
        this.durable = durable;
        this.coordination = coordination;
        this.database = database;
        this.loop = loop;
        this.stopsWithin = stopsWithin;
    }

    boolean isIdle() {
        return run == null;
    }

    /** How far a clone is, in percent. */
    int progress() {
        return progress;
    }

    LastFailure lastFailure() {
        return lastFailure;
    }

    /** Another rule applies: what failed before does not hold it up. */
    void beginAfresh() {
        failures = 0;
        notBefore = 0;
    }

    void carryOut(Plan plan, View view) {
        Run running = run;
        CellId obsolete = running == null ? null : obsoleteSource(running.current, view);
        if (obsolete != null) {
            LOG.info("{} is not the primary any more: its clone is given up", obsolete);
            run = null;
            OnLoop.whenDone(loop, perform(new Action.StopImmediate()), (done, problem) -> loop.decide());
            return;
        }
        if (plan.actions().isEmpty()) {
            return;
        }
        if (running != null) {
            if (!interrupts(plan, running)) {
                return;
            }
            LOG.info("rule {} interrupts {}", plan.rule().number(), name(running.current));
            running.rest.clear();
        }
        if (running == null && (view.now() < notBefore || awaitsEcho(plan, view))) {
            return;
        }
        Run next = new Run(plan, view.version());
        run = next;
        proceed(next);
    }

    private boolean awaitsEcho(Plan plan, View view) {
        return plan.rule().number() == doneRule
                && view.version() == doneVersion
                && coordination.changes() == doneChanges
                && view.now() - doneAt < ECHO
                && isForZooKeeper(plan.actions().getLast());
    }

    /** Whom a clone is made of that is not the primary any more: it would wait for minutes for one that may never answer. */
    private static @Nullable CellId obsoleteSource(@Nullable Action current, View view) {
        ClusterState state = view.state();
        if (state == null || !(current instanceof Action.CloneFrom clone)) {
            return null;
        }
        CellId source = clone.source().primary();
        return state.primary().equals(source) ? null : source;
    }

    /** A stop for fencing interrupts anything but another such stop. */
    private static boolean interrupts(Plan plan, Run running) {
        Action first = plan.actions().getFirst();
        Action current = running.current;
        if (plan.rule().number() == running.plan.rule().number() || current instanceof Action.StopImmediate) {
            return false;
        }
        return first instanceof Action.StopImmediate;
    }

    private static boolean isForZooKeeper(Action action) {
        return switch (action) {
            case Action.Cas _,
                    Action.CreateState _,
                    Action.TakeBirthLock _,
                    Action.PublishVote _,
                    Action.DeleteVotes _,
                    Action.PutTask _ -> true;
            default -> false;
        };
    }

    private void proceed(Run mine) {
        Action action = mine.rest.poll();
        mine.current = action;
        if (action != null && isStale(mine, action)) {
            run = null;
            loop.decide();
            return;
        }
        if (action == null) {
            finished(mine);
            return;
        }
        long begun = ports.clock().millis();
        OnLoop.whenDone(loop, perform(action), (done, problem) -> {
            if (run != mine) {
                loop.decide();
                return;
            }
            if (problem == null) {
                LOG.debug("{} took {} ms", name(action), ports.clock().millis() - begun);
                if (mine.rest.isEmpty()) {
                    finished(mine);
                } else {
                    proceed(mine);
                }
            } else {
                failed(mine, action, problem);
            }
        });
    }

    /** I3: what follows a save is done only if it is still what the newest state asks for. */
    private boolean isStale(Run mine, Action action) {
        boolean first = mine.rest.size() + 1 == mine.plan.actions().size();
        boolean bindsToAReign = action instanceof Action.Follow
                || (action instanceof Action.StartStandby start && start.upstream() != null)
                || action instanceof Action.Promote
                || action instanceof Action.PromoteAtRest;
        if (first || !bindsToAReign) {
            return false;
        }
        Plan now = loop.decideAgain();
        return now == null || now.rule().number() != mine.plan.rule().number();
    }

    private void finished(Run mine) {
        run = null;
        failures = 0;
        lastFailure.succeeded(mine.plan.rule().number());
        doneRule = mine.plan.rule().number();
        doneVersion = mine.version;
        doneAt = ports.clock().millis();
        doneChanges = coordination.changes();
        loop.carriedOut(mine.plan);
        loop.decide();
    }

    private void failed(Run mine, Action action, Throwable problem) {
        run = null;
        failures++;
        Duration delay = action instanceof Action.StopImmediate ? RETRY.first() : RETRY.after(failures);
        notBefore = ports.clock().millis() + delay.toMillis();
        int number = mine.plan.rule().number();
        String words = OnLoop.message(problem);
        if (problem instanceof DurableState.NotSaved) {
            // Told by whoever saves, and not at every try.
            LOG.debug("rule {}: {}: {}", number, name(action), words);
        } else if (problem instanceof Refused || problem.getCause() instanceof Refused) {
            LOG.info("rule {}: {}: {}", number, name(action), words);
        } else {
            lastFailure.failed(number, words, ports.clock().now());
            if (lastFailure.isToBeLogged()) {
                LOG.warn("rule {}: {} failed: {}", number, name(action), words);
            } else {
                LOG.debug("rule {}: {} failed: {}", number, name(action), words);
            }
        }
        database.observe();
        loop.decide();
    }

    // ---- actions

    private CompletableFuture<?> perform(Action action) {
        if (!coordination.objection().isEmpty() && isForZooKeeper(action)) {
            return CompletableFuture.failedFuture(new Refused(Outcome.NOT_SENT));
        }
        long now = ports.clock().millis();
        loop.remember(memory -> memory.begun(action, database.seen(), now));
        var base = ports.database();
        var zooKeeper = ports.coordination();
        return switch (action) {
            case Action.Persist persist -> durable.save(persist.change());
            case Action.Cas cas -> {
                ClusterState next = cas.next().stamped();
                yield written(
                        action,
                        new VersionedState(cas.version() + 1, next),
                        zooKeeper.compareAndSet(cas.version(), next));
            }
            case Action.CreateState create -> {
                ClusterState first = create.first().stamped();
                yield written(action, new VersionedState(0, first), zooKeeper.create(first));
            }
            case Action.TakeBirthLock() -> applied(zooKeeper.takeBirthLock());
            case Action.PublishVote vote -> applied(zooKeeper.publishVote(vote.vote()));
            case Action.DeleteVotes delete -> applied(zooKeeper.deleteVotes(delete.upToBallot()));
            case Action.PutTask put -> applied(zooKeeper.putTask(put.task()));
            case Action.InitDb() -> verb(action, base.initialise());
            case Action.CloneFrom clone -> {
                progress = 0;
                yield verb(
                        action,
                        base.cloneFrom(clone.source(), loop.self(), percent -> loop.execute(() -> progress = percent)));
            }
            case Action.StartPrimary() -> verb(action, base.startPrimary());
            case Action.StartStandby start -> verb(action, base.startStandby(start.upstream(), loop.self()));
            case Action.StopFast() -> verb(action, base.stopFast(stopsWithin.toMillis()));
            case Action.StopImmediate() -> verb(action, base.stopImmediate());
            case Action.Follow follow -> verb(action, base.follow(follow.upstream(), loop.self()));
            case Action.Unfollow() -> verb(action, base.unfollow());
            case Action.Promote promote -> verb(action, base.promote(promote.higherThan()));
            case Action.PromoteAtRest promote ->
                verb(action, base.promoteAtRest(promote.setting(), promote.higherThan()));
            case Action.ReadEnd() -> verb(action, base.readEnd());
            case Action.ApplySync apply -> verb(action, base.applySync(apply.setting()));
            case Action.TerminateOldSenders() -> verb(action, base.terminateOldSenders());
            case Action.SetReadOnly set -> verb(action, base.setReadOnly(set.readOnly()));
            case Action.Checkpoint() -> {
                awaitCheckpoint(now);
                yield CompletableFuture.completedFuture(null);
            }
            case Action.KeepSlots keep -> verb(action, base.keepSlots(loop.self(), keep.siblings()));
            case Action.Wipe() -> verb(action, base.wipe());
            case Action.HoldDoor hold -> {
                awaitDrained(hold);
                yield CompletableFuture.completedFuture(null);
            }
            case Action.OpenDoor open -> {
                // That it is open, and stays so, is the door's own business: nothing waits for it.
                var _ = ports.door().openTo(open.primary());
                done(action, null);
                yield CompletableFuture.completedFuture(null);
            }
        };
    }

    private CompletableFuture<Void> verb(Action action, CompletableFuture<DatabaseView> verb) {
        return database.verb(verb, seen -> done(action, seen));
    }

    private void done(Action action, @Nullable DatabaseView seen) {
        long now = ports.clock().millis();
        loop.remember(memory -> memory.done(action, seen, now));
    }

    /** Beside the plans: it may take minutes, and no rule waits for it. */
    private void awaitCheckpoint(long asked) {
        Memory.Checkpoint begun = loop.memory().applied().checkpoint();
        OnLoop.whenDone(loop, ports.database().checkpoint(Checkpoints.LIMIT.toMillis()), (done, problem) -> {
            long now = ports.clock().millis();
            if (problem == null) {
                LOG.info("The checkpoint took {} ms", now - asked);
            } else {
                LOG.warn("The checkpoint came to nothing after {} ms: {}", now - asked, OnLoop.message(problem));
            }
            loop.remember(memory -> memory.checkpointEnded(begun, problem != null, now));
            loop.decide();
        });
    }

    /** Beside the plans: it may take seconds. */
    private void awaitDrained(Action.HoldDoor hold) {
        OnLoop.whenDone(loop, ports.door().hold(hold.drainMillis(), hold.holdMillis()), (done, problem) -> {
            if (problem == null) {
                loop.remember(memory -> memory.doorDrained(hold.call()));
            } else {
                LOG.info("The door is not held: {}", OnLoop.message(problem));
            }
            loop.decide();
        });
    }

    /** A write of the shared state. It counts as confirmed only while no other one has begun after it (T3). */
    private CompletableFuture<Void> written(Action action, VersionedState state, CompletableFuture<Outcome> write) {
        long number = ++compareAndSets;
        CompletableFuture<Void> taken = new CompletableFuture<>();
        OnLoop.whenDone(loop, write, (outcome, problem) -> {
            if (problem == null && outcome == Outcome.APPLIED) {
                if (number == compareAndSets) {
                    done(action, null);
                }
                coordination.wrote(state);
                taken.complete(null);
            } else {
                ports.coordination().refresh();
                taken.completeExceptionally(problem != null ? problem : new Refused(outcome));
            }
        });
        return taken;
    }

    private static CompletableFuture<Void> applied(CompletableFuture<Outcome> write) {
        return write.thenAccept(outcome -> {
            if (outcome != Outcome.APPLIED) {
                throw new Refused(outcome);
            }
        });
    }

    private static String name(@Nullable Action action) {
        return action == null ? "nothing" : action.kind().name();
    }
}
