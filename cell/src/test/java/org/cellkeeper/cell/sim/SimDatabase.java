package org.cellkeeper.cell.sim;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.IntConsumer;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.DatabaseView.Data;
import org.cellkeeper.cell.model.SyncSetting;
import org.cellkeeper.cell.model.Upstream;
import org.cellkeeper.cell.port.Database;
import org.cellkeeper.cell.port.DatabaseFailure;
import org.jspecify.annotations.Nullable;

/**
 * One agent run's hand on the PostgreSQL of its machine. Each verb is a row of steps that take their time; when the agent
 * dies in the middle, the step under way may still happen and the rest does not.
 */
final class SimDatabase implements Database {
    private static final long PROBE_DEADLINE = 500 * World.MILLI;

    /** A verb on its way. */
    private static final class Verb {
        final String name;
        final Consumer<Verb> body;
        final CompletableFuture<DatabaseView> result = new CompletableFuture<>();
        boolean ended;
        boolean withSlots;

        @Nullable
        Runnable underWay;

        @Nullable
        BooleanSupplier awaited;

        @Nullable
        Runnable afterwards;

        Verb(String name, Consumer<Verb> body) {
            this.name = name;
            this.body = body;
        }
    }

    /** A checkpoint that a session waits for. */
    private static final class Writing {
        final long postmaster;
        final CompletableFuture<Void> done = new CompletableFuture<>();

        Writing(long postmaster) {
            this.postmaster = postmaster;
        }
    }

    private static final long NO_RUN = -1;

    private final World world;
    private final SimCell cell;
    private final AgentProcess agent;
    private final SimPostgres postgres;
    private final List<Writing> checkpoints = new ArrayList<>();
    private final Deque<Verb> queue = new ArrayDeque<>();
    private final List<Runnable> listeners = new ArrayList<>();
    private final List<Copy> copies = new ArrayList<>();
    private final Runnable watcher = this::somethingChanged;
    private @Nullable Verb current;
    private @Nullable Verb fencing;
    private long ruleWrites;
    private Set<Integer> beforeRule = Set.of();
    private long beforeRuleIn = NO_RUN;
    private boolean telling;
    private long lastPostmaster;
    private boolean lastStreaming;
    private int lastSenders;

    SimDatabase(World world, SimCell cell, AgentProcess agent) {
        this.world = world;
        this.cell = cell;
        this.agent = agent;
        postgres = cell.postgres();
        postgres.watch(watcher);
    }

    void agentDied() {
        postgres.unwatch(watcher);
        Verb verb = current;
        Runnable effect = verb == null ? null : verb.underWay;
        if (effect != null && !cell.diskHung() && cell.on() && world.perMille(500)) {
            world.note(cell.label(), "a dead agent's verb goes on:", verb.name, null);
            effect.run();
        }
        queue.clear();
        copies.forEach(copy -> copy.end(world, false));
    }

    // ---- the engine of the verbs

    private CompletableFuture<DatabaseView> verb(String name, Consumer<Verb> body) {
        Verb verb = new Verb(name, body);
        queue.add(verb);
        if (current == null) {
            next();
        }
        return verb.result;
    }

    private void next() {
        Verb verb = queue.poll();
        current = verb;
        if (verb != null) {
            agent.post(0, () -> {
                if (!verb.ended) {
                    world.note(cell.label(), verb.name, null, null);
                    world.moment(cell, "verb");
                    verb.body.accept(verb);
                }
            });
        }
    }

    private void step(Verb verb, long delay, Runnable effect) {
        verb.underWay = effect;
        agent.post(
                delay,
                () -> cell.onDisk(agent, () -> {
                    if (!verb.ended && verb.underWay == effect) {
                        verb.underWay = null;
                        take(verb, effect);
                    }
                }));
    }

    /** Now and then a verb fails half-way: before this step or just after it, and the rest of it is left undone. */
    private void take(Verb verb, Runnable effect) {
        boolean fails = world.perMille(world.weather.verbsFail);
        if (!fails || world.perMille(500)) {
            effect.run();
        }
        if (fails && !verb.ended) {
            world.statistics.count("verb cut off");
            verb.awaited = null;
            verb.afterwards = null;
            fail(verb, "cut off half-way");
        }
    }

