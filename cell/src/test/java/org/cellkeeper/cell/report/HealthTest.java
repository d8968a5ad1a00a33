package org.cellkeeper.cell.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.cellkeeper.cell.report.World.A;
import static org.cellkeeper.cell.report.World.B;
import static org.cellkeeper.cell.report.World.C;
import static org.cellkeeper.cell.report.World.NOON;
import static org.cellkeeper.cell.report.World.data;
import static org.cellkeeper.cell.report.World.failedOver;
import static org.cellkeeper.cell.report.World.halted;
import static org.cellkeeper.cell.report.World.health;
import static org.cellkeeper.cell.report.World.node;
import static org.cellkeeper.cell.report.World.waiting;
import static org.cellkeeper.cell.report.World.with;

import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellState;
import org.cellkeeper.cell.model.ClusterReport;
import org.cellkeeper.cell.model.ClusterReport.Attachment;
import org.cellkeeper.cell.model.ClusterReport.Node;
import org.cellkeeper.cell.model.ClusterReport.NodeHealth;
import org.cellkeeper.cell.model.ClusterReport.NodeRole;
import org.cellkeeper.cell.model.ClusterReport.Registered;
import org.cellkeeper.cell.model.ClusterReport.Status;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.PeerView;
import org.cellkeeper.cell.model.PeerView.Trouble;
import org.cellkeeper.cell.model.Phase;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

final class HealthTest {
    @ParameterizedTest
    @EnumSource(FailoverMode.class)
    void withNoneLostTheClusterIsHealthyAndEveryCellSaysSo(FailoverMode mode) {
        World world = new World(3, mode);
        ClusterReport report = world.same();
        assertThat(report.health()).isEqualTo(ClusterReport.Health.HEALTHY);
        assertThat(report.mode()).isEqualTo(mode);
        assertThat(report.primary()).isEqualTo(A.name());
        assertThat(report.epoch()).isEqualTo(1);
        assertThat(report.acks()).isEqualTo(1);
        assertThat(report.sealQuorum()).isEqualTo(2);
        assertThat(report.canSurvive()).isEqualTo(mode == FailoverMode.AUTOMATIC ? 1 : 0);
        assertThat(report.phase()).isEqualTo("STEADY");
        assertThat(report.warnings()).isEmpty();

        Node primary = node(report, A);
        assertThat(primary.id()).isEqualTo(1);
        assertThat(primary.registered()).isEqualTo(Registered.PRIMARY);
        assertThat(primary.role()).isEqualTo(NodeRole.PRIMARY);
        assertThat(primary.status()).isEqualTo(Status.RUNNING_PRIMARY);
        assertThat(primary.attachment()).isEqualTo(Attachment.NONE);
        assertThat(primary.upstream()).isNull();
        assertThat(primary.health()).isEqualTo(NodeHealth.HEALTHY);
        assertThat(primary.lagBytes()).isZero();
        Node standby = node(report, C);
        assertThat(standby.id()).isEqualTo(3);
        assertThat(standby.registered()).isEqualTo(Registered.STANDBY);
        assertThat(standby.role()).isEqualTo(NodeRole.STANDBY);
        assertThat(standby.status()).isEqualTo(Status.RUNNING);
        assertThat(standby.attachment()).isEqualTo(Attachment.ATTACHED);
        assertThat(standby.upstream()).isEqualTo(A.name());
        assertThat(standby.health()).isEqualTo(NodeHealth.HEALTHY);
        assertThat(standby.voter()).isTrue();
        assertThat(standby.lagBytes()).isEqualTo(0x100);
        assertThat(standby.lagMillis()).isEqualTo(7);
    }

    @Test
    void whatAHealthyCellSaysIsWrongWithItIsAWarningAtEveryCell() {
        String words = "the configuration cannot be used";
        World world = new World(3, FailoverMode.AUTOMATIC).says(B, said -> said.withWords(said.sentence(), words));
        ClusterReport report = world.same();
        assertThat(report.health()).isEqualTo(ClusterReport.Health.HEALTHY);
        assertThat(node(report, B).detail()).isEqualTo(words);
        assertThat(report.warnings()).containsExactly("cell-2: " + words);
    }

