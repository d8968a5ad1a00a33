package org.cellkeeper.cell.app;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.HistoryEntry;
import org.cellkeeper.cell.port.App;
import org.cellkeeper.cell.postgres.PostgresSettings;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The app on a real primary and its standby. */
final class CellAppIT {
    private static final CellId A = TwoDatabases.A;
    private static final CellId B = TwoDatabases.B;
    private static final Duration SOON = Duration.ofSeconds(30);
    private static final AppSettings.Pace QUICK = new AppSettings.Pace(
            Duration.ofMillis(100),
            Duration.ofMillis(300),
            Duration.ofMillis(300),
            Duration.ofSeconds(2),
            Duration.ofMillis(300));
    private static final Instant NOON = Instant.parse("2026-01-02T12:00:00.123456Z");

    private static TwoDatabases databases;

    private final List<CellApp> apps = new ArrayList<>();
    private volatile boolean calm = true;
    private volatile CellId[] members = {A, B};
    private volatile List<HistoryEntry> history = List.of();

    @BeforeAll
    static void found() throws Exception {
        databases = new TwoDatabases();
    }

    @AfterAll
    static void end() {
        databases.close();
    }

    @BeforeEach
    void anEmptyDatabase() throws Exception {
        databases.asSuperuser("DROP DATABASE IF EXISTS cellkeeper WITH (FORCE)");
        databases.appDatabase().provide();
    }

    @AfterEach
    void closeApps() {
        apps.forEach(CellApp::close);
    }

    private CellApp app(CellId cell) {
        CellApp made = new CellApp(
                databases.appSettings(cell, QUICK),
                () -> databases.context(cell, calm, members),
                databases.appDatabase(),
                limit -> CompletableFuture.completedFuture(
                        history.stream().limit(limit).toList()));
        apps.add(made);
        made.start();
        return made;
    }

    private static <T> T now(CompletableFuture<T> answer) throws Exception {
        return answer.get(4, TimeUnit.SECONDS);
    }

    private static List<String> active(App app) throws Exception {
        return now(app.cells()).stream()
                .filter(App.RegisteredCell::active)
                .map(cell -> cell.cell().toString())
                .toList();
    }

    private static HistoryEntry entry(int number) {
        return new HistoryEntry(NOON.plusSeconds(number), A.name(), 5, 501, "It happened.", "number " + number);
    }

    private static List<HistoryEntry> newestFirst(int count) {
        return IntStream.rangeClosed(1, count)
                .mapToObj(CellAppIT::entry)
                .toList()
                .reversed();
    }

    // ---- the tables

    @Test
    void aMigrationThatIsRepeatedChangesNothing() throws Exception {
        AppSettings settings = databases.appSettings(A, QUICK);
        try (Connection session = databases.app()) {
            assertThat(Schema.version(session)).isZero();
            assertThat(Schema.isThere(session)).isFalse();
            Schema.migrate(Pool.source(settings, CellApp.ownRoute(settings)));
            assertThat(Schema.version(session)).isEqualTo(Schema.NEWEST);
            assertThat(Schema.isThere(session)).isTrue();
            String first = databases.ask("SELECT string_agg(installed_on::text, ',') FROM schema_version");
            Schema.migrate(Pool.source(settings, CellApp.ownRoute(settings)));
            assertThat(databases.ask("SELECT string_agg(installed_on::text, ',') FROM schema_version"))
                    .isEqualTo(first);
        }
    }

    @Test
    void aNewerSchemaIsLeftAsItIsAndUsed() throws Exception {
        AppSettings settings = databases.appSettings(A, QUICK);
        Schema.migrate(Pool.source(settings, CellApp.ownRoute(settings)));
        try (Connection session = databases.app();
                var statement = session.createStatement()) {
            statement.execute("INSERT INTO schema_version (installed_rank, version, description, type, script,"
                    + " installed_by, execution_time, success)"
                    + " VALUES (99, '99', 'of tomorrow', 'SQL', 'V99__of_tomorrow.sql', 'x', 1, true)");
            statement.execute("ALTER TABLE cell ADD COLUMN tomorrow text NOT NULL DEFAULT 'yes'");
        }
        CellApp app = app(A);
        TwoDatabases.await("cell-a registers", SOON, () -> active(app).contains(A.toString()));
        assertThat(databases.ask("SELECT count(*) FROM schema_version")).isEqualTo("" + (Schema.NEWEST + 1));
        assertThat(now(app.status())).isEqualTo(App.Status.RUNNING);
    }

