package org.cellkeeper.cell.decide;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.cellkeeper.cell.decide.Facts.Standing;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellSettings;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.CoordinationView;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.Halt;
import org.cellkeeper.cell.model.LocalState;
import org.cellkeeper.cell.model.Member;
import org.cellkeeper.cell.model.VersionedState;
import org.junit.jupiter.api.Test;

/** What a cell that was away is, while the state that it has just read is not durable here yet. */
final class StandingTest {
    private static final CellId A = CellId.parse("a.0000000a");
    private static final CellId B = CellId.parse("b.0000000b");
    private static final Address ADDRESS = new Address("10.0.0.1", 5432, 5480, 5481);

    private final ClusterState known =
            ClusterState.born(A, member(A), "7", FailoverMode.AUTOMATIC).withMember(B.name(), member(B));

    @Test
    void a_member_is_active() {
        assertThat(standing(known)).isEqualTo(Standing.ACTIVE);
    }

    @Test
    void a_member_that_has_read_that_it_is_halted_is_halted() {
        assertThat(standing(known.withHalt(B.name(), new Halt(1, "deposed", Instant.EPOCH, null, null))))
                .isEqualTo(Standing.HALTED);
    }

    @Test
    void a_member_that_has_read_that_it_is_none_any_more_is_removed() {
        assertThat(standing(known.leave(B.name()))).isEqualTo(Standing.REMOVED);
    }

    @Test
    void a_member_whose_name_it_reads_to_be_anothers_is_removed() {
        CellId next = CellId.parse("b.000000bb");
        assertThat(standing(known.withMember(B.name(), member(next)))).isEqualTo(Standing.REMOVED);
    }

    private static Member member(CellId cell) {
        return new Member(cell.incarnation(), ADDRESS, 100, "default");
    }

    private Standing standing(ClusterState read) {
        LocalState local = LocalState.fresh(B.incarnation())
                .withSeen(new VersionedState(1, known))
                .withJoined();
        CoordinationView coordination = new CoordinationView(
                true, true, false, new VersionedState(2, read), 0, Map.of(), Map.of(), false, List.of(), "");
        return Facts.standing(new View(
                0,
                Instant.EPOCH,
                new CellSettings(
                        B.name(),
                        ADDRESS,
                        100,
                        "default",
                        null,
                        FailoverMode.AUTOMATIC,
                        CellSettings.IsolationResponse.READ_ONLY,
                        1,
                        CellSettings.Timing.defaults()),
                local,
                false,
                coordination,
                DatabaseView.nothing(),
                Map.of(),
                Memory.atStart(0),
                false));
    }
}