    private void await(Verb verb, BooleanSupplier condition, long atMost, Runnable then, String otherwise) {
        verb.awaited = condition;
        verb.afterwards = then;
        agent.post(atMost, () -> {
            if (!verb.ended && verb.awaited == condition) {
                fail(verb, otherwise);
            }
        });
        check();
    }

    private void check() {
        Verb verb = current;
        if (verb == null || verb.ended || !agent.alive()) {
            return;
        }
        BooleanSupplier condition = verb.awaited;
        if (condition != null && condition.getAsBoolean()) {
            Runnable then = verb.afterwards;
            verb.awaited = null;
            verb.afterwards = null;
            if (then != null) {
                agent.post(world.delay(200, 3 * World.MILLI), () -> {
                    if (!verb.ended) {
                        then.run();
                    }
                });
            }
        }
    }

    private void done(Verb verb) {
        agent.post(world.delay(200, 2 * World.MILLI), () -> {
            if (!verb.ended) {
                verb.ended = true;
                leave(verb);
                lookForForeignEdits();
                verb.result.complete(view(null, verb.withSlots));
            }
        });
    }

    private void fail(Verb verb, String why) {
        if (verb.ended) {
            return;
        }
        verb.ended = true;
        agent.post(world.delay(200, 2 * World.MILLI), () -> {
            world.note(cell.label(), verb.name + " failed:", why, null);
            leave(verb);
            verb.result.completeExceptionally(new DatabaseFailure(verb.name + ": " + why));
        });
    }

    private void leave(Verb verb) {
        if (fencing == verb) {
            fencing = null;
        }
        if (current == verb) {
            next();
        }
    }

    private void somethingChanged() {
        check();
        for (Writing writing : List.copyOf(checkpoints)) {
            if (writing.postmaster != postgres.postmasterRun() || !postgres.isRunning()) {
                fail(writing, "This connection has been closed.");
            }
        }
        long postmaster = postgres.isStopped() ? 0 : 1;
        boolean streams = postgres.receiver() != null;
        int senders = postgres.senders().size();
        boolean remarkable = postmaster != lastPostmaster || streams != lastStreaming || senders < lastSenders;
        lastPostmaster = postmaster;
        lastStreaming = streams;
        lastSenders = senders;
        if (!remarkable || telling || listeners.isEmpty()) {
            return;
        }
        telling = true;
        agent.post(world.delay(300, 15 * World.MILLI), () -> {
            telling = false;
            listeners.forEach(Runnable::run);
        });
    }

    @Override
    public void listen(Runnable listener) {
        listeners.add(listener);
    }

    // ---- observations

    @Override
    public CompletableFuture<DatabaseView> observe() {
        CompletableFuture<DatabaseView> answer = new CompletableFuture<>();
        if (postgres.paused()) {
            agent.post(PROBE_DEADLINE, () -> answer.complete(view(null, false)));
        } else {
            lookForForeignEdits();
            DatabaseView view = view(null, false);
            agent.post(world.delay(300, 3 * World.MILLI), () -> answer.complete(view));
        }
        return answer;
    }

    @Override
    public CompletableFuture<DatabaseView> observeThoroughly() {
        CompletableFuture<DatabaseView> answer = new CompletableFuture<>();
        if (postgres.paused()) {
            agent.post(PROBE_DEADLINE, () -> answer.complete(view(null, false)));
            return answer;
        }
        // one session asks one thing after the other; meanwhile the world goes on
        agent.post(world.delay(300, 3 * World.MILLI), () -> {
            lookForForeignEdits();
            boolean answers = postgres.answers();
            SyncSetting sync = answers ? postgres.syncInForce() : null;
            boolean loaded =
                    answers && postgres.syncInForce().equals(postgres.file().sync());
            long run = postgres.postmasterRun();
            long writes = ruleWrites;
            agent.post(world.delay(200, 3 * World.MILLI), () -> {
                if (loaded && writes == ruleWrites && run == postgres.postmasterRun() && beforeRuleIn != run) {
                    beforeRule = postgres.senderPids();
                    beforeRuleIn = run;
                }
                DatabaseView view = view(postgres.answers() ? sync : null, postgres.answers());
                agent.post(world.delay(200, World.MILLI), () -> answer.complete(view));
            });
        });
        return answer;
    }

