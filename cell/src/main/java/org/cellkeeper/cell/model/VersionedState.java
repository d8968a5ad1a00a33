package org.cellkeeper.cell.model;

/** The shared state as read, with the version that a compare-and-set must name. Versions only grow. */
public record VersionedState(int version, ClusterState state) {}
