package org.cellkeeper.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import org.jspecify.annotations.Nullable;

/**
 * The answer to {@code GET /mount}: the transfer share as the cell that was asked sees it.
 *
 * @param mounted whether it is there and can be written
 * @param detail what is well, or what to do
 * @param path null when none is configured
 * @param sizeBytes null, as are the other sizes, while it is not mounted
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record MountInfo(
        boolean mounted,
        String detail,
        @Nullable String path,
        @Nullable Long sizeBytes,
        @Nullable Long usedBytes,
        @Nullable Long availableBytes) {}