    @ParameterizedTest
    @EnumSource(FailoverMode.class)
    void withAStandbyLostTheClusterIsDegradedAndWritable(FailoverMode mode) {
        World world = new World(3, mode).kill(C);
        ClusterReport report = world.same();
        assertThat(report.health()).isEqualTo(ClusterReport.Health.DEGRADED);
        assertThat(report.canSurvive()).isZero();
        Node lost = node(report, C);
        assertThat(lost.state()).isEqualTo(CellState.DOWN);
        assertThat(lost.status()).isEqualTo(Status.UNREACHABLE);
        assertThat(lost.health()).isEqualTo(NodeHealth.UNHEALTHY);
        assertThat(lost.attachment()).isEqualTo(Attachment.NOT_ATTACHED);
        assertThat(lost.agentRunning()).isFalse();
        assertThat(report.warnings()).anyMatch(warning -> warning.contains("cell-3"));
    }

    @Test
    void withThePrimaryLostInManualModeThereIsNoneUntilPromote() {
        World world = new World(3, FailoverMode.MANUAL)
                .kill(A)
                .says(B, World::waiting)
                .says(C, World::waiting);
        ClusterReport report = world.same();
        assertThat(report.health()).isEqualTo(ClusterReport.Health.NO_ACTIVE_PRIMARY);
        assertThat(report.canSurvive()).isZero();
        assertThat(node(report, A).role()).isEqualTo(NodeRole.PRIMARY);
        assertThat(node(report, A).state()).isEqualTo(CellState.DOWN);
        assertThat(node(report, B).attachment()).isEqualTo(Attachment.PRIMARY_UNREACHABLE);
        assertThat(node(report, B).health()).isEqualTo(NodeHealth.UNHEALTHY);
        assertThat(report.warnings()).anyMatch(warning -> warning.contains("promote a standby"));
    }

    @Test
    void withThePrimaryLostInAutomaticModeTheStandbysChooseOne() {
        World world = new World(3, FailoverMode.AUTOMATIC)
                .kill(A)
                .says(B, World::waiting)
                .says(C, World::waiting);
        assertThat(world.same().warnings()).anyMatch(warning -> warning.contains("will choose one"));

        world.change(state -> state.propose(B, Phase.Kind.AUTOMATIC, NOON))
                .says(B, said -> with(said, CellState.SEALED))
                .says(C, said -> with(said, CellState.SEALED));
        ClusterReport sealing = world.same();
        assertThat(sealing.health()).isEqualTo(ClusterReport.Health.NO_ACTIVE_PRIMARY);
        assertThat(sealing.phase()).isEqualTo("SEALING");
        assertThat(node(sealing, B).status()).isEqualTo(Status.RUNNING);
        assertThat(node(sealing, B).health()).isEqualTo(NodeHealth.UNHEALTHY);
    }

    @ParameterizedTest
    @EnumSource(FailoverMode.class)
    void afterTheFailoverTheClusterIsDegradedAndTheOldPrimaryIsHalted(FailoverMode mode) {
        World world = failedOver(mode);
        ClusterReport report = world.same();
        assertThat(report.health()).isEqualTo(ClusterReport.Health.DEGRADED);
        assertThat(report.primary()).isEqualTo(B.name());
        assertThat(report.epoch()).isEqualTo(2);
        assertThat(report.canSurvive()).isZero();
        Node old = node(report, A);
        assertThat(old.role()).isEqualTo(NodeRole.OLD_PRIMARY);
        assertThat(old.status()).isEqualTo(Status.FAILED);
        assertThat(old.health()).isEqualTo(NodeHealth.UNHEALTHY);
        assertThat(old.state()).isEqualTo(CellState.DOWN);
        assertThat(old.halted()).isNotNull();
        assertThat(old.halted().epoch()).isEqualTo(2);
        assertThat(old.halted().forkLsn()).isEqualTo(Lsn.parse("0/4000000"));
        assertThat(old.halted().lsn()).isNull();
        assertThat(old.halted().divergedBytes()).isNull();
    }

