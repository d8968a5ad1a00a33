package org.cellkeeper.cell.door;

import java.util.concurrent.CompletableFuture;
import org.cellkeeper.cell.model.Upstream;
import org.cellkeeper.cell.port.Door;

/** For a cell whose clients connect to PostgreSQL itself: nothing is held, and nothing needs to be opened. */
public final class NoDoor implements Door {
    @Override
    public CompletableFuture<Void> hold(long drainMillis, long holdMillis) {
        return CompletableFuture.completedFuture(null);
    }

    @Override
    public CompletableFuture<Void> openTo(Upstream primary) {
        return CompletableFuture.completedFuture(null);
    }

    @Override
    public Status status() {
        return Status.OPEN;
    }
}
