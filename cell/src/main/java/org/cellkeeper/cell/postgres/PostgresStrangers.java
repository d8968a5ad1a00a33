package org.cellkeeper.cell.postgres;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Ends the first of those who have come to PostgreSQL and have not proved yet who they are, when they are many. PostgreSQL gives each a
 * process, and with the first words a place among {@code max_connections} or {@code max_wal_senders}: full of strangers, it would turn away the
 * agent, the standbys and the clients alike, for as long as {@code authentication_timeout}. It has no such limit itself.
 *
 * <p>Who is who is told by the titles of its processes, which PostgreSQL changes as soon as somebody is let in.
 */
final class PostgresStrangers implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(PostgresStrangers.class);

    /** Who may come in does so within milliseconds. */
    private static final int MOST = 48;

    /** Of those who say that they stream: a cell has 16 places for them. */
    private static final int MOST_STREAMS = 4;

    private static final long LOOK_MILLIS = 200;
    private static final long SAY_NANOS = TimeUnit.MINUTES.toNanos(1);

    private static final String TITLED = "postgres: ";
    private static final String WALSENDER = ": walsender ";

    private final Postmaster postmaster;
    private final ScheduledExecutorService thread = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().name("postgres-strangers").daemon().factory());

    /** The present processes in the order in which they were first seen, and how far each had come. */
    private final Map<Long, Standing> seen = new LinkedHashMap<>();

    private long said = System.nanoTime() - SAY_NANOS;

    /** How far a process has come; one that is let in stays so. */
    enum Standing {
        STRANGER,
        STREAMS,
        LET_IN;

        static Standing of(String title) {
            if (title.startsWith(TITLED) && !title.endsWith(" authentication") && !title.endsWith(" initializing")) {
                return LET_IN;
            }
            return title.startsWith(TITLED) && title.contains(WALSENDER) ? STREAMS : STRANGER;
        }
    }

    PostgresStrangers(Postmaster postmaster) {
        this.postmaster = postmaster;
    }

    void start() {
        var unused = thread.scheduleWithFixedDelay(this::lookSafely, LOOK_MILLIS, LOOK_MILLIS, TimeUnit.MILLISECONDS);
    }

    private void lookSafely() {
        try {
            look();
        } catch (RuntimeException failure) {
            LOG.warn("Strangers at PostgreSQL's port cannot be looked at: {}", failure.toString());
        }
    }

    private void look() {
        Postmaster.Run run = postmaster.find();
        if (run == null) {
            seen.clear();
            return;
        }
        Set<Long> children = new HashSet<>(postmaster.children(run));
        seen.keySet().retainAll(children);
        for (Long child : children) {
            if (seen.get(child) != Standing.LET_IN) {
                String title = Postmaster.title(child);
                if (!title.isEmpty()) {
                    seen.put(child, Standing.of(title));
                }
            }
        }
        List<Long> leaving = new ArrayList<>(first(Standing.STREAMS, MOST_STREAMS));
        leaving.addAll(first(Standing.STRANGER, MOST));
        if (!leaving.isEmpty() && run.equals(postmaster.find())) {
            postmaster.signal("TERM", leaving);
            long now = System.nanoTime();
            if (now - said > SAY_NANOS) {
                said = now;
                LOG.warn(
                        "PostgreSQL has so many at its port who do not say who they are that {} were sent away",
                        leaving.size());
            }
        }
    }

    /** All but the newest so many. */
    private List<Long> first(Standing standing, int most) {
        List<Long> all = seen.entrySet().stream()
                .filter(entry -> entry.getValue() == standing)
                .map(Map.Entry::getKey)
                .toList();
        return all.subList(0, Math.max(0, all.size() - most));
    }

    @Override
    public void close() {
        thread.shutdownNow();
    }
}
