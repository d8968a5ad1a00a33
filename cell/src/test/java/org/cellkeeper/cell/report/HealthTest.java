package org.cellkeeper.cell.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.UnaryOperator;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.CellSettings;
import org.cellkeeper.cell.model.CellState;
import org.cellkeeper.cell.model.ClusterReport;
import org.cellkeeper.cell.model.ClusterReport.Attachment;
import org.cellkeeper.cell.model.ClusterReport.Node;
import org.cellkeeper.cell.model.ClusterReport.NodeHealth;
import org.cellkeeper.cell.model.ClusterReport.NodeRole;
import org.cellkeeper.cell.model.ClusterReport.Registered;
import org.cellkeeper.cell.model.ClusterReport.Status;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.CoordinationView;
import org.cellkeeper.cell.model.EnsembleServer;
import org.cellkeeper.cell.model.EnsembleServer.Standing;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.Halt;
import org.cellkeeper.cell.model.Incarnation;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.Member;
import org.cellkeeper.cell.model.PeerLink;
import org.cellkeeper.cell.model.PeerView;
import org.cellkeeper.cell.model.PeerView.Trouble;
import org.cellkeeper.cell.model.Phase;
import org.cellkeeper.cell.model.Presence;
import org.cellkeeper.cell.model.Reign;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

final class HealthTest {
    private static final Instant NOON = Instant.parse("2026-01-02T12:00:00Z");
    private static final long NOW = 1_000_000;
    private static final CellId A = id("cell-1");
    private static final CellId B = id("cell-2");
    private static final CellId C = id("cell-3");

