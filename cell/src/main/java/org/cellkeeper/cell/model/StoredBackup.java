package org.cellkeeper.cell.model;

/** A backup as it lies on the share: what its manifest says, and whether that is to be believed. */
public record StoredBackup(Backup backup, Signature signature) {}
