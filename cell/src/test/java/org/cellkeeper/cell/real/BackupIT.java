package org.cellkeeper.cell.real;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.cellkeeper.api.ApplianceClient.Request;
import org.cellkeeper.api.ApplianceFailure;
import org.cellkeeper.api.BackupFile;
import org.cellkeeper.api.TaskInfo;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.extension.ExtendWith;

/** Backups of a cluster that runs: made, brought back, refused, and interrupted by the loss of the primary. */
@Tag("cells")
@ExtendWith(Labs.class)
final class BackupIT {
    private static final Duration LONG = Duration.ofSeconds(120);

    private final RealCells cells;

    BackupIT(RealCells cells) {
        this.cells = cells;
    }

    @BeforeEach
    void allCellsTakePart(TestInfo test) {
        System.out.println(test.getDisplayName());
        cells.restore(true);
    }

    private void execute(String sql) throws SQLException {
        try (Connection session = cells.connect(Duration.ofSeconds(60));
                Statement statement = session.createStatement()) {
            statement.execute(sql);
        }
    }

    private List<String> words(String cell) throws SQLException {
        List<String> words = new ArrayList<>();
        try (Connection session = cells.connectTo(cell);
                Statement statement = session.createStatement();
                ResultSet row = statement.executeQuery("SELECT word FROM words ORDER BY word")) {
            while (row.next()) {
                words.add(row.getString(1));
            }
        }
        return words;
    }

    private BackupFile backUp() {
        cells.succeeds(cells.client().submit(new Request.Backup(false)), LONG);
        return cells.client().backups().getFirst();
    }

    private void everyCellHas(String... words) {
        for (String cell : cells.cells()) {
            Patience.await(cell + " has its rows", Duration.ofSeconds(20), () -> {
                try {
                    List<String> found = words(cell);
                    return found.equals(List.of(words)) ? null : "it has " + found;
                } catch (SQLException e) {
                    return e.toString();
                }
            });
        }
    }

    @Test
    void aRestoreBringsTheRowsBackOnEveryCellAndADamagedBackupChangesNothing() throws Exception {
        execute("DROP TABLE IF EXISTS words");
        execute("CREATE TABLE words (word text PRIMARY KEY)");
        execute("INSERT INTO words VALUES ('one'), ('two')");
        long epoch = cells.epoch();
        BackupFile backup = backUp();
        assertThat(cells.client().mount(cells.api("cell-1")).mounted()).isTrue();
        execute("DELETE FROM words WHERE word = 'one'");
        execute("INSERT INTO words VALUES ('three')");

        assertThatExceptionOfType(ApplianceFailure.Refused.class)
                .isThrownBy(() -> cells.client().submit(new Request.Restore(backup.name(), "")))
                .satisfies(refused -> assertThat(refused.status()).isEqualTo(400));
        everyCellHas("three", "two");

        // A standby rehearses it meanwhile, beside the writes.
        cells.client().preferStandby();
        TaskInfo checked = cells.succeeds(cells.client().submit(new Request.CheckBackup(backup.name())), LONG);
        assertThat(checked.operation()).isEqualTo("CHECK_BACKUP");
        assertThat(checked.result().message()).startsWith(backup.name() + " can be restored");
        assertThat(cells.epoch()).isEqualTo(epoch);

        // A client that holds a session, and one that always comes again, do not keep a restore from its end.
        try (Connection held = cells.connect(Duration.ofSeconds(60));
                Writer writer = cells.writer()) {
            assertThat(held.isValid(1)).isTrue();
            TaskInfo done =
                    cells.succeeds(cells.client().submit(new Request.Restore(backup.name(), backup.name())), LONG);
            System.out.println("  " + done);
            writer.awaitRow(Duration.ofSeconds(10));
        }
        everyCellHas("one", "two");
        cells.awaitHealth("HEALTHY", Duration.ofSeconds(20));
        assertThat(cells.epoch()).isEqualTo(epoch);

        execute("INSERT INTO words VALUES ('zebra')");
        Path part = Path.of(backup.location(), "base", "base.tar.gz");
        flipAByte(part);
        TaskInfo refused = cells.ends(cells.client().submit(new Request.Restore(backup.name(), backup.name())), LONG);
        assertThat(refused.status()).isEqualTo("ERROR");
        assertThat(refused.error().message()).contains("base.tar.gz").contains("nothing was changed");
        TaskInfo damaged = cells.ends(cells.client().submit(new Request.CheckBackup(backup.name())), LONG);
        assertThat(damaged.status()).isEqualTo("ERROR");
        assertThat(damaged.error().message()).contains("base.tar.gz is not what was written");
        everyCellHas("one", "two", "zebra");

        cells.succeeds(cells.client().submit(new Request.DeleteBackup(backup.name())), Duration.ofSeconds(20));
        assertThat(cells.client().backups()).doesNotContain(backup);
    }

