package org.cellkeeper.cell.decide;

import java.util.Locale;
import java.util.stream.Collectors;
import org.cellkeeper.cell.model.Incarnation;

/** The table as a document, made from the rules themselves. */
public final class DecisionTable {
    private DecisionTable() {}

    public static String markdown() {
        CellRules table = new CellRules(() -> Incarnation.of(0));
        StringBuilder text = new StringBuilder("""
                # The decision table

                Generated from the rules in `org.cellkeeper.cell.decide`; a test fails when it is stale. Each cell looks at all that it knows, and
                follows the **first** rule that applies; then it looks again. The number and the sentence are what the log, the history and
                `GET /nodes` say. "May do" is all that a rule can do. *Fast*: it looks again at once while this lasts; *normal*: within the tick.
                """);
        Rule.Section section = null;
        for (Rule rule : table.rules()) {
            if (rule.section() != section) {
                section = rule.section();
                text.append("\n## ").append(section.title()).append("\n\n");
                text.append("In `").append(section.rules().getSimpleName()).append("`, each with its plan.\n\n");
                text.append("| rule | it says | may do | pace |\n|---|---|---|---|\n");
            }
            String may = rule.may().stream()
                    .sorted()
                    .map(kind -> kind.name().toLowerCase(Locale.ROOT).replace('_', ' '))
                    .collect(Collectors.joining(", "));
            text.append("| %d | %s | %s | %s |\n"
                    .formatted(
                            rule.number(),
                            rule.sentence(),
                            may.isEmpty() ? "nothing" : may,
                            rule.pace().name().toLowerCase(Locale.ROOT)));
        }
        return text.toString();
    }
}
