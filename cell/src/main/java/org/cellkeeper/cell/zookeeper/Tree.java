package org.cellkeeper.cell.zookeeper;

import static java.util.concurrent.CompletableFuture.completedFuture;

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
    final String secrets;

    /** Nobody but cells makes anything at the root, as was last seen or done. */
    private boolean rootIsClosed;

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
        secrets = base + "/secrets";
    }

    /** Creates a node, making what it lies under when that is not there yet. */
    CompletableFuture<Reply> create(Connection c, String path, byte[] data, CreateMode mode) {
        return c.create(path, data, mode)
                .thenCompose(reply -> reply.isAbsent()
                        ? make(c).thenCompose(made -> c.create(path, data, mode))
                        : completedFuture(reply));
    }

    /**
     * Leaves nobody but cells room beside it, once it is there: a node that is made at the root while that is being closed has ZooKeeper
     * reckon wrong what all nodes amount to, and complain of it ever after.
     *
     * @param fresh with a new session, so perhaps with other servers; else only what a lost connection cut short is done once more
     */
    void closeRoot(Connection c, boolean fresh) {
        if (rootIsClosed && !fresh) {
            return;
        }
        rootIsClosed = false;
        var unused = c.acl("/")
                .thenCompose(root -> isOpen(root) ? make(c).thenCompose(made -> c.closeRoot()) : completedFuture(root))
                .thenAccept(last -> rootIsClosed = last.isOk());
    }

    private static boolean isOpen(Reply root) {
        return root.isOk()
                && root.acl().stream().anyMatch(acl -> !acl.getId().getScheme().equals(NodeKeys.SCHEME));
    }

    private CompletableFuture<Reply> make(Connection c) {
        List<String> paths = new ArrayList<>();
        for (int slash = base.indexOf('/', 1); slash > 0; slash = base.indexOf('/', slash + 1)) {
            paths.add(base.substring(0, slash));
        }
        paths.addAll(List.of(base, members, votes, tasks, history, revoked, secrets));
        CompletableFuture<Reply> last = completedFuture(Reply.of(Code.OK, base));
        for (String path : paths) {
            CompletableFuture<Reply> made = c.create(path, NO_DATA, CreateMode.PERSISTENT);
            last = last.thenCompose(ignored -> made);
        }
        return last;
    }
}
