package org.cellkeeper.cell.sim;

import static org.assertj.core.api.Assertions.assertThat;

import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.port.Operator;
import org.junit.jupiter.api.Test;

/** What becomes of standbys whose next WAL the primary has removed. */
final class RemovedWalTest {
    private final Stage stage = new Stage(3).born();

    @Test
    void one_of_two_voters_is_dropped_cloned_anew_and_votes_again() {
        loseSlotsOf("c");

        stage.await("c is dropped", () -> !stage.votes("c"));
        stage.await("c votes again", () -> stage.votes("c"));
        assertThat(stage.state().epoch()).isEqualTo(1);
        stage.endWell();
    }

    @Test
    void in_manual_mode_all_voters_are_dropped_and_cloned_anew() {
        stage.ask("a", new Operator.Request.SetMode(FailoverMode.MANUAL, false));
        stage.await("MANUAL", () -> stage.state().failoverMode() == FailoverMode.MANUAL);
        loseSlotsOf("b", "c");

        stage.await("all are dropped", () -> stage.state().voters().size() == 1);
        stage.await("both vote again", () -> stage.state().voters().size() == 3);
        assertThat(stage.state().epoch()).isEqualTo(1);
        stage.endWell();
    }

    @Test
    void the_last_living_standby_is_cloned_anew_though_another_voter_is_lost_for_good() {
        loseSlotsOf("b", "c");
        stage.kill("c");

        stage.await("b votes anew", () -> stage.state().voters().size() == 2 && stage.votes("b"));
        stage.awaitWritable("a");
        assertThat(stage.state().epoch()).isEqualTo(1);
        stage.endWell();
    }

    @Test
    void a_standby_that_an_operator_removes_is_not_lost_as_an_acknowledger_while_the_other_is_away() {
        stage.kill("c");
        stage.pass(200);
        stage.ask("a", new Operator.Request.Remove(new CellName("b"), true, false));
        stage.pass(70_000);

        long commit = stage.write("a");
        stage.await("acknowledged by b", () -> stage.isAcknowledged(commit));
    }

    /** Cuts them off, and removes the WAL that they need next; a moment later they could stream again. */
    private void loseSlotsOf(String... names) {
        stage.world().weather.walKeep = 0;
        stage.world().weather.slotsKeep = 0x4000;
        for (String name : names) {
            stage.cutWal("a", name);
        }
        stage.await(
                "the streams are gone",
                () -> stage.cell("a").postgres().senders().size() == 2 - names.length);
        SimPostgres primary = stage.cell("a").postgres();
        primary.writeNoise("bulk load", 0x10000);
        stage.pass(100);
        primary.checkpoint();
        for (String name : names) {
            stage.mendWal("a", name);
        }
    }
}
