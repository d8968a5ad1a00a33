package org.cellkeeper.cell.postgres;

import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * Which walsenders may still work by an older commit rule than the one that was last written (T11). A session that has the rule has
 * it from the postmaster, and so has each walsender that was not there yet when such a session looked. Those that were may not have
 * read the signal. No clocks are compared: they may be set between the two.
 */
final class Reloads {
    private long writes;
    private @Nullable Before before;

    private record Before(long run, Set<Integer> pids) {}

    /** To be called before a rule is written, and once more when PostgreSQL has been told of it. */
    synchronized void ruleWritten() {
        writes++;
        before = null;
    }

    /** To be asked before the settings file is read. */
    synchronized long writes() {
        return writes;
    }

    /** A session has the rule that the file has; {@code writes} is how often one had been written when the file was read. */
    synchronized void seenInForce(long seenWrites, long run, Set<Integer> walsenders) {
        if (writes == seenWrites && (before == null || before.run != run)) {
            before = new Before(run, new TreeSet<>(walsenders));
        }
    }

    /** Those of these that may be older; one that went makes room for another of its number. */
    synchronized Set<Integer> older(long run, Set<Integer> walsenders) {
        if (before == null || before.run != run) {
            return walsenders;
        }
        before.pids.retainAll(walsenders);
        return new TreeSet<>(before.pids);
    }
}
