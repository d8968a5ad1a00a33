package org.cellkeeper.cell.model;

import java.time.Instant;
import java.util.List;

/**
 * One remarkable thing: what happened, in a sentence, and the particulars.
 *
 * @param rule the rule by which the cell did it; 0 when it is no rule's deed
 * @param steps the steps of a change of primary with their times; empty for all else
 */
public record HistoryEntry(
        Instant time, CellName cell, long epoch, int rule, String sentence, String detail, List<Step> steps) {

    /** One step of a change of primary, and when it was reached: milliseconds after the first. */
    public record Step(String name, long millis) {}

    public HistoryEntry {
        steps = List.copyOf(steps);
    }

    public HistoryEntry(Instant time, CellName cell, long epoch, int rule, String sentence, String detail) {
        this(time, cell, epoch, rule, sentence, detail, List.of());
    }
}