    @ParameterizedTest
    @EnumSource(FailoverMode.class)
    void withBothStandbysLostThePrimaryIsReadOnly(FailoverMode mode) {
        World world = new World(3, mode).kill(B).kill(C);
        assertThat(world.same().health()).isEqualTo(ClusterReport.Health.READ_ONLY_PRIMARY);
        world.says(A, said -> health(said, PeerView.Health.CANNOT_REPLICATE));
        ClusterReport report = world.same();
        assertThat(report.health()).isEqualTo(ClusterReport.Health.READ_ONLY_PRIMARY);
        assertThat(report.canSurvive()).isZero();
        assertThat(node(report, A).status()).isEqualTo(Status.RUNNING_PRIMARY);
        assertThat(node(report, A).health()).isEqualTo(NodeHealth.HEALTHY);
    }

    @ParameterizedTest
    @EnumSource(FailoverMode.class)
    void withThePrimaryAndAStandbyLostThereIsNoPrimaryAndNoneByItself(FailoverMode mode) {
        World world = new World(3, mode).kill(A).kill(C).says(B, World::waiting);
        ClusterReport report = world.same();
        assertThat(report.health()).isEqualTo(ClusterReport.Health.NO_ACTIVE_PRIMARY);
        assertThat(report.warnings())
                .anyMatch(warning -> warning.contains("1 of the 2") && warning.contains("acceptDataLoss"));
    }

    @Test
    void aLoneStandbyOfAPairIsNotPromotedByItself() {
        World world = new World(2, FailoverMode.AUTOMATIC).kill(A).says(B, World::waiting);
        assertThat(world.same().health()).isEqualTo(ClusterReport.Health.NO_ACTIVE_PRIMARY);
        assertThat(world.same().warnings()).anyMatch(warning -> warning.contains("fewer than 1 standbys"));
    }

    @Test
    void withoutZooKeeperTheModeIsIndeterminateAndAWarningSaysSinceWhen() {
        World world = new World(3, FailoverMode.AUTOMATIC).withoutZooKeeper();
        ClusterReport report = world.same();
        assertThat(report.health()).isEqualTo(ClusterReport.Health.DEGRADED);
        assertThat(report.mode()).isNull();
        assertThat(report.canSurvive()).isZero();
        assertThat(report.warnings())
                .anyMatch(warning -> warning.contains("since 2026-01-02T11:59:30Z") && warning.contains("no failover"));
    }

    @Test
    void aCellThatAloneIsCutOffFromZooKeeperIsNamedByTheOthers() {
        World world = new World(3, FailoverMode.AUTOMATIC).says(C, World::cutOff);
        assertThat(world.from(A).mode()).isEqualTo(FailoverMode.AUTOMATIC);
        assertThat(world.from(A).warnings()).anyMatch(warning -> warning.contains("by cell-3"));
    }

    @Test
    void withoutZooKeeperADeadPrimaryCannotBeReplaced() {
        World world = new World(3, FailoverMode.AUTOMATIC)
                .kill(A)
                .says(B, World::waiting)
                .says(C, World::waiting)
                .withoutZooKeeper();
        assertThat(world.same().health()).isEqualTo(ClusterReport.Health.NO_ACTIVE_PRIMARY);
        assertThat(world.same().warnings()).anyMatch(warning -> warning.contains("none can be chosen"));
    }

