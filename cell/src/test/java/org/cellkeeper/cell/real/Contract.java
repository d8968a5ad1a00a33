package org.cellkeeper.cell.real;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import org.cellkeeper.api.Problem;

/** The contract as openapi.yaml tells it: a new path is in it by itself. */
record Contract(List<Operation> operations) {
    private static final Set<String> VERBS = Set.of("GET", "POST", "PUT", "PATCH", "DELETE");

    /**
     * A verb on a path.
     *
     * @param open whether it needs no authentication
     */
    record Operation(String verb, String path, boolean open, boolean dryRun, Set<Integer> statuses) {
        boolean writes() {
            return !verb.equals("GET");
        }

        @Override
        public String toString() {
            return verb + " " + path;
        }
    }

    static Contract read() throws IOException {
        List<Operation> operations = new ArrayList<>();
        try (InputStream in = Problem.class.getResourceAsStream("openapi.yaml")) {
            new YAMLMapper()
                    .readTree(in)
                    .get("paths")
                    .properties()
                    .forEach(path -> path.getValue()
                            .properties()
                            .forEach(verb -> operations.add(operation(path.getKey(), verb.getKey(), verb.getValue()))));
        }
        return new Contract(operations);
    }

    private static Operation operation(String path, String verb, JsonNode told) {
        Set<Integer> statuses = new TreeSet<>();
        told.get("responses").fieldNames().forEachRemaining(status -> statuses.add(Integer.parseInt(status)));
        return new Operation(
                verb.toUpperCase(Locale.ROOT),
                path,
                told.has("security"),
                told.path("parameters").findValuesAsText("name").contains("dryRun"),
                statuses);
    }

    List<String> paths() {
        return operations.stream().map(Operation::path).distinct().toList();
    }

    /** The verbs that this path does not take. */
    Set<String> wrongVerbs(String path) {
        Set<String> wrong = new TreeSet<>(VERBS);
        operations.stream()
                .filter(operation -> operation.path().equals(path))
                .map(Operation::verb)
                .forEach(wrong::remove);
        return wrong;
    }
}
