package org.cellkeeper.cell.model;

import java.util.regex.Pattern;

/** A random id made together with a data directory: a wiped or newly cloned cell is a new incarnation. */
public record Incarnation(String value) implements Comparable<Incarnation> {
    private static final Pattern FORM = Pattern.compile("[0-9a-f]{8}");

    public Incarnation {
        if (!FORM.matcher(value).matches()) {
            throw new IllegalArgumentException("not an incarnation: '" + value + "' (8 hexadecimal digits)");
        }
    }

    public static Incarnation of(int random) {
        return new Incarnation("%08x".formatted(random));
    }

    @Override
    public int compareTo(Incarnation other) {
        return value.compareTo(other.value);
    }

    @Override
    public String toString() {
        return value;
    }
}
