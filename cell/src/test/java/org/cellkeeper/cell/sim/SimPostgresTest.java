package org.cellkeeper.cell.sim;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.DatabaseView.Receiver;
import org.cellkeeper.cell.model.Incarnation;
import org.cellkeeper.cell.model.SyncSetting;
import org.cellkeeper.cell.model.Upstream;
import org.cellkeeper.cell.port.Database;
import org.junit.jupiter.api.Test;

/** The simulated PostgreSQL is as treacherous as the real one was seen to be: the traces of the protocol that need no agent. */
final class SimPostgresTest {
    private static final Duration SOON = Duration.ofSeconds(20);

    private final World world = IdleAgent.world(1, 3);

    @Test
    void t4_a_standby_of_another_timeline_with_the_same_number_is_accepted_and_acknowledges() {
        cluster();
        for (String each : List.of("b", "c")) {
            get(db(each).unfollow());
            await(each, view -> view.standby().receiver() == Receiver.DETACHED);
        }
        cell("a").killDatabase();
        get(db("b").keepSlots(id("b"), Set.of(id("a"), id("c"))));
        get(db("b").applySync(sync(1, 2, "c")));
        get(db("b").promote(0));
        get(db("c").follow(upstream("b", 2), id("c")));
        cell("b").postgres().writeNoise("more than a will write", 0x400);
        long kept = commit("b");
        assertThat(isAcknowledged(kept)).isTrue();
        get(db("c").unfollow());
        await("c", view -> view.standby().receiver() == Receiver.DETACHED);
        cell("b").killDatabase();

        // a never saw timeline 2, is promoted, and PostgreSQL picks that number again
        get(db("a").startStandby(null, id("a")));
        await("a", view -> view.isStandby() && view.standby().endKnown());
        get(db("a").applySync(sync(1, 3, "c")));
        get(db("a").keepSlots(id("a"), Set.of(id("c"))));
        DatabaseView promoted = get(db("a").promote(0));
        assertThat(promoted.primary().timeline()).isEqualTo(2);
        get(db("c").follow(upstream("a", 3), id("c")));
        await("a", view -> !view.primary().senders().isEmpty());
        long lost = commit("a");

        assertThat(isAcknowledged(lost)).isTrue();
        assertThat(cell("c").postgres().holds(lost)).isFalse();
    }

    @Test
    void promote_keeps_away_from_timelines_that_it_is_told_of() {
        cluster();
        get(db("b").unfollow());
        await("b", view -> view.standby().receiver() == Receiver.DETACHED);

        assertThat(get(db("b").promote(4)).primary().timeline()).isEqualTo(5);
    }

    @Test
    void t7_the_flush_position_of_a_diverged_standby_counts_before_it_is_refused() {
        cluster();
        get(db("c").unfollow());
        await("c", view -> view.standby().receiver() == Receiver.DETACHED);
        world.cell("a").postgres().writeNoise("only on a and b", 0x400);
        world.run(Duration.ofMillis(200));
        get(db("c").applySync(sync(1, 2, "b")));
        get(db("c").keepSlots(id("c"), Set.of(id("b"))));
        get(db("c").promote(1));

        get(db("b").follow(upstream("c", 2), id("b")));
        long lost = commit("c");

        assertThat(isAcknowledged(lost)).isTrue();
        assertThat(cell("b").postgres().holds(lost)).isFalse();
        world.run(Duration.ofSeconds(2));
        assertThat(cell("b").postgres().timeline())
                .as("it is refused all the same")
                .isEqualTo(1);
    }

    @Test
    void t8_two_connections_of_one_cell_satisfy_any_2_when_its_slot_does_not_keep_them_apart() {
        assertThat(acknowledgedByTwoConnections(false)).isTrue();
    }

    @Test
    void t8_the_slot_keeps_the_second_connection_away() {
        assertThat(acknowledgedByTwoConnections(true)).isFalse();
    }

