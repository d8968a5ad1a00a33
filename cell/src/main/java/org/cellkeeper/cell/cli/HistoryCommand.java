package org.cellkeeper.cell.cli;

import java.util.List;
import org.cellkeeper.api.ApplianceClient;
import org.cellkeeper.api.HistoryEvent;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Tells what happened. */
@Command(name = "history", description = "Tell what happened, oldest first.")
public final class HistoryCommand extends OperatorCommand {
    @Option(
            names = "--limit",
            paramLabel = "N",
            defaultValue = "30",
            description = "How much. Default: ${DEFAULT-VALUE}.")
    private int limit;

    @Option(
            names = "--before",
            paramLabel = "TIME",
            description = "Only what happened before, such as 2026-01-02T12:00:00Z, from the archive.")
    private @Nullable String before;

    @Override
    int run(ApplianceClient client) {
        List<HistoryEvent> events = before == null ? client.history(limit) : client.history(before, limit);
        for (HistoryEvent event : events.reversed()) {
            out().println(line(event));
        }
        return OK;
    }

    static String line(HistoryEvent event) {
        return String.join("  ", event.time(), event.cell(), "epoch " + event.epoch(), event.sentence(), event.detail())
                .stripTrailing();
    }
}
