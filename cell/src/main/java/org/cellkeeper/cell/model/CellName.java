package org.cellkeeper.cell.model;

import java.util.regex.Pattern;

/** The name an operator gave to a cell. It survives a wipe; the {@link Incarnation} does not. */
public record CellName(String value) implements Comparable<CellName> {
    private static final Pattern FORM = Pattern.compile("[a-z][a-z0-9-]{0,29}");

    public CellName {
        if (!FORM.matcher(value).matches()) {
            throw new IllegalArgumentException("not a cell name: '" + value
                    + "' (lower-case letters, digits and '-', first a letter, 30 characters at most)");
        }
    }

    @Override
    public int compareTo(CellName other) {
        return value.compareTo(other.value);
    }

    @Override
    public String toString() {
        return value;
    }
}
