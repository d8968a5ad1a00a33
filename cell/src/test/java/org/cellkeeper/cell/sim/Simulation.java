package org.cellkeeper.cell.sim;

import java.time.Duration;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.TreeSet;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.CellSettings;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.Task;
import org.cellkeeper.cell.model.Vote;
import org.jspecify.annotations.Nullable;

/** One whole run: a cluster is born, things break, everything is mended, and the cluster must work again. */
final class Simulation {
    private static final Duration BIRTH = Duration.ofSeconds(60);
    private static final Duration RECOVERY = Duration.ofSeconds(120);
    private static final Duration SETTLING = Duration.ofSeconds(150);

    /** How a run ended, when no invariant was broken. */
    record Outcome(
            long seed,
            int cells,
            long digest,
            long virtualMillis,
            long events,
            String liveness,
            Statistics statistics) {}

    private final World world;
    private final Faults faults;
    private final Duration troubles;
    private final boolean busy;
    private final int lost;
    private int lookedAt = -1;

    Simulation(long seed, int cells, Mutation mutation, SimAgent.Factory factory) {
        SplittableRandom dice = new SplittableRandom(seed * 31 + 7);
        FailoverMode mode = dice.nextInt(5) == 0 ? FailoverMode.MANUAL : FailoverMode.AUTOMATIC;
        CellSettings.IsolationResponse isolation =
                dice.nextInt(4) == 0 ? CellSettings.IsolationResponse.STOP : CellSettings.IsolationResponse.READ_ONLY;
        boolean storm = dice.nextInt(2) == 0;
        busy = storm || dice.nextInt(4) == 0;
        troubles = Duration.ofMillis(busy ? 6_000 + dice.nextInt(14_000) : 15_000 + dice.nextInt(45_000));
        CellSettings.Timing timing = storm ? hasty(dice) : timing(dice);
        // A majority stays: what ZooKeeper's servers need that run beside the cells.
        lost = dice.nextInt(5) < 2 ? 1 + dice.nextInt((cells - 1) / 2) : 0;
        int unfit = dice.nextInt(6) == 0 ? 1 + dice.nextInt(cells - 1) : 0;
        world = new World(new World.Setup(seed, cells, mode, mutation, isolation, timing, unfit, factory));
        faults = new Faults(world, storm);
    }

    /** The default timing, but that a voter is dropped sooner: within a run. */
    private static CellSettings.Timing timing(SplittableRandom dice) {
        CellSettings.Timing usual = CellSettings.Timing.defaults();
        Duration dropAfter =
                dice.nextInt(2) == 0 ? usual.dropVoterAfter() : Duration.ofMillis(300 + dice.nextInt(5_000));
        Duration grace = dice.nextInt(2) == 0 ? usual.coldStartGrace() : Duration.ofMillis(500 + dice.nextInt(5_000));
        return new CellSettings.Timing(
                usual.silence(),
                grace,
                usual.ballot(),
                usual.handover(),
                usual.isolation(),
                usual.readOnlyAfter(),
                usual.restartPatience(),
                dropAfter,
                usual.stop(),
                usual.tick(),
                usual.haste());
    }

    /** Everything sooner, so that much happens in few virtual seconds: reigns follow upon reigns. */
    private static CellSettings.Timing hasty(SplittableRandom dice) {
        CellSettings.Timing usual = CellSettings.Timing.defaults();
        return new CellSettings.Timing(
                Duration.ofMillis(500 + dice.nextInt(500)),
                Duration.ofMillis(300 + dice.nextInt(700)),
                Duration.ofMillis(500 + dice.nextInt(1500)),
                Duration.ofMillis(1_000 + dice.nextInt(2000)),
                Duration.ofMillis(700 + dice.nextInt(3000)),
                Duration.ofMillis(500 + dice.nextInt(2000)),
                Duration.ofMillis(200 + dice.nextInt(800)),
                Duration.ofMillis(150 + dice.nextInt(1500)),
                Duration.ofMillis(500 + dice.nextInt(2000)),
                usual.tick(),
                usual.haste());
    }

    World world() {
        return world;
    }

    Outcome run() {
        world.startAll();
        addClients();
        boolean born = world.runUntil(this::allVote, BIRTH);
        if (!born) {
            throw world.violation("I7", "no cluster with all cells as voters after " + BIRTH, null);
        }
        faults.start();
        world.run(troubles);
        faults.stop();
        loseForGood();
        world.healAll();
        String liveness = recover();
        return new Outcome(
                world.setup.seed(),
                world.setup.cells(),
                world.log.digest(),
                world.nowMillis(),
                world.events(),
                liveness,
                world.statistics);
    }