    private boolean acknowledgedByTwoConnections(boolean exclusive) {
        world.weather.slotsExclusive = exclusive;
        cluster();
        setSync(2, 1, "b", "c");
        // nothing of b's acknowledgements and nothing at all of c's comes to a
        world.network.cut(SimNetwork.Kind.WAL, cell("c"), cell("a"));
        world.network.cut(SimNetwork.Kind.WAL, cell("a"), cell("c"));
        world.network.slow(SimNetwork.Kind.WAL, cell("b"), cell("a"), 300 * World.MILLI);
        long lonely = commit("a");
        world.run(Duration.ofMillis(100));
        world.weather.lingeringSenders = 1000;
        cell("b").killDatabase();
        world.network.slow(SimNetwork.Kind.WAL, cell("b"), cell("a"), 0);
        get(db("b").startStandby(upstream("a", 1), id("b")));

        return world.runUntil(() -> isAcknowledgedNow(lonely), Duration.ofMillis(1500));
    }

    @Test
    void t11_a_walsender_that_has_not_reloaded_releases_commits_by_the_old_k() {
        cluster();
        world.weather.slowReloads = 1000;
        get(db("a").applySync(sync(2, 1, "b", "c")));
        assertThat(world.runUntil(
                        () -> sync(2, 1, "b", "c").equals(cell("a").postgres().syncInForce()), SOON))
                .isTrue();
        world.network.cutBoth(SimNetwork.Kind.WAL, cell("a"), cell("c"));

        long early = commit("a");
        assertThat(world.runUntil(() -> isAcknowledgedNow(early), Duration.ofMillis(20)))
                .as("a new session shows k=2, and yet one acknowledgement was enough")
                .isTrue();

        get(db("a").terminateOldSenders());
        await("a", view -> view.primary().senders().size() == 1);
        long late = commit("a");
        assertThat(world.runUntil(() -> isAcknowledgedNow(late), Duration.ofSeconds(2)))
                .isFalse();
    }

    @Test
    void t12_a_file_that_was_written_but_not_reloaded_comes_into_force_with_the_next_reload() {
        cluster();
        setSync(1, 1, "b");
        SimCell a = cell("a");
        a.postgres().write(a.postgres().file().withSync(sync(1, 1, "b", "c")));
        a.killAgent();
        a.startAgent();
        assertThat(get(db("a").observeThoroughly()).syncInForce()).isEqualTo(sync(1, 1, "b"));
        get(db("a").setReadOnly(false));

        world.run(Duration.ofSeconds(1));
        assertThat(get(db("a").observeThoroughly()).syncInForce()).isEqualTo(sync(1, 1, "b", "c"));
    }

    @Test
    void a_restarted_primary_shows_what_it_had_flushed_though_nobody_acknowledged_it() {
        cluster();
        world.network.isolate(cell("a"));
        long unacknowledged = commit("a");
        world.run(Duration.ofMillis(100));
        cell("a").killDatabase();
        get(db("a").startPrimary());

        assertThat(isAcknowledgedNow(unacknowledged)).isFalse();
        assertThat(cell("a").postgres().holds(unacknowledged)).isTrue();
    }

    @Test
    void a_record_whose_end_never_came_is_dropped_at_the_promotion() {
        cluster();
        world.weather.partialRecords = 1000;
        world.network.slow(SimNetwork.Kind.WAL, cell("a"), cell("b"), 50 * World.MILLI);
        commit("a");
        DatabaseView torn = await(
                "b", view -> view.standby().received().compareTo(view.standby().replayed()) > 0);
        world.network.isolate(cell("a"));
        cell("a").kill(true);
        get(db("b").unfollow());
        await("b", view -> view.standby().receiver() == Receiver.DETACHED);

        DatabaseView promoted = get(db("b").promote(1));
        assertThat(promoted.primary().timelineStart()).isLessThan(torn.standby().received());
        assertThat(promoted.primary().timelineStart()).isEqualTo(torn.standby().replayed());
    }

