package org.cellkeeper.cell.torture;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.DatabaseView.Receiver;
import org.cellkeeper.cell.model.DatabaseView.Rest;

/**
 * Observes one server again and again, on a thread of its own, as an agent does. What can be judged at once is; what was said of the
 * WAL's end while the disk is at rest is kept until it is held against the disk.
 */
final class Watch implements AutoCloseable {
    private static final long SILENCE_SECONDS = 60;
    private static final int KEPT = 5_000;
    private static final long LEAVES_WITHIN_NANOS = TimeUnit.MILLISECONDS.toNanos(500);
    private static final Pattern UPSTREAM =
            Pattern.compile("(?m)^primary_conninfo = '.*host=''(\\S+)'' .*port=''([0-9]+)''.*"
                    + "application_name=''([^'.]+\\.[^'.]+)\\.([0-9]+)''");
    private static final Pattern NO_UPSTREAM = Pattern.compile("(?m)^primary_conninfo = ''$");

    /** An end that was said to be known, or a detachment: how often, and when first, in milliseconds of the run. */
    record Claim(Rest end, boolean detached, long firstAt, DatabaseView firstView) {}

    /** An observation, and what the machine showed before and after it. */
    private record Look(DatabaseView view, long begun, Sample before, Sample after) {}

    private record Sample(List<Processes.Child> children, String settings) {
        boolean has(Sample later, String kind) {
            return children.stream()
                    .anyMatch(child -> child.is(kind)
                            && later.children.stream().anyMatch(other -> other.pid() == child.pid() && other.is(kind)));
        }
    }

    /** A time during which the disk cannot change, from the moment it begins, or from the first observation of a detachment. */
    final class Rested {
        private final boolean fromDetachment;
        private final Map<Object, Claim> claims = new LinkedHashMap<>();
        private final long since = System.nanoTime();
        private boolean begun;
        private int looks;

        private Rested(boolean fromDetachment) {
            this.fromDetachment = fromDetachment;
            this.begun = !fromDetachment;
        }

        private synchronized void add(Look look) {
            DatabaseView view = look.view;
            boolean detached = view.standby() != null && view.standby().receiver() == Receiver.DETACHED;
            if (look.begun < since || (!begun && !detached)) {
                return;
            }
            begun = true;
            looks++;
            Rest end = view.knownEnd();
            if ((end != null || detached) && claims.size() < KEPT) {
                claims.putIfAbsent(
                        List.of(String.valueOf(end), detached),
                        new Claim(end, detached, (look.begun - zero) / 1_000_000, view));
            }
        }

        /** Whether it has begun: at once, or once a detachment was said. */
        synchronized boolean hasBegun() {
            return begun;
        }

        synchronized boolean knowsTheEnd() {
            return claims.values().stream().anyMatch(claim -> claim.end != null);
        }

        synchronized int looks() {
            return looks;
        }

        synchronized List<Claim> claims() {
            return new ArrayList<>(claims.values());
        }
    }

    private final Server server;
    private final long zero;
    private final Thread thread;
    private volatile boolean closed;
    private volatile Rested rested;
    private volatile Throwable failure;
    private final AtomicLong observations = new AtomicLong();

    Watch(Server server, long zero) {
        this.server = server;
        this.zero = zero;
        this.thread = Thread.ofPlatform()
                .name("watch-" + server.name())
                .daemon()
                .uncaughtExceptionHandler((_, problem) -> failure = problem)
                .start(this::run);
    }

    private void run() {
        while (!closed) {
            Rested now = rested;
            Sample before = sample(now != null);
            long begun = System.nanoTime();
            DatabaseView view = look();
            if (view != null) {
                Look look = new Look(view, begun, before, sample(now != null));
                judge(look);
                observations.incrementAndGet();
                // What was asked for before the disk came to rest, or told after that, does not count.
                if (now != null && rested == now) {
                    now.add(look);
                }
            }
            pass(now != null ? 4 : 40);
        }
    }

