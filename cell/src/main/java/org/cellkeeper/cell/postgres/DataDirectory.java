package org.cellkeeper.cell.postgres;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.port.DatabaseFailure;
import org.jspecify.annotations.Nullable;

/**
 * The files of an instance, as far as they are looked at or moved from outside. New data are made in a folder beside it and
 * moved in place as a whole; a marker beside it says that this has not been finished. Verbs change it, any thread reads.
 */
final class DataDirectory {
    /** How many timelines are looked through at most. */
    private static final int TIMELINES = 10_000;

    private static final Path MOUNTS = Path.of("/proc/self/mountinfo");
    private static final Pattern SEGMENT = Pattern.compile("[0-9A-F]{24}");
    private static final String FABRICATED =
            "# Written by Cellkeeper: a timeline of a reign that this cell never saw\n";

    private final OwnedFiles files;
    private final Path root;
    private final Path incoming;
    private final Path marker;

    private record Fork(int timeline, Lsn start) {}

    /** A timeline, and where another one's line left it. */
    private record Ancestor(int timeline, Lsn left) {}

    private volatile @Nullable Fork lastFork;

    DataDirectory(Path root, OwnedFiles files) {
        this.root = root;
        this.files = files;
        this.incoming = root.resolveSibling(root.getFileName() + ".incoming");
        this.marker = root.resolveSibling(root.getFileName() + ".incomplete");
    }

    Path root() {
        return root;
    }

