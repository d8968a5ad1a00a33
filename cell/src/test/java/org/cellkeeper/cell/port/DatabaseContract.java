package org.cellkeeper.cell.port;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.DatabaseView.Data;
import org.cellkeeper.cell.model.DatabaseView.Receiver;
import org.cellkeeper.cell.model.DatabaseView.WalSender;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.StreamName;
import org.cellkeeper.cell.model.SyncSetting;
import org.cellkeeper.cell.model.Upstream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What every {@link Database} does, so that what is proven on a simulated one holds on PostgreSQL. */
public abstract class DatabaseContract {
    private static final String A = "cell-a";
    private static final String B = "cell-b";
    private static final String C = "cell-c";
    private static final long EPOCH = 7;
    private static final long SOON = 10_000;
    private static final long QUICK = 3_000;
    private static final long WHILE = 300;

    private Bench bench;

    /** A new world. */
    protected abstract Bench bench() throws Exception;

    @BeforeEach
    void open() throws Exception {
        bench = bench();
    }

    @AfterEach
    void close() {
        bench.close();
    }

    // ---- birth

    @Test
    void anEmptyDirectoryIsEmptyAndStopped() {
        DatabaseView view = look(A);
        assertThat(view.data()).isEqualTo(Data.EMPTY);
        assertThat(view.instance()).isInstanceOf(DatabaseView.Stopped.class);
        assertThat(view.systemId()).isNull();
        assertThat(view.control()).isNull();
        assertThat(view.upstreamOnDisk()).isNull();
        refuses(() -> bench.database(A).startPrimary());
        refuses(() -> bench.database(A).checkpoint(10_000));
    }

    @Test
    void initialiseLeavesAStoppedPrimaryThatNobodyAcknowledges() {
        DatabaseView view = bench.get(bench.database(A).initialise());
        assertThat(view.data()).isEqualTo(Data.PRESENT);
        assertThat(view.instance()).isInstanceOf(DatabaseView.Stopped.class);
        assertThat(view.startsAsStandby()).isFalse();
        assertThat(view.systemId()).isNotEmpty();
        assertThat(view.control()).isNotNull();
        assertThat(view.control().cleanlyShutDown()).isTrue();
        assertThat(view.control().timeline()).isEqualTo(1);
        assertThat(view.syncOnDisk()).isEqualTo(SyncSetting.NOBODY);
        assertThat(view.upstreamOnDisk()).isNull();
        assertThat(view.readOnly()).isFalse();
        refuses(() -> bench.database(A).initialise());

        DatabaseView wiped = bench.get(bench.database(A).wipe());
        assertThat(wiped.data()).isEqualTo(Data.EMPTY);
        assertThat(wiped.systemId()).isNull();
    }

    @Test
    void aPrimaryWithNobodyNamedRunsAndAcknowledgesNothing() {
        bench.found(A);
        DatabaseView view = bench.get(bench.database(A).startPrimary());
        assertThat(view.instance()).isInstanceOf(DatabaseView.Running.class);
        assertThat(view.isPrimary()).isTrue();
        assertThat(view.postmaster()).isNotZero();
        assertThat(view.primary().timeline()).isEqualTo(1);
        assertThat(view.primary().timelineStart()).isEqualTo(Lsn.ZERO);
        assertThat(view.primary().flushed()).isGreaterThan(Lsn.ZERO);
        assertThat(view.primary().senders()).isEmpty();
        assertThat(lookThoroughly(A).syncInForce()).isEqualTo(SyncSetting.NOBODY);
        assertThat(bench.commit(A, WHILE)).isFalse();
        assertThat(await(A, v -> v.isPrimary() && v.primary().waiting() == 1)).isNotNull();
        refuses(() -> bench.database(A).startPrimary());
        refuses(() -> bench.database(A).wipe());
        refuses(() -> bench.database(A).follow(bench.upstream(B, EPOCH), bench.id(A)));
        refuses(() -> bench.database(A).promote(1));
    }

    // ---- clones, streams, and who counts

