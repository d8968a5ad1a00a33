package org.cellkeeper.cell.trust;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import org.cellkeeper.cell.wire.DurableFiles;

/**
 * Where a cell keeps what it shows and believes, for programs that read files. Only what was found good is ever there, and each file is
 * replaced at once. Nobody but the agent's user can read it.
 */
public final class TrustFolder {
    private final Path folder;

    public TrustFolder(Path folder) {
        this.folder = folder;
    }

    /** The key, the certificate and those up to an authority. */
    public Path own() {
        return folder.resolve("cell.pem");
    }

    public Path authorities() {
        return folder.resolve("ca.pem");
    }

    /** Replaces what differs. */
    public void write(Identity identity) throws IOException {
        Files.createDirectories(folder);
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwx------"));
        write(authorities(), identity.authorities());
        write(own(), identity.key() + identity.chain());
    }

    private static void write(Path file, String text) throws IOException {
        byte[] content = text.getBytes(StandardCharsets.UTF_8);
        if (!Files.exists(file) || !Arrays.equals(Files.readAllBytes(file), content)) {
            DurableFiles.replace(file, file.resolveSibling(file.getFileName() + ".tmp"), content);
        }
    }
}
