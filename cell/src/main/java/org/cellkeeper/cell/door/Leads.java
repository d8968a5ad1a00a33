package org.cellkeeper.cell.door;

import java.util.List;
import org.cellkeeper.cell.model.Upstream;

/**
 * Where a door leads.
 *
 * @param readers the standbys to read from; empty where only the primary is left
 */
record Leads(Upstream primary, List<Reader> readers) {
    Leads {
        readers = List.copyOf(readers);
    }

    /** The name of a host list has one port for all: those that share the first one's. */
    List<String> readHosts() {
        return readers.isEmpty()
                ? List.of(primary.host())
                : readers.stream()
                        .filter(reader -> reader.port() == readPort())
                        .map(Reader::host)
                        .toList();
    }

    int readPort() {
        return readers.isEmpty() ? primary.port() : readers.getFirst().port();
    }

    /** Whether those who read come to the primary, and have to be held with those who write. */
    boolean readsFromPrimary() {
        return readers.isEmpty();
    }
}
