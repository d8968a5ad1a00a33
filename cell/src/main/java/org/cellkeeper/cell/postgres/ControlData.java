package org.cellkeeper.cell.postgres;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.Lsn;
import org.jspecify.annotations.Nullable;

/** What pg_control says, by {@code pg_controldata}; asked anew only when the file has changed. Used by one thread at a time. */
final class ControlData {
    /** What was read. */
    record Content(String systemId, DatabaseView.Control control) {}

    /** A page's header, and that of the first page of a segment. */
    private static final long SHORT_HEADER = 24;

    private static final long LONG_HEADER = 40;
    private static final Pattern RECORD = Pattern.compile("len \\(rec/tot\\):\\s*[0-9]+/\\s*([0-9]+),");

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
        boolean clean = "shut down".equals(values.get("Database cluster state"));
        if (!clean) {
            return new Content(systemId, new DatabaseView.Control(false, timeline, checkpoint));
        }
        Lsn end = endOfRecord(checkpoint, timeline, Long.parseLong(page), Long.parseLong(segment));
        return end == null ? null : new Content(systemId, new DatabaseView.Control(true, timeline, end));
    }

    private @Nullable Lsn endOfRecord(Lsn start, int timeline, long pageSize, long segmentSize) {
        Programs.Result result = programs.run(
                new Cancellation(),
                Duration.ofSeconds(5),
                "pg_waldump",
                List.of(
                        "-p",
                        dataDir.resolve("pg_wal").toString(),
                        "-t",
                        String.valueOf(timeline),
                        "-s",
                        start.toString(),
                        "-n",
                        "1"),
                Map.of(),
                null);
        Matcher matcher = RECORD.matcher(result.out());
        return matcher.find() ? endOfRecord(start, Long.parseLong(matcher.group(1)), pageSize, segmentSize) : null;
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
