package org.cellkeeper.cell.model;

import org.jspecify.annotations.Nullable;

/**
 * One ZooKeeper server, as this cell finds it.
 *
 * @param name as people read it: its number, its cell and its address
 * @param cell that runs it; null when others do, or when that is not known
 */
public record EnsembleServer(String name, @Nullable CellName cell, Standing standing) {
    /** What it does for the ensemble. */
    public enum Standing {
        SERVING,
        /** It runs, and is not (or not yet) part of a majority that serves. */
        WAITING,
        /** It does not answer. */
        SILENT,
        /** It has not been asked yet. */
        UNKNOWN
    }

    public boolean serves() {
        return standing == Standing.SERVING;
    }
}
