package org.cellkeeper.cell.decide;

import static org.assertj.core.api.Assertions.assertThat;
import static org.cellkeeper.cell.decide.Scene.A;
import static org.cellkeeper.cell.decide.Scene.B;
import static org.cellkeeper.cell.decide.Scene.C;
import static org.cellkeeper.cell.decide.Scene.END;
import static org.cellkeeper.cell.decide.Scene.NOON;
import static org.cellkeeper.cell.decide.Scene.TIMING;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.cellkeeper.cell.decide.Facts.BallotRole;
import org.cellkeeper.cell.decide.Facts.PromotionStage;
import org.cellkeeper.cell.decide.Facts.Stream;
import org.cellkeeper.cell.decide.Facts.SwitchoverStage;
import org.cellkeeper.cell.decide.Facts.Wal;
import org.cellkeeper.cell.decide.Facts.WriteAvailability;
import org.cellkeeper.cell.model.DatabaseView.Control;
import org.cellkeeper.cell.model.DatabaseView.Receiver;
import org.cellkeeper.cell.model.LocalState.HandoverMark;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.Phase;
import org.cellkeeper.cell.model.SyncSetting;
import org.cellkeeper.cell.model.Upstream;
import org.junit.jupiter.api.Test;

/** The facts that guard something: what must be seen before a cell votes, promotes, hands over or takes writes. */
final class FactsTest {
    private static final Lsn LATER = new Lsn(END.value() + 8);
    private static final SyncSetting BY_C = SyncSetting.of(List.of(C), 1, 2);

    private final Scene a = new Scene(A);
    private final Scene b = new Scene(B);

    FactsTest() {
        a.local = a.local.withPrimaryEpoch(1);
    }

    // ---- a standby's stream

    @Test
    void a_standby_without_an_upstream_is_detached_only_when_its_walreceiver_is_gone_for_good() {
        b.runsAsStandby(Receiver.WAITING, true);
        assertThat(b.facts().stream()).as("a predecessor's file (T12)").isEqualTo(Stream.WRONG);
        b.did(new Action.Unfollow());
        assertThat(b.facts().stream()).isEqualTo(Stream.LOOSE);
        b.runsAsStandby(Receiver.DETACHED, true);
        assertThat(b.facts().stream()).isEqualTo(Stream.DETACHED);
    }

    @Test
    void a_stream_is_live_only_from_the_primary_in_its_epoch() {
        b.runsAsStandby(Receiver.STREAMING, true);
        b.upstreamOnDisk = Scene.upstream(A, 1);
        assertThat(b.facts().stream()).isEqualTo(Stream.LIVE);
        for (Upstream other : List.of(Scene.upstream(C, 1), Scene.upstream(A, 2))) {
            b.upstreamOnDisk = other;
            b.did(new Action.Follow(other));
            assertThat(b.facts().stream()).isEqualTo(Stream.WRONG);
            assertThat(Standbys.streamsLive(b.view())).isFalse();
        }
    }

    @Test
    void a_stream_that_does_not_come_is_broken_only_when_this_agent_has_set_it() {
        b.upstreamOnDisk = Scene.upstream(A, 1);
        b.runsAsStandby(Receiver.WAITING, true);
        assertThat(b.facts().stream()).as("a predecessor's file (T12)").isEqualTo(Stream.WRONG);
        b.did(new Action.Follow(b.upstreamOnDisk));
        assertThat(b.facts().stream()).isEqualTo(Stream.BROKEN);
    }

    @Test
    void wal_is_compared_only_when_its_end_is_known() {
        b.runsAsStandby(Receiver.DETACHED, false);
        assertThat(b.facts().wal()).isEqualTo(Wal.UNKNOWN);
        b.runsAsStandby(Receiver.DETACHED, true);
        assertThat(b.facts().wal()).isEqualTo(Wal.PREFIX);
    }

    // ---- ballots

