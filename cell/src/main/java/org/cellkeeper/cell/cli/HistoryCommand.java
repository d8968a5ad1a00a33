package org.cellkeeper.cell.cli;

import java.util.List;
import org.cellkeeper.api.ApplianceClient;
import org.cellkeeper.api.HistoryEvent;
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

    @Override
    int run(ApplianceClient client) {
        List<HistoryEvent> events = client.history(limit);
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
