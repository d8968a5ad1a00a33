package org.cellkeeper.cell.port;

import java.nio.file.Path;
import java.util.List;
import java.util.function.IntConsumer;
import org.cellkeeper.cell.model.Lsn;

/**
 * Copies of this cell's PostgreSQL in files, and the way back. Verbs take as long as they take, on the caller's thread; an
 * interrupt of that thread ends them. They fail with {@link DatabaseFailure} or {@link BackupFailure}.
 */
public interface DatabaseArchive {
    /**
     * What a copy is of, and up to where.
     *
     * @param warnings what a restore of it will not bring back as it was, each in words
     */
    record Origin(
            String postgresVersion,
            String systemId,
            int timeline,
            Lsn lsn,
            long databaseBytes,
            List<String> warnings) {}

    /** Copies the whole instance into a folder that is not there yet, with all WAL that the copy needs. */
    Origin backUp(Path folder, IntConsumer percent);

    /**
     * Puts the application's database of a copy in the place of the live one, as ordinary transactions of this primary. Until
     * the copy has proved good, and its database has been read out in full, nothing is changed.
     *
     * @return what was done with the old database, and what did not come back as it was
     */
    String restore(Path folder, long databaseBytes, IntConsumer percent);

    /**
     * Free space on the volume of this cell's data.
     *
     * @param neededBytes for the time of what is to be done
     */
    record Room(long neededBytes, long freeBytes) {
        private static final long MEGABYTE = 1 << 20;

        public boolean isEnough() {
            return freeBytes >= neededBytes;
        }

        public String inWords() {
            return "the data volume has " + freeBytes / MEGABYTE + " MB free, and " + (neededBytes / MEGABYTE + 1)
                    + " MB are needed";
        }
    }

    /** What {@link #check} of this copy needs here. */
    Room roomToCheck(Path folder);

    /**
     * Does what a restore does until it would change something, and nothing else: unpacks the copy beside the data, starts it,
     * and reads its database in full, to nowhere. Fails when a restore would.
     *
     * @return what a restore would not bring back as it was, each in words
     */
    List<String> check(Path folder, IntConsumer percent);

    /** Ends and removes what an earlier agent left behind in the middle of a restore or a check. */
    void tidy();
}
