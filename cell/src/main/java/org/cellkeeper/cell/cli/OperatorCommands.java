package org.cellkeeper.cell.cli;

import java.io.PrintWriter;
import java.util.List;
import picocli.CommandLine;

/** All operator commands, under a root. */
public final class OperatorCommands {
    private OperatorCommands() {}

    public static CommandLine under(Object root) {
        CommandLine line = new CommandLine(root);
        all().forEach(line::addSubcommand);
        line.setCaseInsensitiveEnumValuesAllowed(true);
        line.setParameterExceptionHandler(OperatorCommands::misused);
        return line;
    }

    /** The whole usage would hide what is wrong. */
    private static int misused(CommandLine.ParameterException problem, String... args) {
        CommandLine command = problem.getCommandLine();
        PrintWriter err = command.getErr();
        err.println(problem.getMessage());
        if (!CommandLine.UnmatchedArgumentException.printSuggestions(problem, err)) {
            err.println("How it is used: " + command.getCommandSpec().qualifiedName() + " --help");
        }
        return command.getCommandSpec().exitCodeOnInvalidInput();
    }

    private static List<Object> all() {
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
