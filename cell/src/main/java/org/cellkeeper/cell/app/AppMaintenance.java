package org.cellkeeper.cell.app;

import java.sql.SQLException;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.IntFunction;
import java.util.stream.Collectors;
import org.cellkeeper.cell.model.Backoff;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.HistoryEntry;
import org.cellkeeper.cell.port.AppDatabase;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What the app does by itself, look by look, on the thread {@code app}: a heartbeat of this cell; where this cell is the primary also
 * the tables, the registry's tidiness and the archive. While a change of primary is under way, and for some seconds after, it does
 * nothing, and whatever fails is done later. It decides nothing for anybody.
 */
final class AppMaintenance {
    private static final Logger LOG = LoggerFactory.getLogger(AppMaintenance.class);

    /** As many entries of the history as are asked for, until one that is known is among them. */
    private static final int[] WINDOWS = {1, 50, 1000};

    private static final long HISTORY_SECONDS = 5;
    private static final Duration QUESTION = Duration.ofSeconds(2);
    private static final Backoff RETRY = new Backoff(Duration.ofSeconds(2), Duration.ofSeconds(10));

    /** No such role, wrong password, no such database, not let in: the app's database is not as it should be. */
    private static final Set<String> NOT_PROVIDED = Set.of("28P01", "28000", "3D000", "42501");

    private final AppSettings settings;
    private final Pool primary;
    private final Pool local;
    private final AppDatabase database;
    private final IntFunction<CompletableFuture<List<HistoryEntry>>> history;
    private final Runnable reached;

    private @Nullable AppContext before;
    private long calmSince;
    private boolean tables;
    private String newest = "";
    private long beaten;
    private long copied;
    private long notBefore;
    private int failures;
    private String complaint = "";
    private int foreignVersion;

    /**
     * @param history the newest entries of the history, so many, newest first
     * @param reached is told whenever the tables were worked with
     */
    AppMaintenance(
            AppSettings settings,
            Pool primary,
            Pool local,
            AppDatabase database,
            IntFunction<CompletableFuture<List<HistoryEntry>>> history,
            Runnable reached) {
        this.settings = settings;
        this.primary = primary;
        this.local = local;
        this.database = database;
        this.history = history;
        this.reached = reached;
    }

    /** One look. Never throws. */
    void look(@Nullable AppContext now) {
        long time = System.nanoTime();
        AppContext last = before;
        before = now;
        if (now == null || !now.calm()) {
            calmSince = time;
            return;
        }
        if (last == null || last.epoch() != now.epoch() || !last.primary().equals(now.primary())) {
            calmSince = time;
            tables = false;
            newest = "";
            beaten = 0;
            copied = 0;
            notBefore = time;
            failures = 0;
            return;
        }
        if (time - calmSince < settings.pace().quiet().toNanos() || time - notBefore < 0) {
            return;
        }
        try {
            work(now, time);
            failures = 0;
            complaint = "";
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (SQLException | RuntimeException e) {
            if (!Thread.currentThread().isInterrupted()) {
                later(e);
            }
        }
    }

    private void work(AppContext now, long time) throws SQLException, InterruptedException {
        if (!tables) {
            tables = now.isPrimary() ? prepared() : primary.ask(QUESTION, Schema::version) >= Schema.NEWEST;
            if (!tables) {
                notBefore = time + RETRY.first().toNanos();
                return;
            }
            reached.run();
        }
        if (isDue(beaten, settings.pace().heartbeat(), time)) {
            beat(now);
            beaten = time;
        }
        if (now.isPrimary() && isDue(copied, settings.pace().copy(), time)) {
            copy();
            copied = time;
        }
    }

    private static boolean isDue(long last, Duration every, long time) {
        return last == 0 || time - last >= every.toNanos();
    }

    private void later(Exception e) {
        failures++;
        notBefore = System.nanoTime() + RETRY.after(failures).toNanos();
        String words = String.valueOf(e.getMessage()).lines().findFirst().orElse("");
        if (!words.equals(complaint)) {
            complaint = words;
            LOG.info("The app goes on later: {}", words);
        }
    }

    // ---- the tables

    /** Asks its own PostgreSQL, which is the primary's: nobody else can be in the way. */
    private boolean prepared() throws SQLException {
        int version;
        try {
            version = local.ask(QUESTION, Schema::version);
        } catch (SQLException e) {
            if (!NOT_PROVIDED.contains(String.valueOf(e.getSQLState()))) {
                throw e;
            }
            database.provide();
            LOG.info("The app's role and database were made");
            version = local.ask(QUESTION, Schema::version);
        }
        if (version > Schema.NEWEST && version != foreignVersion) {
            foreignVersion = version;
            LOG.warn(
                    "The app's tables have version {}, which is newer than this program's {}: they are used as they are",
                    version,
                    Schema.NEWEST);
        }
        if (version < Schema.NEWEST) {
            long begun = System.nanoTime();
            Schema.migrate(Pool.source(settings, CellApp.ownRoute(settings)));
            LOG.info(
                    "The app's tables were brought from version {} to {} in {} ms",
                    version,
                    Schema.NEWEST,
                    TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - begun));
        }
        return true;
    }

    // ---- the registry

    private void beat(AppContext now) throws SQLException {
        Collection<CellId> members = now.members().entrySet().stream()
                .map(member -> new CellId(member.getKey(), member.getValue().incarnation()))
                .collect(Collectors.toList());
        int forgotten = primary.change(false, session -> {
            if (now.isMember()) {
                Registry.beat(session, now.self(), settings);
            }
            return now.isPrimary() ? Registry.retain(session, members) : 0;
        });
        if (forgotten > 0) {
            LOG.info("{} cells that are no members were taken out of the registry", forgotten);
        }
    }

    // ---- the archive

    private void copy() throws SQLException, InterruptedException {
        String known = newest.isEmpty() ? primary.ask(QUESTION, EventArchive::newest) : newest;
        for (int window : WINDOWS) {
            List<HistoryEntry> newestFirst;
            try {
                newestFirst = history.apply(window).get(HISTORY_SECONDS, TimeUnit.SECONDS);
            } catch (ExecutionException | TimeoutException e) {
                // ZooKeeper is away: what happened meanwhile is copied when it is back.
                return;
            }
            if (newestFirst.isEmpty()) {
                return;
            }
            List<HistoryEntry> news = upTo(known, newestFirst);
            boolean all = news.size() < newestFirst.size() || newestFirst.size() < window || window == 1000;
            if (all) {
                add(news);
                newest = EventArchive.digest(newestFirst.getFirst());
                return;
            }
        }
    }

    private static List<HistoryEntry> upTo(String known, List<HistoryEntry> newestFirst) {
        return newestFirst.stream()
                .takeWhile(entry -> !EventArchive.digest(entry).equals(known))
                .toList();
    }

    private void add(List<HistoryEntry> newestFirst) throws SQLException {
        if (newestFirst.isEmpty()) {
            return;
        }
        int added = primary.change(true, session -> {
            int fresh = EventArchive.add(session, newestFirst.reversed());
            EventArchive.prune(session, EventArchive.KEPT);
            return fresh;
        });
        LOG.debug("{} events were archived", added);
    }
}