    private void lookForForeignEdits() {
        if (!world.weather.foreignEditsStay) {
            postgres.strikeOut();
        }
    }

    private DatabaseView view(@Nullable SyncSetting syncInForce, boolean thoroughly) {
        return postgres.view(syncInForce, thoroughly, olderSenders());
    }

    /** As the adapter knows them: those that were there when the rule that this agent last wrote was first seen in force. */
    private Set<Integer> olderSenders() {
        Set<Integer> all = postgres.senderPids();
        if (beforeRuleIn != postgres.postmasterRun()) {
            return all;
        }
        beforeRule.retainAll(all);
        return beforeRule;
    }

    private void ruleWritten() {
        ruleWrites++;
        beforeRuleIn = NO_RUN;
    }

    // ---- making and replacing the data

    @Override
    public CompletableFuture<DatabaseView> initialise() {
        return verb("initialise", verb -> {
            if (postgres.data() != Data.EMPTY || !postgres.isStopped()) {
                fail(verb, "the data directory is not empty");
                return;
            }
            postgres.beginReplacing();
            step(verb, world.delay(300 * World.MILLI, 2 * World.SECOND), () -> {
                if (cell.diskFull()) {
                    fail(verb, "no space left on device");
                    return;
                }
                postgres.initialised();
                done(verb);
            });
        });
    }

    @Override
    public CompletableFuture<DatabaseView> cloneFrom(Upstream source, CellId self, IntConsumer percent) {
        return verb("clone from " + source.primary().name(), verb -> {
            if (!postgres.isStopped()) {
                fail(verb, "PostgreSQL runs");
                return;
            }
            SimCell there = world.databaseAt(source.host());
            if (there == null || !canCopy(there)) {
                step(
                        verb,
                        world.delay(2 * World.MILLI, 2 * World.SECOND),
                        () -> fail(verb, "cannot connect to " + source.host()));
                return;
            }
            String slot = self.slotOn(source.primary());
            if (!there.postgres().hasFreeSlot(slot)) {
                step(
                        verb,
                        world.delay(World.SECOND, 6 * World.SECOND),
                        () -> fail(verb, source.primary().name() + " has no slot for this cell yet"));
                return;
            }
            postgres.beginReplacing();
            step(verb, world.delay(5 * World.MILLI, 30 * World.MILLI), () -> beginCopy(verb, there, slot, percent));
        });
    }

    private void beginCopy(Verb verb, SimCell there, String slot, IntConsumer percent) {
        SimProcess run = canCopy(there) ? there.postgres().beginClone(slot) : null;
        if (run == null) {
            fail(verb, "the copy could not begin");
            return;
        }
        Copy copy = new Copy(
                there, slot, run, there.postgres().redo(), world.delay(60 * World.SECOND, 120 * World.SECOND), percent);
        copy.heardAt = world.now();
        // What it streamed through is free when its walsender has noticed the end.
        verb.result.whenComplete((done, failure) -> copy.end(world, failure == null));
        copies.add(copy);
        copy(verb, copy, 0);
    }

    /** A clone under way, and the slot at its source that it uses. */
    private static final class Copy {
        final SimCell source;
        final String slot;
        final SimProcess run;
        final long begun;
        final IntConsumer percent;
        final long patience;
        long heardAt;
        private boolean ended;

        Copy(SimCell source, String slot, SimProcess run, long begun, long patience, IntConsumer percent) {
            this.source = source;
            this.slot = slot;
            this.run = run;
            this.begun = begun;
            this.patience = patience;
            this.percent = percent;
        }

        void end(World world, boolean orderly) {
            if (!ended) {
                ended = true;
                world.after(
                        orderly ? 0 : world.delay(World.MILLI, 3 * World.SECOND),
                        () -> source.postgres().endClone(slot));
            }
        }
    }

