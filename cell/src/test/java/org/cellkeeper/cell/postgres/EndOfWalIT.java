package org.cellkeeper.cell.postgres;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.DatabaseView.Receiver;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.SyncSetting;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Where a standby's WAL ends is said only when it is known, whatever happens to its processes. */
final class EndOfWalIT {
    private static final long EPOCH = 7;
    private static final Duration SOON = Duration.ofSeconds(30);
    private static final int RESTARTS = 4;
    private static final Duration STEP = Duration.ofMillis(2);

    private PostgresBench bench;

    @BeforeEach
    void open() throws IOException {
        bench = new PostgresBench();
    }

    @AfterEach
    void close() {
        bench.close();
    }

    /** The postmaster stays, its children begin anew with empty shared memory, and replay takes a while. */
    @ParameterizedTest
    @ValueSource(strings = {"client backend", "background writer", "checkpointer", "walreceiver"})
    void theEndIsUnknownWhileAStandbyReplaysAfterARestartInPlace(String child) throws Exception {
        pair(Map.of());
        writeMuchOnFewPages();
        Lsn end = look("a").primary().flushed();
        await("b", v -> v.isStandby() && v.standby().received().atLeast(end));
        long postmaster = look("b").postmaster();

        try (Connection _ = bench.client("b")) {
            kill("b", child);
        }
        bench.get(bench.database("a").stopImmediate());
        int looks = 0;
        int unknown = 0;
        boolean known = false;
        long until = System.nanoTime() + SOON.toNanos();
        while (!known && System.nanoTime() < until) {
            DatabaseView seen = look("b");
            if (seen.isStandby()) {
                looks++;
                known = seen.standby().endKnown() && looks > 1;
                unknown += seen.standby().endKnown() ? 0 : 1;
                if (seen.standby().endKnown()) {
                    assertThat(seen.standby().received())
                            .as("end said to be known")
                            .isGreaterThanOrEqualTo(end);
                }
            }
            bench.pass(STEP.toMillis());
        }
        assertThat(known).as("known in the end").isTrue();
        assertThat(look("b").postmaster()).as("restarted in place").isEqualTo(postmaster);
        assertThat(unknown).as("seen while it replays").isPositive();
    }

    /**
     * The last record may be replayed while an observation is under way, above all on a busy machine: the one that sees the startup
     * process at the end of the WAL tells that end, and no earlier position.
     */
    @Test
    void anEndThatIsReachedDuringAnObservationIsTheOneThatIsTold() throws Exception {
        pair(Map.of());
        writeMuchOnFewPages();
        Lsn end = look("a").primary().flushed();
        await("b", v -> v.isStandby() && v.standby().received().atLeast(end));
        bench.get(bench.database("b").unfollow());
        await("b", v -> v.isStandby() && v.standby().receiver() == Receiver.DETACHED);
        bench.get(bench.database("a").stopImmediate());
        for (int round = 0; round < RESTARTS; round++) {
            bench.crashChild("b");
            bench.pass(100);
            await("b", DatabaseView::isStandby);
            try (Connection session = bench.agent("b", "postgres");
                    Statement statement = session.createStatement()) {
                Observation seen = Observation.take(slowly(statement), true);
                for (int looks = 0; !Observation.RETRY_INTERVAL.equals(seen.startupWaits()); looks++) {
                    assertThat(looks).isLessThan(200);
                    seen = Observation.take(slowly(statement), true);
                }
                assertThat(seen.replayed()).isEqualTo(end);
            }
        }
    }

    /** What an observation asks, with a pause before each of its statements. */
    private PreparedStatement slowly(Statement statement) {
        Iterator<String> left = List.of(Observation.SQL.split(";", -1)).iterator();
        return (PreparedStatement) Proxy.newProxyInstance(
                getClass().getClassLoader(), new Class<?>[] {PreparedStatement.class}, (_, method, _) -> {
                    if (method.getName().equals("getResultSet")) {
                        return statement.getResultSet();
                    }
                    // execute, getMoreResults
                    bench.pass(50);
                    return statement.execute(left.next());
                });
    }

