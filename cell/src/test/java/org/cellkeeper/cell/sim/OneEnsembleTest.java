package org.cellkeeper.cell.sim;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.List;
import java.util.Objects;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.Ensemble;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.VersionedState;
import org.cellkeeper.cell.port.Operator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A ZooKeeper that forgets, goes back in time, or goes on from an old copy: nobody follows it, and nothing is lost. */
final class OneEnsembleTest {
    private static final List<String> SERVERS = List.of("10.0.0.1", "10.0.0.2", "10.0.0.3");

    /** Asks for changes that do no harm, so that there is something to go back over. */
    private static Stage withHistory() {
        Stage stage = new Stage(3).born();
        for (int change = 0; change < 6; change++) {
            stage.changeTheState("a", change);
            stage.pass(300);
        }
        return stage;
    }

    private static SimEnsemble ensemble(Stage stage) {
        return stage.world().ensemble;
    }

    /** What the ensemble shows that answers, whether it is the cluster's or not. */
    private static @Nullable VersionedState shown(Stage stage) {
        return ensemble(stage).tree().state();
    }

    private static String problemOf(Stage stage, String cell) {
        return Objects.requireNonNull(stage.cell(cell).agent())
                .core()
                .operator()
                .report()
                .warnings()
                .toString();
    }

    /** Writes go on, and the state in ZooKeeper stays as it is. */
    private static void nobodyActs(Stage stage, String primary) {
        VersionedState there = shown(stage);
        for (int round = 0; round < 10; round++) {
            stage.pass(2_000);
            long commit = stage.write(primary);
            stage.await("acknowledged without ZooKeeper", () -> stage.isAcknowledged(commit));
        }
        assertThat(shown(stage)).isEqualTo(there);
        assertThat(stage.isWritable(primary)).isTrue();
    }

    @Test
    void the_list_of_servers_is_on_record_from_birth_and_every_cell_has_it_on_its_disk() {
        Stage stage = new Stage(3).born();
        for (String cell : List.of("a", "b", "c")) {
            Ensemble known = Objects.requireNonNull(stage.seenBy(cell).ensemble());
            assertThat(known.servers()).isEqualTo(SERVERS);
            assertThat(known.trail()).isNotEmpty();
        }
        stage.endWell();
    }

    @Test
    void a_zookeeper_that_forgot_everything_founds_nothing_and_stops_nobody() {
        Stage stage = withHistory();
        ensemble(stage).forget();
        nobodyActs(stage, "a");
        assertThat(shown(stage)).isNull();
        assertThat(problemOf(stage, "b")).contains("knows no cluster").contains("zookeeper/data");

        ensemble(stage).bringBack();
        stage.await("believed again", () -> !problemOf(stage, "b").contains("knows no cluster"));
        assertThat(stage.state().systemId()).isEqualTo(stage.seenBy("b").systemId());
        stage.endWell();
    }

    @Test
    void a_wiped_cell_founds_no_second_cluster_while_another_knows_the_first() {
        Stage stage = withHistory();
        // The cell that may found, and another: a majority of the servers was with them.
        stage.kill("a", "b");
        stage.cell("a").wipe();
        stage.cell("b").wipe();
        ensemble(stage).forget();
        stage.boot("a");
        stage.boot("b");
        stage.pass(60_000);
        assertThat(shown(stage)).as("a second birth").isNull();
        assertThat(problemOf(stage, "a")).contains("c knows a cluster already");

        // Nor when the one that knows is away.
        stage.kill("c");
        stage.pass(60_000);
        assertThat(shown(stage)).as("a second birth").isNull();
        assertThat(problemOf(stage, "a")).contains("not yet: 10.0.0.3");
    }

    @Test
    void a_cluster_is_founded_when_all_cells_of_the_list_are_there() {
        Stage stage = new Stage(3);
        stage.world().cell("c").kill(false);
        stage.pass(30_000);
        // It was killed before it was ever started, or soon after.
        if (shown(stage) == null) {
            assertThat(problemOf(stage, "a")).contains("not yet: 10.0.0.3");
        }
        stage.boot("c");
        stage.born();
        stage.endWell();
    }

    @Test
    void a_zookeeper_that_goes_back_in_time_is_not_followed() {
        Stage stage = withHistory();
        SimEnsemble.Tree before = ensemble(stage).tree();
        ensemble(stage).goBack(5);
        assertThat(Objects.requireNonNull(shown(stage)).version())
                .isLessThan(Objects.requireNonNull(before.state()).version());
        nobodyActs(stage, "a");
        assertThat(problemOf(stage, "c")).contains("gone back in time");

        // No change of primary by it, either, and no request is taken.
        stage.kill("a");
        VersionedState there = shown(stage);
        stage.pass(30_000);
        assertThat(shown(stage)).isEqualTo(there);
        var asked = stage.ask("b", new Operator.Request.Promote(new CellName("b"), true, false));
        stage.pass(2_000);
        assertThat(asked.join())
                .isInstanceOfSatisfying(
                        Operator.Verdict.Unavailable.class,
                        refused -> assertThat(refused.toString()).contains("gone back in time"));

        ensemble(stage).bringBack();
        stage.await("b or c reigns", () -> stage.state().epoch() > 1);
        stage.endWell();
    }

