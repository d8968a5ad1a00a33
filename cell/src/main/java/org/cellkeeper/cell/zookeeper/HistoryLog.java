package org.cellkeeper.cell.zookeeper;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.apache.zookeeper.CreateMode;
import org.cellkeeper.cell.model.HistoryEntry;
import org.cellkeeper.cell.port.Coordination.Outcome;
import org.cellkeeper.cell.wire.Json;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The history, of which no copy is kept: it is read when somebody asks. */
final class HistoryLog {
    private static final Logger LOG = LoggerFactory.getLogger(HistoryLog.class);

    private static final int MOST_HISTORY = 1000;
    private static final int HISTORY_SLACK = 20;

    private final Tree tree;

    HistoryLog(Tree tree) {
        this.tree = tree;
    }

    CompletableFuture<Outcome> append(Connection c, byte[] data) {
        return tree.create(c, tree.history + "/e-", data, CreateMode.PERSISTENT_SEQUENTIAL)
                .thenApply(reply -> {
                    if (reply.isOk()) {
                        prune(c);
                    }
                    return reply.outcome();
                });
    }

    private void prune(Connection c) {
        var unused = c.exists(tree.history).thenAccept(reply -> {
            if (reply.isOk() && reply.statOfOk().getNumChildren() > MOST_HISTORY + HISTORY_SLACK) {
                var unusedListing = c.children(tree.history)
                        .thenAccept(listed -> newestFirst(listed)
                                .skip(MOST_HISTORY)
                                .forEach(path -> {
                                    var unusedDeletion = c.delete(path, -1);
                                }));
            }
        });
    }

    /** The newest first. */
    CompletableFuture<List<HistoryEntry>> read(Connection c, int limit) {
        return c.children(tree.history).thenCompose(listed -> {
            if (!listed.isOk() && !listed.isAbsent()) {
                return cannotBeAsked(listed.code().toString());
            }
            List<CompletableFuture<Reply>> entries = newestFirst(listed)
                    .limit(Math.min(limit, MOST_HISTORY))
                    .map(c::get)
                    .toList();
            return CompletableFuture.allOf(entries.toArray(CompletableFuture[]::new))
                    .thenCompose(all ->
                            parse(entries.stream().map(CompletableFuture::join).toList()));
        });
    }

    static CompletableFuture<List<HistoryEntry>> cannotBeAsked(String why) {
        return CompletableFuture.failedFuture(new IOException("ZooKeeper cannot be asked: " + why));
    }

    private static CompletableFuture<List<HistoryEntry>> parse(List<Reply> replies) {
        List<HistoryEntry> entries = new ArrayList<>();
        for (Reply reply : replies) {
            try {
                if (reply.isOk()) {
                    entries.add(Json.read(reply.data(), HistoryEntry.class));
                } else if (!reply.isAbsent()) {
                    return cannotBeAsked(reply.code().toString());
                }
            } catch (Json.Unreadable e) {
                LOG.warn("{} is left out: {}", reply.path(), e.getMessage());
            }
        }
        return CompletableFuture.completedFuture(List.copyOf(entries));
    }

    /** The paths of the entries, which are numbered. */
    private Stream<String> newestFirst(Reply listed) {
        return listed.children().stream().sorted(Comparator.reverseOrder()).map(name -> tree.history + "/" + name);
    }
}
