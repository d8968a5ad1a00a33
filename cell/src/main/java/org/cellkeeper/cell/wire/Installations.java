package org.cellkeeper.cell.wire;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.NavigableMap;
import java.util.NoSuchElementException;
import java.util.OptionalInt;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * PostgreSQL's server programs on this machine. Data are run by the programs of their own major version, new data are made by the
 * newest; what is missing is said by {@link NoSuchElementException}.
 *
 * @param folder with a folder for each major version, as Debian's packages make them; or the one folder of programs
 * @param one the latter, whatever version they are of
 */
public record Installations(Path folder, boolean one) {
    private static final Path USUAL = Path.of("/usr/lib/postgresql");

    public static Installations usual() {
        return below(USUAL);
    }

    public static Installations below(Path home) {
        return new Installations(home.toAbsolutePath().normalize(), false);
    }

    public static Installations only(Path programs) {
        return new Installations(programs.toAbsolutePath().normalize(), true);
    }

    /** The programs of the newest version. */
    public Path newest() {
        if (one) {
            return folder;
        }
        NavigableMap<Integer, Path> all = all();
        if (all.isEmpty()) {
            throw new NoSuchElementException("no PostgreSQL under " + folder);
        }
        return all.lastEntry().getValue();
    }

    /** The programs of this major version; where there is but one folder, that. */
    public Path of(int version) {
        if (one) {
            return folder;
        }
        NavigableMap<Integer, Path> all = all();
        Path programs = all.get(version);
        if (programs == null) {
            String others = all.keySet().stream().map(String::valueOf).collect(Collectors.joining(", "));
            throw new NoSuchElementException("PostgreSQL " + version + ", which is not under " + folder + " (there is "
                    + (others.isEmpty() ? "none" : others) + "); install that version");
        }
        return programs;
    }

    /** The programs that run the data in this directory, or make them where there are none. */
    public Path fitting(Path dataDir) {
        OptionalInt version = versionOf(dataDir);
        if (version.isEmpty()) {
            return newest();
        }
        try {
            return of(version.getAsInt());
        } catch (NoSuchElementException missing) {
            throw new NoSuchElementException("the data in " + dataDir + " need " + missing.getMessage(), missing);
        }
    }

    /** The major version of these data; empty when there are none. */
    public static OptionalInt versionOf(Path dataDir) {
        try {
            return OptionalInt.of(Integer.parseInt(
                    Files.readString(dataDir.resolve("PG_VERSION")).strip()));
        } catch (IOException | NumberFormatException none) {
            return OptionalInt.empty();
        }
    }

    private NavigableMap<Integer, Path> all() {
        NavigableMap<Integer, Path> all = new TreeMap<>();
        try (Stream<Path> versions = Files.list(folder)) {
            versions.filter(version -> version.getFileName().toString().matches("\\d{1,4}"))
                    .filter(version -> Files.isExecutable(version.resolve("bin/postgres")))
                    .forEach(version ->
                            all.put(Integer.parseInt(version.getFileName().toString()), version.resolve("bin")));
        } catch (IOException none) {
            // There is no such folder.
        }
        return all;
    }
}
