package org.cellkeeper.cell.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.reflect.Proxy;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.DatabaseView.Data;
import org.cellkeeper.cell.model.DatabaseView.Receiver;
import org.cellkeeper.cell.model.DatabaseView.Writes;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.SyncSetting;
import org.cellkeeper.cell.port.DatabaseFailure;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyManager;
import org.postgresql.copy.CopyOut;

/** What the adapter does beyond the contract: processes, files, settings, and how long things take. */
final class LocalPostgresIT {
    private static final long EPOCH = 7;
    private static final Duration SOON = Duration.ofSeconds(15);

    private PostgresBench bench;

    @BeforeEach
    void open() throws IOException {
        bench = new PostgresBench();
    }

    @AfterEach
    void close() {
        bench.close();
    }

    @Test
    void aClientThatReadsSlowlyIsNotCutOff() throws Exception {
        bench.found("a");
        bench.get(bench.database("a").startPrimary());
        try (Connection client = bench.client("a")) {
            CopyManager copies = client.unwrap(PGConnection.class).getCopyAPI();
            CopyOut copy = copies.copyOut("COPY (SELECT repeat('x', 1000) FROM generate_series(1, 60000)) TO STDOUT");
            assertThat(copy.readFromCopy()).isNotNull();

            Thread.sleep(7_000);

            long rows = 1;
            while (copy.readFromCopy() != null) {
                rows++;
            }
            assertThat(rows).isEqualTo(60_000);
        }
    }