    @Test
    void aStandbysAppWaitsForThePrimarysToMakeTheTables() throws Exception {
        CellApp standby = app(B);
        var unused = new java.util.concurrent.CountDownLatch(1).await(1500, TimeUnit.MILLISECONDS);
        assertThat(databases.ask("SELECT to_regclass('public.cell')")).isNull();
        assertThat(now(standby.status())).isEqualTo(App.Status.STARTING);
        assertThat(now(standby.reachesPrimary())).isTrue();
        app(A);
        TwoDatabases.await("both register", SOON, () -> active(standby).size() == 2);
        assertThat(now(standby.status())).isEqualTo(App.Status.RUNNING);
    }

    @Test
    void whatIsMissingIsMadeByThePrimarysApp() throws Exception {
        databases.asSuperuser("DROP DATABASE cellkeeper WITH (FORCE)", "ALTER ROLE cellkeeper_app PASSWORD 'another'");
        CellApp app = app(A);
        TwoDatabases.await("cell-a registers", SOON, () -> active(app).contains(A.toString()));
    }

    @Test
    void nobodyButItsOwnerIsLetIn() throws Exception {
        assertThat(databases.ask("SELECT current_user")).isEqualTo(PostgresSettings.APP_ROLE);
        assertThatExceptionOfType(SQLException.class)
                .isThrownBy(() -> databases.session("vcloud", "client", "cellkeeper"))
                .satisfies(refused -> assertThat(refused.getSQLState()).isEqualTo("42501"));
        assertThatExceptionOfType(SQLException.class)
                .isThrownBy(() -> databases.session(PostgresSettings.APP_ROLE, "own'secret", "postgres"))
                .withMessageContaining("pg_hba.conf rejects");
        try (Connection session = databases.app();
                var row = session.createStatement()
                        .executeQuery("SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication"
                                + " FROM pg_roles WHERE rolname = current_user")) {
            row.next();
            assertThat(row.getBoolean(1)).isFalse();
        }
    }

    // ---- the registry

    @Test
    void cellsAreActiveWhileTheirAppsRunAndForgottenOnceTheyAreNoMembers() throws Exception {
        CellApp ofA = app(A);
        CellApp ofB = app(B);
        for (CellApp app : List.of(ofA, ofB)) {
            TwoDatabases.await("both are active", SOON, () -> active(app).size() == 2);
        }
        assertThat(now(ofB.cells()).getFirst())
                .isEqualTo(new App.RegisteredCell(A, "127.0.0.1", "1.2.3", "2026-01-01T00:00:00Z", true));
        ofB.close();
        TwoDatabases.await("cell-b is not active", SOON, () -> active(ofA).equals(List.of(A.toString())));
        assertThat(now(ofA.cells())).hasSize(2);
        members = new CellId[] {A};
        TwoDatabases.await("cell-b is forgotten", SOON, () -> now(ofA.cells()).size() == 1);
    }

    @Test
    void nothingIsDoneWhileAChangeOfPrimaryIsUnderWay() throws Exception {
        calm = false;
        app(A);
        var unused = new java.util.concurrent.CountDownLatch(1).await(1500, TimeUnit.MILLISECONDS);
        assertThat(databases.ask("SELECT to_regclass('public.cell')")).isNull();
    }

    // ---- the archive

    @Test
    void theHistoryIsCopiedOnceAndInOrder() throws Exception {
        history = newestFirst(120);
        CellApp app = app(A);
        TwoDatabases.await(
                "all is copied", SOON, () -> now(app.history(null, 1000)).equals(history));
        history = newestFirst(125);
        TwoDatabases.await(
                "what is new is copied",
                SOON,
                () -> now(app.history(null, 1000)).equals(history));
        assertThat(now(app.history(NOON.plusSeconds(4), 2))).containsExactly(entry(3), entry(2));
        app.close();
        // The next primary's app begins with what is there already.
        CellApp next = app(A);
        history = newestFirst(126);
        TwoDatabases.await(
                "the next goes on", SOON, () -> now(next.history(null, 1000)).equals(history));
        assertThat(databases.ask("SELECT max(id) FROM event")).isEqualTo("126");
    }

