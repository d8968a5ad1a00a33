package org.cellkeeper.cell.postgres;

import java.util.List;
import org.cellkeeper.cell.trust.Encryption;

/** Whom PostgreSQL lets in, as pg_hba.conf says it: the first line that fits a connection counts. */
final class HostRules {
    static final String FILE = "pg_hba.conf";

    private static final String SUPERUSER = PostgresSettings.SUPERUSER;
    private static final String REPLICATOR = PostgresSettings.REPLICATION_ROLE;
    private static final String APP = PostgresSettings.APP_ROLE;

    /** Of those who stream, by the common name of their certificate, which is a cell's name. */
    static final String IDENT = "cells /^[a-z][a-z0-9-]*$ " + REPLICATOR + "\n";

    /** "all" is all databases, and a stream is in none. */
    private static final String EVERYTHING = "all,replication";

    private final StringBuilder text = new StringBuilder("# Written by Cellkeeper.\n");

    private HostRules() {}

    static String text(Access access) {
        HostRules rules = new HostRules();
        rules.local();
        rules.cells(access.encryption());
        access.rules().forEach(line -> rules.text.append(line).append('\n'));
        rules.clients(access);
        return rules.text.toString();
    }

    /** What is ours before the lines of an operator: none of his can let in the superuser, or a stream that is not encrypted. */
    private void local() {
        line("local", EVERYTHING, SUPERUSER, "", "peer map=agent");
        line("local", "all", "all", "", OwnedSettings.PROOF);
        line("host", EVERYTHING, SUPERUSER, "all", "reject");
    }

    private void cells(Encryption encryption) {
        if (encryption.accepts()) {
            line("hostssl", "replication", REPLICATOR, "all", "cert map=cells");
        }
        if (!encryption.demands()) {
            // A cell that shows no certificate yet comes in by its password.
            line(encryption.accepts() ? "hostnossl" : "host", "replication", REPLICATOR, "all", OwnedSettings.PROOF);
            line("host", PostgresSettings.APP_DATABASE, APP, "all", OwnedSettings.PROOF);
            return;
        }
        line("hostnossl", "replication", "all", "all", "reject");
        line("host", "all", REPLICATOR, "all", "reject");
        line("hostssl", PostgresSettings.APP_DATABASE, APP, "all", OwnedSettings.PROOF + " clientcert=verify-ca");
        line("host", "all", APP, "all", "reject");
    }

    private void clients(Access access) {
        boolean encrypted = access.encryption().demands() && !access.plaintext();
        List<String> networks = access.networks();
        networks.forEach(network -> line(encrypted ? "hostssl" : "host", "all", "all", network, OwnedSettings.PROOF));
    }

    private void line(String kind, String database, String role, String network, String method) {
        text.append("%-9s %-15s %-15s %-11s %s%n".formatted(kind, database, role, network, method));
    }
}