    @Test
    void a_voter_with_a_live_stream_objects_unless_it_has_sealed() {
        ballotIsOpen();
        b.runsAsStandby(Receiver.STREAMING, true);
        b.upstreamOnDisk = Scene.upstream(A, 1);
        assertThat(b.facts().ballotRole()).isEqualTo(BallotRole.OBJECTING);
        b.local = b.local.withSealedBallot(2);
        assertThat(b.facts().ballotRole()).isEqualTo(BallotRole.SEALED);
        b.votes.put(B.name(), Scene.vote(B, 2, END));
        assertThat(b.facts().ballotRole()).isEqualTo(BallotRole.VOTED);
    }

    @Test
    void one_that_does_not_come_to_rest_in_time_is_overdue() {
        ballotIsOpen();
        b.runsAsStandby(Receiver.WAITING, true);
        b.pass(TIMING.ballot().dividedBy(4).minusMillis(1));
        assertThat(b.facts().ballotRole()).isEqualTo(BallotRole.UNSEALED);
        b.pass(Duration.ofMillis(1));
        assertThat(b.facts().ballotRole()).isEqualTo(BallotRole.OVERDUE);
        b.runsAsStandby(Receiver.DETACHED, true);
        assertThat(b.facts().ballotRole()).isEqualTo(BallotRole.UNSEALED);
    }

    @Test
    void a_handovers_target_may_take_over_when_it_holds_all_of_the_wal() {
        b.runsAsStandby(Receiver.STREAMING, true);
        b.state = b.state.startHandover(B, NOON);
        assertThat(b.facts().ballotRole()).isEqualTo(BallotRole.OFFERED_EARLY);
        assertThat(roleWithToken(LATER)).isEqualTo(BallotRole.OFFERED_EARLY);
        assertThat(roleWithToken(END)).isEqualTo(BallotRole.OFFERED);
    }

    // ---- promotion

    @Test
    void a_winner_promotes_when_nothing_is_received_and_this_agents_own_commit_rule_is_in_force() {
        bHasWon();
        b.runsAsStandby(Receiver.WAITING, true);
        assertThat(b.facts().promotionStage()).isEqualTo(PromotionStage.ATTACHED);
        b.did(new Action.Unfollow());
        assertThat(b.facts().promotionStage()).isEqualTo(PromotionStage.DETACHING);
        b.runsAsStandby(Receiver.DETACHED, true);
        b.syncOnDisk = BY_C;
        b.syncInForce = BY_C;
        assertThat(b.facts().promotionStage()).as("a predecessor's file (T12)").isEqualTo(PromotionStage.UNNAMED);
        b.did(new Action.ApplySync(BY_C));
        assertThat(b.facts().promotionStage()).isEqualTo(PromotionStage.NAMED);
        b.syncInForce = SyncSetting.NOBODY;
        assertThat(b.facts().promotionStage()).isEqualTo(PromotionStage.UNNAMED);
    }

    @Test
    void a_primary_that_runs_must_have_been_opened_for_this_epoch_on_a_new_timeline() {
        bHasWon();
        b.runsAsPrimary(2);
        assertThat(b.facts().promotionStage()).isEqualTo(PromotionStage.UNLAWFUL);
        b.local = b.local.withPrimaryEpoch(2);
        assertThat(b.facts().promotionStage()).isEqualTo(PromotionStage.PROMOTED);
        b.runsAsPrimary(1);
        assertThat(b.facts().promotionStage()).as("T4").isEqualTo(PromotionStage.CLASH);
    }

    @Test
    void data_that_were_opened_on_their_old_timeline_begin_no_reign() {
        bHasWon();
        b.local = b.local.withPrimaryEpoch(2);
        b.startsAsStandby = false;
        assertThat(b.facts().promotionStage()).isEqualTo(PromotionStage.SPOILED);
        b.control = new Control(false, 1, END, 2, false);
        assertThat(b.facts().promotionStage()).as("promoted, and stopped").isEqualTo(PromotionStage.UNNAMED);
        b.control = new Control(false, 1, END, 1, true);
        assertThat(b.facts().promotionStage()).as("not opened yet").isEqualTo(PromotionStage.UNNAMED);
    }

    // ---- a primary's writers

