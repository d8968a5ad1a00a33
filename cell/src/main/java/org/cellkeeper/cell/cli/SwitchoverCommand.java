package org.cellkeeper.cell.cli;

import org.cellkeeper.api.ApplianceClient;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Changes the primary as planned. */
@Command(name = "switchover", description = "Hand the primary's role over to a standby; nothing is lost.")
public final class SwitchoverCommand extends ChangeCommand {
    @Parameters(paramLabel = "CELL", description = "The next primary.")
    private String cell = "";

    @Override
    ApplianceClient.Request request() {
        return new ApplianceClient.Request.Switchover(cell);
    }
}
