package org.cellkeeper.cell.sim;

import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The physical replication slots of one data directory. A slot keeps WAL from the position on that its user last told, but only so much:
 * what is further behind than that is lost with its WAL, and refuses its user from then on.
 */
final class SimSlots {
    /** A primary's slot that holds no WAL is made anew after so long. */
    private static final long UNUSED = 10 * World.SECOND;

    /** What a slot keeps. */
    private static final class Slot {
        /** From where on; null for nothing at all. */
        @Nullable
        Long keeps;

        boolean lost;

        Slot(@Nullable Long keeps) {
            this.keeps = keeps;
        }
    }

    private final TreeMap<String, Slot> slots = new TreeMap<>();
    /** Those that a clone streams through at the moment. */
    private final Set<String> cloning = new TreeSet<>();

    private final Map<String, Long> unusedSince = new HashMap<>();
    private long unusedSinceRun;

    SortedSet<String> names() {
        return new TreeSet<>(slots.keySet());
    }

    void clear() {
        slots.clear();
        cloning.clear();
    }

    boolean serves(String name) {
        Slot slot = slots.get(name);
        return slot != null && !slot.lost && !cloning.contains(name);
    }

    /** The housekeeping of an agent, at some time in some run of the postmaster. */
    void keep(
            Predicate<String> made,
            Set<String> wanted,
            boolean standby,
            Predicate<String> busy,
            long redo,
            long now,
            long run) {
        if (run != unusedSinceRun) {
            unusedSinceRun = run;
            unusedSince.clear();
        }
        unusedSince.keySet().retainAll(wanted);
        slots.entrySet().removeIf(entry -> {
            String name = entry.getKey();
            boolean idle = made.test(name) && !cloning.contains(name) && !busy.test(name);
            return idle && (!wanted.contains(name) || isToBeMadeAnew(name, entry.getValue(), standby, now));
        });
        for (String name : wanted) {
            slots.computeIfAbsent(name, missing -> new Slot(standby ? null : redo));
        }
    }

    private boolean isToBeMadeAnew(String name, Slot slot, boolean standby, long now) {
        if (slot.lost || standby) {
            return slot.lost || slot.keeps != null;
        }
        if (slot.keeps != null) {
            unusedSince.remove(name);
            return false;
        }
        return now - unusedSince.computeIfAbsent(name, first -> now) > UNUSED;
    }

    /** A clone makes its slot anew, and is to stream through it; false when it is in use. It holds nothing before it does. */
    boolean beginClone(String name, Predicate<String> busy) {
        if (cloning.contains(name) || busy.test(name)) {
            return false;
        }
        slots.put(name, new Slot(null));
        cloning.add(name);
        return true;
    }

    boolean feedsClone(String name) {
        Slot slot = slots.get(name);
        return slot != null && !slot.lost && cloning.contains(name);
    }

    void endClone(String name) {
        cloning.remove(name);
    }

    /** The user of a slot has told how far it has flushed: further back than before, too, if it says so. */
    void told(String name, long flushed) {
        Slot slot = slots.get(name);
        if (slot != null && !slot.lost) {
            slot.keeps = flushed;
        }
    }

    void make(String name) {
        slots.put(name, new Slot(null));
    }

    /** From where on the slots together keep WAL. */
    long keepFrom() {
        long least = Long.MAX_VALUE;
        for (Slot slot : slots.values()) {
            Long keeps = slot.keeps;
            if (keeps != null && !slot.lost) {
                least = Math.min(least, keeps);
            }
        }
        return least;
    }

    /** WAL before this is removed; the slots that are lost with it. */
    Set<String> removed(long before) {
        Set<String> lost = new TreeSet<>();
        slots.forEach((name, slot) -> {
            Long keeps = slot.keeps;
            if (keeps != null && keeps < before && !slot.lost) {
                slot.lost = true;
                lost.add(name);
            }
        });
        return lost;
    }

    @Override
    public String toString() {
        StringBuilder text = new StringBuilder("[");
        slots.forEach((name, slot) -> {
            Long keeps = slot.keeps;
            text.append(name)
                    .append(slot.lost ? " lost" : keeps == null ? " unused" : " from " + Long.toHexString(keeps))
                    .append("; ");
        });
        return text.append(']').toString();
    }
}
