package org.cellkeeper.cell.config;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import org.cellkeeper.cell.wire.DurableFiles;
import org.cellkeeper.cell.wire.Json;
import org.cellkeeper.cell.wire.PlainFiles;
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

    private static final int LARGEST = 16 << 20;
    private static final String FOLDER = "config";
    private static final String GOOD = "last-good.json";
    private static final String REFUSED = "last-refused.json";

    Kept {
        values = new TreeMap<>(values);
        files = new TreeMap<>(files);
    }

    /** Null when there is none, or it cannot be used. */
    static @Nullable Kept in(Path dataDir) {
        return read(dataDir, GOOD, Kept.class);
    }

    /** Replaces the one before at once. Durable when this returns. */
    void write(Path dataDir) throws IOException {
        write(dataDir, GOOD, this);
    }

    /** What was refused last, by those who judge. */
    record Refused(SortedMap<String, Verdicts.Refusal> refusals) {
        Refused {
            refusals = new TreeMap<>(refusals);
        }

        /** Empty when nothing was. */
        static Refused in(Path dataDir) {
            Refused found = read(dataDir, REFUSED, Refused.class);
            return found == null ? new Refused(new TreeMap<>()) : found;
        }

        void write(Path dataDir) throws IOException {
            Kept.write(dataDir, REFUSED, this);
        }
    }

    private static <T> @Nullable T read(Path dataDir, String name, Class<T> type) {
        try {
            return Json.read(PlainFiles.read(dataDir.resolve(FOLDER).resolve(name), LARGEST), type);
        } catch (IOException | Json.Unreadable none) {
            return null;
        }
    }

    private static void write(Path dataDir, String name, Object value) throws IOException {
        Path folder = dataDir.resolve(FOLDER);
        Files.createDirectories(folder);
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwx------"));
        DurableFiles.replace(folder.resolve(name), folder.resolve(name + ".tmp"), Json.write(value));
    }

    /** Without what the files held. */
    @Override
    public String toString() {
        return "Kept[" + from + ", " + values.keySet() + "]";
    }
}