    @Test
    void aCloneIsAStoppedStandbyOfTheSameSystemWithoutUpstream() {
        primary(A);
        bench.get(bench.database(A).keepSlots(bench.id(A), Set.of(bench.id(B))));
        DatabaseView view = clone(B, A);
        assertThat(view.data()).isEqualTo(Data.PRESENT);
        assertThat(view.instance()).isInstanceOf(DatabaseView.Stopped.class);
        assertThat(view.startsAsStandby()).isTrue();
        assertThat(view.systemId()).isEqualTo(look(A).systemId());
        assertThat(view.upstreamOnDisk()).isNull();
        assertThat(view.syncOnDisk()).isEqualTo(SyncSetting.NOBODY);
        assertThat(view.readOnly()).isFalse();
        refuses(() -> bench.database(B).startPrimary());

        DatabaseView started = bench.get(bench.database(B).startStandby(null, bench.id(B)));
        assertThat(started.isStandby()).isTrue();
        DatabaseView detached = await(B, v -> v.isStandby() && v.standby().receiver() == Receiver.DETACHED);
        assertThat(detached.standby().endKnown()).isTrue();
        assertThat(detached.standby().timeline()).isEqualTo(1);
    }

    @Test
    void aNamedStandbyAcknowledgesAndOnlyUnderItsWholeName() {
        primary(A);
        standby(B, A);
        DatabaseView view = awaitSenders(A, 1);
        WalSender sender = view.primary().senders().getFirst();
        assertThat(sender.name()).isEqualTo(new StreamName(bench.id(B), EPOCH));
        assertThat(sender.priority()).isZero();
        assertThat(bench.commit(A, WHILE)).isFalse();

        name(A, 1, EPOCH + 1, B);
        assertThat(bench.commit(A, WHILE)).as("named in another epoch").isFalse();

        name(A, 1, EPOCH, B);
        assertThat(bench.commit(A, QUICK)).isTrue();
        assertThat(look(A).primary().senders().getFirst().priority()).isPositive();
        DatabaseView primary = look(A);
        await(B, v -> v.standby().received().atLeast(primary.primary().flushed()));
        assertThat(bench.rows(B)).isEqualTo(bench.rows(A));
    }

    @Test
    void twoAcknowledgementsNeedTwoStandbys() {
        primary(A);
        standby(B, A);
        name(A, 2, EPOCH, B, C);
        assertThat(bench.commit(A, WHILE)).isFalse();
        standby(C, A);
        assertThat(bench.commit(A, QUICK)).isTrue();
    }

    @Test
    void slotsOfOthersAreLeftAloneHoweverTheyAreNamed() {
        primary(A);
        List<String> others = List.of(
                "barman_20260102",
                "nightly",
                bench.id(B).slotOn(bench.id(C)),
                bench.id(A).slotOn(bench.id(B)));
        others.forEach(slot -> bench.makeSlot(A, slot));
        bench.get(bench.database(A).keepSlots(bench.id(A), Set.of(bench.id(B))));
        DatabaseView kept = bench.get(bench.database(A).keepSlots(bench.id(A), Set.of()));
        assertThat(kept.slots()).containsExactlyInAnyOrderElementsOf(others);
    }

    @Test
    void aStandbyStreamsOnlyThroughItsSlot() {
        primary(A);
        refuses(() -> bench.database(B).cloneFrom(bench.upstream(A, EPOCH), bench.id(B), percent -> {}));
        bench.get(bench.database(A).keepSlots(bench.id(A), Set.of(bench.id(B))));
        clone(B, A);
        bench.get(bench.database(A).keepSlots(bench.id(A), Set.of()));
        bench.get(bench.database(B).startStandby(bench.upstream(A, EPOCH), bench.id(B)));
        bench.pass(WHILE);
        // It is turned away each time that it connects anew; until then it may look as if it streamed.
        await(B, v -> v.standby().receiver() == Receiver.WAITING);
        awaitSenders(A, 0);
        DatabaseView kept = bench.get(bench.database(A).keepSlots(bench.id(A), Set.of(bench.id(B), bench.id(C))));
        assertThat(kept.slots())
                .containsExactlyInAnyOrder(
                        bench.id(B).slotOn(bench.id(A)), bench.id(C).slotOn(bench.id(A)));
        await(B, v -> v.standby().receiver() == Receiver.STREAMING);
        awaitSenders(A, 1);
        kept = bench.get(bench.database(A).keepSlots(bench.id(A), Set.of(bench.id(B))));
        assertThat(kept.slots()).containsExactly(bench.id(B).slotOn(bench.id(A)));
        DatabaseView onStandby = bench.get(bench.database(B).keepSlots(bench.id(B), Set.of(bench.id(C))));
        assertThat(onStandby.slots()).containsExactly(bench.id(C).slotOn(bench.id(B)));
    }

