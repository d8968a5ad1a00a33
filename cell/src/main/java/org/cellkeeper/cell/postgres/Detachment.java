package org.cellkeeper.cell.postgres;

import java.util.concurrent.atomic.AtomicLong;
import org.cellkeeper.cell.model.Lsn;
import org.jspecify.annotations.Nullable;

/**
 * I5: whether no walreceiver of a standby runs and none can come. The upstream must be empty on disk, and in a session that was opened
 * since: the postmaster forks no such session before it has signalled the startup process. After that, the startup process is
 * known to have read the signal before it could ask for a receiver when it is seen waiting for its retry interval (it has ended
 * the last receiver before, and reads signals after that wait), or when it has finished a second record (it reads signals before
 * each). The verbs' thread tells what it writes; the observer's judges what it sees.
 */
final class Detachment {
    /**
     * What one look saw.
     *
     * @param follows how often an upstream had been written when it began
     * @param emptyOnDisk whether the upstream is empty in the settings file
     * @param emptyInSession whether it is so in the session that looked
     * @param fresh whether that session was opened after the file had been read
     */
    record Look(
            Life life,
            long follows,
            boolean emptyOnDisk,
            boolean emptyInSession,
            boolean fresh,
            boolean walReceiver,
            @Nullable String startupWaits,
            Lsn replayed) {}

    /** What is known while the upstream is empty on disk. */
    private static final class Known {
        final Life life;
        final long follows;
        boolean inForce;
        boolean proven;
        Lsn lastReplay = Lsn.ZERO;
        int advances = -1;

        Known(Life life, long follows) {
            this.life = life;
            this.follows = follows;
        }
    }

    /** All processes of this run come from a postmaster that has never known an upstream. */
    private record StartedDetached(long run, long follows) {}

    /** How often an upstream has been written; what was proven about there being none holds for one value only. */
    private final AtomicLong follows = new AtomicLong();
    /** The run of the postmaster that began with an empty upstream, and how often one had been written by then. */
    private volatile StartedDetached startedDetached = new StartedDetached(0, 0);

    private Known known = new Known(Life.NONE, 0);

    /** To be called before an upstream is written. */
    void willFollow() {
        follows.incrementAndGet();
    }

    /** To be called when the postmaster has been started with an empty upstream. */
    void started(long run) {
        startedDetached = new StartedDetached(run, follows.get());
    }

    long follows() {
        return follows.get();
    }

    /** Whether a session that was opened since has seen the empty upstream already. */
    boolean isInForce(long run, long seenFollows) {
        return known.life.run() == run && known.follows == seenFollows && known.inForce;
    }

    boolean isProven(Look look) {
        if (!look.emptyOnDisk || !look.emptyInSession || look.walReceiver) {
            if (!look.emptyOnDisk || !look.emptyInSession || known.proven) {
                known = new Known(Life.NONE, 0);
            }
            return false;
        }
        StartedDetached started = startedDetached;
        if (started.run == look.life.run() && started.follows == look.follows && follows.get() == look.follows) {
            return true;
        }
        known = knownOf(look.life, look.follows);
        known.inForce |= look.fresh;
        if (known.inForce && !known.proven) {
            if (look.replayed.compareTo(known.lastReplay) > 0) {
                known.lastReplay = look.replayed;
                known.advances++;
            }
            known.proven = Observation.RETRY_INTERVAL.equals(look.startupWaits) || known.advances >= 2;
        }
        return known.proven && follows.get() == look.follows;
    }

    private Known knownOf(Life life, long seenFollows) {
        if (known.life.equals(life) && known.follows == seenFollows) {
            return known;
        }
        Known next = new Known(life, seenFollows);
        // The postmaster has read the empty upstream, and is the one that starts the next startup process.
        next.inForce = known.inForce && known.life.run() == life.run() && known.follows == seenFollows;
        return next;
    }
}
