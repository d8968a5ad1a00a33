package org.cellkeeper.api;

/** The answer to {@code GET /version}. */
public record VersionInfo(String product, String version, String apiVersion) {}
