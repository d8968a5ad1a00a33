package org.cellkeeper.cell.sim;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;

/** Lets a world run by itself, on one thread, for contract tests that wait as one waits for real servers. */
final class LivePump implements AutoCloseable {
    private static final int BATCH = 200;

    private final World world;
    private final Thread thread;
    private boolean closed;

    LivePump(World world) {
        this.world = world;
        thread = Thread.ofPlatform().daemon().name("world").start(this::pump);
    }

    private void pump() {
        synchronized (world) {
            while (!closed) {
                boolean alive = true;
                for (int i = 0; i < BATCH && alive; i++) {
                    alive = world.step();
                }
                try {
                    world.wait(1);
                } catch (InterruptedException interrupted) {
                    return;
                }
            }
        }
    }

    /** The same port, safe to call while the world runs. */
    <T> T guarded(Class<T> port, T real) {
        return port.cast(Proxy.newProxyInstance(
                port.getClassLoader(), new Class<?>[] {port}, (self, method, arguments) -> {
                    synchronized (world) {
                        try {
                            return method.invoke(real, arguments);
                        } catch (InvocationTargetException failed) {
                            throw failed.getCause();
                        }
                    }
                }));
    }

    void run(Runnable task) {
        synchronized (world) {
            task.run();
        }
    }

    @Override
    public void close() {
        synchronized (world) {
            closed = true;
            world.notifyAll();
        }
    }
}