    @Test
    void a_read_only_primary_throws_the_waiting_out_and_takes_no_more() {
        cluster();
        world.network.isolate(cell("a"));
        boolean[] told = new boolean[1];
        cell("a")
                .postgres()
                .submit(new Commit(world.nextCommit(), (one, answer) -> told[0] = answer == Commit.Answer.UNKNOWN));
        world.run(Duration.ofMillis(100));
        assertThat(get(db("a").observe()).primary().waiting()).isEqualTo(1);

        get(db("a").setReadOnly(true));
        assertThat(told[0]).isTrue();
        boolean[] refused = new boolean[1];
        cell("a")
                .postgres()
                .submit(new Commit(world.nextCommit(), (one, answer) -> refused[0] = answer == Commit.Answer.REFUSED));
        assertThat(refused[0]).isTrue();
    }

    // ---- building blocks

    private final TreeSet<Long> acknowledged = new TreeSet<>();

    /** a is primary of epoch 1, b and c stream from it and are named with k=1. */
    private void cluster() {
        get(db("a").initialise());
        get(db("a").startPrimary());
        get(db("a").keepSlots(id("a"), Set.of(id("b"), id("c"))));
        for (String each : List.of("b", "c")) {
            CompletableFuture<DatabaseView> clone = db(each).cloneFrom(upstream("a", 1), id(each), percent -> {});
            get(clone);
            get(db(each).startStandby(upstream("a", 1), id(each)));
            await(each, view -> view.isStandby() && view.standby().receiver() == Receiver.STREAMING);
        }
        setSync(1, 1, "b", "c");
        assertThat(isAcknowledged(commit("a"))).isTrue();
        world.run(Duration.ofMillis(100));
        get(db("b").keepSlots(id("b"), Set.of(id("a"), id("c"))));
        get(db("c").keepSlots(id("c"), Set.of(id("a"), id("b"))));
    }

    private void setSync(int acks, long epoch, String... names) {
        get(db("a").applySync(sync(acks, epoch, names)));
        await(
                "a",
                view -> view.primary().senders().stream()
                        .allMatch(sender -> (sender.priority() > 0)
                                == sync(acks, epoch, names).names().contains(sender.name())));
        world.run(Duration.ofMillis(200));
    }

    private static SyncSetting sync(int acks, long epoch, String... names) {
        Collection<CellId> cells =
                java.util.Arrays.stream(names).map(SimPostgresTest::id).toList();
        return SyncSetting.of(cells, acks, epoch);
    }

    private static CellId id(String name) {
        return new CellId(new CellName(name), Incarnation.of(name.charAt(0)));
    }

    private Upstream upstream(String name, long epoch) {
        return new Upstream(id(name), epoch, cell(name).settings().address().host(), 5432);
    }

    private SimCell cell(String name) {
        return world.cell(name);
    }

    private Database db(String name) {
        return cell(name).agent().database();
    }

    private long commit(String at) {
        long number = world.nextCommit();
        cell(at).postgres().submit(new Commit(number, (commit, answer) -> {
            if (answer == Commit.Answer.ACKNOWLEDGED) {
                acknowledged.add(commit.id);
            }
        }));
        return number;
    }

    private boolean isAcknowledgedNow(long commit) {
        return acknowledged.contains(commit);
    }

    private boolean isAcknowledged(long commit) {
        return world.runUntil(() -> acknowledged.contains(commit), Duration.ofSeconds(3));
    }

    private DatabaseView get(CompletableFuture<DatabaseView> future) {
        assertThat(world.runUntil(future::isDone, Duration.ofMinutes(2))).isTrue();
        return future.join();
    }

    private DatabaseView await(String name, java.util.function.Predicate<DatabaseView> condition) {
        DatabaseView[] seen = new DatabaseView[] {get(db(name).observe())};
        boolean so = world.runUntil(
                () -> {
                    seen[0] = cell(name).postgres().view(null, false, Set.of());
                    return condition.test(seen[0]);
                },
                SOON);
        assertThat(so).as("at last %s", seen[0]).isTrue();
        return seen[0];
    }
}
