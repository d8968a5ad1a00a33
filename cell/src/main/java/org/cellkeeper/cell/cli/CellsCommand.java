package org.cellkeeper.cell.cli;

import org.cellkeeper.api.ApplianceClient;
import org.cellkeeper.api.RegisteredCell;
import picocli.CommandLine.Command;

/** Lists the registry of cells. */
@Command(name = "cells", description = "List the cells as they registered themselves in the database.")
public final class CellsCommand extends OperatorCommand {
    @Override
    int run(ApplianceClient client) {
        for (RegisteredCell cell : client.registeredCells()) {
            out().println(String.join(
                    "  ",
                    cell.name(),
                    cell.primaryIP(),
                    cell.isActive() ? "active" : "not active",
                    cell.productVersion(),
                    cell.id()));
        }
        return OK;
    }
}
