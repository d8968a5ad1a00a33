package org.cellkeeper.cell.postgres;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.port.DatabaseFailure;
import org.jspecify.annotations.Nullable;

/**
 * Where the WAL of a stopped instance ends, by PostgreSQL's own reader: it takes the records that recovery would take, from the last
 * checkpoint on, and stops where recovery would stop (I1). It changes nothing. Verb thread only.
 */
final class WalEnd {
    /** A gigabyte takes about two seconds. */
    private static final Duration LIMIT = Duration.ofMinutes(2);

    private static final Pattern LAST_RECORD = Pattern.compile("error in WAL record at ([0-9A-F]+/[0-9A-F]+):");
    private static final Pattern RECORD =
            Pattern.compile("len \\(rec/tot\\): +[0-9]+/ *([0-9]+),.* lsn: ([0-9A-F]+/[0-9A-F]+)");
    /** Nothing comes after this record in its segment: it ends with that. */
    private static final Pattern SWITCH = Pattern.compile("rmgr: XLOG .* desc: SWITCH\\b");

    private final Programs programs;
    private final DataDirectory data;

    WalEnd(Programs programs, DataDirectory data) {
        this.programs = programs;
        this.data = data;
    }

    /** Of the newest timeline that has a record; throws when the WAL cannot be read, or ends before what was replayed already. */
    DatabaseView.Rest read(Cancellation cancellation, ControlData.Content control) {
        Lsn checkpoint = control.checkpoint();
        int first = control.control().timeline();
        for (int timeline = data.newestTimelineOfWal(first); timeline >= first; timeline--) {
            Lsn from = timeline == first ? checkpoint : data.startOf(timeline);
            if (from == null || !from.atLeast(checkpoint)) {
                // A timeline without a history, or a made-up one, or of another line: recovery does not follow it.
                continue;
            }
            Lsn end = endOn(cancellation, timeline, from, control);
            if (end != null) {
                if (!end.atLeast(control.replayedAtLeast())) {
                    throw new DatabaseFailure("the WAL on disk ends at " + end + ", before " + control.replayedAtLeast()
                            + ", which was replayed already: its files are damaged");
                }
                return new DatabaseView.Rest(end, timeline);
            }
        }
        throw new DatabaseFailure("no WAL can be read from the last checkpoint on, at " + checkpoint);
    }

    /** Null when there is no record at that place. */
    private @Nullable Lsn endOn(Cancellation cancellation, int timeline, Lsn from, ControlData.Content control) {
        if (!Files.exists(segment(from, timeline, control))) {
            return null;
        }
        long size = control.segmentSize();
        long boundary = from.value() / size * size + size;
        while (Files.exists(segment(new Lsn(boundary), timeline, control))) {
            boundary += size;
        }
        Programs.Result all =
                dump(cancellation, timeline, from, new Lsn(boundary - size), control, line -> {}, "--quiet");
        Matcher last = LAST_RECORD.matcher(all.err());
        if (last.find()) {
            Lsn start = Lsn.parse(last.group(1));
            return start.atLeast(from)
                    ? lastEndFrom(cancellation, timeline, start, new Lsn(boundary - size), control)
                    : null;
        }
        if (all.exit() != 0) {
            return null;
        }
        // The last record ends with the last segment, or runs into one that was never made.
        Lsn end = null;
        for (long begin = boundary - size; end == null && begin + size > from.value(); begin -= size) {
            Lsn start = new Lsn(Math.max(begin, from.value()));
            end = lastEndFrom(cancellation, timeline, start, new Lsn(boundary - size), control);
        }
        return end;
    }

    /** Where the last whole record ends that begins there or later; null when none does. */
    private @Nullable Lsn lastEndFrom(
            Cancellation cancellation, int timeline, Lsn from, Lsn lastSegment, ControlData.Content control) {
        AtomicReference<@Nullable String> lastLine = new AtomicReference<>();
        var _ = dump(cancellation, timeline, from, lastSegment, control, lastLine::set);
        String last = lastLine.get();
        String line = last == null ? "" : last;
        Matcher record = RECORD.matcher(line);
        if (!record.find()) {
            return null;
        }
        Lsn end = ControlData.endOfRecord(
                Lsn.parse(record.group(2)), Long.parseLong(record.group(1)), control.pageSize(), control.segmentSize());
        return SWITCH.matcher(line).find() ? ControlData.endOfSegment(end, control.segmentSize()) : end;
    }

    private Path segment(Lsn lsn, int timeline, ControlData.Content control) {
        return data.root().resolve("pg_wal").resolve(ControlData.segmentOf(lsn, timeline, control.segmentSize()));
    }

    /**
     * From this very segment to that one: asked for a folder, the program looks at any file of it, and some have no header yet; asked
     * for one segment, it stops with it.
     */
    private Programs.Result dump(
            Cancellation cancellation,
            int timeline,
            Lsn from,
            Lsn lastSegment,
            ControlData.Content control,
            Consumer<String> line,
            String... options) {
        List<String> arguments = new ArrayList<>(List.of(options));
        arguments.add("--start=" + from);
        arguments.add(segment(from, timeline, control).toString());
        arguments.add(segment(lastSegment, timeline, control).toString());
        return programs.run(cancellation, LIMIT, "pg_waldump", arguments, Map.of(), null, line, error -> {});
    }
}
