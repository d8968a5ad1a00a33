package org.cellkeeper.cell.postgres;

import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What was put right without anybody's asking: logged, and told to the operator for a minute. Safe for any thread. */
final class Notices {
    private static final Logger LOG = LoggerFactory.getLogger(Notices.class);
    private static final Duration TOLD = Duration.ofMinutes(1);

    /** Of what strangers cause there is no end. */
    private static final int MOST = 20;

    private final LinkedHashMap<String, Long> since = new LinkedHashMap<>();

    synchronized void tell(String words) {
        LOG.error("{}", words);
        if (since.size() >= MOST && !since.containsKey(words)) {
            since.remove(since.firstEntry().getKey());
        }
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