    private DatabaseView look() {
        try {
            return server.adapter().observe().get(SILENCE_SECONDS, TimeUnit.SECONDS);
        } catch (ExecutionException | RejectedExecutionException e) {
            // An adapter that has just been replaced, or a folder that was moved meanwhile: the next one tells.
            return null;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return null;
        } catch (TimeoutException e) {
            throw new Mismatch(server.name() + ": no observation within " + SILENCE_SECONDS + " s");
        }
    }

    private Sample sample(boolean withProcesses) {
        Path file = server.dataDir().resolve("cellkeeper.conf");
        String settings = "";
        try {
            settings = Files.readString(file);
        } catch (IOException e) {
            // A clone puts it in place.
        }
        return new Sample(withProcesses ? server.processes().children() : List.of(), settings);
    }

    private void judge(Look look) {
        DatabaseView view = look.view;
        DatabaseView.Standby standby = view.standby();
        if (standby != null && standby.replayed().compareTo(standby.received()) > 0) {
            throw wrong("said to have replayed more than it received", view);
        }
        boolean detached = standby != null && standby.receiver() == Receiver.DETACHED;
        boolean closedForWal = view.closed() != null && !view.closed().receives();
        if ((detached || closedForWal) && stays(look, "walreceiver")) {
            throw wrong(
                    "said not to receive, " + (detached ? "detached" : "closed")
                            + " as it is, while a walreceiver runs",
                    view);
        }
        if (view.isStopped() && look.before.has(look.after, "")) {
            throw wrong("said to be stopped while there are " + look.after.children, view);
        }
        if (look.before.settings.equals(look.after.settings) && !look.before.settings.isEmpty()) {
            String onDisk = upstream(look.before.settings);
            String said = view.upstreamOnDisk() == null
                    ? ""
                    : view.upstreamOnDisk().host() + ":" + view.upstreamOnDisk().port() + " epoch "
                            + view.upstreamOnDisk().epoch();
            if (view.data() == DatabaseView.Data.PRESENT && !said.equals(onDisk)) {
                throw wrong("upstream said to be '" + said + "', and in the file it is '" + onDisk + "'", view);
            }
        }
    }

    /**
     * A walreceiver that has given up is a process for some time yet, for longer on a busy machine, and writes nothing any more: what is
     * wrong is one that goes on. That the disk does not change meanwhile is judged apart.
     */
    private boolean stays(Look look, String kind) {
        long end = System.nanoTime() + LEAVES_WITHIN_NANOS;
        for (Sample later = look.after; look.before.has(later, kind); later = sample(true)) {
            if (System.nanoTime() > end) {
                return true;
            }
            pass(20);
        }
        return false;
    }

    static String upstream(String settings) {
        Matcher found = UPSTREAM.matcher(settings);
        if (found.find()) {
            return found.group(1) + ":" + found.group(2) + " epoch " + found.group(4);
        }
        return NO_UPSTREAM.matcher(settings).find() ? "" : "unreadable";
    }

    private Mismatch wrong(String what, DatabaseView view) {
        return new Mismatch(server.name() + " is " + what + "\n  observation: " + view);
    }

    // ---- what the run asks of it

    /** From now on the disk cannot change: the primary is gone and nothing is received any more, or the server is stopped. */
    Rested rest() {
        Rested begun = new Rested(false);
        rested = begun;
        return begun;
    }

    /** From the first observation of a detachment on the disk cannot change. */
    Rested restOnceDetached() {
        Rested begun = new Rested(true);
        rested = begun;
        return begun;
    }

    /** To be called before anything may be received again. */
    void restEnds() {
        rested = null;
    }

    long observations() {
        return observations.get();
    }

    /** Throws what the thread has found. */
    void check() {
        Throwable found = failure;
        if (found instanceof Mismatch mismatch) {
            throw mismatch;
        }
        if (found != null) {
            throw new IllegalStateException("the watch of " + server.name() + " has ended", found);
        }
    }

    private static void pass(long millis) {
        try {
            var _ = new CountDownLatch(1).await(millis, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void close() {
        closed = true;
        try {
            thread.join(5_000);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
