package org.cellkeeper.api;

import java.util.List;

/**
 * The answer to {@code GET /backups/{name}}: what its manifest says.
 *
 * @param cell the primary that made it
 * @param lsn what it restores is the database as of here
 */
public record BackupInfo(
        String date,
        String location,
        String name,
        long size,
        String version,
        String cell,
        String postgresVersion,
        String systemId,
        int timeline,
        String lsn,
        List<Part> files) {
    /** One of its files. */
    public record Part(String name, long size, String sha256) {}
}
