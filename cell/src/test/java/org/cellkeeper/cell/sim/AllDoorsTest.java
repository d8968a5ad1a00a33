package org.cellkeeper.cell.sim;

import static org.assertj.core.api.Assertions.assertThat;

import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.Task;
import org.cellkeeper.cell.model.Upstream;
import org.cellkeeper.cell.port.Operator;
import org.junit.jupiter.api.Test;

/** A transaction comes to the primary through the door of any cell: what becomes of it in a switchover? */
final class AllDoorsTest {
    private static final DoorState.Client TRANSACTION = new Passer(() -> {});

    private static Stage withATransactionThroughTheDoorOf(String cell) {
        Stage stage = new Stage(3).born();
        stage.cell(cell).doorState().begun(TRANSACTION);
        stage.ask("a", new Operator.Request.Switchover(new CellName("b"), false));
        stage.pass(1_500);
        return stage;
    }

    private static void assertOpenTo(Stage stage, String primary) {
        stage.world().cells().forEach(cell -> {
            Upstream target = cell.doorState().target();
            assertThat(cell.doorState().held()).as(cell.label()).isFalse();
            assertThat(target == null ? null : target.primary().name().value()).isEqualTo(primary);
        });
    }

    @Test
    void one_through_a_standbys_door_is_waited_for_while_all_doors_hold() {
        Stage stage = withATransactionThroughTheDoorOf("c");
        assertThat(stage.state().isSteady()).isTrue();
        assertThat(stage.cell("a").postgres().isStopped()).isFalse();
        assertThat(stage.world().cells()).allMatch(cell -> cell.doorState().held());

        stage.cell("c").doorState().ended(TRANSACTION);

        assertThat(stage.await("b is writable", () -> stage.isWritable("b"))).isLessThan(1_000);
        stage.pass(500);
        assertOpenTo(stage, "b");
        stage.endWell();
    }

    @Test
    void one_that_does_not_end_keeps_the_switchover_from_being_begun() {
        Stage stage = withATransactionThroughTheDoorOf("c");
        stage.pass(3_000);
        assertThat(stage.state().epoch()).isEqualTo(1);
        assertThat(stage.state().lastBallot()).isEqualTo(1);
        assertOpenTo(stage, "a");
        assertThat(stage.world().ensemble.tree().tasks())
                .filteredOn(task -> task.operation() == Task.Operation.SWITCHOVER)
                .allMatch(task -> task.status() == Task.Status.ERROR
                        && task.message().contains("transactions did not end within 3 s through the door of c"));
        stage.pass(20_000);
        assertOpenTo(stage, "a");
        assertThat(stage.state().epoch()).isEqualTo(1);
    }

    @Test
    void a_cell_that_dies_while_it_holds_keeps_nobody_waiting() {
        Stage stage = withATransactionThroughTheDoorOf("c");
        stage.cell("c").kill(true);
        assertThat(stage.await("b is writable", () -> stage.isWritable("b"))).isLessThan(3_000);
    }

    @Test
    void an_agent_of_the_primary_that_dies_while_it_waits_leaves_no_door_held() {
        Stage stage = withATransactionThroughTheDoorOf("c");
        stage.cell("a").killAgent();
        stage.pass(500);
        stage.boot("a");
        stage.pass(12_000);
        assertThat(stage.world().cells()).noneMatch(cell -> cell.doorState().held());
    }

    @Test
    void while_the_begin_of_the_handover_is_being_made_durable_the_primarys_door_stays_held() {
        Stage stage = withATransactionThroughTheDoorOf("c");
        stage.cell("a").hangDisk();
        stage.cell("c").doorState().ended(TRANSACTION);
        stage.await("the handover is begun", () -> !stage.state().isSteady());
        stage.pass(300);
        assertThat(stage.cell("a").doorState().held()).isTrue();

        stage.cell("a").healDisk();
        assertThat(stage.await("b is writable", () -> stage.isWritable("b"))).isLessThan(1_000);
        stage.pass(500);
        assertOpenTo(stage, "b");
        stage.endWell();
    }
}
