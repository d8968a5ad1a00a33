package org.cellkeeper.cell.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** What concerns a cell's configuration. */
@Command(name = "config", description = "Look at a cell's configuration.", subcommands = ConfigCommand.Check.class)
final class ConfigCommand extends GroupCommand {
    /** Says everything that is wrong, and changes nothing. */
    @Command(
            name = "check",
            description =
                    "Check a cell's configuration and the files that it names as its agent does, name everything that is"
                            + " wrong, and change nothing. PostgreSQL itself judges its settings.",
            mixinStandardHelpOptions = true,
            exitCodeListHeading = "Exit codes:%n",
            exitCodeList = {"0:the configuration is good", "2:it is not; everything that is wrong is named"})
    static final class Check implements Callable<Integer> {
        @Spec
        @SuppressWarnings("NullAway.Init") // picocli sets it
        private CommandSpec spec;

        @Mixin
        @SuppressWarnings("NullAway.Init")
        private ConfigOption config;

        @Override
        public Integer call() {
            spec.commandLine()
                    .getOut()
                    .println("the configuration of " + config.check().name() + " is good");
            spec.commandLine().getOut().flush();
            return CommandLine.ExitCode.OK;
        }
    }
}
