package org.cellkeeper.cell.sim;

import static org.assertj.core.api.Assertions.assertThat;

import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.Task;
import org.cellkeeper.cell.port.Operator;
import org.junit.jupiter.api.Test;

/** A switchover's checkpoint takes a minute on a slow disk: what else happens meanwhile? */
final class SlowCheckpointTest {
    private static final long MINUTE = 60 * World.SECOND;

    private static Stage switchoverOnASlowDisk() {
        Stage stage = new Stage(3).born();
        stage.cell("a").checkpointsTake(MINUTE);
        stage.ask("a", new Operator.Request.Switchover(new CellName("b"), false));
        stage.pass(1_000);
        assertThat(stage.state().isSteady()).isTrue();
        return stage;
    }

    @Test
    void the_switchover_waits_for_it_and_is_carried_out() {
        Stage stage = switchoverOnASlowDisk();

        long millis = stage.await("b is writable", () -> stage.isWritable("b"));

        assertThat(millis).isBetween(59_000L, 62_000L);
        stage.pass(2_000);
        assertThat(stage.world().ensemble.tree().tasks())
                .filteredOn(task -> task.operation() == Task.Operation.SWITCHOVER)
                .extracting(Task::status)
                .containsExactly(Task.Status.SUCCESS);
        stage.endWell();
    }

    @Test
    void without_acknowledgers_writers_are_turned_away_in_time() {
        Stage stage = switchoverOnASlowDisk();
        stage.ask("a", new Operator.Request.SetMode(FailoverMode.MANUAL, false));

        stage.cutWal("a", "b");
        stage.cutWal("a", "c");
        long millis = stage.await(
                "a is read-only", () -> stage.cell("a").postgres().file().readOnly());

        assertThat(millis).isLessThan(5_000);
        stage.mendWal("a", "b");
        stage.mendWal("a", "c");
        assertThat(stage.await("a takes writes again", () -> stage.isWritable("a")))
                .isLessThan(5_000);
        stage.await("b takes over after all", () -> stage.isWritable("b"));
        stage.endWell();
    }

    @Test
    void a_postgresql_that_crashes_is_replaced_in_time() {
        Stage stage = switchoverOnASlowDisk();

        stage.cell("a").killDatabase();
        long millis = stage.await("another one is writable", () -> stage.isWritable("b") || stage.isWritable("c"));

        assertThat(millis).isLessThan(2_000);
        stage.endWell();
    }

    @Test
    void a_primary_that_is_deposed_is_stopped_in_time() {
        Stage stage = switchoverOnASlowDisk();

        stage.network().isolate(stage.cell("a"));
        stage.withoutZooKeeper("a", true);
        stage.awaitWritable("b", "c");
        stage.withoutZooKeeper("a", false);
        long millis =
                stage.await("a is stopped", () -> stage.cell("a").postgres().isStopped());

        assertThat(millis).isLessThan(1_000);
        stage.endWell();
    }

    @Test
    void a_standby_that_is_lost_is_dropped_as_a_voter_meanwhile() {
        Stage stage = new Stage(5).born();
        stage.cell("a").checkpointsTake(4 * MINUTE);
        stage.ask("a", new Operator.Request.Switchover(new CellName("b"), false));
        stage.pass(1_000);

        stage.kill("e");
        stage.await("e is dropped", () -> !stage.votes("e"));

        assertThat(stage.state().epoch()).isEqualTo(1);
        stage.endWell();
    }

    @Test
    void a_cell_that_is_asked_to_stop_hands_over_without_it() {
        Stage stage = new Stage(3).born();
        stage.cell("a").checkpointsTake(MINUTE);

        stage.cell("a").terminateAgent();
        long millis = stage.await("another one is writable", () -> stage.isWritable("b") || stage.isWritable("c"));

        assertThat(millis).isLessThan(5_000);
        assertThat(stage.state().halted()).isEmpty();
    }

    @Test
    void one_that_is_never_written_ends_the_switchover_with_the_reason() {
        Stage stage = new Stage(3).born();
        stage.cell("a").checkpointsTake(20 * MINUTE);
        stage.ask("a", new Operator.Request.Switchover(new CellName("b"), false));
        stage.pass(290_000);
        assertThat(stage.openTasks()).isEqualTo(1);
        stage.pass(20_000);

        assertThat(stage.world().ensemble.tree().tasks())
                .filteredOn(task -> task.operation() == Task.Operation.SWITCHOVER)
                .singleElement()
                .satisfies(task -> {
                    assertThat(task.status()).isEqualTo(Task.Status.ERROR);
                    assertThat(task.message()).contains("a could not write a checkpoint first");
                });
        assertThat(stage.isWritable("a")).isTrue();
    }
}
