package org.cellkeeper.cell.sim;

import java.util.Map;
import java.util.TreeMap;

/** What happened in a run, in numbers. */
final class Statistics {
    private final TreeMap<String, Long> counts = new TreeMap<>();

    void count(String what) {
        counts.merge(what, 1L, Long::sum);
    }

    long of(String what) {
        return counts.getOrDefault(what, 0L);
    }

    Map<String, Long> all() {
        return counts;
    }

    void addAll(Statistics other) {
        other.counts.forEach((what, number) -> counts.merge(what, number, Long::sum));
    }
}
