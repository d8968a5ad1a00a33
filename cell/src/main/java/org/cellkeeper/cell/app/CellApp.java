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
    private final Supplier<@Nullable AppContext> context;
    private final Pool primary;
    private final Pool local;
    private final Reachability reachability;
    private final ReplicaReads reads;
    private final AppMaintenance maintenance;
    private final ScheduledThreadPoolExecutor thread = new ScheduledThreadPoolExecutor(
            1, Thread.ofPlatform().daemon().name("app").factory());

    /**
     * @param context what is seen of the cluster; null while nothing is known. Any thread may ask
     * @param history the newest entries of the history, so many, newest first
     */
    public CellApp(
            AppSettings settings,
            Supplier<@Nullable AppContext> context,
            AppDatabase database,
            IntFunction<CompletableFuture<List<HistoryEntry>>> history) {
        this.settings = settings;
        this.context = context;
        this.primary = new Pool("app-primary", settings, FOR_THE_PRIMARY);
        this.local = new Pool("app-local", settings, FOR_ITS_OWN);
        local.follow(ownRoute(settings));
        this.reachability = new Reachability(primary);
        this.reads = new ReplicaReads(local, primary, this::localIsCurrent);
        this.maintenance = new AppMaintenance(settings, primary, local, database, history, reachability::reached);
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
        reads.close();
        reachability.close();
        primary.close();
        local.close();
    }

    private void look() {
        try {
            AppContext now = context.get();
            if (now != null) {
                primary.follow(route(now));
            }
            maintenance.look(now);
        } catch (RuntimeException e) {
            LOG.error("The app could not look at the cluster; it looks again", e);
        }
    }

    private boolean localIsCurrent() {
        AppContext now = context.get();
        return now != null && now.localCurrent();
    }

    static Pool.Route ownRoute(AppSettings settings) {
        return new Pool.Route(
                List.of(new Pool.Host(settings.listenHost(), settings.address().postgresPort())), 0, false);
    }

    /** All members, the one first that should be the primary: the others are asked when this cell's knowledge is old. */
    private static Pool.Route route(AppContext now) {
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
        return reads.read(session -> Registry.all(session, settings.pace().active()));
    }

    @Override
    public CompletableFuture<List<HistoryEntry>> history(@Nullable Instant before, int limit) {
        return reads.read(session -> EventArchive.read(session, before, limit));
    }
}
