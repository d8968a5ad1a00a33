package org.cellkeeper.cell.cli;

import java.time.Duration;
import java.util.Optional;
import org.cellkeeper.api.ApplianceClient;
import org.cellkeeper.api.Checks;
import org.cellkeeper.api.TaskInfo;
import picocli.CommandLine.Option;

/** What all commands share that change something: each becomes a task, and they wait for its end. */
abstract class ChangeCommand extends OperatorCommand {
    private final Confirmation confirmation = Confirmation.byTerminal();

    @Option(names = "--dry-run", description = "Only tell whether it could be done.")
    private boolean dryRun;

    @Option(names = "--no-wait", description = "Tell the task's id and do not wait for its end.")
    private boolean noWait;

    @Option(
            names = "--timeout",
            paramLabel = "SECONDS",
            defaultValue = "600",
            description = "How long to wait for the end. Default: ${DEFAULT-VALUE}.")
    private int timeout;

    @Option(names = "--yes", description = "Do not ask before what loses data or takes a cell out.")
    private boolean yes;

    abstract ApplianceClient.Request request();

    /** What would be lost, as a sentence that an operator confirms; empty where nothing is. */
    Optional<String> danger() {
        return Optional.empty();
    }

    @Override
    int run(ApplianceClient client) {
        if (dryRun) {
            return preflight(client.dryRun(request()));
        }
        Optional<String> danger = yes ? Optional.empty() : danger();
        if (danger.isPresent() && !confirmation.given(danger.get(), out())) {
            complain("not done");
            return REFUSED;
        }
        String id = client.submit(request());
        if (noWait) {
            out().println(id);
            return OK;
        }
        Optional<TaskInfo> end = await(client, id);
        if (end.isEmpty()) {
            complain("task " + id + " has not ended; ask again with: cellctl tasks");
            return REFUSED;
        }
        TaskInfo task = end.get();
        TaskInfo.Result result = task.result();
        TaskInfo.Failure error = task.error();
        String verdict = result != null ? result.message() : error != null ? error.message() : "";
        if (task.hasSucceeded()) {
            out().println("done" + (verdict.isEmpty() ? "" : ": " + verdict));
            return OK;
        }
        complain("failed: " + verdict);
        return REFUSED;
    }

    /** Whoever ends this command while it waits does not end what he asked for. */
    private Optional<TaskInfo> await(ApplianceClient client, String id) {
        Thread farewell = new Thread(() -> complain("task " + id + " goes on; see: cellctl tasks"));
        Runtime.getRuntime().addShutdownHook(farewell);
        Optional<TaskInfo> end = client.await(id, Duration.ofSeconds(timeout), this::progress);
        try {
            Runtime.getRuntime().removeShutdownHook(farewell);
        } catch (IllegalStateException ends) {
            // It has been said.
        }
        return end;
    }

    private int preflight(Checks checks) {
        for (Checks.Check check : checks.checks()) {
            out().println((check.ok() ? "ok    " : "NOT OK ")
                    + check.name()
                    + (check.detail().isEmpty() ? "" : ": " + check.detail()));
        }
        return checks.ok() ? OK : REFUSED;
    }

    private void progress(TaskInfo task) {
        String message = task.message();
        if (!task.hasEnded()) {
            out().println(task.operation() + " " + task.target() + ": " + task.progress() + "%"
                    + (message == null || message.isEmpty() ? "" : " " + message));
            out().flush();
        }
    }
}
