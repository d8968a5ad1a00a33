package org.cellkeeper.cell.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import org.cellkeeper.cell.Wiring;
import org.cellkeeper.cell.config.CellConfig;
import org.cellkeeper.cell.config.InvalidConfiguration;
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

    /** As {@link #load}, for a cell that is to be started: also by what it knows of its cluster. */
    CellConfig loadToStart() {
        CellConfig config = load();
        String refusal = Wiring.refusedServers(config);
        if (!refusal.isEmpty()) {
            throw new ParameterException(
                    command.commandLine(),
                    "the configuration does not fit what this cell knows of its cluster:\n  " + refusal);
        }
        return config;
    }

    CellConfig load() {
        try {
            return CellConfig.load(file(), System.getenv());
        } catch (InvalidConfiguration e) {
            throw new ParameterException(command.commandLine(), e.getMessage(), e);
        }
    }
}
