package org.cellkeeper.cell.http;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.InputStream;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.net.URI;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.cellkeeper.api.ApplianceClient;
import org.cellkeeper.api.Problem;
import org.cellkeeper.cell.model.Address;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The description of the API says what is served and what the records are, and nothing else. */
final class OpenApiTest {
    @TempDir
    static Path directory;

    private static JsonNode document;
    private static List<String> served;

    @BeforeAll
    static void read() throws Exception {
        try (InputStream in = Problem.class.getResourceAsStream("openapi.yaml")) {
            document = new YAMLMapper().readTree(in);
        }
        try (ApplianceApi api = new ApplianceApi(
                ApiSettings.of(
                        FakeOperator.CELL_1, new Address("127.0.0.1", 5432, 5480, 5481), directory, "word", "secret"),
                new FakeOperator(),
                new FakeBackups(),
                new FakeApp(),
                new FakeRevocations(),
                new FakeReload(),
                Companions.NONE,
                () -> "")) {
            served = api.served();
        }
    }

    @Test
    void everyServedRouteIsDescribedAndEveryDescribedOneIsServed() {
        List<String> described = new ArrayList<>();
        document.get("paths")
                .properties()
                .forEach(path -> path.getValue()
                        .fieldNames()
                        .forEachRemaining(
                                verb -> described.add(verb.toUpperCase(java.util.Locale.ROOT) + " " + path.getKey())));
        assertThat(described).doesNotHaveDuplicates().containsExactlyInAnyOrderElementsOf(served);
        assertThat(served).hasSizeGreaterThan(20);
    }

    @Test
    void everyRecordOfTheContractIsASchemaOfTheSameMembersAndTypes() throws Exception {
        Map<String, Class<?>> records = records();
        JsonNode schemas = document.at("/components/schemas");
        Set<String> names = new TreeSet<>();
        schemas.fieldNames().forEachRemaining(names::add);
        assertThat(names).isEqualTo(records.keySet());

        records.forEach((name, type) -> {
            Map<String, String> expected = new TreeMap<>();
            for (RecordComponent component : type.getRecordComponents()) {
                expected.put(component.getName(), typeOf(component.getGenericType()));
            }
            Map<String, String> told = new TreeMap<>();
            schemas.at("/" + name + "/properties")
                    .properties()
                    .forEach(member -> told.put(member.getKey(), typeOf(member.getValue())));
            assertThat(told).as(name).isEqualTo(expected);
        });
    }

    @Test
    void everyReferenceHasItsSchema() {
        assertThat(document.findValuesAsText("$ref"))
                .isNotEmpty()
                .allSatisfy(reference -> assertThat(
                                document.at(reference.substring(1)).isObject())
                        .as(reference)
                        .isTrue());
    }

    @Test
    void whatIsOpenToAllIsSaid() {
        List<String> open = new ArrayList<>();
        document.get("paths")
                .properties()
                .forEach(path -> path.getValue().properties().forEach(verb -> {
                    if (verb.getValue().has("security")) {
                        open.add(path.getKey());
                    }
                }));
        assertThat(open)
                .containsExactlyInAnyOrder(
                        "/api/1.0.0/isPrimary", "/api/1.0.0/primary", "/api/1.0.0/standby", "/cloud/server_status");
    }

    /** Wherever the module's classes are: in a folder, or in its archive. */
    private static Map<String, Class<?>> records() throws Exception {
        URI place = Problem.class
                .getProtectionDomain()
                .getCodeSource()
                .getLocation()
                .toURI();
        Path path = Path.of(place);
        Map<String, Class<?>> records = new TreeMap<>();
        if (Files.isDirectory(path)) {
            collect(path, records);
        } else {
            try (var archive = FileSystems.newFileSystem(path)) {
                collect(archive.getPath("/"), records);
            }
        }
        assertThat(records).hasSizeGreaterThan(10);
        return records;
    }

    private static void collect(Path root, Map<String, Class<?>> records) throws Exception {
        Path folder = root.resolve("org/cellkeeper/api");
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.toList()) {
                String name = file.getFileName().toString();
                if (!name.endsWith(".class") || name.equals("package-info.class")) {
                    continue;
                }
                Class<?> type = Class.forName("org.cellkeeper.api." + name.substring(0, name.length() - 6));
                if (type.isRecord() && !name.startsWith(ApplianceClient.class.getSimpleName())) {
                    assertThat(records.put(type.getSimpleName(), type)).as(name).isNull();
                }
            }
        }
    }

    private static String typeOf(Type type) {
        if (type instanceof ParameterizedType list) {
            return "array of " + typeOf(list.getActualTypeArguments()[0]);
        }
        return switch (((Class<?>) type).getSimpleName()) {
            case "String" -> "string";
            case "int", "Integer" -> "integer int32";
            case "long", "Long" -> "integer int64";
            case "boolean", "Boolean" -> "boolean";
            case String other -> other;
        };
    }

    private static String typeOf(JsonNode schema) {
        if (schema.has("$ref")) {
            return schema.get("$ref").asText().replace("#/components/schemas/", "");
        }
        if (schema.has("allOf")) {
            return typeOf(schema.at("/allOf/0"));
        }
        String type = schema.get("type").asText();
        return type.equals("array")
                ? "array of " + typeOf(schema.get("items"))
                : schema.has("format") ? type + " " + schema.get("format").asText() : type;
    }
}
