package org.cellkeeper.cell.loop;

import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.cellkeeper.cell.decide.Preflight;
import org.cellkeeper.cell.decide.View;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.Signature;
import org.cellkeeper.cell.model.StoredBackup;
import org.cellkeeper.cell.model.Task;
import org.cellkeeper.cell.port.BackupFailure;
import org.cellkeeper.cell.port.BackupOperator;
import org.cellkeeper.cell.port.Backups;
import org.cellkeeper.cell.port.DatabaseArchive;
import org.cellkeeper.cell.port.Operator.Check;
import org.cellkeeper.cell.port.Operator.Verdict;
import org.jspecify.annotations.Nullable;

/**
 * Examines requests about backups and makes tasks of them, for {@link BackupTaskRunner}. Looks at the share on threads of its own,
 * few and with a short queue, since a share may hang; the loop's thread only tells of the cluster.
 */
public final class CellBackupOperator implements BackupOperator, AutoCloseable {
    private static final DateTimeFormatter NAME =
            DateTimeFormatter.ofPattern("'backup-'yyyyMMdd-HHmmss").withZone(ZoneOffset.UTC);

    private static final String ROOM = "room-to-check";
    private static final String SIGNATURE = "signature-valid";
    private static final String WHOLE = "backup-whole";
    private static final Duration READ_WITHIN = Duration.ofSeconds(5);

    private record Unread(Task task, long at) {}

    private final CellLoop loop;
    private final Ports ports;
    private final Backups backups;
    private final HistoryWriter historyWriter;
    /** Made here, and not read back from ZooKeeper yet: a request that is repeated at once must find it. */
    private final Map<String, Unread> unread = new ConcurrentHashMap<>();

    private final ExecutorService looks = new ThreadPoolExecutor(
            2,
            2,
            1,
            TimeUnit.MINUTES,
            new LinkedBlockingQueue<>(16),
            Thread.ofPlatform().name("backup-share-", 0).daemon().factory());

    public CellBackupOperator(CellLoop loop, Ports ports, Backups backups) {
        this.loop = loop;
        this.ports = ports;
        this.backups = backups;
        this.historyWriter = new HistoryWriter(loop, ports);
    }

    @Override
    public CompletableFuture<Backups.Share> share() {
        return CompletableFuture.supplyAsync(backups::share, looks);
    }

    @Override
    public CompletableFuture<List<StoredBackup>> list() {
        return CompletableFuture.supplyAsync(backups::list, looks);
    }

    @Override
    public CompletableFuture<String> damage(String name) {
        return CompletableFuture.supplyAsync(() -> backups.damage(name), looks);
    }

    @Override
    public CompletableFuture<Verdict> ask(Request request, String caller) {
        return CompletableFuture.supplyAsync(() -> look(request), looks)
                .thenCompose(seen -> loop.ask(view -> examine(view, seen, request)))
                .thenCompose(next -> next.task == null
                        ? CompletableFuture.completedFuture(Objects.requireNonNull(next.verdict))
                        : put(next.task, caller));
    }

    /**
     * @param checks of the backup that is asked for
     * @param unsigned whether it is to be used though its signature is not this cluster's
     */
    private record Seen(Backups.Share share, List<Check> checks, boolean unsigned) {}

    private Seen look(Request request) {
        Backups.Share share = backups.share();
        List<Check> checks = new ArrayList<>();
        boolean unsigned = false;
        if (share.usable()) {
            switch (request) {
                case Request.Create _, Request.Delete _ -> {}
                case Request.Restore restore -> unsigned = proves(restore.name(), restore.acceptUnsigned(), checks);
                case Request.Check check -> {
                    unsigned = proves(check.name(), check.acceptUnsigned(), checks);
                    if (checks.stream().allMatch(Check::ok)) {
                        checks.add(room(check.name(), check.acceptUnsigned()));
                    }
                }
            }
        }
        return new Seen(share, checks, unsigned);
    }

    /** Whether it would be used although its signature is not this cluster's. */
    private boolean proves(String name, boolean acceptUnsigned, List<Check> checks) {
        try {
            Signature signature = backups.signature(name);
            boolean enough = signature.isEnough(acceptUnsigned);
            boolean unsigned = enough && signature != Signature.VALID;
            checks.add(new Check(
                    SIGNATURE,
                    enough,
                    unsigned ? "accepted, though it is " + signature : name + ": " + signature.inWords()));
            return unsigned;
        } catch (BackupFailure e) {
            checks.add(new Check(WHOLE, false, String.valueOf(e.getMessage())));
            return false;
        }
    }

    private Check room(String name, boolean acceptUnsigned) {
        try {
            DatabaseArchive.Room room = backups.roomToCheck(name, acceptUnsigned);
            String words = room.inWords() + " for the time of the check";
            return new Check(
                    ROOM, room.isEnough(), room.isEnough() ? words : words + "; make room, or ask another cell");
        } catch (BackupFailure e) {
            return new Check(WHOLE, false, String.valueOf(e.getMessage()));
        }
    }

    /** What is answered, or the task to make first. */
    private record Next(@Nullable Verdict verdict, @Nullable Task task) {}

