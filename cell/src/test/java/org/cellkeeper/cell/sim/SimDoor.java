package org.cellkeeper.cell.sim;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeoutException;
import org.cellkeeper.cell.model.Upstream;
import org.cellkeeper.cell.port.Door;

/** The agent's hand on the door of its cell. */
final class SimDoor implements Door {
    private final World world;
    private final SimCell cell;
    private final AgentProcess agent;
    private int holds;

    SimDoor(World world, SimCell cell, AgentProcess agent) {
        this.world = world;
        this.cell = cell;
        this.agent = agent;
        // What a dead agent held is let go by the next one.
        cell.doorState().open(null);
    }

    @Override
    public CompletableFuture<Void> hold(long drainMillis, long holdMillis) {
        CompletableFuture<Void> done = new CompletableFuture<>();
        int mine = ++holds;
        DoorState door = cell.doorState();
        agent.post(world.delay(500, 3 * World.MILLI), () -> {
            if (mine != holds) {
                done.completeExceptionally(new TimeoutException("opened meanwhile"));
                return;
            }
            door.hold(
                    world.now() + holdMillis * World.MILLI,
                    () -> agent.post(world.delay(100, World.MILLI), () -> done.complete(null)));
            agent.post(drainMillis * World.MILLI, () -> {
                if (!done.isDone() && mine == holds) {
                    door.open(null);
                    done.completeExceptionally(new TimeoutException("transactions did not end in time"));
                }
            });
            agent.post(holdMillis * World.MILLI, () -> {
                if (mine == holds) {
                    door.open(null);
                }
            });
        });
        return done;
    }

    @Override
    public CompletableFuture<Void> openTo(Upstream primary) {
        CompletableFuture<Void> done = new CompletableFuture<>();
        holds++;
        agent.post(world.delay(500, 3 * World.MILLI), () -> {
            cell.doorState().open(primary);
            done.complete(null);
        });
        return done;
    }

    @Override
    public Status status() {
        return Status.OPEN;
    }
}
