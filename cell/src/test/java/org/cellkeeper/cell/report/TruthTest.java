package org.cellkeeper.cell.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.cellkeeper.cell.report.World.A;
import static org.cellkeeper.cell.report.World.B;
import static org.cellkeeper.cell.report.World.C;
import static org.cellkeeper.cell.report.World.cutOff;
import static org.cellkeeper.cell.report.World.data;
import static org.cellkeeper.cell.report.World.elected;
import static org.cellkeeper.cell.report.World.failedOver;
import static org.cellkeeper.cell.report.World.following;
import static org.cellkeeper.cell.report.World.halted;
import static org.cellkeeper.cell.report.World.health;
import static org.cellkeeper.cell.report.World.node;
import static org.cellkeeper.cell.report.World.primaryOf;
import static org.cellkeeper.cell.report.World.version;
import static org.cellkeeper.cell.report.World.waiting;
import static org.cellkeeper.cell.report.World.with;

import org.cellkeeper.cell.model.CellState;
import org.cellkeeper.cell.model.ClusterReport;
import org.cellkeeper.cell.model.ClusterReport.NodeHealth;
import org.cellkeeper.cell.model.ClusterReport.Status;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.PeerView;
import org.cellkeeper.cell.model.PeerView.Trouble;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

final class TruthTest {
    @Test
    void aFreshlyElectedPrimaryIsWritableAsSoonAsItSaysSoAndAStandbyFollows() {
        World world = new World(3, FailoverMode.AUTOMATIC)
                .kill(A)
                .change(state -> elected(state, B))
                .says(B, said -> with(said, CellState.STARTING));
        assertThat(world.same().health()).isEqualTo(ClusterReport.Health.NO_ACTIVE_PRIMARY);
        world.says(B, said -> primaryOf(said, 2));
        assertThat(world.same().health())
                .as("nobody streams in this epoch yet")
                .isEqualTo(ClusterReport.Health.READ_ONLY_PRIMARY);
        world.says(C, said -> following(said, B, 2))
                .says(B, said -> health(primaryOf(said, 2), PeerView.Health.CANNOT_REPLICATE));
        assertThat(world.same().health()).isEqualTo(ClusterReport.Health.READ_ONLY_PRIMARY);
        world.says(B, said -> primaryOf(said, 2));
        assertThat(world.same().health()).isEqualTo(ClusterReport.Health.DEGRADED);
        assertThat(world.same().canSurvive()).isZero();
        assertThat(world.same().warnings()).anyMatch(warning -> warning.contains("the only voter"));
        assertThat(node(world.same(), C).voter()).isFalse();
    }

    @Test
    void aPrimaryWhoseStandbysAllLiveButStreamNothingIsReadOnly() {
        World world =
                new World(3, FailoverMode.AUTOMATIC).says(B, World::waiting).says(C, World::waiting);
        assertThat(world.same().health()).isEqualTo(ClusterReport.Health.READ_ONLY_PRIMARY);
    }

    @Test
    void aFounderWithoutStandbysIsReadOnly() {
        World world = new World(1, FailoverMode.AUTOMATIC);
        assertThat(world.same().health()).isEqualTo(ClusterReport.Health.READ_ONLY_PRIMARY);
        assertThat(world.same().canSurvive()).isZero();
    }

    @ParameterizedTest
    @EnumSource(
            value = PeerView.Health.class,
            names = {"DOWN", "STARTING", "CANNOT_WRITE"})
    void aPrimaryThatSaysItsDatabaseDoesNotWorkIsNone(PeerView.Health health) {
        World world = new World(3, FailoverMode.AUTOMATIC).says(A, said -> health(said, health));
        ClusterReport report = world.same();
        assertThat(report.health()).isEqualTo(ClusterReport.Health.NO_ACTIVE_PRIMARY);
        assertThat(node(report, A).health()).isEqualTo(NodeHealth.UNHEALTHY);
        assertThat(node(report, A).status())
                .isEqualTo(
                        switch (health) {
                            case DOWN -> Status.FAILED;
                            case STARTING -> Status.UNREACHABLE;
                            case OK, CANNOT_WRITE, CANNOT_REPLICATE -> Status.RUNNING_PRIMARY;
                        });
    }

    @Test
    void aPrimaryThatRefusesWritesIsReadOnly() {
        World world = new World(3, FailoverMode.AUTOMATIC).says(A, said -> data(said, true, Trouble.NONE));
        assertThat(world.same().health()).isEqualTo(ClusterReport.Health.READ_ONLY_PRIMARY);
    }

    @Test
    void aSilentPrimaryIsNoneForCellsThatHearEachOther() {
        World world = new World(3, FailoverMode.AUTOMATIC)
                .pause(A)
                .says(B, World::waiting)
                .says(C, World::waiting);
        ClusterReport report = world.from(B);
        assertThat(report.health()).isEqualTo(ClusterReport.Health.NO_ACTIVE_PRIMARY);
        assertThat(node(report, A).state()).isEqualTo(CellState.UNREACHABLE);
        assertThat(node(report, A).health()).isEqualTo(NodeHealth.INACCURATE_DATA);
        assertThat(node(report, A).detail()).contains("session in ZooKeeper").contains("9 s");
    }

