package org.cellkeeper.cell.door;

import java.nio.file.Path;
import java.util.List;
import org.cellkeeper.cell.trust.Credentials;
import org.jspecify.annotations.Nullable;

/**
 * What a cell's door is made of.
 *
 * @param folder of its own, below the cell's: files, log, process id, and the socket of its console
 * @param host what it listens on
 * @param database that clients ask for, and that they get at the primary
 * @param asUser what goes before a command so that it runs as {@code osUser}; empty for the agent's own user
 * @param osUser whom its files belong to; null for the agent's own user
 * @param networks from which clients may come, as CIDR
 * @param plaintext whether clients may come without encryption where everything else is encrypted
 * @param rules lines of {@code pg_hba.conf} that an operator has added
 */
public record DoorSettings(
        Path folder,
        String host,
        int port,
        String database,
        List<String> asUser,
        @Nullable String osUser,
        List<String> networks,
        boolean plaintext,
        List<String> rules,
        Credentials credentials) {
    public DoorSettings {
        folder = folder.toAbsolutePath().normalize();
        asUser = List.copyOf(asUser);
        networks = List.copyOf(networks);
        rules = List.copyOf(rules);
    }

    /** The name under which clients read from standbys. */
    String readDatabase() {
        return database + "_ro";
    }
}