    @Test
    void aCloneOutlivesAStallOfItself() throws Exception {
        bench.found("a");
        bench.get(bench.database("a").startPrimary());
        bench.execute("a", "CREATE TABLE filler AS SELECT repeat('x', 1000) FROM generate_series(1, 60000)");
        bench.get(bench.database("a").keepSlots(bench.id("a"), Set.of(bench.id("b"))));
        CompletableFuture<DatabaseView> clone =
                bench.database("b").cloneFrom(bench.upstream("a", EPOCH), bench.id("b"), percent -> {});
        // The second process begins when both connections stand: one that is stopped while it connects gives up.
        Set<ProcessHandle> copying = new HashSet<>();
        bench.awaitTrue(
                SOON,
                () -> {
                    ProcessHandle.current()
                            .descendants()
                            .filter(process ->
                                    process.info().command().orElse("").endsWith("pg_basebackup"))
                            .forEach(copying::add);
                    return copying.size() >= 2;
                },
                "a copy, and the stream of its WAL beside it");
        for (ProcessHandle process : copying) {
            PostgresBench.run("kill", "-STOP", String.valueOf(process.pid()));
        }
        Thread.sleep(7_000);
        for (ProcessHandle process : copying) {
            PostgresBench.run("kill", "-CONT", String.valueOf(process.pid()));
        }

        assertThat(bench.get(clone).data()).isEqualTo(Data.PRESENT);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "max_standby_streaming_delay=30min", "hot_standby_feedback=on"})
    void aLongReadAtAStandbyIsCancelledUnlessThatCellIsForReports(String setting) throws Exception {
        bench.found("a");
        bench.get(bench.database("a").startPrimary());
        bench.get(bench.database("a").keepSlots(bench.id("a"), Set.of(bench.id("b"))));
        bench.configure("b", setting.isEmpty() ? Map.of() : Map.of(setting.split("=")[0], setting.split("=")[1]));
        bench.get(bench.database("b").cloneFrom(bench.upstream("a", EPOCH), bench.id("b"), percent -> {}));
        bench.get(bench.database("b").startStandby(bench.upstream("a", EPOCH), bench.id("b")));
        await("b", v -> v.standby().receiver() == Receiver.STREAMING);
        bench.execute("a", "CREATE TABLE hot AS SELECT n FROM generate_series(1, 1000) n");
        Lsn made = bench.get(bench.database("a").observe()).primary().flushed();
        await("b", v -> v.standby().replayed().atLeast(made));
        String end = "";
        try (Connection reader = bench.agent("b", PostgresSettings.APPLICATION);
                Statement statement = reader.createStatement()) {
            reader.setAutoCommit(false);
            reader.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
            statement.execute("SELECT count(*) FROM hot");
            // By now the primary has heard of it, where it is to hear.
            Thread.sleep(2_500);
            for (int round = 0; round < 3; round++) {
                bench.execute("a", "UPDATE hot SET n = n + 1");
                bench.execute("a", "VACUUM hot");
            }
            for (int round = 0; round < 30; round++) {
                statement.execute("SELECT count(*) FROM hot");
                Thread.sleep(200);
            }
        } catch (SQLException e) {
            end = String.valueOf(e.getMessage());
        }
        if (setting.isEmpty()) {
            // The statement is cancelled; or, between two of them, the session is ended.
            assertThat(end).isNotEmpty();
        } else {
            assertThat(end).isEmpty();
        }
    }

    /** Usual hardening, and defaults that an operator may have changed. */
    @Test
    void aCloneReliesOnNothingThatAnOperatorMayTakeAway() throws Exception {
        bench.found("a");
        bench.get(bench.database("a").startPrimary());
        bench.get(bench.database("a").keepSlots(bench.id("a"), Set.of(bench.id("b"))));
        for (String database : List.of("postgres", "template1", "vcloud")) {
            bench.execute("a", "REVOKE ALL ON DATABASE " + database + " FROM PUBLIC");
        }
        bench.execute("a", "REVOKE USAGE ON SCHEMA public FROM PUBLIC");
        bench.execute("a", "ALTER ROLE ALL SET default_transaction_isolation = serializable");
        bench.execute("a", "ALTER ROLE ALL SET statement_timeout = 1");
        bench.get(bench.database("b").cloneFrom(bench.upstream("a", EPOCH), bench.id("b"), percent -> {}));
        bench.get(bench.database("b").startStandby(bench.upstream("a", EPOCH), bench.id("b")));
        await("b", v -> v.standby().receiver() == Receiver.STREAMING);
    }

    @Test
    void theLifeOfThreeCellsFromBirthToFailover() throws Exception {
        measure("initialise", () -> bench.get(bench.database("a").initialise()));
        measure("start primary", () -> bench.get(bench.database("a").startPrimary()));
        bench.execute("a", "CREATE TABLE marks (n bigint GENERATED ALWAYS AS IDENTITY, at timestamptz)");
        bench.execute("a", "GRANT ALL ON marks TO vcloud");
        bench.get(bench.database("a").keepSlots(bench.id("a"), Set.of(bench.id("b"), bench.id("c"))));
        List<Integer> percents = Collections.synchronizedList(new ArrayList<>());
        measure(
                "clone",
                () -> bench.get(
                        bench.database("b").cloneFrom(bench.upstream("a", EPOCH), bench.id("b"), percents::add)));
        assertThat(percents).isSorted().startsWith(0).endsWith(100);
        bench.get(bench.database("c").cloneFrom(bench.upstream("a", EPOCH), bench.id("c"), percent -> {}));
        measure(
                "start standby",
                () -> bench.get(bench.database("b").startStandby(bench.upstream("a", EPOCH), bench.id("b"))));
        bench.get(bench.database("c").startStandby(bench.upstream("a", EPOCH), bench.id("c")));
        await("b", v -> v.standby().receiver() == Receiver.STREAMING);
        await("c", v -> v.standby().receiver() == Receiver.STREAMING);
        SyncSetting both = SyncSetting.of(Set.of(bench.id("b"), bench.id("c")), 1, EPOCH);
        measure("commit rule written and in force", () -> {
            bench.get(bench.database("a").applySync(both));
            awaitInForce("a", both);
        });
        assertThat(bench.commit("a", 3000)).isTrue();
        measureObservations("a");
        measureObservations("b");

        long runOfC = look("c").postmaster();
        bench.crash("a");
        measure("seal both", () -> {
            CompletableFuture<DatabaseView> b = bench.database("b").unfollow();
            CompletableFuture<DatabaseView> c = bench.database("c").unfollow();
            bench.get(b);
            bench.get(c);
            await("b", v -> v.standby().receiver() == Receiver.DETACHED);
            await("c", v -> v.standby().receiver() == Receiver.DETACHED);
        });
        Lsn sealedB = look("b").standby().received();
        Lsn sealedC = look("c").standby().received();
        String winner = sealedB.atLeast(sealedC) ? "b" : "c";
        String other = winner.equals("b") ? "c" : "b";
        bench.get(bench.database(winner).keepSlots(bench.id(winner), Set.of(bench.id("a"), bench.id(other))));
        SyncSetting next = SyncSetting.of(Set.of(bench.id(other)), 1, EPOCH + 1);
        measure("commit rule of the winner", () -> {
            bench.get(bench.database(winner).applySync(next));
            awaitInForce(winner, next);
        });
        measure("promote", () -> bench.get(bench.database(winner).promote(1)));
        measure("re-point to first acknowledged commit", () -> {
            bench.get(bench.database(other).follow(bench.upstream(winner, EPOCH + 1), bench.id(other)));
            assertThat(bench.commit(winner, 5000)).isTrue();
        });
        assertThat(bench.rows(winner)).isEqualTo(2);
        if (other.equals("c")) {
            assertThat(look("c").postmaster()).as("no restart").isEqualTo(runOfC);
        }
        measure("stop immediate", () -> bench.get(bench.database(winner).stopImmediate()));
        measure("stop fast (a standby)", () -> bench.get(bench.database(other).stopFast(10_000)));
        noSecretIsWrittenAnywhere("a");
        noSecretIsWrittenAnywhere("b");
    }

    private void noSecretIsWrittenAnywhere(String name) throws IOException {
        PostgresSettings.Passwords passwords = bench.settings(name).passwords();
        try (var logs = Files.list(bench.settings(name).runDir().resolve("log"))) {
            for (Path log : logs.toList()) {
                assertThat(Files.readString(log))
                        .doesNotContain(passwords.seals().getFirst())
                        .doesNotContain("secret");
            }
        }
        assertThat(Files.readString(bench.dataDir(name).resolve(SettingsFile.NAME)))
                .doesNotContain("secret");
    }

    @Test
    void aLockFileOfTheSocketThatNamesAnotherLivingProcessIsNoObstacle() throws Exception {
        primary("a");
        primary("b");
        bench.get(bench.database("a").stopImmediate());
        PostgresSettings settings = bench.settings("a");
        // What a power cut leaves, when the process id has been given to somebody else.
        Files.writeString(
                settings.runDir().resolve(".s.PGSQL." + settings.port() + ".lock"),
                String.join(
                        "\n",
                        String.valueOf(bench.postmasterPid("b")),
                        settings.dataDir().toString(),
                        "1",
                        String.valueOf(settings.port()),
                        settings.runDir().toString(),
                        ""));
        bench.get(bench.database("a").startPrimary());
    }

    @Test
    void aNewAgentAdoptsARunningPostgresAndIsToldOfItsExit() throws Exception {
        primary("a");
        DatabaseView before = look("a");
        long pid = bench.postmasterPid("a");
        // It leads a session of its own: what is sent to the agent's does not reach it.
        String[] stat = Files.readString(Path.of("/proc/" + pid + "/stat")).split(" ", -1);
        assertThat(stat[5]).isEqualTo(String.valueOf(pid));

        measure("adoption", () -> {
            bench.anotherAgent("a");
            DatabaseView adopted = look("a");
            assertThat(adopted.postmaster()).isEqualTo(before.postmaster());
            assertThat(adopted.isPrimary()).isTrue();
        });
        CountDownLatch told = new CountDownLatch(1);
        bench.database("a").listen(told::countDown);
        await("a", v -> exitWatches() == 1);
        bench.crash("a");
        assertThat(told.await(1, TimeUnit.SECONDS)).isTrue();
        await("a", DatabaseView::isStopped);
    }

    private int exitWatches() {
        try {
            return Integer.parseInt(bench.ask(
                    "a", "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'cellkeeper-exit-watch'"));
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void whilePostgresDoesNotRunClientsAreToldSoAndGoOnToTheNextHost() throws Exception {
        bench.found("a");
        bench.found("b");
        bench.get(bench.database("b").startPrimary());
        bench.database("a");
        bench.awaitTrue(SOON, () -> "57P03".equals(refusalOf("a")), "a client is told");
        assertThat(psql("b")).isEqualTo("reached");
        assertThat(psql("a", "b")).as("the first host has no PostgreSQL").isEqualTo("reached");
        // One that says nothing keeps nobody else from the answer.
        try (Socket _ = new Socket(PostgresBench.HOST, bench.settings("a").port())) {
            assertThat(refusalOf("a")).isEqualTo("57P03");
        }
        for (int round = 0; round < 3; round++) {
            bench.get(bench.database("a").startPrimary());
            assertThat(refusalOf("a")).as("PostgreSQL has its port").isEmpty();
            bench.get(bench.database("a").stopFast(10_000));
            bench.awaitTrue(SOON, () -> "57P03".equals(refusalOf("a")), "a client is told again");
        }
        bench.get(bench.database("a").startPrimary());
        bench.get(bench.database("a").stopImmediate());
        bench.awaitTrue(Duration.ofSeconds(1), () -> "57P03".equals(refusalOf("a")), "fenced: told at once");
        bench.anotherAgent("a");
        bench.awaitTrue(SOON, () -> "08001".equals(refusalOf("a")), "an agent that closes leaves the port");
    }

    /** The SQLSTATE that a client's connection ends with; empty when it is there. */
    private String refusalOf(String name) {
        try (Connection session = bench.client(name)) {
            return session.isValid(5) ? "" : "invalid";
        } catch (SQLException e) {
            return e.getSQLState();
        }
    }

    private String psql(String... names) throws Exception {
        String hosts = String.join(",", Collections.nCopies(names.length, PostgresBench.HOST));
        String ports = Arrays.stream(names)
                .map(name -> String.valueOf(bench.settings(name).port()))
                .collect(Collectors.joining(","));
        ProcessBuilder builder = new ProcessBuilder(
                PostgresBench.binDir().resolve("psql").toString(),
                "--no-psqlrc",
                "--tuples-only",
                "--no-align",
                "--command=SELECT 'reached'",
                "host=" + hosts + " port=" + ports + " user=" + PostgresSettings.APPLICATION + " dbname="
                        + PostgresSettings.APPLICATION + " target_session_attrs=read-write connect_timeout=5");
        builder.environment().put("PGPASSWORD", PostgresBench.PASSWORDS.application());
        java.lang.Process process = builder.redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor(20, TimeUnit.SECONDS)).isTrue();
        return said.strip();
    }

    @Test
    void aPidFileThatNamesAnotherProcessIsNotBelieved() throws Exception {
        bench.found("a");
        Path data = bench.dataDir("a");
        new OwnedFiles(PostgresBench.osUser())
                .write(
                        data.resolve("postmaster.pid"),
                        ProcessHandle.current().pid() + "\n" + data + "\n1\n5432\n\n\n\nready\n");
        assertThat(look("a").instance()).isInstanceOf(DatabaseView.Stopped.class);
        assertThat(bench.get(bench.database("a").startPrimary()).isPrimary()).isTrue();
    }

    @Test
    void whereTheWalEndsIsKnownThoughSegmentsOfZeroesWaitBesideIt() throws Exception {
        primary("a");
        bench.get(bench.database("a").stopFast(10_000));
        Lsn first = look("a").control().end();
        // As PostgreSQL makes them ahead of their use; which file of a folder comes first is chance.
        for (int number = 0x20; number < 0x2c; number++) {
            new OwnedFiles(PostgresBench.osUser())
                    .write(
                            bench.dataDir("a").resolve(String.format("pg_wal/0000000100000000000000%02X", number)),
                            "\0".repeat(16 << 20));
        }
        bench.get(bench.database("a").startPrimary());
        bench.get(bench.database("a").stopFast(10_000));
        DatabaseView stopped = look("a");
        assertThat(stopped.control().cleanlyShutDown()).isTrue();
        assertThat(stopped.control().end().compareTo(first)).isPositive();
    }

    @Test
    void alterSystemOverridesNothingThatSafetyNeeds() throws Exception {
        primary("a");
        bench.execute("a", "ALTER SYSTEM SET synchronous_standby_names = ''");
        bench.execute("a", "ALTER SYSTEM SET fsync = off");
        bench.execute("a", "ALTER SYSTEM SET recovery_target_name = 'x'");
        bench.execute("a", "ALTER SYSTEM SET work_mem = '7MB'");
        SyncSetting setting = SyncSetting.of(Set.of(bench.id("b")), 1, EPOCH);
        bench.get(bench.database("a").applySync(setting));
        awaitInForce("a", setting);
        assertThat(bench.ask("a", "SHOW fsync")).isEqualTo("on");
        assertThat(Files.readString(bench.dataDir("a").resolve("postgresql.auto.conf")))
                .contains("work_mem")
                .doesNotContain("fsync")
                .doesNotContain("synchronous_standby_names")
                .doesNotContain("recovery_target_name");

        bench.execute("a", "ALTER SYSTEM SET synchronous_standby_names = ''");
        bench.get(bench.database("a").stopFast(10_000));
        bench.get(bench.database("a").startPrimary());
        assertThat(bench.get(bench.database("a").observeThoroughly()).syncInForce())
                .isEqualTo(setting);
        assertThat(bench.ask("a", "SHOW work_mem")).isEqualTo("7MB");
    }

    private static List<String> problems(Map<String, String> extra) {
        return LocalPostgres.problems(PostgresBench.binDir(), PostgresBench.osUser(), extra);
    }

    @Test
    void whatPostgresWouldNotStartWithIsRefusedThoughEachValueIsAllowed() {
        assertThat(problems(Map.of("shared_preload_libraries", "not_there")))
                .singleElement()
                .asString()
                .contains("shared_preload_libraries = 'not_there'")
                .contains("could not access file");
        assertThat(problems(Map.of("max_connections", "5")))
                .singleElement()
                .asString()
                .contains("superuser_reserved_connections (8) must be less than max_connections (5)");
        assertThat(problems(Map.of("work_mem", "8MB", "timezone", "Europe/Berlin", "my.own", "x")))
                .isEmpty();
    }

    @Test
    void eachOwnedSettingIsRefusedWithItsReason() {
        LocalPostgres.ownedSettings()
                .forEach((name, reason) -> assertThat(problems(Map.of(name, "1")))
                        .as(name)
                        .singleElement()
                        .asString()
                        .contains(name, reason));
    }

    @Test
    void extraSettingsAreTakenOrRefusedWithEveryReasonAtOnce() throws Exception {
        assertThat(problems(Map.of(
                        "fsync", "off",
                        "synchronous_standby_names", "",
                        "no_such_setting", "1",
                        "max_slot_wal_keep_size", "-1",
                        "work_mem", "banana",
                        "wal_compression", "perhaps",
                        "include", "'x'")))
                .anyMatch(p -> p.startsWith("has fsync, which only the cell itself may set (an acknowledged commit"))
                .anyMatch(p -> p.startsWith("has synchronous_standby_names, which only the cell itself may set"))
                .anyMatch(p -> p.startsWith("has include, which only the cell itself may set"))
                .anyMatch(p -> p.startsWith("max_slot_wal_keep_size is -1"))
                .anyMatch(p -> p.contains("no_such_setting") && p.contains("unrecognized configuration parameter"))
                .anyMatch(p -> p.contains("work_mem = 'banana'") && p.contains("invalid value for parameter"))
                .anyMatch(p -> p.contains("wal_compression = 'perhaps'") && p.contains("Available values"))
                .hasSize(7);
        PostgresSettings settings =
                bench.settingsWith("z", Map.of("work_mem", "9MB", "log_line_prefix", "it's \\%m ", "my.own", "x"));
        try (LocalPostgres database = new LocalPostgres(settings)) {
            bench.get(database.initialise());
            try {
                bench.get(database.startPrimary());
                try (Connection session =
                                new Sessions(settings).open("test", Duration.ofSeconds(5), Duration.ofSeconds(5));
                        Statement statement = session.createStatement();
                        var row = statement.executeQuery(
                                "SELECT current_setting('work_mem'), current_setting('log_line_prefix'),"
                                        + " current_setting('data_checksums'), current_setting('server_encoding')")) {
                    row.next();
                    assertThat(row.getString(1)).isEqualTo("9MB");
                    assertThat(row.getString(2)).isEqualTo("it's \\%m ");
                    assertThat(row.getString(3)).isEqualTo("on");
                    assertThat(row.getString(4)).isEqualTo("UTF8");
                }
            } finally {
                bench.get(database.stopImmediate());
            }
        }
    }

    @Test
    void theWriteProbeTellsAVolumeThatTakesWritesFromOneThatDoesNot() throws Exception {
        bench.database("a");
        await("a", v -> v.writes() == Writes.OK);
        Path file = Files.createTempFile("probe", ".file");
        try (WriteProbe broken = new WriteProbe(file, "data", Duration.ofSeconds(2));
                WriteProbe full = new WriteProbe(Path.of("/proc"), "data", Duration.ofSeconds(2))) {
            broken.start();
            full.start();
            bench.awaitTrue(SOON, () -> broken.verdict().writes() == Writes.FAILED, "a broken volume");
            bench.awaitTrue(SOON, () -> full.verdict().writes() == Writes.FAILED, "a full volume");
            assertThat(broken.verdict().problem()).contains("cannot be written");
            assertThat(full.verdict().problem()).contains("MiB left");
        } finally {
            Files.delete(file);
        }
    }

    @Test
    void anImmediateStopInterruptsACloneAndLeavesItIncomplete() throws Exception {
        primary("a");
        bench.get(bench.database("a").keepSlots(bench.id("a"), Set.of(bench.id("b"))));
        CountDownLatch begun = new CountDownLatch(1);
        CompletableFuture<DatabaseView> clone =
                bench.database("b").cloneFrom(bench.upstream("a", EPOCH), bench.id("b"), percent -> begun.countDown());
        CompletableFuture<DatabaseView> queued = bench.database("b").startStandby(null, bench.id("b"));
        assertThat(begun.await(10, TimeUnit.SECONDS)).isTrue();
        assertThat(look("b").data()).isEqualTo(Data.INCOMPLETE);
        DatabaseView stopped = bench.get(bench.database("b").stopImmediate());
        assertThat(stopped.instance()).isInstanceOf(DatabaseView.Stopped.class);
        assertThatThrownBy(() -> clone.get(5, TimeUnit.SECONDS))
                .isInstanceOf(ExecutionException.class)
                .hasCauseInstanceOf(DatabaseFailure.class);
        assertThatThrownBy(() -> queued.get(5, TimeUnit.SECONDS)).hasCauseInstanceOf(DatabaseFailure.class);
        assertThat(look("b").data()).isEqualTo(Data.INCOMPLETE);
        assertThatThrownBy(() -> bench.get(bench.database("b").startStandby(null, bench.id("b"))))
                .isInstanceOf(DatabaseFailure.class);

        bench.get(bench.database("b").cloneFrom(bench.upstream("a", EPOCH), bench.id("b"), percent -> {}));
        assertThat(look("b").data()).isEqualTo(Data.PRESENT);
        assertThat(bench.get(bench.database("b").startStandby(null, bench.id("b")))
                        .isStandby())
                .isTrue();
    }

    @Test
    void aFrozenPostgresIsUnresponsiveAndStoppedAllTheSame() throws Exception {
        primary("a");
        long pid = bench.postmasterPid("a");
        List<String> kill = new ArrayList<>(List.of("kill", "-STOP", String.valueOf(pid)));
        ProcessHandle.of(pid).orElseThrow().children().forEach(child -> kill.add(String.valueOf(child.pid())));
        PostgresBench.run(kill.toArray(String[]::new));
        long begun = System.nanoTime();
        DatabaseView frozen = look("a");
        assertThat(frozen.instance()).isInstanceOf(DatabaseView.Unresponsive.class);
        assertThat(System.nanoTime() - begun).isLessThan(Duration.ofMillis(2500).toNanos());
        assertThat(frozen.problem()).contains("does not answer");
        measure(
                "stop immediate of a frozen instance",
                () -> assertThat(bench.get(bench.database("a").stopImmediate()).instance())
                        .isInstanceOf(DatabaseView.Stopped.class));
        assertThat(ProcessHandle.of(pid)).isEmpty();
        assertThat(bench.get(bench.database("a").startPrimary()).isPrimary()).isTrue();
    }

    @Test
    void aSlowCheckpointHoldsUpNoVerbAndNoStop() throws Exception {
        primary("a");
        bench.get(bench.database("a").checkpoint(30_000));
        String checkpointer = bench.ask("a", "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'");

        PostgresBench.run("kill", "-STOP", checkpointer);
        CompletableFuture<Void> slow = bench.database("a").checkpoint(60_000);
        CompletableFuture<Void> tooSlow = bench.database("a").checkpoint(1_500);
        bench.get(bench.database("a").setReadOnly(true));
        bench.get(bench.database("a").setReadOnly(false));
        assertThatThrownBy(() -> bench.get(tooSlow))
                .isInstanceOf(DatabaseFailure.class)
                .hasMessageContaining("timeout");
        assertThat(slow).isNotDone();
        PostgresBench.run("kill", "-CONT", checkpointer);
        bench.get(slow);

        PostgresBench.run("kill", "-STOP", checkpointer);
        CompletableFuture<Void> cutOff = bench.database("a").checkpoint(60_000);
        bench.awaitTrue(SOON, this::aSessionWaitsForACheckpoint, "a session waits for the checkpoint");
        bench.get(bench.database("a").stopImmediate());
        assertThat(cutOff).failsWithin(5, TimeUnit.SECONDS).withThrowableOfType(ExecutionException.class);
    }

    private boolean aSessionWaitsForACheckpoint() {
        try {
            return bench.ask("a", "SELECT 1 FROM pg_stat_activity WHERE query = 'CHECKPOINT' AND state = 'active'")
                    != null;
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void postgresRecoversFromACrashedBackendByItselfUnderTheSamePostmaster() throws Exception {
        primary("a");
        long run = look("a").postmaster();
        try (Connection victim = bench.client("a");
                Statement statement = victim.createStatement();
                var row = statement.executeQuery("SELECT pg_backend_pid()")) {
            row.next();
            PostgresBench.run("kill", "-KILL", row.getString(1));
        }
        bench.awaitTrue(
                SOON,
                () -> {
                    DatabaseView view = look("a");
                    assertThat(view.instance())
                            .isInstanceOfAny(DatabaseView.Starting.class, DatabaseView.Running.class);
                    return view.isPrimary();
                },
                "recovered");
        assertThat(look("a").postmaster()).isEqualTo(run);
    }

    @Test
    void whatADeadPostmasterLeavesBehindIsEnded() throws Exception {
        primary("a");
        try (Connection client = bench.client("a");
                Statement statement = client.createStatement()) {
            // Not in the common pool: on two cores it has one thread, and the JDK tells of ended processes there.
            CompletableFuture<Void> busy = CompletableFuture.runAsync(
                    () -> {
                        try {
                            statement.execute("SELECT count(*) FROM generate_series(1, 1000000000)");
                        } catch (SQLException e) {
                            throw new IllegalStateException(e);
                        }
                    },
                    Thread::startVirtualThread);
            await("a", v -> busyBackends() == 1);
            ProcessHandle.of(bench.postmasterPid("a")).orElseThrow().destroyForcibly();
            assertThatThrownBy(() -> busy.get(10, TimeUnit.SECONDS)).isInstanceOf(ExecutionException.class);
        }
        await("a", DatabaseView::isStopped);
        assertThat(bench.get(bench.database("a").startPrimary()).isPrimary()).isTrue();
    }

    private int busyBackends() {
        try {
            return Integer.parseInt(bench.ask(
                    "a",
                    "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%generate_series(1, 1%' AND state = 'active'"
                            + " AND pid <> pg_backend_pid()"));
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void aStandbyCutOffInTheMiddleOfAForcedPromotionStartsAgain() throws Exception {
        primary("a");
        bench.get(bench.database("a").keepSlots(bench.id("a"), Set.of(bench.id("b"))));
        bench.get(bench.database("b").cloneFrom(bench.upstream("a", EPOCH), bench.id("b"), percent -> {}));
        bench.get(bench.database("b").startStandby(null, bench.id("b")));
        // The agent died after it had written the histories, before it promoted.
        new DataDirectory(bench.dataDir("b"), new OwnedFiles(PostgresBench.osUser())).fabricateHistories(1, 3);
        bench.pass(500);
        assertThat(look("b").standby().timeline()).isEqualTo(1);
        bench.get(bench.database("b").stopImmediate());
        bench.get(bench.database("b").startStandby(bench.upstream("a", EPOCH), bench.id("b")));
        await("b", v -> v.standby().receiver() == Receiver.STREAMING);
    }

    // ---- building blocks

    private void primary(String name) {
        bench.found(name);
        bench.get(bench.database(name).startPrimary());
    }

    @Test
    void aPromotionThatEndsWhileTheWayIsClearedForItIsNoFailure() throws Exception {
        bench.found("a");
        bench.get(bench.database("a").startStandby(null, bench.id("a")));
        try (Connection session = bench.agent("a", "postgres")) {
            AtomicInteger statements = new AtomicInteger();
            Connection promotedMeanwhile = (Connection) Proxy.newProxyInstance(
                    getClass().getClassLoader(), new Class<?>[] {Connection.class}, (_, method, arguments) -> {
                        // It is in recovery when that is asked, and no more when it is asked whether replay is paused.
                        if (method.getName().equals("createStatement") && statements.incrementAndGet() == 2) {
                            bench.get(bench.database("a").promote(1));
                        }
                        return method.invoke(session, arguments);
                    });
            Following.clearTheWay(promotedMeanwhile);
        }
        assertThat(look("a").isPrimary()).isTrue();
    }

    @Test
    void aCommitThatWaitsIsReleasedAsSoonAsTheRuleNamesAStandbyThatHasItAlready() throws Exception {
        bench.found("a");
        bench.get(bench.database("a").startPrimary());
        bench.get(bench.database("a").keepSlots(bench.id("a"), Set.of(bench.id("b"))));
        bench.get(bench.database("b").cloneFrom(bench.upstream("a", EPOCH), bench.id("b"), percent -> {}));
        bench.get(bench.database("b").startStandby(bench.upstream("a", EPOCH), bench.id("b")));
        await("b", v -> v.standby().receiver() == Receiver.STREAMING);
        SyncSetting rule = SyncSetting.of(Set.of(bench.id("b")), 1, EPOCH);
        int rounds = 5;
        long waited = 0;
        for (int round = 0; round < rounds; round++) {
            bench.get(bench.database("a").applySync(SyncSetting.NOBODY));
            awaitInForce("a", SyncSetting.NOBODY);
            CompletableFuture<Boolean> commit = CompletableFuture.supplyAsync(() -> bench.commit("a", 10_000));
            await(
                    "a",
                    v -> v.primary().waiting() == 1
                            && v.primary().senders().stream()
                                    .allMatch(sender ->
                                            sender.flushed().atLeast(v.primary().flushed())));
            long begun = System.nanoTime();
            bench.get(bench.database("a").applySync(rule));
            assertThat(commit.get(10, TimeUnit.SECONDS)).isTrue();
            waited += System.nanoTime() - begun;
        }
        System.out.printf("MEASURED commit rule written to commit released: %.1f ms%n", waited / 1e6 / rounds);
        // By itself the standby would tell what it has flushed only once a second.
        assertThat(waited / rounds).isLessThan(TimeUnit.MILLISECONDS.toNanos(500));
    }

    private DatabaseView look(String name) {
        return bench.get(bench.database(name).observe());
    }

    private void await(String name, Predicate<DatabaseView> condition) {
        bench.awaitTrue(SOON, () -> condition.test(look(name)), name);
    }

    private void awaitInForce(String name, SyncSetting setting) {
        bench.awaitTrue(
                SOON,
                () -> setting.equals(
                        bench.get(bench.database(name).observeThoroughly()).syncInForce()),
                "in force: " + setting);
    }

    private static void measure(String what, Runnable work) {
        long begun = System.nanoTime();
        work.run();
        System.out.printf("MEASURED %s: %.1f ms%n", what, (System.nanoTime() - begun) / 1e6);
    }

    private void measureObservations(String name) {
        for (int round = 0; round < 50; round++) {
            look(name);
        }
        long begun = System.nanoTime();
        for (int round = 0; round < 200; round++) {
            look(name);
        }
        System.out.printf("MEASURED observe of %s: %.0f us%n", name, (System.nanoTime() - begun) / 200e3);
        begun = System.nanoTime();
        for (int round = 0; round < 20; round++) {
            bench.get(bench.database(name).observeThoroughly());
        }
        System.out.printf("MEASURED observeThoroughly of %s: %.1f ms%n", name, (System.nanoTime() - begun) / 20e6);
    }
}
