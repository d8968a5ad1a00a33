package org.cellkeeper.cell.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.cellkeeper.cell.FreePort;
import org.cellkeeper.cell.http.ApiSettings;
import org.cellkeeper.cell.http.ApplianceApi;
import org.cellkeeper.cell.http.Companions;
import org.cellkeeper.cell.http.FakeApp;
import org.cellkeeper.cell.http.FakeBackups;
import org.cellkeeper.cell.http.FakeOperator;
import org.cellkeeper.cell.http.FakeReload;
import org.cellkeeper.cell.http.FakeRevocations;
import org.cellkeeper.cell.journal.FileJournal;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.ClusterReport;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.Ensemble;
import org.cellkeeper.cell.model.EnsembleServer;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.HistoryEntry;
import org.cellkeeper.cell.model.LocalState;
import org.cellkeeper.cell.model.Member;
import org.cellkeeper.cell.model.VersionedState;
import org.cellkeeper.cell.port.BackupOperator;
import org.cellkeeper.cell.port.Operator;
import org.cellkeeper.cell.trust.Secrets;
import org.cellkeeper.cell.wire.PasswordHash;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;
import picocli.CommandLine.Command;

final class OperatorCommandsTest {
    @TempDir
    static Path directory;

    private static FakeOperator operator;
    private static ApplianceApi api;
    private static String cell;
    private static Path password;
    private static final FakeBackups backups = new FakeBackups();
    private static final FakeReload reload = new FakeReload();

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    @Command(name = "root")
    private static final class Root {}

    @BeforeAll
    static void start() throws IOException {
        int port = FreePort.find();
        operator = new FakeOperator();
        api = new ApplianceApi(
                ApiSettings.of(
                        FakeOperator.CELL_1,
                        new Address("127.0.0.1", 5432, port, 5481),
                        directory,
                        "a long password",
                        "a secret"),
                operator,
                backups,
                new FakeApp(),
                new FakeRevocations(),
                reload,
                new Companions(() -> EnsembleServer.Standing.SERVING, null),
                () -> "");
        api.start();
        cell = "https://127.0.0.1:" + port;
        password = directory.resolve("password");
        Files.writeString(password, "a long password\n");
    }

    @AfterAll
    static void stop() {
        api.close();
    }

    @BeforeEach
    void reset() {
        operator.history = List.of();
        operator.health = ClusterReport.Health.DEGRADED;
        operator.verdict = CompletableFuture.completedFuture(new Operator.Verdict.Accepted("task-7"));
    }

    @Test
    void aCertificateThatNobodyKnownHasSignedIsNotTaken() {
        String[] asked = {"status", "--cell", cell, "--password-file", password.toString()};
        assertThat(execute(asked)).isEqualTo(3);
        assertThat(err.toString())
                .contains("its certificate is not believed", "SHA-256 ", "--ca-file")
                .doesNotContain("a long password");
        String[] insecure = Arrays.copyOf(asked, asked.length + 1);
        insecure[asked.length] = "--insecure";
        assertThat(execute(insecure)).isZero();
    }

    @Test
    void statusShowsAHeadlineATableAndTheWarnings() {
        assertThat(run("status")).isZero();
        assertThat(out.toString()).isEqualTo("""
                        DEGRADED  mode AUTOMATIC  epoch 8  primary cell-2  acknowledgements 1  can survive the loss of 0

                        CELL    ROLE         STATE        TIMELINE  LSN        LAG   HEALTH     DETAILS
                        cell-1  OLD_PRIMARY  HALTED       2         0/3000100  512B  UNHEALTHY  in words
                        cell-2  PRIMARY      PRIMARY      2         0/3000100  0B    HEALTHY    in words
                        cell-3  STANDBY      CATCHING_UP  2         0/3000100  512B  UNHEALTHY  in words

                        ! cell-1 is halted
                        """);
    }

    @Test
    void statusAsJsonIsWhatTheCellSays() {
        assertThat(run("status", "--json")).isZero();
        assertThat(out.toString())
                .startsWith("{\"localClusterFailover\":\"AUTOMATIC\"")
                .endsWith("}\n");
    }