    // ---- at rest

    @Test
    void theEndOfAStoppedStandbyIsReadFromItsDisk() throws Exception {
        pair(Map.of());
        writeMuchOnFewPages();
        Lsn end = look("a").primary().flushed();
        await("b", v -> v.isStandby() && v.standby().received().atLeast(end));
        bench.get(bench.database("b").stopImmediate());
        assertThat(look("b").knownEnd()).isNull();
        assertThat(restOf("b").end()).isGreaterThanOrEqualTo(end);
        assertThat(restOf("b").timeline()).isEqualTo(1);

        // Followed by more, it is another one; and promoted, it lies on another timeline.
        bench.get(bench.database("b").startStandby(bench.upstream("a", EPOCH), bench.id("b")));
        bench.execute("a", "INSERT INTO marks (at) VALUES (now())");
        Lsn later = look("a").primary().flushed();
        await("b", v -> v.isStandby() && v.standby().received().atLeast(later));
        bench.get(bench.database("b").stopFast(10_000));
        assertThat(restOf("b").end()).isGreaterThanOrEqualTo(later);
        bench.get(bench.database("a").stopImmediate());
        DatabaseView promoted = bench.get(bench.database("b").promoteAtRest(SyncSetting.NOBODY, 4));
        assertThat(promoted.isPrimary()).isTrue();
        assertThat(promoted.primary().timeline()).isEqualTo(5);
        assertThat(promoted.primary().timelineStart()).isGreaterThanOrEqualTo(later);
        Lsn own = look("b").primary().flushed();
        bench.get(bench.database("b").stopImmediate());
        assertThat(restOf("b").timeline()).isEqualTo(5);
        assertThat(restOf("b").end()).isGreaterThanOrEqualTo(own);
    }

    @Test
    void aRecordThatWasTornOffIsNoPartOfTheEnd() throws Exception {
        pair(Map.of());
        bench.execute("a", "INSERT INTO marks (at) VALUES (now())");
        Lsn before = look("a").primary().flushed();
        await("b", v -> v.isStandby() && v.standby().received().atLeast(before));
        bench.get(bench.database("a").stopImmediate());
        bench.get(bench.database("b").stopImmediate());
        Lsn end = restOf("b").end();
        // The head of a record whose end never came.
        Path segment = bench.dataDir("b").resolve("pg_wal/" + ControlData.segmentOf(end, 1, 4L << 20));
        try (FileChannel channel = FileChannel.open(segment, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.wrap(new byte[] {80, 0, 0, 0, 1, 2, 3, 4}), end.value() % (4L << 20));
        }
        assertThat(restOf("b").end()).isEqualTo(end);
    }

    /** A segment may be ended early (so does every backup): its last record reaches to the segment's end. */
    @Test
    void aSegmentThatWasEndedEarlyIsHeldToItsEnd() throws Exception {
        pair(Map.of());
        bench.execute("a", "INSERT INTO marks (at) VALUES (now())");
        bench.execute("a", "SELECT pg_switch_wal()");
        Lsn end = look("a").primary().flushed();
        await("b", v -> v.isStandby() && v.standby().replayed().atLeast(end));
        bench.get(bench.database("a").stopImmediate());
        // Its last restartpoint notes all that was replayed.
        bench.get(bench.database("b").stopFast(10_000));
        assertThat(restOf("b").end()).isEqualTo(end);
    }

    // ---- standbys that let nobody in, or cannot replay

