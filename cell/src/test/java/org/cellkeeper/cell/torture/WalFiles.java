package org.cellkeeper.cell.torture;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.CRC32C;
import org.cellkeeper.cell.model.Lsn;

/**
 * The truth: where the WAL on a disk ends. It reads the records itself, with their lengths, links and checksums, from the last
 * checkpoint on and over timelines as recovery does, and shares nothing with the program's own reader. It may be asked while
 * PostgreSQL runs, which may remove the very segment that it begins with. Not safe for several threads.
 */
final class WalFiles {
    private static final int TRIES = 20;
    private static final int PAGE = 8192;
    private static final int SHORT_HEADER = 24;
    private static final int LONG_HEADER = 40;
    private static final int RECORD_HEADER = 24;
    private static final int CHECKSUM_AT = 20;
    private static final int CONTINUES = 0x0001;
    private static final int OVERWRITES = 0x0008;
    private static final int SWITCH = 0x40;
    private static final Pattern SEGMENT = Pattern.compile("[0-9A-F]{24}");
    private static final Pattern HISTORY = Pattern.compile("([0-9A-F]{8})\\.history");
    private static final Pattern LAST_RECORD = Pattern.compile("error in WAL record at ([0-9A-F]+/[0-9A-F]+):");

    /** What pg_controldata says. */
    record Control(String state, String systemId, int timeline, Lsn checkpoint, Lsn replayedAtLeast, long segmentSize) {
        boolean isCleanlyShutDown() {
            return state.equals("shut down");
        }
    }

    /** From where on a timeline is the one to read. */
    private record Reach(int timeline, Lsn begin) {}

    /**
     * Where reading stopped.
     *
     * @param whole the end of the last whole record, {@code record} its start
     * @param torn as far as there may be bytes of a record of which only the head is there; {@code whole} when there is none
     * @param timeline of the file that holds the last record
     */
    record Stop(Lsn whole, Lsn record, Lsn torn, int timeline, String why) {}

    /**
     * All of it.
     *
     * @param end as recovery would find it
     * @param others the same, as if the newest timelines had not been heard of: a standby that has begun to fetch one has both
     * @param forks where each timeline of the line begins
     */
    record Truth(Control control, Stop end, List<Stop> others, Map<Integer, Lsn> forks) {
        /** Nothing beyond this has ever been received. */
        Lsn most() {
            return others.stream().map(Stop::torn).reduce(end.torn, Lsn::max);
        }

        boolean isTheEnd(Lsn said) {
            return said.equals(end.whole)
                    || others.stream().anyMatch(stop -> stop.whole.equals(said) && said.atLeast(end.whole));
        }

        /** Whether the last WAL may be said to be of this timeline: up to a fork it is of both. */
        boolean isOf(int said) {
            if (said == end.timeline) {
                return true;
            }
            Lsn fork = forks.get(Math.max(said, end.timeline));
            return forks.containsKey(said) && fork != null && fork.atLeast(end.whole);
        }

        @Override
        public String toString() {
            return "the last whole record is at %s and ends at %s on timeline %d (%s), nothing is beyond %s; %s, checkpoint %s"
                    .formatted(end.record, end.whole, end.timeline, end.why, most(), control.state, control.checkpoint);
        }
    }

    private final Path dataDir;
    private final Path binDir;

    WalFiles(Path dataDir, Path binDir) {
        this.dataDir = dataDir;
        this.binDir = binDir;
    }

    // ---- the end

    Truth truth() {
        Mismatch last = null;
        for (int tries = 0; tries < TRIES; tries++) {
            Control control = control();
            try {
                Truth found = read(control);
                // A restartpoint removes segments: what was read is whole only when none came between.
                if (control.equals(control())) {
                    return found;
                }
                last = new Mismatch("restartpoints come faster than the WAL can be read");
            } catch (IOException e) {
                last = new Mismatch("the WAL of " + dataDir + " cannot be read: " + e);
            }
        }
        throw last;
    }