    private void addClients() {
        long most = busy ? 12 * World.MILLI : 300 * World.MILLI;
        long least = busy ? World.MILLI : 30 * World.MILLI;
        for (SimClient.Manner manner : SimClient.Manner.values()) {
            world.addClient(manner, world.between(least, most));
        }
    }

    /** Some cells do not come back, and the primary is as likely among them as not. */
    private void loseForGood() {
        ClusterState state = world.ensemble.state();
        SimCell primary = state == null ? null : world.find(state.primary().name());
        for (int i = 0; i < lost; i++) {
            SimCell cell = i == 0 && primary != null && world.perMille(500)
                    ? primary
                    : world.cells().get(world.random().nextInt(world.cells().size()));
            cell.lose();
        }
    }

    private boolean allVote() {
        ClusterState state = world.ensemble.state();
        return state != null && state.voters().size() == world.cells().size();
    }

    // ---- I7

    private String recover() {
        long healed = world.now();
        boolean writable = world.runUntil(() -> writesSince(healed), RECOVERY);
        if (!writable) {
            String excuse = excuse();
            if (excuse == null) {
                throw world.violation(
                        "I7", "no commit was acknowledged within " + RECOVERY + " after all faults", null);
            }
            world.statistics.count("liveness: " + excuse);
            return excuse;
        }
        world.statistics.count("liveness: writable");
        settle();
        return canLoseThePrimaryToo() ? recoverWithoutThePrimary() : "writable";
    }

    private void settle() {
        lookedAt = -1;
        boolean settled = world.runUntil(this::settled, SETTLING);
        if (!settled) {
            throw world.violation(
                    "I7",
                    "writable, but after %s not all active cells vote, and no others: missing %s, lost %s"
                            .formatted(SETTLING, missing(), lostVoters()),
                    null);
        }
        ClusterState state = world.ensemble.state();
        SimCell primary = state == null ? null : world.find(state.primary().name());
        if (primary != null && primary.postgres().isPrimary()) {
            world.invariants.holdsAllPromises(primary);
        }
    }

    /** After the loss of others, whose place has been filled: R voters and admission are there again, by rule. */
    private boolean canLoseThePrimaryToo() {
        ClusterState state = world.ensemble.state();
        return lost > 0
                && world.setup.unfit() == 0
                && state != null
                && state.failoverMode() == FailoverMode.AUTOMATIC
                && state.standbyVoters().size() >= 2
                // One that an operator still takes away is no place that has been filled.
                && world.ensemble.tree().tasks().stream()
                        .noneMatch(task -> task.isOpen() && task.operation() == Task.Operation.REMOVE);
    }

    /** Its cell is lost, but not the ZooKeeper server beside it. */
    private String recoverWithoutThePrimary() {
        ClusterState state = world.ensemble.state();
        SimCell primary = state == null ? null : world.find(state.primary().name());
        if (primary == null) {
            return "writable";
        }
        primary.lose();
        long since = world.now();
        if (!world.runUntil(() -> writesSince(since), RECOVERY)) {
            throw world.violation(
                    "I7", "no commit was acknowledged within " + RECOVERY + " after the primary was lost, too", null);
        }
        world.statistics.count("liveness: writable after one more loss");
        settle();
        return "writable after one more loss";
    }

    private boolean writesSince(long since) {
        return world.invariants.lastPromise() > since + 500 * World.MILLI && settledEnough();
    }

    private boolean settledEnough() {
        ClusterState state = world.ensemble.state();
        return state != null && state.isSteady() && state.reign() != null;
    }

    /** Every member that is alive and not halted is a voter, and no other one. */
    private boolean settled() {
        int newest = world.ensemble.newest();
        if (newest == lookedAt) {
            return false;
        }
        lookedAt = newest;
        ClusterState state = world.ensemble.state();
        return state != null
                && state.isSteady()
                && missing().isEmpty()
                && lostVoters().isEmpty();
    }

    /** Voters that are lost for good, or whose data are, while others vote that live: these are dropped in time. */
    private TreeSet<CellId> lostVoters() {
        ClusterState state = world.ensemble.state();
        TreeSet<CellId> voters = state == null ? new TreeSet<>() : new TreeSet<>(state.standbyVoters());
        int all = voters.size();
        voters.removeIf(voter -> {
            SimCell cell = world.find(voter.name());
            return cell != null && !cell.gone() && voter.equals(cell.id());
        });
        return voters.size() < all ? voters : new TreeSet<>();
    }

