package org.cellkeeper.cell.port;

import java.util.concurrent.CompletableFuture;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.Upstream;

/** What {@link DatabaseContract} needs of a world that databases live in, be it real or simulated. */
public interface Bench extends AutoCloseable {
    /** The database of that name, made on the first call, with an empty data directory. */
    Database database(String name);

    /** Makes the database's data as {@code initialise} would, faster when the bench can; leaves it stopped. */
    void found(String name);

    CellId id(String name);

    /** Where others stream from it. */
    Upstream upstream(String name, long epoch);

    /** Commits one row as the application; true when that was acknowledged within this time, false when it was refused or still waits. */
    boolean commit(String name, long withinMillis);

    /** How many rows a new session sees. */
    int rows(String name);

    /** The machine kills the postmaster and all of its processes, without a word to anybody. */
    void crash(String name);

    /** One of its processes crashes: PostgreSQL throws everybody out, and recovers under the same postmaster. */
    void crashChild(String name);

    /** Some WAL is written, and checkpoints: what no slot keeps is removed, and what a slot keeps stays. */
    void removeWal(String name);

    /** The same with so much WAL that a slot which nobody uses is lost. */
    void loseSlots(String name);

    /** An operator makes a physical slot that holds no WAL. */
    void makeSlot(String name, String slot);

    /** Somebody cancels all statements that wait for an acknowledgement. */
    void cancelWaits(String name);

    /** A superuser takes the commit rule away, in a file that PostgreSQL reads after the agent's. */
    void overrule(String name);

    /** Waits for a verb or an observation, and lets the world go on meanwhile. */
    <T> T get(CompletableFuture<T> future);

    /** Lets this much time pass. */
    void pass(long millis);

    @Override
    void close();
}
