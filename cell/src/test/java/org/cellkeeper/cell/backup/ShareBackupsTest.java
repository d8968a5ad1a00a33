package org.cellkeeper.cell.backup;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;
import java.util.stream.Stream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.cellkeeper.cell.model.Backup;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.port.BackupFailure;
import org.cellkeeper.cell.port.DatabaseArchive;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Bundles on a share: whole or not there, and never restored when damaged. */
final class ShareBackupsTest {
    @TempDir
    private Path share;

    private final OneFile archive = new OneFile();

    /** A database that is one file. */
    private static final class OneFile implements DatabaseArchive {
        private final List<Path> restored = new ArrayList<>();
        private final List<Path> checked = new ArrayList<>();
        private boolean fails;

        @Override
        public Origin backUp(Path folder, IntConsumer percent) {
            try {
                Files.createDirectory(folder);
                Files.writeString(folder.resolve("base.tar.gz"), "all rows");
                Files.writeString(folder.resolve("backup_manifest"), "17 files");
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            if (fails) {
                throw new BackupFailure("the primary went away");
            }
            return new Origin("17.6", "73", 1, Lsn.parse("0/30"), 99, List.of("table ours"));
        }

        @Override
        public String restore(Path folder, long databaseBytes, IntConsumer percent) {
            restored.add(folder);
            return "done";
        }

        @Override
        public Room roomToCheck(Path folder) {
            return new Room(17, 20);
        }

        @Override
        public List<String> check(Path folder, IntConsumer percent) {
            checked.add(folder);
            return List.of("table ours");
        }

        @Override
        public void tidy() {}
    }

    private ShareBackups backups() {
        return new ShareBackups(share, archive, new CellName("cell-1"), "0.1.0", "{}".getBytes());
    }

    private List<String> names() throws IOException {
        try (Stream<Path> all = Files.list(share)) {
            return all.map(path -> path.getFileName().toString()).sorted().toList();
        }
    }

    @Test
    void aWholeBackupIsListedWithTheChecksumOfEachFile() {
        Backup made = backups().create("backup-1", percent -> {});
        assertThat(backups().list()).containsExactly(made);
        assertThat(made.files())
                .extracting(Backup.Part::name)
                .containsExactly("base/backup_manifest", "base/base.tar.gz", "configuration.json");
        assertThat(made.files().get(1).sha256())
                .isEqualTo("a028ba99d77dd489889ba557398dc4914bba66d242cd14cc2363e2cbd3e8f941");
        assertThat(made.warnings()).containsExactly("table ours");
        assertThat(backups().restore("backup-1", percent -> {})).isEqualTo("done");
        assertThat(archive.restored).containsExactly(share.resolve("backup-1/base"));
    }

    @Test
    void ofABackupThatFailedNothingIsLeft() throws IOException {
        archive.fails = true;
        assertThatExceptionOfType(BackupFailure.class)
                .isThrownBy(() -> backups().create("backup-1", percent -> {}))
                .withMessageContaining("went away");
        assertThat(names()).isEmpty();
    }

    @Test
    void whatACellLeftHalfDoneIsNeverListedAndIsRemovedByTheNextBackup() throws IOException {
        Files.createDirectories(share.resolve(".partial-backup-0/base"));
        Files.writeString(share.resolve(".partial-backup-0/manifest.json"), "{}");
        Files.createDirectories(share.resolve("a-folder-of-others"));
        assertThat(backups().list()).isEmpty();
        backups().create("backup-1", percent -> {});
        assertThat(names()).containsExactly("a-folder-of-others", "backup-1");
    }

    @Test
    void aDamagedBackupIsNamedBeforeAnythingIsTouched() throws IOException {
        backups().create("backup-1", percent -> {});
        Path part = share.resolve("backup-1/base/base.tar.gz");
        Files.writeString(part, "all r0ws");
        damaged("base/base.tar.gz is not what was written");
        Files.writeString(part, "all ro");
        damaged("base/base.tar.gz has 6 bytes, 8 were written");
        Files.delete(part);
        damaged("base/base.tar.gz is missing");
        assertThat(archive.restored).isEmpty();
        assertThat(archive.checked).isEmpty();
    }

    private void damaged(String words) {
        for (ThrowingCallable use : List.<ThrowingCallable>of(
                () -> backups().restore("backup-1", percent -> {}),
                () -> backups().check("backup-1", percent -> {}))) {
            assertThatExceptionOfType(BackupFailure.class).isThrownBy(use).withMessageContaining(words);
        }
    }

    @Test
    void aBackupWithoutAManifestThatCanBeReadIsNotListedButNamedDamaged() throws IOException {
        backups().create("backup-1", percent -> {});
        Files.createDirectories(share.resolve("a-folder-of-others"));
        Path manifest = share.resolve("backup-1/manifest.json");
        assertThat(backups().damage("backup-1")).isEmpty();
        Files.writeString(manifest, Files.readString(manifest).replaceFirst(":", ";"));
        assertThat(backups().damage("backup-1")).contains("manifest.json cannot be read");
        Files.delete(manifest);
        assertThat(backups().damage("backup-1")).endsWith("manifest.json is missing");
        assertThat(backups().damage("a-folder-of-others")).isEmpty();
        assertThat(backups().damage("../" + share.getFileName() + "/backup-1")).isEmpty();
        assertThat(backups().list()).isEmpty();
    }

    @Test
    void aCheckTellsWhatItNeedsAndWhatWouldNotComeBack() throws IOException {
        backups().create("backup-1", percent -> {});
        assertThat(backups().roomToCheck("backup-1")).isEqualTo(new DatabaseArchive.Room(17, 20));
        assertThat(backups().check("backup-1", percent -> {})).containsExactly("table ours");
        assertThat(archive.checked).containsExactly(share.resolve("backup-1/base"));

        // A digit more would be a need for more than there is.
        Files.writeString(share.resolve("backup-1/base/backup_manifest"), "97 files");
        assertThatExceptionOfType(BackupFailure.class)
                .isThrownBy(() -> backups().roomToCheck("backup-1"))
                .withMessageContaining("backup_manifest is not what was written");
    }

    @Test
    void onlyWhatIsListedCanBeDeleted() throws IOException {
        backups().create("backup-1", percent -> {});
        assertThatExceptionOfType(BackupFailure.class)
                .isThrownBy(() -> backups().delete("../" + share.getFileName()));
        backups().delete("backup-1");
        assertThat(names()).isEmpty();
    }

    @Test
    void withoutAShareThatIsSaid() {
        ShareBackups none = new ShareBackups(null, archive, new CellName("cell-1"), "0.1.0", new byte[0]);
        assertThat(none.share().usable()).isFalse();
        assertThatExceptionOfType(BackupFailure.class).isThrownBy(none::list).withMessageContaining("transfer.folder");
        ShareBackups gone =
                new ShareBackups(share.resolve("gone"), archive, new CellName("cell-1"), "0.1.0", new byte[0]);
        assertThat(gone.share().usable()).isFalse();
    }

    @Test
    void aBackupOfAnEarlierVersionWithoutWarningsIsStillOne() throws IOException {
        backups().create("backup-1", percent -> {});
        Path manifest = share.resolve("backup-1/manifest.json");
        String told = Files.readString(manifest);
        assertThat(told).contains(",\"warnings\":[\"table ours\"]");
        Files.writeString(manifest, told.replace(",\"warnings\":[\"table ours\"]", ""));

        assertThat(backups().list())
                .singleElement()
                .satisfies(backup -> assertThat(backup.warnings()).isNull());
        assertThat(backups().restore("backup-1", percent -> {})).isEqualTo("done");
    }
}
