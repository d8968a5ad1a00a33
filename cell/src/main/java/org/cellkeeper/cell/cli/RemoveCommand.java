package org.cellkeeper.cell.cli;

import java.util.Optional;
import org.cellkeeper.api.ApplianceClient;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Takes a cell out of the cluster. */
@Command(name = "remove", description = "Take a halted or dead cell out of the cluster.")
public final class RemoveCommand extends ChangeCommand {
    @Parameters(paramLabel = "CELL", description = "The cell.")
    private String cell = "";

    @Option(names = "--force", description = "A running standby too.")
    private boolean force;

    @Override
    ApplianceClient.Request request() {
        return new ApplianceClient.Request.Remove(cell, force);
    }

    @Override
    Optional<String> danger() {
        return Optional.of(cell + " is taken out of the cluster" + (force ? ", even if it streams." : "."));
    }
}