    @Test
    void aBackupWithoutThisClustersSignatureIsUsedOnlyWhenAnOperatorSaysSo() throws Exception {
        execute("DROP TABLE IF EXISTS words");
        execute("CREATE TABLE words (word text PRIMARY KEY)");
        execute("INSERT INTO words VALUES ('one')");
        BackupFile backup = backUp();
        assertThat(backup.signature()).isEqualTo("VALID");
        execute("INSERT INTO words VALUES ('two')");

        // Somebody who can write to the share changes what it says of itself, and then takes its signature away.
        Path manifest = Path.of(backup.location(), "manifest.json");
        String signed = Files.readString(manifest);
        Files.writeString(manifest, signed.replaceFirst("\"databaseBytes\":[0-9]+", "\"databaseBytes\":1"));
        refused(backup.name(), false, "WRONG", "it was changed after it was made");
        refused(backup.name(), true, "WRONG", "it was changed after it was made");
        Files.delete(Path.of(backup.location(), "manifest.hmac"));
        refused(backup.name(), false, "MISSING", "--accept-unsigned");
        everyCellHas("one", "two");

        Files.writeString(manifest, signed);
        TaskInfo checked = cells.succeeds(cells.client().submit(new Request.CheckBackup(backup.name(), true)), LONG);
        assertThat(checked.result().message()).contains("accepted although its signature is not this cluster's");
        TaskInfo done =
                cells.succeeds(cells.client().submit(new Request.Restore(backup.name(), backup.name(), true)), LONG);
        assertThat(done.result().message()).contains("accepted although its signature is not this cluster's");
        everyCellHas("one");
        assertThat(cells.client().history(20))
                .anySatisfy(event -> assertThat(event.sentence() + event.detail())
                        .contains("An operator asked to restore a backup.")
                        .contains(backup.name() + "; accepting that its signature is not this cluster's; "));
        cells.succeeds(cells.client().submit(new Request.DeleteBackup(backup.name())), Duration.ofSeconds(20));
    }

    private void refused(String name, boolean acceptUnsigned, String signature, String words) {
        assertThat(cells.client().backup(name).signature()).isEqualTo(signature);
        for (Request request : List.of(
                new Request.CheckBackup(name, acceptUnsigned), new Request.Restore(name, name, acceptUnsigned))) {
            assertThatExceptionOfType(ApplianceFailure.Refused.class)
                    .isThrownBy(() -> cells.client().submit(request))
                    .withMessageContaining(words)
                    .satisfies(refused -> {
                        assertThat(refused.status()).isEqualTo(409);
                        assertThat(refused.code()).isEqualTo("signature-valid");
                    });
        }
    }

    private static void flipAByte(Path file) throws IOException {
        byte[] bytes = Files.readAllBytes(file);
        bytes[bytes.length / 2] ^= 1;
        Files.write(file, bytes, StandardOpenOption.WRITE);
    }

    @Test
    void aBackupEndsAsFailedWhenThePrimaryDiesAndTheClusterFailsOver() throws Exception {
        // Random text does not compress: the backup takes its time.
        execute("DROP TABLE IF EXISTS ballast");
        execute("CREATE TABLE ballast AS SELECT g, sha512(g::text::bytea) FROM generate_series(1, 600000) g");
        int before = cells.client().backups().size();
        String old = cells.primary();
        Runnable kill = cells.readyToKill(old);
        String task = cells.client().submit(new Request.Backup(false));
        assertThat(cells.client().submit(new Request.Backup(false))).isEqualTo(task);
        Patience.await(
                "the backup runs",
                Duration.ofSeconds(20),
                () -> cells.client()
                                .task(task)
                                .filter(seen -> seen.status().equals("RUNNING"))
                                .isPresent()
                        ? null
                        : "it does not");
        kill.run();
        cells.awaitOtherPrimary(old, Duration.ofSeconds(20));
        TaskInfo end = cells.ends(task, Duration.ofSeconds(40));
        assertThat(end.status()).isEqualTo("ERROR");
        assertThat(cells.client().backups()).hasSize(before);
        cells.restore(true);
        BackupFile next = backUp();
        try (var share = Files.list(Path.of(next.location()).getParent())) {
            assertThat(share.map(path -> path.getFileName().toString())).noneMatch(name -> name.startsWith("."));
        }
        execute("DROP TABLE ballast");
    }
}
