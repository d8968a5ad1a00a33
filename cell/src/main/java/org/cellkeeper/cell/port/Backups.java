package org.cellkeeper.cell.port;

import java.nio.file.Path;
import java.util.List;
import java.util.function.IntConsumer;
import org.cellkeeper.cell.model.Backup;
import org.cellkeeper.cell.model.Signature;
import org.cellkeeper.cell.model.StoredBackup;
import org.jspecify.annotations.Nullable;

/** The transfer share and the backups on it. Any verb may hang as long as the share does: never for the loop's thread. */
public interface Backups {
    /**
     * The transfer share as this cell sees it now.
     *
     * @param usable whether backups can be read and written there
     * @param folder null when none is configured
     * @param nfs what it is mounted from; empty when that is no NFS
     * @param detail why it is not usable, and what to do; or what is well
     */
    record Share(
            boolean usable,
            @Nullable Path folder,
            String nfs,
            long sizeBytes,
            long usedBytes,
            long availableBytes,
            String detail) {}

    Share share();

    /** Whole ones only, the newest first. */
    List<StoredBackup> list();

    /** What the signature of one that is listed proves. */
    Signature signature(String name);

    /** Why one that seems to lie there is not listed; empty when none does, or it is. */
    String damage(String name);

    /** Makes one; nothing of it is listed before it is whole. */
    Backup create(String name, IntConsumer percent);

    /**
     * Verifies it, then brings its application database back; says what was done.
     *
     * @param acceptUnsigned an operator's word for this one: nobody else could write where it has lain, so it may be used though
     *     this cluster's signature is missing
     */
    String restore(String name, boolean acceptUnsigned, IntConsumer percent);

    /** What of free space {@link #check} of it needs on this cell's data volume. */
    DatabaseArchive.Room roomToCheck(String name, boolean acceptUnsigned);

    /**
     * Does all of {@link #restore} that changes nothing. Fails, and names what is wrong, when that would.
     *
     * @return what would not come back as it was, each in words
     */
    List<String> check(String name, boolean acceptUnsigned, IntConsumer percent);

    void delete(String name);

    /** Ends and removes what an earlier agent of this cell left behind. */
    void tidy();
}
