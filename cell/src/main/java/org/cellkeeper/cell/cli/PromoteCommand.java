package org.cellkeeper.cell.cli;

import java.util.Optional;
import org.cellkeeper.api.ApplianceClient;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Makes a standby the primary when there is none. */
@Command(name = "promote", description = "Make a standby the primary, when there is no healthy one.")
public final class PromoteCommand extends ChangeCommand {
    @Parameters(paramLabel = "CELL", description = "The standby.")
    private String cell = "";

    @Option(
            names = "--accept-data-loss",
            description = "Even when so many voters are missing that acknowledged commits may be lost.")
    private boolean acceptDataLoss;

    @Override
    ApplianceClient.Request request() {
        return new ApplianceClient.Request.Promote(cell, acceptDataLoss);
    }

    @Override
    Optional<String> danger() {
        return acceptDataLoss ? Optional.of("Acknowledged commits may be lost.") : Optional.empty();
    }
}
