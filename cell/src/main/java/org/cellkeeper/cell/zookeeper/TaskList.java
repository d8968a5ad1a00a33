package org.cellkeeper.cell.zookeeper;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.cellkeeper.cell.model.Task;
import org.cellkeeper.cell.port.Coordination.Outcome;
import org.cellkeeper.cell.wire.Json;

/** The tasks: a copy of them, and how one is put and the oldest are dropped. Lives on the coordination thread. */
final class TaskList extends Folder<Task> {
    private static final int MOST_TASKS = 200;

    private final Tree tree;

    TaskList(Tree tree) {
        super(tree.tasks, Task.class);
        this.tree = tree;
    }

    List<Task> tasks() {
        return newestFirst().stream().map(Entry::value).toList();
    }

    /** A task that has ended stays as it ended. */
    CompletableFuture<Outcome> put(Connection c, String id, byte[] data) {
        String path = child(id);
        return c.get(path)
                .thenCompose(read -> {
                    if (read.isAbsent()) {
                        return create(c, path, data);
                    }
                    if (!read.isOk()) {
                        return CompletableFuture.completedFuture(read);
                    }
                    return hasEnded(read)
                            ? CompletableFuture.completedFuture(Reply.of(KeeperException.Code.BADVERSION, path))
                            : c.set(path, data, read.statOfOk().getVersion());
                })
                .thenApply(Reply::outcome);
    }

    private static boolean hasEnded(Reply read) {
        try {
            return !Json.read(read.data(), Task.class).isOpen();
        } catch (Json.Unreadable e) {
            return false;
        }
    }

    private CompletableFuture<Reply> create(Connection c, String path, byte[] data) {
        return tree.create(c, path, data, CreateMode.PERSISTENT).thenApply(reply -> {
            if (reply.isOk()) {
                prune(c);
            }
            return reply;
        });
    }

    /** Drops the oldest that have ended, past the number that is kept. */
    private void prune(Connection c) {
        List<Entry<Task>> all = newestFirst();
        int surplus = all.size() + 1 - MOST_TASKS;
        for (int i = all.size() - 1; i >= 0 && surplus > 0; i--) {
            if (!all.get(i).value().isOpen()) {
                var unused = c.delete(child(all.get(i).name()), -1);
                surplus--;
            }
        }
    }
}
