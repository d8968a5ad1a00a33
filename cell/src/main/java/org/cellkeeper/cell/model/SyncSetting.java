package org.cellkeeper.cell.model;

import java.util.Collection;
import java.util.Collections;
import java.util.SortedSet;
import java.util.TreeSet;

/**
 * PostgreSQL's commit rule, {@code synchronous_standby_names = 'ANY acks (names)'}. It is never off: with no names it is
 * rendered with a name that nobody bears, and no commit is acknowledged.
 */
public record SyncSetting(int acks, SortedSet<StreamName> names) {
    public static final SyncSetting NOBODY = new SyncSetting(1, new TreeSet<>());
    /** In force, and none of ours: whatever it accepts as an acknowledgement. */
    public static final SyncSetting OTHER = new SyncSetting(Integer.MAX_VALUE, new TreeSet<>());

    public SyncSetting {
        if (acks < 1) {
            throw new IllegalArgumentException("a commit needs at least 1 acknowledgement, not " + acks);
        }
        names = Collections.unmodifiableSortedSet(new TreeSet<>(names));
    }

    /** The rule that the shared state asks for. */
    public static SyncSetting of(Collection<CellId> standbys, int acks, long epoch) {
        TreeSet<StreamName> names = new TreeSet<>();
        standbys.forEach(cell -> names.add(new StreamName(cell, epoch)));
        return names.isEmpty() ? NOBODY : new SyncSetting(acks, names);
    }

    /** Whether this rule may accept a set of acknowledgements that {@code other} would not. */
    public boolean widens(SyncSetting other) {
        if (equals(OTHER) || other.equals(OTHER)) {
            return !other.equals(OTHER);
        }
        return !names.isEmpty() && (!other.names.containsAll(names) || acks < other.acks);
    }

    public boolean names(CellId cell) {
        return names.stream().anyMatch(name -> name.cell().equals(cell));
    }
}
