package org.cellkeeper.cell.cli;

import java.util.Locale;
import org.cellkeeper.api.ApplianceClient;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Tells or sets the failover mode of the whole cluster. */
@Command(name = "mode", description = "Set the failover mode of the whole cluster; without MODE, tell it.")
public final class ModeCommand extends ChangeCommand {
    /** As it is typed. */
    public enum Mode {
        automatic,
        manual
    }

    @Parameters(arity = "0..1", paramLabel = "MODE", description = "automatic or manual.")
    private @Nullable Mode mode;

    @Override
    int run(ApplianceClient client) {
        if (mode == null) {
            out().println(client.nodes().localClusterFailover().toLowerCase(Locale.ROOT));
            return OK;
        }
        return super.run(client);
    }

    @Override
    ApplianceClient.Request request() {
        return new ApplianceClient.Request.SetMode(mode == Mode.automatic);
    }
}
