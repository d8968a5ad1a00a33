package org.cellkeeper.cell.peer;

import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.cellkeeper.cell.model.CellName;

/** Which of the other cells do not go by the same secret as this one, for as long as they were found not to. Any thread may use it. */
final class Disbelief {
    private static final long FRESH_NANOS = TimeUnit.SECONDS.toNanos(15);
    /** One that goes down ends connections in the same way. */
    private static final long LASTS_NANOS = TimeUnit.SECONDS.toNanos(3);

    private record Seen(long first, long last) {
        Seen again(long now) {
            return new Seen(now - last > FRESH_NANOS ? now : first, now);
        }

        boolean lasts(long now) {
            return now - last < FRESH_NANOS && last - first > LASTS_NANOS;
        }
    }

    private final Map<CellName, Seen> refused = new ConcurrentHashMap<>();
    private final Map<CellName, Seen> refusing = new ConcurrentHashMap<>();

    /** It has come, and proven none of our secrets. */
    void refused(CellName peer) {
        note(refused, peer);
    }

    /** It has believed none of the proofs that we gave. */
    void refusedBy(CellName peer) {
        note(refusing, peer);
    }

    private static void note(Map<CellName, Seen> seen, CellName peer) {
        long now = System.nanoTime();
        seen.compute(peer, (name, before) -> before == null ? new Seen(now, now) : before.again(now));
    }

    void believed(CellName peer) {
        refused.remove(peer);
    }

    void believedBy(CellName peer) {
        refusing.remove(peer);
    }

    /** @param listed by what this cell's secrets are told apart; empty when there is nobody */
    String inWords(String listed) {
        long now = System.nanoTime();
        TreeSet<CellName> both = new TreeSet<>();
        refused.forEach((peer, seen) -> add(both, peer, seen, now));
        refusing.forEach((peer, seen) -> add(both, peer, seen, now));
        if (both.isEmpty()) {
            return "";
        }
        return "the agents of " + both.stream().map(CellName::value).collect(Collectors.joining(", "))
                + " and this one do not believe each other: they have no secret of the cluster in common, or the first one of the"
                + " one is not listed by the other. This cell lists " + listed
                + " (names, not secrets; 'cellctl secret names FILE' tells those of a file): write the same list into the file of"
                + " cluster.secret-file of every cell, which is taken up without a restart";
    }

    private static void add(TreeSet<CellName> all, CellName peer, Seen seen, long now) {
        if (seen.lasts(now)) {
            all.add(peer);
        }
    }
}
