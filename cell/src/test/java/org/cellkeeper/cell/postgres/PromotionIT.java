package org.cellkeeper.cell.postgres;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.SyncSetting;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * PostgreSQL promotes in steps: it removes standby.signal, writes the history of the new timeline, its first segment and record,
 * then pg_control. Killed between any two of them, it is told how far it came, and the promotion comes to its end.
 */
final class PromotionIT {
    private static final long EPOCH = 7;
    private static final int ROWS = 3;
    private static final int KILLS = 12;
    private static final Duration SOON = Duration.ofSeconds(30);

    private PostgresBench bench;

    /** Leaves a stopped standby b, which holds all rows. */
    @BeforeEach
    void open() throws IOException {
        bench = new PostgresBench();
        bench.found("a");
        bench.get(bench.database("a").startPrimary());
        bench.get(bench.database("a").keepSlots(bench.id("a"), Set.of(bench.id("b"))));
        bench.get(bench.database("b").cloneFrom(bench.upstream("a", EPOCH), bench.id("b"), percent -> {}));
        bench.get(bench.database("b").startStandby(bench.upstream("a", EPOCH), bench.id("b")));
        bench.awaitTrue(
                SOON,
                () -> look("b").isStandby() && look("b").standby().receiver() == DatabaseView.Receiver.STREAMING,
                "b streams");
        bench.get(bench.database("a").applySync(SyncSetting.of(List.of(bench.id("b")), 1, EPOCH)));
        for (int row = 0; row < ROWS; row++) {
            assertThat(bench.commit("a", SOON.toMillis())).isTrue();
        }
        bench.get(bench.database("b").stopFast(SOON.toMillis()));
        bench.get(bench.database("a").stopImmediate());
    }

    @AfterEach
    void close() {
        bench.close();
    }

    @Test
    void whatEachStepLeavesBehindIsToldAndPromoted() throws IOException {
        copy("b", "done");
        bench.get(bench.database("done").promoteAtRest(SyncSetting.NOBODY, 1));
        bench.crash("done");
        bench.awaitTrue(SOON, () -> look("done").isStopped(), "the promoted one is gone");
        Path wal = bench.dataDir("done").resolve("pg_wal");

        withoutSignal("signal removed");
        withoutSignal("history written");
        take(wal, "00000002.history", "history written");
        withoutSignal("segment written");
        take(wal, "00000002.history", "segment written");
        try (var files = Files.newDirectoryStream(wal, "00000002????????????????")) {
            for (Path segment : files) {
                take(wal, segment.getFileName().toString(), "segment written");
            }
        }

        for (String step : List.of("signal removed", "history written", "segment written")) {
            DatabaseView.Control said = look(step).control();
            assertThat(said.recoversOn()).as(step).isEqualTo(1);
            assertThat(said.inRecovery()).as(step).isTrue();
            isPrimaryWithAllRows(step, bench.get(bench.database(step).promoteAtRest(SyncSetting.NOBODY, 1)));
        }
        assertThat(look("done").control().recoversOn()).isEqualTo(2);
        isPrimaryWithAllRows("done", bench.get(bench.database("done").startPrimary()));
    }

    /** As after the crash of a backend inside of the promotion, when PostgreSQL goes on by itself. */
    @Test
    void onePutToWorkOnItsOldTimelineIsToldFromOneThatRecovers() throws IOException {
        withoutSignal("signal removed");
        assertThat(bench.get(bench.database("signal removed").startPrimary())
                        .primary()
                        .timeline())
                .isEqualTo(1);
        bench.get(bench.database("signal removed").stopImmediate());
        DatabaseView.Control said = look("signal removed").control();
        assertThat(said.inRecovery()).isFalse();
        assertThat(said.recoversOn()).isEqualTo(1);
    }

    @Test
    void killedAtAnyMomentItIsPromotedInTheEnd() throws Exception {
        Random random = new Random(7);
        int cutOff = 0;
        int done = 0;
        for (int round = 0; round < KILLS; round++) {
            String name = "round" + round;
            copy("b", name);
            CompletableFuture<DatabaseView> promotion = bench.database(name).promoteAtRest(SyncSetting.NOBODY, 1);
            Path signal = bench.dataDir(name).resolve("standby.signal");
            bench.awaitTrue(SOON, () -> bench.postmasterPid(name) != 0 && Files.exists(signal), "it starts");
            bench.awaitTrue(SOON, () -> !Files.exists(signal) || promotion.isDone(), "it promotes");
            bench.pass(random.nextInt(12));
            bench.crash(name);
            ended(promotion);
            bench.awaitTrue(SOON, () -> look(name).isStopped(), "it is gone");
            DatabaseView left = look(name);
            if (left.control().recoversOn() > 1) {
                done++;
                isPrimaryWithAllRows(name, bench.get(bench.database(name).startPrimary()));
            } else {
                cutOff++;
                assertThat(left.startsAsStandby() || left.control().inRecovery())
                        .isTrue();
                isPrimaryWithAllRows(name, bench.get(bench.database(name).promoteAtRest(SyncSetting.NOBODY, 1)));
            }
            bench.get(bench.database(name).stopImmediate());
        }
        System.out.println("  " + KILLS + " kills inside a promotion: " + cutOff + " cut off, " + done + " done");
        assertThat(cutOff + done).isEqualTo(KILLS);
    }

    private static void ended(CompletableFuture<DatabaseView> verb) throws InterruptedException, TimeoutException {
        try {
            verb.get(SOON.toSeconds(), TimeUnit.SECONDS);
        } catch (ExecutionException expected) {
            assertThat(expected.getCause()).hasMessageContaining("promote");
        }
    }

    private void isPrimaryWithAllRows(String name, DatabaseView view) {
        assertThat(view.isPrimary()).as(name).isTrue();
        assertThat(view.primary().timeline()).as(name).isGreaterThan(1);
        assertThat(bench.rows(name)).as(name).isEqualTo(ROWS);
    }

    private void withoutSignal(String name) throws IOException {
        copy("b", name);
        Files.delete(bench.dataDir(name).resolve("standby.signal"));
    }

    private void copy(String from, String to) throws IOException {
        Files.createDirectories(bench.dataDir(to).getParent());
        PostgresBench.run(
                "cp", "-a", bench.dataDir(from).toString(), bench.dataDir(to).toString());
    }

    private void take(Path from, String file, String to) throws IOException {
        PostgresBench.run(
                "cp",
                "-a",
                from.resolve(file).toString(),
                bench.dataDir(to).resolve("pg_wal").toString());
    }

    private DatabaseView look(String name) {
        return bench.get(bench.database(name).observe());
    }
}
