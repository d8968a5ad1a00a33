package org.cellkeeper.cell.sim;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.port.Operator;
import org.jspecify.annotations.Nullable;

/**
 * Breaks things at random: which kinds of things, how often and how badly is the run's profile, itself drawn from the seed.
 * Whatever it breaks for a while it mends again, or {@link World#healAll} does.
 */
final class Faults {
    /** A kind of fault; a profile gives each its weight. */
    enum Kind {
        KILL_AGENT,
        KILL_DATABASE,
        KILL_CELL,
        KILL_TWO,
        POWER_OFF,
        PAUSE_CELL,
        PAUSE_AGENT,
        PAUSE_DATABASE,
        WIPE,
        CUT_CELL,
        CUT_ONE_WAY,
        CUT_WAL,
        SLOW_PATH,
        ADDRESSES_SWAPPED,
        BREAK_LINK,
        ZOOKEEPER_AWAY,
        ZOOKEEPER_QUORUM,
        ZOOKEEPER_STALE,
        ZOOKEEPER_SLOW,
        ZOOKEEPER_EXPIRED,
        ANSWER_LOST,
        DISK_HUNG,
        DISK_FULL,
        SAVES_FAIL,
        SAVES_SLOW,
        CHECKPOINT_SLOW,
        BULK_LOAD,
        BACKEND_CRASH,
        REPLAY_LAG,
        REPLAY_BLOCKED,
        STANDBY_CLOSED,
        PROMOTIONS_FAIL,
        OVERRULED,
        DOOR_KILLED,
        STOP_SLOW,
        CLOCK_SET,
        CONFIGURED_ANEW,
        MODE,
        PROMOTE,
        PROMOTE_FORCED,
        SWITCHOVER,
        REMOVE_AND_DEPLOY,
        STOP_AGENT
    }

    /** Drawn apart, as they came later: a seed that draws none of them replays as it did before. */
    private static final Set<Kind> LATER = EnumSet.of(Kind.OVERRULED, Kind.DOOR_KILLED, Kind.STOP_SLOW);

    private static final Kind[] FIRST =
            EnumSet.complementOf(EnumSet.copyOf(LATER)).toArray(Kind[]::new);

    private final World world;
    private final int[] weights = new int[Kind.values().length];
    private final List<String> kinds = new ArrayList<>();
    private final long pause;
    private int left;
    private final int strikes;
    /** How often (per mille) no more is broken than the cluster should survive. */
    private final int measured;

    private final long careEvery;
    private @Nullable SimCell struck;
    private boolean over;
    private int total;

    /** Those after which reigns change, and between which commits may be lost. */
    private static final Kind[] STORM = {
        Kind.KILL_AGENT,
        Kind.KILL_DATABASE,
        Kind.KILL_CELL,
        Kind.KILL_TWO,
        Kind.PAUSE_CELL,
        Kind.PAUSE_AGENT,
        Kind.PAUSE_DATABASE,
        Kind.CUT_CELL,
        Kind.CUT_ONE_WAY,
        Kind.CUT_WAL,
        Kind.SLOW_PATH,
        Kind.SLOW_PATH,
        Kind.ADDRESSES_SWAPPED,
        Kind.ZOOKEEPER_AWAY,
        Kind.ZOOKEEPER_STALE,
        Kind.ANSWER_LOST,
        Kind.BACKEND_CRASH,
        Kind.SAVES_FAIL,
        Kind.SAVES_SLOW,
        Kind.REPLAY_BLOCKED,
        Kind.STANDBY_CLOSED,
        Kind.PROMOTIONS_FAIL,
        Kind.WIPE,
        Kind.SWITCHOVER,
        Kind.REMOVE_AND_DEPLOY
    };

    private final boolean storm;
    private final int verbsFail;
    /** How often (per mille) an operator changes the mode just when a ballot is opened. */
    private final int indecision;
    /** WAL is removed soon, and slots are lost. */
    private final boolean littleWal;

