package org.cellkeeper.cell.door;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Whom the door lets in, as PostgreSQL does at its own port: it sees only the door, so the door has to ask. What an operator has added
 * to {@code pg_hba.conf} is taken over if the door understands all of it; else the door stays shut, as it would let in whom PostgreSQL
 * does not.
 */
final class ClientRules {
    /** Whoever can reach the socket in the folder of the agent's user. */
    static final String CONSOLE_USER = "cellkeeper";

    private static final String PROOF = "scram-sha-256";
    private static final Set<String> KINDS = Set.of("host", "hostssl", "hostnossl");
    private static final Set<String> METHODS = Set.of(PROOF, "reject");
    private static final String NAMES = "[a-z_][a-z0-9_$]*(,[a-z_][a-z0-9_$]*)*";
    private static final String NETWORK = "[0-9a-fA-F.:]+/[0-9]+";

    private final DoorSettings settings;

    ClientRules(DoorSettings settings) {
        this.settings = settings;
    }

    /** A line of the operator's that the door cannot follow, in words; empty when there is none. */
    String problem() {
        return settings.rules().stream()
                .filter(line -> !isForSockets(line) && !isUnderstood(line))
                .findFirst()
                .map(line ->
                        "it cannot follow this line of postgres.hba, and does not let in whom PostgreSQL would not: "
                                + line)
                .orElse("");
    }

    String text() {
        List<String> lines = new ArrayList<>();
        lines.add("# Written by Cellkeeper.");
        lines.add("local pgbouncer " + CONSOLE_USER + " trust");
        lines.add("local all all reject");
        for (String network : List.of("0.0.0.0/0", "::/0")) {
            lines.add("host pgbouncer all " + network + " reject");
            lines.add("host all " + CONSOLE_USER + " " + network + " reject");
        }
        settings.rules().stream()
                .filter(line -> !isForSockets(line))
                .map(this::withReaders)
                .forEach(lines::add);
        boolean encrypted = settings.credentials().encryption().demands() && !settings.plaintext();
        String databases = settings.database() + "," + settings.readDatabase();
        settings.networks()
                .forEach(network ->
                        lines.add((encrypted ? "hostssl " : "host ") + databases + " all " + network + " " + PROOF));
        return String.join("\n", lines) + "\n";
    }

    private static boolean isForSockets(String line) {
        return line.strip().startsWith("local")
                || line.isBlank()
                || line.strip().startsWith("#");
    }

    private static boolean isUnderstood(String line) {
        String[] words = words(line);
        return words.length == 5
                && KINDS.contains(words[0])
                && words[1].matches(NAMES)
                && words[2].matches(NAMES)
                && words[3].matches(NETWORK)
                && METHODS.contains(words[4])
                && !Set.of("sameuser", "samerole", "samegroup").contains(words[1]);
    }

    /** What is said of the database holds for its readers, too. */
    private String withReaders(String line) {
        String[] words = words(line);
        words[1] = Arrays.stream(words[1].split(",", -1))
                .map(name -> name.equals(settings.database()) ? name + "," + settings.readDatabase() : name)
                .collect(Collectors.joining(","));
        return String.join(" ", words);
    }

    private static String[] words(String line) {
        return line.strip().split("\\s+", -1);
    }
}
