package org.cellkeeper.cell.zookeeper;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import org.apache.zookeeper.data.Stat;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.wire.Json;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A copy of the children of one node, each read as a record. Lives on the coordination thread. A child that cannot be read
 * as a record is left out, and said once.
 */
class Folder<T> {
    private static final Logger LOG = LoggerFactory.getLogger(Folder.class);

    private final String path;
    private final Class<T> type;
    private final Map<String, Entry<T>> entries = new HashMap<>();
    private final Set<String> unreadable = new HashSet<>();

    Folder(String path, Class<T> type) {
        this.path = path;
        this.type = type;
    }

    /** One child, and the transaction that made it. */
    record Entry<T>(String name, T value, long born) {}

    String child(String name) {
        return path + "/" + name;
    }

    /** Whether this is the path of a child. */
    boolean isAbove(String other) {
        return other.startsWith(path + "/")
                && other.length() > path.length() + 1
                && other.indexOf('/', path.length() + 1) < 0;
    }

    /** All children, the newest first. */
    List<Entry<T>> newestFirst() {
        List<Entry<T>> all = new ArrayList<>(entries.values());
        all.sort(Comparator.comparingLong((Entry<T> entry) -> entry.born()).reversed());
        return all;
    }

    /** The newest entry of each cell. */
    Map<CellName, T> byCell(Function<T, CellName> cell) {
        Map<CellName, T> all = new HashMap<>();
        newestFirst().forEach(entry -> all.putIfAbsent(cell.apply(entry.value()), entry.value()));
        return all;
    }

    /** Reads all children; the answer says whether they could be read. A missing node has none. */
    CompletableFuture<Boolean> readAll(Connection connection) {
        return connection.children(path).thenCompose(listed -> {
            if (connection.isAbandoned()) {
                return CompletableFuture.completedFuture(false);
            }
            if (listed.isAbsent()) {
                entries.clear();
                return CompletableFuture.completedFuture(true);
            }
            if (!listed.isOk()) {
                return CompletableFuture.completedFuture(false);
            }
            List<CompletableFuture<Reply>> children = listed.children().stream()
                    .map(name -> connection.get(child(name)))
                    .toList();
            return CompletableFuture.allOf(children.toArray(CompletableFuture[]::new))
                    .thenApply(all -> {
                        if (connection.isAbandoned()) {
                            return false;
                        }
                        List<Reply> replies =
                                children.stream().map(CompletableFuture::join).toList();
                        forgetAllBut(Set.copyOf(listed.children()), listed.statOfOk());
                        replies.forEach(this::take);
                        return replies.stream().allMatch(reply -> reply.isOk() || reply.isAbsent());
                    });
        });
    }

    /** Reads the child with this path anew. */
    CompletableFuture<Boolean> readOne(Connection connection, String childPath) {
        return connection.get(childPath).thenApply(reply -> {
            if (connection.isAbandoned()) {
                return false;
            }
            take(reply);
            return reply.isOk() || reply.isAbsent();
        });
    }

    /** What was made after the listing is not in it, and stays. */
    private void forgetAllBut(Set<String> listed, Stat listing) {
        entries.values().removeIf(entry -> !listed.contains(entry.name()) && entry.born() <= listing.getPzxid());
    }

    private void take(Reply reply) {
        String name = reply.path().substring(path.length() + 1);
        if (reply.isAbsent()) {
            entries.remove(name);
            unreadable.remove(name);
        } else if (reply.isOk()) {
            try {
                entries.put(
                        name,
                        new Entry<>(
                                name,
                                Json.read(reply.data(), type),
                                reply.statOfOk().getCzxid()));
                unreadable.remove(name);
            } catch (Json.Unreadable e) {
                entries.remove(name);
                if (unreadable.add(name)) {
                    LOG.error("{} is left out: {}", reply.path(), e.getMessage());
                }
            }
        }
    }
}
