package org.cellkeeper.cell.decide.quorum;

/** Whether a cell seems to be able to reign, from the worst to the best. */
public enum Fitness {
    /** Its agent is gone, or says that its disk takes no writes. */
    UNFIT,
    UNKNOWN,
    /** It could, but its PostgreSQL does not run, or lets nobody in: it would have to replay what it holds first. */
    CLOSED,
    FIT
}
