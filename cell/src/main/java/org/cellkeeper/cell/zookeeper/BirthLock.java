package org.cellkeeper.cell.zookeeper;

import java.util.concurrent.CompletableFuture;
import org.apache.zookeeper.CreateMode;
import org.cellkeeper.cell.port.Coordination.Outcome;

/** The ephemeral node whose holder may found the cluster. Lives on the coordination thread. */
final class BirthLock {
    private final Tree tree;
    private boolean held;

    BirthLock(Tree tree) {
        this.tree = tree;
    }

    /** Whether this session held it when it was last read. */
    boolean isHeld() {
        return held;
    }

    /** The session that may have held it has ended. */
    void lost() {
        held = false;
    }

    CompletableFuture<Outcome> take(Connection c) {
        return tree.create(c, tree.birth, Tree.NO_DATA, CreateMode.EPHEMERAL).thenCompose(reply -> {
            if (!reply.isOk() && !reply.isThere()) {
                return CompletableFuture.completedFuture(reply.outcome());
            }
            return read(c).thenApply(
                            read -> held ? Outcome.APPLIED : reply.isOk() ? Outcome.UNKNOWN : Outcome.CONFLICT);
        });
    }

    CompletableFuture<Boolean> read(Connection c) {
        return c.exists(tree.birth).thenApply(reply -> {
            if (c.isAbandoned()) {
                return false;
            }
            held = reply.isOk() && reply.statOfOk().getEphemeralOwner() == c.sessionId();
            return reply.isOk() || reply.isAbsent();
        });
    }
}
