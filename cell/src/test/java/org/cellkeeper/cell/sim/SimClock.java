package org.cellkeeper.cell.sim;

import java.time.Instant;
import org.cellkeeper.cell.port.Clock;

/**
 * One agent's clock: it drifts by a few per cent, started anywhere, and goes on while the agent is paused. The time of day is its
 * machine's, and is not another's.
 */
final class SimClock implements Clock {
    private final World world;
    private final SimCell cell;
    private final AgentProcess agent;
    private final long originMillis;
    private final double rate;

    SimClock(World world, SimCell cell, AgentProcess agent, long originMillis, double rate) {
        this.world = world;
        this.cell = cell;
        this.agent = agent;
        this.originMillis = originMillis;
        this.rate = rate;
    }

    @Override
    public long millis() {
        return originMillis + (long) (world.now() * rate / World.MILLI);
    }

    @Override
    public Instant now() {
        return world.wallClock().plusMillis(cell.clockAheadMillis());
    }

    @Override
    public void after(long delayMillis, Runnable task) {
        agent.post((long) (Math.max(0, delayMillis) * World.MILLI / rate), task);
    }
}
