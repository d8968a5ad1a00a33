package org.cellkeeper.cell.model;

/** What a cell is, in one word. The last two are said of a cell by others. */
public enum CellState {
    PRIMARY,
    STREAMING,
    CATCHING_UP,
    CLONING,
    SEALED,
    HALTED,
    REMOVED,
    STARTING,
    DOWN,
    UNREACHABLE
}
