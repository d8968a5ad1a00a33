package org.cellkeeper.cell.http;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Looks at passwords, and at no more than {@link Guesses} allows. Of those that are hashed one is looked at after the other, for that
 * takes a processor's time. Any thread may use it.
 */
final class Passwords {
    private static final Duration TURN_COMES = Duration.ofSeconds(5);
    private static final int WAITING = 32;

    private final Users users;
    private final LongSupplier nanos;
    private final Guesses guesses;
    private final ReentrantLock hashing = new ReentrantLock(true);

    /** @param nanos the time, as {@link System#nanoTime} */
    Passwords(Users users, LongSupplier nanos) {
        this.users = users;
        this.nanos = nanos;
        this.guesses = new Guesses(nanos.getAsLong());
    }

    /** What is said of a name and a password. */
    sealed interface Verdict {
        record Right(Users.Known user) implements Verdict {}

        record Wrong() implements Verdict {}

        /** It was not looked at, for what came before from there. */
        record Later(Duration in) implements Verdict {}

        /** It was not looked at, as others wait for that already. */
        record Busy(Duration in) implements Verdict {}
    }

    Verdict of(String address, String name, String password) {
        String network = Guesses.network(address);
        Users.@Nullable Known user = users.find(name);
        // A name that is nobody's takes as long as one that is somebody's.
        Users.@Nullable Known slow = user == null ? users.slowest() : user.isHashed() ? user : null;
        synchronized (guesses) {
            Verdict.Later later = later(network, user);
            if (later != null) {
                return later;
            }
            if (user != null && user.isAtOnce(password)) {
                return new Verdict.Right(user);
            }
            if (slow == null || password.isEmpty()) {
                return wrong(network, user);
            }
        }
        return inTurn(network, user, slow, password);
    }

    private Verdict inTurn(String network, Users.@Nullable Known user, Users.Known slow, String password) {
        try {
            if (hashing.getQueueLength() >= WAITING || !hashing.tryLock(TURN_COMES.toNanos(), TimeUnit.NANOSECONDS)) {
                return new Verdict.Busy(TURN_COMES);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw Answers.stopping();
        }
        try {
            synchronized (guesses) {
                // Those whose turn came before may have been wrong.
                Verdict.Later later = later(network, user);
                if (later != null) {
                    return later;
                }
            }
            boolean isRight = slow.is(password) && user != null;
            if (isRight) {
                return new Verdict.Right(slow);
            }
            synchronized (guesses) {
                return wrong(network, user);
            }
        } finally {
            hashing.unlock();
        }
    }

    private Verdict.@Nullable Later later(String network, Users.@Nullable Known user) {
        long wait = guesses.waitNanos(network, slot(user), nanos.getAsLong());
        return wait == 0 ? null : new Verdict.Later(Duration.ofNanos(wait));
    }

    private Verdict wrong(String network, Users.@Nullable Known user) {
        guesses.wrong(network, slot(user), nanos.getAsLong());
        return new Verdict.Wrong();
    }

    private static String slot(Users.@Nullable Known user) {
        return user == null ? "" : user.user().name();
    }
}
