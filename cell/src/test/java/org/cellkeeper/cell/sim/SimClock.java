package org.cellkeeper.cell.sim;

import java.time.Instant;
import org.cellkeeper.cell.port.Clock;

/** One agent's clock: it drifts by a few per cent, started anywhere, and goes on while the agent is paused. */
final class SimClock implements Clock {
    private final World world;
    private final AgentProcess agent;
    private final long originMillis;
    private final double rate;

    SimClock(World world, AgentProcess agent, long originMillis, double rate) {
        this.world = world;
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
        return world.wallClock();
    }

    @Override
    public void after(long delayMillis, Runnable task) {
        agent.post((long) (Math.max(0, delayMillis) * World.MILLI / rate), task);
    }
}