    Faults(World world, boolean storm) {
        this.world = world;
        this.storm = storm;
        // one run knows a few kinds of faults and repeats them: that finds more than a little of everything
        int different = (int) (storm ? world.between(3, 9) : world.between(2, 7));
        if (storm) {
            // what changes reigns is never missing
            weights[Kind.KILL_CELL.ordinal()] = 3;
            weights[Kind.KILL_DATABASE.ordinal()] = 2;
            weights[Kind.SLOW_PATH.ordinal()] = 2;
        }
        for (int i = 0; i < different; i++) {
            Kind kind = draw();
            weights[kind.ordinal()] += (int) world.between(1, 4);
        }
        SplittableRandom apart = new SplittableRandom(~world.seed());
        for (Kind kind : LATER) {
            if (apart.nextInt(8) == 0) {
                weights[kind.ordinal()] += 1 + apart.nextInt(3);
            }
        }
        if (world.perMille(120)) {
            weights[Kind.PROMOTE_FORCED.ordinal()] += (int) world.between(1, 4);
        }
        indecision = world.perMille(200) ? (int) world.between(50, 500) : 0;
        verbsFail = world.perMille(350) ? (int) world.between(1, 60) : 0;
        littleWal = world.perMille(400);
        if (littleWal) {
            weights[Kind.BULK_LOAD.ordinal()] += (int) world.between(1, 3);
        }
        for (Kind kind : Kind.values()) {
            total += weights[kind.ordinal()];
            if (weights[kind.ordinal()] > 0) {
                kinds.add(kind.name());
            }
        }
        left = storm ? (int) world.between(10, 100) : (int) world.between(3, 40);
        pause = storm
                ? world.between(60 * World.MILLI, 900 * World.MILLI)
                : world.between(200 * World.MILLI, 5 * World.SECOND);
        if (storm) {
            world.weather.clonePart = world.between(10 * World.MILLI, 150 * World.MILLI);
            careEvery = world.between(100 * World.MILLI, 800 * World.MILLI);
        } else {
            careEvery = world.between(500 * World.MILLI, 5 * World.SECOND);
        }
        measured = storm ? (world.perMille(800) ? 950 : 300) : 300;
        strikes = world.perMille(600) ? (int) world.between(50, 500) : 0;
        world.weather.answersLost = world.perMille(300) ? (int) world.between(1, 60) : 0;
        world.weather.obstinateReaders = world.perMille(300) ? (int) world.between(0, 1000) : 0;
        world.weather.partialRecords = (int) world.between(0, 300);
        world.weather.slowReloads = world.perMille(400) ? (int) world.between(0, 300) : 20;
        world.weather.oldFirstReads = (int) world.between(0, 600);
        world.weather.doorsFail = world.perMille(300) ? (int) world.between(1, 300) : 0;
        world.weather.waitsCancelled = world.perMille(300) ? (int) world.between(1, 200) : 0;
    }

    private Kind draw() {
        if (storm && world.perMille(850)) {
            return STORM[world.random().nextInt(STORM.length)];
        }
        Kind kind = FIRST[world.random().nextInt(FIRST.length)];
        boolean rare = kind == Kind.WIPE || kind == Kind.PROMOTE_FORCED || kind == Kind.DISK_FULL;
        return rare && !world.perMille(400) ? Kind.KILL_CELL : kind;
    }

    String profile() {
        return String.join(" ", kinds);
    }

    /** Strikes at the very moments when something is half done. */
    private void strike(SimCell at, String moment) {
        if (!over && moment.startsWith("ballot opened") && world.perMille(indecision)) {
            world.statistics.count("mode changed in a ballot");
            ask(at, new Operator.Request.SetMode(FailoverMode.MANUAL, false));
            world.after(span(), () -> ask(at, new Operator.Request.SetMode(FailoverMode.AUTOMATIC, false)));
        }
        if (over || left <= 0 || !world.perMille(moment.equals("verb") ? strikes / 4 : strikes)) {
            return;
        }
        left--;
        Kind kind = pick();
        world.after(world.delay(0, 60 * World.MILLI), () -> {
            if (!over) {
                struck = world.perMille(600) ? at : null;
                inject(kind);
                struck = null;
            }
        });
    }

    void start() {
        world.note("world", "faults of this run:", profile(), left);
        world.ambush(this::strike);
        world.weather.verbsFail = verbsFail;
        if (littleWal) {
            world.weather.walKeep = world.between(0, 0x8000);
            world.weather.slotsKeep = world.between(0x4000, 0x40000);
            long every = world.between(200 * World.MILLI, 5 * World.SECOND);
            world.cells().forEach(cell -> cell.postgres().checkpointsEvery(every));
        }
        world.after(world.between(0, pause), this::next);
        if (storm || world.perMille(700)) {
            caretake(careEvery);
        }
    }

    /** An operator who brings halted cells back: without one a small cluster has no second failover. */
    private void caretake(long every) {
        world.after(world.between(every / 2, every), () -> {
            ClusterState state = world.ensemble.state();
            if (over) {
                return;
            }
            if (state != null) {
                SimCell asked =
                        world.cells().get(world.random().nextInt(world.cells().size()));
                for (SimCell cell : world.cells()) {
                    boolean removed =
                            cell.stateFile() != null && cell.stateFile().removed();
                    if (removed && !state.members().containsKey(cell.name())) {
                        ask(asked, new Operator.Request.Deploy(cell.name(), false));
                    }
                }
                if (!state.halted().isEmpty()) {
                    ask(asked, new Operator.Request.Remove(state.halted().firstKey(), false, false));
                }
            }
            caretake(every);
        });
    }

