package org.cellkeeper.cell.cli;

import java.util.List;

/** All operator commands, for the root to add. */
public final class OperatorCommands {
    private OperatorCommands() {}

    public static List<Object> all() {
        return List.of(
                new StatusCommand(),
                new ModeCommand(),
                new PromoteCommand(),
                new SwitchoverCommand(),
                new RemoveCommand(),
                new DeployCommand(),
                new BackupCommand(),
                new TasksCommand(),
                new HistoryCommand(),
                new EventsCommand(),
                new ServicesCommand(),
                new ReloadCommand(),
                new CellsCommand(),
                new AuditCommand(),
                new CheckCommand(),
                new CaCommand(),
                new ConfigCommand(),
                new UserCommand(),
                new SecretCommand(),
                new CompletionCommand(),
                new PrepareCommand(),
                new AgentCommand());
    }
}
