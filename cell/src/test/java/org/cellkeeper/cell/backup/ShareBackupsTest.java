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
        private boolean fails;

        @Override
        public Origin backUp(Path folder, IntConsumer percent) {
            try {
                Files.createDirectory(folder);
                Files.writeString(folder.resolve("base.tar.gz"), "all rows");
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
                .containsExactly("base/base.tar.gz", "configuration.json");
        assertThat(made.files().getFirst().sha256())
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
    void aDamagedBackupIsRefusedBeforeAnythingIsTouched() throws IOException {
        backups().create("backup-1", percent -> {});
        Files.writeString(share.resolve("backup-1/base/base.tar.gz"), "all r0ws");
        assertThatExceptionOfType(BackupFailure.class)
                .isThrownBy(() -> backups().restore("backup-1", percent -> {}))
                .withMessageContaining("base/base.tar.gz");
        Files.delete(share.resolve("backup-1/base/base.tar.gz"));
        assertThatExceptionOfType(BackupFailure.class)
                .isThrownBy(() -> backups().restore("backup-1", percent -> {}));
        assertThat(archive.restored).isEmpty();
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
