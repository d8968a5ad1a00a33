package org.cellkeeper.cell.model;

/**
 * The {@code application_name} of a standby's WAL stream: cell, incarnation and the epoch it follows. Carrying the epoch
 * makes "streams from this primary in this epoch" a fact that PostgreSQL itself reports and counts by.
 */
public record StreamName(CellId cell, long epoch) implements Comparable<StreamName> {
    public StreamName {
        if (epoch < 1) {
            throw new IllegalArgumentException("an epoch is at least 1, not " + epoch);
        }
    }

    /** Parses {@code name.incarnation.epoch}; throws on anything else. */
    public static StreamName parse(String text) {
        int dot = text.lastIndexOf('.');
        if (dot < 0) {
            throw new IllegalArgumentException("not a stream name: '" + text + "' (name.incarnation.epoch)");
        }
        return new StreamName(CellId.parse(text.substring(0, dot)), Long.parseLong(text.substring(dot + 1)));
    }

    @Override
    public int compareTo(StreamName other) {
        int byCell = cell.compareTo(other.cell);
        return byCell != 0 ? byCell : Long.compare(epoch, other.epoch);
    }

    @Override
    public String toString() {
        return cell + "." + epoch;
    }
}
