package org.cellkeeper.cell.cli;

import org.cellkeeper.api.ApplianceClient;
import org.cellkeeper.api.TaskInfo;
import picocli.CommandLine.Command;

/** Lists what operators asked for. */
@Command(name = "tasks", description = "List what operators asked for, newest first.")
public final class TasksCommand extends OperatorCommand {
    @Override
    int run(ApplianceClient client) {
        for (TaskInfo task : client.tasks()) {
            TaskInfo.Result result = task.result();
            TaskInfo.Failure error = task.error();
            String running = task.message();
            String words = result != null ? result.message() : error != null ? error.message() : running;
            out().println(String.join(
                            "  ",
                            task.startTime(),
                            task.id(),
                            task.operation(),
                            task.target(),
                            task.status(),
                            task.progress() + "%",
                            words == null ? "" : words)
                    .stripTrailing());
        }
        return OK;
    }
}
