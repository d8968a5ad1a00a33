package org.cellkeeper.cell.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.cellkeeper.cell.report.World.B;
import static org.cellkeeper.cell.report.World.C;
import static org.cellkeeper.cell.report.World.id;

import java.util.List;
import java.util.TreeSet;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.ClusterReport;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.EnsembleServer.Standing;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.Member;
import org.junit.jupiter.api.Test;

final class RedundancyTest {
    @Test
    void fewerThanTwoStandbysAreDegradedEvenWhenAllStream() {
        ClusterReport report = new World(2, FailoverMode.AUTOMATIC).same();
        assertThat(report.health()).isEqualTo(ClusterReport.Health.DEGRADED);
        assertThat(report.canSurvive()).isZero();
    }

    @Test
    void fiveCellsSurviveTheLossOfAnyTwo() {
        World world = new World(5, FailoverMode.AUTOMATIC);
        assertThat(world.same().health()).isEqualTo(ClusterReport.Health.HEALTHY);
        assertThat(world.same().acks()).isEqualTo(2);
        assertThat(world.same().sealQuorum()).isEqualTo(3);
        assertThat(world.same().canSurvive()).isEqualTo(2);
        world.kill(id("cell-5"));
        assertThat(world.same().health()).isEqualTo(ClusterReport.Health.DEGRADED);
        assertThat(world.same().canSurvive()).isEqualTo(1);
    }

    @Test
    void aClusterIsHealthyOnlyOnceEveryStandbyVotesAndAsManyAcknowledgeAsShall() {
        World world = new World(5, FailoverMode.AUTOMATIC);
        ClusterState whole = world.state;
        TreeSet<CellId> voters = new TreeSet<>(whole.voters());
        voters.removeIf(cell -> cell.equals(C));
        world.state = whole.withVoters(voters, 2);
        ClusterReport report = world.same();
        assertThat(report.health()).isEqualTo(ClusterReport.Health.DEGRADED);
        assertThat(report.warnings()).anyMatch(warning -> warning.startsWith("cell-3 streams, but is no voter yet"));
        world.state = whole.withVoters(whole.voters(), 1);
        report = world.same();
        assertThat(report.health()).isEqualTo(ClusterReport.Health.DEGRADED);
        assertThat(report.warnings())
                .anyMatch(warning -> warning.contains("commits wait for 1 standby so far, soon for 2"));
    }

    @Test
    void fourCellsSurviveOneLossForTheirOwnZooKeeperAndTwoWithAnotherOne() {
        World world = new World(4, FailoverMode.AUTOMATIC);
        assertThat(world.same().canSurvive()).isEqualTo(1);
        world.servers = 0;
        assertThat(world.same().canSurvive()).isEqualTo(2);
    }

    @Test
    void aServerOfZooKeeperThatDoesNotServeIsTheWeakestPart() {
        for (Standing standing : List.of(Standing.SILENT, Standing.WAITING)) {
            World world = new World(3, FailoverMode.AUTOMATIC).server(C, standing);
            ClusterReport report = world.same();
            assertThat(report.health()).isEqualTo(ClusterReport.Health.DEGRADED);
            assertThat(report.canSurvive()).isZero();
            assertThat(report.zookeeper()).isEqualTo(new ClusterReport.Servers(3, 2));
            assertThat(report.warnings())
                    .singleElement()
                    .asString()
                    .startsWith("2 of the 3 ZooKeeper servers serve, and 2 must")
                    .contains("server 3 (cell-3)");
        }
    }

    @Test
    void fiveCellsWithThreeServersSurviveWhatTheirServersDo() {
        World world = new World(5, FailoverMode.AUTOMATIC);
        world.servers = 3;
        assertThat(world.same().health()).isEqualTo(ClusterReport.Health.HEALTHY);
        assertThat(world.same().canSurvive()).isEqualTo(1);
        assertThat(world.server(B, Standing.SILENT).same().canSurvive()).isZero();
        // The loss of a cell without a server costs no server.
        world = new World(5, FailoverMode.AUTOMATIC).kill(id("cell-5"));
        world.servers = 3;
        assertThat(world.same().canSurvive()).isEqualTo(1);
    }

    @Test
    void theServerOfACellThatWasRemovedCountsAsLongAsItIsOnTheList() {
        World world = new World(5, FailoverMode.AUTOMATIC).change(state -> {
            TreeSet<CellId> voters = new TreeSet<>(state.voters());
            voters.remove(id("cell-5"));
            return state.withVoters(voters, 2).leave(id("cell-5").name());
        });
        world.views.remove(id("cell-5"));
        assertThat(world.same().health()).isEqualTo(ClusterReport.Health.HEALTHY);
        assertThat(world.same().zookeeper()).isEqualTo(new ClusterReport.Servers(5, 5));
        assertThat(world.server(id("cell-5"), Standing.SILENT).same().health())
                .isEqualTo(ClusterReport.Health.DEGRADED);
    }

    @Test
    void aClusterWhoseStandbysMayNotBePrimarySurvivesNoLoss() {
        World world = new World(3, FailoverMode.AUTOMATIC).change(state -> {
            for (CellId cell : List.of(B, C)) {
                Member member = state.members().get(cell.name());
                state = state.withMember(
                        cell.name(), new Member(member.incarnation(), member.address(), 0, member.faultDomain()));
            }
            return state;
        });
        assertThat(world.same().health()).isEqualTo(ClusterReport.Health.HEALTHY);
        assertThat(world.same().canSurvive()).isZero();
    }
}
