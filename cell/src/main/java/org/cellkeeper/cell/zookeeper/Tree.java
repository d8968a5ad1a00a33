package org.cellkeeper.cell.zookeeper;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException.Code;

/** Where the nodes of a cluster lie in ZooKeeper, and how one is made together with what it lies under. */
final class Tree {
    static final byte[] NO_DATA = {};

    final String base;
    final String state;
    final String birth;
    final String leader;
    final String members;
    final String votes;
    final String tasks;
    final String history;
    final String revoked;

    Tree(String base) {
        this.base = base;
        state = base + "/state";
        birth = base + "/birth";
        leader = base + "/leader";
        members = base + "/members";
        votes = base + "/votes";
        tasks = base + "/tasks";
        history = base + "/history";
        revoked = base + "/revoked";
    }

    /** Creates a node, making what it lies under when that is not there yet. */
    CompletableFuture<Reply> create(Connection c, String path, byte[] data, CreateMode mode) {
        return c.create(path, data, mode)
                .thenCompose(reply -> reply.isAbsent()
                        ? makeSkeleton(c).thenCompose(made -> c.create(path, data, mode))
                        : CompletableFuture.completedFuture(reply));
    }

    private CompletableFuture<Reply> makeSkeleton(Connection c) {
        List<String> paths = new ArrayList<>();
        for (int slash = base.indexOf('/', 1); slash > 0; slash = base.indexOf('/', slash + 1)) {
            paths.add(base.substring(0, slash));
        }
        paths.addAll(List.of(base, members, votes, tasks, history, revoked));
        CompletableFuture<Reply> last = CompletableFuture.completedFuture(Reply.of(Code.OK, base));
        for (String path : paths) {
            CompletableFuture<Reply> made = c.create(path, NO_DATA, CreateMode.PERSISTENT);
            last = last.thenCompose(ignored -> made);
        }
        return last;
    }
}
