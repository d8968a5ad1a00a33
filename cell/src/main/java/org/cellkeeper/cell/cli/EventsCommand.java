package org.cellkeeper.cell.cli;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.cellkeeper.api.ApplianceClient;
import org.cellkeeper.api.ApplianceFailure;
import org.cellkeeper.api.HistoryEvent;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Tells what happens, as it happens. */
@Command(name = "events", description = "Tell the last events, oldest first; with --follow, what happens from now on.")
public final class EventsCommand extends OperatorCommand {
    private static final int LAST = 10;
    private static final long BETWEEN_TRIES_MILLIS = 1000;

    @Option(names = "--follow", description = "Go on, whichever cell answers, until interrupted.")
    private boolean follow;

    @Option(names = "--count", paramLabel = "N", description = "With --follow: end after so many events.")
    private @Nullable Long count;

    @Override
    int run(ApplianceClient client) {
        if (!follow) {
            List<HistoryEvent> last = client.history(LAST);
            last.reversed().forEach(event -> out().println(HistoryCommand.line(event)));
            return OK;
        }
        AtomicLong left = new AtomicLong(count == null ? Long.MAX_VALUE : count);
        @Nullable String lastId = null;
        while (left.get() > 0 && !out().checkError() && !Thread.currentThread().isInterrupted()) {
            try {
                lastId = client.follow(lastId, event -> {
                    out().println(HistoryCommand.line(event));
                    return left.decrementAndGet() > 0 && !out().checkError();
                });
            } catch (ApplianceFailure.Refused e) {
                if (e.status() != 503) {
                    throw e;
                }
                complain(e.getMessage());
            }
            if (left.get() > 0) {
                CompletableFuture.runAsync(
                                () -> {},
                                CompletableFuture.delayedExecutor(BETWEEN_TRIES_MILLIS, TimeUnit.MILLISECONDS))
                        .join();
            }
        }
        return OK;
    }
}