    @Test
    void anotherCellAtThePrimarysAddressIsNeitherFollowedNorCloned() {
        primary(A);
        standby(B, A);
        standby(C, A);
        bench.get(bench.database(A).keepSlots(bench.id(A), Set.of(bench.id(B), bench.id(C))));
        bench.get(bench.database(B).keepSlots(bench.id(B), Set.of(bench.id(A), bench.id(C))));
        name(A, 1, EPOCH, B);
        await(C, v -> v.standby().receiver() == Receiver.STREAMING);
        Upstream there = bench.upstream(B, EPOCH);
        Upstream mistaken = new Upstream(bench.id(A), EPOCH + 1, there.host(), there.port());
        bench.get(bench.database(C).follow(mistaken, bench.id(C)));
        await(C, v -> mistaken.equals(v.upstreamOnDisk()) && v.standby().receiver() == Receiver.WAITING);
        assertThat(bench.commit(A, QUICK)).isTrue();
        for (int round = 0; round < 20; round++) {
            bench.pass(50);
            assertThat(look(C).standby().receiver()).isNotEqualTo(Receiver.STREAMING);
        }
        assertThat(bench.rows(C)).isZero();
        bench.get(bench.database(C).stopFast(SOON));
        refuses(() -> bench.database(C).cloneFrom(mistaken, bench.id(C), percent -> {}));
    }

    @Test
    void aRuleThatASuperuserSetsGoesAsSoonAsSomebodyLooks() {
        primary(A);
        standby(B, A);
        name(A, 1, EPOCH, B);
        assertThat(bench.commit(A, QUICK)).isTrue();
        SyncSetting asked = lookThoroughly(A).syncInForce();
        for (int round = 0; round < 3; round++) {
            bench.overrule(A);
            assertThat(look(A).syncOnDisk()).isEqualTo(asked);
            bench.pass(WHILE);
            assertThat(lookThoroughly(A).syncInForce()).isEqualTo(asked);
        }
        assertThat(bench.commit(A, QUICK)).isTrue();
        bench.get(bench.database(B).stopImmediate());
        awaitSenders(A, 0);
        bench.overrule(A);
        look(A);
        bench.pass(WHILE);
        assertThat(bench.commit(A, WHILE)).isFalse();
    }

    // ---- WAL that is removed

    @Test
    void aCloneKeepsTheWalThatItNeedsNext() {
        primary(A);
        bench.get(bench.database(A).keepSlots(bench.id(A), Set.of(bench.id(B))));
        DatabaseView cloned = clone(B, A);
        assertThat(lookThoroughly(A).slots()).containsExactly(bench.id(B).slotOn(bench.id(A)));
        bench.removeWal(A);
        bench.get(bench.database(B).startStandby(bench.upstream(A, EPOCH), bench.id(B)));
        name(A, 1, EPOCH, B);
        assertThat(bench.commit(A, SOON)).isTrue();
        assertThat(cloned.data()).isEqualTo(Data.PRESENT);
    }

    @Test
    void aCloneMakesItsLostSlotAnew() {
        primary(A);
        bench.get(bench.database(A).keepSlots(bench.id(A), Set.of(bench.id(B))));
        bench.loseSlots(A);
        clone(B, A);
        bench.removeWal(A);
        bench.get(bench.database(B).startStandby(bench.upstream(A, EPOCH), bench.id(B)));
        name(A, 1, EPOCH, B);
        assertThat(bench.commit(A, SOON)).isTrue();
    }

    @Test
    void aStandbyWhoseNextWalIsGoneIsToldSoAndGetsNoStreamUntilItIsCloned() {
        primary(A);
        standby(B, A);
        bench.get(bench.database(B).stopFast(SOON));
        bench.loseSlots(A);
        bench.get(bench.database(A).keepSlots(bench.id(A), Set.of(bench.id(B))));
        name(A, 1, EPOCH, B);
        Lsn oldest = lookThoroughly(A).primary().oldestWal();
        bench.get(bench.database(B).startStandby(bench.upstream(A, EPOCH), bench.id(B)));
        DatabaseView behind = await(
                B, v -> v.isStandby() && v.standby().endKnown() && v.standby().receiver() == Receiver.WAITING);
        assertThat(behind.standby().received()).isLessThan(oldest);
        assertThat(bench.commit(A, QUICK)).isFalse();
        assertThat(look(A).primary().senders()).noneMatch(WalSender::streaming);

        bench.get(bench.database(B).stopImmediate());
        clone(B, A);
        bench.get(bench.database(B).startStandby(bench.upstream(A, EPOCH), bench.id(B)));
        assertThat(bench.commit(A, SOON)).isTrue();
    }

