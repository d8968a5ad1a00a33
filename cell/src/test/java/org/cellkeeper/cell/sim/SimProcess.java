package org.cellkeeper.cell.sim;

import java.util.ArrayDeque;
import java.util.Deque;

/** Something that can be killed and stopped: an agent or a run of PostgreSQL. What belongs to it dies or waits with it. */
class SimProcess {
    private final World world;
    private final Deque<Runnable> deferred = new ArrayDeque<>();
    private boolean alive = true;
    private boolean paused;

    SimProcess(World world) {
        this.world = world;
    }

    final boolean alive() {
        return alive;
    }

    final boolean paused() {
        return paused;
    }

    final boolean running() {
        return alive && !paused;
    }

    final void end() {
        alive = false;
        deferred.clear();
    }

    /** SIGSTOP: what would have happened to it happens when it goes on. */
    final void pause() {
        paused = true;
    }

    final void resume() {
        if (!paused) {
            return;
        }
        paused = false;
        while (!deferred.isEmpty()) {
            world.post(this, 0, deferred.removeFirst());
        }
    }

    final void defer(Runnable task) {
        deferred.add(task);
    }
}
