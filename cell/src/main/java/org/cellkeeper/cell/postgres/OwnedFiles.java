package org.cellkeeper.cell.postgres;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import org.cellkeeper.cell.wire.DurableFiles;
import org.cellkeeper.cell.wire.PlainFiles;
import org.jspecify.annotations.Nullable;

/** Writes files so that they are whole and durable, and belong to the user that PostgreSQL runs as. Safe for any thread. */
final class OwnedFiles {
    /** None of what is read here comes near it. */
    static final int LARGEST = 16 << 20;

    private final @Nullable String owner;

    OwnedFiles(@Nullable String owner) {
        this.owner = owner;
    }

    /** Replaces a file at once: after a crash it is the old one or the new one. Durable when this returns. */
    void write(Path file, String text) throws IOException {
        write(file, text.getBytes(StandardCharsets.UTF_8));
    }

    synchronized void write(Path file, byte[] content) throws IOException {
        DurableFiles.replace(file, file.resolveSibling(file.getFileName() + ".tmp"), content, this::own);
    }

    /** The same when it holds something else, or cannot be read; says whether that was so. */
    boolean writeIfDifferent(Path file, String text) throws IOException {
        if (text.equals(readable(file))) {
            return false;
        }
        write(file, text);
        return true;
    }

    /** Null when there is none, or none that can be read. */
    static @Nullable String readable(Path file) {
        try {
            return read(file);
        } catch (UncheckedIOException unreadable) {
            return null;
        }
    }

    void delete(Path file) throws IOException {
        if (Files.deleteIfExists(file)) {
            DurableFiles.syncFolder(DurableFiles.folderOf(file));
        }
    }

    /** Moves a folder to where nothing is. Durable when this returns. */
    void move(Path from, Path to) throws IOException {
        Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
        DurableFiles.syncFolder(DurableFiles.folderOf(to));
    }

    void makeFolder(Path folder, String permissions) throws IOException {
        Files.createDirectories(folder);
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString(permissions));
        own(folder);
    }

    void own(Path path) throws IOException {
        if (owner == null) {
            return;
        }
        var users = path.getFileSystem().getUserPrincipalLookupService();
        PosixFileAttributeView view = Files.getFileAttributeView(path, PosixFileAttributeView.class);
        PosixFileAttributes now = view.readAttributes();
        if (!now.owner().getName().equals(owner)) {
            view.setOwner(users.lookupPrincipalByName(owner));
        }
    }

    /** Null when there is none. What is no text is read all the same: it is found to be another one than ours. */
    static @Nullable String read(Path file) {
        try {
            return new String(PlainFiles.read(file, LARGEST), StandardCharsets.UTF_8);
        } catch (NoSuchFileException e) {
            return null;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static void deleteTree(Path root) throws IOException {
        if (!Files.exists(root, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        Files.walkFileTree(root, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                Files.deleteIfExists(file);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path folder, @Nullable IOException e) throws IOException {
                Files.deleteIfExists(folder);
                return FileVisitResult.CONTINUE;
            }
        });
        DurableFiles.syncFolder(DurableFiles.folderOf(root));
    }
}
