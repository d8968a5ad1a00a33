package org.cellkeeper.api;

import org.jspecify.annotations.Nullable;

/**
 * The body of {@code PUT /mount}, which no cell carries out.
 *
 * @param nfs such as {@code 10.0.0.9:/transfer}
 */
public record MountRequest(@Nullable String nfs) {}
