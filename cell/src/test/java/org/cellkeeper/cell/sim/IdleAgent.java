package org.cellkeeper.cell.sim;

import java.util.concurrent.CompletableFuture;
import org.cellkeeper.cell.port.Operator;

/** An agent that does nothing: tests use its ports by hand. */
final class IdleAgent implements SimAgent {
    @Override
    public void start() {}

    @Override
    public CompletableFuture<Void> stopRequested() {
        return CompletableFuture.completedFuture(null);
    }

    @Override
    public Operator operator() {
        throw new UnsupportedOperationException("an idle agent has no operator");
    }

    /** A calm world whose cells have idle agents that nobody restarts. */
    static World world(long seed, int cells) {
        World world = new World(World.Setup.of(seed, cells, seat -> new IdleAgent()));
        world.weather.judged = false;
        world.weather.oldFirstReads = 0;
        world.weather.detachedEarly = false;
        for (SimCell cell : world.cells()) {
            cell.guarded(false);
            cell.startAgent();
        }
        return world;
    }
}
