package org.cellkeeper.cell.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.DatabaseView.Receiver;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.StreamName;
import org.cellkeeper.cell.model.SyncSetting;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * What the protocol leans on, as PostgreSQL itself behaves. Some of it is what the protocol guards against: should a new version
 * of PostgreSQL behave better, the test fails, and the guard may be looked at again.
 */
final class PostgresBehaviourIT {
    private static final long EPOCH = 7;
    private static final Duration SOON = Duration.ofSeconds(15);

    private PostgresBench bench;
    private final List<Process> programs = new ArrayList<>();

    @BeforeEach
    void open() throws IOException {
        bench = new PostgresBench();
    }

    @AfterEach
    void close() {
        programs.forEach(Process::destroyForcibly);
        bench.close();
    }

    @Test
    void twoReignsMayGetOneTimelineNumberAndPostgresAcceptsTheOtherOnesStandby() throws Exception {
        primary("p");
        keepSlots("p", "w", "c", "a");
        standby("w", "p");
        standby("c", "p");
        standby("a", "p");
        seal("a");
        seal("c");
        seal("w");
        bench.crash("p");

        assertThat(promote("w").primary().timeline()).isEqualTo(2);
        keepSlots("w", "c");
        follow("c", "w", EPOCH + 1);
        nameAndCheck("w", EPOCH + 1, "c");
        assertThat(bench.commit("w", 3000)).isTrue();
        write("w", 300_000);
        await("c", v -> v.standby().timeline() == 2 && v.standby().received().atLeast(flushed("w")));
        seal("c");
        bench.crash("w");

        // "a" has never seen timeline 2, and PostgreSQL picks it again.
        assertThat(promote("a").primary().timeline()).isEqualTo(2);
        keepSlots("a", "c");
        follow("c", "a", EPOCH + 2);
        nameAndCheck("a", EPOCH + 2, "c");
        assertThat(bench.commit("a", 5000))
                .as("acknowledged on the word of a diverged cell")
                .isTrue();
        assertThat(bench.rows("a")).isEqualTo(1);
        assertThat(look("c").standby().received()).isGreaterThan(flushed("a"));
    }

    @Test
    void aDivergedStandbysFlushCountsAlthoughItIsRefused() throws Exception {
        primary("a");
        keepSlots("a", "b", "c");
        standby("b", "a");
        standby("c", "a");
        // The fork must lie within a segment: from its beginning the primary sends what they share, and hears the
        // answer.
        write("a", 100_000);
        await("b", v -> v.standby().received().atLeast(flushed("a")));
        seal("b");
        write("a", 300_000);
        await("c", v -> v.standby().received().atLeast(flushed("a")));
        seal("c");
        bench.crash("a");
        promote("b");
        keepSlots("b", "c");
        nameAndCheck("b", EPOCH + 1, "c");
        CompletableFuture<Boolean> commit = CompletableFuture.supplyAsync(() -> bench.commit("b", 10_000));
        follow("c", "b", EPOCH + 1);
        assertThat(commit.get())
                .as("acknowledged on the word of a diverged cell")
                .isTrue();
        bench.pass(500);
        assertThat(bench.rows("c")).isZero();
        assertThat(look("c").standby().timeline()).isEqualTo(1);
    }

    @Test
    void twoConnectionsOfOneNameCountTwiceUnlessTheyNeedTheSameSlot() throws Exception {
        primary("a");
        keepSlots("a", "b");
        StreamName name = new StreamName(bench.id("b"), EPOCH);
        bench.get(bench.database("a").applySync(SyncSetting.of(Set.of(bench.id("b")), 2, EPOCH)));
        receiveWal("a", name.toString(), "one", null);
        awaitSenders("a", 1);
        assertThat(bench.commit("a", 300)).isFalse();
        receiveWal("a", name.toString(), "two", null);
        awaitSenders("a", 2);
        assertThat(bench.commit("a", 5000)).as("one cell counted twice").isTrue();
        // The adapter counts neither: they hold no slot.
        assertThat(look("a").primary().senders()).isEmpty();
        programs.forEach(Process::destroyForcibly);
        awaitSenders("a", 0);

        receiveWal("a", name.toString(), "three", bench.id("b").slotOn(bench.id("a")));
        awaitSenders("a", 1);
        Process second = receiveWal("a", name.toString(), "four", bench.id("b").slotOn(bench.id("a")));
        assertThat(second.waitFor(10, TimeUnit.SECONDS)).isTrue();
        assertThat(second.exitValue()).isNotZero();
        assertThat(bench.commit("a", 300)).isFalse();
        assertThat(look("a").primary().senders()).hasSize(1);
    }

