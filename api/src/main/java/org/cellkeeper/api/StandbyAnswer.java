package org.cellkeeper.api;

/**
 * The answer to {@code GET /standby} of a cell that is one.
 *
 * @param lagBytes WAL that the primary has and this cell has not replayed
 */
public record StandbyAnswer(long lagBytes) {}