    @Test
    void theArchiveIsBoundedAndTakesNothingTwice() throws Exception {
        AppSettings settings = databases.appSettings(A, QUICK);
        Schema.migrate(Pool.source(settings, CellApp.ownRoute(settings)));
        try (Connection session = databases.app()) {
            assertThat(EventArchive.newest(session)).isEmpty();
            assertThat(EventArchive.add(session, newestFirst(10).reversed())).isEqualTo(10);
            assertThat(EventArchive.add(session, newestFirst(12).reversed())).isEqualTo(2);
            assertThat(EventArchive.newest(session)).isEqualTo(EventArchive.digest(entry(12)));
            assertThat(EventArchive.prune(session, 5)).isEqualTo(7);
            assertThat(EventArchive.prune(session, 5)).isZero();
            assertThat(EventArchive.read(session, null, 100))
                    .isEqualTo(newestFirst(12).subList(0, 5));
            HistoryEntry odd = new HistoryEntry(NOON, A.name(), 5, 501, "nul \0", "quote ' and \\u0000 \\");
            assertThat(EventArchive.add(session, List.of(odd))).isEqualTo(1);
            assertThat(EventArchive.add(session, List.of(odd))).isZero();
            assertThat(EventArchive.read(session, null, 100))
                    .contains(new HistoryEntry(NOON, A.name(), 5, 501, "nul ", odd.detail()));
        }
    }

    // ---- when the database is away

    @Test
    void aCommitThatNobodyAcknowledgesHoldsUpNobodyAndIsMadeUpFor() throws Exception {
        CellApp app = app(A);
        TwoDatabases.await("cell-a registers", SOON, () -> active(app).contains(A.toString()));
        databases.stopB();
        try {
            history = newestFirst(3);
            TwoDatabases.await(
                    "a session waits",
                    SOON,
                    () -> databases
                            .ask("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
                            .equals("1"));
            for (int round = 0; round < 10; round++) {
                assertThat(app.reachesPrimary().get(1, TimeUnit.SECONDS)).isTrue();
                assertThat(app.cells().get(1, TimeUnit.SECONDS)).hasSize(1);
            }
        } finally {
            databases.startB();
        }
        TwoDatabases.await(
                "all is copied", SOON, () -> now(app.history(null, 10)).equals(history));
        assertThat(databases.ask("SELECT count(*) FROM event")).isEqualTo("3");
        TwoDatabases.await("it beats again", SOON, () -> active(app).contains(A.toString()));
    }

    @Test
    void aPrimaryThatGoesAndComesBackIsNoticedWithoutARestart() throws Exception {
        history = newestFirst(3);
        app(A);
        CellApp ofB = app(B);
        TwoDatabases.await("both are active", SOON, () -> active(ofB).size() == 2);
        TwoDatabases.await(
                "the history is copied", SOON, () -> now(ofB.history(null, 10)).equals(history));
        databases.stopA();
        try {
            TwoDatabases.await("it is noticed", Duration.ofSeconds(4), () -> !now(ofB.reachesPrimary()));
            assertThat(now(ofB.status())).isEqualTo(App.Status.DEAD);
            // Its own copy is there.
            assertThat(now(ofB.cells())).hasSize(2);
            assertThat(now(ofB.history(null, 10))).isEqualTo(history);
        } finally {
            databases.startA();
        }
        TwoDatabases.await("it is back", Duration.ofSeconds(5), () -> now(ofB.reachesPrimary()));
        TwoDatabases.await("both beat again", SOON, () -> active(ofB).size() == 2);
    }

    @Test
    void closingTakesNoTimeWhateverIsUnderWay() throws Exception {
        CellApp app = app(A);
        TwoDatabases.await("cell-a registers", SOON, () -> active(app).contains(A.toString()));
        databases.stopB();
        try {
            history = newestFirst(3);
            TwoDatabases.await(
                    "a session waits",
                    SOON,
                    () -> databases
                            .ask("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
                            .equals("1"));
            long begun = System.nanoTime();
            app.close();
            assertThat(Duration.ofNanos(System.nanoTime() - begun)).isLessThan(Duration.ofSeconds(1));
            assertThat(now(app.reachesPrimary())).isFalse();
        } finally {
            databases.startB();
        }
    }
}
