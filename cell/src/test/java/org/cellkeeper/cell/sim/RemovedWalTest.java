package org.cellkeeper.cell.sim;

import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.port.Operator;
import org.junit.jupiter.api.Test;

/** What becomes of standbys whose next WAL the primary has removed. */
final class RemovedWalTest {
    private final Stage stage = new Stage(3).born();

    @Test
    void one_of_two_voters_is_dropped_cloned_anew_and_votes_again() {
        Stories.walOfOneIsRemoved(stage);
    }

    @Test
    void in_manual_mode_all_voters_are_dropped_and_cloned_anew() {
        Stories.walOfAllIsRemoved(stage);
    }

    @Test
    void the_last_living_standby_is_cloned_anew_though_another_voter_is_lost_for_good() {
        Stories.walOfTheLastLivingOneIsRemoved(stage);
    }

    @Test
    void a_standby_that_an_operator_removes_acknowledges_on_while_the_other_is_away() {
        stage.kill("c");
        stage.pass(200);
        stage.ask("a", new Operator.Request.Remove(new CellName("b"), true, false));
        stage.pass(70_000);

        long commit = stage.write("a");
        stage.await("acknowledged by b", () -> stage.isAcknowledged(commit));
    }
}
