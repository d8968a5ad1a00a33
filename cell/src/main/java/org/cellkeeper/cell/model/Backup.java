package org.cellkeeper.cell.model;

import java.time.Instant;
import java.util.List;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * What the manifest of a backup says. It is written last, so a backup that has one is whole.
 *
 * @param date when it was complete
 * @param cell the primary that made it
 * @param version of this product
 * @param postgresVersion such as {@code 17.6}
 * @param timeline of the WAL that it ends with
 * @param lsn what it restores is the database as of here
 * @param databaseBytes the size of all databases, unpacked
 * @param unpackedBytes the size of the copy, unpacked; null in a backup that was made before it was told
 * @param warnings what a restore will not bring back as it was, each in words; null in a backup that was made before they were
 */
public record Backup(
        String name,
        Instant date,
        CellName cell,
        String version,
        String postgresVersion,
        String systemId,
        int timeline,
        Lsn lsn,
        long databaseBytes,
        @Nullable Long unpackedBytes,
        List<Part> files,
        @Nullable List<String> warnings) {
    private static final int TOLD = 6;

    /** As many as a message may hold. */
    public static String inShort(List<String> all) {
        String told = all.stream().limit(TOLD).collect(Collectors.joining(", "));
        return all.size() <= TOLD ? told : told + " and " + (all.size() - TOLD) + " more, see the agent's log";
    }

    /**
     * One of its files.
     *
     * @param name below the backup's folder
     * @param sha256 in hexadecimal digits
     */
    public record Part(String name, long size, String sha256) {}

    /** What it takes on the share, without its manifest. */
    public long size() {
        return files.stream().mapToLong(Part::size).sum();
    }
}
