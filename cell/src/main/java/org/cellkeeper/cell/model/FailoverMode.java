package org.cellkeeper.cell.model;

/** Whether the cluster replaces a lost primary by itself; one value for the whole cluster. */
public enum FailoverMode {
    MANUAL,
    AUTOMATIC
}
