package org.cellkeeper.api;

import java.util.List;

/** The answer to {@code GET /storage}: the volumes of the cell that was asked. */
public record StorageInfo(List<Volume> volumes) {
    /**
     * One volume.
     *
     * @param name what it holds
     * @param availableBytes what may still be written
     */
    public record Volume(String name, String path, long sizeBytes, long usedBytes, long availableBytes) {}
}
