package org.cellkeeper.cell.decide;

import java.util.List;

/**
 * What to do now, and why.
 *
 * @param actions carried out one after the other; the rest is dropped when one fails
 * @param needsNewSession the next observation must show the commit rule as a new session sees it
 * @param detail the particulars of this case, for the log and the history; may be empty
 */
public record Plan(Rule rule, List<Action> actions, boolean needsNewSession, String detail) {
    public Plan {
        actions = List.copyOf(actions);
    }
}
