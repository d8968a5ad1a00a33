package org.cellkeeper.cell.cli;

import java.net.URI;
import org.cellkeeper.api.ApplianceClient;
import org.cellkeeper.api.ApplianceFailure;
import org.cellkeeper.api.ServiceInfo;
import picocli.CommandLine.Command;

/** Lists the services of every cell. */
@Command(name = "services", description = "List the services of every cell that is named.")
public final class ServicesCommand extends OperatorCommand {
    @Override
    int run(ApplianceClient client) {
        int answered = 0;
        for (URI cell : client.cells()) {
            try {
                for (ServiceInfo service : client.services(cell)) {
                    out().println(cell.getHost() + "  " + service.serviceName() + "  " + service.status());
                }
                answered++;
            } catch (ApplianceFailure.NobodyAnswers e) {
                complain(e.getMessage());
            }
        }
        return answered == 0 ? NOBODY_ANSWERS : OK;
    }
}
