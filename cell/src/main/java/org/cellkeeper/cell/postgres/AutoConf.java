package org.cellkeeper.cell.postgres;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.cellkeeper.cell.wire.PlainFiles;
import org.jspecify.annotations.Nullable;

/**
 * The file that ALTER SYSTEM writes, or somebody by hand; PostgreSQL reads it after all others. What the cell sets itself is struck out
 * of it, and what PostgreSQL would not read or start with. Safe for any thread.
 */
final class AutoConf {
    private static final String NAME = "postgresql.auto.conf";
    private static final String NO_SETTING = "";
    private static final String NO_FILE = " ";
    private static final Pattern LINE = Pattern.compile(
            "\\s*([A-Za-z_][\\w$.]*)(?:\\s*=\\s*|\\s+)('[^'\\\\]*+(?:(?:''|\\\\.)[^'\\\\]*+)*+'|[^\\s#'=]+)\\s*(?:#.*)?");

    private final OwnedFiles files;
    private final PostgresSettings settings;
    private final Path file;

    /** The file when it was last found to be in order by its look, and by PostgreSQL's own judgement. */
    private volatile @Nullable FileStamp inOrder;

    private volatile @Nullable FileStamp judged;

    AutoConf(PostgresSettings settings, OwnedFiles files, Path dataDir) {
        this.settings = settings;
        this.files = files;
        this.file = dataDir.resolve(NAME);
    }

    /** Strikes out what can be told by its look; at no cost while the file is as it was. Says what that was, in words. */
    List<String> strikeOwned() throws IOException {
        FileStamp now = FileStamp.of(file);
        if (now == null ? !Files.exists(file, LinkOption.NOFOLLOW_LINKS) : now.equals(inOrder)) {
            return List.of();
        }
        Set<String> struck = strike(Set.of());
        inOrder = struck.isEmpty() ? now : null;
        List<String> words = new ArrayList<>();
        if (struck.remove(NO_FILE)) {
            words.add(NAME + " was no file that PostgreSQL could have read: it is empty now");
        }
        if (struck.remove(NO_SETTING)) {
            words.add(NAME + " had a line that is no setting: it is struck out, as PostgreSQL would not have started"
                    + " with it again");
        }
        if (!struck.isEmpty()) {
            words.add("ALTER SYSTEM had set " + String.join(", ", struck)
                    + ", which the cell sets itself: it is struck out. What was committed meanwhile may not have been"
                    + " acknowledged as promised");
        }
        return words;
    }

    /**
     * Strikes out what PostgreSQL would not start with, as it says itself of a file that it has not judged yet. Says why.
     *
     * @param programs of the data's version
     */
    List<String> strikeRefused(Path programs) throws IOException {
        FileStamp now = FileStamp.of(file);
        if (now == null || now.equals(judged)) {
            return List.of();
        }
        Map<String, String> set = values();
        Map<String, String> refused =
                set.isEmpty() ? Map.of() : TrialSettings.refused(programs, settings.osUser(), set, settings.extra());
        if (refused.isEmpty()) {
            judged = now;
            return List.of();
        }
        strike(refused.containsKey("") ? set.keySet() : refused.keySet());
        return refused.values().stream()
                .map(words ->
                        NAME + " " + words + ": it is struck out, as PostgreSQL would not have started with it again")
                .toList();
    }

    private Map<String, String> values() {
        Map<String, String> values = new TreeMap<>();
        List<String> lines = lines();
        for (String line : lines == null ? List.<String>of() : lines) {
            Matcher setting = LINE.matcher(line);
            if (setting.matches()) {
                values.put(setting.group(1).toLowerCase(Locale.ROOT), value(setting.group(2)));
            }
        }
        return values;
    }

    private static String value(String written) {
        return written.startsWith("'")
                ? written.substring(1, written.length() - 1).replace("''", "'").replace("\\\\", "\\")
                : written;
    }

    private synchronized Set<String> strike(Set<String> refused) throws IOException {
        List<String> kept = new ArrayList<>();
        Set<String> struck = new TreeSet<>();
        List<String> lines = lines();
        if (lines == null) {
            files.write(file, new byte[0]);
            return new TreeSet<>(Set.of(NO_FILE));
        }
        for (String line : lines) {
            Matcher setting = LINE.matcher(line);
            String name = setting.matches() ? setting.group(1).toLowerCase(Locale.ROOT) : "";
            if (line.isBlank() || line.stripLeading().startsWith("#")) {
                kept.add(line);
            } else if (name.isEmpty()) {
                struck.add(NO_SETTING);
            } else if (OwnedSettings.owns(name) || refused.contains(name)) {
                struck.add(name);
            } else {
                kept.add(line);
            }
        }
        if (!struck.isEmpty()) {
            files.write(
                    file, (kept.isEmpty() ? "" : String.join("\n", kept) + "\n").getBytes(StandardCharsets.ISO_8859_1));
        }
        return struck;
    }

    /** Whatever its encoding: each byte is a character. Null when it cannot be read. */
    private @Nullable List<String> lines() {
        try {
            return new String(PlainFiles.read(file, OwnedFiles.LARGEST), StandardCharsets.ISO_8859_1)
                    .lines()
                    .toList();
        } catch (NoSuchFileException none) {
            return List.of();
        } catch (IOException unreadable) {
            return null;
        }
    }
}
