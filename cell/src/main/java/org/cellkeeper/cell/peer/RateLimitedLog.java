package org.cellkeeper.cell.peer;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Complains at most once a minute about each subject, so that a stranger cannot fill the log. Any thread. */
final class RateLimitedLog {
    private static final Logger LOG = LoggerFactory.getLogger(TcpPeers.class);
    private static final long PAUSE_NANOS = TimeUnit.MINUTES.toNanos(1);
    private static final int MOST_SUBJECTS = 128;

    private final Map<String, Long> lastNanos = new LinkedHashMap<>();

    void warn(String subject, String message) {
        if (isDue(subject)) {
            LOG.warn("{}: {}", subject, message);
        }
    }

    private synchronized boolean isDue(String subject) {
        long now = System.nanoTime();
        Long last = lastNanos.get(subject);
        if (last != null && now - last < PAUSE_NANOS) {
            return false;
        }
        if (last == null && lastNanos.size() >= MOST_SUBJECTS) {
            // Many strangers at once: those within the minute share the silence.
            lastNanos.values().removeIf(nanos -> now - nanos >= PAUSE_NANOS);
            if (lastNanos.size() >= MOST_SUBJECTS) {
                return false;
            }
        }
        lastNanos.put(subject, now);
        return true;
    }
}
