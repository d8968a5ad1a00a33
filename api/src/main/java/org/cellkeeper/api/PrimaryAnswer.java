package org.cellkeeper.api;

import com.fasterxml.jackson.annotation.JsonProperty;

/** The answer to {@code GET /isPrimary}. */
public record PrimaryAnswer(@JsonProperty("isPrimary") boolean isPrimary) {}
