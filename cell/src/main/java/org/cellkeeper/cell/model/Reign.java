package org.cellkeeper.cell.model;

/**
 * Which WAL is whose: the primary of one epoch, its timeline, where that timeline forked off, and the epoch it forked off from.
 *
 * <p>{@code sealedLsn} is what the winner had received when it voted. It may lie a little past {@code startLsn}: the bytes
 * between are the head of a record whose end never arrived. A cell that holds no more of them than the winner did holds no
 * record that the winner lacks.
 */
public record Reign(CellId primary, int timeline, Lsn startLsn, Lsn sealedLsn, long parent) {
    public Reign {
        if (!sealedLsn.atLeast(startLsn)) {
            throw new IllegalArgumentException("sealed at " + sealedLsn + ", before the start " + startLsn);
        }
    }
}
