package org.cellkeeper.cell.model;

/** The primary that a standby streams from, and in which epoch. */
public record Upstream(CellId primary, long epoch, String host, int port) {}
