package org.cellkeeper.cell.journal;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.zip.CRC32C;
import org.cellkeeper.cell.model.LocalState;
import org.cellkeeper.cell.port.Journal;
import org.cellkeeper.cell.wire.DurableFiles;
import org.cellkeeper.cell.wire.Json;
import org.jspecify.annotations.Nullable;

/**
 * The journal as the file {@code state.json}: a line that says the format and the checksum, and a line that is the state.
 * A save writes a new file, makes it durable, renames it over the old one and makes that durable. It has a thread of its
 * own, so that nobody waits for the disk. It never repairs or overlooks a file that it cannot read.
 */
public final class FileJournal implements Journal, AutoCloseable {
    public static final String FILE_NAME = "state.json";

    private static final int FORMAT = 1;
    private static final FileAttribute<?> OWNERS_FOLDER =
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));

    private final Path folder;
    private final Path file;
    private final Path next;
    private final ExecutorService thread = Executors.newSingleThreadExecutor(
            Thread.ofPlatform().name("journal").factory());

    /** Makes the folder if it is not there. */
    public FileJournal(Path folder) {
        this.folder = folder;
        this.file = folder.resolve(FILE_NAME);
        this.next = folder.resolve(FILE_NAME + ".next");
        try {
            Files.createDirectories(folder, OWNERS_FOLDER);
        } catch (IOException e) {
            throw new UncheckedIOException("the folder of the state file cannot be made: " + folder, e);
        }
    }

    /** A save that was cut off, or failed at its end, may have left a file that would not outlive the power: it does from here on. */
    @Override
    public @Nullable LocalState load() {
        byte[] content;
        try {
            content = Files.readAllBytes(file);
            DurableFiles.syncFolder(folder);
        } catch (NoSuchFileException e) {
            return null;
        } catch (IOException e) {
            throw new UncheckedIOException("the state file cannot be read: " + file, e);
        }
        return parse(file, new String(content, StandardCharsets.UTF_8));
    }

    /**
     * What a cell knows that may not even run; changes nothing, so what it finds need not be durable. Null when there is none; throws
     * when it is there but not usable.
     */
    public static @Nullable LocalState peek(Path folder) {
        Path file = folder.resolve(FILE_NAME);
        try {
            return parse(file, Files.readString(file));
        } catch (NoSuchFileException e) {
            return null;
        } catch (IOException e) {
            throw new UncheckedIOException("the state file cannot be read: " + file, e);
        }
    }

    @Override
    public CompletableFuture<Void> save(LocalState state) {
        return CompletableFuture.runAsync(() -> write(state), thread);
    }

    /** Waits for the saves that were asked for. */
    @Override
    public void close() {
        thread.shutdown();
        try {
            if (!thread.awaitTermination(10, TimeUnit.SECONDS)) {
                thread.shutdownNow();
            }
        } catch (InterruptedException e) {
            thread.shutdownNow();
            Thread.currentThread().interrupt();
        }
    }

    private static LocalState parse(Path file, String content) {
        int lineEnd = content.indexOf('\n');
        if (lineEnd < 0 || !content.endsWith("\n") || content.indexOf('\n', lineEnd + 1) != content.length() - 1) {
            throw refused(file, "it is torn: two whole lines are expected", null);
        }
        String body = content.substring(lineEnd + 1, content.length() - 1);
        try {
            Header header = Json.read(content.substring(0, lineEnd), Header.class);
            if (header.format() != FORMAT) {
                throw refused(
                        file, "its format is " + header.format() + ", and this program knows format " + FORMAT, null);
            }
            if (!checksum(body).equals(header.crc32c())) {
                throw refused(file, "its checksum does not fit: it is torn or was changed", null);
            }
            return Json.read(body, LocalState.class);
        } catch (Json.Unreadable e) {
            throw refused(file, e.getMessage(), e);
        }
    }

    private static IllegalStateException refused(Path file, @Nullable String reason, @Nullable Throwable cause) {
        return new IllegalStateException(
                "the state file " + file + " is not usable: " + reason
                        + ". It says what this cell has promised, so nothing is started without it."
                        + " Restore it, or remove the cell and deploy it anew.",
                cause);
    }

    private void write(LocalState state) {
        String body = Json.writeText(state);
        String header = Json.writeText(new Header(FORMAT, checksum(body)));
        byte[] content = (header + "\n" + body + "\n").getBytes(StandardCharsets.UTF_8);
        try {
            DurableFiles.replace(file, next, content);
        } catch (IOException e) {
            throw new UncheckedIOException("the state file cannot be written: " + file, e);
        }
    }

    private static String checksum(String body) {
        CRC32C crc = new CRC32C();
        crc.update(body.getBytes(StandardCharsets.UTF_8));
        return "%08x".formatted(crc.getValue());
    }

    private record Header(int format, String crc32c) {}
}