    // ---- what failed cells mean

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
                .says(B, HealthTest::waiting)
                .says(C, HealthTest::waiting);
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
                .says(B, HealthTest::waiting)
                .says(C, HealthTest::waiting);
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
        World world = new World(3, mode).kill(A).kill(C).says(B, HealthTest::waiting);
        ClusterReport report = world.same();
        assertThat(report.health()).isEqualTo(ClusterReport.Health.NO_ACTIVE_PRIMARY);
        assertThat(report.warnings())
                .anyMatch(warning -> warning.contains("1 of the 2") && warning.contains("acceptDataLoss"));
    }

    @Test
    void aLoneStandbyOfAPairIsNotPromotedByItself() {
        World world = new World(2, FailoverMode.AUTOMATIC).kill(A).says(B, HealthTest::waiting);
        assertThat(world.same().health()).isEqualTo(ClusterReport.Health.NO_ACTIVE_PRIMARY);
        assertThat(world.same().warnings()).anyMatch(warning -> warning.contains("fewer than 1 standbys"));
    }

    // ---- the cluster's words

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

    @Test
    void aStandbyThatStreamsNothingIsUnhealthyWhateverItsProcessSays() {
        World world = new World(3, FailoverMode.AUTOMATIC).says(C, HealthTest::waiting);
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
        World world = new World(3, FailoverMode.AUTOMATIC)
                .says(B, HealthTest::waiting)
                .says(C, HealthTest::waiting);
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
                .says(B, HealthTest::waiting)
                .says(C, HealthTest::waiting);
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
        World world = new World(3, FailoverMode.AUTOMATIC).cut(B, A).cut(B, C).says(B, HealthTest::waiting);
        ClusterReport report = world.from(B);
        assertThat(report.health()).isEqualTo(ClusterReport.Health.SSH_PROBLEM);
        assertThat(report.warnings()).anyMatch(warning -> warning.contains("ask another"));
    }

    @Test
    void aCellThatHearsNobodyAndReachesNoZooKeeperKnowsNothing() {
        World world = new World(3, FailoverMode.AUTOMATIC)
                .cut(B, A)
                .cut(B, C)
                .says(B, HealthTest::waiting)
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
    void aStandbyWhoseWalIsGoneIsUnrecoverable() {
        World world =
                new World(3, FailoverMode.AUTOMATIC).says(C, said -> data(waiting(said), false, Trouble.WAL_GONE));
        assertThat(world.same().health()).isEqualTo(ClusterReport.Health.DEGRADED);
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

    // ---- while ZooKeeper is away

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
        World world = new World(3, FailoverMode.AUTOMATIC).says(C, HealthTest::cutOff);
        assertThat(world.from(A).mode()).isEqualTo(FailoverMode.AUTOMATIC);
        assertThat(world.from(A).warnings()).anyMatch(warning -> warning.contains("by cell-3"));
    }

    @Test
    void withoutZooKeeperADeadPrimaryCannotBeReplaced() {
        World world = new World(3, FailoverMode.AUTOMATIC)
                .kill(A)
                .says(B, HealthTest::waiting)
                .says(C, HealthTest::waiting)
                .withoutZooKeeper();
        assertThat(world.same().health()).isEqualTo(ClusterReport.Health.NO_ACTIVE_PRIMARY);
        assertThat(world.same().warnings()).anyMatch(warning -> warning.contains("none can be chosen"));
    }

    // ---- cells that come and go

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
        assertThat(unlinked.detail()).contains("/nodes/cell-4/deploy");
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
                        null));
        assertThat(world.from(B).health()).isEqualTo(ClusterReport.Health.CRITICAL_PROBLEM);
        assertThat(node(world.from(B), A).detail()).contains("new appliance");
    }

    @Test
    void theSameAnswerIsGivenTwice() {
        World world = failedOver(FailoverMode.AUTOMATIC);
        assertThat(world.from(B)).isEqualTo(world.from(B));
    }

    // ---- every word is reached

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
                .says(B, HealthTest::waiting)
                .says(C, HealthTest::waiting);
        healths.add(dead.from(B).health());
        attachments.add(node(dead.from(B), B).attachment());
        World unborn = new World(3, FailoverMode.MANUAL).kill(A);
        unborn.state = null;
        roles.add(node(unborn.from(B), B).role());
        healths.add(new World(3, FailoverMode.MANUAL)
                .cut(B, A)
                .cut(B, C)
                .says(B, HealthTest::waiting)
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

    // ---- a small world

    private static World failedOver(FailoverMode mode) {
        return new World(3, mode)
                .kill(A)
                .change(state -> elected(state, B)
                        .recordReign(new Reign(B, 2, Lsn.parse("0/4000000"), Lsn.parse("0/4000000"), 1))
                        .withVoters(Set.of(B, C), 1))
                .says(B, said -> primaryOf(said, 2))
                .says(C, said -> following(said, B, 2));
    }

    private static ClusterState elected(ClusterState state, CellId winner) {
        ClusterState sealing = state.propose(winner, Phase.Kind.AUTOMATIC, NOON);
        Halt halt = new Halt(2, "deposed: cell-2 was elected in ballot 2", NOON, null, null);
        return sealing.elect(winner, 2, Map.of(state.primary().name(), halt));
    }

    private static PeerView waiting(PeerView said) {
        return view(said, CellState.CATCHING_UP, said.health(), said.epoch(), null, 0);
    }

    private static PeerView with(PeerView said, CellState state) {
        return view(said, state, said.health(), said.epoch(), said.streamsFrom(), said.streamEpoch());
    }

    private static PeerView health(PeerView said, PeerView.Health health) {
        return view(said, said.state(), health, said.epoch(), said.streamsFrom(), said.streamEpoch());
    }

    private static PeerView primaryOf(PeerView said, long epoch) {
        return view(said, CellState.PRIMARY, PeerView.Health.OK, epoch, null, 0);
    }

    private static PeerView following(PeerView said, CellId primary, long epoch) {
        return view(said, CellState.STREAMING, PeerView.Health.OK, epoch, primary, epoch);
    }

    private static PeerView view(
            PeerView said, CellState state, PeerView.Health health, long epoch, CellId from, long streamEpoch) {
        return new PeerView(
                said.cell(),
                epoch,
                said.version(),
                state,
                health,
                said.rule(),
                said.sentence(),
                from,
                streamEpoch,
                said.received(),
                said.replayed(),
                (int) epoch,
                said.lagMillis(),
                said.progress(),
                said.zookeeper(),
                said.problem(),
                said.readOnly(),
                said.trouble(),
                said.oldestWal());
    }

    private static PeerView halted(PeerView said, String end) {
        return new PeerView(
                said.cell(),
                1,
                said.version(),
                CellState.HALTED,
                PeerView.Health.DOWN,
                1,
                "Halted.",
                null,
                0,
                Lsn.parse(end),
                null,
                1,
                -1,
                0,
                true,
                "",
                false,
                Trouble.NONE,
                null);
    }

    private static PeerView data(PeerView said, boolean readOnly, Trouble trouble) {
        return new PeerView(
                said.cell(),
                said.epoch(),
                said.version(),
                said.state(),
                said.health(),
                said.rule(),
                said.sentence(),
                said.streamsFrom(),
                said.streamEpoch(),
                said.received(),
                said.replayed(),
                said.timeline(),
                said.lagMillis(),
                said.progress(),
                said.zookeeper(),
                said.problem(),
                readOnly,
                trouble,
                said.oldestWal());
    }

    private static PeerView version(PeerView said, int version) {
        return new PeerView(
                said.cell(),
                said.epoch(),
                version,
                said.state(),
                said.health(),
                said.rule(),
                said.sentence(),
                said.streamsFrom(),
                said.streamEpoch(),
                said.received(),
                said.replayed(),
                said.timeline(),
                said.lagMillis(),
                said.progress(),
                said.zookeeper(),
                said.problem(),
                said.readOnly(),
                said.trouble(),
                said.oldestWal());
    }

    private static PeerView cutOff(PeerView said) {
        return new PeerView(
                said.cell(),
                said.epoch(),
                said.version(),
                said.state(),
                said.health(),
                said.rule(),
                said.sentence(),
                said.streamsFrom(),
                said.streamEpoch(),
                said.received(),
                said.replayed(),
                said.timeline(),
                said.lagMillis(),
                said.progress(),
                false,
                said.problem(),
                said.readOnly(),
                said.trouble(),
                said.oldestWal());
    }

    private static CellId id(String name) {
        return new CellId(new CellName(name), Incarnation.of(name.hashCode()));
    }

    private static Node node(ClusterReport report, CellId cell) {
        return report.nodes().stream()
                .filter(node -> node.name().equals(cell.name()))
                .findFirst()
                .orElseThrow();
    }

    /** Some cells, what each says, which of them are gone or paused, and who does not hear whom. */
    private static final class World {
        private final Map<CellId, PeerView> views = new TreeMap<>();
        private final Map<CellName, Address> addresses = new HashMap<>();
        private final Set<CellId> dead = new TreeSet<>();
        private final Set<CellId> paused = new TreeSet<>();
        private final Set<CellId> unlinked = new TreeSet<>();
        private final Set<List<CellId>> cuts = new java.util.HashSet<>();
        private ClusterState state;
        private int version = 10;
        private boolean zookeeper = true;
        /** How many of the cells run a ZooKeeper server, the first ones; 0 when others do. */
        private int servers;

        private final Map<CellId, Standing> standings = new TreeMap<>();

        /** The first one is primary, all others stream from it. */
        World(int cells, FailoverMode mode) {
            servers = cells;
            TreeMap<CellName, Member> members = new TreeMap<>();
            TreeSet<CellId> voters = new TreeSet<>();
            for (int number = 1; number <= cells; number++) {
                CellId cell = id("cell-" + number);
                Address address = new Address("127.0.0.1" + number, 5432, 5480, 5481);
                addresses.put(cell.name(), address);
                members.put(cell.name(), new Member(cell.incarnation(), address, 100, "default"));
                voters.add(cell);
                boolean primary = number == 1;
                views.put(
                        cell,
                        new PeerView(
                                cell,
                                1,
                                version,
                                primary ? CellState.PRIMARY : CellState.STREAMING,
                                PeerView.Health.OK,
                                1,
                                "All is well.",
                                primary ? null : A,
                                primary ? 0 : 1,
                                Lsn.parse(primary ? "0/3000100" : "0/3000000"),
                                null,
                                1,
                                primary ? 0 : 7,
                                42,
                                true,
                                "",
                                false,
                                Trouble.NONE,
                                null));
            }
            state = ClusterState.born(A, members.get(A.name()), "7", mode);
            state = new ClusterState(
                    1,
                    A,
                    voters,
                    cells / 2,
                    new Phase.Steady(),
                    1,
                    state.reigns(),
                    mode,
                    state.halted(),
                    members,
                    "7",
                    null);
        }

        World kill(CellId cell) {
            dead.add(cell);
            return this;
        }

        World alive(CellId cell) {
            dead.remove(cell);
            return this;
        }

        /** No other cell has a link to it: its session in ZooKeeper is all they see. */
        World unlink(CellId cell) {
            unlinked.add(cell);
            return this;
        }

        World pause(CellId cell) {
            paused.add(cell);
            return this;
        }

        /** Neither hears the other any more. */
        World cut(CellId one, CellId other) {
            cuts.add(List.of(one, other));
            cuts.add(List.of(other, one));
            return this;
        }

        World says(CellId cell, UnaryOperator<PeerView> change) {
            views.computeIfPresent(cell, (name, said) -> change.apply(said));
            return this;
        }

        World change(UnaryOperator<ClusterState> change) {
            state = change.apply(state);
            version++;
            views.replaceAll((cell, said) -> version(said, version));
            return this;
        }

        World withoutZooKeeper() {
            zookeeper = false;
            views.replaceAll((cell, said) -> data(cutOff(said), said.readOnly(), said.trouble()));
            return this;
        }

        /** The answer of all living cells, which must be the same. */
        ClusterReport same() {
            List<ClusterReport> all = views.keySet().stream()
                    .filter(cell -> !dead.contains(cell) && !paused.contains(cell))
                    .map(this::from)
                    .toList();
            assertThat(all).isNotEmpty();
            for (ClusterReport report : all) {
                assertThat(report).isEqualTo(all.getFirst());
            }
            return all.getFirst();
        }

        ClusterReport from(CellId asked) {
            Map<CellName, PeerLink> links = new HashMap<>();
            Map<CellName, Presence> present = new HashMap<>();
            views.forEach((cell, said) -> {
                if (!dead.contains(cell)) {
                    present.put(
                            cell.name(),
                            new Presence(
                                    said.cell(),
                                    addresses.get(cell.name()),
                                    said.state().name()));
                }
                if (!cell.equals(asked) && !unlinked.contains(cell)) {
                    links.put(cell.name(), link(asked, cell, said));
                }
            });
            CoordinationView coordination = new CoordinationView(
                    zookeeper, zookeeper, zookeeper && state == null, null, 0, Map.of(), present, false, List.of(), "");
            CellSettings settings = new CellSettings(
                    asked.name(),
                    addresses.get(asked.name()),
                    100,
                    "default",
                    null,
                    FailoverMode.AUTOMATIC,
                    CellSettings.IsolationResponse.READ_ONLY,
                    1,
                    CellSettings.Timing.defaults());
            return Health.report(new Known(
                    settings,
                    NOW,
                    NOON,
                    state,
                    state == null ? -1 : version,
                    coordination,
                    zookeeper ? 0 : NOW - 30_000,
                    views.get(asked),
                    links,
                    servers()));
        }

        World server(CellId cell, Standing standing) {
            standings.put(cell, standing);
            return this;
        }

        private List<EnsembleServer> servers() {
            List<EnsembleServer> all = new ArrayList<>();
            for (int number = 1; number <= servers; number++) {
                CellId cell = id("cell-" + number);
                Standing usual = dead.contains(cell) || paused.contains(cell)
                        ? Standing.SILENT
                        : zookeeper ? Standing.SERVING : Standing.WAITING;
                all.add(new EnsembleServer(
                        "server " + number + " (" + cell.name() + ")",
                        cell.name(),
                        standings.getOrDefault(cell, usual)));
            }
            return all;
        }

        private PeerLink link(CellId asked, CellId cell, PeerView said) {
            if (dead.contains(cell)) {
                return new PeerLink(PeerLink.Status.GONE, said, NOW - 9_000);
            }
            boolean silent = paused.contains(cell) || cuts.contains(List.of(asked, cell));
            return new PeerLink(PeerLink.Status.CONNECTED, said, silent ? NOW - 9_000 : NOW - 100);
        }
    }
}
