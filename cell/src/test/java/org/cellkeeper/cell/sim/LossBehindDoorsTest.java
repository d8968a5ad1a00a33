package org.cellkeeper.cell.sim;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.Upstream;
import org.cellkeeper.cell.port.Operator;
import org.junit.jupiter.api.Test;

/** The primary is lost: what becomes of those who come to a door of another cell meanwhile? */
final class LossBehindDoorsTest {
    private static final long HELD_AT_MOST = 10_000;

    private final Stage stage = new Stage(3).born();

    private boolean isHeld(String cell) {
        return stage.cell(cell).doorState().held();
    }

    private String leadsTo(String cell) {
        Upstream target = Objects.requireNonNull(stage.cell(cell).doorState().target());
        return target.primary().name().value();
    }

    private void setManual() {
        stage.ask("a", new Operator.Request.SetMode(FailoverMode.MANUAL, false));
        stage.await("the mode is manual", () -> stage.state().failoverMode() == FailoverMode.MANUAL);
        stage.pass(500);
    }

    @Test
    void they_wait_from_suspicion_on_and_go_to_the_new_primary() {
        stage.kill("a");
        stage.await("the doors hold", () -> isHeld("b") && isHeld("c"));
        assertThat(stage.ballotIsOpen()).isFalse();
        List<String> came = new ArrayList<>();
        Stream.of("b", "c")
                .forEach(cell -> stage.cell(cell).doorState().enter(new Passer(() -> came.add(leadsTo(cell)))));

        stage.await("a ballot", stage::ballotIsOpen);
        assertThat(came).isEmpty();
        stage.awaitWritable("b", "c");
        stage.within(500, "both doors lead there", () -> came.size() == 2);
        assertThat(came).containsOnly(stage.primary().label());
        stage.endWell();
    }

    @Test
    void a_primary_that_is_silent_is_suspected_later_and_they_wait_from_then_on() {
        stage.cell("a").pause();
        stage.await("the doors hold", () -> isHeld("b") && isHeld("c"));
        stage.awaitWritable("b", "c");
        stage.within(500, "the doors are open", () -> !isHeld("b") && !isHeld("c"));
        assertThat(leadsTo("b")).isEqualTo(stage.primary().label());
        stage.cell("a").resume();
        stage.endWell();
    }

    @Test
    void a_suspicion_that_was_wrong_lets_them_go_on_to_the_same_primary() {
        stage.part("a", "c");
        stage.await("c suspects a", () -> isHeld("c"));
        stage.pass(500);
        assertThat(stage.state().epoch()).isEqualTo(1);
        assertThat(isHeld("b")).isFalse();

        stage.world().healAll();
        stage.within(3_000, "c lets them go on", () -> !isHeld("c"));
        assertThat(leadsTo("c")).isEqualTo("a");
        stage.endWell();
        assertThat(stage.state().epoch()).isEqualTo(1);
    }

    @Test
    void where_no_other_primary_comes_they_wait_for_so_long_at_most_and_once() {
        stage.cell("b").kill(true);
        stage.pass(100);
        stage.kill("a");
        stage.await("the door holds", () -> isHeld("c"));
        long held = stage.await("it lets go", () -> !isHeld("c"));
        assertThat(held).isBetween(HELD_AT_MOST - 100, HELD_AT_MOST + 100);
        for (int look = 0; look < 300; look++) {
            stage.pass(100);
            assertThat(isHeld("c")).isFalse();
        }
        stage.endWell();
    }

    @Test
    void in_manual_mode_they_are_told_after_the_moment_that_a_door_holds_by_itself() {
        setManual();
        stage.kill("a");
        stage.within(100, "the doors hold", () -> isHeld("b") && isHeld("c"));
        stage.within(1_100, "the doors are open", () -> !isHeld("b") && !isHeld("c"));
        for (int look = 0; look < 100; look++) {
            stage.pass(50);
            assertThat(isHeld("b") || isHeld("c")).isFalse();
        }
    }

    @Test
    void a_door_that_dies_while_it_holds_is_held_again() {
        stage.cell("b").kill(true);
        stage.pass(100);
        stage.kill("a");
        stage.await("the door holds", () -> isHeld("c"));
        stage.pass(1_500);
        stage.cell("c").doorState().kill();
        stage.within(3_000, "the door holds again", () -> isHeld("c"));
        stage.boot("b");
        stage.awaitWritable("b", "c");
        stage.within(500, "the door is open", () -> !isHeld("c"));
        assertThat(leadsTo("c")).isEqualTo(stage.primary().label());
        stage.endWell();
    }

    @Test
    void a_door_that_dies_and_its_agent_with_it_comes_back_with_the_next_agent() {
        stage.cell("c").doorState().kill();
        stage.cell("c").killAgent();
        stage.kill("a");
        stage.pass(3_000);
        assertThat(stage.cell("c").doorState().isDown()).isTrue();
        stage.boot("c");
        stage.awaitWritable("b", "c");
        stage.within(5_000, "the door leads to the primary", () -> {
            DoorState door = stage.cell("c").doorState();
            return !door.isDown()
                    && !door.held()
                    && leadsTo("c").equals(stage.primary().label());
        });
        stage.endWell();
    }

    @Test
    void in_manual_mode_they_wait_while_a_standby_is_promoted() {
        setManual();
        stage.kill("a");
        stage.pass(3_000);
        stage.promote("b", false);
        stage.await("the doors hold", () -> isHeld("b") && isHeld("c"));
        stage.awaitWritable("b");
        stage.within(500, "the doors are open", () -> !isHeld("b") && !isHeld("c"));
        assertThat(leadsTo("c")).isEqualTo("b");
        stage.endWell();
    }

    @Test
    void in_manual_mode_they_wait_for_a_postgresql_that_crashed_and_is_started_again() {
        setManual();
        stage.cell("a").killDatabase();
        stage.await("all doors hold", () -> Stream.of("a", "b", "c").allMatch(this::isHeld));
        stage.await("a is writable", () -> stage.isWritable("a"));
        stage.within(500, "all doors are open", () -> Stream.of("a", "b", "c").noneMatch(this::isHeld));
        assertThat(stage.state().epoch()).isEqualTo(1);
        stage.endWell();
    }

    @Test
    void an_agent_that_is_started_anew_holds_nobody_for_long() {
        stage.cell("a").killAgent();
        stage.pass(200);
        stage.boot("a");
        stage.pass(1_000);
        assertThat(Stream.of("a", "b", "c")).noneMatch(this::isHeld);
        assertThat(stage.state().epoch()).isEqualTo(1);
        stage.endWell();
    }
}
