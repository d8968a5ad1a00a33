package org.cellkeeper.cell.model;

import org.jspecify.annotations.Nullable;

/**
 * One cell's answer to a ballot. Without a veto it says: I have durably stopped receiving WAL for this ballot, and this is
 * what I hold.
 *
 * @param veto the reason why the cell refuses the ballot, or null
 * @param walEpoch the epoch whose WAL the cell holds at its end: not the one it follows while it has received nothing of that one
 */
public record Vote(
        long ballot, CellId voter, @Nullable String veto, long walEpoch, int timeline, Lsn lsn, int priority) {}