    @Test
    void aCellThatAloneDoesNotHearThePrimaryBelievesTheOthers() {
        World world = new World(3, FailoverMode.AUTOMATIC).cut(B, A);
        ClusterReport report = world.from(B);
        assertThat(report.health()).isEqualTo(ClusterReport.Health.HEALTHY);
        assertThat(report.warnings()).anyMatch(warning -> warning.contains("cell-1 is INACCURATE_DATA"));
        assertThat(node(report, A).health()).isEqualTo(NodeHealth.INACCURATE_DATA);
        assertThat(node(report, A).detail()).contains("session in ZooKeeper");
        assertThat(world.from(C).health()).isEqualTo(ClusterReport.Health.HEALTHY);
    }

    @Test
    void aCellThatHearsNobodyButSeesThemInZooKeeperHasALinkProblem() {
        World world = new World(3, FailoverMode.AUTOMATIC).cut(B, A).cut(B, C).says(B, World::waiting);
        ClusterReport report = world.from(B);
        assertThat(report.health()).isEqualTo(ClusterReport.Health.SSH_PROBLEM);
        assertThat(report.warnings()).anyMatch(warning -> warning.contains("ask another"));
    }

    @Test
    void aCellThatHearsNobodyAndReachesNoZooKeeperKnowsNothing() {
        World world = new World(3, FailoverMode.AUTOMATIC)
                .cut(B, A)
                .cut(B, C)
                .says(B, World::waiting)
                .withoutZooKeeper();
        assertThat(world.from(B).health()).isEqualTo(ClusterReport.Health.SSH_PROBLEM);
        assertThat(world.from(B).mode()).isNull();
    }

    @Test
    void anIsolatedPrimaryTellsWhatItKnowsOfItself() {
        World world = new World(3, FailoverMode.AUTOMATIC)
                .cut(A, B)
                .cut(A, C)
                .withoutZooKeeper()
                .says(A, said -> data(health(said, PeerView.Health.CANNOT_REPLICATE), true, Trouble.NONE));
        assertThat(world.from(A).health()).isEqualTo(ClusterReport.Health.READ_ONLY_PRIMARY);
    }

    @Test
    void twoCellsThatClaimTheSameReignContradictEachOther() {
        World world = new World(3, FailoverMode.AUTOMATIC).says(B, said -> primaryOf(said, 1));
        ClusterReport report = world.same();
        assertThat(report.health()).isEqualTo(ClusterReport.Health.CRITICAL_PROBLEM);
        assertThat(node(report, B).status()).isEqualTo(Status.RUNNING_AS_PRIMARY_UNEXPECTEDLY);
        assertThat(node(report, B).health()).isEqualTo(NodeHealth.UNHEALTHY);
    }

    @Test
    void aDeposedPrimaryThatHasNotReadSoYetIsMarkedButIsNoContradiction() {
        World world = failedOver(FailoverMode.AUTOMATIC).alive(A).says(A, said -> version(primaryOf(said, 1), 1));
        assertThat(node(world.same(), A).status()).isEqualTo(Status.RUNNING_AS_PRIMARY_UNEXPECTEDLY);
        assertThat(world.same().health()).isEqualTo(ClusterReport.Health.DEGRADED);
        world.says(A, said -> version(primaryOf(said, 1), world.version));
        assertThat(world.same().health()).isEqualTo(ClusterReport.Health.CRITICAL_PROBLEM);
        world.says(A, said -> cutOff(version(primaryOf(said, 1), 1)));
        assertThat(world.from(B).health()).isEqualTo(ClusterReport.Health.CRITICAL_PROBLEM);
    }

    @Test
    void aCellWithForeignDataIsAContradiction() {
        World world = new World(3, FailoverMode.AUTOMATIC)
                .says(C, said -> data(with(waiting(said), CellState.STARTING), false, Trouble.FOREIGN_DATA));
        assertThat(world.same().health()).isEqualTo(ClusterReport.Health.CRITICAL_PROBLEM);
        assertThat(node(world.same(), C).health()).isEqualTo(NodeHealth.UNRECOVERABLE);
    }

    @Test
    void aCellWhoseStateIsOldBelievesANewerPrimary() {
        World world = new World(3, FailoverMode.AUTOMATIC)
                .says(A, said -> version(halted(said, "0/4000000"), 99))
                .says(B, said -> version(primaryOf(said, 2), 99))
                .withoutZooKeeper();
        ClusterReport report = world.from(C);
        assertThat(report.primary()).isEqualTo(B.name());
        assertThat(report.epoch()).isEqualTo(2);
        assertThat(report.health()).isEqualTo(ClusterReport.Health.DEGRADED);
        assertThat(report.canSurvive()).isZero();
        assertThat(report.warnings()).anyMatch(warning -> warning.contains("is old"));
    }
}
