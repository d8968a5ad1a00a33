package org.cellkeeper.cell.sim;

/**
 * One record of WAL. Two cells hold the same WAL where they hold the same objects; PostgreSQL cannot see that, the
 * simulator can.
 *
 * @param commit the commit that it makes, 0 for any other record
 */
record WalRecord(long start, long end, int timeline, long commit, String kind) {}
