package org.cellkeeper.cell.postgres;

import java.util.List;
import org.cellkeeper.cell.trust.Credentials;
import org.cellkeeper.cell.trust.Encryption;

/**
 * Who may come to PostgreSQL over the network, and how the cell's own sessions come to the PostgreSQL of others.
 *
 * @param networks from which clients may come, as CIDR
 * @param plaintext whether clients may come without encryption where everything else is encrypted
 * @param rules lines of {@code pg_hba.conf} that an operator adds, which have been judged
 */
public record Access(Credentials credentials, List<String> networks, boolean plaintext, List<String> rules) {
    /** From anywhere. */
    public static final List<String> ANYWHERE = List.of("0.0.0.0/0", "::/0");

    public Access {
        networks = List.copyOf(networks);
        rules = List.copyOf(rules);
    }

    /** For clients from anywhere. */
    public static Access with(Credentials credentials) {
        return new Access(credentials, ANYWHERE, false, List.of());
    }

    /** Without encryption, for clients from anywhere. */
    public static Access unencrypted() {
        return with(Credentials.none());
    }

    Encryption encryption() {
        return credentials.encryption();
    }
}
