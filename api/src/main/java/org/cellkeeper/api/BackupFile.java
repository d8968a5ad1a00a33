package org.cellkeeper.api;

import org.jspecify.annotations.Nullable;

/**
 * A backup, in a list.
 *
 * @param date ISO 8601; when it was complete
 * @param location its folder
 * @param size bytes
 * @param version of the product that made it
 * @param signature VALID, MISSING, FOREIGN (made with another secret) or WRONG (made for something else): only a valid one shows that
 *     this cluster made it, as it is; null when the cell does not tell
 */
public record BackupFile(
        String date,
        String location,
        String name,
        long size,
        String version,
        @Nullable String signature) {}
