package org.cellkeeper.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import org.jspecify.annotations.Nullable;

/**
 * The answer to {@code GET /mount}: the transfer share as the cell that was asked sees it.
 *
 * @param mounted whether it is there and can be written
 * @param detail what is well, or what to do
 * @param nfs where it is mounted from, such as {@code 10.0.0.9:/transfer}; empty when that is no NFS, or it is not mounted
 * @param path null when none is configured
 * @param sizeBytes null, as are the other sizes, while it is not mounted
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record MountInfo(
        boolean mounted,
        String detail,
        String nfs,
        @Nullable String path,
        @Nullable Long sizeBytes,
        @Nullable Long usedBytes,
        @Nullable Long availableBytes) {}