    @Test
    void aChangeWaitsForItsTaskAndTellsTheVerdict() {
        assertThat(run("remove", "cell-1", "--force", "--yes")).isZero();
        assertThat(operator.lastAsked()).isEqualTo(new Operator.Request.Remove(FakeOperator.CELL_1, true, false));
        assertThat(out.toString()).isEqualTo("done: removed\n");

        operator.verdict = CompletableFuture.completedFuture(new Operator.Verdict.Accepted("task-8"));
        assertThat(run("promote", "cell-2", "--accept-data-loss", "--yes")).isEqualTo(1);
        assertThat(operator.lastAsked()).isEqualTo(new Operator.Request.Promote(FakeOperator.CELL_2, true, false));
        assertThat(err.toString()).contains("failed: no votes");
    }

    @Test
    void aTaskThatDoesNotEndInTimeIsSaidSo() {
        operator.verdict = CompletableFuture.completedFuture(new Operator.Verdict.Accepted("task-9"));
        assertThat(run("deploy", "cell-1", "--yes", "--timeout", "1")).isEqualTo(1);
        assertThat(out.toString()).contains("DEPLOY cell-1: 40% cloning");
        assertThat(err.toString()).contains("task task-9 has not ended");
    }

    @Test
    void backupsAreMadeListedAndDeleted() {
        backups.asked.clear();
        assertThat(run("backup", "create")).isZero();
        assertThat(run("backup", "create", "--check")).isZero();
        assertThat(run("backup", "check", "backup-0")).isZero();
        assertThat(run("backup", "check", "backup-0", "--accept-unsigned")).isZero();
        assertThat(run("backup", "delete", "backup-0")).isZero();
        assertThat(backups.asked)
                .containsExactly(
                        new BackupOperator.Request.Create(false, false),
                        new BackupOperator.Request.Create(true, false),
                        new BackupOperator.Request.Check("backup-0", false, false),
                        new BackupOperator.Request.Check("backup-0", true, false),
                        new BackupOperator.Request.Delete("backup-0", false));
        assertThat(run("backup", "list")).isZero();
        assertThat(out.toString()).contains("backup-0  42 bytes  0.1.0  signature VALID  /transfer/backup-0");
    }

    @Test
    void backupsAreListedByDate() {
        assertThat(run("backup", "list", "--filter", "date=gt=2027-01-01T00:00:00Z", "--oldest-first"))
                .isZero();
        assertThat(out.toString()).isEmpty();
        assertThat(run("backup", "list", "--filter", "date>2027")).isEqualTo(1);
        assertThat(err.toString()).contains("filter is 'date>2027', and must be date=ge=2026");
    }

    @Test
    void aServiceIsReloadedAtEveryCellThatAnswers() {
        reload.fault = "";
        assertThat(run("reload", "vpostgres")).isZero();
        assertThat(out.toString()).isEqualTo("127.0.0.1  vpostgres  reloaded\n");
        assertThat(reload.done).hasValue(1);
        assertThat(run("reload", "vcd")).isEqualTo(1);
        assertThat(err.toString()).contains("no-such-service");
        reload.fault = "line 3";
        assertThat(run("reload", "vpostgres")).isEqualTo(1);
        assertThat(err.toString()).contains("127.0.0.1: line 3 [configuration-usable]");
        assertThat(reload.done).hasValue(1);
    }

    @Test
    void aRestoreAsksForTheNameOnceMore() {
        backups.asked.clear();
        assertThat(run("backup", "restore", "backup-0")).isEqualTo(2);
        assertThat(err.toString()).contains("--confirm=backup-0");
        assertThat(backups.asked).isEmpty();
        assertThat(run("backup", "restore", "backup-0", "--confirm", "backup-0"))
                .isZero();
        assertThat(run("backup", "restore", "backup-0", "--confirm", "backup-0", "--accept-unsigned"))
                .isZero();
        assertThat(backups.asked)
                .containsExactly(
                        new BackupOperator.Request.Restore("backup-0", false, false),
                        new BackupOperator.Request.Restore("backup-0", true, false));
    }

