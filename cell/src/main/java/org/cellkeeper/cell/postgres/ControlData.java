package org.cellkeeper.cell.postgres;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.Lsn;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What pg_control says, by {@code pg_controldata}, and where the WAL of a clean shutdown ends; asked anew only when the file has
 * changed. Used by one thread at a time.
 */
final class ControlData {
    private static final Logger LOG = LoggerFactory.getLogger(ControlData.class);

    /**
     * What was read.
     *
     * @param checkpoint where the latest checkpoint's record begins
     * @param replayedAtLeast a standby has written what was replayed up to here; 0/0 when it has not said
     * @param required the settings that a standby must have at least, as the primary had them when this was replayed
     */
    record Content(
            String systemId,
            DatabaseView.Control control,
            Lsn checkpoint,
            Lsn replayedAtLeast,
            long pageSize,
            long segmentSize,
            Map<String, Integer> required) {}

    /** What a standby must have no less of than its primary, and how pg_controldata calls it. */
    private static final Map<String, String> REQUIRED = Map.of(
            "max_connections", "max_connections setting",
            "max_worker_processes", "max_worker_processes setting",
            "max_wal_senders", "max_wal_senders setting",
            "max_prepared_transactions", "max_prepared_xacts setting",
            "max_locks_per_transaction", "max_locks_per_xact setting");

    private static final Set<String> IN_RECOVERY =
            Set.of("shut down in recovery", "in crash recovery", "in archive recovery");

    /** A page's header, and that of the first page of a segment. */
    private static final long SHORT_HEADER = 24;

    private static final long LONG_HEADER = 40;
    /** A record's header alone, and far more than that of a checkpoint with its data (114 bytes). */
    private static final long SHORTEST_CHECKPOINT = 24;

    private static final long LONGEST_CHECKPOINT = 1024;

    private final Programs programs;
    private final Path dataDir;
    private long lastModified = -1;
    private @Nullable Content last;

    ControlData(Programs programs, Path dataDir) {
        this.programs = programs;
        this.dataDir = dataDir;
    }

    /** Null when there is none, or it is torn. */
    synchronized @Nullable Content read() {
        Path file = dataDir.resolve("global/pg_control");
        try {
            long modified = Files.getLastModifiedTime(file).to(java.util.concurrent.TimeUnit.NANOSECONDS);
            if (modified != lastModified) {
                last = ask();
                lastModified = modified;
            }
            return last;
        } catch (IOException e) {
            lastModified = -1;
            last = null;
            return null;
        }
    }

    /** Two changes within the clock's grain look like one: forgets what was read, for when the file has come to rest. */
    synchronized void forget() {
        lastModified = -1;
    }

    private @Nullable Content ask() {
        Programs.Result result = programs.run(
                new Cancellation(),
                Duration.ofSeconds(5),
                "pg_controldata",
                List.of("-D", dataDir.toString()),
                Map.of(),
                null);
        if (result.exit() != 0
                || result.out().contains("WARNING")
                || result.err().contains("CRC")) {
            return null;
        }
        Map<String, String> values = new HashMap<>();
        for (String line : result.out().lines().toList()) {
            int colon = line.indexOf(':');
            if (colon > 0) {
                values.put(
                        line.substring(0, colon).strip(),
                        line.substring(colon + 1).strip());
            }
        }
        String systemId = values.get("Database system identifier");
        String location = values.get("Latest checkpoint location");
        String timelineText = values.get("Latest checkpoint's TimeLineID");
        String page = values.get("WAL block size");
        String segment = values.get("Bytes per WAL segment");
        if (systemId == null || location == null || timelineText == null || page == null || segment == null) {
            return null;
        }
        Lsn checkpoint = Lsn.parse(location);
        int timeline = Integer.parseInt(timelineText);
        long segmentSize = Long.parseLong(segment);
        long pageSize = Long.parseLong(page);
        Map<String, Integer> required = new TreeMap<>();
        REQUIRED.forEach((name, label) -> {
            String value = values.get(label);
            if (value != null) {
                required.put(name, Integer.parseInt(value));
            }
        });
        String replayed = values.get("Minimum recovery ending location");
        int replayedOn = Integer.parseInt(values.getOrDefault("Min recovery ending loc's timeline", "0"));
        String state = values.getOrDefault("Database cluster state", "");
        boolean clean = state.equals("shut down");
        Long length = clean ? lengthOfShutdown(checkpoint, timeline, segmentSize) : null;
        if (clean && length == null) {
            return null;
        }
        return new Content(
                systemId,
                new DatabaseView.Control(
                        clean,
                        timeline,
                        length == null ? checkpoint : endOfRecord(checkpoint, length, pageSize, segmentSize),
                        Math.max(timeline, replayedOn),
                        IN_RECOVERY.contains(state)),
                checkpoint,
                replayed == null ? Lsn.ZERO : Lsn.parse(replayed),
                pageSize,
                segmentSize,
                required);
    }

    /**
     * The length of the shutdown's checkpoint record; null when there is no such record. Read from the very segment: pg_waldump asks
     * any segment of the folder for its header, and those made ahead of their use have none.
     */
    private @Nullable Long lengthOfShutdown(Lsn start, int timeline, long segmentSize) {
        Path segment = dataDir.resolve("pg_wal").resolve(segmentOf(start, timeline, segmentSize));
        ByteBuffer length = ByteBuffer.allocate(Integer.BYTES).order(ByteOrder.nativeOrder());
        try (FileChannel channel = FileChannel.open(segment)) {
            // Records begin at multiples of 8, so that a record's length never runs over the end of a page.
            channel.read(length, start.value() % segmentSize);
        } catch (IOException e) {
            LOG.warn("{} cannot be read: {}", segment, e.toString());
            return null;
        }
        long found = length.hasRemaining() ? 0 : Integer.toUnsignedLong(length.getInt(0));
        if (found < SHORTEST_CHECKPOINT || found > LONGEST_CHECKPOINT) {
            LOG.warn("{} has no checkpoint record at {}", segment, start);
            return null;
        }
        return found;
    }

    static String segmentOf(Lsn lsn, int timeline, long segmentSize) {
        long number = Long.divideUnsigned(lsn.value(), segmentSize);
        long perFile = (1L << 32) / segmentSize;
        return "%08X%08X%08X".formatted(timeline, number / perFile, number % perFile);
    }

    /** Where the segment ends that has the last byte before this position. */
    static Lsn endOfSegment(Lsn position, long segmentSize) {
        return new Lsn((position.value() + segmentSize - 1) / segmentSize * segmentSize);
    }

    /** Where a record of this length ends, aligned as PostgreSQL does, with the headers of the pages that it runs into. */
    static Lsn endOfRecord(Lsn start, long length, long pageSize, long segmentSize) {
        long position = start.value();
        long left = (length + 7) / 8 * 8;
        while (true) {
            long room = pageSize - position % pageSize;
            if (left <= room) {
                return new Lsn(position + left);
            }
            left -= room;
            position += room;
            position += position % segmentSize == 0 ? LONG_HEADER : SHORT_HEADER;
        }
    }
}
