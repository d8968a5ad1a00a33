package org.cellkeeper.cell.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import org.cellkeeper.cell.Wiring;
import org.cellkeeper.cell.config.CellConfig;
import org.cellkeeper.cell.config.InvalidConfiguration;
import org.cellkeeper.cell.config.Source;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Where a cell's configuration is. */
final class ConfigOption {
    private static final Path USUAL = Path.of("/etc/cell/cell.yaml");

    @Spec(Spec.Target.MIXEE)
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private CommandSpec command;

    @Option(
            names = "--config",
            paramLabel = "FILE",
            description = "The cell's configuration (YAML). Default: /etc/cell/cell.yaml where there is one, else the"
                    + " environment alone.")
    private @Nullable Path file;

    /** Null when there is none, so that everything comes from the environment. */
    @Nullable
    Path file() {
        return file != null ? file : Files.exists(USUAL) ? USUAL : null;
    }

    Source source() {
        return new Source(file(), System.getenv(), Wiring.judges());
    }

    /** As {@link Source#choose}; ends the command when there is nothing to run with. */
    Source.Choice choose(Source source, @Nullable Path dataDir) {
        try {
            return source.choose(dataDir);
        } catch (InvalidConfiguration e) {
            throw new ParameterException(command.commandLine(), e.getMessage(), e);
        }
    }

    /** As {@link Source#check}; ends the command when it is not good. */
    CellConfig check() {
        try {
            return source().check();
        } catch (InvalidConfiguration e) {
            throw new ParameterException(command.commandLine(), e.getMessage(), e);
        }
    }
}