    void stop() {
        over = true;
    }

    private void next() {
        if (over || left-- <= 0) {
            return;
        }
        inject(pick());
        if (storm && left > 0 && enoughIsBroken()) {
            left++;
        }
        // now and then the next one comes at once: coincidences are what breaks protocols
        long wait = world.perMille(300) ? world.between(0, 60 * World.MILLI) : world.between(pause / 4, pause * 2);
        world.after(wait, this::next);
    }

    private Kind pick() {
        int number = world.random().nextInt(total);
        for (Kind kind : Kind.values()) {
            number -= weights[kind.ordinal()];
            if (number < 0) {
                return kind;
            }
        }
        throw new IllegalStateException("no fault");
    }

    /** The primary is hit as often as all others together. */
    private SimCell victim() {
        SimCell chosen = struck;
        if (chosen != null) {
            return chosen;
        }
        SimCell primary = primary();
        if (primary != null && world.perMille(500)) {
            return primary;
        }
        return world.cells().get(world.random().nextInt(world.cells().size()));
    }

    private @Nullable SimCell primary() {
        ClusterState state = world.ensemble.state();
        return state == null ? null : world.find(state.primary().name());
    }

    private long span() {
        return storm || world.perMille(400)
                ? world.between(20 * World.MILLI, 2 * World.SECOND)
                : world.between(World.SECOND, 12 * World.SECOND);
    }

    /** A cell that cannot play its part now. */
    private boolean impaired(SimCell cell) {
        ClusterState state = world.ensemble.state();
        return !cell.agentRuns()
                || !cell.postgres().answers()
                || cell.diskHung()
                || cell.disk().troubled()
                || !world.network.reachesZooKeeper(cell)
                || (state != null && !state.voters().contains(cell.id()));
    }

    /** Most of the time a majority is left in peace: what is always broken never changes its primary. */
    private boolean enoughIsBroken() {
        long broken = world.cells().stream().filter(this::impaired).count();
        return broken >= (world.cells().size() - 1) / 2 && world.perMille(measured);
    }