    @Test
    void aWalsenderThatHasNotReloadedWorksByTheOldRuleWhileNewSessionsShowTheNewOne() throws Exception {
        primary("a");
        keepSlots("a", "b", "c");
        standby("b", "a");
        nameAndCheck("a", EPOCH, "b");
        await("a", v -> v.primary().senders().stream().anyMatch(sender -> sender.priority() > 0));
        int pid = look("a").primary().senders().getFirst().pid();
        PostgresBench.run("kill", "-STOP", String.valueOf(pid));
        try {
            nameAndCheck("a", EPOCH, "c");
            DatabaseView.WalSender sender = bench.get(bench.database("a").observeThoroughly())
                    .primary()
                    .senders()
                    .getFirst();
            assertThat(sender.priority()).as("by the rule that named it").isPositive();
            assertThat(sender.olderThanReload()).isTrue();
        } finally {
            PostgresBench.run("kill", "-CONT", String.valueOf(pid));
        }
        bench.awaitTrue(
                SOON,
                () -> look("a").primary().senders().stream().allMatch(sender -> sender.priority() == 0),
                "reloaded");
    }

    @Test
    void aCancelledWaitReturnsSuccessWithAWarning() throws Exception {
        primary("a");
        try (Connection client = bench.client("a");
                Statement statement = client.createStatement()) {
            CompletableFuture<Void> done = CompletableFuture.runAsync(() -> insert(statement));
            await("a", v -> v.primary().waiting() == 1);
            bench.execute("a", "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
            done.get(10, TimeUnit.SECONDS);
            assertThat(statement.getWarnings().getMessage()).contains("canceling wait for synchronous replication");
        }
        assertThat(bench.rows("a")).isEqualTo(1);
    }

    @Test
    void aTerminatedWaitLosesTheConnectionAndKeepsTheRow() throws Exception {
        primary("a");
        try (Connection client = bench.client("a");
                Statement statement = client.createStatement()) {
            CompletableFuture<Void> done = CompletableFuture.runAsync(() -> insert(statement));
            await("a", v -> v.primary().waiting() == 1);
            bench.execute("a", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
            assertThatThrownBy(() -> done.get(10, TimeUnit.SECONDS)).hasStackTraceContaining("SQLException");
        }
        assertThat(bench.rows("a")).isEqualTo(1);
    }

    /** Of a timeline that left the line of its WAL further on than it has got: by force, such a cell may be promoted all the same. */
    @Test
    void aStandbyThatHoldsTheHistoryOfATimelineFurtherOnMakesItTheParentOfItsOwn() throws Exception {
        aForkFurtherOn();
        bench.execute("c", "SELECT pg_promote(true, 20)");
        await("c", DatabaseView::isPrimary);
        assertThat(OwnedFiles.read(bench.dataDir("c").resolve("pg_wal/00000003.history")))
                .containsPattern("(?s)1\t.*2\t");
        keepSlots("c", "d");
        follow("d", "c", EPOCH + 2);
        nameAndCheck("c", EPOCH + 2, "d");
        assertThat(bench.commit("c", 3000)).as("acknowledged by d").isFalse();
        assertThat(look("d").standby().received()).isLessThan(flushed("c"));
    }

    @Test
    void theAgentsPromotionLeavesSuchATimelineOut() throws Exception {
        aForkFurtherOn();
        assertThat(bench.get(bench.database("c").promote(2)).primary().timeline())
                .isEqualTo(3);
        assertThat(OwnedFiles.read(bench.dataDir("c").resolve("pg_wal/00000003.history")))
                .doesNotContain("2\t");
        keepSlots("c", "d");
        follow("d", "c", EPOCH + 2);
        nameAndCheck("c", EPOCH + 2, "d");
        assertThat(bench.commit("c", 5000)).isTrue();
        await("d", v -> v.standby().received().atLeast(flushed("c")));
        assertThat(bench.rows("d")).isEqualTo(bench.rows("c"));
    }

    /** b is promoted to timeline 2; c and d end before that fork, and c has got its history. */
    private void aForkFurtherOn() throws Exception {
        primary("a");
        keepSlots("a", "b", "c", "d");
        standby("b", "a");
        standby("c", "a");
        standby("d", "a");
        write("a", 20_000);
        await("d", v -> v.standby().received().atLeast(flushed("a")));
        seal("d");
        write("a", 20_000);
        await("c", v -> v.standby().received().atLeast(flushed("a")));
        seal("c");
        write("a", 300_000);
        await("b", v -> v.standby().received().atLeast(flushed("a")));
        seal("b");
        bench.crash("a");
        promote("b");
        PostgresBench.run(
                "cp",
                "-a",
                bench.dataDir("b").resolve("pg_wal/00000002.history").toString(),
                bench.dataDir("c").resolve("pg_wal").toString());
        bench.pass(1500);
        bench.crash("b");
    }

    @Test
    void anEmptyPrimaryConninfoEndsTheReceiverAndNothingMoreArrives() throws Exception {
        primary("a");
        keepSlots("a", "b");
        standby("b", "a");
        seal("b");
        assertThat(bench.ask("b", "SELECT count(*) FROM pg_stat_wal_receiver")).isEqualTo("0");
        String before = bench.ask("b", "SELECT pg_last_wal_receive_lsn()");
        write("a", 200_000);
        bench.pass(500);
        assertThat(bench.ask("b", "SELECT pg_last_wal_receive_lsn()")).isEqualTo(before);
        assertThat(Lsn.parse(bench.ask("a", "SELECT pg_current_wal_flush_lsn()")))
                .isGreaterThan(Lsn.parse(before));
    }

    @Test
    void aSessionSeesAReloadedRuleNoLaterThanItsSecondStatement() throws Exception {
        primary("a");
        try (Connection kept = bench.agent("a", "postgres");
                Statement statement = kept.createStatement()) {
            SyncSetting setting = SyncSetting.of(Set.of(bench.id("b")), 1, EPOCH);
            bench.get(bench.database("a").applySync(setting));
            bench.awaitTrue(SOON, () -> setting.equals(SyncNames.parse(shown(statement))), "in force");
            assertThat(bench.get(bench.database("a").observeThoroughly()).syncInForce())
                    .isEqualTo(setting);
        }
    }

    @Test
    void theExitOfPostgresIsAnEvent() throws Exception {
        primary("a");
        // The exitWatch has its session by now, or the exit of the child is told by the JDK.
        CountDownLatch told = new CountDownLatch(1);
        bench.database("a").listen(told::countDown);
        long begun = System.nanoTime();
        bench.crash("a");
        assertThat(told.await(2, TimeUnit.SECONDS)).isTrue();
        long millis = (System.nanoTime() - begun) / 1_000_000;
        System.out.println("MEASURED exit noticed after " + millis + " ms");
        await("a", DatabaseView::isStopped);
    }

    // ---- building blocks

    private void primary(String name) {
        bench.found(name);
        bench.get(bench.database(name).startPrimary());
    }

    private void keepSlots(String name, String... siblings) {
        Set<CellId> ids = new HashSet<>();
        for (String sibling : siblings) {
            ids.add(bench.id(sibling));
        }
        bench.get(bench.database(name).keepSlots(bench.id(name), ids));
    }

    private void standby(String name, String of) {
        bench.get(bench.database(name).cloneFrom(bench.upstream(of, EPOCH), bench.id(name), percent -> {}));
        bench.get(bench.database(name).startStandby(bench.upstream(of, EPOCH), bench.id(name)));
        await(name, v -> v.isStandby() && v.standby().receiver() == Receiver.STREAMING);
    }

    private void seal(String name) {
        bench.get(bench.database(name).unfollow());
        await(name, v -> v.isStandby() && v.standby().receiver() == Receiver.DETACHED);
    }

    private void follow(String name, String of, long epoch) {
        bench.get(bench.database(name).follow(bench.upstream(of, epoch), bench.id(name)));
    }

    private DatabaseView promote(String name) {
        return bench.get(bench.database(name).promote(1));
    }

    private void nameAndCheck(String primary, long epoch, String standby) {
        SyncSetting setting = SyncSetting.of(Set.of(bench.id(standby)), 1, epoch);
        bench.get(bench.database(primary).applySync(setting));
        bench.awaitTrue(
                SOON,
                () -> setting.equals(
                        bench.get(bench.database(primary).observeThoroughly()).syncInForce()),
                "in force");
    }

    private void write(String name, int bytes) throws SQLException {
        bench.execute(name, "SELECT pg_logical_emit_message(true, 'test', repeat('x', " + bytes + "))");
    }

    private Lsn flushed(String name) {
        return look(name).primary().flushed();
    }

    private DatabaseView look(String name) {
        return bench.get(bench.database(name).observe());
    }

    private void await(String name, Predicate<DatabaseView> condition) {
        bench.awaitTrue(SOON, () -> condition.test(look(name)), name);
    }

    private void awaitSenders(String name, int count) {
        bench.awaitTrue(
                SOON,
                () -> {
                    try {
                        return bench.ask(name, "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")
                                .equals(String.valueOf(count));
                    } catch (SQLException e) {
                        throw new IllegalStateException(e);
                    }
                },
                count + " streams");
    }

    private static void insert(Statement statement) {
        try {
            statement.execute("INSERT INTO marks (at) VALUES (now())");
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    private static String shown(Statement statement) {
        try (var row = statement.executeQuery("SHOW synchronous_standby_names")) {
            row.next();
            return row.getString(1);
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    /** A stream without a standby behind it, which says at once that it has flushed. */
    private Process receiveWal(String from, String applicationName, String folder, String slot) throws IOException {
        Process process = bench.receiveWal(bench.upstream(from, EPOCH), "b", applicationName, folder, slot);
        programs.add(process);
        return process;
    }
}
