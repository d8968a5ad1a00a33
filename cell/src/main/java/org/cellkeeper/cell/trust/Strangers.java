package org.cellkeeper.cell.trust;

import java.net.Inet6Address;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Those who have come in at a port and have not proved yet who they are: so many at a time, each for so long. When there are more, the
 * first of the address that most of them come from makes place: a crowd keeps nobody else out, and not even one who comes from the same
 * address for long. Who has proved it is no stranger any more and counts no more. Any thread may use it.
 *
 * @param <C> a connection
 */
public final class Strangers<C> {
    /** Of an IPv6 address: whoever has one has all that begin like it. */
    private static final int NETWORK_BYTES = 8;

    private final int most;
    private final long patienceNanos;
    private final Consumer<? super C> close;
    private final Map<C, Stay> all = new LinkedHashMap<>();
    private final Map<Object, Set<C>> byAddress = new HashMap<>();

    private record Stay(Object address, long until) {}

    /**
     * Nobody is here yet.
     *
     * @param most so many at a time
     * @param patience so long has each to prove who he is, whatever he says meanwhile
     * @param close sends one away; called without any lock, on the thread of whoever comes or looks
     */
    public Strangers(int most, Duration patience, Consumer<? super C> close) {
        this.most = most;
        this.patienceNanos = patience.toNanos();
        this.close = close;
    }

    /** Takes one in, as the newest if he was here already; says how many had to make place for him. */
    public int add(C stranger, @Nullable InetAddress from) {
        List<C> leaving = new ArrayList<>();
        synchronized (this) {
            forget(stranger);
            while (all.size() >= most) {
                C first = firstOfMost();
                forget(first);
                leaving.add(first);
            }
            Object address = network(from);
            all.put(stranger, new Stay(address, System.nanoTime() + patienceNanos));
            byAddress.computeIfAbsent(address, any -> new LinkedHashSet<>()).add(stranger);
        }
        leaving.forEach(close);
        return leaving.size();
    }

    /** He has proved who he is, or has gone. False when he was not here, as one who had to make place. */
    public synchronized boolean remove(C stranger) {
        return forget(stranger);
    }

    /** Sends those away whose time is over. */
    public void look() {
        List<C> leaving = new ArrayList<>();
        synchronized (this) {
            long now = System.nanoTime();
            for (Map.Entry<C, Stay> one : all.entrySet()) {
                if (now - one.getValue().until < 0) {
                    break;
                }
                leaving.add(one.getKey());
            }
            leaving.forEach(this::forget);
        }
        leaving.forEach(close);
    }

    public synchronized int count() {
        return all.size();
    }

    private C firstOfMost() {
        Set<C> largest = Set.of();
        for (Set<C> each : byAddress.values()) {
            if (each.size() > largest.size()) {
                largest = each;
            }
        }
        return largest.iterator().next();
    }

    private boolean forget(C stranger) {
        Stay stay = all.remove(stranger);
        if (stay == null) {
            return false;
        }
        Set<C> neighbours = byAddress.get(stay.address);
        if (neighbours != null && neighbours.remove(stranger) && neighbours.isEmpty()) {
            byAddress.remove(stay.address);
        }
        return true;
    }

    private static Object network(@Nullable InetAddress from) {
        if (from instanceof Inet6Address) {
            return ByteBuffer.wrap(from.getAddress(), 0, NETWORK_BYTES).slice();
        }
        return from == null ? "" : from;
    }
}
