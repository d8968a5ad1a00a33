package org.cellkeeper.cell.http;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import org.cellkeeper.api.AuditEntry;
import org.cellkeeper.cell.wire.DurableFiles;

/**
 * Entries, a line for each, in a file and the one before it: what is older goes when both are full. Nobody but the agent's user can read
 * them. For one thread at a time.
 */
final class AuditFile {
    private static final ObjectMapper JSON = JsonMapper.builder()
            .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .build();

    private final Path file;
    private final Path before;
    private final long largest;

    AuditFile(Path folder, String name, long largest) {
        this.file = folder.resolve(name + ".jsonl");
        this.before = folder.resolve(name + ".1.jsonl");
        this.largest = largest;
    }

    /** @param durably whether it is on the disk when this returns */
    void append(AuditEntry entry, boolean durably) throws IOException {
        Files.createDirectories(
                DurableFiles.folderOf(file),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        boolean isFull = Files.exists(file) && Files.size(file) >= largest;
        if (isFull) {
            Files.move(file, before, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        }
        // What a loss of power left of a line is ended, and read over.
        byte[] line = ("\n" + JSON.writeValueAsString(entry) + "\n").getBytes(StandardCharsets.UTF_8);
        try (FileChannel channel = FileChannel.open(
                file,
                Set.of(StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.APPEND),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")))) {
            ByteBuffer bytes = ByteBuffer.wrap(line);
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
            if (durably) {
                channel.force(false);
            }
        }
        if (isFull) {
            DurableFiles.syncFolder(DurableFiles.folderOf(file));
        }
    }

    /** In the order in which they were written. */
    void read(Consumer<AuditEntry> reader) throws IOException {
        for (Path each : List.of(before, file)) {
            if (!Files.exists(each)) {
                continue;
            }
            try (BufferedReader lines = Files.newBufferedReader(each, StandardCharsets.ISO_8859_1)) {
                for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                    if (!line.isEmpty()) {
                        readLine(line, reader);
                    }
                }
            }
        }
    }

    /** A line that is not whole tells nothing. */
    private static void readLine(String line, Consumer<AuditEntry> reader) {
        try {
            AuditEntry entry = JSON.readValue(line, AuditEntry.class);
            boolean isWhole = entry != null
                    && entry.time() != null
                    && entry.event() != null
                    && entry.address() != null
                    && Instant.parse(entry.time()).isAfter(Instant.EPOCH);
            if (isWhole) {
                reader.accept(entry);
            }
        } catch (IOException | DateTimeException broken) {
            return;
        }
    }
}
