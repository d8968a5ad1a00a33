package org.cellkeeper.cell.peer;

import java.io.IOException;
import org.cellkeeper.cell.model.CellName;

/** Whoever says that it is this cell has proven none of our secrets, or takes this cell for another. */
final class UnknownSecret extends IOException {
    private static final long serialVersionUID = 1L;

    private final transient CellName claimed;

    UnknownSecret(CellName claimed) {
        super("it does not know the cluster's secret, or takes this cell for another");
        this.claimed = claimed;
    }

    CellName claimed() {
        return claimed;
    }
}
