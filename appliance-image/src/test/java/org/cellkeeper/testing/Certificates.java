package org.cellkeeper.testing;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * By which the cells of a cluster know each other, as PEM; made in the cells' image.
 *
 * @param authority who has signed them
 * @param chains the certificate of each cell
 * @param keys the key of each
 */
record Certificates(String authority, Map<String, String> chains, Map<String, String> keys) {
    private static final String FILE = "== ";

    /** @param hosts where each cell is reached, by its name */
    static Certificates make(Mark mark, Map<String, List<String>> hosts) {
        StringBuilder cells = new StringBuilder();
        hosts.forEach(
                (cell, names) -> cells.append(' ').append(cell).append('=').append(String.join(",", names)));
        String said = mark.say("""
                set -o errexit
                mkdir /tmp/ca
                cellctl ca init --dir /tmp/ca >/dev/null
                cellctl ca issue --dir /tmp/ca%s >/dev/null
                cd /tmp/ca
                for file in *; do echo "%s$file"; cat "$file"; done
                """.formatted(cells, FILE));
        Map<String, String> files = new HashMap<>();
        String file = "";
        for (String line : said.lines().toList()) {
            if (line.startsWith(FILE)) {
                file = line.substring(FILE.length());
            } else {
                files.merge(file, line + "\n", String::concat);
            }
        }
        Map<String, String> chains = new HashMap<>();
        Map<String, String> keys = new HashMap<>();
        for (String cell : hosts.keySet()) {
            chains.put(cell, found(files, cell + ".pem"));
            keys.put(cell, found(files, cell + ".key"));
        }
        return new Certificates(found(files, "ca.pem"), chains, keys);
    }

    private static String found(Map<String, String> files, String name) {
        String text = files.get(name);
        if (text == null) {
            throw new IllegalStateException(name + " was not made, only " + files.keySet());
        }
        return text;
    }

    String chain(String cell) {
        return found(chains, cell);
    }

    String key(String cell) {
        return found(keys, cell);
    }

    /** Without the keys. */
    @Override
    public String toString() {
        return "Certificates[" + chains.keySet() + "]";
    }
}