    private TreeSet<CellId> missing() {
        TreeSet<CellId> missing = new TreeSet<>();
        ClusterState state = world.ensemble.state();
        if (state == null) {
            return missing;
        }
        state.members().forEach((name, member) -> {
            CellId id = new CellId(name, member.incarnation());
            SimCell cell = world.find(name);
            boolean lives = cell != null && !cell.gone();
            if (lives && state.isActive(id) && !state.voters().contains(id)) {
                missing.add(id);
            }
        });
        missing.removeIf(id -> isBeingRemoved(id.name()));
        return missing;
    }

    private boolean isBeingRemoved(CellName name) {
        return world.ensemble.tree().tasks().stream()
                .anyMatch(task -> task.isOpen()
                        && task.operation() == Task.Operation.REMOVE
                        && task.target().equals(name));
    }

    private boolean unfitHoldsMost() {
        if (world.setup.unfit() == 0) {
            return false;
        }
        SimPostgres unfit = world.cells().get(world.setup.unfit()).postgres();
        return world.cells().stream()
                .filter(cell -> !cell.gone() && cell.index() != world.setup.unfit())
                .allMatch(cell -> !unfit.isPrefixOf(cell.postgres())
                        || unfit.flushed() > cell.postgres().flushed());
    }

    /** Whether a cell that voted with the winner's WAL may reign in its place. */
    private boolean hasAnEqual(ClusterState state) {
        var votes = world.ensemble.tree().votes().getOrDefault(state.epoch(), new TreeMap<>());
        Vote own = votes.get(state.primary().name());
        return own != null
                && votes.values().stream()
                        .anyMatch(vote -> !vote.voter().equals(own.voter())
                                && vote.priority() > 0
                                && vote.veto() == null
                                && state.isActive(vote.voter())
                                && vote.walEpoch() == own.walEpoch()
                                && vote.lsn().equals(own.lsn()));
    }

    /** Why a cluster may rightly not be writable; null when it should be. */
    private @Nullable String excuse() {
        ClusterState state = world.ensemble.state();
        if (state == null) {
            return "no state";
        }
        SimCell primary = world.find(state.primary().name());
        CellId lives = primary == null || primary.gone() ? null : primary.id();
        boolean primaryKept = state.primary().equals(lives);
        int active = 0;
        int voters = 0;
        for (SimCell cell : world.cells()) {
            CellId id = cell.id();
            if (id == null
                    || cell.gone()
                    || cell.stateFile() == null
                    || cell.stateFile().haltReason() != null
                    || cell.stateFile().removed()) {
                continue;
            }
            if (state.isActive(id)
                    && cell.postgres().data() == DatabaseView.Data.PRESENT
                    && !cell.stateFile().cloning()) {
                active++;
                if (!id.equals(state.primary()) && state.voters().contains(id)) {
                    voters++;
                }
            }
        }
        if (primaryKept && primary != null && primary.postgres().isSpoiled()) {
            if (state.failoverMode() == FailoverMode.MANUAL) {
                return "MANUAL, and the winner's promotion was cut off";
            }
            if (!hasAnEqual(state)) {
                return "the winner's promotion was cut off, and nobody who may reign holds the same WAL";
            }
            if (active < 3) {
                return "the winner's promotion was cut off, and nobody would be left to acknowledge another one's writes";
            }
        }
        if (primaryKept
                && active >= 2
                && !state.halted().containsKey(state.primary().name())
                && state.failoverMode() == FailoverMode.AUTOMATIC) {
            return null;
        }
        if (primaryKept && active < 2) {
            return "no standby left to acknowledge";
        }
        if (state.failoverMode() == FailoverMode.MANUAL) {
            return primaryKept
                            && primary != null
                            && active >= 2
                            && !state.halted().containsKey(primary.name())
                    ? null
                    : "MANUAL, the primary is gone";
        }
        if (!primaryKept && voters < CommitRule.sealQuorum(state)) {
            return "the primary's data are gone and R voters do not live";
        }
        if (!primaryKept && active < 2) {
            return "the primary's data are gone and admission does not hold";
        }
        if (!primaryKept && unfitHoldsMost()) {
            return "the primary's data are gone and a cell of priority 0 holds the most WAL";
        }
        return null;
    }
}