    @Test
    void everyChangeIsSent() {
        run("mode", "manual");
        assertThat(operator.lastAsked()).isEqualTo(new Operator.Request.SetMode(FailoverMode.MANUAL, false));
        run("switchover", "cell-3");
        assertThat(operator.lastAsked()).isEqualTo(new Operator.Request.Switchover(FakeOperator.CELL_3, false));
        run("deploy", "cell-1", "--yes");
        assertThat(operator.lastAsked()).isEqualTo(new Operator.Request.Deploy(FakeOperator.CELL_1, false));
    }

    @Test
    void theModeAloneIsToldAndNothingIsSent() {
        run("switchover", "cell-3");
        Operator.Request before = operator.lastAsked();
        assertThat(run("mode")).isZero();
        assertThat(out.toString()).endsWith("automatic\n");
        assertThat(operator.lastAsked()).isSameAs(before);
    }

    @Test
    void whatLosesDataIsNotSentWithoutATerminalToConfirmItOn() {
        run("mode", "manual");
        Operator.Request before = operator.lastAsked();
        for (List<String> command : List.of(
                List.of("remove", "cell-1"),
                List.of("deploy", "cell-1"),
                List.of("promote", "cell-2", "--accept-data-loss"))) {
            assertThat(run(command.toArray(String[]::new)))
                    .as(command.toString())
                    .isEqualTo(2);
            assertThat(err.toString()).contains("no terminal to confirm it on: say --yes");
            err.getBuffer().setLength(0);
            assertThat(operator.lastAsked()).isEqualTo(before);
        }
        run("promote", "cell-3");
        assertThat(operator.lastAsked()).isEqualTo(new Operator.Request.Promote(FakeOperator.CELL_3, false, false));
    }

    @Test
    void onATerminalOnlyYesIsYes() {
        for (String answer : List.of("y", " Yes ", "YES")) {
            assertThat(new Confirmation(() -> answer).given("All is lost.", new PrintWriter(out)))
                    .isTrue();
        }
        for (String answer : Arrays.asList("", "n", "yesterday", null)) {
            assertThat(new Confirmation(() -> answer).given("All is lost.", new PrintWriter(out)))
                    .isFalse();
        }
        assertThat(out.toString()).startsWith("All is lost. Go on? [y/N] ");
    }

    @Test
    void theHelpTellsTheExitCodes() {
        for (String command : List.of("remove", "status", "tasks", "check", "switchover")) {
            out.getBuffer().setLength(0);
            assertThat(execute(command, "--help")).isZero();
            assertThat(out.toString()).as(command).contains("Exit codes:").contains("no cell could be reached");
        }
    }

    @Test
    void aRefusalIsToldWithItsReason() {
        operator.verdict =
                CompletableFuture.completedFuture(new Operator.Verdict.Refused("primary-is-healthy", "use switchover"));
        assertThat(run("promote", "cell-3")).isEqualTo(1);
        assertThat(err.toString()).isEqualTo("cellctl: use switchover [primary-is-healthy]\n");
    }

    @Test
    void aDryRunListsItsChecks() {
        operator.verdict = CompletableFuture.completedFuture(new Operator.Verdict.Checked(
                List.of(new Operator.Check("streams", true, ""), new Operator.Check("votes", false, "1 of 2"))));
        assertThat(run("switchover", "cell-3", "--dry-run")).isEqualTo(1);
        assertThat(operator.lastAsked()).isEqualTo(new Operator.Request.Switchover(FakeOperator.CELL_3, true));
        assertThat(out.toString()).isEqualTo("ok    streams\nNOT OK votes: 1 of 2\n");
    }

    @Test
    void tasksAndHistoryAreListed() {
        assertThat(run("tasks")).isZero();
        assertThat(out.toString()).contains("2026-01-02T12:00:00.123Z  task-8  PROMOTE  cell-2  ERROR  10%  no votes");
        assertThat(run("history", "--limit", "5")).isZero();
        assertThat(out.toString()).contains("cell-2  epoch 8  It was elected.  limit 5");
        assertThat(run("history", "--before", "yesterday")).isEqualTo(1);
        assertThat(err.toString()).contains("[bad-request]");
    }

