package org.cellkeeper.cell.postgres;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Set;
import org.junit.jupiter.api.Test;

final class ReloadsTest {
    private static final long RUN = 1;

    private final Reloads reloads = new Reloads();

    @Test
    void every_walsender_may_be_older_until_a_rule_of_this_agent_was_seen_in_force() {
        assertThat(reloads.older(RUN, Set.of(7, 8))).containsExactlyInAnyOrder(7, 8);

        write();

        assertThat(reloads.older(RUN, Set.of(7, 8))).containsExactlyInAnyOrder(7, 8);
    }

    @Test
    void those_that_were_there_then_may_be_older_and_those_that_come_are_not() {
        write();
        reloads.seenInForce(reloads.writes(), RUN, Set.of(7, 8));

        assertThat(reloads.older(RUN, Set.of(7, 8, 9))).containsExactlyInAnyOrder(7, 8);

        reloads.seenInForce(reloads.writes(), RUN, Set.of(7, 8, 9));

        assertThat(reloads.older(RUN, Set.of(7, 8, 9))).containsExactlyInAnyOrder(7, 8);
    }

    @Test
    void one_that_went_makes_room_for_another_of_its_number() {
        write();
        reloads.seenInForce(reloads.writes(), RUN, Set.of(7, 8));

        assertThat(reloads.older(RUN, Set.of(8))).containsExactly(8);
        assertThat(reloads.older(RUN, Set.of(7, 8))).containsExactly(8);
    }

    @Test
    void a_look_that_began_before_the_rule_was_written_tells_nothing_of_it() {
        write();
        long before = reloads.writes();
        reloads.ruleWritten();
        long between = reloads.writes();
        reloads.ruleWritten();

        reloads.seenInForce(before, RUN, Set.of());
        reloads.seenInForce(between, RUN, Set.of());

        assertThat(reloads.older(RUN, Set.of(7))).containsExactly(7);
    }

    @Test
    void another_run_of_the_postmaster_knows_nothing_of_this_one() {
        write();
        reloads.seenInForce(reloads.writes(), RUN, Set.of());

        assertThat(reloads.older(RUN + 1, Set.of(7))).containsExactly(7);
    }

    private void write() {
        reloads.ruleWritten();
        reloads.ruleWritten();
    }
}
