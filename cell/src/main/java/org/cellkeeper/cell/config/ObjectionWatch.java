package org.cellkeeper.cell.config;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Looks every 2 s what of the configuration cannot be used, and says in the log and to its listener whenever that changes. A thread of
 * its own, {@code files}, asks, for a disk may hang.
 */
public final class ObjectionWatch implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ObjectionWatch.class);
    private static final Duration LOOK_EVERY = Duration.ofSeconds(2);

    private final String standing;
    private final List<Supplier<String>> objections;
    private final Consumer<String> listener;
    private final ScheduledExecutorService thread = Executors.newSingleThreadScheduledExecutor(Thread.ofPlatform()
            .name("files")
            .daemon()
            .priority(Thread.MIN_PRIORITY)
            .factory());
    private String said;

    /**
     * Begins at once.
     *
     * @param standing what was said already, and stays true; empty when nothing was
     * @param objections each with nothing while there is none; asked on the watch's own thread, which tells the listener, too
     */
    public ObjectionWatch(String standing, List<Supplier<String>> objections, Consumer<String> listener) {
        this.standing = standing;
        this.objections = List.copyOf(objections);
        this.listener = listener;
        this.said = standing;
        var _ = thread.scheduleWithFixedDelay(this::look, 0, LOOK_EVERY.toMillis(), TimeUnit.MILLISECONDS);
    }

    private void look() {
        try {
            String words = Stream.concat(
                            Stream.of(standing), objections.stream().map(Supplier::get))
                    .filter(part -> !part.isEmpty())
                    .distinct()
                    .collect(Collectors.joining("; "));
            if (words.equals(said)) {
                return;
            }
            said = words;
            if (words.isEmpty()) {
                LOG.info("Nothing is wrong with the configuration any more");
            } else {
                LOG.warn("{}", words);
            }
            listener.accept(words);
        } catch (RuntimeException e) {
            LOG.error("The configuration cannot be looked at", e);
        }
    }

    @Override
    public void close() {
        thread.shutdownNow();
    }
}
