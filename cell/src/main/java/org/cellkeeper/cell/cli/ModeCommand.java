package org.cellkeeper.cell.cli;

import org.cellkeeper.api.ApplianceClient;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Sets the failover mode of the whole cluster. */
@Command(name = "mode", description = "Set the failover mode of the whole cluster.")
public final class ModeCommand extends ChangeCommand {
    /** As it is typed. */
    public enum Mode {
        automatic,
        manual
    }

    @Parameters(paramLabel = "MODE", description = "automatic or manual.")
    private Mode mode = Mode.manual;

    @Override
    ApplianceClient.Request request() {
        return new ApplianceClient.Request.SetMode(mode == Mode.automatic);
    }
}
