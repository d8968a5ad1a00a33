package org.cellkeeper.cell.door;

/** The PostgreSQL of a standby that is not far behind. */
public record Reader(String host, int port) {}