    // ---- the seal

    @Test
    void aDetachedStandbyReceivesNothingMoreAndAcknowledgesNothing() {
        primary(A);
        standby(B, A);
        name(A, 1, EPOCH, B);
        assertThat(bench.commit(A, QUICK)).isTrue();

        DatabaseView unfollowed = bench.get(bench.database(B).unfollow());
        assertThat(unfollowed.upstreamOnDisk()).isNull();
        Lsn sealed = await(B, v -> v.standby().receiver() == Receiver.DETACHED)
                .standby()
                .received();
        assertThat(bench.commit(A, WHILE)).isFalse();
        awaitSenders(A, 0);
        DatabaseView later = look(B);
        assertThat(later.standby().receiver()).isEqualTo(Receiver.DETACHED);
        assertThat(later.standby().received()).isEqualTo(sealed);
        assertThat(later.standby().endKnown()).isTrue();
        assertThat(look(A).primary().flushed()).isGreaterThan(sealed);

        bench.get(bench.database(B).follow(bench.upstream(A, EPOCH), bench.id(B)));
        await(B, v -> v.standby().receiver() == Receiver.STREAMING);
        assertThat(bench.commit(A, QUICK)).isTrue();
    }

    @Test
    void aDetachedStandbyStaysSoAcrossARestartAndKnowsItsEndAgain() {
        primary(A);
        standby(B, A);
        name(A, 1, EPOCH, B);
        assertThat(bench.commit(A, QUICK)).isTrue();
        bench.get(bench.database(B).unfollow());
        DatabaseView before = await(B, v -> v.standby().receiver() == Receiver.DETACHED);

        bench.get(bench.database(B).stopImmediate());
        bench.get(bench.database(B).startStandby(null, bench.id(B)));
        DatabaseView after = await(
                B, v -> v.isStandby() && v.standby().endKnown() && v.standby().receiver() == Receiver.DETACHED);
        assertThat(after.postmaster()).isNotEqualTo(before.postmaster());
        // The head of a record whose end never came is not known again.
        assertThat(after.standby().received())
                .isLessThanOrEqualTo(before.standby().received());
        assertThat(after.standby().received())
                .isGreaterThanOrEqualTo(before.standby().replayed());
        assertThat(after.standby().timeline()).isEqualTo(before.standby().timeline());
        assertThat(bench.rows(B)).isEqualTo(1);
    }

    @Test
    void whatAStandbyHoldsIsNotSaidToBeKnownWhileItReplaysAfterARestartInPlace() {
        primary(A);
        standby(B, A);
        name(A, 1, EPOCH, B);
        for (int row = 0; row < 20; row++) {
            assertThat(bench.commit(A, QUICK)).isTrue();
        }
        Lsn acknowledged = look(A).primary().flushed();
        DatabaseView before = await(
                B,
                v -> v.standby().received().atLeast(acknowledged) && v.standby().endKnown());
        bench.crashChild(B);
        bench.crash(A);
        boolean again = false;
        for (long waited = 0; !again && waited < SOON; waited += 2) {
            bench.pass(2);
            DatabaseView view = look(B);
            if (view.isStandby() && view.standby().endKnown()) {
                assertThat(view.standby().received()).isGreaterThanOrEqualTo(acknowledged);
                assertThat(view.postmaster()).isEqualTo(before.postmaster());
                again = view.standby().receiver() != Receiver.STREAMING;
            }
        }
        assertThat(again).isTrue();
    }

    // ---- promotion

