package org.cellkeeper.cell.postgres;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import org.jspecify.annotations.Nullable;

/** Tells by a look at its inode whether a file may have been changed. */
record FileStamp(@Nullable Object key, FileTime modified, long size) {
    /** Null when there is no such file, or nothing that can be looked at. */
    static @Nullable FileStamp of(Path file) {
        try {
            BasicFileAttributes attributes = Files.readAttributes(file, BasicFileAttributes.class);
            return new FileStamp(attributes.fileKey(), attributes.lastModifiedTime(), attributes.size());
        } catch (IOException none) {
            return null;
        }
    }
}
