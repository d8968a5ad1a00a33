package org.cellkeeper.cell.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.cellkeeper.cell.report.World.A;
import static org.cellkeeper.cell.report.World.B;
import static org.cellkeeper.cell.report.World.C;
import static org.cellkeeper.cell.report.World.data;
import static org.cellkeeper.cell.report.World.elected;
import static org.cellkeeper.cell.report.World.failedOver;
import static org.cellkeeper.cell.report.World.following;
import static org.cellkeeper.cell.report.World.halted;
import static org.cellkeeper.cell.report.World.id;
import static org.cellkeeper.cell.report.World.node;
import static org.cellkeeper.cell.report.World.primaryOf;
import static org.cellkeeper.cell.report.World.waiting;
import static org.cellkeeper.cell.report.World.with;

import java.util.Set;
import java.util.TreeMap;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellState;
import org.cellkeeper.cell.model.ClusterReport;
import org.cellkeeper.cell.model.ClusterReport.Attachment;
import org.cellkeeper.cell.model.ClusterReport.Node;
import org.cellkeeper.cell.model.ClusterReport.NodeHealth;
import org.cellkeeper.cell.model.ClusterReport.NodeRole;
import org.cellkeeper.cell.model.ClusterReport.Status;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.Incarnation;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.PeerView;
import org.cellkeeper.cell.model.PeerView.Trouble;
import org.cellkeeper.cell.model.Reign;
import org.junit.jupiter.api.Test;

final class NodeRowTest {
    @Test
    void aHaltedCellThatReturnsTellsHowFarItHasDiverged() {
        World world = failedOver(FailoverMode.AUTOMATIC)
                .alive(A)
                .says(A, said -> halted(said, "0/4000200"))
                .change(state ->
                        state.withHalt(A.name(), state.halted().get(A.name()).withEnd(Lsn.parse("0/4000200"), 1)));
        Node old = node(world.same(), A);
        assertThat(old.state()).isEqualTo(CellState.HALTED);
        assertThat(old.status()).isEqualTo(Status.FAILED);
        assertThat(old.halted().divergedBytes()).isEqualTo(0x200);
        assertThat(world.same().warnings()).anyMatch(warning -> warning.contains("512 bytes"));
    }

    @Test
    void theForkIsTheEarliestSinceTheHaltAlongThePresentLine() {
        World world = failedOver(FailoverMode.AUTOMATIC).change(state -> {
            TreeMap<Long, Reign> reigns = new TreeMap<>(state.reigns());
            reigns.put(5L, new Reign(B, 5, Lsn.parse("0/3F00000"), Lsn.parse("0/3F00000"), 1));
            return new ClusterState(
                    5,
                    B,
                    state.voters(),
                    1,
                    state.phase(),
                    5,
                    reigns,
                    state.failoverMode(),
                    state.halted(),
                    state.members(),
                    state.systemId(),
                    state.ensemble());
        });
        world.alive(A).says(A, said -> halted(said, "0/3F00010"));
        world.says(B, said -> primaryOf(said, 5)).says(C, said -> following(said, B, 5));
        assertThat(node(world.same(), A).halted().forkLsn()).isEqualTo(Lsn.parse("0/3F00000"));
        assertThat(node(world.same(), A).halted().divergedBytes()).isEqualTo(0x10);
    }

    @Test
    void theForkIsUnknownUntilTheReignIsRecorded() {
        World world = new World(3, FailoverMode.AUTOMATIC)
                .kill(A)
                .change(state -> elected(state, B))
                .says(B, said -> primaryOf(said, 2));
        assertThat(node(world.same(), A).halted().forkLsn()).isNull();
    }

    @Test
    void aStandbyThatStreamsNothingIsUnhealthyWhateverItsProcessSays() {
        World world = new World(3, FailoverMode.AUTOMATIC).says(C, World::waiting);
        Node standby = node(world.same(), C);
        assertThat(standby.health()).isEqualTo(NodeHealth.UNHEALTHY);
        assertThat(standby.attachment()).isEqualTo(Attachment.NOT_ATTACHED);
        assertThat(world.same().health()).isEqualTo(ClusterReport.Health.DEGRADED);
    }

