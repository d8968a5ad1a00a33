package org.cellkeeper.cell.model;

/** A position in the write-ahead log, in bytes; written as PostgreSQL writes it, {@code 0/3000060}. */
public record Lsn(long value) implements Comparable<Lsn> {
    public static final Lsn ZERO = new Lsn(0);

    public static Lsn parse(String text) {
        int slash = text.indexOf('/');
        if (slash < 1) {
            throw new IllegalArgumentException("not an LSN: '" + text + "'");
        }
        long high = Long.parseUnsignedLong(text.substring(0, slash), 16);
        long low = Long.parseUnsignedLong(text.substring(slash + 1), 16);
        if (high > 0xffffffffL || low > 0xffffffffL) {
            throw new IllegalArgumentException("not an LSN: '" + text + "'");
        }
        return new Lsn(high << 32 | low);
    }

    public boolean atLeast(Lsn other) {
        return compareTo(other) >= 0;
    }

    public long minus(Lsn other) {
        return value - other.value;
    }

    public Lsn max(Lsn other) {
        return atLeast(other) ? this : other;
    }

    @Override
    public int compareTo(Lsn other) {
        return Long.compareUnsigned(value, other.value);
    }

    @Override
    public String toString() {
        return "%X/%X".formatted(value >>> 32, value & 0xffffffffL);
    }
}
