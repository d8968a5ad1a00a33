package org.cellkeeper.cell.model;

import java.util.Comparator;

/** Who a voter, a vote or a primary is: the name alone would let a wiped cell inherit what its old data promised. */
public record CellId(CellName name, Incarnation incarnation) implements Comparable<CellId> {
    private static final Comparator<CellId> ORDER =
            Comparator.comparing(CellId::name).thenComparing(CellId::incarnation);

    /** Parses {@code name.incarnation}. */
    public static CellId parse(String text) {
        int dot = text.lastIndexOf('.');
        if (dot < 0) {
            throw new IllegalArgumentException("not a cell identity: '" + text + "' (name.incarnation)");
        }
        return new CellId(new CellName(text.substring(0, dot)), new Incarnation(text.substring(dot + 1)));
    }

    /**
     * The physical replication slot that this cell streams through from another. Only that other cell's agent makes it, and no clone
     * copies it: whoever has it is that very cell in that incarnation, whatever address it answers at.
     */
    public String slotOn(CellId other) {
        return slots() + other.incarnation().value();
    }

    /** Whether this is the name of one of this cell's slots, on whichever cell. */
    public boolean owns(String slot) {
        String slots = slots();
        return slot.startsWith(slots)
                && slot.length() == slots.length() + incarnation.value().length();
    }

    /** Whether this is a slot that this cell made for another; any other, however it is named, is somebody else's. */
    public boolean made(String slot) {
        return slot.endsWith("_" + incarnation.value());
    }

    private String slots() {
        return name.value().replace('-', '_') + "_" + incarnation.value() + "_";
    }

    @Override
    public int compareTo(CellId other) {
        return ORDER.compare(this, other);
    }

    @Override
    public String toString() {
        return name + "." + incarnation;
    }
}
