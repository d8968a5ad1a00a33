package org.cellkeeper.cell.peer;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * One host's address. Names are looked up on threads of their own: a slow name server must neither hold a carrier of the
 * virtual threads, nor delay the dial of a peer whose address was known a moment ago. Used by its link's thread only.
 */
final class HostLookup {
    private static final long REFRESH_NANOS = TimeUnit.SECONDS.toNanos(1);

    private final String host;
    private final Executor threads;
    private @Nullable InetAddress known;
    private @Nullable CompletableFuture<InetAddress> running;
    private long startedNanos;

    HostLookup(String host, Executor threads) {
        this.host = host;
        this.threads = threads;
        try {
            known = InetAddress.ofLiteral(host);
        } catch (IllegalArgumentException name) {
            refresh();
        }
    }

    /** The last known address; null when there is none, not even after waiting so long. */
    @Nullable
    InetAddress address(long waitMillis) throws InterruptedException {
        CompletableFuture<InetAddress> lookup = running;
        if (lookup != null && (known == null || lookup.isDone())) {
            try {
                known = lookup.get(waitMillis, TimeUnit.MILLISECONDS);
            } catch (ExecutionException | TimeoutException noAnswer) {
                // The last answer, if any, stands.
            }
        }
        return known;
    }

    /** Asks again, at most every second: the host may have moved. */
    void refresh() {
        boolean literal = known != null && running == null;
        long now = System.nanoTime();
        if (literal || (running != null && (!running.isDone() || now - startedNanos < REFRESH_NANOS))) {
            return;
        }
        startedNanos = now;
        running = CompletableFuture.supplyAsync(
                () -> {
                    try {
                        return InetAddress.getByName(host);
                    } catch (UnknownHostException unknown) {
                        throw new IllegalStateException(unknown);
                    }
                },
                threads);
    }
}
