package org.cellkeeper.cell.cli;

import java.time.LocalTime;
import java.time.ZoneId;
import java.time.temporal.ChronoUnit;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.cellkeeper.api.ApplianceClient;
import org.cellkeeper.api.ApplianceFailure;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Shows the cluster. */
@Command(
        name = "status",
        description = "Show the cluster.",
        exitCodeListHeading = "Exit codes:%n",
        exitCodeList = {"0:shown, whatever it says", "1:refused", "2:wrong usage", "3:no cell could be reached"})
public final class StatusCommand extends OperatorCommand {
    private static final long BETWEEN_LOOKS_MILLIS = 1000;
    private static final String CLEAR = "\033[H\033[2J";

    @Option(names = "--json", description = "As GET /nodes says it.")
    private boolean json;

    @Option(names = "--watch", description = "Again every second, until interrupted.")
    private boolean watch;

    @Override
    int run(ApplianceClient client) {
        if (!watch) {
            out().print(look(client));
            return OK;
        }
        boolean terminal = onTerminal();
        while (!out().checkError()) {
            String text;
            try {
                text = look(client);
            } catch (ApplianceFailure.NobodyAnswers e) {
                text = e.getMessage() + "\n";
            }
            String time = LocalTime.now(ZoneId.systemDefault()).truncatedTo(ChronoUnit.SECONDS) + "\n";
            out().print(json ? text : (terminal ? CLEAR : "") + time + text);
            out().flush();
            CompletableFuture.runAsync(
                            () -> {}, CompletableFuture.delayedExecutor(BETWEEN_LOOKS_MILLIS, TimeUnit.MILLISECONDS))
                    .join();
        }
        return OK;
    }

    private String look(ApplianceClient client) {
        return json ? client.nodesAsText() + "\n" : new StatusText(onTerminal()).of(client.nodes());
    }
}
