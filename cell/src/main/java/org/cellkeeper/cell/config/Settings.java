package org.cellkeeper.cell.config;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import java.io.IOException;
import java.lang.reflect.RecordComponent;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.cellkeeper.cell.wire.PlainFiles;
import org.jspecify.annotations.Nullable;

/**
 * What was set, by file or environment, and what was wrong with it. It complains of a value when it is asked for
 * it, and never stops at the first complaint. No value of a secret ever comes here.
 */
final class Settings {
    /** What container platforms set for a service whose name begins with "cell": not meant for us. */
    private static final Pattern FOREIGN =
            Pattern.compile("CELL(_[A-Z0-9]+)*_(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT|PORT_\\d+_(TCP|UDP|SCTP)(_.*)?)");

    private static final YAMLFactory YAML = YAMLFactory.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .build();

    static final int LARGEST_FILE = 256 * 1024;

    private final Map<String, Given> given = new TreeMap<>();
    /** Each once, though a key may be asked for again. */
    private final Set<Problem> problems = new LinkedHashSet<>();

    /** The keys that were set in another form than theirs, which has been complained of. */
    private final Set<String> misshapen = new TreeSet<>();

    /** Whether the file could not be read: then nothing is missing but that. */
    private boolean unread;

    /** What the files held that were asked for, by their paths. */
    private final SortedMap<String, String> files = new TreeMap<>();

    private final @Nullable Kept kept;

    /** A value, and where it was set. */
    private record Given(String where, Map<String, String> entries, String shown) {}

    /** Those that were kept: nothing else is read. */
    Settings(Kept kept) {
        this.kept = kept;
        kept.values().forEach((path, list) -> {
            Map<String, String> entries = new LinkedHashMap<>();
            list.forEach(entry -> entries.put(entry.name(), entry.value()));
            given.put(path, new Given(path, entries, "the value"));
        });
    }

    Settings(@Nullable Path file, Map<String, String> environment) {
        this.kept = null;
        Map<String, Key<?>> byVariable = Keys.all().collect(Collectors.toMap(Key::variable, Function.identity()));
        if (file != null) {
            readFile(file);
        }
        new TreeMap<>(environment).forEach((variable, text) -> {
            Key<?> key = byVariable.get(variable);
            if (key != null) {
                try {
                    given.put(key.path(), new Given(variable, key.kind().entries(text), shown(key, text)));
                } catch (IllegalArgumentException wrong) {
                    given.remove(key.path());
                    misshapen.add(key.path());
                    complain(
                            variable,
                            shown(key, text) + " is not allowed; allowed: "
                                    + key.kind().allowed());
                }
            } else if (variable.startsWith("CELL_")
                    && !FOREIGN.matcher(variable).matches()) {
                unknown(variable, byVariable);
            }
        });
    }

    void complain(String where, String what) {
        problems.add(new Problem(where, what));
    }

    void complain(Key<?> key, String what) {
        complain(where(key), what);
    }

    /** Throws when there has been any complaint. */
    void refuse() throws InvalidConfiguration {
        if (!problems.isEmpty()) {
            throw new InvalidConfiguration(List.copyOf(problems));
        }
    }

    /** Where a key was set, for complaints about it. */
    String where(Key<?> key) {
        Given value = given.get(key.path());
        return value == null ? key.path() : value.where();
    }

    boolean isGiven(Key<?> key) {
        return given.containsKey(key.path()) || misshapen.contains(key.path());
    }

    boolean isUnread() {
        return unread;
    }

    /** What a file holds that a key names; null, and complained of, when it cannot be read. */
    @Nullable
    SideFile read(Key<Path> key, Path path) {
        try {
            byte[] content;
            if (kept != null) {
                String text = kept.files().get(path.toString());
                if (text == null) {
                    throw new NoSuchFileException(path.toString());
                }
                content = Base64.getDecoder().decode(text);
            } else {
                content = PlainFiles.read(path, LARGEST_FILE);
            }
            files.put(path.toString(), Base64.getEncoder().encodeToString(content));
            return new SideFile(path, content);
        } catch (IOException unreadable) {
            complain(key, path + " cannot be read: " + reason(unreadable));
            return null;
        }
    }

