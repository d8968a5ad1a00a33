package org.cellkeeper.cell.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.cellkeeper.api.ApplianceClient;
import org.cellkeeper.api.AuditEntry;
import org.cellkeeper.api.AuditPage;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Tells who asked a cell for what. */
@Command(
        name = "audit",
        description =
                "Tell who came in at one cell, what was changed through it and what it refused, oldest first. Each cell"
                        + " notes what it was asked itself: --cell says which one is asked.")
public final class AuditCommand extends OperatorCommand {
    @Option(
            names = "--limit",
            paramLabel = "N",
            defaultValue = "30",
            description = "How much. Default: ${DEFAULT-VALUE}.")
    private int limit;

    @Option(
            names = "--before",
            paramLabel = "TIME",
            description = "Only what was before, such as 2026-01-02T12:00:00Z.")
    private @Nullable String before;

    @Override
    int run(ApplianceClient client) {
        AuditPage page = client.audit(before, limit);
        out().println("noted by " + page.cell() + ":");
        for (AuditEntry entry : page.entries().reversed()) {
            out().println(line(entry));
        }
        return OK;
    }

    static String line(AuditEntry entry) {
        String user = entry.user();
        String role = entry.role();
        String code = entry.code();
        List<String> words = new ArrayList<>(List.of(
                entry.time(),
                entry.event().toLowerCase(Locale.ROOT).replace('_', '-'),
                user == null
                        ? "-"
                        : role == null ? "'" + user + "'" : user + " (" + role.toLowerCase(Locale.ROOT) + ")",
                entry.address(),
                (entry.method() + " " + entry.path()).strip(),
                entry.status() + (code == null ? "" : " " + code)));
        if (entry.count() > 1) {
            words.add(entry.count() + " times, until " + entry.until());
        }
        words.removeIf(String::isEmpty);
        return String.join("  ", words);
    }
}
