package org.cellkeeper.cell.http;

import java.io.IOException;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import org.cellkeeper.api.Checks;
import org.cellkeeper.api.FipsInfo;
import org.cellkeeper.api.ServiceInfo;
import org.cellkeeper.api.StorageInfo;
import org.cellkeeper.api.VersionInfo;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.CellState;
import org.cellkeeper.cell.model.ClusterReport;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.EnsembleServer.Standing;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.port.App;
import org.cellkeeper.cell.port.Door;
import org.cellkeeper.cell.port.Operator;
import org.cellkeeper.cell.wire.Build;
import org.jspecify.annotations.Nullable;

/** What the API tells of the one cell that is asked, and not of the cluster. Any thread may use it. */
final class ThisCell {
    private static final String RUNNING = "running";
    private static final String DEAD = "dead";
    private static final String START = "start";
    private static final String DEAD_IN_MANUAL_MODE = "dead (normal when appliance is in manual failover mode)";
    private static final long STUCK_MILLIS = 10_000;
    private static final Duration APP_ANSWERS = Duration.ofSeconds(3);
    private static final Duration START_TAKES = Duration.ofMinutes(1);

    private final ApiSettings settings;
    private final Operator operator;
    private final App app;
    private final Companions companions;
    private final long started = System.nanoTime();
    private final AtomicReference<@Nullable CompletableFuture<StorageInfo>> looking = new AtomicReference<>();

    ThisCell(ApiSettings settings, Operator operator, App app, Companions companions) {
        this.settings = settings;
        this.operator = operator;
        this.app = app;
        this.companions = companions;
    }

    List<ServiceInfo> services() {
        Operator.Local local = operator.local();
        boolean manual = operator.report().mode() == FailoverMode.MANUAL;
        List<ServiceInfo> services = new ArrayList<>();
        services.add(new ServiceInfo("vcd", app()));
        services.add(new ServiceInfo("vpostgres", local == null ? START : postgres(local)));
        services.add(new ServiceInfo("repmgrd", manual ? DEAD_IN_MANUAL_MODE : RUNNING));
        services.add(
                new ServiceInfo("appliance-sync.timer", local == null ? START : local.zookeeper() ? RUNNING : DEAD));
        Supplier<Standing> zookeeper = companions.zookeeper();
        if (zookeeper != null) {
            services.add(new ServiceInfo("zookeeper", zookeeper(zookeeper.get())));
        }
        Supplier<Door.Status> door = companions.door();
        if (door != null) {
            services.add(new ServiceInfo("pgbouncer", door.get().problem().isEmpty() ? RUNNING : DEAD));
        }
        return services;
    }

    private String app() {
        try {
            return switch (app.status().get(APP_ANSWERS.toMillis(), TimeUnit.MILLISECONDS)) {
                case RUNNING -> RUNNING;
                case STARTING -> START;
                case DEAD -> DEAD;
            };
        } catch (ExecutionException | TimeoutException e) {
            return DEAD;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return DEAD;
        }
    }

    private static String postgres(Operator.Local local) {
        return switch (local.postgres()) {
            case DatabaseView.Stopped _ -> DEAD;
            case DatabaseView.Starting _ -> START;
            case DatabaseView.Running _, DatabaseView.Unresponsive _, DatabaseView.Orphaned _ -> RUNNING;
        };
    }

    private static String zookeeper(Standing standing) {
        return switch (standing) {
            case SERVING -> RUNNING;
            case WAITING -> START;
            case SILENT, UNKNOWN -> DEAD;
        };
    }

    ServiceInfo service(String name) {
        String known = name.equals("vmware-vcd") ? "vcd" : name;
        return services().stream()
                .filter(service -> service.serviceName().equals(known))
                .findFirst()
                .map(service -> new ServiceInfo(name, service.status()))
                .orElseThrow(() -> RequestProblem.notFound(
                        "no-such-service", "no such service here; GET /services names those that there are"));
    }

    VersionInfo version() {
        return new VersionInfo("Cellkeeper", Build.version(), "1.0.0");
    }

    /** Of every cell; the operating system's of this one alone, as nobody else looks at it. */
    List<FipsInfo> fips() {
        TreeMap<CellName, FipsInfo> all = new TreeMap<>();
        for (ClusterReport.Node node : operator.report().nodes()) {
            all.put(node.name(), fips(node.name(), node.address(), null));
        }
        all.put(settings.self(), fips(settings.self(), settings.address(), systemFips() ? "ON" : "OFF"));
        return List.copyOf(all.values());
    }

    private static FipsInfo fips(CellName name, Address address, @Nullable String ofSystem) {
        return new FipsInfo(name.value(), address.host(), ofSystem, "OFF", "off");
    }

    /** Where the kernel knows of no such mode there is no such file. */
    private static boolean systemFips() {
        try {
            return Files.readString(Path.of("/proc/sys/crypto/fips_enabled")).startsWith("1");
        } catch (IOException e) {
            return false;
        }
    }

    /** A disk that hangs holds up one thread at most, however often it is asked for. */
    CompletableFuture<StorageInfo> storage() {
        CompletableFuture<StorageInfo> mine = new CompletableFuture<>();
        CompletableFuture<StorageInfo> running = looking.compareAndExchange(null, mine);
        if (running != null) {
            return running;
        }
        Thread.ofPlatform().daemon().name("api-storage").start(() -> {
            try {
                StorageInfo seen = new StorageInfo(volumes());
                looking.set(null);
                mine.complete(seen);
            } catch (IOException | RuntimeException e) {
                looking.set(null);
                mine.completeExceptionally(e);
            }
        });
        return mine;
    }

    private List<StorageInfo.Volume> volumes() throws IOException {
        List<StorageInfo.Volume> volumes = new ArrayList<>();
        for (var entry : new TreeMap<>(settings.volumes()).entrySet()) {
            Path path = entry.getValue();
            FileStore store = Files.getFileStore(path);
            volumes.add(new StorageInfo.Volume(
                    entry.getKey(),
                    path.toString(),
                    store.getTotalSpace(),
                    store.getTotalSpace() - store.getUnallocatedSpace(),
                    store.getUsableSpace()));
        }
        return volumes;
    }

    /** Whether the agent still looks and decides. */
    Checks alive() {
        return Checks.of(List.of(loop(operator.local())));
    }

    /** Whether its PostgreSQL serves, as primary or as a standby that streams. */
    Checks ready() {
        Operator.Local local = operator.local();
        boolean serves = local != null && (local.state() == CellState.PRIMARY || local.state() == CellState.STREAMING);
        String state = local == null ? "not known yet" : "this cell is " + local.state();
        return Checks.of(List.of(loop(local), new Checks.Check("postgres-serves", serves, state)));
    }

    private Checks.Check loop(Operator.@Nullable Local local) {
        if (local == null) {
            boolean fresh = System.nanoTime() - started < START_TAKES.toNanos();
            return new Checks.Check("agent-decides", fresh, "the agent has not seen anything yet");
        }
        long ago = local.decidedMillisAgo();
        return new Checks.Check("agent-decides", ago < STUCK_MILLIS, "it last looked " + ago + " ms ago");
    }
}