    private static String reason(IOException failure) {
        return switch (failure) {
            case NoSuchFileException e -> "there is no such file";
            case AccessDeniedException e -> "the agent's user may not";
            default -> String.valueOf(failure.getMessage());
        };
    }

    /** All of it, as it is kept. */
    Kept kept(String from) {
        SortedMap<String, List<Kept.Entry>> values = new TreeMap<>();
        given.forEach((path, value) -> values.put(path, listed(value)));
        return new Kept(from, values, files);
    }

    /** Whether a key was set, and to something else than there. */
    boolean isOtherThan(Key<?> key, Kept other) {
        Given value = given.get(key.path());
        return value != null && !listed(value).equals(other.values().get(key.path()));
    }

    private static List<Kept.Entry> listed(Given value) {
        return value.entries().entrySet().stream()
                .map(entry -> new Kept.Entry(entry.getKey(), entry.getValue()))
                .toList();
    }

    /** As {@link #value}, without a complaint. */
    <T> @Nullable T peek(Key<T> key) {
        Given value = given.get(key.path());
        try {
            return value == null ? null : key.kind().read(value.entries());
        } catch (IllegalArgumentException wrong) {
            return null;
        }
    }

    /** The value or its default; null when there is neither, which has been complained of unless the key may be left out. */
    <T> @Nullable T value(Key<T> key) {
        Given value = given.get(key.path());
        if (value != null) {
            try {
                return key.kind().read(value.entries());
            } catch (IllegalArgumentException wrong) {
                complain(
                        key,
                        value.shown() + " is not allowed; allowed: "
                                + key.kind().allowed());
                return null;
            }
        }
        if (misshapen.contains(key.path())) {
            return null;
        }
        return switch (key.fallback()) {
            case Key.Fallback.Value(String text) -> key.kind().read(key.kind().entries(text));
            case Key.Fallback.Computed _ -> null;
            case Key.Fallback.Required _ -> {
                complain(
                        key,
                        "must be set (here or as " + key.variable() + "); allowed: "
                                + key.kind().allowed());
                yield null;
            }
        };
    }

    /** A section as a record whose components are its keys, by their names; null when a value is missing, which has been complained of. */
    <R extends Record> @Nullable R section(String name, Class<R> type) {
        RecordComponent[] components = type.getRecordComponents();
        Class<?>[] types = new Class<?>[components.length];
        @Nullable Object[] values = new @Nullable Object[components.length];
        boolean isWhole = true;
        for (int i = 0; i < components.length; i++) {
            Key<?> key = Keys.of(name, components[i].getName());
            types[i] = components[i].getType();
            values[i] = value(key);
            isWhole &= values[i] != null || key.fallback() instanceof Key.Fallback.Computed;
        }
        try {
            return isWhole ? type.getDeclaredConstructor(types).newInstance(values) : null;
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("a " + type.getSimpleName() + " cannot be made", e);
        }
    }

    private void readFile(Path file) {
        try {
            JsonNode root;
            try (JsonParser parser = YAML.createParser(PlainFiles.read(file, LARGEST_FILE))) {
                if (parser.nextToken() == null) {
                    return;
                }
                root = asWritten(parser);
            }
            if (root.isNull()) {
                return;
            }
            if (!root.isObject()) {
                unread(file, "must hold keys and values");
                return;
            }
            flatten("", root);
        } catch (JsonProcessingException syntax) {
            String at = syntax.getLocation() == null
                    ? ""
                    : " in line " + syntax.getLocation().getLineNr();
            unread(file, "cannot be read as YAML" + at + ": " + firstLine(syntax.getOriginalMessage()));
        } catch (IOException unreadable) {
            unread(file, "cannot be read: " + reason(unreadable));
        }
    }

