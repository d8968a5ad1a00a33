package org.cellkeeper.cell.config;

import java.util.Map;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;

/** {@code docs/configuration.md}, made of the keys themselves. */
final class ConfigurationDocs {
    private ConfigurationDocs() {}

    /** @param owned what a cell sets by itself, with the reason of each */
    static String render(Map<String, String> owned) {
        StringBuilder text = new StringBuilder("""
                # Configuration

                Generated from the keys' declarations (`Keys.java`); do not edit. To write it anew:
                `mvn -pl cell -am test -Dtest=ConfigurationDocsTest -Dcellkeeper.docs.write=true`.

                A cell reads one YAML file (`--config`; else `/etc/cell/cell.yaml`, where there is one) and its environment. Every
                key can be set in either, so that the environment alone is enough; an environment variable wins over the file.
                Unknown keys and unknown variables that begin with `CELL_` are refused, and everything that is wrong is reported
                at once. A dot in a key is a level in the file:

                ```yaml
                name: cell-1
                host: 10.0.0.1
                cluster:
                  secret-file: /run/secrets/cluster
                zookeeper:
                  cells:
                    cell-1: 10.0.0.1
                    cell-2: 10.0.0.2
                    cell-3: 10.0.0.3
                security:
                  root-password-file: /run/secrets/root
                  vcloud-password-file: /run/secrets/vcloud
                timing:
                  silence: 1500ms
                ```

                Durations are a number with its unit: `ms`, `s`, `m` or `h`. Secrets are never written here, only the files that
                hold them. Maps are set in the environment as `name=value` entries, separated by a comma (cells) or a semicolon
                (settings).

                `cellctl config check` says everything that an agent would refuse; PostgreSQL's parameters and the lines of
                `postgres.hba` are judged by that PostgreSQL itself. What an agent has found good it keeps in `<data-dir>/config/`. When the configuration, or a file
                that it names, cannot be used later, the cell goes on with what it kept, and the status says so; what is mended
                takes effect at the agent's next start. Only a cell that has kept nothing does not start (exit code 2).
                """);
        for (Keys.Section section : Keys.SECTIONS) {
            text.append("\n## ").append(section.title()).append("\n\n");
            text.append("| key | environment | default | what for |\n|---|---|---|---|\n");
            for (Key<?> key : section.keys()) {
                text.append("| `")
                        .append(key.path())
                        .append("` | `")
                        .append(key.variable())
                        .append("` | ")
                        .append(standard(key.fallback()))
                        .append(" | ")
                        .append(key.sentence())
                        .append(" Allowed: ")
                        .append(key.kind().allowed())
                        .append(". |\n");
            }
        }
        text.append("""

                ## What a cell sets by itself

                These parameters of PostgreSQL may not be in `postgres.settings`:

                | parameters | reason |
                |---|---|
                """);
        SortedMap<String, SortedSet<String>> byReason = new TreeMap<>();
        owned.forEach((name, reason) ->
                byReason.computeIfAbsent(reason, key -> new TreeSet<>()).add("`" + name + "`"));
        byReason.forEach((reason, names) -> text.append("| %s | %s |\n".formatted(String.join(", ", names), reason)));
        return text.toString();
    }

    private static String standard(Key.Fallback fallback) {
        return switch (fallback) {
            case Key.Fallback.Required() -> "**must be set**";
            case Key.Fallback.Value(String text) -> "`" + text + "`";
            case Key.Fallback.Computed(String how) -> how;
        };
    }
}
