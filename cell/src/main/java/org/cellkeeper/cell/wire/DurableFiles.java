package org.cellkeeper.cell.wire;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;

/** Files that a loss of power leaves as they were, or as they were to be. */
public final class DurableFiles {
    private DurableFiles() {}

    /** What is done to a file before it is in its place. */
    public interface Preparation {
        void of(Path file) throws IOException;
    }

    /**
     * Replaces a file at once; nobody but its owner can read it. Durable when this returns.
     *
     * @param next where it is written first, in the same folder
     */
    public static void replace(Path file, Path next, byte[] content, Preparation preparation) throws IOException {
        Files.deleteIfExists(next);
        try (FileChannel channel = FileChannel.open(
                next,
                Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")))) {
            ByteBuffer bytes = ByteBuffer.wrap(content);
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
            preparation.of(next);
            channel.force(true);
        }
        Files.move(next, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        syncFolder(folderOf(file));
    }

    /** The same without a preparation. */
    public static void replace(Path file, Path next, byte[] content) throws IOException {
        replace(file, next, content, written -> {});
    }

    /** What was made, moved or removed in it is durable when this returns. */
    public static void syncFolder(Path folder) throws IOException {
        try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }

    public static Path folderOf(Path path) {
        Path folder = path.toAbsolutePath().getParent();
        if (folder == null) {
            throw new IllegalArgumentException("no folder holds " + path);
        }
        return folder;
    }
}
