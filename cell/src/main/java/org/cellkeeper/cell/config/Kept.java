package org.cellkeeper.cell.config;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import org.cellkeeper.cell.wire.Json;
import org.jspecify.annotations.Nullable;

/**
 * All that a configuration consists of: what was set, and what the files held that it names. The last one that was good is kept in the
 * cell's folder, where nobody but the agent's user can read it.
 *
 * @param from the file that it was read from; empty for the environment alone
 * @param values what was set, by the paths of the keys
 * @param files what the files held, by their paths
 */
record Kept(String from, SortedMap<String, List<Entry>> values, SortedMap<String, String> files) {
    /** One of those that make up a value, in whose order they are; {@code name} is empty where the value is no map. */
    record Entry(String name, String value) {}

    private static final String FOLDER = "config";
    private static final String FILE = "last-good.json";

    Kept {
        values = new TreeMap<>(values);
        files = new TreeMap<>(files);
    }

    /** Null when there is none, or it cannot be used. */
    static @Nullable Kept in(Path dataDir) {
        try {
            return Json.read(Files.readAllBytes(dataDir.resolve(FOLDER).resolve(FILE)), Kept.class);
        } catch (IOException | Json.Unreadable none) {
            return null;
        }
    }

    /** Replaces the one before at once. Durable when this returns. */
    void write(Path dataDir) throws IOException {
        Path folder = dataDir.resolve(FOLDER);
        Files.createDirectories(folder);
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwx------"));
        Path temporary = folder.resolve(FILE + ".tmp");
        Files.deleteIfExists(temporary);
        try (FileChannel channel = FileChannel.open(
                temporary,
                Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")))) {
            ByteBuffer bytes = ByteBuffer.wrap(Json.write(this));
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
            channel.force(true);
        }
        Files.move(temporary, folder.resolve(FILE), StandardCopyOption.ATOMIC_MOVE);
        try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }

    /** Without what the files held. */
    @Override
    public String toString() {
        return "Kept[" + from + ", " + values.keySet() + "]";
    }
}
