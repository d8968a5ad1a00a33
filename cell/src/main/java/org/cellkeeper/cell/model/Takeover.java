package org.cellkeeper.cell.model;

import java.util.List;
import java.util.stream.Collectors;

/**
 * How a cell came to be primary, and what each step took, by that cell's own clock.
 *
 * @param steps in their order, from 0: a failover's from the suspicion on, a switchover's from its beginning on
 */
public record Takeover(Kind kind, CellName from, CellName to, long epoch, List<HistoryEntry.Step> steps) {
    /** Whether it was planned. */
    public enum Kind {
        FAILOVER,
        SWITCHOVER
    }

    public Takeover {
        steps = List.copyOf(steps);
    }

    /** From the first step to the last one, at which commits are acknowledged again. */
    public long millis() {
        return steps.isEmpty() ? 0 : steps.getLast().millis();
    }

    public String sentence() {
        String what = kind == Kind.FAILOVER ? "Failover" : "Switchover";
        return what + ": " + to + " is primary in place of " + from + ", and commits are acknowledged again.";
    }

    /** Such as {@code 231 ms: suspected 0, proposed 12, ..., acknowledged 231}. */
    public String detail() {
        return millis() + " ms: "
                + steps.stream().map(step -> step.name() + " " + step.millis()).collect(Collectors.joining(", "));
    }
}
