package org.cellkeeper.cell.postgres;

import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What was put right without anybody's asking: logged, and told to the operator for a minute. Safe for any thread. */
final class Notices {
    private static final Logger LOG = LoggerFactory.getLogger(Notices.class);
    private static final Duration TOLD = Duration.ofMinutes(1);

    private final Map<String, Long> since = new LinkedHashMap<>();

    synchronized void tell(String words) {
        LOG.error("{}", words);
        since.put(words, System.nanoTime());
    }

    synchronized List<String> now() {
        if (since.isEmpty()) {
            return List.of();
        }
        long now = System.nanoTime();
        since.values().removeIf(told -> now - told > TOLD.toNanos());
        return List.copyOf(since.keySet());
    }
}
