package org.cellkeeper.cell.cli;

import java.util.Optional;
import org.cellkeeper.api.ApplianceClient;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Makes a removed cell a standby again. */
@Command(name = "deploy", description = "Wipe a removed cell and clone it as a fresh standby.")
public final class DeployCommand extends ChangeCommand {
    @Parameters(paramLabel = "CELL", description = "The cell.")
    private String cell = "";

    @Override
    ApplianceClient.Request request() {
        return new ApplianceClient.Request.Deploy(cell);
    }

    @Override
    Optional<String> danger() {
        return Optional.of("All data of " + cell + " are wiped.");
    }
}
