package org.cellkeeper.cell.config;

import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import org.cellkeeper.cell.wire.PlainFiles;

/** Reads a file of the cluster's secrets for those who run no cell. */
public final class SecretFiles {
    private SecretFiles() {}

    /** What a cell would run with; an exception says what is wrong, and shows no secret. */
    public static List<byte[]> read(Path path) throws IOException {
        SecretsFile file;
        try {
            file = SecretsFile.of(PlainFiles.read(path, Settings.LARGEST_FILE));
        } catch (NoSuchFileException e) {
            throw new IOException(path + " is not there", e);
        } catch (IOException e) {
            throw new IOException(path + " cannot be read: " + e.getMessage(), e);
        }
        if (!file.problems().isEmpty()) {
            throw new IOException(path + " " + String.join("; ", file.problems()));
        }
        return file.secrets();
    }
}
