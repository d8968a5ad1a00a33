package org.cellkeeper.cell.sim;

import static org.assertj.core.api.Assertions.assertThat;

import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.port.Operator;
import org.junit.jupiter.api.Test;

/** The plainest stories, with the real core. */
final class StageTest {
    @Test
    void a_killed_primary_is_replaced_within_a_second_and_nothing_acknowledged_is_lost() {
        Stage stage = new Stage(3).born();
        long commit = stage.write("a");
        stage.await("acknowledged", () -> stage.isAcknowledged(commit));

        stage.cell("a").kill(false);
        long millis = stage.await("another one writable", () -> stage.isWritable("b") || stage.isWritable("c"));

        assertThat(millis).isLessThan(1_000);
        assertThat(stage.primary().postgres().holds(commit)).isTrue();
        long next = stage.write(stage.primary().label());
        stage.await("acknowledged again", () -> stage.isAcknowledged(next));
    }

    @Test
    void a_switchover_moves_the_primary_and_halts_nobody() {
        Stage stage = new Stage(3).born();

        stage.ask("b", new Operator.Request.Switchover(new CellName("c"), false));
        stage.await("c is writable", () -> stage.isWritable("c"));

        stage.await("all vote again", () -> stage.state().voters().size() == 3);
        assertThat(stage.state().halted()).isEmpty();
        assertThat(stage.cell("a").postgres().isStandby()).isTrue();
    }

    @Test
    void a_cell_that_is_cut_off_returns_as_a_standby() {
        Stage stage = new Stage(3).born();
        stage.network().isolate(stage.cell("c"));
        stage.pass(6_000);
        long commit = stage.write("a");
        stage.await("acknowledged by b", () -> stage.isAcknowledged(commit));
        assertThat(stage.cell("c").postgres().holds(commit)).isFalse();

        stage.network().healAll();

        stage.await("c has it too", () -> stage.cell("c").postgres().holds(commit));
        assertThat(stage.state().epoch()).isEqualTo(1);
    }

    @Test
    void a_write_whose_answer_is_lost_and_that_lands_later_does_no_harm() {
        Stage stage = new Stage(3).born();
        stage.loseAnswerOf("b", SimCoordination.Fate.LATER, 1_500);

        stage.cell("a").kill(true);
        stage.await("another one writable", () -> stage.isWritable("b") || stage.isWritable("c"));

        long next = stage.write(stage.primary().label());
        stage.await("acknowledged", () -> stage.isAcknowledged(next));
        stage.pass(5_000);
    }
}