    private void copy(Verb verb, Copy copy, int parts) {
        step(verb, world.delay(world.weather.clonePart / 10, world.weather.clonePart), () -> {
            if (!agent.alive()) {
                return;
            }
            if (!isSilent(copy.source)) {
                copy.heardAt = world.now();
            } else if (world.now() - copy.heardAt < copy.patience) {
                copy(verb, copy, parts);
                return;
            }
            boolean goesOn = canCopy(copy.source) && copy.source.postgres().feedsClone(copy.slot, copy.run);
            if (!goesOn || cell.diskFull()) {
                fail(verb, "the copy broke off");
            } else if (parts < 4) {
                copy.percent.accept(parts * 25);
                copy(verb, copy, parts + 1);
            } else if (postgres.copyFrom(copy.source.postgres(), copy.begun)) {
                copy.percent.accept(100);
                done(verb);
            } else {
                fail(verb, "the copy broke off");
            }
        });
    }

    /** Neither end is told that the other is gone, or stands still. */
    private boolean isSilent(SimCell there) {
        return !there.on()
                || there.postgres().paused()
                || !world.network.openBothWays(SimNetwork.Kind.WAL, cell, there);
    }

    private boolean canCopy(SimCell there) {
        return there != cell && there.postgres().isRunning() && !isSilent(there);
    }

    @Override
    public CompletableFuture<DatabaseView> wipe() {
        return verb("wipe", verb -> {
            if (!postgres.isStopped()) {
                fail(verb, "PostgreSQL runs");
                return;
            }
            step(verb, world.delay(World.MILLI, 10 * World.MILLI), () -> {
                if (postgres.data() != Data.EMPTY) {
                    postgres.beginReplacing();
                }
                step(verb, world.delay(10 * World.MILLI, 300 * World.MILLI), () -> {
                    postgres.wipe();
                    done(verb);
                });
            });
        });
    }

    // ---- start, stop, promote

    @Override
    public CompletableFuture<DatabaseView> startPrimary() {
        world.invariants.starting(cell, false);
        return verb(
                "start as primary",
                verb -> step(verb, world.delay(3 * World.MILLI, 30 * World.MILLI), () -> {
                    if (postgres.start(false)) {
                        awaitRunning(verb, () -> false);
                    } else {
                        fail(verb, "the data directory does not allow it: " + postgres.describe());
                    }
                }));
    }

    @Override
    public CompletableFuture<DatabaseView> startStandby(@Nullable Upstream upstream, CellId self) {
        world.invariants.starting(cell, true);
        return verb(
                "start as standby of " + nameOf(upstream),
                verb -> step(verb, world.delay(3 * World.MILLI, 30 * World.MILLI), () -> {
                    if (postgres.isStopped() && postgres.data() == Data.PRESENT) {
                        postgres.write(postgres.file().following(upstream, self).withSync(SyncSetting.NOBODY));
                    }
                    if (postgres.start(true)) {
                        awaitStarted(verb);
                    } else {
                        fail(verb, "the data directory does not allow it: " + postgres.describe());
                    }
                }));
    }

    private static String nameOf(@Nullable Upstream upstream) {
        return upstream == null ? "nobody" : upstream.primary() + " in epoch " + upstream.epoch();
    }

    /** A standby is not waited for long: it may never open. */
    private void awaitStarted(Verb verb) {
        long enough = world.now() + 2 * World.SECOND;
        awaitRunning(verb, () -> world.now() >= enough);
        agent.post(2 * World.SECOND, this::check);
    }

    private void awaitRunning(Verb verb, BooleanSupplier enough) {
        await(
                verb,
                () -> postgres.isRunning() || postgres.isStopped() || enough.getAsBoolean(),
                60 * World.SECOND,
                () -> {
                    if (postgres.isStopped()) {
                        fail(verb, "PostgreSQL went away while it started");
                    } else {
                        done(verb);
                    }
                },
                "PostgreSQL did not come up in time");
    }

    @Override
    public CompletableFuture<DatabaseView> stopFast(long deadlineMillis) {
        return verb(
                "stop fast",
                verb -> step(verb, world.delay(2 * World.MILLI, 10 * World.MILLI), () -> {
                    if (postgres.isStopped()) {
                        done(verb);
                        return;
                    }
                    postgres.stopFast();
                    agent.post(deadlineMillis * World.MILLI, () -> {
                        if (!verb.ended && !postgres.isStopped()) {
                            cell.onDisk(agent, () -> postgres.crash("fast stop took too long"));
                        }
                    });
                    await(
                            verb,
                            postgres::isStopped,
                            (deadlineMillis + 60_000) * World.MILLI,
                            () -> done(verb),
                            "it does not go");
                }));
    }