    @Test
    void aStandbyThatNeverOpensIsReadAndPromotedAtRest() throws Exception {
        pair(Map.of());
        try (Connection busy = bench.client("a");
                Statement statement = busy.createStatement()) {
            busy.setAutoCommit(false);
            for (int part = 0; part < 200; part++) {
                busy.setSavepoint();
                statement.execute("INSERT INTO marks (at) VALUES (now())");
            }
            bench.execute("a", "CHECKPOINT");
            Lsn end = look("a").primary().flushed();
            await("b", v -> v.isStandby() && v.standby().replayed().atLeast(end));
            bench.get(bench.database("b").stopFast(10_000));
            var starting = bench.database("b").startStandby(bench.upstream("a", EPOCH), bench.id("b"));
            await("b", v -> v.closed() instanceof DatabaseView.Starting closed && closed.receives());
            assertThat(starting).as("no verb waits for one that may never open").succeedsWithin(Duration.ofSeconds(10));
            assertThat(look("b").instance()).isInstanceOf(DatabaseView.Starting.class);
            Lsn last = look("a").primary().flushed();

            bench.get(bench.database("a").stopImmediate());
            bench.get(bench.database("b").stopImmediate());
            assertThat(restOf("b").end()).isGreaterThanOrEqualTo(last);
        }
        SyncSetting rule = SyncSetting.of(Set.of(bench.id("c")), 1, EPOCH + 1);
        DatabaseView promoted = bench.get(bench.database("b").promoteAtRest(rule, 1));
        assertThat(promoted.isPrimary()).isTrue();
        assertThat(bench.get(bench.database("b").observeThoroughly()).syncInForce())
                .isEqualTo(rule);
    }

    /** A reader at the standby sees rows that the primary has removed since; replay waits for him. */
    @Test
    void aReaderWhoHoldsUpReplayIsNamedAndEndedByASeal() throws Exception {
        pair(Map.of("max_standby_streaming_delay", "10min"));
        Lsn before = look("a").primary().flushed();
        await("b", v -> v.isStandby() && v.standby().replayed().atLeast(before));
        try (Connection reader = bench.client("b");
                Statement statement = reader.createStatement()) {
            reader.setAutoCommit(false);
            reader.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
            statement.executeQuery("SELECT count(*) FROM marks").close();
            bench.execute("a", "TRUNCATE marks");
            Lsn end = look("a").primary().flushed();
            await(
                    "b",
                    v -> v.isStandby()
                            && v.standby().received().atLeast(end)
                            && !v.standby().standstill().isEmpty());
            assertThat(look("b").standby().standstill())
                    .contains("replay waits for session ")
                    .contains(" of " + PostgresSettings.APPLICATION);

            bench.get(bench.database("b").unfollow());
            await(
                    "b",
                    v -> v.isStandby()
                            && v.standby().receiver() == Receiver.DETACHED
                            && v.standby().replayed().atLeast(end));
            assertThat(look("b").standby().standstill()).isEmpty();
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "max_connections=250",
                "max_worker_processes=12",
                "max_prepared_transactions=20",
                "max_locks_per_transaction=100"
            })
    void aStandbyThatHasLessThanItsPrimaryIsToldSoAndStartsWithEnough(String setting) throws Exception {
        String[] parts = setting.split("=", 2);
        pair(Map.of());
        bench.get(bench.database("a").stopFast(10_000));
        bench.reconfigure("a", Map.of(parts[0], parts[1]));
        bench.get(bench.database("a").startPrimary());
        await("b", v -> v.isStandby() && v.standby().standstill().contains(parts[0] + " is "));
        assertThat(look("b").standby().standstill()).contains(" here and " + parts[1] + " at the primary");
        bench.execute("a", "INSERT INTO marks (at) VALUES (now())");
        Lsn end = look("a").primary().flushed();
        await("b", v -> v.isStandby() && v.standby().received().atLeast(end));

        bench.get(bench.database("a").stopImmediate());
        bench.get(bench.database("b").stopImmediate());
        assertThat(restOf("b").end()).isGreaterThanOrEqualTo(end);
        assertThat(bench.get(bench.database("b").promoteAtRest(SyncSetting.NOBODY, 1))
                        .isPrimary())
                .isTrue();
        assertThat(bench.rows("b")).isEqualTo(1);
        assertThat(bench.ask("b", "SHOW " + parts[0])).isEqualTo(parts[1]);
    }

