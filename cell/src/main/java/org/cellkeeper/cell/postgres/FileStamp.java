package org.cellkeeper.cell.postgres;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Tells by a look at its inode whether a file may have been changed. */
record FileStamp(@Nullable Object key, FileTime modified, long size, Set<PosixFilePermission> permissions) {
    private static final Set<PosixFilePermission> OWNERS =
            Set.of(PosixFilePermission.OWNER_READ, PosixFilePermission.OWNER_WRITE, PosixFilePermission.OWNER_EXECUTE);

    /** Null when there is no such file, or nothing that can be looked at. */
    static @Nullable FileStamp of(Path file) {
        try {
            PosixFileAttributes attributes = Files.readAttributes(file, PosixFileAttributes.class);
            return new FileStamp(
                    attributes.fileKey(), attributes.lastModifiedTime(), attributes.size(), attributes.permissions());
        } catch (IOException none) {
            return null;
        }
    }

    /** Whether nobody but its owner may do anything with it: PostgreSQL takes no other key. */
    boolean isPrivate() {
        return OWNERS.containsAll(permissions);
    }
}
