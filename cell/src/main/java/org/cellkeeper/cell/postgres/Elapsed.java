package org.cellkeeper.cell.postgres;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.TimeUnit;
import org.cellkeeper.cell.model.Lsn;

/**
 * How long something has lasted, by this agent's own steady clock: what PostgreSQL says of times is said by clocks that may be set
 * at any moment, and of which the primary's is another than the standby's. Times are {@link System#nanoTime}.
 */
final class Elapsed {
    private static final int MOST_ARRIVALS = 1_024;
    /** A walreceiver that is refused ends within a few milliseconds. */
    private static final long LASTING_MILLIS = 200;

    private record Arrival(Lsn received, long at) {}

    private int walReceiver;
    private long walReceiverSeenAt;
    private String lastMessage = "";
    private long heardAt;
    /** What was received and not replayed yet, with rising positions. */
    private final Deque<Arrival> arrivals = new ArrayDeque<>();

    /** Whether this process has been seen for so long that nobody has refused it. */
    boolean lasts(int walReceiverPid, long now) {
        if (walReceiverPid != walReceiver) {
            walReceiver = walReceiverPid;
            walReceiverSeenAt = now;
        }
        return TimeUnit.NANOSECONDS.toMillis(now - walReceiverSeenAt) >= LASTING_MILLIS;
    }

    /** How long nothing new has come, as far as was looked. */
    long silentMillis(String message, long now) {
        if (!message.equals(lastMessage)) {
            lastMessage = message;
            heardAt = now;
        }
        return TimeUnit.NANOSECONDS.toMillis(now - heardAt);
    }

    /** How long the oldest WAL that is to be replayed has been here, as far as was looked; 0 when there is none. */
    long replayLagMillis(Lsn received, Lsn replayed, long now) {
        if (!arrivals.isEmpty() && arrivals.getLast().received.compareTo(received) > 0) {
            arrivals.clear();
        }
        if (arrivals.isEmpty() || arrivals.getLast().received.compareTo(received) < 0) {
            // More than can be kept counts as here since the last that is kept: rather too long than too short.
            long at = arrivals.size() < MOST_ARRIVALS ? now : arrivals.removeLast().at;
            arrivals.addLast(new Arrival(received, at));
        }
        while (!arrivals.isEmpty() && replayed.atLeast(arrivals.getFirst().received)) {
            arrivals.removeFirst();
        }
        return arrivals.isEmpty() ? 0 : TimeUnit.NANOSECONDS.toMillis(now - arrivals.getFirst().at);
    }
}
