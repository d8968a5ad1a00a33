package org.cellkeeper.cell.wire;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;

/** Files that people write: what is no file, or has no end, is refused in words, and never waited for. */
public final class PlainFiles {
    private PlainFiles() {}

    /** All that a file holds, if it is no longer than {@code most} bytes. */
    public static byte[] read(Path file, int most) throws IOException {
        BasicFileAttributes attributes = Files.readAttributes(file, BasicFileAttributes.class);
        if (!attributes.isRegularFile()) {
            throw new IOException(attributes.isDirectory() ? "it is a folder" : "it is a pipe or a device");
        }
        try (InputStream in = Files.newInputStream(file)) {
            byte[] content = in.readNBytes(most + 1);
            if (content.length > most) {
                throw new IOException("it is longer than " + most + " bytes");
            }
            return content;
        }
    }
}
