package org.cellkeeper.cell.cli;

import java.io.IOException;
import java.util.List;
import java.util.concurrent.Callable;
import org.cellkeeper.cell.Wiring;
import org.cellkeeper.cell.config.Source;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Checks a cell's configuration and makes what its guard is started with. */
@Command(
        name = "prepare",
        description = "Check a cell's configuration, make its folders, write run/guard.args and say where that lies:"
                + " 'java @run/guard.args' then runs the cell. A configuration that cannot be used is replaced by the last one"
                + " that was good, where there is one.",
        mixinStandardHelpOptions = true)
final class PrepareCommand implements Callable<Integer> {
    private static final List<String> LOG_FORMATS = List.of("text", "json");

    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private CommandSpec spec;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private ConfigOption config;

    @Override
    public Integer call() throws IOException {
        String format = System.getenv("CELLKEEPER_LOG");
        if (format != null && !LOG_FORMATS.contains(format)) {
            throw new ParameterException(spec.commandLine(), "CELLKEEPER_LOG is text or json, not: " + format);
        }
        Source.Choice choice = config.choose(config.source(), null);
        if (!choice.objection().isEmpty()) {
            spec.commandLine().getErr().println(choice.objection());
        }
        spec.commandLine().getOut().println(Wiring.prepare(choice.config(), config.file()));
        return 0;
    }
}
