package org.cellkeeper.cell.http;

import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Locale;
import org.cellkeeper.api.BackupFile;
import org.cellkeeper.api.BackupInfo;
import org.cellkeeper.api.Cluster;
import org.cellkeeper.api.HistoryEvent;
import org.cellkeeper.api.MountInfo;
import org.cellkeeper.api.RegisteredCell;
import org.cellkeeper.api.TaskInfo;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.Backup;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.CellState;
import org.cellkeeper.cell.model.ClusterReport;
import org.cellkeeper.cell.model.ClusterReport.Node;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.HistoryEntry;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.StoredBackup;
import org.cellkeeper.cell.model.Task;
import org.cellkeeper.cell.port.App;
import org.cellkeeper.cell.port.Backups;
import org.jspecify.annotations.Nullable;

/** The model in the contract's words. */
final class Rendering {
    private final ApiSettings settings;

    Rendering(ApiSettings settings) {
        this.settings = settings;
    }

    Cluster cluster(ClusterReport report) {
        FailoverMode mode = report.mode();
        CellName primary = report.primary();
        return new Cluster(
                mode == null ? "INDETERMINATE" : mode.name(),
                report.health().name(),
                report.nodes().stream().map(node -> node(node, mode)).toList(),
                report.warnings(),
                report.epoch(),
                primary == null ? null : primary.value(),
                report.acks(),
                report.sealQuorum(),
                report.canSurvive(),
                report.zookeeper().all(),
                report.zookeeper().serving(),
                report.phase());
    }

    TaskInfo task(Task task) {
        Instant end = task.end();
        boolean failed = task.status() == Task.Status.ERROR;
        return new TaskInfo(
                task.id(),
                task.operation().name(),
                task.backup() == null ? task.target().value() : task.backup(),
                task.status().name(),
                time(task.start()),
                end == null ? null : time(end),
                task.progress(),
                task.isOpen() ? task.message() : null,
                task.status() == Task.Status.SUCCESS ? new TaskInfo.Result(task.message()) : null,
                failed
                        ? new TaskInfo.Failure(
                                task.operation().name().toLowerCase(Locale.ROOT).replace('_', '-') + "-failed",
                                task.message())
                        : null);
    }

    HistoryEvent event(HistoryEntry entry) {
        return new HistoryEvent(
                time(entry.time()),
                entry.cell().value(),
                entry.epoch(),
                entry.rule(),
                entry.sentence(),
                entry.detail(),
                entry.steps().stream()
                        .map(step -> new HistoryEvent.Step(step.name(), step.millis()))
                        .toList());
    }

    RegisteredCell registered(App.RegisteredCell cell) {
        return new RegisteredCell(
                cell.cell().toString(),
                cell.cell().name().value(),
                cell.built(),
                cell.active(),
                cell.address(),
                cell.version());
    }

    MountInfo mount(Backups.Share share) {
        boolean mounted = share.usable();
        Path folder = share.folder();
        return new MountInfo(
                mounted,
                share.detail(),
                share.nfs(),
                folder == null ? null : folder.toString(),
                mounted ? share.sizeBytes() : null,
                mounted ? share.usedBytes() : null,
                mounted ? share.availableBytes() : null);
    }

    /** The location is where the asked cell sees it. */
    BackupFile backupFile(StoredBackup stored, String location) {
        Backup backup = stored.backup();
        return new BackupFile(
                time(backup.date()),
                location,
                backup.name(),
                backup.size(),
                backup.version(),
                stored.signature().name());
    }

    BackupInfo backup(StoredBackup stored, String location) {
        Backup backup = stored.backup();
        return new BackupInfo(
                time(backup.date()),
                location,
                backup.name(),
                backup.size(),
                backup.version(),
                backup.cell().value(),
                backup.postgresVersion(),
                backup.systemId(),
                backup.timeline(),
                backup.lsn().toString(),
                backup.files().stream()
                        .map(part -> new BackupInfo.Part(part.name(), part.size(), part.sha256()))
                        .toList(),
                backup.warnings(),
                stored.signature().name());
    }

    private Cluster.Node node(Node node, @Nullable FailoverMode mode) {
        return new Cluster.Node(
                node.id(),
                node.name().value(),
                "default",
                connectionString(node.address()),
                switch (node.registered()) {
                    case PRIMARY -> "primary";
                    case STANDBY -> "standby";
                },
                status(node.status()),
                upstream(node),
                node.role().name(),
                node.health().name(),
                failover(node, mode),
                node.state().name(),
                node.detail(),
                node.epoch(),
                node.timeline(),
                text(node.lsn()),
                known(node.lagBytes()),
                known(node.lagMillis()),
                node.voter(),
                node.priority(),
                node.faultDomain(),
                node.state() == CellState.CLONING ? node.progress() : null,
                halted(node.halted()));
    }

    static String status(ClusterReport.Status status) {
        return switch (status) {
            case RUNNING_PRIMARY -> "* running";
            case RUNNING -> "running";
            case UNREACHABLE -> "? unreachable";
            case FAILED -> "- failed";
            case RUNNING_AS_PRIMARY_UNEXPECTEDLY -> "! running as primary";
        };
    }

    private static String upstream(Node node) {
        CellName upstream = node.upstream();
        String name = upstream == null ? "" : upstream.value();
        return switch (node.attachment()) {
            case NONE -> "";
            case ATTACHED -> name;
            case PRIMARY_UNREACHABLE -> "? " + name;
            case NOT_ATTACHED -> "! " + name;
        };
    }

    private static Cluster.Failover failover(Node node, @Nullable FailoverMode mode) {
        if (mode == FailoverMode.MANUAL) {
            return new Cluster.Failover(
                    "MANUAL",
                    "the primary changes only when an operator asks for it",
                    new Cluster.Agent(
                            "NOT APPLICABLE", node.agentRunning() ? "the agent runs" : "the agent is not heard"));
        }
        String named = mode == null ? "UNKNOWN" : mode.name();
        String details = mode == null ? "ZooKeeper cannot be asked" : "a lost primary is replaced by itself";
        if (node.agentRunning()) {
            return new Cluster.Failover(named, details, new Cluster.Agent("RUNNING", ""));
        }
        String status = node.state() == CellState.DOWN ? "NOT RUNNING" : "UNKNOWN";
        return new Cluster.Failover(named, details, new Cluster.Agent(status, node.detail()));
    }

    private String connectionString(Address address) {
        String port = address.postgresPort() == 5432 ? "" : " port=" + address.postgresPort();
        return "host=" + address.host() + port + " user=" + settings.databaseUser() + " dbname="
                + settings.databaseName() + " connect_timeout=2";
    }

    private static Cluster.@Nullable Halted halted(ClusterReport.@Nullable Halted halted) {
        return halted == null
                ? null
                : new Cluster.Halted(
                        time(halted.since()),
                        halted.epoch(),
                        halted.reason(),
                        text(halted.lsn()),
                        text(halted.forkLsn()),
                        halted.divergedBytes());
    }

    private static String time(Instant time) {
        return time.truncatedTo(ChronoUnit.MILLIS).toString();
    }

    private static @Nullable String text(@Nullable Lsn lsn) {
        return lsn == null ? null : lsn.toString();
    }

    private static @Nullable Long known(long value) {
        return value < 0 ? null : value;
    }
}
