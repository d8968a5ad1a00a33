package org.cellkeeper.cell.zookeeper;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.apache.zookeeper.CreateMode;
import org.cellkeeper.cell.model.Task;
import org.cellkeeper.cell.port.Coordination.Outcome;

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

    CompletableFuture<Outcome> put(Connection c, String id, byte[] data) {
        String path = child(id);
        return c.set(path, data, -1)
                .thenCompose(
                        reply -> reply.isAbsent() ? create(c, path, data) : CompletableFuture.completedFuture(reply))
                .thenApply(Reply::outcome);
    }

    private CompletableFuture<Reply> create(Connection c, String path, byte[] data) {
        return tree.create(c, path, data, CreateMode.PERSISTENT).thenCompose(reply -> {
            if (reply.isThere()) {
                return c.set(path, data, -1);
            }
            if (reply.isOk()) {
                prune(c);
            }
            return CompletableFuture.completedFuture(reply);
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