    private Truth read(Control control) throws IOException {
        List<List<Reach>> lines = lines(control);
        Stop end = new Walk(lines.getFirst(), control).toTheEnd();
        List<Stop> others = new ArrayList<>();
        for (List<Reach> line : lines.subList(1, lines.size())) {
            try {
                others.add(new Walk(line, control).toTheEnd());
            } catch (IOException e) {
                // The older timeline's files are gone: nothing is to be had there.
                continue;
            }
        }
        Map<Integer, Lsn> forks = new HashMap<>();
        lines.getFirst().forEach(reach -> forks.put(reach.timeline, reach.begin));
        return new Truth(control, end, others, forks);
    }

    /** The lines of descent that recovery may follow from the checkpoint, the newest first, and what each is without its last. */
    private List<List<Reach>> lines(Control control) throws IOException {
        TreeSet<Integer> withWal = new TreeSet<>();
        Map<Integer, Path> histories = new HashMap<>();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(dataDir.resolve("pg_wal"))) {
            for (Path file : files) {
                String name = String.valueOf(file.getFileName());
                Matcher history = HISTORY.matcher(name);
                if (SEGMENT.matcher(name).matches()) {
                    withWal.add(Integer.parseUnsignedInt(name.substring(0, 8), 16));
                } else if (history.matches()) {
                    histories.put(Integer.parseUnsignedInt(history.group(1), 16), file);
                }
            }
        }
        List<List<Reach>> lines = new ArrayList<>();
        for (int timeline : withWal.descendingSet()) {
            if (timeline < control.timeline) {
                break;
            }
            List<Reach> line = line(timeline, histories);
            if (lines.isEmpty() && leadsFrom(line, control)) {
                for (int length = line.size(); length > 0; length--) {
                    List<Reach> part = line.subList(0, length);
                    if (part.getLast().timeline >= control.timeline) {
                        lines.add(part);
                    }
                }
            }
        }
        if (lines.isEmpty()) {
            throw new IOException("no segment of timeline " + control.timeline + " or of one that follows it");
        }
        return lines;
    }

    /** Empty when nothing tells where it came from. */
    private static List<Reach> line(int timeline, Map<Integer, Path> histories) throws IOException {
        List<Reach> line = new ArrayList<>();
        Lsn begin = Lsn.ZERO;
        if (timeline > 1 && histories.containsKey(timeline)) {
            for (String text : Files.readAllLines(histories.get(timeline))) {
                String[] fields = text.strip().split("\\s+", 3);
                if (fields.length >= 2 && !fields[0].startsWith("#")) {
                    line.add(new Reach(Integer.parseInt(fields[0]), begin));
                    begin = Lsn.parse(fields[1]);
                }
            }
        }
        if (timeline == 1 || !line.isEmpty()) {
            line.add(new Reach(timeline, begin));
        }
        return line;
    }

    private static boolean leadsFrom(List<Reach> line, Control control) {
        for (int i = 0; i < line.size(); i++) {
            if (line.get(i).timeline == control.timeline) {
                return i == line.size() - 1 || line.get(i + 1).begin.atLeast(control.checkpoint);
            }
        }
        return false;
    }

    /** Where in {@code [from, to)} the bytes of this disk and of another differ; null when nowhere that both can be read. */
    Lsn firstDifference(WalFiles other, Lsn from, Lsn to) throws IOException {
        Control mine = control();
        Control its = other.control();
        Walk here = new Walk(lines(mine).getFirst(), mine);
        Walk there = other.new Walk(other.lines(its).getFirst(), its);
        for (long at = from.value(); at < to.value(); ) {
            long stop = Math.min(to.value(), (at / mine.segmentSize + 1) * mine.segmentSize);
            byte[] one = here.segmentOf(at);
            byte[] two = there.segmentOf(at);
            int offset = (int) (at % mine.segmentSize);
            int length = (int) (stop - at);
            if (one != null && two != null) {
                int found = Arrays.mismatch(one, offset, offset + length, two, offset, offset + length);
                if (found >= 0) {
                    return new Lsn(at + found);
                }
            }
            at = stop;
        }
        return null;
    }

    // ---- records

    private static int headerAt(long at, long segmentSize) {
        return at % PAGE != 0 ? 0 : at % segmentSize == 0 ? LONG_HEADER : SHORT_HEADER;
    }

    /** One reading, from the checkpoint's record on. */
    private final class Walk {
        private final List<Reach> line;
        private final Control control;
        private final long size;
        private long number = -1;
        private byte[] segment;
        private ByteBuffer words;
        private int segmentTimeline;
        private int magic = -1;

        Walk(List<Reach> line, Control control) {
            this.line = line;
            this.control = control;
            this.size = control.segmentSize;
        }

        /** The segment from the newest timeline that it may be of and that has it, as recovery chooses; null when none has. */
        private byte[] segmentOf(long at) throws IOException {
            if (at / size == number) {
                return segment;
            }
            number = at / size;
            segment = null;
            for (Reach reach : line.reversed()) {
                Path file = dataDir.resolve("pg_wal")
                        .resolve("%08X%08X%08X"
                                .formatted(reach.timeline, number / ((1L << 32) / size), number % ((1L << 32) / size)));
                if (number < reach.begin.value() / size || !Files.exists(file)) {
                    continue;
                }
                try (FileChannel channel = FileChannel.open(file)) {
                    ByteBuffer all = ByteBuffer.allocate((int) size);
                    while (all.hasRemaining() && channel.read(all) >= 0) {
                        // Until all of it is there.
                    }
                    segment = all.array();
                    words = ByteBuffer.wrap(segment).order(ByteOrder.nativeOrder());
                    segmentTimeline = reach.timeline;
                }
                break;
            }
            return segment;
        }

        /** The flags of the page that holds this position; -1 when the page is not there, or another's. */
        private int page(long at) throws IOException {
            if (segmentOf(at) == null) {
                return -1;
            }
            int begin = (int) (at / PAGE * PAGE % size);
            int found = Short.toUnsignedInt(words.getShort(begin));
            if (magic < 0 && found != 0) {
                magic = found;
            }
            return found == magic && words.getLong(begin + 8) == at / PAGE * PAGE
                    ? Short.toUnsignedInt(words.getShort(begin + 2))
                    : -1;
        }

        Stop toTheEnd() throws IOException {
            long at = control.checkpoint.value();
            if (segmentOf(at) == null) {
                throw new IOException("no segment has " + control.checkpoint);
            }
            long last = -1;
            int timeline = control.timeline;
            while (true) {
                long end = at;
                long start = at + headerAt(at, size);
                int flags = page(start);
                if (flags < 0) {
                    return stop(end, last, end, timeline, "no page follows");
                }
                if (at % PAGE == 0 && (flags & CONTINUES) != 0) {
                    return stop(end, last, end, timeline, "the rest of another record follows");
                }
                timeline = last < 0 ? segmentTimeline : timeline;
                long length = Integer.toUnsignedLong(words.getInt((int) (start % size)));
                if (length < RECORD_HEADER) {
                    return stop(end, last, start, timeline, "a record of length " + length);
                }
                int timelineOfHead = segmentTimeline;
                Read read = record(start, length, last);
                if (read.overwritten > 0) {
                    at = read.overwritten;
                    continue;
                }
                if (!read.why.isEmpty()) {
                    if (last < 0) {
                        throw new IOException("no record at the checkpoint: " + read.why);
                    }
                    return stop(end, last, read.end, timeline, read.why);
                }
                last = start;
                timeline = timelineOfHead;
                at = read.end;
            }
        }

        private Stop stop(long whole, long record, long torn, int timeline, String why) {
            return new Stop(new Lsn(whole), new Lsn(record), new Lsn(torn), timeline, why);
        }

        /** @param end of the record, or of its bytes when it is not whole, which {@code why} tells then */
        private record Read(long end, long overwritten, String why) {}

        private Read record(long start, long length, long previous) throws IOException {
            CRC32C sum = new CRC32C();
            byte[] head = new byte[RECORD_HEADER];
            long at = start;
            long done = 0;
            while (done < length) {
                if (done > 0) {
                    int flags = page(at);
                    if (flags < 0) {
                        return new Read(at, 0, "a record of " + length + " bytes is cut off at " + new Lsn(at));
                    }
                    if ((flags & OVERWRITES) != 0) {
                        return new Read(0, at, "");
                    }
                    long left = Integer.toUnsignedLong(words.getInt((int) (at % size) + 16));
                    if ((flags & CONTINUES) == 0 || left != length - done) {
                        return new Read(at, 0, "a record of " + length + " bytes does not go on at " + new Lsn(at));
                    }
                    at += headerAt(at, size);
                }
                int offset = (int) (at % size);
                int part = (int) Math.min(length - done, PAGE - at % PAGE);
                int ofHead = Math.clamp(RECORD_HEADER - done, 0, part);
                System.arraycopy(segment, offset, head, (int) Math.min(done, RECORD_HEADER), ofHead);
                sum.update(segment, offset + ofHead, part - ofHead);
                at += part;
                done += part;
            }
            ByteBuffer header = ByteBuffer.wrap(head).order(ByteOrder.nativeOrder());
            sum.update(head, 0, CHECKSUM_AT);
            if ((int) sum.getValue() != header.getInt(CHECKSUM_AT)) {
                return new Read((at + 7) / 8 * 8, 0, "a record of " + length + " bytes has another checksum");
            }
            if (previous >= 0 && header.getLong(8) != previous) {
                return new Read((at + 7) / 8 * 8, 0, "a record follows another one");
            }
            long end = (at + 7) / 8 * 8;
            if (head[17] == 0 && (head[16] & 0xf0) == SWITCH) {
                end = (end + size - 1) / size * size;
            }
            return new Read(end, 0, "");
        }
    }

    // ---- PostgreSQL's own programs

    Control control() {
        for (int tries = 0; tries < TRIES; tries++) {
            List<String> lines = run("pg_controldata", "-D", dataDir.toString());
            Map<String, String> values = new HashMap<>();
            for (String line : lines) {
                int colon = line.indexOf(':');
                if (colon > 0) {
                    values.put(
                            line.substring(0, colon).strip(),
                            line.substring(colon + 1).strip());
                }
            }
            boolean torn = lines.stream().anyMatch(line -> line.contains("WARNING"));
            if (!torn && values.containsKey("Bytes per WAL segment")) {
                return new Control(
                        values.get("Database cluster state"),
                        values.get("Database system identifier"),
                        Integer.parseInt(values.get("Latest checkpoint's TimeLineID")),
                        Lsn.parse(values.get("Latest checkpoint location")),
                        Lsn.parse(values.get("Minimum recovery ending location")),
                        Long.parseLong(values.get("Bytes per WAL segment")));
            }
        }
        throw new Mismatch("pg_controldata cannot read " + dataDir);
    }

    /**
     * The last whole record on one timeline by pg_waldump; null when it does not say. It is given the last segment as well as the
     * first: with the first alone it stops there.
     */
    Lsn lastRecordByWaldump(Truth truth) {
        long size = truth.control.segmentSize;
        Path wal = dataDir.resolve("pg_wal");
        long first = truth.control.checkpoint.value() / size;
        if (truth.end.timeline != truth.control.timeline) {
            return null;
        }
        long last = first;
        while (Files.exists(wal.resolve(nameOf(truth.end.timeline, last + 1, size)))) {
            last++;
        }
        List<String> lines = run(
                "pg_waldump",
                "--quiet",
                "--start=" + truth.control.checkpoint,
                wal.resolve(nameOf(truth.end.timeline, first, size)).toString(),
                wal.resolve(nameOf(truth.end.timeline, last, size)).toString());
        Matcher found = LAST_RECORD.matcher(String.join(" ", lines));
        return found.find() ? Lsn.parse(found.group(1)) : null;
    }

    private static String nameOf(int timeline, long number, long size) {
        return "%08X%08X%08X".formatted(timeline, number / ((1L << 32) / size), number % ((1L << 32) / size));
    }

    private List<String> run(String program, String... arguments) {
        List<String> command = new ArrayList<>(List.of(binDir.resolve(program).toString()));
        Collections.addAll(command, arguments);
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().put("LC_ALL", "C");
        try {
            Process process = builder.start();
            try (var lines = process.inputReader()) {
                List<String> all = lines.lines().toList();
                if (!process.waitFor(60, TimeUnit.SECONDS)) {
                    process.destroyForcibly();
                }
                return all;
            }
        } catch (IOException e) {
            throw new Mismatch(program + " cannot be run: " + e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new Mismatch("interrupted");
        }
    }
}
