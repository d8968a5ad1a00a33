package org.cellkeeper.cell.guard;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import org.jspecify.annotations.Nullable;

/**
 * How far an agent has come on its way to its first {@link Heartbeat}: it writes each step over the one before, and its {@link
 * Guard} sees that it moves. A file of its own, as the heartbeat's must go on saying what was said of a primary.
 */
public final class StartSteps {
    static final String FILE = "agent.step";

    private final Path file;
    private @Nullable FileTime seen;

    /** @param folder the same as the guard's {@code --run} */
    public StartSteps(Path folder) {
        file = folder.resolve(FILE);
    }

    // ---- the agent's side

    /** A step is done: what is done now, in a few words for the guard's log. */
    public void made(String what) {
        try {
            Files.writeString(file, what + "\n");
        } catch (IOException full) {
            // The guard knows of a step less.
        }
    }

    // ---- the guard's side

    /** There is a new agent, and what the one before has written does not count. */
    void begin() {
        try {
            Files.deleteIfExists(file);
        } catch (IOException left) {
            // Then it has not moved.
        }
        seen = null;
    }

    /** Whether another step was made since it was asked last. */
    boolean hasMoved() {
        try {
            FileTime time = Files.getLastModifiedTime(file);
            boolean moved = !time.equals(seen);
            seen = time;
            return moved;
        } catch (IOException none) {
            return false;
        }
    }

    String last() {
        try {
            return "its last step: " + Files.readString(file).strip();
        } catch (IOException none) {
            return "it has made no step";
        }
    }
}