    @Test
    void aPromotedStandbyIsPrimaryOnAHigherTimelineAndTheOthersFollowItWithoutRestart() {
        primary(A);
        standby(B, A);
        standby(C, A);
        name(A, 1, EPOCH, B, C);
        assertThat(bench.commit(A, QUICK)).isTrue();
        int acknowledged = bench.rows(A);
        for (String cell : List.of(B, C)) {
            bench.get(bench.database(cell).unfollow());
        }
        Lsn sealedB = await(B, v -> v.standby().receiver() == Receiver.DETACHED)
                .standby()
                .received();
        Lsn sealedC = await(C, v -> v.standby().receiver() == Receiver.DETACHED)
                .standby()
                .received();
        String winner = sealedB.atLeast(sealedC) ? B : C;
        String other = winner.equals(B) ? C : B;
        Lsn sealed = sealedB.max(sealedC);

        bench.get(bench.database(winner).applySync(SyncSetting.of(List.of(bench.id(other)), 1, EPOCH + 1)));
        bench.get(bench.database(winner).keepSlots(bench.id(winner), Set.of(bench.id(A), bench.id(other))));
        DatabaseView promoted = bench.get(bench.database(winner).promote(1));
        assertThat(promoted.isPrimary()).isTrue();
        assertThat(promoted.startsAsStandby()).isFalse();
        assertThat(promoted.primary().timeline()).isEqualTo(2);
        assertThat(promoted.primary().timelineStart()).isGreaterThan(Lsn.ZERO);
        assertThat(promoted.primary().timelineStart()).isLessThanOrEqualTo(sealed);
        assertThat(bench.rows(winner)).isGreaterThanOrEqualTo(acknowledged);

        long run = look(other).postmaster();
        bench.get(bench.database(other).follow(bench.upstream(winner, EPOCH + 1), bench.id(other)));
        assertThat(bench.commit(winner, QUICK)).isTrue();
        DatabaseView following = await(
                other,
                v -> v.standby().receiver() == Receiver.STREAMING && v.standby().timeline() == 2);
        assertThat(following.postmaster()).isEqualTo(run);
        assertThat(following.upstreamOnDisk()).isEqualTo(bench.upstream(winner, EPOCH + 1));
    }

    @Test
    void aPromotionLeavesOutTimelinesThatAreTaken() {
        primary(A);
        standby(B, A);
        standby(C, A);
        bench.get(bench.database(B).unfollow());
        await(B, v -> v.standby().receiver() == Receiver.DETACHED);
        DatabaseView promoted = bench.get(bench.database(B).promote(4));
        assertThat(promoted.primary().timeline()).isEqualTo(5);

        bench.get(bench.database(B).keepSlots(bench.id(B), Set.of(bench.id(C))));
        bench.get(bench.database(C).unfollow());
        await(C, v -> v.standby().receiver() == Receiver.DETACHED);
        bench.get(bench.database(C).follow(bench.upstream(B, EPOCH + 1), bench.id(C)));
        name(B, 1, EPOCH + 1, C);
        assertThat(bench.commit(B, SOON)).isTrue();
        bench.get(bench.database(C).stopFast(SOON));
        bench.get(bench.database(C).startStandby(bench.upstream(B, EPOCH + 1), bench.id(C)));
        await(
                C,
                v -> v.isStandby()
                        && v.standby().receiver() == Receiver.STREAMING
                        && v.standby().timeline() == 5);
    }

    // ---- stopping

    @Test
    void aPrimaryThatStopsFastHasSentAllOfItsWal() {
        primary(A);
        standby(B, A);
        name(A, 1, EPOCH, B);
        assertThat(bench.commit(A, QUICK)).isTrue();
        DatabaseView stopped = bench.get(bench.database(A).stopFast(SOON));
        assertThat(stopped.instance()).isInstanceOf(DatabaseView.Stopped.class);
        assertThat(stopped.control().cleanlyShutDown()).isTrue();
        Lsn end = stopped.control().end();
        await(B, v -> v.standby().received().equals(end));

        // Nothing diverges: it may come back as the other's standby, or as the primary that it was.
        DatabaseView again = bench.get(bench.database(A).startPrimary());
        assertThat(again.syncOnDisk()).isEqualTo(SyncSetting.of(List.of(bench.id(B)), 1, EPOCH));
        assertThat(bench.commit(A, SOON)).isTrue();
    }

