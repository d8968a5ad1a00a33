package org.cellkeeper.cell.backup;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SecureDirectoryStream;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributeView;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A folder, held open. Others may write to the share as well: wherever a path leads by now, what is read, made and removed here is in
 * this folder, and no link in it is followed.
 */
final class Folder implements AutoCloseable {
    /** Whoever nests deeper has not made a backup. */
    private static final int DEEPEST = 16;

    private final SecureDirectoryStream<Path> held;

    private Folder(SecureDirectoryStream<Path> held) {
        this.held = held;
    }

    /** The share itself: its path is the operator's. */
    @SuppressWarnings("StreamResourceLeak") // It is closed with this.
    static Folder share(Path path) throws IOException {
        return of(Files.newDirectoryStream(path));
    }

    private static Folder of(DirectoryStream<Path> stream) throws IOException {
        if (stream instanceof SecureDirectoryStream<Path> secure) {
            return new Folder(secure);
        }
        stream.close();
        throw new IOException("folders cannot be held open on this system");
    }

    /** One in it. */
    Folder folder(String name) throws IOException {
        return of(held.newDirectoryStream(Path.of(name), LinkOption.NOFOLLOW_LINKS));
    }

    /** What is there by this name; null when nothing is. */
    @Nullable
    BasicFileAttributes look(String name) throws IOException {
        try {
            return held.getFileAttributeView(Path.of(name), BasicFileAttributeView.class, LinkOption.NOFOLLOW_LINKS)
                    .readAttributes();
        } catch (NoSuchFileException e) {
            return null;
        }
    }

    /** A file that was looked at: another one that has come in its place may keep the caller waiting, as a share may. */
    InputStream read(String name) throws IOException {
        return Channels.newInputStream(
                held.newByteChannel(Path.of(name), Set.of(StandardOpenOption.READ, LinkOption.NOFOLLOW_LINKS)));
    }

    /** A file that is not there yet, for its owner alone; durable when it is closed. */
    OutputStream make(String name) throws IOException {
        SeekableByteChannel channel = held.newByteChannel(
                Path.of(name),
                Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        OutputStream out = Channels.newOutputStream(channel);
        return new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                out.write(b);
            }

            @Override
            public void write(byte[] bytes, int from, int length) throws IOException {
                out.write(bytes, from, length);
            }

            @Override
            public void close() throws IOException {
                try (out) {
                    if (channel instanceof FileChannel file && file.isOpen()) {
                        file.force(true);
                    }
                }
            }
        };
    }

    /** Removes a folder with all that is in it, or a file; that it is not there is well. */
    void delete(String name) throws IOException {
        delete(held, Path.of(name), 0);
    }

    private static void delete(SecureDirectoryStream<Path> in, Path name, int depth) throws IOException {
        if (depth > DEEPEST) {
            throw new IOException("folders are nested deeper than in any backup: remove them by hand");
        }
        try {
            boolean isFolder = in.getFileAttributeView(name, BasicFileAttributeView.class, LinkOption.NOFOLLOW_LINKS)
                    .readAttributes()
                    .isDirectory();
            if (!isFolder) {
                in.deleteFile(name);
                return;
            }
            try (Folder folder = of(in.newDirectoryStream(name, LinkOption.NOFOLLOW_LINKS))) {
                for (Path entry : folder.held) {
                    delete(folder.held, entry.getFileName(), depth + 1);
                }
            }
            in.deleteDirectory(name);
        } catch (NoSuchFileException e) {
            // Another one has removed it meanwhile.
        }
    }

    @Override
    public void close() throws IOException {
        held.close();
    }
}
