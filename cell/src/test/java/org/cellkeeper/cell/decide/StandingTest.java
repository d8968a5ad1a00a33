package org.cellkeeper.cell.decide;

import static org.assertj.core.api.Assertions.assertThat;
import static org.cellkeeper.cell.decide.Scene.A;
import static org.cellkeeper.cell.decide.Scene.B;
import static org.cellkeeper.cell.decide.Scene.END;
import static org.cellkeeper.cell.decide.Scene.NOON;

import java.util.Map;
import org.cellkeeper.cell.decide.Facts.PendingSave;
import org.cellkeeper.cell.decide.Facts.Standing;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.DatabaseView.Receiver;
import org.cellkeeper.cell.model.Halt;
import org.cellkeeper.cell.model.LocalState.HandoverMark;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.Phase;
import org.junit.jupiter.api.Test;

/** What a cell that was away is, while the state that it has just read is not durable here yet; and what its state file is told. */
final class StandingTest {
    private final Scene b = new Scene(B);
    private final Scene a = new Scene(A);
    private final ClusterState known = b.state;

    StandingTest() {
        a.local = a.local.withPrimaryEpoch(1);
    }

    @Test
    void a_member_is_active() {
        assertThat(standing(known)).isEqualTo(Standing.ACTIVE);
    }

    @Test
    void a_member_that_has_read_that_it_is_halted_is_halted() {
        assertThat(standing(known.withHalt(B.name(), new Halt(1, "deposed", NOON, null, null))))
                .isEqualTo(Standing.HALTED);
    }

    @Test
    void a_member_that_has_read_that_it_is_none_any_more_is_removed() {
        assertThat(standing(known.leave(B.name()))).isEqualTo(Standing.REMOVED);
    }

    @Test
    void a_member_whose_name_it_reads_to_be_anothers_is_removed() {
        CellId next = CellId.parse("b.000000bb");
        assertThat(standing(known.withMember(B.name(), Scene.member(next)))).isEqualTo(Standing.REMOVED);
    }

    @Test
    void one_that_reads_that_it_won_is_not_the_primary_before_that_is_durable() {
        ClusterState won = known.elect(B, 2, Map.of());
        assertThat(standing(won)).isEqualTo(Standing.ACTIVE);
        b.state = won;
        assertThat(standing(won)).isEqualTo(Standing.PRIMARY);
    }

    @Test
    void a_primary_that_reads_of_another_reign_is_halted() {
        assertThat(a.facts().standing()).isEqualTo(Standing.PRIMARY);
        a.read = known.elect(B, 2, Map.of());
        assertThat(a.facts().standing()).isEqualTo(Standing.HALTED);
        assertThat(a.facts().pendingSave()).isEqualTo(PendingSave.HALT);
    }

    @Test
    void one_that_handed_over_is_a_standby_only_while_its_data_are_as_they_were_then() {
        a.state = known.takeOver(B, 2);
        assertThat(a.facts().standing()).as("no mark").isEqualTo(Standing.HALTED);
        a.local = a.local.withHandoverMark(new HandoverMark(3, END));
        assertThat(a.facts().standing()).as("another handover's mark").isEqualTo(Standing.HALTED);
        a.local = a.local.withHandoverMark(new HandoverMark(2, END));
        assertThat(a.facts().standing()).isEqualTo(Standing.ACTIVE);
        assertThat(a.facts().pendingSave()).isEqualTo(PendingSave.ABDICATION);
        a.control = Scene.shutDown(new Lsn(END.value() + 8));
        assertThat(a.facts().standing()).as("it wrote on (T2)").isEqualTo(Standing.HALTED);
        a.control = Scene.shutDown(END);
        a.runsAsStandby(Receiver.DETACHED, true);
        assertThat(a.facts().standing()).as("it runs").isEqualTo(Standing.HALTED);
    }

    @Test
    void a_halt_is_over_only_when_zookeeper_says_that_the_cell_is_no_member() {
        b.local = b.local.withHalt("deposed");
        assertThat(standing(known)).isEqualTo(Standing.HALTED);
        assertThat(standing(known.leave(B.name()))).as("not durable yet").isEqualTo(Standing.HALTED);
        b.state = known.leave(B.name());
        b.read = null;
        assertThat(b.facts().standing()).isEqualTo(Standing.REMOVED);
        b.connected = false;
        assertThat(b.facts().standing()).isEqualTo(Standing.HALTED);
    }

    @Test
    void a_seal_has_served_when_the_outcome_is_read_and_not_before() {
        b.local = b.local.withSealedBallot(2);
        assertThat(b.facts().pendingSave()).as("a state of before").isEqualTo(PendingSave.UP_TO_DATE);
        b.state = known.propose(A, Phase.Kind.AUTOMATIC, NOON);
        assertThat(b.facts().pendingSave()).as("it is open (I5)").isEqualTo(PendingSave.UP_TO_DATE);
        b.state = b.state.steadyAgain();
        assertThat(b.facts().pendingSave()).isEqualTo(PendingSave.OUTCOME);
    }

    @Test
    void a_handovers_mark_has_served_when_zookeeper_says_that_it_was_taken_back() {
        a.local = a.local.withHandoverMark(new HandoverMark(2, END));
        assertThat(a.facts().pendingSave()).as("a state of before").isEqualTo(PendingSave.UP_TO_DATE);
        a.state = known.startHandover(B, NOON);
        assertThat(a.facts().pendingSave()).as("it is under way").isEqualTo(PendingSave.UP_TO_DATE);
        a.state = a.state.steadyAgain();
        assertThat(a.facts().pendingSave()).isEqualTo(PendingSave.MARK);
        a.connected = false;
        assertThat(a.facts().pendingSave())
                .as("it may have been taken since (T2)")
                .isEqualTo(PendingSave.UP_TO_DATE);
    }

    private Standing standing(ClusterState read) {
        b.read = read;
        return b.facts().standing();
    }
}
