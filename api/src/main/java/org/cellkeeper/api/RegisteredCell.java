package org.cellkeeper.api;

/** A cell as it registered itself; {@code isActive} while its last heartbeat is recent. */
public record RegisteredCell(
        String id, String name, String productBuildDate, boolean isActive, String primaryIP, String productVersion) {}