    @Test
    void registeredCellsAreListed() {
        assertThat(run("cells")).isZero();
        assertThat(out.toString())
                .contains("cell-1  127.0.0.11  active  0.1.0  cell-1.00000001")
                .contains("cell-2  127.0.0.12  not active");
    }

    @Test
    void withoutWaitingTheTasksIdIsTold() {
        operator.verdict = CompletableFuture.completedFuture(new Operator.Verdict.Accepted("task-9"));
        assertThat(run("deploy", "cell-1", "--yes", "--no-wait")).isZero();
        assertThat(out.toString()).isEqualTo("task-9\n");
    }

    @Test
    void servicesAreListedForEveryCellThatAnswers() throws IOException {
        List<String> both = List.of("127.0.0.1:" + FreePort.find(), cell);
        assertThat(runAt(both, password, "services")).isZero();
        assertThat(out.toString()).contains("127.0.0.1  vpostgres  running\n");
        assertThat(err.toString()).contains("refused");
        assertThat(runAt(both.subList(0, 1), password, "services")).isEqualTo(3);
    }

    @Test
    void aCheckTellsByItsExitCodeWhetherAllIsWell() throws IOException {
        assertThat(run("check")).isEqualTo(1);
        assertThat(out.toString())
                .contains("NOT OK 127.0.0.1: the cluster is DEGRADED\n")
                .contains("       cell-1 is halted\n")
                .contains("ok     127.0.0.1: PostgreSQL serves\n");
        assertThat(run("check", "--writable")).isZero();

        List<String> both = List.of("127.0.0.1:" + FreePort.find(), cell);
        assertThat(runAt(both, password, "check", "--writable")).isZero();
        assertThat(out.toString()).contains("does not answer");
        assertThat(runAt(both.subList(0, 1), password, "check", "--writable")).isEqualTo(3);
        operator.health = ClusterReport.Health.HEALTHY;
        operator.warnings = List.of("cell-1: the configuration cannot be used");
        assertThat(run("check")).isEqualTo(1);
        assertThat(out.toString()).contains("NOT OK 127.0.0.1: cell-1: the configuration cannot be used\n");
        assertThat(run("check", "--writable")).isZero();
        operator.warnings = List.of();
        assertThat(run("check")).isZero();
        assertThat(runAt(both, password, "check")).isEqualTo(1);
        operator.health = ClusterReport.Health.NO_ACTIVE_PRIMARY;
        assertThat(run("check", "--writable")).isEqualTo(1);
    }

    @Test
    void eventsAreFollowedWhicheverCellAnswers() throws Exception {
        HistoryEntry first = new HistoryEntry(FakeOperator.NOON, FakeOperator.CELL_2, 8, 12, "It began.", "");
        HistoryEntry second =
                new HistoryEntry(FakeOperator.NOON.plusSeconds(1), FakeOperator.CELL_2, 9, 13, "It went on.", "x");
        operator.history = List.of(first);
        List<String> both = List.of("127.0.0.1:" + FreePort.find(), cell);
        // Once it listens; sooner, it would not be news.
        CompletableFuture.delayedExecutor(4, TimeUnit.SECONDS).execute(() -> operator.history = List.of(second, first));
        assertThat(runAt(both, password, "events", "--follow", "--count", "1")).isZero();
        assertThat(out.toString()).isEqualTo("2026-01-02T12:00:01.123Z  cell-2  epoch 9  It went on.  x\n");
    }

    @Test
    void withoutFollowingTheLastEventsAreTold() {
        assertThat(run("events")).isZero();
        assertThat(out.toString()).contains("It was elected.  limit 10");
    }

    @Test
    void aConfigurationIsCheckedWithoutChangingAnything() throws IOException {
        Path bad = directory.resolve("cell.yaml");
        Files.writeString(bad, "cell:\n  nmae: x\n");
        assertThat(execute("config", "check", "--config", bad.toString())).isEqualTo(2);
        assertThat(err.toString()).contains("nmae");
        assertThat(execute("config")).isEqualTo(2);
    }