    /** The old primary was away and knows no better: it believes the old copy, and nobody else does. */
    @Test
    void a_primary_of_before_that_believes_an_old_copy_acknowledges_nothing() {
        Stage stage = withHistory();
        SimEnsemble.Tree old = ensemble(stage).tree();
        stage.kill("a");
        stage.await(
                "another reigns",
                () -> stage.state().epoch() > 1 && stage.state().voters().size() == 2);
        String reigning = stage.primary().label();
        stage.await("it takes writes", () -> stage.isWritable(reigning));
        ensemble(stage).goBackTo(old);
        stage.boot("a");
        stage.pass(10_000);
        long lost = stage.write("a");
        long kept = stage.write(reigning);
        stage.await("acknowledged by the one that reigns", () -> stage.isAcknowledged(kept));
        stage.pass(20_000);
        assertThat(stage.isAcknowledged(lost)).isFalse();
        assertThat(stage.isWritable(reigning)).isTrue();

        ensemble(stage).bringBack();
        stage.await("a is halted", () -> stage.knownTo("a").haltReason() != null);
        stage.endWell();
    }

    /** Somebody has gone on from the copy, until its version is higher than any that was seen. */
    @Test
    void what_went_on_from_an_old_copy_is_not_taken_for_news() {
        Stage stage = withHistory();
        SimEnsemble.Tree before = ensemble(stage).tree();
        ensemble(stage).goBack(5);
        goOn(stage.world(), stage.cell("c"), 40);
        assertThat(Objects.requireNonNull(shown(stage)).version())
                .isGreaterThan(Objects.requireNonNull(before.state()).version());
        nobodyActs(stage, "a");
        assertThat(problemOf(stage, "a")).contains("does not follow from version");
        assertThat(Objects.requireNonNull(stage.knownTo("b").seen()))
                .as("durable")
                .isEqualTo(before.state());
        ensemble(stage).bringBack();
        stage.endWell();
    }

    private static void goOn(World world, SimCell author, int writes) {
        for (int i = 0; i < writes; i++) {
            VersionedState there = world.ensemble.tree().state();
            if (there != null) {
                ClusterState next = there.state()
                        .withMode(i % 3 == 0 ? FailoverMode.MANUAL : FailoverMode.AUTOMATIC)
                        .stamped();
                world.ensemble.apply(author, SimEnsemble.compareAndSet(there.version(), next));
            }
        }
    }

    // ---- another server

    private static Stage ofFourWithServersOnThree() {
        Stage stage = new Stage(4);
        stage.world().cells().forEach(cell -> cell.reconfigure(cell.settings().withServers(SERVERS, "")));
        return stage.born();
    }

    private static void restartWith(Stage stage, String cell, List<String> servers) {
        stage.cell(cell).reconfigure(stage.cell(cell).settings().withServers(servers, ""));
        stage.cell(cell).killAgent();
        stage.boot(cell);
        stage.pass(5_000);
    }

    private static Ensemble onRecord(Stage stage) {
        return Objects.requireNonNull(stage.state().ensemble());
    }

    @Test
    void a_longer_list_is_on_record_when_the_last_cell_runs_with_it_and_no_sooner() {
        Stage stage = ofFourWithServersOnThree();
        List<String> four = List.of("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4");
        for (String cell : List.of("d", "a", "c")) {
            restartWith(stage, cell, four);
            assertThat(onRecord(stage).servers()).isEqualTo(SERVERS);
        }
        stage.kill("b");
        stage.pass(30_000);
        assertThat(onRecord(stage).servers()).as("while b is away").isEqualTo(SERVERS);
        stage.cell("b").reconfigure(stage.cell("b").settings().withServers(four, ""));
        stage.boot("b");
        stage.await("it is on record", () -> onRecord(stage).servers().equals(four));
        assertThat(onRecord(stage).number()).isEqualTo(2);
        stage.pass(1_000);
        for (String cell : List.of("a", "b", "c", "d")) {
            assertThat(stage.seenBy(cell).ensemble()).isEqualTo(onRecord(stage));
        }
        stage.endWell();
    }

