package org.cellkeeper.cell.model;

/** A cell's entry in the cluster. A priority of 0 means: never to be primary. */
public record Member(Incarnation incarnation, Address address, int priority, String faultDomain) {}
