package org.cellkeeper.api;

import java.util.List;

/**
 * One entry of {@code GET /history}: what happened at which cell. {@code time} is ISO 8601.
 *
 * @param rule the number of the rule that did it; 0 when it is no rule's deed
 * @param steps of a change of primary; empty for all else
 */
public record HistoryEvent(
        String time, String cell, long epoch, int rule, String sentence, String detail, List<Step> steps) {

    /** One step of a change of primary, and when it was reached: milliseconds after the first. */
    public record Step(String name, long millis) {}
}
