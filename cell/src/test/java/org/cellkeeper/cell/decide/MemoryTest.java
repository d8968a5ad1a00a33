package org.cellkeeper.cell.decide;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Set;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.Member;
import org.cellkeeper.cell.model.SyncSetting;
import org.cellkeeper.cell.model.Upstream;
import org.junit.jupiter.api.Test;

/** What an action takes away when it begins, and gives when it is done: safety rests on {@code rule}. */
final class MemoryTest {
    private static final CellId A = CellId.parse("a.0000000a");
    private static final CellId B = CellId.parse("b.0000000b");
    private static final Address ADDRESS = new Address("10.0.0.1", 5432, 5480, 5481);
    private static final Upstream TO_B = new Upstream(B, 3, "10.0.0.2", 5432);
    private static final SyncSetting BY_B = SyncSetting.of(List.of(B), 1, 3);
    private static final DatabaseView FIRST_RUN = run(11);
    private static final DatabaseView SECOND_RUN = run(12);

    private final ClusterState state =
            ClusterState.born(A, new Member(A.incarnation(), ADDRESS, 100, "default"), "7", FailoverMode.AUTOMATIC);
    private final Action.Cas cas = new Action.Cas(4, state.withMode(FailoverMode.MANUAL), "mode");
    private final Memory fresh = Memory.atStart(100);

    private static DatabaseView run(long postmaster) {
        return new DatabaseView(
                DatabaseView.Data.PRESENT,
                "7",
                null,
                true,
                new DatabaseView.Unclear(postmaster),
                null,
                null,
                null,
                false,
                Set.of(),
                DatabaseView.Writes.OK,
                false,
                "");
    }

    @Test
    void a_write_that_is_under_way_confirms_nothing_and_takes_away_what_was_confirmed() {
        Memory confirmed = fresh.begun(cas, null, 200).done(cas, null, 300);
        assertThat(confirmed.rule().confirmed()).isEqualTo(cas.next().stamped());
        assertThat(confirmed.begun(cas, null, 400).rule().confirmed())
                .as("T3: it may land at any time")
                .isNull();
        Action.CreateState birth = new Action.CreateState(state);
        assertThat(confirmed.begun(birth, null, 400).rule().confirmed()).isNull();
        assertThat(fresh.done(birth, null, 400).rule().confirmed()).isEqualTo(state.stamped());
    }

    @Test
    void a_commit_rule_is_written_into_one_run_of_the_postmaster_and_what_was_drained_for_another_is_void() {
        Action apply = new Action.ApplySync(BY_B);
        Memory begun = fresh.begun(apply, FIRST_RUN, 200);
        assertThat(begun.rule().written()).as("not before it is loaded (T12)").isNull();
        Memory done = begun.done(apply, FIRST_RUN, 300);
        assertThat(done.rule().written()).isEqualTo(new Memory.Written(BY_B, 11, 300));
        assertThat(done.rule().drain()).isNull();
        // It is started again, and nothing but what the start wrote is in force.
        Action start = new Action.StartStandby(TO_B);
        assertThat(done.begun(start, FIRST_RUN, 400)
                        .done(start, SECOND_RUN, 500)
                        .rule()
                        .written())
                .isEqualTo(new Memory.Written(SyncSetting.NOBODY, 12, 500));
        Action promote = new Action.PromoteAtRest(BY_B, 2);
        assertThat(done.begun(promote, FIRST_RUN, 400)
                        .done(promote, SECOND_RUN, 500)
                        .rule()
                        .written())
                .isEqualTo(new Memory.Written(BY_B, 12, 500));
    }

    @Test
    void whom_a_standby_follows_is_not_known_while_it_is_being_told() {
        for (Action action : List.of(
                new Action.Follow(TO_B),
                new Action.Unfollow(),
                new Action.StartStandby(null),
                new Action.PromoteAtRest(BY_B, 2))) {
            Memory before = fresh.done(new Action.Follow(TO_B), FIRST_RUN, 200);
            assertThat(before.applied().upstreamSetIn()).isEqualTo(11);
            Memory begun = before.begun(action, FIRST_RUN, 300);
            assertThat(begun.applied().upstreamSetIn()).as(action.toString()).isZero();
            assertThat(begun.done(action, SECOND_RUN, 400).applied().upstreamSetIn())
                    .isEqualTo(12);
        }
    }

    @Test
    void a_door_that_is_being_held_leads_nowhere() {
        Memory open = fresh.done(new Action.OpenDoor(TO_B), null, 200);
        assertThat(open.applied().doorOpenTo()).isEqualTo(TO_B);
        assertThat(open.begun(new Action.HoldDoor(TO_B.primary(), 7, 1000, 2000), null, 300)
                        .applied()
                        .doorOpenTo())
                .isNull();
    }

    @Test
    void a_checkpoint_that_ends_late_says_nothing_of_the_one_that_was_asked_for_after_it() {
        Memory.Checkpoint first =
                fresh.begun(new Action.Checkpoint(), FIRST_RUN, 200).applied().checkpoint();
        assertThat(first).isEqualTo(new Memory.Checkpoint(11, 200, Since.NOT_SO, false));
        Memory again = fresh.begun(new Action.Checkpoint(), SECOND_RUN, 300);
        assertThat(again.checkpointEnded(first, false, 400)).isEqualTo(again);
        assertThat(again.checkpointEnded(again.applied().checkpoint(), true, 500)
                        .applied()
                        .checkpoint())
                .isEqualTo(new Memory.Checkpoint(12, 300, Since.of(500), true));
    }

    @Test
    void slots_are_kept_in_one_run() {
        Action keep = new Action.KeepSlots(Set.of(B));
        assertThat(fresh.begun(keep, FIRST_RUN, 200).applied().slotsKept()).isNull();
        assertThat(fresh.done(keep, FIRST_RUN, 300).applied().slotsKept())
                .isEqualTo(new Memory.SlotsKept(Set.of(B), 11, 300));
    }

    @Test
    void whether_writers_are_let_in_is_not_sure_while_it_is_being_told_nor_after_that_has_failed() {
        Action open = new Action.SetReadOnly(false);
        Memory begun = fresh.begun(open, FIRST_RUN, 200);
        assertThat(begun.applied().readOnlyUnsureIn()).isEqualTo(11);
        assertThat(begun.done(open, FIRST_RUN, 300).applied().readOnlyUnsureIn())
                .isZero();
    }
}
