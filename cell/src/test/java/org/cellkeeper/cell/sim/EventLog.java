package org.cellkeeper.cell.sim;

import java.util.ArrayList;
import java.util.List;

/**
 * The last few hundred remarkable things, as text when somebody asks; and a digest of all of them, which two runs of
 * one seed share. Nothing is formatted before it is asked for.
 */
final class EventLog {
    private static final int KEPT = 400;

    private final long[] times = new long[KEPT];
    private final String[] subjects = new String[KEPT];
    private final String[] words = new String[KEPT];
    private final Object[] firsts = new Object[KEPT];
    private final Object[] seconds = new Object[KEPT];
    private long count;
    private long digest = 0x9E3779B97F4A7C15L;
    private boolean aloud;

    /** Prints every entry as it comes. */
    void aloud() {
        aloud = true;
    }

    void add(long time, String subject, String what, Object first, Object second) {
        int slot = (int) (count++ % KEPT);
        times[slot] = time;
        subjects[slot] = subject;
        words[slot] = what;
        firsts[slot] = first;
        seconds[slot] = second;
        mix(time);
        mix(subject.hashCode());
        mix(what.hashCode());
        if (first instanceof Long || first instanceof Integer) {
            mix(((Number) first).longValue());
        }
        if (aloud) {
            System.out.println(line(slot));
        }
    }

    void mix(long value) {
        digest = (digest ^ value) * 0xBF58476D1CE4E5B9L;
        digest ^= digest >>> 29;
    }

    long digest() {
        return digest;
    }

    long count() {
        return count;
    }

    List<String> last(int most) {
        List<String> lines = new ArrayList<>();
        long from = Math.max(0, count - Math.min(most, KEPT));
        for (long i = from; i < count; i++) {
            lines.add(line((int) (i % KEPT)));
        }
        return lines;
    }

    private String line(int slot) {
        StringBuilder line = new StringBuilder();
        line.append("%10.3f  %-8s %s".formatted(times[slot] / 1000.0, subjects[slot], words[slot]));
        if (firsts[slot] != null) {
            line.append(' ').append(firsts[slot]);
        }
        if (seconds[slot] != null) {
            line.append(' ').append(seconds[slot]);
        }
        return line.toString();
    }
}