    @Test
    void writers_are_let_in_again_until_that_is_sure_to_be_in_force() {
        aReigns();
        assertThat(a.facts().writeAvailability()).isEqualTo(WriteAvailability.FINE);
        a.readOnly = true;
        assertThat(a.facts().writeAvailability()).isEqualTo(WriteAvailability.RECOVERED);
        Action open = new Action.SetReadOnly(false);
        a.memory = a.memory.begun(open, a.view().database(), a.now);
        a.readOnly = false;
        assertThat(a.facts().writeAvailability()).isEqualTo(WriteAvailability.RECOVERED);
        a.did(open);
        assertThat(a.facts().writeAvailability()).isEqualTo(WriteAvailability.FINE);
    }

    @Test
    void writers_are_turned_away_when_too_few_have_acknowledged_for_a_while() {
        aReigns();
        a.runsAsPrimary(1);
        a.pass(TIMING.readOnlyAfter().minusMillis(1));
        assertThat(a.facts().writeAvailability()).isEqualTo(WriteAvailability.SHORT);
        a.pass(Duration.ofMillis(1));
        assertThat(a.facts().writeAvailability()).isEqualTo(WriteAvailability.LACKING);
        a.readOnly = true;
        assertThat(a.facts().writeAvailability()).isEqualTo(WriteAvailability.LACKING_CLOSED);
        a.pass(TIMING.isolation());
        assertThat(a.facts().writeAvailability()).as("ZooKeeper is there").isEqualTo(WriteAvailability.LACKING_CLOSED);
        a.connected = false;
        a.pass(TIMING.isolation());
        assertThat(a.facts().writeAvailability()).isEqualTo(WriteAvailability.LACKING_STOP);
    }

    // ---- a primary that hands over

    @Test
    void a_handover_goes_from_stop_to_mark_to_token_and_each_only_after_the_one_before() {
        aReigns();
        a.state = a.state.startHandover(B, NOON);
        a.pass(Duration.ZERO);
        assertThat(a.facts().switchoverStage()).isEqualTo(SwitchoverStage.STOPPING);
        Scene stopped = new Scene(A);
        stopped.local = a.local;
        stopped.state = a.state;
        stopped.pass(Duration.ZERO);
        assertThat(stopped.facts().switchoverStage()).isEqualTo(SwitchoverStage.UNMARKED);
        stopped.control = new Control(false, 1, END, 1, false);
        assertThat(stopped.facts().switchoverStage()).isEqualTo(SwitchoverStage.UNCLEAN);
        stopped.control = Scene.shutDown(END);
        stopped.local = a.local.withHandoverMark(new HandoverMark(1, END));
        assertThat(stopped.facts().switchoverStage()).as("an older mark").isEqualTo(SwitchoverStage.UNMARKED);
        stopped.local = a.local.withHandoverMark(new HandoverMark(2, END));
        assertThat(stopped.facts().switchoverStage()).isEqualTo(SwitchoverStage.MARKED);
        stopped.state = a.state.publishToken(END);
        assertThat(stopped.facts().switchoverStage()).isEqualTo(SwitchoverStage.OFFERED);
        stopped.pass(TIMING.handover());
        assertThat(stopped.facts().switchoverStage()).isEqualTo(SwitchoverStage.OVERDUE);
    }

    private void ballotIsOpen() {
        b.state = b.state.propose(C, Phase.Kind.AUTOMATIC, NOON);
        b.pass(Duration.ZERO);
    }

    private BallotRole roleWithToken(Lsn token) {
        b.state = b.state.publishToken(token);
        return b.facts().ballotRole();
    }

    private void bHasWon() {
        b.state = b.state.propose(C, Phase.Kind.AUTOMATIC, NOON).elect(B, 2, Map.of());
        b.votes.put(B.name(), Scene.vote(B, 2, END));
        b.votes.put(C.name(), Scene.vote(C, 2, END));
        b.pass(Duration.ZERO);
    }

    private void aReigns() {
        a.runsAsPrimary(1, B, C);
        a.syncOnDisk = a.state.syncSetting();
        a.pass(Duration.ZERO);
    }
}