    @Test
    void aStandbyThatStreamsFromAnotherPrimaryOrEpochIsNotAttached() {
        World world = failedOver(FailoverMode.AUTOMATIC).says(C, said -> following(said, A, 1));
        assertThat(node(world.same(), C).attachment()).isEqualTo(Attachment.NOT_ATTACHED);
        world.says(C, said -> following(said, B, 1));
        assertThat(node(world.same(), C).attachment()).isEqualTo(Attachment.NOT_ATTACHED);
        world.says(C, said -> following(said, B, 2));
        assertThat(node(world.same(), C).attachment()).isEqualTo(Attachment.ATTACHED);
    }

    @Test
    void aStandbyWhoseWalIsGoneIsUnrecoverable() {
        World world =
                new World(3, FailoverMode.AUTOMATIC).says(C, said -> data(waiting(said), false, Trouble.WAL_GONE));
        assertThat(world.same().health()).isEqualTo(ClusterReport.Health.DEGRADED);
        assertThat(node(world.same(), C).health()).isEqualTo(NodeHealth.UNRECOVERABLE);
    }

    @Test
    void aRemovedCellIsShownButDoesNotCount() {
        World world = new World(4, FailoverMode.AUTOMATIC);
        CellId removed = id("cell-4");
        world.change(state -> state.withVoters(Set.of(A, B, C), 1).leave(removed.name()))
                .says(removed, said -> with(waiting(said), CellState.REMOVED));
        ClusterReport report = world.same();
        assertThat(report.health()).isEqualTo(ClusterReport.Health.HEALTHY);
        Node node = node(report, removed);
        assertThat(node.role()).isEqualTo(NodeRole.UNKNOWN);
        assertThat(node.state()).isEqualTo(CellState.REMOVED);
        assertThat(node.status()).isEqualTo(Status.FAILED);
        assertThat(node.attachment()).isEqualTo(Attachment.NONE);
        Node unlinked = node(world.unlink(removed).from(A), removed);
        assertThat(unlinked.state()).isEqualTo(CellState.REMOVED);
        assertThat(unlinked.status()).isEqualTo(Status.FAILED);
        assertThat(unlinked.health()).isEqualTo(node.health());
        assertThat(unlinked.detail()).contains("cellctl deploy cell-4");
        world.kill(removed);
        assertThat(world.same().nodes()).extracting(Node::name).doesNotContain(removed.name());
    }

    @Test
    void aCloneTellsItsProgress() {
        World world = new World(3, FailoverMode.AUTOMATIC).says(C, said -> with(waiting(said), CellState.CLONING));
        Node node = node(world.same(), C);
        assertThat(node.state()).isEqualTo(CellState.CLONING);
        assertThat(node.progress()).isEqualTo(42);
        assertThat(node.status()).isEqualTo(Status.UNREACHABLE);
        assertThat(node.health()).isEqualTo(NodeHealth.UNHEALTHY);
    }

    @Test
    void aWipedCellUnderARegisteredNameIsNoVoterOfThatName() {
        World world = new World(3, FailoverMode.AUTOMATIC);
        CellId wiped = new CellId(A.name(), new Incarnation("ffffffff"));
        world.says(
                A,
                said -> new PeerView(
                        wiped,
                        1,
                        world.version,
                        CellState.PRIMARY,
                        PeerView.Health.OK,
                        1,
                        "",
                        null,
                        0,
                        null,
                        null,
                        0,
                        -1,
                        0,
                        true,
                        "",
                        false,
                        Trouble.NONE,
                        null,
                        said.doors()));
        assertThat(world.from(B).health()).isEqualTo(ClusterReport.Health.CRITICAL_PROBLEM);
        assertThat(node(world.from(B), A).detail()).contains("new appliance");
    }
}
