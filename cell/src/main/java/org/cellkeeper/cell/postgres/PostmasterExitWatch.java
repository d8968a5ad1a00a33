package org.cellkeeper.cell.postgres;

import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.postgresql.PGConnection;

/**
 * Makes an event of PostgreSQL's exit: one idle session, on this thread of its own, blocks until its server goes. It costs
 * nothing while nothing happens, and works for a postmaster that an earlier agent started.
 */
final class PostmasterExitWatch implements AutoCloseable {
    private static final Duration LOGIN = Duration.ofSeconds(1);

    private final Sessions sessions;
    private final Postmaster postmaster;
    private final Runnable somethingChanged;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final Thread thread;
    private @Nullable Connection connection;
    private boolean closed;
    private boolean poked;

    PostmasterExitWatch(Sessions sessions, Postmaster postmaster, Runnable somethingChanged) {
        this.sessions = sessions;
        this.postmaster = postmaster;
        this.somethingChanged = somethingChanged;
        this.thread = Thread.ofPlatform().name("postgres-exit-watch").daemon().unstarted(this::run);
    }

    void start() {
        thread.start();
    }

    /** An instance has come up: keep watch at once. */
    void poke() {
        lock.lock();
        try {
            poked = true;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    private void run() {
        while (!isClosed()) {
            if (postmaster.find() != null) {
                keepWatch();
            }
            pause();
        }
    }

    private void keepWatch() {
        Connection session;
        try {
            session = sessions.open("exit-watch", LOGIN, LOGIN);
        } catch (SQLException e) {
            return;
        }
        try {
            session.setNetworkTimeout(null, 0);
            hold(session);
            while (!isClosed()) {
                // Returns only for a notification, and nothing is listened to.
                var _ = session.unwrap(PGConnection.class).getNotifications(0);
            }
        } catch (SQLException e) {
            somethingChanged.run();
        } finally {
            hold(null);
            Sessions.close(session);
        }
    }

    private void hold(@Nullable Connection session) {
        lock.lock();
        try {
            connection = session;
        } finally {
            lock.unlock();
        }
    }

    private boolean isClosed() {
        lock.lock();
        try {
            return closed;
        } finally {
            lock.unlock();
        }
    }

    private void pause() {
        lock.lock();
        try {
            long left = TimeUnit.MILLISECONDS.toNanos(500);
            while (!poked && !closed && left > 0) {
                left = changed.awaitNanos(left);
            }
            poked = false;
        } catch (InterruptedException e) {
            closed = true;
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void close() {
        Connection session;
        lock.lock();
        try {
            closed = true;
            session = connection;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        if (session != null) {
            Sessions.abort(session);
        }
    }
}
