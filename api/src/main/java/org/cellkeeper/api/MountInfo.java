package org.cellkeeper.api;

/** The answer to {@code GET /mount}: the transfer share, where there is one. */
public record MountInfo(boolean mounted, String detail) {}
