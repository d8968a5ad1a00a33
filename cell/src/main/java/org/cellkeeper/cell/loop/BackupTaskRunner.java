package org.cellkeeper.cell.loop;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.IntConsumer;
import org.cellkeeper.cell.decide.Tasks;
import org.cellkeeper.cell.decide.View;
import org.cellkeeper.cell.model.Backup;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.Task;
import org.cellkeeper.cell.port.BackupFailure;
import org.cellkeeper.cell.port.Backups;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Carries out the tasks about backups that name this cell, one at a time, on a thread of its own; the loop's thread only looks
 * now and then. It touches no state of the cluster. Each task that it began ends, whatever happens to it: here, by the next
 * agent of this cell, or by the primary when this cell is gone.
 */
public final class BackupTaskRunner implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(BackupTaskRunner.class);
    private static final long LOOK_EVERY = 300;
    private static final long TELL_EVERY_NANOS = 1_000_000_000L;
    private static final long ANSWER_SECONDS = 5;
    private static final Duration ROLE_MAY_COME = Duration.ofSeconds(15);
    private static final Duration END_WITHIN = Duration.ofSeconds(3);

    private final CellLoop loop;
    private final Ports ports;
    private final Backups backups;
    /** What ended here; written again as long as ZooKeeper says that it runs. */
    private final Map<String, Task> ended = new ConcurrentHashMap<>();

    private volatile @Nullable Task current;
    private volatile @Nullable Thread worker;
    private volatile boolean closed;

    public BackupTaskRunner(CellLoop loop, Ports ports, Backups backups) {
        this.loop = loop;
        this.ports = ports;
        this.backups = backups;
    }

    /** Clears up after the agent before this one, then looks for tasks. */
    public void start() {
        Thread.ofPlatform().name("backup-tidy").daemon().start(() -> {
            backups.tidy();
            lookLater();
        });
    }

    private void lookLater() {
        if (!closed) {
            ports.clock().after(LOOK_EVERY, this::look);
        }
    }

    private void look() {
        CellLoop.Snapshot snapshot = loop.snapshot();
        if (snapshot != null && snapshot.view().coordinationKnown()) {
            consider(snapshot.view());
        }
        lookLater();
    }

    private void consider(View view) {
        Task doing = current;
        ClusterState state = view.state();
        boolean primary = state != null && state.primary().equals(view.self());
        List<Task> all = view.coordination().tasks();
        all.stream().filter(task -> !task.isOpen()).forEach(task -> ended.remove(task.id()));
        for (Task task : all) {
            boolean mine = task.isOpen()
                    && task.operation().isAboutBackups()
                    && task.executor().equals(view.settings().name());
            if (!mine) {
                continue;
            }
            Task end = ended.get(task.id());
            boolean fits = primary || !task.operation().needsPrimary();
            if (end != null) {
                var ignored = ports.coordination().putTask(end);
            } else if (doing != null && doing.id().equals(task.id())) {
                if (!fits) {
                    interrupt();
                }
            } else if (task.status() == Task.Status.RUNNING) {
                fail(task, "the agent of " + task.executor() + " was started anew meanwhile; ask again");
            } else if (fits && doing == null) {
                doing = task;
                begin(task);
            } else if (!fits && Tasks.age(view, task).compareTo(ROLE_MAY_COME) > 0) {
                fail(task, task.executor() + " is not the primary any more; ask again");
            }
        }
    }

    private void fail(Task task, String message) {
        Task end = task.ended(Task.Status.ERROR, ports.clock().now(), message);
        ended.put(task.id(), end);
        var ignored = ports.coordination().putTask(end);
    }

    private void begin(Task task) {
        current = task;
        worker = Thread.ofPlatform().name("backup").daemon().start(() -> carryOut(task));
    }

    private void carryOut(Task task) {
        Task end;
        try {
            tell(task.running(0, 0, ""));
            LOG.info("{} {}", task.operation(), task.backup());
            String result = perform(task);
            end = task.ended(Task.Status.SUCCESS, ports.clock().now(), result);
        } catch (RuntimeException e) {
            LOG.warn("{} {} failed", task.operation(), task.backup(), e);
            end = task.ended(Task.Status.ERROR, ports.clock().now(), String.valueOf(e.getMessage()));
        }
        ended.put(task.id(), end);
        current = null;
        var ignored = ports.coordination().putTask(end);
    }

    private String perform(Task task) {
        String name = String.valueOf(task.backup());
        return switch (task.operation()) {
            case BACKUP -> {
                Backup made = backups.create(name, progress(task, 0, 100));
                yield holds(made) + notAsItIs(Objects.requireNonNullElse(made.warnings(), List.of()));
            }
            case BACKUP_AND_CHECK -> {
                Backup made = backups.create(name, progress(task, 0, 50));
                try {
                    yield holds(made) + ", and can be restored" + notAsItIs(check(task, 50));
                } catch (RuntimeException e) {
                    throw new BackupFailure(name + " is made, but does not pass its check: " + e.getMessage(), e);
                }
            }
            case CHECK_BACKUP -> name + " can be restored" + unsigned(task) + notAsItIs(check(task, 0));
            case RESTORE ->
                name + " is restored" + unsigned(task) + "; "
                        + backups.restore(name, task.acceptDataLoss(), progress(task, 0, 100));
            case DELETE_BACKUP -> {
                backups.delete(name);
                yield name + " is deleted";
            }
            case PROMOTE, SWITCHOVER, REMOVE, DEPLOY, MODE ->
                throw new IllegalArgumentException(task.operation() + " is not about backups");
        };
    }

    private List<String> check(Task task, int from) {
        String name = String.valueOf(task.backup());
        tell(task.running(
                0, from, backups.roomToCheck(name, task.acceptDataLoss()).inWords()));
        return backups.check(name, task.acceptDataLoss(), progress(task, from, 100));
    }

    private static String unsigned(Task task) {
        return task.acceptDataLoss() ? ", accepted although its signature is not this cluster's" : "";
    }

    private static String holds(Backup made) {
        return made.name() + " holds the database as of " + made.lsn();
    }

    private static String notAsItIs(List<String> warnings) {
        warnings.forEach(warning -> LOG.warn("A restore will not bring back as it is: {}", warning));
        return warnings.isEmpty() ? "" : "; a restore will not bring back as it is: " + Backup.inShort(warnings);
    }

    /** For a part of the task, which leads from one percentage of it to another. */
    private IntConsumer progress(Task task, int from, int to) {
        return new IntConsumer() {
            private long told = System.nanoTime();
            private int last;

            @Override
            public synchronized void accept(int ofPart) {
                int percent = from + ofPart * (to - from) / 100;
                long now = System.nanoTime();
                if (percent > last && now - told > TELL_EVERY_NANOS) {
                    told = now;
                    last = percent;
                    tell(task.running(0, percent, ""));
                }
            }
        };
    }

    /** One after the other, so that none overtakes the next; one that is lost does not matter. */
    private void tell(Task task) {
        try {
            ports.coordination().putTask(task).get(ANSWER_SECONDS, TimeUnit.SECONDS);
        } catch (ExecutionException | TimeoutException e) {
            LOG.debug("The progress of {} was not told", task.id());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void interrupt() {
        Thread thread = worker;
        if (thread != null) {
            thread.interrupt();
        }
    }

    /** Ends what is under way, as failed. */
    @Override
    public void close() {
        closed = true;
        interrupt();
        Thread thread = worker;
        if (thread != null) {
            try {
                thread.join(END_WITHIN);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
