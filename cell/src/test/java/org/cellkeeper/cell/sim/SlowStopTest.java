package org.cellkeeper.cell.sim;

import static org.assertj.core.api.Assertions.assertThat;

import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.Task;
import org.cellkeeper.cell.port.Operator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A PostgreSQL with many sessions, or on a slow disk, takes seconds to stop: planned work waits for it, and costs no cell. */
final class SlowStopTest {
    private static Stage switchover(long stopMillis) {
        return switchover(stopMillis, 0);
    }

    private static Stage switchover(long stopMillis, long later) {
        Stage stage = new Stage(3).born();
        stage.pass(later);
        stage.cell("a").stopsTake(stopMillis * World.MILLI);
        stage.ask("a", new Operator.Request.Switchover(new CellName("b"), false));
        stage.await("it is asked for", () -> stage.openTasks() == 1);
        return stage;
    }

    private static Task end(Stage stage) {
        stage.await("the task ends", () -> stage.openTasks() == 0);
        return stage.world().ensemble.tree().tasks().getFirst();
    }

    /** What comes after the stop has time of its own. */
    @ParameterizedTest
    @ValueSource(longs = {1_000, 4_700, 4_900, 4_950, 4_970})
    void a_switchover_is_carried_out_however_much_of_its_time_the_stop_takes(long stopMillis) {
        Stage stage = switchover(stopMillis);

        Task task = end(stage);

        assertThat(task.status()).as(task.message()).isEqualTo(Task.Status.SUCCESS);
        stage.awaitWritable("b");
        assertThat(stage.state().halted()).isEmpty();
        stage.endWell();
    }

    /** It is stopped at once then, and has to recover. */
    @ParameterizedTest
    @ValueSource(
            longs = {0, 50, 100, 150, 200, 250, 300, 350, 400, 450, 500, 550, 600, 650, 700, 750, 800, 850, 900, 950})
    void one_whose_stop_takes_longer_is_taken_back_with_the_reason_and_nobody_is_halted(long later) {
        Stage stage = switchover(30_000, later);

        Task task = end(stage);

        assertThat(task.status()).isEqualTo(Task.Status.ERROR);
        assertThat(task.message())
                .contains("PostgreSQL of a did not shut down cleanly within 5000 ms (timing.stop)", "a stays primary");
        stage.awaitWritable("a");
        stage.pass(5_000);
        assertThat(stage.isWritable("a")).isTrue();
        assertThat(stage.state().halted()).isEmpty();
        stage.endWell();
    }

    @Test
    void a_primary_that_dies_while_it_stops_is_replaced_as_soon_as_before() {
        Stage stage = switchover(4_870);
        stage.await("it stops", () -> !stage.state().isSteady());
        stage.pass(500);

        stage.kill("a");
        long millis = stage.await("another one is writable", () -> stage.isWritable("b") || stage.isWritable("c"));

        assertThat(millis).isLessThan(7_500);
        stage.endWell();
    }
}
