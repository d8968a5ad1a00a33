package org.cellkeeper.cell.config;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/** A file that holds a secret. The secret itself is read when it is needed, and is no part of this record. */
public record SecretFile(Path path) {
    private static final int MOST_BYTES = 4096;

    /** The secret, without line ends and blanks after it. */
    public byte[] read() throws IOException {
        if (Files.size(path) > MOST_BYTES) {
            throw new IOException(path + " is longer than " + MOST_BYTES + " bytes: this is no secret");
        }
        byte[] bytes = Files.readAllBytes(path);
        int length = bytes.length;
        while (length > 0 && bytes[length - 1] <= ' ' && bytes[length - 1] >= 0) {
            length--;
        }
        return Arrays.copyOf(bytes, length);
    }
}
