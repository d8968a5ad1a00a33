package org.cellkeeper.api;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The answer to {@code GET /backups/{name}}: what its manifest says.
 *
 * @param cell the primary that made it
 * @param lsn what it restores is the database as of here
 * @param warnings what a restore will not bring back as it was, each in words; null when the backup does not tell
 * @param signature as in {@link BackupFile}
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
        List<Part> files,
        @Nullable List<String> warnings,
        @Nullable String signature) {
    /** One of its files. */
    public record Part(String name, long size, String sha256) {}
}
