package org.cellkeeper.api;

/**
 * The answer to {@code GET /fips}.
 *
 * @param fipsMode on or off
 */
public record FipsInfo(String fipsMode) {}
