package org.cellkeeper.cell.cli;

import java.util.concurrent.Callable;
import picocli.AutoComplete;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** Writes what a shell completes commands with. */
@Command(
        name = "completion",
        description = "Write a script for bash or zsh that completes commands: source <(cellctl completion)",
        mixinStandardHelpOptions = true)
final class CompletionCommand implements Callable<Integer> {
    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private CommandSpec spec;

    @Override
    public Integer call() {
        CommandLine root = spec.root().commandLine();
        spec.commandLine().getOut().print(AutoComplete.bash("cellctl", root));
        spec.commandLine().getOut().flush();
        return CommandLine.ExitCode.OK;
    }
}