    @Test
    void aListOfServersThatDoesNotFitTheOneOnRecordIsNamedAndNothingIsMade() throws Exception {
        Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxr-xr-x"));
        Files.writeString(directory.resolve("secret"), "correct-horse-battery-staple");
        for (String name : List.of("postgres", "pg_resetwal")) {
            Path program = Files.writeString(directory.resolve(name), "#!/bin/sh\necho 'x (PostgreSQL) 17.1'\n");
            Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwxr-xr-x"));
        }
        Path data = directory.resolve("data");
        Path file = Files.writeString(directory.resolve("cell.yaml"), """
                name: cell-1
                host: 10.0.0.1
                data-dir: %1$s/data
                cluster:
                  secret-file: %1$s/secret
                zookeeper:
                  cells:
                    cell-1: 10.0.0.1
                    cell-2: 10.0.0.2
                    cell-3: 10.0.0.3
                security:
                  root-password-file: %1$s/secret
                  vcloud-password-file: %1$s/secret
                  encryption: off
                postgres:
                  bin-dir: %1$s
                """.formatted(directory));
        assertThat(execute("config", "check", "--config", file.toString())).isZero();

        CellId one = CellId.parse("cell-1.0000000a");
        Member member = new Member(one.incarnation(), new Address("10.0.0.1", 5432, 5480, 5481), 100, "x");
        ClusterState state = ClusterState.born(one, member, "7", FailoverMode.AUTOMATIC)
                .withEnsemble(Ensemble.first(List.of("10.0.0.1")));
        try (FileJournal journal = new FileJournal(data.resolve("state"))) {
            journal.save(LocalState.fresh(one.incarnation()).withSeen(new VersionedState(1, state)))
                    .get();
        }
        for (String command : List.of("config check", "prepare")) {
            List<String> words = new ArrayList<>(List.of(command.split(" ", -1)));
            words.addAll(List.of("--config", file.toString()));
            assertThat(execute(words.toArray(String[]::new))).isEqualTo(2);
            assertThat(err.toString())
                    .contains("names the servers 1=10.0.0.1, 2=10.0.0.2, 3=10.0.0.3")
                    .contains("the cluster's ensemble is 1=10.0.0.1.")
                    .contains("Set the list 1=10.0.0.1, 2=10.0.0.2 on every cell");
        }
        assertThat(data.resolve("run")).doesNotExist();
        assertThat(data.resolve("zookeeper")).doesNotExist();
    }

    @Test
    void theCompletionScriptKnowsTheCommands() {
        assertThat(execute("completion")).isZero();
        assertThat(out.toString()).contains("cellctl").contains("switchover").contains("--accept-data-loss");
    }

    @Test
    void theNextCellIsAskedWhenOneIsDown() throws IOException {
        assertThat(runAt(List.of("127.0.0.1:" + FreePort.find(), cell), password, "status"))
                .isZero();
    }

    @Test
    void withNobodyAnsweringTheExitCodeIsThree() throws IOException {
        assertThat(runAt(List.of("127.0.0.1:" + FreePort.find()), password, "status"))
                .isEqualTo(3);
        assertThat(err.toString()).contains("no cell answers");
    }

    @Test
    void aWrongPasswordIsRefused() throws IOException {
        Path wrong = directory.resolve("wrong");
        Files.writeString(wrong, "something else");
        assertThat(runAt(List.of(cell), wrong, "status")).isEqualTo(1);
        assertThat(err.toString()).contains("not-authenticated").doesNotContain("something else");
    }