    @Test
    void anOldPrimaryThatStoppedFastFollowsTheOneItHandedOverTo() {
        primary(A);
        standby(B, A);
        name(A, 1, EPOCH, B);
        assertThat(bench.commit(A, QUICK)).isTrue();
        Lsn end = bench.get(bench.database(A).stopFast(SOON)).control().end();
        await(B, v -> v.standby().received().atLeast(end));
        bench.get(bench.database(B).unfollow());
        await(B, v -> v.standby().receiver() == Receiver.DETACHED);
        DatabaseView promoted = bench.get(bench.database(B).promote(1));
        assertThat(promoted.primary().timelineStart()).isEqualTo(end);
        bench.get(bench.database(B).keepSlots(bench.id(B), Set.of(bench.id(A))));
        bench.get(bench.database(A).startStandby(bench.upstream(B, EPOCH + 1), bench.id(A)));
        name(B, 1, EPOCH + 1, A);
        assertThat(bench.commit(B, SOON)).isTrue();
        assertThat(bench.rows(B)).isEqualTo(2);
    }

    @Test
    void anImmediateStopIsNoCleanShutdown() {
        primary(A);
        DatabaseView stopped = bench.get(bench.database(A).stopImmediate());
        assertThat(stopped.instance()).isInstanceOf(DatabaseView.Stopped.class);
        assertThat(stopped.control().cleanlyShutDown()).isFalse();
        assertThat(bench.get(bench.database(A).stopImmediate()).instance()).isInstanceOf(DatabaseView.Stopped.class);
        DatabaseView started = bench.get(bench.database(A).startPrimary());
        assertThat(started.isPrimary()).isTrue();
    }

    @Test
    void aCrashIsToldAndSeen() {
        primary(A);
        AtomicInteger told = new AtomicInteger();
        bench.database(A).listen(told::incrementAndGet);
        long run = look(A).postmaster();
        bench.crash(A);
        DatabaseView down = await(A, view -> view.isStopped() && told.get() > 0);
        assertThat(down.control().cleanlyShutDown()).isFalse();
        DatabaseView started = bench.get(bench.database(A).startPrimary());
        assertThat(started.postmaster()).isNotEqualTo(run);
    }

    // ---- the settings

    @Test
    void aReadOnlyPrimaryRefusesWritersAndLetsNobodyWait() {
        primary(A);
        assertThat(bench.commit(A, WHILE)).isFalse();
        await(A, v -> v.primary().waiting() == 1);
        DatabaseView view = bench.get(bench.database(A).setReadOnly(true));
        assertThat(view.readOnly()).isTrue();
        await(A, v -> v.primary().waiting() == 0);
        assertThat(bench.commit(A, WHILE)).isFalse();
        assertThat(look(A).primary().waiting()).isZero();
        view = bench.get(bench.database(A).setReadOnly(false));
        assertThat(view.readOnly()).isFalse();
        assertThat(bench.commit(A, WHILE)).isFalse();
        await(A, v -> v.primary().waiting() == 1);
    }

    @Test
    void aCancelledWaitIsNoAcknowledgement() {
        primary(A);
        assertThat(bench.commit(A, WHILE)).isFalse();
        await(A, v -> v.primary().waiting() == 1);
        bench.cancelWaits(A);
        await(A, v -> v.primary().waiting() == 0);
        assertThat(bench.rows(A)).as("it is there, and nobody else has it").isEqualTo(1);
    }

    @Test
    void whatAVerbHasDoneIsInTheObservationItCompletesWith() {
        primary(A);
        bench.get(bench.database(A).keepSlots(bench.id(A), Set.of(bench.id(B))));
        clone(B, A);
        DatabaseView standby = bench.get(bench.database(B).startStandby(null, bench.id(B)));
        assertThat(standby.instance()).isInstanceOf(DatabaseView.Running.class);
        for (int round = 1; round <= 20; round++) {
            // Others observe at the same time.
            var _ = bench.database(B).observe();
            SyncSetting setting = SyncSetting.of(List.of(bench.id(A), bench.id(C)), 1 + round % 2, round);
            assertThat(bench.get(bench.database(B).applySync(setting)).syncOnDisk())
                    .isEqualTo(setting);
            var _ = bench.database(B).observe();
            assertThat(bench.get(bench.database(B).follow(bench.upstream(A, round), bench.id(B)))
                            .upstreamOnDisk())
                    .isEqualTo(bench.upstream(A, round));
            DatabaseView unfollowed = bench.get(bench.database(B).unfollow());
            assertThat(unfollowed.upstreamOnDisk()).isNull();
            assertThat(unfollowed.syncOnDisk()).isEqualTo(setting);
        }
        assertThat(bench.get(bench.database(B).stopFast(SOON)).instance()).isInstanceOf(DatabaseView.Stopped.class);
        DatabaseView whileStopped = bench.get(bench.database(B).follow(bench.upstream(A, EPOCH), bench.id(B)));
        assertThat(whileStopped.upstreamOnDisk()).isEqualTo(bench.upstream(A, EPOCH));
    }