    DatabaseView.Data state() {
        if (Files.exists(marker, LinkOption.NOFOLLOW_LINKS)) {
            return DatabaseView.Data.INCOMPLETE;
        }
        if (Files.exists(root.resolve("PG_VERSION")) && Files.exists(controlFile())) {
            return DatabaseView.Data.PRESENT;
        }
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(root)) {
            return entries.iterator().hasNext() ? DatabaseView.Data.INCOMPLETE : DatabaseView.Data.EMPTY;
        } catch (java.nio.file.NoSuchFileException e) {
            return DatabaseView.Data.EMPTY;
        } catch (NotDirectoryException e) {
            return DatabaseView.Data.INCOMPLETE;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    void requirePresent() {
        DatabaseView.Data state = state();
        if (state != DatabaseView.Data.PRESENT) {
            throw new DatabaseFailure("the data directory is " + state);
        }
    }

    Path controlFile() {
        return root.resolve("global/pg_control");
    }

    // ---- new data

    /**
     * Why new data cannot be moved in place here, and what would be right; empty when they can. The volume may be mounted, or linked to,
     * at any folder above the data directory.
     */
    String obstacle() throws IOException {
        if (Files.isSymbolicLink(root)) {
            return root + " is a symbolic link, which a clone would replace: make it a folder, and link or mount "
                    + parent() + " instead";
        }
        Path wal = root.resolve("pg_wal");
        if (Files.isSymbolicLink(wal)) {
            return wal
                    + " is a symbolic link, which a clone would not keep: stop the cell, and move the WAL to where the"
                    + " link is";
        }
        if (isMounted(root)) {
            return root + " is a mount of its own, where a clone cannot be moved to: mount the volume at " + parent()
                    + " instead";
        }
        return "";
    }

    private static boolean isMounted(Path folder) throws IOException {
        if (!Files.exists(folder)) {
            return false;
        }
        String place = folder.toRealPath().toString();
        for (String line : Files.readAllLines(MOUNTS, StandardCharsets.ISO_8859_1)) {
            String[] fields = line.split(" ", 6);
            // Blanks and the like are escaped; the data directory has none.
            if (fields.length > 4 && fields[4].equals(place)) {
                return true;
            }
        }
        return false;
    }

    private void requireNoObstacle() throws IOException {
        String obstacle = obstacle();
        if (!obstacle.isEmpty()) {
            throw new DatabaseFailure(obstacle);
        }
    }

    /** From here on what lies in the directory is void. Returns the folder that the new data are to be made in. */
    Path beginReplacing() throws IOException {
        requireNoObstacle();
        files.makeFolder(parent(), permissionsOf(parent()));
        files.write(marker, "The data directory beside this file is not complete.\n");
        OwnedFiles.deleteTree(incoming);
        files.makeFolder(incoming, "rwx------");
        return incoming;
    }

    private static String permissionsOf(Path folder) throws IOException {
        return Files.exists(folder)
                ? java.nio.file.attribute.PosixFilePermissions.toString(Files.getPosixFilePermissions(folder))
                : "rwxr-xr-x";
    }

    /** Frees what the old data take, when there may not be room for both. */
    void dropOld() throws IOException {
        OwnedFiles.deleteTree(root);
    }

    void finishReplacing() throws IOException {
        dropOld();
        files.move(incoming, root);
        files.delete(marker);
        lastFork = null;
    }

    void wipe() throws IOException {
        requireNoObstacle();
        if (state() != DatabaseView.Data.EMPTY) {
            files.write(marker, "The data directory beside this file is being wiped.\n");
        }
        OwnedFiles.deleteTree(incoming);
        dropOld();
        files.delete(marker);
        lastFork = null;
    }

    private Path parent() {
        Path parent = root.getParent();
        if (parent == null) {
            throw new IllegalArgumentException("the data directory needs a parent");
        }
        return parent;
    }

    /** Where what is on the same volume may be written besides the data. */
    Path volume() {
        return parent();
    }

    // ---- recovery

    /** Whether any lie here as they were at the last checkpoint. */
    boolean hasPreparedTransactions() throws IOException {
        try (Stream<Path> files = Files.list(root.resolve("pg_twophase"))) {
            return files.findAny().isPresent();
        }
    }

    boolean startsAsStandby() {
        return Files.exists(root.resolve("standby.signal"));
    }

    void becomeStandby() throws IOException {
        files.delete(root.resolve("recovery.signal"));
        if (!startsAsStandby()) {
            files.write(root.resolve("standby.signal"), "");
        }
    }

    // ---- timelines

    private Path history(int timeline) {
        return root.resolve("pg_wal/%08X.history".formatted(timeline));
    }

    /** Where a timeline forked off; null when its history cannot be read. */
    @Nullable
    Lsn startOf(int timeline) {
        if (timeline == 1) {
            return Lsn.ZERO;
        }
        Fork fork = lastFork;
        if (fork != null && fork.timeline == timeline) {
            return fork.start;
        }
        Lsn start = null;
        for (Ancestor ancestor : ancestors(timeline)) {
            start = ancestor.left;
        }
        if (start != null) {
            lastFork = new Fork(timeline, start);
        }
        return start;
    }

    /**
     * Makes the next promotion skip all timelines up to {@code upTo}: PostgreSQL takes the first one after the run of history
     * files that it finds. The files claim no descent, so that recovery never takes them for timelines to follow.
     */
    void fabricateHistories(int own, int upTo) throws IOException {
        for (int timeline = Math.max(2, own + 1); timeline <= upTo; timeline++) {
            if (!Files.exists(history(timeline))) {
                files.write(history(timeline), FABRICATED);
            }
        }
    }

    /**
     * Removes made-up histories that no real one follows (a promotion, or the fetching of a promoted primary's histories, was
     * cut off): a standby would refuse to start, taking the newest for its target.
     */
    void removeDanglingFabrications(int own) throws IOException {
        int newest = own;
        while (newest < own + TIMELINES && Files.exists(history(newest + 1))) {
            newest++;
        }
        while (newest > own && FABRICATED.equals(OwnedFiles.read(history(newest)))) {
            files.delete(history(newest));
            newest--;
        }
    }

    /**
     * The timelines whose history is known here although the WAL does not get to where they left its line: a promotion would make one of
     * them the parent of the new timeline, at a point where it did not exist yet. No standby could follow that.
     */
    List<Integer> timelinesBeyond(int own, Lsn end) {
        return timelinesAbove(own).stream()
                .filter(timeline -> {
                    Lsn fork = whereItLeaves(own, timeline);
                    return fork == null || !end.atLeast(fork);
                })
                .toList();
    }

    /** The timelines above this one whose history is known here; a start in recovery takes the newest of them for its target. */
    List<Integer> timelinesAbove(int own) {
        List<Integer> above = new ArrayList<>();
        for (int timeline = own + 1; timeline < own + TIMELINES && Files.exists(history(timeline)); timeline++) {
            if (!FABRICATED.equals(OwnedFiles.read(history(timeline)))) {
                above.add(timeline);
            }
        }
        return above;
    }

    private @Nullable Lsn whereItLeaves(int own, int timeline) {
        for (Ancestor ancestor : ancestors(timeline)) {
            if (ancestor.timeline == own) {
                return ancestor.left;
            }
        }
        return null;
    }

    /** The timelines that this one descends from, the oldest first, each with where its line left that one. */
    private List<Ancestor> ancestors(int timeline) {
        List<Ancestor> found = new ArrayList<>();
        String text = OwnedFiles.read(history(timeline));
        for (String line : text == null ? new String[0] : text.split("\n", -1)) {
            String[] fields = line.strip().split("\\s+", 3);
            if (fields.length >= 2 && !fields[0].startsWith("#")) {
                found.add(new Ancestor(Integer.parseInt(fields[0]), Lsn.parse(fields[1])));
            }
        }
        return found;
    }

    /** Of an instance that is stopped. */
    void forgetTimelines(List<Integer> timelines) throws IOException {
        for (int timeline : timelines) {
            files.delete(history(timeline));
        }
        lastFork = null;
    }

    /** A segment file of WAL: the timeline it was written on, and where it begins and ends. */
    private record Segment(int timeline, long begin, long end) {}

    /** The segments that are there, in no order; empty when they cannot be read. */
    private List<Segment> segments() {
        List<Segment> found = new ArrayList<>();
        long size = 0;
        try (DirectoryStream<Path> paths = Files.newDirectoryStream(
                root.resolve("pg_wal"), path -> SEGMENT.matcher(nameOf(path)).matches())) {
            for (Path path : paths) {
                if (size == 0) {
                    size = Files.size(path);
                    if (size < 1 << 20) {
                        size = 0;
                        continue;
                    }
                }
                String name = nameOf(path);
                long number = Long.parseUnsignedLong(name.substring(8, 16), 16) * (0x1_0000_0000L / size)
                        + Long.parseUnsignedLong(name.substring(16), 16);
                int timeline = Integer.parseUnsignedInt(name.substring(0, 8), 16);
                found.add(new Segment(timeline, number * size, (number + 1) * size));
            }
        } catch (IOException | java.nio.file.DirectoryIteratorException e) {
            return List.of();
        }
        return found;
    }

    /** The timeline of the segment that holds the last byte before {@code end}; 0 when there is no such segment. */
    int timelineOfWalBefore(Lsn end) {
        long last = end.value() - 1;
        return segments().stream()
                .filter(segment -> segment.begin <= last && last < segment.end)
                .mapToInt(Segment::timeline)
                .max()
                .orElse(0);
    }

    /** The newest timeline that a segment bears, but none before {@code least}. */
    int newestTimelineOfWal(int least) {
        return segments().stream().mapToInt(Segment::timeline).reduce(least, Math::max);
    }

    /** From where on there is WAL; null when that cannot be read. */
    @Nullable
    Lsn oldestWal() {
        return segments().stream()
                .min(Comparator.comparingLong(Segment::begin))
                .map(segment -> new Lsn(segment.begin))
                .orElse(null);
    }

    private static String nameOf(Path path) {
        return String.valueOf(path.getFileName());
    }
}
