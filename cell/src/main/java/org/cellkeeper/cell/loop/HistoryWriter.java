package org.cellkeeper.cell.loop;

import org.cellkeeper.cell.decide.View;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.HistoryEntry;
import org.cellkeeper.cell.model.Task;

/**
 * Writes into the history what is no rule's deed: what operators asked for, and how the cluster's health changed. An entry that
 * ZooKeeper does not take is lost: the history tells, it does not decide. Any thread may use it.
 */
final class HistoryWriter {
    private final CellLoop loop;
    private final Ports ports;

    HistoryWriter(CellLoop loop, Ports ports) {
        this.loop = loop;
        this.ports = ports;
    }

    /** An operator's request has become a task. */
    void asked(Task task, String caller) {
        note(
                switch (task.operation()) {
                    case PROMOTE -> "An operator asked for the promotion of " + task.target() + ".";
                    case SWITCHOVER -> "An operator asked for a switchover to " + task.target() + ".";
                    case REMOVE -> "An operator asked for the removal of " + task.target() + ".";
                    case DEPLOY -> "An operator asked to deploy " + task.target() + " anew.";
                    case MODE -> "An operator changed the failover mode.";
                    case BACKUP -> "An operator asked for a backup.";
                    case BACKUP_AND_CHECK -> "An operator asked for a backup, and to check it.";
                    case CHECK_BACKUP -> "An operator asked to check a backup.";
                    case RESTORE -> "An operator asked to restore a backup.";
                    case DELETE_BACKUP -> "An operator asked to delete a backup.";
                },
                particulars(task, caller));
    }

    private String particulars(Task task, String caller) {
        String about =
                task.backup() != null ? task.backup() + "; " : task.message().isEmpty() ? "" : task.message() + "; ";
        String accepted = !task.acceptDataLoss()
                ? ""
                : switch (task.operation()) {
                    case PROMOTE -> "accepting the loss of commits; ";
                    case CHECK_BACKUP, RESTORE -> "accepting that its signature is not this cluster's; ";
                    case SWITCHOVER, REMOVE, DEPLOY, MODE, BACKUP, BACKUP_AND_CHECK, DELETE_BACKUP -> "by force; ";
                };
        return about + accepted + caller + ", at " + loop.name() + "; task " + task.id();
    }

    void note(String sentence, String detail) {
        CellLoop.Snapshot snapshot = loop.snapshot();
        View view = snapshot == null ? null : snapshot.view();
        ClusterState state = view == null ? null : view.state();
        var ignored = ports.coordination()
                .appendHistory(new HistoryEntry(
                        ports.clock().now(), loop.name(), state == null ? 0 : state.epoch(), 0, sentence, detail));
    }
}