    @Test
    void walsendersOlderThanTheReloadAreTerminatedAndComeBack() {
        primary(A);
        standby(B, A);
        name(A, 1, EPOCH, B);
        DatabaseView old = lookThoroughly(A);
        assertThat(old.primary().senders()).allMatch(WalSender::olderThanReload);
        int pid = old.primary().senders().getFirst().pid();
        bench.get(bench.database(A).terminateOldSenders());
        for (int round = 0; round < 100; round++) {
            DatabaseView view = lookThoroughly(A);
            List<WalSender> senders = view.primary().senders();
            if (senders.size() == 1 && senders.getFirst().pid() != pid) {
                assertThat(senders.getFirst().olderThanReload()).isFalse();
                assertThat(bench.commit(A, QUICK)).isTrue();
                return;
            }
            bench.pass(50);
        }
        throw new AssertionError("the walsender did not come back");
    }

    // ---- building blocks

    private void primary(String name) {
        bench.found(name);
        bench.get(bench.database(name).startPrimary());
    }

    private DatabaseView clone(String name, String from) {
        AtomicInteger last = new AtomicInteger(-1);
        DatabaseView view =
                bench.get(bench.database(name).cloneFrom(bench.upstream(from, EPOCH), bench.id(name), percent -> {
                    assertThat(percent).isBetween(0, 100);
                    last.set(percent);
                }));
        assertThat(last.get()).isEqualTo(100);
        return view;
    }

    private void standby(String name, String of) {
        TreeSet<org.cellkeeper.cell.model.CellId> siblings = new TreeSet<>();
        siblings.add(bench.id(name));
        look(of).primary()
                .senders()
                .forEach(sender -> siblings.add(sender.name().cell()));
        bench.get(bench.database(of).keepSlots(bench.id(of), siblings));
        clone(name, of);
        bench.get(bench.database(name).startStandby(bench.upstream(of, EPOCH), bench.id(name)));
        await(name, v -> v.isStandby() && v.standby().receiver() == Receiver.STREAMING);
        StreamName stream = new StreamName(bench.id(name), EPOCH);
        await(
                of,
                v -> v.primary().senders().stream()
                        .anyMatch(sender -> sender.name().equals(stream) && sender.streaming()));
    }

    /** Makes the commit rule, and sees it in force. */
    private void name(String primary, int acks, long epoch, String... standbys) {
        List<org.cellkeeper.cell.model.CellId> ids =
                List.of(standbys).stream().map(bench::id).toList();
        SyncSetting setting = SyncSetting.of(ids, acks, epoch);
        assertThat(bench.get(bench.database(primary).applySync(setting)).syncOnDisk())
                .isEqualTo(setting);
        for (int round = 0; round < 100; round++) {
            if (setting.equals(lookThoroughly(primary).syncInForce())) {
                return;
            }
            bench.pass(10);
        }
        throw new AssertionError("not in force: " + setting);
    }

    private DatabaseView look(String name) {
        return bench.get(bench.database(name).observe());
    }

    private DatabaseView lookThoroughly(String name) {
        return bench.get(bench.database(name).observeThoroughly());
    }

    private DatabaseView awaitSenders(String name, int count) {
        return await(name, v -> v.isPrimary() && v.primary().senders().size() == count);
    }

    private DatabaseView await(String name, Predicate<DatabaseView> condition) {
        DatabaseView view = look(name);
        for (long waited = 0; !condition.test(view); waited += 20) {
            if (waited > SOON) {
                throw new AssertionError("never seen; at last: " + view);
            }
            bench.pass(20);
            view = look(name);
        }
        return view;
    }

    private void refuses(java.util.function.Supplier<? extends java.util.concurrent.CompletableFuture<?>> verb) {
        assertThatThrownBy(() -> bench.get(verb.get())).isInstanceOf(DatabaseFailure.class);
    }
}