    @Test
    void beforeTheBirthThereIsNoPrimary() {
        World world = new World(3, FailoverMode.AUTOMATIC);
        world.state = null;
        world.says(A, said -> with(waiting(said), CellState.STARTING));
        ClusterReport report = world.from(A);
        assertThat(report.health()).isEqualTo(ClusterReport.Health.NO_ACTIVE_PRIMARY);
        assertThat(report.phase()).isEqualTo("UNBORN");
        assertThat(report.mode()).isNull();
        assertThat(report.primary()).isNull();
        assertThat(report.nodes()).extracting(Node::name).contains(A.name(), B.name(), C.name());
        assertThat(node(report, B).role()).isEqualTo(NodeRole.UNKNOWN);
    }

    @Test
    void theSameAnswerIsGivenTwice() {
        World world = failedOver(FailoverMode.AUTOMATIC);
        assertThat(world.from(B)).isEqualTo(world.from(B));
    }

    @Test
    void everyWordIsReached() {
        EnumSet<ClusterReport.Health> healths = EnumSet.noneOf(ClusterReport.Health.class);
        EnumSet<Status> statuses = EnumSet.noneOf(Status.class);
        EnumSet<Attachment> attachments = EnumSet.noneOf(Attachment.class);
        EnumSet<NodeRole> roles = EnumSet.noneOf(NodeRole.class);
        EnumSet<NodeHealth> nodeHealths = EnumSet.noneOf(NodeHealth.class);
        EnumSet<CellState> states = EnumSet.noneOf(CellState.class);
        for (CellState state : CellState.values()) {
            for (PeerView.Health health : PeerView.Health.values()) {
                for (Trouble trouble : Trouble.values()) {
                    for (CellId cell : List.of(A, C)) {
                        for (Set<CellId> dead : List.of(Set.<CellId>of(), Set.of(A), Set.of(B, C))) {
                            World world = failedOver(FailoverMode.AUTOMATIC).alive(A);
                            world.says(A, said -> halted(said, "0/4000000"));
                            world.says(cell, said -> data(health(with(said, state), health), false, trouble));
                            dead.forEach(world::kill);
                            ClusterReport report = world.from(B);
                            healths.add(report.health());
                            for (Node node : report.nodes()) {
                                statuses.add(node.status());
                                attachments.add(node.attachment());
                                roles.add(node.role());
                                nodeHealths.add(node.health());
                                states.add(node.state());
                                boolean streams = node.attachment() == Attachment.ATTACHED;
                                boolean reigns = node.state() == CellState.PRIMARY;
                                assertThat(node.health() != NodeHealth.HEALTHY || streams || reigns)
                                        .as("%s", node)
                                        .isTrue();
                            }
                        }
                    }
                }
            }
        }
        World dead = new World(3, FailoverMode.MANUAL)
                .kill(A)
                .says(B, World::waiting)
                .says(C, World::waiting);
        healths.add(dead.from(B).health());
        attachments.add(node(dead.from(B), B).attachment());
        World unborn = new World(3, FailoverMode.MANUAL).kill(A);
        unborn.state = null;
        roles.add(node(unborn.from(B), B).role());
        healths.add(new World(3, FailoverMode.MANUAL)
                .cut(B, A)
                .cut(B, C)
                .says(B, World::waiting)
                .from(B)
                .health());
        healths.add(new World(3, FailoverMode.MANUAL).from(B).health());
        healths.add(new World(3, FailoverMode.MANUAL).kill(B).kill(C).from(A).health());
        nodeHealths.add(
                node(new World(3, FailoverMode.MANUAL).cut(B, C).from(B), C).health());

        assertThat(healths).containsExactlyInAnyOrder(ClusterReport.Health.values());
        assertThat(statuses).containsExactlyInAnyOrder(Status.values());
        assertThat(attachments).containsExactlyInAnyOrder(Attachment.values());
        assertThat(roles).containsExactlyInAnyOrder(NodeRole.values());
        assertThat(nodeHealths).containsExactlyInAnyOrder(NodeHealth.values());
        assertThat(states).containsExactlyInAnyOrder(CellState.values());
    }
}
