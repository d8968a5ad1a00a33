package org.cellkeeper.cell.guard;

import java.io.IOException;
import java.io.InputStream;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The agent's eye on its {@link Guard}: an agent without one must stop cleanly, as nobody would fence its PostgreSQL if it
 * hung. The guard holds the other end of the agent's standard input and never writes to it, so its end is noticed at once; its
 * process is looked at too, in case that somebody else holds that pipe. A daemon platform thread reads; the callback runs once,
 * on whichever thread noticed.
 */
public final class GuardWatch {
    /** Names the guard's process to its children. */
    static final String VARIABLE = "CELLKEEPER_GUARD_PID";

    private static final Logger LOG = LoggerFactory.getLogger(GuardWatch.class);

    private final Runnable guardDied;
    private final AtomicBoolean told = new AtomicBoolean();

    private GuardWatch(Runnable guardDied) {
        this.guardDied = guardDied;
    }

    /** Starts to watch. Tells whether there is a guard at all: an agent that was started by hand has none. */
    public static boolean start(Map<String, String> environment, InputStream standardInput, Runnable guardDied) {
        @Nullable String pid = environment.get(VARIABLE);
        if (pid == null) {
            return false;
        }
        GuardWatch watch = new GuardWatch(guardDied);
        Thread.ofPlatform().daemon().name("guard-watch").start(() -> watch.readToEnd(standardInput));
        Optional<ProcessHandle> guard = ProcessHandle.of(Long.parseLong(pid));
        if (guard.isPresent()) {
            var unused = guard.get().onExit().thenRun(() -> watch.tell("its process has ended"));
        } else {
            watch.tell("its process is not there");
        }
        return true;
    }

    private void readToEnd(InputStream in) {
        try {
            int next = in.read();
            while (next >= 0) {
                next = in.read();
            }
        } catch (IOException broken) {
            LOG.debug("Standard input broke", broken);
        }
        tell("it has closed our standard input");
    }

    private void tell(String how) {
        if (told.compareAndSet(false, true)) {
            LOG.error("The guard is gone: {}", how);
            guardDied.run();
        }
    }
}
