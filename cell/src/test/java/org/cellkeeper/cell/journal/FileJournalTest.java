package org.cellkeeper.cell.journal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import org.cellkeeper.cell.model.LocalState;
import org.cellkeeper.cell.port.Journal;
import org.cellkeeper.cell.port.JournalContract;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class FileJournalTest extends JournalContract {
    @TempDir
    private Path temporary;

    private final List<FileJournal> opened = new ArrayList<>();

    @Override
    protected Journal nextLife() {
        return journal();
    }

    /** Where the new file is to be written, something lies that is not to be removed. */
    @Override
    protected void breakTheDisk() throws Exception {
        Files.createDirectories(inTheWay().resolve("full"));
    }

    @Override
    protected void mendTheDisk() throws Exception {
        Files.delete(inTheWay().resolve("full"));
        Files.delete(inTheWay());
    }

    private Path inTheWay() {
        return temporary.resolve("cell").resolve(FileJournal.FILE_NAME + ".next");
    }

    private FileJournal journal() {
        FileJournal journal = new FileJournal(temporary.resolve("cell"));
        opened.add(journal);
        return journal;
    }

    @AfterEach
    void closeAll() {
        opened.forEach(FileJournal::close);
    }

    private Path file() {
        return temporary.resolve("cell").resolve(FileJournal.FILE_NAME);
    }

    private void save(LocalState state) throws Exception {
        journal().save(state).get(10, TimeUnit.SECONDS);
    }

    @Test
    void theFileIsForItsOwnerOnlyAndNothingElseIsLeftBehind() throws Exception {
        save(FRESH);
        save(FRESH.withJoined());

        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file())))
                .isEqualTo("rw-------");
        try (var files = Files.list(file().getParent())) {
            assertThat(files).containsExactly(file());
        }
    }

    @Test
    void theFileSaysItsFormatAndThenTheState() throws Exception {
        save(FRESH);

        assertThat(Files.readAllLines(file()))
                .satisfiesExactly(
                        header -> assertThat(header).matches("\\{\"format\":1,\"crc32c\":\"[0-9a-f]{8}\"}"),
                        state -> assertThat(state).startsWith("{\"incarnation\":\"0000000a\",\"seen\":null,"));
    }

    @Test
    void aTornFileIsRefusedWhereverItIsTorn() throws Exception {
        save(FRESH.withSealedBallot(7));
        byte[] whole = Files.readAllBytes(file());

        for (int length = 0; length < whole.length; length++) {
            byte[] torn = new byte[whole.length];
            System.arraycopy(whole, 0, torn, 0, length);
            Files.write(file(), torn);
            assertRefused();
            Files.write(file(), new String(torn, 0, length, StandardCharsets.UTF_8).getBytes(StandardCharsets.UTF_8));
            assertRefused();
        }
    }

    @Test
    void aChangedDigitIsRefused() throws Exception {
        save(FRESH.withSealedBallot(7));
        Files.writeString(file(), Files.readString(file()).replace("\"sealedBallot\":7", "\"sealedBallot\":0"));

        assertThatThrownBy(() -> journal().load())
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("checksum")
                .hasMessageContaining(file().toString());
    }

    @Test
    void aFileOfAnotherFormatIsRefused() throws Exception {
        save(FRESH);
        Files.writeString(file(), Files.readString(file()).replace("\"format\":1", "\"format\":2"));

        assertThatThrownBy(() -> journal().load())
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("format is 2");
    }

    @Test
    void whatACrashLeftOfAnUnfinishedSaveIsNotRead() throws Exception {
        save(FRESH.withSealedBallot(7));
        Files.writeString(file().resolveSibling(FileJournal.FILE_NAME + ".next"), "{\"format\":1,");

        assertThat(journal().load()).isEqualTo(FRESH.withSealedBallot(7));
        save(FRESH.withSealedBallot(8));
        assertThat(journal().load()).isEqualTo(FRESH.withSealedBallot(8));
    }

    @Test
    void aSaveThatFailsSaysSoAndLeavesTheOldState() throws Exception {
        save(FRESH.withSealedBallot(7));
        Path blocked = file().resolveSibling(FileJournal.FILE_NAME + ".next");
        Files.createDirectories(blocked.resolve("in-the-way"));

        assertThatThrownBy(() -> save(FRESH.withSealedBallot(8)))
                .isInstanceOf(ExecutionException.class)
                .hasCauseInstanceOf(UncheckedIOException.class);
        assertThat(journal().load()).isEqualTo(FRESH.withSealedBallot(7));
    }

    @Test
    void closingWaitsForTheSavesThatWereAskedFor() throws Exception {
        FileJournal journal = journal();
        List<CompletableFuture<Void>> saves = LongStream.rangeClosed(1, 20)
                .mapToObj(ballot -> journal.save(FRESH.withSealedBallot(ballot)))
                .toList();

        journal.close();

        assertThat(saves).allSatisfy(save -> assertThat(save).isCompleted());
        assertThat(journal().load()).isEqualTo(FRESH.withSealedBallot(20));
    }

    private void assertRefused() {
        assertThatThrownBy(() -> journal().load())
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("is not usable");
    }
}