    @Test
    void theAuditSaysWhichCellNotedItAndWhoAskedForWhat() throws IOException {
        run("switchover", "cell-3", "--no-wait");
        Path wrong = Files.writeString(directory.resolve("wrong"), "something else");
        runAt(List.of(cell), wrong, "status");
        runAt(List.of(cell), wrong, "status", "--user", "nobody");
        out.getBuffer().setLength(0);
        assertThat(run("audit", "--limit", "1000")).isZero();
        assertThat(out.toString())
                .startsWith("noted by cell-1:\n")
                .containsPattern(
                        "\\d\\dZ  change  root \\(root\\)  127.0.0.1  POST /api/1.0.0/nodes/cell-3/switchover  202\n")
                .containsPattern("Z  refused  'root'  127.0.0.1  GET /api/1.0.0/nodes  401 not-authenticated")
                .containsPattern("Z  refused  -  127.0.0.1  GET /api/1.0.0/nodes  401 not-authenticated")
                .doesNotContain("nobody");
        assertThat(run("audit", "--limit", "1000", "--before", "2020-01-01T00:00:00Z"))
                .isZero();
        assertThat(run("audit", "--limit", "0")).isEqualTo(1);
        assertThat(err.toString()).contains("limit is '0'");
    }

    @Test
    void aPasswordIsHashedFromTheStandardInput() throws IOException {
        assertThat(executeWith("correct horse: ü\n", "user", "hash")).isZero();
        String hash = out.toString().strip();
        assertThat(PasswordHash.parse(hash).isOf("correct horse: ü")).isTrue();
        assertThat(hash).startsWith("pbkdf2-sha256$600000$");
        for (String bad : List.of("", "\n", "two\nlines\n", "x".repeat(5000), "\u0007")) {
            out.getBuffer().setLength(0);
            assertThat(executeWith(bad, "user", "hash")).as(bad).isEqualTo(2);
            assertThat(out.toString()).isEmpty();
        }
        assertThat(execute("user", "hash", "secret")).isEqualTo(2);
        assertThat(execute("user")).isEqualTo(2);
    }

    @Test
    void aSecretIsMadeAndThoseInAFileAreTold() throws IOException {
        assertThat(execute("secret", "make")).isZero();
        String made = out.toString().strip();
        assertThat(made).matches("[0-9a-f]{64}");
        out.getBuffer().setLength(0);
        Path file = Files.writeString(directory.resolve("cluster"), made + "\nan older secret\n");
        assertThat(execute("secret", "names", file.toString())).isEqualTo(2);
        assertThat(err.toString()).contains(file + " line 2 holds 15 bytes; 16 to 4096 make a secret");
        assertThat(out.toString()).isEmpty();
        Files.writeString(file, made + "\nan older secret.\n");
        assertThat(execute("secret", "names", file.toString())).isZero();
        assertThat(out.toString().lines())
                .containsExactlyElementsOf(new Secrets(List.of(
                                made.getBytes(StandardCharsets.UTF_8),
                                "an older secret.".getBytes(StandardCharsets.UTF_8)))
                        .names());
        assertThat(execute("secret", "names", directory.resolve("none").toString()))
                .isEqualTo(2);
        assertThat(execute("secret")).isEqualTo(2);
    }

    private int executeWith(String input, String... all) throws IOException {
        InputStream before = System.in;
        try (InputStream in = new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8))) {
            System.setIn(in);
            return execute(all);
        } finally {
            System.setIn(before);
        }
    }

    @Test
    void wrongUsageIsTwo() {
        assertThat(run("promote")).isEqualTo(2);
        assertThat(run("mode", "sometimes")).isEqualTo(2);
        assertThat(err.toString())
                .contains("sometimes", "automatic, manual", "mode --help")
                .doesNotContain("Usage:");
        assertThat(runAt(List.of("http://127.0.0.1"), password, "status")).isEqualTo(2);
        assertThat(runAt(List.of(cell), directory.resolve("nowhere"), "status")).isEqualTo(2);
    }

    private int run(String... arguments) {
        return runAt(List.of(cell), password, arguments);
    }

    private int runAt(List<String> cells, Path passwordFile, String... arguments) {
        List<String> all = new ArrayList<>(List.of(arguments));
        cells.forEach(name -> all.addAll(List.of("--cell", name)));
        all.addAll(List.of("--password-file", passwordFile.toString()));
        all.addAll(List.of("--ca-file", directory.resolve("served.pem").toString()));
        return execute(all.toArray(String[]::new));
    }

    private int execute(String... all) {
        CommandLine root = OperatorCommands.under(new Root());
        root.setOut(new PrintWriter(out));
        root.setErr(new PrintWriter(err));
        return root.execute(all);
    }
}