    @Override
    public CompletableFuture<DatabaseView> stopImmediate() {
        Verb running = fencing;
        if (running != null) {
            return running.result;
        }
        Verb interrupted = current;
        List<Verb> all = new ArrayList<>();
        if (interrupted != null) {
            all.add(interrupted);
        }
        all.addAll(queue);
        queue.clear();
        current = null;
        for (Verb one : all) {
            if (!one.ended) {
                one.ended = true;
                agent.post(
                        world.delay(200, 2 * World.MILLI),
                        () -> one.result.completeExceptionally(new DatabaseFailure(one.name + ": interrupted")));
            }
        }
        Verb verb = new Verb(
                "stop immediate",
                self -> step(self, world.delay(2 * World.MILLI, 30 * World.MILLI), () -> {
                    postgres.crash("immediate stop");
                    done(self);
                }));
        fencing = verb;
        queue.add(verb);
        next();
        return verb.result;
    }

    @Override
    public CompletableFuture<DatabaseView> promote(int higherThan) {
        world.invariants.promoting(cell);
        return verb("promote above timeline " + higherThan, verb -> {
            if (!postgres.isStandby()) {
                fail(verb, "no standby runs");
                return;
            }
            step(verb, world.delay(World.MILLI, 8 * World.MILLI), () -> {
                if (!postgres.timelinesBeyond().isEmpty()) {
                    SyncSetting sync = postgres.file().sync();
                    postgres.crash("stopped, to be promoted from its start");
                    promoteFromRest(verb, sync == null ? SyncSetting.NOBODY : sync, higherThan);
                    return;
                }
                postgres.makeTimelinesKnown(higherThan);
                step(verb, world.delay(500, 5 * World.MILLI), () -> {
                    postgres.clearTheWay();
                    postgres.promote();
                    awaitPromoted(verb, () -> !postgres.isStandby(), 30 * World.SECOND);
                });
            });
        });
    }

    @Override
    public CompletableFuture<DatabaseView> promoteAtRest(SyncSetting setting, int higherThan) {
        world.invariants.promoting(cell);
        return verb(
                "promote from rest above timeline " + higherThan,
                verb -> step(
                        verb,
                        world.delay(3 * World.MILLI, 30 * World.MILLI),
                        () -> promoteFromRest(verb, setting, higherThan)));
    }

    private void promoteFromRest(Verb verb, SyncSetting setting, int higherThan) {
        if (!postgres.isStopped() || postgres.data() != Data.PRESENT) {
            fail(verb, "PostgreSQL runs, or has no data");
            return;
        }
        postgres.write(postgres.file().following(null, null).withSync(setting));
        if (!postgres.start(true)) {
            fail(verb, "the data directory does not allow it: " + postgres.describe());
            return;
        }
        step(verb, world.delay(5 * World.MILLI, 40 * World.MILLI), () -> {
            postgres.promoteWhenReplayed(higherThan);
            awaitPromoted(verb, postgres::isStopped, 60 * World.SECOND);
        });
    }

    private void awaitPromoted(Verb verb, BooleanSupplier gone, long limit) {
        await(
                verb,
                () -> postgres.isPrimary() || gone.getAsBoolean(),
                limit,
                () -> {
                    if (postgres.isPrimary()) {
                        done(verb);
                    } else {
                        fail(verb, "PostgreSQL went away");
                    }
                },
                "the promotion did not end in time");
    }

    @Override
    public CompletableFuture<DatabaseView> readEnd() {
        return verb(
                "read the end of the WAL",
                verb -> step(verb, world.delay(20 * World.MILLI, 700 * World.MILLI), () -> {
                    if (!postgres.isStopped() || postgres.data() != Data.PRESENT) {
                        fail(verb, "PostgreSQL runs, or has no data");
                        return;
                    }
                    postgres.readEnd();
                    done(verb);
                }));
    }

    // ---- settings

