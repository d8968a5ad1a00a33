package org.cellkeeper.cell.sim;

import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeoutException;
import org.cellkeeper.cell.model.Upstream;
import org.cellkeeper.cell.port.Door;
import org.jspecify.annotations.Nullable;

/**
 * The agent's hand on the door of its cell. What the door is to be is noted at once, and it is brought there by and by: it may not be
 * there, may not answer its console and then be started anew, or may pause without ever saying so. It holds by itself for a moment when
 * the primary's PostgreSQL ends.
 */
final class SimDoor implements Door {
    private static final long LOOK = World.SECOND;
    private static final long STARTLED = World.SECOND;
    private static final long ASKED_AGAIN = 100 * World.MILLI;
    private static final long OPENS_WITHIN = World.SECOND;
    private static final long STARTED_AGAIN_WITHIN = 3 * World.SECOND;

    private final World world;
    private final SimCell cell;
    private final AgentProcess agent;
    private final DoorState door;
    private final List<CompletableFuture<Void>> opening = new ArrayList<>();
    private @Nullable Upstream primary;
    private @Nullable Hold hold;
    private boolean starting;

    private static final class Hold {
        private final CompletableFuture<Void> done = new CompletableFuture<>();
        private final long until;
        private final Instant since;
        private boolean asked;

        Hold(long until, Instant since) {
            this.until = until;
            this.since = since;
        }
    }

    SimDoor(World world, SimCell cell, AgentProcess agent) {
        this.world = world;
        this.cell = cell;
        this.agent = agent;
        door = cell.doorState();
    }

    /** Lets go what a dead agent held, and looks after the door from now on. */
    void start() {
        if (!door.isDown()) {
            door.open(null);
        }
        look();
    }

    private void look() {
        if (door.isDown()) {
            settle();
        }
        agent.post(LOOK, this::look);
    }

    @Override
    public CompletableFuture<Void> hold(long drainMillis, long holdMillis) {
        Hold mine = begin(holdMillis * World.MILLI);
        agent.post(drainMillis * World.MILLI, () -> {
            if (!mine.done.isDone()) {
                end(mine, "transactions did not end in time");
            }
        });
        return mine.done;
    }

    private Hold begin(long lasts) {
        Hold before = hold;
        if (before != null) {
            before.done.completeExceptionally(new TimeoutException("held anew"));
        }
        Hold mine = new Hold(world.now() + lasts, agent.clock().now());
        hold = mine;
        agent.post(lasts, () -> end(mine, "held for too long"));
        settle();
        return mine;
    }

    private void end(Hold mine, String why) {
        if (hold == mine) {
            hold = null;
            mine.done.completeExceptionally(new TimeoutException(why));
            settle();
        }
    }

    /** The PostgreSQL of this cell has ended, and its machine says so to those who are connected. */
    void startle(SimCell ended) {
        Upstream to = primary;
        if (hold != null || to == null || world.at(to.host()) != ended) {
            return;
        }
        calm(begin(STARTLED), ended);
    }

    private void calm(Hold mine, SimCell ended) {
        agent.post(ASKED_AGAIN, () -> {
            if (hold != mine) {
                return;
            }
            if (ended.postgres().isRunning()) {
                end(mine, "the primary is there");
            } else {
                calm(mine, ended);
            }
        });
    }

    @Override
    public CompletableFuture<Void> openTo(Upstream to) {
        CompletableFuture<Void> done = new CompletableFuture<>();
        primary = to;
        Hold before = hold;
        if (before != null) {
            hold = null;
            before.done.completeExceptionally(new TimeoutException("opened meanwhile"));
        }
        opening.add(done);
        agent.post(OPENS_WITHIN, () -> done.complete(null));
        settle();
        return done;
    }

    private void settle() {
        agent.post(world.delay(500, 3 * World.MILLI), this::steer);
    }

    private void steer() {
        Hold held = hold;
        if (door.isDown()) {
            if (held != null) {
                // Nobody comes through.
                held.done.complete(null);
            }
            startAgain();
        } else if (world.perMille(world.weather.doorsFail)) {
            world.statistics.count("door not steered");
            agent.post(world.delay(20 * World.MILLI, World.SECOND), () -> {
                door.kill();
                startAgain();
            });
        } else if (held == null) {
            door.open(primary);
            opening.forEach(done -> done.complete(null));
            opening.clear();
        } else if (!held.asked || !door.held()) {
            held.asked = true;
            boolean says = !world.perMille(world.weather.doorsFail);
            door.hold(held.until, () -> {
                if (says) {
                    agent.post(world.delay(100, World.MILLI), () -> held.done.complete(null));
                }
            });
        }
    }

    private void startAgain() {
        if (starting) {
            return;
        }
        starting = true;
        agent.post(world.delay(20 * World.MILLI, STARTED_AGAIN_WITHIN), () -> {
            starting = false;
            door.start();
            settle();
        });
    }

    @Override
    public Status status() {
        Hold held = hold;
        return new Status(
                held == null ? null : held.since, door.isDown() ? "it has ended, and is started again soon" : "");
    }
}
