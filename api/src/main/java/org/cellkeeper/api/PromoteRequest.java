package org.cellkeeper.api;

import org.jspecify.annotations.Nullable;

/** The optional body of {@code POST /nodes/{name}/promote}. */
public record PromoteRequest(@Nullable Boolean acceptDataLoss) {}
