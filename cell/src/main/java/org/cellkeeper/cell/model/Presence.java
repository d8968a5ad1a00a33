package org.cellkeeper.cell.model;

/** A cell's liveness entry in ZooKeeper: which incarnation lives in this session, and how its agent is reached. */
public record Presence(CellId cell, Address address, String state) {}
