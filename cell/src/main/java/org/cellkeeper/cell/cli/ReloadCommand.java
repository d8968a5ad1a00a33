package org.cellkeeper.cell.cli;

import java.net.URI;
import org.cellkeeper.api.ApplianceClient;
import org.cellkeeper.api.ApplianceFailure;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Has a service of every cell read its files anew. */
@Command(
        name = "reload",
        description = "Have a service of every cell that is named read its files anew, without a restart: vpostgres its"
                + " configuration, nginx the certificate of the API.")
public final class ReloadCommand extends OperatorCommand {
    @Parameters(paramLabel = "SERVICE", description = "vpostgres or nginx.")
    private String service = "";

    @Override
    int run(ApplianceClient client) {
        int worst = OK;
        int answered = 0;
        for (URI cell : client.cells()) {
            try {
                client.reload(cell, service);
                out().println(cell.getHost() + "  " + service + "  reloaded");
                answered++;
            } catch (ApplianceFailure.Refused e) {
                complain(cell.getHost() + ": " + e.getMessage() + " [" + e.code() + "]");
                answered++;
                worst = REFUSED;
            } catch (ApplianceFailure.NobodyAnswers e) {
                complain(e.getMessage());
                worst = REFUSED;
            }
        }
        return answered == 0 ? NOBODY_ANSWERS : worst;
    }
}