    private void inject(Kind wanted) {
        if (enoughIsBroken()) {
            return;
        }
        Kind kind =
                wanted == Kind.KILL_TWO && world.cells().size() < 5 && world.perMille(800) ? Kind.KILL_CELL : wanted;
        world.statistics.count("fault " + kind);
        SimCell cell = victim();
        switch (kind) {
            case KILL_AGENT -> cell.killAgent();
            case KILL_DATABASE -> cell.killDatabase();
            case KILL_CELL -> {
                cell.kill(false);
                world.after(span(), cell::boot);
            }
            case KILL_TWO -> {
                SimCell other = other(cell);
                for (SimCell one : List.of(cell, other)) {
                    world.after(world.between(0, 30 * World.MILLI), () -> one.kill(false));
                    world.after(30 * World.MILLI + span(), one::boot);
                }
            }
            case POWER_OFF -> {
                cell.kill(true);
                world.after(span(), cell::boot);
            }
            case PAUSE_CELL -> {
                cell.pause();
                world.after(span(), cell::resume);
            }
            case PAUSE_AGENT -> {
                cell.pauseAgent();
                world.after(span(), cell::resume);
            }
            case PAUSE_DATABASE -> {
                cell.postgres().pause();
                world.note(cell.label(), "PostgreSQL paused", null, null);
                world.after(span(), cell::resume);
            }
            case WIPE -> {
                cell.wipe();
                world.after(span(), cell::boot);
            }
            case CUT_CELL -> {
                world.network.isolate(cell);
                boolean zooKeeperToo = world.perMille(500);
                if (zooKeeperToo) {
                    world.network.cutZooKeeper(cell, true);
                }
                world.after(span(), () -> healNetwork(cell));
            }
            case CUT_ONE_WAY -> {
                SimCell other = other(cell);
                boolean both = world.perMille(300);
                if (both || world.perMille(500)) {
                    world.network.cut(SimNetwork.Kind.WAL, cell, other);
                }
                if (both || world.perMille(500)) {
                    world.network.cut(SimNetwork.Kind.LINKS, cell, other);
                }
                world.after(span(), () -> healNetwork(cell));
            }
            case CUT_WAL -> {
                world.network.cutBoth(SimNetwork.Kind.WAL, cell, other(cell));
                world.after(span(), () -> healNetwork(cell));
            }
            case SLOW_PATH -> {
                SimCell other = other(cell);
                long latency = world.delay(5 * World.MILLI, 1_500 * World.MILLI);
                boolean linksToo = world.perMille(300);
                slow(cell, other, linksToo, latency);
                world.after(span(), () -> slow(cell, other, linksToo, 0));
            }
            case CLOCK_SET -> {
                long ahead = world.between(-SimCell.CLOCKS_DIFFER_MILLIS, SimCell.CLOCKS_DIFFER_MILLIS);
                cell.setClock(ahead);
                world.note(cell.label(), "clock is set", ahead, null);
            }
            case CONFIGURED_ANEW -> {
                int priority = world.perMille(700) ? 100 : 0;
                world.note(cell.label(), "is configured with the priority", priority, null);
                cell.prioritise(priority);
            }
            case ADDRESSES_SWAPPED -> {
                world.swapAddresses(cell, other(cell));
                world.after(span(), world::restoreAddresses);
            }
            case BREAK_LINK -> {
                AgentProcess agent = cell.agent();
                if (agent != null) {
                    agent.peers().breakLink(other(cell));
                }
            }
            case ZOOKEEPER_AWAY -> {
                world.network.cutZooKeeper(cell, true);
                world.after(span(), () -> world.network.cutZooKeeper(cell, false));
            }
            case ZOOKEEPER_QUORUM -> {
                world.ensemble.loseQuorum();
                world.after(span(), world.ensemble::regainQuorum);
            }
            case ZOOKEEPER_STALE -> {
                AgentProcess agent = cell.agent();
                if (agent != null) {
                    agent.coordination().lagFor(span());
                }
            }
            case ZOOKEEPER_SLOW -> {
                AgentProcess agent = cell.agent();
                if (agent != null) {
                    agent.coordination().slow(world.between(20 * World.MILLI, 1_500 * World.MILLI));
                    world.after(span(), () -> agent.coordination().slow(3 * World.MILLI));
                }
            }
            case ZOOKEEPER_EXPIRED -> {
                AgentProcess agent = cell.agent();
                if (agent != null) {
                    agent.coordination().expireSession();
                }
            }
            case ANSWER_LOST -> {
                AgentProcess agent = cell.agent();
                if (agent != null) {
                    SimCoordination.Fate[] fates = SimCoordination.Fate.values();
                    agent.coordination()
                            .loseNextAnswer(
                                    fates[world.random().nextInt(fates.length)],
                                    world.between(5 * World.MILLI, 4 * World.SECOND));
                }
            }
            case DISK_HUNG -> {
                cell.hangDisk();
                world.after(span(), cell::healDisk);
            }
            case DISK_FULL -> {
                cell.fillDisk();
                world.after(span(), cell::healDisk);
            }
            case SAVES_FAIL -> {
                cell.disk().failsPerMille((int) world.between(100, 1000));
                world.note(cell.label(), "saves of the state file fail", null, null);
                world.after(span(), () -> cell.disk().heal());
            }
            case SAVES_SLOW -> {
                cell.disk().slowBy(world.delay(5 * World.MILLI, 2 * World.SECOND));
                world.note(cell.label(), "saves of the state file are slow", null, null);
                world.after(span(), () -> cell.disk().heal());
            }
            case CHECKPOINT_SLOW -> {
                cell.checkpointsTake(world.between(World.SECOND, 100 * World.SECOND));
                SimCell other = other(cell);
                if (world.perMille(700)) {
                    ask(cell, new Operator.Request.Switchover(other.name(), false));
                }
                world.after(span(), () -> cell.checkpointsTake(0));
            }
            case STOP_SLOW -> {
                cell.stopsTake(world.between(500 * World.MILLI, 12 * World.SECOND));
                SimCell other = other(cell);
                if (world.perMille(700)) {
                    ask(cell, new Operator.Request.Switchover(other.name(), false));
                }
                world.after(span(), () -> cell.stopsTake(0));
            }
            case BULK_LOAD -> {
                cell.postgres().writeNoise("bulk load", world.between(0x1000, 0x40000));
                cell.postgres().checkpoint();
            }
            case BACKEND_CRASH -> cell.postgres().backendCrash();
            case REPLAY_LAG -> {
                cell.postgres().replayLag(world.between(5 * World.MILLI, 800 * World.MILLI));
                world.after(span(), () -> cell.postgres().replayLag(0));
            }
            case REPLAY_BLOCKED -> {
                cell.postgres().block();
                world.after(span(), () -> cell.postgres().clearTheWay());
            }
            case PROMOTIONS_FAIL -> {
                cell.postgres().failPromotions(true);
                world.after(span() * 8, () -> cell.postgres().failPromotions(false));
            }
            case OVERRULED -> cell.postgres().overrule();
            case DOOR_KILLED -> cell.doorState().kill();
            case STANDBY_CLOSED -> {
                cell.postgres().keepClosed(true);
                if (world.perMille(500)) {
                    cell.killDatabase();
                }
                world.after(span(), () -> cell.postgres().keepClosed(false));
            }
            case MODE ->
                ask(
                        cell,
                        new Operator.Request.SetMode(
                                world.perMille(500) ? FailoverMode.MANUAL : FailoverMode.AUTOMATIC, false));
            case PROMOTE -> ask(cell, new Operator.Request.Promote(other(cell).name(), false, false));
            case PROMOTE_FORCED -> promoteByForce(cell);
            case SWITCHOVER ->
                ask(cell, new Operator.Request.Switchover(other(cell).name(), false));
            case REMOVE_AND_DEPLOY -> removeAndDeploy(cell);
            case STOP_AGENT -> cell.terminateAgent();
        }
    }

