package org.cellkeeper.cell.port;

import java.util.List;

/**
 * A part of this cell that reads its files anew when it is told to, and goes on meanwhile. Never for the loop's thread: it takes
 * seconds where its part does not answer.
 */
public interface Reloadable {
    /** Whether it can: what is wrong with the files is told, and they are not used. */
    List<Operator.Check> checks();

    /** Fails when a check would. */
    void reload();
}