    private void settings(Verb verb, SettingsFile next, Runnable then) {
        step(verb, world.delay(World.MILLI, 6 * World.MILLI), () -> {
            if (postgres.data() != Data.PRESENT || cell.diskFull()) {
                fail(verb, "cannot write the settings");
                return;
            }
            postgres.write(next);
            step(verb, world.delay(200, 3 * World.MILLI), () -> {
                postgres.reload();
                then.run();
            });
        });
    }

    @Override
    public CompletableFuture<DatabaseView> follow(Upstream upstream, CellId self) {
        world.invariants.following(cell, upstream);
        return verb("follow " + nameOf(upstream), verb -> {
            if (postgres.isPrimary()) {
                fail(verb, "a primary runs");
                return;
            }
            settings(verb, postgres.file().following(upstream, self), () -> done(verb));
        });
    }

    @Override
    public CompletableFuture<DatabaseView> unfollow() {
        return verb(
                "unfollow",
                verb -> settings(verb, postgres.file().following(null, null), () -> {
                    if (!world.perMille(world.weather.obstinateReaders)) {
                        postgres.clearTheWay();
                    }
                    done(verb);
                }));
    }

    @Override
    public CompletableFuture<DatabaseView> applySync(SyncSetting setting) {
        return verb("apply " + setting, verb -> {
            ruleWritten();
            settings(verb, postgres.file().withSync(setting), () -> {
                ruleWritten();
                done(verb);
            });
        });
    }

    @Override
    public CompletableFuture<DatabaseView> setReadOnly(boolean readOnly) {
        return verb(
                "set read-only " + readOnly,
                verb -> settings(verb, postgres.file().withReadOnly(readOnly), () -> {
                    if (!readOnly || !postgres.isRunning()) {
                        done(verb);
                        return;
                    }
                    await(
                            verb,
                            () -> postgres.postmasterSettings().readOnly() || !postgres.isRunning(),
                            5 * World.SECOND,
                            () -> step(verb, world.delay(500, 5 * World.MILLI), () -> {
                                postgres.terminateWaiters();
                                done(verb);
                            }),
                            "the reload did not take");
                }));
    }

    @Override
    public CompletableFuture<DatabaseView> terminateOldSenders() {
        return verb(
                "terminate old walsenders",
                verb -> step(verb, world.delay(500, 5 * World.MILLI), () -> {
                    postgres.terminateSenders(olderSenders());
                    done(verb);
                }));
    }

    @Override
    public CompletableFuture<Void> checkpoint(long deadlineMillis) {
        Writing writing = new Writing(postgres.postmasterRun());
        world.note(cell.label(), "checkpoint", null, null);
        if (!postgres.isRunning()) {
            fail(writing, "PostgreSQL does not run");
            return writing.done;
        }
        checkpoints.add(writing);
        if (world.perMille(world.weather.verbsFail)) {
            fail(writing, "cut off half-way");
            return writing.done;
        }
        long takes = world.delay(10 * World.MILLI, 500 * World.MILLI) + cell.checkpointsTake();
        agent.post(deadlineMillis * World.MILLI, () -> fail(writing, "canceling statement due to statement timeout"));
        agent.post(
                takes,
                () -> cell.onDisk(agent, () -> {
                    if (checkpoints.remove(writing)) {
                        postgres.writeNoise("checkpoint", 0x70);
                        postgres.checkpoint();
                        agent.post(world.delay(200, 2 * World.MILLI), () -> writing.done.complete(null));
                    }
                }));
        return writing.done;
    }

    private void fail(Writing writing, String why) {
        checkpoints.remove(writing);
        agent.post(
                world.delay(200, 2 * World.MILLI),
                () -> writing.done.completeExceptionally(new DatabaseFailure("checkpoint: " + why)));
    }

    @Override
    public CompletableFuture<DatabaseView> keepSlots(CellId self, Set<CellId> siblings) {
        TreeSet<String> names = new TreeSet<>();
        siblings.forEach(sibling -> names.add(sibling.slotOn(self)));
        return verb(
                "keep slots",
                verb -> step(verb, world.delay(World.MILLI, 8 * World.MILLI), () -> {
                    if (!postgres.isRunning() || cell.diskFull()) {
                        fail(verb, "PostgreSQL does not run");
                        return;
                    }
                    postgres.keepSlots(self, names);
                    verb.withSlots = true;
                    done(verb);
                }));
    }
}
