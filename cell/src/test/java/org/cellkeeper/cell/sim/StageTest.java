package org.cellkeeper.cell.sim;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Objects;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.CellSettings;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.Halt;
import org.cellkeeper.cell.model.HistoryEntry;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.port.Operator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The plainest stories, with the real core. */
final class StageTest {
    @Test
    void a_killed_primary_is_replaced_within_a_second_and_nothing_acknowledged_is_lost() {
        Stage stage = new Stage(3).born();
        long commit = stage.write("a");
        stage.await("acknowledged", () -> stage.isAcknowledged(commit));

        stage.cell("a").kill(false);
        long millis = stage.await("another one writable", () -> stage.isWritable("b") || stage.isWritable("c"));

        assertThat(millis).isLessThan(1_000);
        assertThat(stage.primary().postgres().holds(commit)).isTrue();
        long next = stage.write(stage.primary().label());
        stage.await("acknowledged again", () -> stage.isAcknowledged(next));
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2})
    void a_promotion_that_is_cut_off_is_begun_anew_or_found_done(int steps) {
        Stories.promotionIsCutOff(new Stage(3).born(), steps);
    }

    @Test
    void a_winner_whose_postgres_goes_on_by_itself_inside_its_promotion_gives_up_its_reign() {
        Stories.restartInPlaceInsideAPromotion(new Stage(4).born());
    }

    @Test
    void a_winner_that_cannot_promote_gives_up_its_reign_to_an_equal() {
        Stories.winnerCannotPromote(new Stage(4).born());
    }

    @Test
    void a_winner_that_cannot_promote_keeps_its_reign_while_it_alone_holds_a_commit() {
        Stories.winnerCannotPromoteAndAloneHoldsACommit(new Stage(3).born());
    }

    @Test
    void a_winner_that_cannot_promote_gives_up_its_reign_to_no_cell_that_holds_less() {
        Stories.winnerCannotPromoteAndOneOtherHoldsACommit(new Stage(5).born());
    }

    @Test
    void among_equals_one_that_is_open_goes_before_one_that_must_be_started_first() {
        Stories.theFirstOfEqualsLetsNobodyIn(new Stage(3).born());
    }

    /** ZooKeeper's servers come up late, on a busy machine; until then no primary may start. */
    @Test
    void after_a_cold_start_a_primary_has_its_time_from_when_zookeeper_is_there() {
        Stage stage = new Stage(3).born();
        long epoch = stage.state().epoch();
        long commit = stage.write("a");
        stage.await("acknowledged", () -> stage.isAcknowledged(commit));
        List<String> all = List.of("b", "c", "a");
        all.forEach(stage::kill);
        all.forEach(cell -> stage.network().cutZooKeeper(stage.cell(cell), true));
        all.forEach(stage::boot);
        stage.pass(25_000);
        // The standbys reach it a moment before the primary does.
        for (String cell : all) {
            stage.network().cutZooKeeper(stage.cell(cell), false);
            stage.pass(700);
        }
        stage.await("a is writable", () -> stage.isWritable("a"));
        assertThat(stage.state().epoch()).isEqualTo(epoch);
        stage.endWell();
    }

    @Test
    void an_entry_that_was_configured_anew_counts_from_then_on() {
        Stage stage = new Stage(3).born();
        CellSettings before = stage.cell("b").settings();
        Address elsewhere = new Address("10.0.9.9", 6432, 6480, 6481);
        CellSettings never = Records.with(Records.with(before, "priority", 0), "address", elsewhere);
        stage.kill("b");
        stage.cell("b").reconfigure(never);
        stage.boot("b");
        stage.await(
                "it is on record",
                () -> stage.state()
                        .members()
                        .get(before.name())
                        .equals(never.entry(stage.cell("b").id().incarnation())));
        stage.await("all vote again", () -> stage.state().voters().size() == 3);

        // Its stream counts, at its new address.
        stage.kill("c");
        stage.pass(3_000);
        long commit = stage.write("a");
        stage.await("b acknowledges", () -> stage.isAcknowledged(commit));
        stage.boot("c");
        stage.await("all vote again", () -> stage.state().voters().size() == 3);
        stage.pass(3_000);
        stage.kill("a");
        stage.awaitWritable("c");
        stage.endWell();
    }

    @Test
    void a_switchover_moves_the_primary_and_halts_nobody() {
        Stage stage = new Stage(3).born();

        stage.ask("b", new Operator.Request.Switchover(new CellName("c"), false));
        stage.await("c is writable", () -> stage.isWritable("c"));

        stage.await("all vote again", () -> stage.state().voters().size() == 3);
        assertThat(stage.state().halted()).isEmpty();
        assertThat(stage.cell("a").postgres().isStandby()).isTrue();
    }

    @Test
    void the_history_tells_of_a_failover_with_the_time_of_each_step() {
        Stage stage = new Stage(3).born();
        stage.kill("a");
        stage.awaitWritable("b", "c");
        stage.pass(1_000);

        HistoryEntry told = stage.told("Failover: ").getFirst();

        assertThat(stage.told("Failover: ")).hasSize(1);
        assertThat(told.cell()).isEqualTo(stage.state().primary().name());
        assertThat(told.epoch()).isEqualTo(stage.state().epoch());
        assertThat(told.steps())
                .extracting(HistoryEntry.Step::name)
                .containsExactly("suspected", "proposed", "sealed", "elected", "promoted", "recorded", "acknowledged");
        assertThat(told.steps())
                .extracting(HistoryEntry.Step::millis)
                .isSorted()
                .startsWith(0L);
        assertThat(told.steps().getLast().millis()).isPositive().isLessThan(1_000);
        assertThat(told.detail()).startsWith(told.steps().getLast().millis() + " ms: suspected 0, ");
    }

    @Test
    void the_history_tells_of_a_switchover_who_asked_and_the_time_of_each_step() {
        Stage stage = new Stage(3).born();
        stage.ask("b", new Operator.Request.Switchover(new CellName("c"), false));
        stage.await("c is writable", () -> stage.isWritable("c"));
        stage.pass(1_000);

        assertThat(stage.told("An operator asked for a switchover to c."))
                .singleElement()
                .satisfies(entry -> assertThat(entry.detail()).startsWith("somebody, at b; task "));
        assertThat(stage.told("Switchover: c is primary in place of a"))
                .singleElement()
                .satisfies(entry -> assertThat(entry.steps())
                        .extracting(HistoryEntry.Step::name)
                        .containsExactly("begun", "stopped", "elected", "promoted", "recorded", "acknowledged"));
        assertThat(stage.told("Failover: ")).isEmpty();
    }

    @Test
    void a_ballot_that_came_to_nothing_is_no_failover() {
        Stage stage = new Stage(3).born();
        stage.kill("a", "b");
        stage.pass(10_000);
        stage.boot("a");
        stage.boot("b");
        stage.endWell();
        stage.pass(1_000);

        assertThat(stage.told("Failover: ")).hasSize((int) stage.state().epoch() - 1);
    }

    @Test
    void the_history_tells_a_switchover_by_what_changed_and_leaves_the_steps_to_the_logs() {
        Stage stage = new Stage(3).born();
        int before = stage.told("").size();
        stage.ask("b", new Operator.Request.Switchover(new CellName("b"), false));
        stage.await("b reigns", () -> stage.primary().label().equals("b"));
        stage.endWell();
        stage.pass(2_000);

        // The voters come in by one move or two, as the standbys do.
        assertThat(stage.told("").stream().skip(before).map(HistoryEntry::rule).distinct())
                .containsExactly(0, 307, 704, 506, 507, 615);
    }

    @Test
    void the_history_tells_how_the_health_changed_and_one_cell_tells_it() {
        Stage stage = new Stage(3).born();
        stage.watchHealth();
        stage.pass(5_000);
        stage.kill("c");
        stage.pass(5_000);
        stage.kill("b");
        stage.pass(10_000);

        assertThat(stage.told("The cluster's health is "))
                .extracting(HistoryEntry::sentence)
                .containsExactly("The cluster's health is DEGRADED.", "The cluster's health is READ_ONLY_PRIMARY.");
    }

    @Test
    void without_a_primary_the_first_of_the_others_tells_of_the_health() {
        Stage stage = new Stage(3).born();
        stage.ask("b", new Operator.Request.SetMode(FailoverMode.MANUAL, false));
        stage.watchHealth();
        stage.pass(5_000);
        stage.kill("a");
        stage.pass(10_000);

        assertThat(stage.told("An operator changed the failover mode."))
                .singleElement()
                .satisfies(
                        entry -> assertThat(entry.detail()).startsWith("the failover mode is MANUAL; somebody, at b"));
        assertThat(stage.told("The cluster's health is ")).singleElement().satisfies(entry -> {
            assertThat(entry.sentence()).isEqualTo("The cluster's health is NO_ACTIVE_PRIMARY.");
            assertThat(entry.cell().value()).isEqualTo("b");
        });
    }

    @Test
    void a_promotion_whose_cell_died_bars_no_other_one() {
        Stage stage = new Stage(3).born();
        stage.ask("b", new Operator.Request.SetMode(FailoverMode.MANUAL, false));
        stage.pass(1_000);
        stage.kill("a");
        stage.pass(20_000);
        stage.ask("c", new Operator.Request.Promote(new CellName("b"), false, false));
        stage.await("it is a task", () -> stage.openTasks() == 1);
        stage.kill("b");

        stage.await("it has ended", () -> stage.openTasks() == 0);
        stage.pass(500);

        stage.promote("c", true);
        stage.await("c reigns", () -> stage.state().primary().equals(stage.id("c")));
    }

    @Test
    void a_switchover_whose_primary_died_bars_no_promotion() {
        Stage stage = new Stage(3).born();
        stage.ask("b", new Operator.Request.SetMode(FailoverMode.MANUAL, false));
        stage.pass(1_000);
        stage.ask("c", new Operator.Request.Switchover(new CellName("b"), false));
        stage.await("it is a task", () -> stage.openTasks() == 1);
        stage.kill("a");

        stage.await("it has ended", () -> stage.openTasks() == 0);
        stage.pass(500);

        if (!stage.state().primary().equals(stage.id("b"))) {
            stage.promote("b", false);
        }
        stage.awaitWritable("b");
    }

    @Test
    void what_a_switchover_needs_is_not_removed_meanwhile() {
        Stage stage = new Stage(3).born();
        stage.ask("c", new Operator.Request.Switchover(new CellName("b"), false));
        stage.await("it is a task", () -> stage.openTasks() == 1);
        // The cells read it.
        stage.pass(20);

        var asked = stage.ask("a", new Operator.Request.Remove(new CellName("b"), true, false));
        stage.await("an answer", asked::isDone);

        assertThat(asked.join())
                .isInstanceOfSatisfying(
                        Operator.Verdict.Refused.class,
                        refused -> assertThat(refused.code()).isEqualTo("change-under-way"));
        stage.awaitWritable("b");
    }

    @Test
    void a_standby_says_why_it_opens_no_ballot() {
        Stage stage = new Stage(5).born();
        stage.kill("a", "b", "c");
        stage.pass(5_000);
        assertThat(stage.doing("d")).startsWith("rule 713").contains("fewer than the 3 voters live");

        stage = new Stage(3).born();
        stage.ask("b", new Operator.Request.SetMode(FailoverMode.MANUAL, false));
        stage.pass(1_000);
        stage.kill("a");
        stage.pass(5_000);
        assertThat(stage.doing("b")).startsWith("rule 713").contains("the failover mode is MANUAL");
    }

    @Test
    void a_standby_that_lets_nobody_in_is_sealed_counted_and_promoted() {
        Stories.acknowledgerIsClosed(new Stage(3).born());
    }

    @Test
    void a_primary_is_replaced_although_no_standby_lets_anybody_in() {
        Stories.allStandbysAreClosed(new Stage(3).born());
    }

    @Test
    void a_reader_who_holds_up_replay_holds_up_no_failover() {
        Stories.replayIsBlocked(new Stage(3).born());
    }

    /** An operator decides by this whether to keep the data. */
    @Test
    void a_deposed_primary_tells_how_far_its_wal_reaches_though_it_crashed() {
        Stage stage = new Stage(3).born();
        stage.cutWal("a", "b");
        stage.cutWal("a", "c");
        stage.write("a");
        stage.pass(50);
        stage.kill("a");
        Lsn end = new Lsn(stage.cell("a").postgres().flushed());
        stage.awaitWritable("b", "c");
        stage.boot("a");
        CellName name = new CellName("a");
        stage.await("it is told", () -> {
            Halt halt = stage.state().halted().get(name);
            return halt != null && halt.lsn() != null;
        });
        assertThat(stage.state().halted().get(name).lsn()).isEqualTo(end);
        assertThat(end)
                .isGreaterThan(Objects.requireNonNull(stage.state().reign()).startLsn());
        stage.endWell();
    }

    @Test
    void a_cell_that_is_cut_off_returns_as_a_standby() {
        Stage stage = new Stage(3).born();
        stage.network().isolate(stage.cell("c"));
        stage.pass(6_000);
        long commit = stage.write("a");
        stage.await("acknowledged by b", () -> stage.isAcknowledged(commit));
        assertThat(stage.cell("c").postgres().holds(commit)).isFalse();

        stage.network().healAll();

        stage.await("c has it too", () -> stage.cell("c").postgres().holds(commit));
        assertThat(stage.state().epoch()).isEqualTo(1);
    }

    @Test
    void a_lost_standby_is_dropped_in_a_cluster_of_five_though_the_streams_of_the_others_are_old() {
        Stage stage = new Stage(5).born();
        assertThat(stage.state().acks()).isEqualTo(2);

        stage.kill("e");

        stage.await("e is dropped", () -> !stage.votes("e"));
        stage.endWell();
    }

    @Test
    void a_write_whose_answer_is_lost_and_that_lands_later_does_no_harm() {
        Stage stage = new Stage(3).born();
        stage.loseAnswerOf("b", SimCoordination.Fate.LATER, 1_500);

        stage.cell("a").kill(true);
        stage.await("another one writable", () -> stage.isWritable("b") || stage.isWritable("c"));

        long next = stage.write(stage.primary().label());
        stage.await("acknowledged", () -> stage.isAcknowledged(next));
        stage.pass(5_000);
    }
}
