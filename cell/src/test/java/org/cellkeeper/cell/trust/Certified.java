package org.cellkeeper.cell.trust;

import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** Certificates of the tests' own authorities, each cell's made once. */
public final class Certified {
    private static final Duration VALIDITY = Duration.ofDays(100);
    private static final Certified FRIENDS = new Certified("the tests");
    private static final Certified STRANGERS = new Certified("somebody else");

    private final Authority authority;
    private final Map<String, Identity> made = new ConcurrentHashMap<>();

    private Certified(String name) {
        authority = Authority.create(name, VALIDITY);
    }

    /** The authority that cells believe. */
    public static Certified cells() {
        return FRIENDS;
    }

    /** One that they do not. */
    public static Certified strangers() {
        return STRANGERS;
    }

    public Authority authority() {
        return authority;
    }

    /** Of the cell, for these hosts beside the loopback. */
    public Identity identity(String cell, String... hosts) {
        return made.computeIfAbsent(cell + List.of(hosts), key -> {
            List<String> all = new ArrayList<>(List.of(hosts));
            all.addAll(List.of("127.0.0.1", "localhost"));
            Authority.Issued issued = authority.issue(cell, all, VALIDITY);
            return believing(authority, Pem.text(issued.certificate()), Pem.text(issued.key()));
        });
    }

    /** One that shows the certificate of another authority, and believes this one. */
    public static Identity believing(Authority authority, String chain, String key) {
        try {
            return Identity.of(Pem.text(authority.certificate()), chain, key);
        } catch (GeneralSecurityException e) {
            throw new AssertionError(e);
        }
    }

    public Credentials credentials(Encryption encryption, String cell) {
        return new Credentials(encryption, identity(cell));
    }
}