    /** Most of the time after so much is lost that no ballot succeeds any more. */
    private void promoteByForce(SimCell cell) {
        SimCell primary = primary();
        if (primary == null || world.perMille(300)) {
            ask(cell, new Operator.Request.Promote(other(cell).name(), true, false));
            return;
        }
        List<SimCell> left = new ArrayList<>(world.cells());
        left.remove(primary);
        List<SimCell> lost = new ArrayList<>(List.of(primary));
        while (left.size() > 1 && lost.size() <= world.cells().size() / 2) {
            lost.add(left.remove(world.random().nextInt(left.size())));
        }
        for (SimCell one : lost) {
            world.after(world.between(0, 300 * World.MILLI), () -> one.kill(false));
            world.after(world.between(4 * World.SECOND, 8 * World.SECOND), one::boot);
        }
        SimCell chosen = left.get(world.random().nextInt(left.size()));
        world.after(
                world.between(500 * World.MILLI, 3 * World.SECOND),
                () -> ask(chosen, new Operator.Request.Promote(chosen.name(), true, false)));
    }

    private void slow(SimCell from, SimCell to, boolean linksToo, long latency) {
        world.network.slow(SimNetwork.Kind.WAL, from, to, latency);
        if (linksToo) {
            world.network.slow(SimNetwork.Kind.LINKS, from, to, latency);
        }
    }

    private void healNetwork(SimCell cell) {
        for (SimCell other : world.cells()) {
            for (SimNetwork.Kind kind : SimNetwork.Kind.values()) {
                world.network.heal(kind, cell, other);
                world.network.heal(kind, other, cell);
            }
        }
        world.network.cutZooKeeper(cell, false);
    }

    private SimCell other(SimCell cell) {
        int step = (int) world.between(1, world.cells().size() - 1);
        return world.cells().get((cell.index() + step) % world.cells().size());
    }

    /** Removes a halted cell if there is one, else any, and deploys it anew a while later. */
    private void removeAndDeploy(SimCell asked) {
        ClusterState state = world.ensemble.state();
        if (state == null) {
            return;
        }
        CellName target =
                state.halted().isEmpty() ? other(asked).name() : state.halted().firstKey();
        boolean force = state.halted().isEmpty() && world.perMille(300);
        ask(asked, new Operator.Request.Remove(target, force, false));
        world.after(
                world.between(World.SECOND, 5 * World.SECOND),
                () -> ask(asked, new Operator.Request.Deploy(target, false)));
    }

    /** Asks the agent of a cell, or of another if that one has none. */
    void ask(SimCell cell, Operator.Request request) {
        for (int i = 0; i < world.cells().size(); i++) {
            AgentProcess agent =
                    world.cells().get((cell.index() + i) % world.cells().size()).agent();
            if (agent != null && agent.running()) {
                world.note(agent.cell().label(), "operator asks", request, null);
                agent.post(
                        0,
                        () -> agent.core().operator().ask(request, "somebody").whenComplete((verdict, failure) -> {
                            world.note(
                                    agent.cell().label(),
                                    "operator is told",
                                    verdict == null ? failure : verdict,
                                    null);
                            world.statistics.count("operator: "
                                    + (verdict == null
                                            ? "failed"
                                            : request.getClass().getSimpleName() + " "
                                                    + verdict.getClass().getSimpleName()));
                        }));
                return;
            }
        }
    }
}