    /** Values are what was written: 0640 and 1.10 are no numbers here. */
    private static JsonNode asWritten(JsonParser parser) throws IOException {
        JsonNodeFactory make = JsonNodeFactory.instance;
        switch (parser.currentToken()) {
            case START_OBJECT -> {
                ObjectNode object = make.objectNode();
                while (parser.nextToken() == JsonToken.FIELD_NAME) {
                    String name = parser.currentName();
                    parser.nextToken();
                    object.set(name, asWritten(parser));
                }
                return object;
            }
            case START_ARRAY -> {
                ArrayNode array = make.arrayNode();
                while (parser.nextToken() != JsonToken.END_ARRAY) {
                    array.add(asWritten(parser));
                }
                return array;
            }
            case VALUE_NULL -> {
                return make.nullNode();
            }
            default -> {
                return make.textNode(parser.getText());
            }
        }
    }

    private void flatten(String prefix, JsonNode node) {
        for (Map.Entry<String, JsonNode> child : node.properties()) {
            String path = prefix + child.getKey();
            JsonNode value = child.getValue();
            Key<?> key = Keys.BY_PATH.get(path);
            if (key == null && value.isObject() && !value.isEmpty()) {
                flatten(path + ".", value);
            } else if (key == null) {
                if (!isSection(path)) {
                    unknown(path, Keys.BY_PATH);
                } else if (!value.isNull() && !value.isObject()) {
                    complain(path, "must hold keys and values");
                }
            } else if (value.isNull() || (value.isValueNode() && value.asText().isBlank())) {
                misshapen.add(path);
                complain(
                        path,
                        "has no value; leave it out, or give one; allowed: "
                                + key.kind().allowed());
            } else if (key.kind().isMap() ? !isFlat(value) : !value.isValueNode()) {
                misshapen.add(path);
                complain(path, "has another form; allowed: " + key.kind().allowed());
            } else if (key.kind().isMap()) {
                Map<String, String> entries = new LinkedHashMap<>();
                value.properties()
                        .forEach(entry ->
                                entries.put(entry.getKey(), entry.getValue().asText()));
                given.put(path, new Given(path, entries, shown(key, entries.toString())));
            } else {
                given.put(path, new Given(path, key.kind().entries(value.asText()), shown(key, value.asText())));
            }
        }
    }

    private void unread(Path file, String what) {
        unread = true;
        complain(file.toString(), what);
    }

    private static boolean isSection(String path) {
        return Keys.BY_PATH.keySet().stream().anyMatch(known -> known.startsWith(path + "."));
    }

    private static boolean isFlat(JsonNode value) {
        return value.isObject()
                && value.properties().stream()
                        .allMatch(entry -> entry.getValue().isValueNode());
    }

    private void unknown(String name, Map<String, Key<?>> known) {
        String nearest = "";
        int least = Math.max(2, name.length() / 3) + 1;
        for (String candidate : known.keySet()) {
            int distance = Math.min(
                    distance(name, candidate), lastPart(name).equals(lastPart(candidate)) ? 1 : Integer.MAX_VALUE);
            if (distance < least) {
                least = distance;
                nearest = candidate;
            }
        }
        complain(name, nearest.isEmpty() ? "is unknown" : "is unknown; did you mean " + nearest + "?");
    }

    private static String lastPart(String path) {
        return path.substring(path.lastIndexOf('.') + 1);
    }

    /** How many letters must be added, left out or replaced. */
    private static int distance(String one, String other) {
        int[] row = new int[other.length() + 1];
        for (int j = 0; j < row.length; j++) {
            row[j] = j;
        }
        for (int i = 1; i <= one.length(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j < row.length; j++) {
                int replaced = diagonal + (one.charAt(i - 1) == other.charAt(j - 1) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.min(replaced, Math.min(row[j], row[j - 1]) + 1);
            }
        }
        return row[other.length()];
    }

    /** A value for a complaint; somebody may have written a secret where its file is wanted. */
    private static String shown(Key<?> key, String text) {
        if (key.kind().equals(Kind.SECRET)) {
            return "the value";
        }
        String line = firstLine(text);
        return "'" + (line.length() <= 60 ? line : line.substring(0, 60) + "...") + "'";
    }

    private static String firstLine(String text) {
        return text.lines().findFirst().orElse("");
    }
}
