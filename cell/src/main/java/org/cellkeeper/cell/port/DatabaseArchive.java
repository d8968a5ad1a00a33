package org.cellkeeper.cell.port;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.List;
import java.util.Map;
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
     * @param unpackedBytes what it is without compression, with its WAL
     * @param warnings what a restore of it will not bring back as it was, each in words
     */
    record Origin(
            String postgresVersion,
            String systemId,
            int timeline,
            Lsn lsn,
            long databaseBytes,
            long unpackedBytes,
            List<String> warnings) {}

    /** Where a copy goes: what is written here is what is vouched for, whatever others do to the files meanwhile. */
    interface Target {
        /** A new file, to be closed before the next one is made. */
        OutputStream make(String name) throws IOException;
    }

    /** Where a copy comes from: what is read here, to its end, is what was made. */
    interface Copy {
        /** The size of each file. */
        Map<String, Long> files();

        /** What {@link Origin} said; 0 in a copy that was made before it did. */
        long unpackedBytes();

        /** Its end fails with {@link BackupFailure} when the file is not what was made: nothing of it may be used before. */
        InputStream open(String name) throws IOException;
    }

    /** Copies the whole instance, with all WAL that the copy needs. */
    Origin backUp(Target target, IntConsumer percent);

    /**
     * Puts the application's database of a copy in the place of the live one, as ordinary transactions of this primary. Until
     * the copy has proved good, and its database has been read out in full, nothing is changed.
     *
     * @return what was done with the old database, and what did not come back as it was
     */
    String restore(Copy copy, long databaseBytes, IntConsumer percent);

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
    Room roomToCheck(Copy copy);

    /**
     * Does what a restore does until it would change something, and nothing else: unpacks the copy beside the data, starts it,
     * and reads its database in full, to nowhere. Fails when a restore would.
     *
     * @return what a restore would not bring back as it was, each in words
     */
    List<String> check(Copy copy, IntConsumer percent);

    /** Ends and removes what an earlier agent left behind in the middle of a restore or a check. */
    void tidy();
}
