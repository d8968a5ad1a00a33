package org.cellkeeper.cell.app;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.IntFunction;
import java.util.function.Supplier;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.HistoryEntry;
import org.cellkeeper.cell.model.Member;
import org.cellkeeper.cell.port.App;
import org.cellkeeper.cell.port.AppDatabase;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The cell's own app: an application of the replicated database like any other, which loses its sessions in a failover and finds the
 * next primary by itself. Its threads are its own ({@code app}, {@code app-check}, {@code app-reads}); the loop never waits for them,
 * and nothing that the loop decides depends on them.
 */
public final class CellApp implements App, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(CellApp.class);

    private static final Duration FOR_THE_PRIMARY = Duration.ofMillis(1500);
    private static final Duration FOR_ITS_OWN = Duration.ofSeconds(1);

    private final AppSettings settings;
    private final Supplier<@Nullable Surroundings> surroundings;
    private final Pool primary;
    private final Pool local;
    private final Reachability reachability;
    private final Readings readings;
    private final Chores chores;
    private final ScheduledThreadPoolExecutor thread = new ScheduledThreadPoolExecutor(
            1, Thread.ofPlatform().daemon().name("app").factory());

    /**
     * @param surroundings what is seen of the cluster; null while nothing is known. Any thread may ask
     * @param history the newest entries of the history, so many, newest first
     */
    public CellApp(
            AppSettings settings,
            Supplier<@Nullable Surroundings> surroundings,
            AppDatabase database,
            IntFunction<CompletableFuture<List<HistoryEntry>>> history) {
        this.settings = settings;
        this.surroundings = surroundings;
        this.primary = new Pool("app-primary", settings, FOR_THE_PRIMARY);
        this.local = new Pool("app-local", settings, FOR_ITS_OWN);
        local.follow(ownRoute(settings));
        this.reachability = new Reachability(primary);
        this.readings = new Readings(local, primary, this::localIsCurrent);
        this.chores = new Chores(settings, primary, local, database, history, reachability::reached);
    }

    /** Goes to work. */
    public void start() {
        long every = settings.pace().look().toMillis();
        var unused = thread.scheduleWithFixedDelay(this::look, every, every, TimeUnit.MILLISECONDS);
    }

    /** Leaves what is under way; whatever was not committed is done by the next primary's app. */
    @Override
    public void close() {
        thread.shutdownNow();
        readings.close();
        reachability.close();
        primary.close();
        local.close();
    }

    private void look() {
        try {
            Surroundings now = surroundings.get();
            if (now != null) {
                primary.follow(route(now));
            }
            chores.look(now);
        } catch (RuntimeException e) {
            LOG.error("The app could not look at the cluster; it looks again", e);
        }
    }

    private boolean localIsCurrent() {
        Surroundings now = surroundings.get();
        return now != null && now.localCurrent();
    }

    static Pool.Route ownRoute(AppSettings settings) {
        return new Pool.Route(
                List.of(new Pool.Host(settings.listenHost(), settings.address().postgresPort())), 0, false);
    }

    /** All members, the one first that should be the primary: the others are asked when this cell's knowledge is old. */
    private static Pool.Route route(Surroundings now) {
        List<Pool.Host> hosts = new ArrayList<>();
        now.members().forEach((CellName name, Member member) -> {
            Pool.Host host =
                    new Pool.Host(member.address().host(), member.address().postgresPort());
            if (name.equals(now.primary().name())) {
                hosts.addFirst(host);
            } else {
                hosts.add(host);
            }
        });
        return new Pool.Route(hosts, now.epoch(), true);
    }

    // ---- the port

    @Override
    public CompletableFuture<Boolean> reachesPrimary() {
        return reachability.look().thenApply(seen -> seen != Reachability.Seen.NOTHING);
    }

    @Override
    public CompletableFuture<Status> status() {
        return reachability.look().thenApply(seen -> switch (seen) {
            case TABLES -> Status.RUNNING;
            case NOTHING, PRIMARY -> reachability.everReached() ? Status.DEAD : Status.STARTING;
        });
    }

    @Override
    public CompletableFuture<List<RegisteredCell>> cells() {
        return readings.read(session -> Registry.all(session, settings.pace().active()));
    }

    @Override
    public CompletableFuture<List<HistoryEntry>> history(@Nullable Instant before, int limit) {
        return readings.read(session -> EventArchive.read(session, before, limit));
    }
}