    @Test
    void a_list_whose_new_server_has_no_cell_yet_is_not_on_record() {
        Stage stage = ofFourWithServersOnThree();
        List<String> other = List.of("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.9");
        for (String cell : List.of("a", "b", "c", "d")) {
            restartWith(stage, cell, other);
        }
        stage.pass(30_000);
        assertThat(onRecord(stage).servers()).isEqualTo(SERVERS);
        stage.endWell();
    }

    /** A real cell with such a list is not even started; an agent that was would take no part. */
    @Test
    void a_cell_with_two_servers_more_or_with_shifted_numbers_or_a_short_list_takes_no_part() {
        Stage stage = ofFourWithServersOnThree();
        VersionedState before = Objects.requireNonNull(shown(stage));
        restartWith(stage, "b", List.of("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"));
        assertThat(problemOf(stage, "b")).contains("One server at a time can be appended");
        restartWith(stage, "b", List.of("10.0.0.4", "10.0.0.1", "10.0.0.2", "10.0.0.3"));
        assertThat(problemOf(stage, "b")).contains("No server can be moved, renumbered or left out");
        restartWith(stage, "b", List.of("10.0.0.1"));
        assertThat(problemOf(stage, "b")).contains("No server can be moved, renumbered or left out");
        assertThat(problemOf(stage, "a")).contains("ZooKeeper cannot be asked by b");
        long commit = stage.write("a");
        stage.await("acknowledged", () -> stage.isAcknowledged(commit));
        assertThat(shown(stage)).isEqualTo(before);
        restartWith(stage, "b", SERVERS);
        assertThat(problemOf(stage, "b")).doesNotContain("is not this cell's ensemble");
        stage.endWell();
    }

    /** By chance: everything at once, in weather that varies, and cells that come and go meanwhile. */
    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2})
    void whatever_happens_meanwhile_nothing_is_lost_and_all_goes_on_once_the_data_are_back(int third) {
        for (long seed = 1 + third * 8L; seed <= 8 + third * 8L; seed++) {
            World world = new World(World.Setup.of(seed, seed % 2 == 0 ? 3 : 5, CoreAgent::new));
            world.startAll();
            for (SimClient.Manner manner : SimClient.Manner.values()) {
                world.addClient(manner, 60 * World.MILLI);
            }
            assertThat(world.runUntil(() -> allVote(world), Duration.ofSeconds(120)))
                    .isTrue();
            world.run(Duration.ofMillis(world.between(100, 8_000)));
            SimEnsemble.Tree newest = world.ensemble.tree();
            for (int round = 0; round < 4; round++) {
                if (world.random().nextInt(3) == 0) {
                    world.ensemble.forget();
                } else {
                    world.ensemble.bringBack();
                    world.ensemble.goBack(1 + world.random().nextInt(30));
                    if (world.random().nextBoolean()) {
                        goOn(world, world.cells().getFirst(), 40);
                    }
                }
                SimCell victim =
                        world.cells().get(world.random().nextInt(world.cells().size()));
                switch (world.random().nextInt(4)) {
                    case 0 -> victim.killAgent();
                    case 1 -> victim.kill(false);
                    case 2 -> world.network.cutZooKeeper(victim, true);
                    default -> {}
                }
                world.run(Duration.ofMillis(world.between(200, 5_000)));
                world.network.cutZooKeeper(victim, false);
                victim.boot();
                world.run(Duration.ofMillis(world.between(200, 5_000)));
                assertThat(ofLaterVersion(world, newest))
                        .as("seed %d: nobody learns anything of it", seed)
                        .isZero();
            }
            world.ensemble.bringBack();
            world.healAll();
            long healed = world.now();
            assertThat(world.runUntil(
                            () -> world.invariants.lastPromise() > healed + World.SECOND, Duration.ofSeconds(120)))
                    .as("seed %d: writable again", seed)
                    .isTrue();
            assertThat(world.runUntil(() -> allVote(world), Duration.ofSeconds(300)))
                    .as("seed %d: all vote again", seed)
                    .isTrue();
            world.invariants.holdsAllPromises(Objects.requireNonNull(world.find(
                    Objects.requireNonNull(world.ensemble.state()).primary().name())));
        }
    }

    /** How many cells durably know something that the cluster's own ZooKeeper has never held. */
    private static long ofLaterVersion(World world, SimEnsemble.Tree newest) {
        int version = Objects.requireNonNull(newest.state()).version();
        return world.cells().stream()
                .map(SimCell::stateFile)
                .filter(known ->
                        known != null && known.seen() != null && known.seen().version() > version)
                .count();
    }

    private static boolean allVote(World world) {
        ClusterState state = world.ensemble.state();
        return state != null
                && state.isSteady()
                && state.voters().size() + state.halted().size()
                        == world.cells().size();
    }
}