    private static Next answer(Verdict verdict) {
        return new Next(verdict, null);
    }

    private Next examine(@Nullable View view, Seen seen, Request request) {
        ClusterState state = view == null ? null : view.state();
        if (view == null || state == null || !view.coordinationKnown()) {
            return answer(
                    new Verdict.Unavailable(
                            "ZooKeeper cannot be asked, so nothing can be begun; bring a majority of the ZooKeeper servers back"));
        }
        Task wanted = task(view, state, request, seen.unsigned());
        for (Task open : known(view)) {
            boolean same = open.isOpen() && open.operation() == wanted.operation();
            boolean anyName = wanted.operation().makesBackup();
            if (same && !request.dryRun() && (anyName || Objects.equals(open.backup(), wanted.backup()))) {
                return answer(new Verdict.Accepted(open.id()));
            }
        }
        List<Check> checks = checks(view, state, seen, wanted);
        if (request.dryRun()) {
            return answer(new Verdict.Checked(checks));
        }
        return checks.stream()
                .filter(check -> !check.ok())
                .findFirst()
                .map(check -> answer(new Verdict.Refused(check.name(), check.detail())))
                .orElseGet(() -> {
                    unread.put(wanted.id(), new Unread(wanted, ports.clock().millis()));
                    return new Next(null, wanted);
                });
    }

    private List<Task> known(View view) {
        List<Task> tasks = new ArrayList<>(view.coordination().tasks());
        tasks.forEach(task -> unread.remove(task.id()));
        unread.values().removeIf(made -> view.now() - made.at() >= READ_WITHIN.toMillis());
        unread.values().forEach(made -> tasks.add(made.task()));
        return tasks;
    }

    private Task task(View view, ClusterState state, Request request, boolean unsigned) {
        Instant now = ports.clock().now();
        CellName primary = state.primary().name();
        return switch (request) {
            case Request.Create create ->
                queued(
                        create.check() ? Task.Operation.BACKUP_AND_CHECK : Task.Operation.BACKUP,
                        primary,
                        NAME.format(now),
                        false,
                        now);
            case Request.Check check ->
                queued(Task.Operation.CHECK_BACKUP, view.settings().name(), check.name(), unsigned, now);
            case Request.Restore restore -> queued(Task.Operation.RESTORE, primary, restore.name(), unsigned, now);
            case Request.Delete delete ->
                queued(Task.Operation.DELETE_BACKUP, view.settings().name(), delete.name(), false, now);
        };
    }

    private static Task queued(
            Task.Operation operation, CellName executor, String backup, boolean unsigned, Instant now) {
        return new Task(
                UUID.randomUUID().toString(),
                operation,
                executor,
                executor,
                unsigned,
                Task.Status.QUEUED,
                now,
                null,
                0,
                0,
                "",
                backup);
    }

    private static List<Check> checks(View view, ClusterState state, Seen seen, Task wanted) {
        List<Check> checks = new ArrayList<>();
        checks.add(new Check("share-usable", seen.share().usable(), seen.share().detail()));
        checks.addAll(seen.checks());
        if (wanted.operation().needsPrimary()) {
            Preflight.Check serves = Preflight.primaryServes(view, state);
            checks.add(new Check(serves.code(), serves.ok(), serves.detail()));
        }
        boolean creates = wanted.operation().makesBackup();
        List<Task> open =
                view.coordination().tasks().stream().filter(Task::isOpen).toList();
        Task restore = open.stream()
                .filter(task -> task.operation() == Task.Operation.RESTORE)
                .filter(task -> wanted.operation().needsPrimary() || Objects.equals(task.backup(), wanted.backup()))
                .findFirst()
                .orElse(null);
        checks.add(new Check(
                "no-restore-under-way",
                restore == null,
                restore == null
                        ? (creates ? "the database is not being replaced" : "none is in the way")
                        : restore.backup() + " is being restored; wait for task " + restore.id()));
        if (wanted.operation() == Task.Operation.DELETE_BACKUP) {
            Task check = open.stream()
                    .filter(task -> task.operation().checksBackup() && Objects.equals(task.backup(), wanted.backup()))
                    .findFirst()
                    .orElse(null);
            checks.add(new Check(
                    "no-check-under-way",
                    check == null,
                    check == null
                            ? "none is in the way"
                            : check.backup() + " is being checked; wait for task " + check.id()));
        }
        return checks;
    }

    private CompletableFuture<Verdict> put(Task task, String caller) {
        return ports.coordination().putTask(task).thenApply(outcome -> switch (outcome) {
            case APPLIED -> {
                historyWriter.asked(task, caller);
                yield new Verdict.Accepted(task.id());
            }
            case CONFLICT, NOT_SENT -> {
                unread.remove(task.id());
                yield new Verdict.Unavailable(
                        "ZooKeeper did not take the task (" + outcome + "); nothing was changed, try again");
            }
            case UNKNOWN ->
                new Verdict.Unavailable(
                        "ZooKeeper's answer was lost; see GET /tasks whether task " + task.id() + " is there");
        });
    }

    @Override
    public void close() {
        looks.shutdownNow();
    }
}
