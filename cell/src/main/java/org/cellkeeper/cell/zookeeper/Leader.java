package org.cellkeeper.cell.zookeeper;

import org.cellkeeper.cell.model.CellId;

/** What the primary's ephemeral entry says. */
record Leader(CellId primary, long epoch) {
    /** An older reign gives way to a newer one, and an older session of the same primary to this one. */
    boolean givesWayTo(Leader other) {
        return epoch < other.epoch || (epoch == other.epoch && primary.equals(other.primary));
    }
}
