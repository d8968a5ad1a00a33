package org.cellkeeper.cell.backup;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.IntConsumer;
import java.util.stream.Stream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.cellkeeper.cell.model.Backup;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.Signature;
import org.cellkeeper.cell.model.StoredBackup;
import org.cellkeeper.cell.port.BackupFailure;
import org.cellkeeper.cell.port.DatabaseArchive;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Bundles on a share: whole or not there, and never restored when damaged. */
final class ShareBackupsTest {
    private static final Signatures KEYS = new Signatures(List.of("ours"));

    @TempDir
    private Path share;

    private final OneFile archive = new OneFile();

    /** A database that is one file. */
    private static final class OneFile implements DatabaseArchive {
        private final List<String> restored = new ArrayList<>();
        private final List<String> checked = new ArrayList<>();
        private boolean fails;
        private Runnable meanwhile = () -> {};

        @Override
        public Origin backUp(Target target, IntConsumer percent) {
            try (OutputStream out = target.make("base.tar.gz")) {
                out.write("all rows".getBytes(StandardCharsets.UTF_8));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            meanwhile.run();
            if (fails) {
                throw new BackupFailure("the primary went away");
            }
            return new Origin("17.6", "73", 1, Lsn.parse("0/30"), 99, 17, List.of("table ours"));
        }

        private String rows(Copy copy) {
            meanwhile.run();
            try (InputStream in = copy.open("base.tar.gz")) {
                return new String(in.readAllBytes(), StandardCharsets.UTF_8);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        @Override
        public String restore(Copy copy, long databaseBytes, IntConsumer percent) {
            restored.add(rows(copy));
            return "done";
        }

        @Override
        public Room roomToCheck(Copy copy) {
            return new Room(copy.unpackedBytes(), 20);
        }

        @Override
        public List<String> check(Copy copy, IntConsumer percent) {
            checked.add(rows(copy));
            return List.of("table ours");
        }

        @Override
        public void tidy() {}
    }

    private ShareBackups backups(String... keys) {
        return new ShareBackups(
                share,
                archive,
                new CellName("cell-1"),
                "0.1.0",
                "{}".getBytes(StandardCharsets.UTF_8),
                new Signatures(keys.length == 0 ? List.of("ours") : List.of(keys)));
    }

    private Path in(String file) {
        return share.resolve("backup-1").resolve(file);
    }

    private void write(String file, String text) {
        try {
            Files.writeString(in(file), text);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private List<String> names() throws IOException {
        try (Stream<Path> all = Files.list(share)) {
            return all.map(path -> path.getFileName().toString()).sorted().toList();
        }
    }

    @Test
    void aWholeBackupIsListedWithTheChecksumOfEachFile() {
        Backup made = backups().create("backup-1", percent -> {});
        assertThat(backups().list()).containsExactly(new StoredBackup(made, Signature.VALID));
        assertThat(made.files())
                .extracting(Backup.Part::name)
                .containsExactly("base/base.tar.gz", "configuration.json");
        assertThat(made.files().getFirst().sha256())
                .isEqualTo("a028ba99d77dd489889ba557398dc4914bba66d242cd14cc2363e2cbd3e8f941");
        assertThat(made.warnings()).containsExactly("table ours");
        assertThat(backups().restore("backup-1", false, percent -> {})).isEqualTo("done");
        assertThat(archive.restored).containsExactly("all rows");
    }

    @Test
    void nobodyButTheAgentReadsABackup() throws IOException {
        backups().create("backup-1", percent -> {});
        try (Stream<Path> all = Files.walk(share.resolve("backup-1"))) {
            assertThat(all)
                    .allSatisfy(path -> assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path)))
                            .endsWith("------"));
        }
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
        write("base/base.tar.gz", "all r0ws");
        refused("base/base.tar.gz is not what was written");
        write("base/base.tar.gz", "all ro");
        refused("base/base.tar.gz has 6 bytes, 8 were written");
        Files.delete(in("base/base.tar.gz"));
        refused("base/base.tar.gz is missing");
        Files.createDirectory(in("base/base.tar.gz"));
        refused("base/base.tar.gz is no file");
        Files.delete(in("base/base.tar.gz"));
        write("base/base.tar.gz", "all rows");
        write("configuration.json", "[]");
        refused("configuration.json is not what was written");
    }

    private void refused(String words) {
        refused(false, words);
        refused(true, words);
    }

    private void refused(boolean acceptUnsigned, String words) {
        for (ThrowingCallable use : List.<ThrowingCallable>of(
                () -> backups().restore("backup-1", acceptUnsigned, percent -> {}),
                () -> backups().check("backup-1", acceptUnsigned, percent -> {}))) {
            assertThatExceptionOfType(BackupFailure.class).isThrownBy(use).withMessageContaining(words);
        }
        assertThat(archive.restored).isEmpty();
        assertThat(archive.checked).isEmpty();
    }

    // ---- signatures

    private Signature signature() {
        Signature signature = backups().signature("backup-1");
        assertThat(backups().list()).extracting(StoredBackup::signature).containsExactly(signature);
        return signature;
    }

    @Test
    void anUnsignedBackupIsOnlyUsedWhenThatIsSaid() throws IOException {
        backups().create("backup-1", percent -> {});
        Files.delete(in("manifest.hmac"));
        assertThat(signature()).isEqualTo(Signature.MISSING);
        refused(false, "backup-1 is not used: it has no signature");
        refused(false, "--accept-unsigned");
        assertThatExceptionOfType(BackupFailure.class)
                .isThrownBy(() -> backups().roomToCheck("backup-1", false));
        assertThat(backups().roomToCheck("backup-1", true).neededBytes()).isEqualTo(17);
        assertThat(backups().check("backup-1", true, percent -> {})).containsExactly("table ours");
        assertThat(backups().restore("backup-1", true, percent -> {})).isEqualTo("done");
    }

    @Test
    void soIsOneThatAnotherClusterMade() {
        backups("theirs").create("backup-1", percent -> {});
        assertThat(signature()).isEqualTo(Signature.FOREIGN);
        refused(false, "it is signed with another secret than this cluster's");
        assertThat(backups().restore("backup-1", true, percent -> {})).isEqualTo("done");
    }

    @Test
    void aBackupStaysValidForAsLongAsTheSecretThatSignedItIsListed() {
        AtomicReference<List<String>> keys = new AtomicReference<>(List.of("old"));
        ShareBackups cell = new ShareBackups(
                share,
                archive,
                new CellName("cell-1"),
                "0.1.0",
                "{}".getBytes(StandardCharsets.UTF_8),
                new Signatures(keys::get));
        cell.create("backup-1", percent -> {});
        for (List<String> list : List.of(List.of("old", "new"), List.of("new", "old"))) {
            keys.set(list);
            assertThat(cell.signature("backup-1")).isEqualTo(Signature.VALID);
        }
        cell.create("backup-2", percent -> {});
        keys.set(List.of("new"));
        assertThat(cell.signature("backup-1")).isEqualTo(Signature.FOREIGN);
        assertThat(cell.signature("backup-2")).isEqualTo(Signature.VALID);
        assertThatExceptionOfType(BackupFailure.class)
                .isThrownBy(() -> cell.restore("backup-1", false, percent -> {}))
                .withMessageContaining("list it again, on the last line of the cluster's secret file of every cell");
        keys.set(List.of("new", "old"));
        assertThat(cell.restore("backup-1", false, percent -> {})).isEqualTo("done");
    }

    @Test
    void whatWasChangedAfterItWasSignedIsNeverUsed() throws IOException {
        backups().create("backup-1", percent -> {});
        String manifest = Files.readString(in("manifest.json"));
        write("manifest.json", manifest.replace("\"databaseBytes\":99", "\"databaseBytes\":98"));
        assertThat(signature()).isEqualTo(Signature.WRONG);
        refused("it was changed after it was made");
        write("manifest.json", manifest);
        assertThat(signature()).isEqualTo(Signature.VALID);
        for (String odd : List.of("", "HMAC-SHA256", "none", "HMAC-SHA1 0123456789abcdef " + "0".repeat(64))) {
            write("manifest.hmac", odd);
            assertThat(signature()).as(odd).isEqualTo(Signature.WRONG);
            refused("it was changed after it was made");
        }
    }

    @Test
    void theFirstKeySignsAndAllAreGood() {
        backups("old").create("backup-1", percent -> {});
        backups("new", "old").create("backup-2", percent -> {});
        assertThat(backups("new", "old").list())
                .hasSize(2)
                .allSatisfy(stored -> assertThat(stored.signature()).isEqualTo(Signature.VALID));
        assertThat(backups("old").signature("backup-2")).isEqualTo(Signature.FOREIGN);
        assertThat(backups("old").signature("backup-1")).isEqualTo(Signature.VALID);
    }

    @Test
    void aBackupUnderAnothersNameIsNone() throws IOException {
        backups().create("backup-1", percent -> {});
        Files.move(share.resolve("backup-1"), share.resolve("backup-2"));
        assertThat(backups().list()).isEmpty();
        assertThat(backups().damage("backup-2")).isEqualTo("backup-2 was made as backup-1: give it that name back");
        assertThatExceptionOfType(BackupFailure.class)
                .isThrownBy(() -> backups().restore("backup-2", true, percent -> {}))
                .withMessageContaining("was made as backup-1");
    }

    // ---- others who write to the share meanwhile

    @Test
    void whatIsChangedWhileABackupIsMadeIsNotVouchedFor() {
        archive.meanwhile = () -> {
            try {
                Path file = share.resolve(".partial-backup-1/base/base.tar.gz");
                Files.delete(file);
                Files.writeString(file, "all r0ws");
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        };
        Backup made = backups().create("backup-1", percent -> {});
        archive.meanwhile = () -> {};
        assertThat(made.files().getFirst().sha256())
                .isEqualTo("a028ba99d77dd489889ba557398dc4914bba66d242cd14cc2363e2cbd3e8f941");
        refused("base/base.tar.gz is not what was written");
    }

    @Test
    void whatIsChangedAfterItWasLookedAtIsNotUsed() {
        backups().create("backup-1", percent -> {});
        archive.meanwhile = () -> write("base/base.tar.gz", "all r0ws");
        refused("base/base.tar.gz is not what was written");
        archive.meanwhile = () -> write("base/base.tar.gz", "all rows, and more");
        write("base/base.tar.gz", "all rows");
        assertThatExceptionOfType(BackupFailure.class)
                .isThrownBy(() -> backups().restore("backup-1", false, percent -> {}))
                .withMessageContaining("has not the 8 bytes that were written");
        assertThat(archive.restored).isEmpty();
    }

    @Test
    void aManifestThatIsChangedAfterItWasLookedAtIsNotReadAgain() {
        Backup made = backups().create("backup-1", percent -> {});
        archive.meanwhile = () -> {
            write("base/base.tar.gz", "all r0ws");
            write("manifest.json", "{}");
        };
        assertThat(made.files()).isNotEmpty();
        assertThatExceptionOfType(BackupFailure.class)
                .isThrownBy(() -> backups().restore("backup-1", true, percent -> {}))
                .withMessageContaining("base/base.tar.gz is not what was written");
    }

    @Test
    void noLinkLeadsOutOfABackup() throws IOException {
        Path elsewhere = Files.createDirectory(share.resolve(".elsewhere"));
        backups().create("backup-1", percent -> {});
        Path part = in("base/base.tar.gz");
        Files.move(part, elsewhere.resolve("base.tar.gz"));
        Files.createSymbolicLink(part, elsewhere.resolve("base.tar.gz"));
        refused("base/base.tar.gz is no file");
        Files.delete(part);
        Files.delete(in("base"));
        Files.createSymbolicLink(in("base"), elsewhere);
        refused("the backup cannot be read");
        Files.move(in("manifest.json"), elsewhere.resolve("manifest.json"));
        Files.createSymbolicLink(in("manifest.json"), elsewhere.resolve("manifest.json"));
        assertThat(backups().list()).isEmpty();
        Files.move(share.resolve("backup-1"), elsewhere.resolve("backup-1"));
        Files.createSymbolicLink(share.resolve("backup-1"), elsewhere.resolve("backup-1"));
        assertThat(backups().list()).isEmpty();
    }

    @Test
    void whatIsNamedInAManifestIsAFileOfIt() throws IOException {
        for (String name : List.of(
                "../other", "/etc/passwd", "base/../../other", "base/./x", "base//x", "base", "base/", ".hidden", "")) {
            backups().create("backup-1", percent -> {});
            String manifest = Files.readString(in("manifest.json"));
            write("manifest.json", manifest.replace("configuration.json", name));
            Files.delete(in("manifest.hmac"));
            refused(true, name.equals("base") ? "base is no file" : name + " is no file of it");
            backups().delete("backup-1");
        }
    }

    @Test
    void aPipeIsNotWaitedFor() throws Exception {
        backups().create("backup-1", percent -> {});
        Files.delete(in("base/base.tar.gz"));
        pipe("base/base.tar.gz");
        refused("base/base.tar.gz is no file");
        Files.delete(in("manifest.json"));
        pipe("manifest.json");
        assertThat(backups().list()).isEmpty();
        assertThat(backups().damage("backup-1")).isEqualTo("its manifest.json cannot be read: it is no file");
    }

    private void pipe(String file) throws Exception {
        assertThat(new ProcessBuilder("mkfifo", in(file).toString()).start().waitFor())
                .isZero();
    }

    @Test
    void whatIsDeletedIsInTheBackup() throws IOException {
        Path elsewhere = Files.createDirectory(share.resolve("elsewhere"));
        Files.writeString(elsewhere.resolve("kept"), "all rows");
        backups().create("backup-1", percent -> {});
        Files.createSymbolicLink(in("base/out"), elsewhere);
        Files.createSymbolicLink(in("kept"), elsewhere.resolve("kept"));
        Files.createDirectories(in("deep/deeper"));
        backups().delete("backup-1");
        assertThat(names()).containsExactly("elsewhere");
        assertThat(elsewhere.resolve("kept")).hasContent("all rows");
    }

    @Test
    void aBackupWithoutAManifestThatCanBeReadIsNotListedButNamedDamaged() throws IOException {
        backups().create("backup-1", percent -> {});
        Files.createDirectories(share.resolve("a-folder-of-others"));
        Path manifest = share.resolve("backup-1/manifest.json");
        assertThat(backups().damage("backup-1")).isEmpty();
        Files.writeString(manifest, Files.readString(manifest).replaceFirst(":", ";"));
        assertThat(backups().damage("backup-1")).contains("manifest.json cannot be read: not a readable Backup");
        Files.delete(manifest);
        assertThat(backups().damage("backup-1")).endsWith("manifest.json is missing");
        assertThat(backups().damage("a-folder-of-others")).isEmpty();
        assertThat(backups().damage("../" + share.getFileName() + "/backup-1")).isEmpty();
        assertThat(backups().list()).isEmpty();
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
        ShareBackups none = new ShareBackups(null, archive, new CellName("cell-1"), "0.1.0", new byte[0], KEYS);
        assertThat(none.share().usable()).isFalse();
        assertThatExceptionOfType(BackupFailure.class).isThrownBy(none::list).withMessageContaining("transfer.folder");
        ShareBackups gone =
                new ShareBackups(share.resolve("gone"), archive, new CellName("cell-1"), "0.1.0", new byte[0], KEYS);
        assertThat(gone.share().usable()).isFalse();
    }

    @Test
    void aBackupOfAnEarlierVersionIsStillOne() throws IOException {
        backups().create("backup-1", percent -> {});
        String told = Files.readString(in("manifest.json"));
        String before = told.replace(",\"warnings\":[\"table ours\"]", "").replace("\"unpackedBytes\":17,", "");
        assertThat(before).hasSize(told.length() - 45);
        write("manifest.json", before);
        Files.delete(in("manifest.hmac"));

        assertThat(backups().list()).singleElement().satisfies(stored -> {
            assertThat(stored.backup().warnings()).isNull();
            assertThat(stored.signature()).isEqualTo(Signature.MISSING);
        });
        assertThat(backups().restore("backup-1", true, percent -> {})).isEqualTo("done");
    }
}