    /** pg_control knows of its last checkpoint alone. */
    @Test
    void theEndOfACrashedPrimarysWalIsRead() throws Exception {
        pair(Map.of());
        bench.execute("a", "CREATE TABLE last AS SELECT 1");
        Lsn end = look("a").primary().flushed();
        bench.get(bench.database("a").stopImmediate());
        assertThat(look("a").control().cleanlyShutDown()).isFalse();
        assertThat(look("a").control().end()).isLessThan(end);
        assertThat(restOf("a").end()).isEqualTo(end);
    }

    @Test
    void defaultsOfTheClusterDoNotReachTheAgentsSessions() throws Exception {
        pair(Map.of("default_transaction_isolation", "serializable", "default_transaction_deferrable", "on"));
        DatabaseView seen = look("b");
        assertThat(seen.isStandby()).isTrue();
        assertThat(seen.problem()).isEmpty();
        bench.get(bench.database("b").unfollow());
        await("b", v -> v.isStandby() && v.standby().receiver() == Receiver.DETACHED);
    }

    private DatabaseView.Rest restOf(String name) {
        DatabaseView.Rest rest = bench.get(bench.database(name).readEnd()).knownEnd();
        assertThat(rest).isNotNull();
        assertThat(look(name).knownEnd()).isEqualTo(rest);
        return rest;
    }

    // ---- the bench

    /** Much WAL on few pages: quickly written and streamed, slowly replayed. */
    private void writeMuchOnFewPages() throws SQLException {
        bench.execute("a", "CREATE TABLE hot AS SELECT n, 0 AS v FROM generate_series(1, 200) n");
        try (Connection session = bench.agent("a", PostgresSettings.APPLICATION);
                Statement statement = session.createStatement()) {
            statement.execute("SET synchronous_commit = off");
            for (int round = 0; round < 20; round++) {
                statement.execute(
                        "DO $$ BEGIN FOR i IN 1..150 LOOP UPDATE hot SET v = v + 1; COMMIT; END LOOP; END $$");
            }
            statement.execute("CHECKPOINT");
        }
    }

    private void kill(String name, String child) throws SQLException {
        long pid = 0;
        try (Connection session = bench.agent(name, PostgresSettings.APPLICATION);
                Statement statement = session.createStatement();
                ResultSet row = statement.executeQuery("SELECT pid FROM pg_stat_activity WHERE backend_type = '" + child
                        + "' AND pid <> pg_backend_pid() ORDER BY backend_start DESC LIMIT 1")) {
            if (row.next()) {
                pid = row.getLong(1);
            }
        }
        assertThat(pid).as(child).isPositive();
        assertThat(ProcessHandle.of(pid).orElseThrow().destroyForcibly()).isTrue();
    }

    /** Primary a, and standby b that streams from it. */
    private void pair(Map<String, String> extraOfStandby) {
        bench.found("a");
        bench.get(bench.database("a").startPrimary());
        bench.get(bench.database("a").keepSlots(bench.id("a"), Set.of(bench.id("b"))));
        bench.configure("b", extraOfStandby);
        bench.get(bench.database("b").cloneFrom(bench.upstream("a", EPOCH), bench.id("b"), percent -> {}));
        bench.get(bench.database("b").startStandby(bench.upstream("a", EPOCH), bench.id("b")));
        await("b", v -> v.isStandby() && v.standby().receiver() == Receiver.STREAMING);
    }

    private DatabaseView look(String name) {
        return bench.get(bench.database(name).observe());
    }

    private void await(String name, Predicate<DatabaseView> condition) {
        bench.awaitTrue(SOON, () -> condition.test(look(name)), name);
    }
}
