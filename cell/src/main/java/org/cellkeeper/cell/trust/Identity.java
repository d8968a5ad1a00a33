package org.cellkeeper.cell.trust;

import java.io.IOException;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateParsingException;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import javax.naming.InvalidNameException;
import javax.naming.ldap.LdapName;
import javax.naming.ldap.Rdn;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;
import javax.security.auth.x500.X500Principal;
import org.jspecify.annotations.Nullable;

/**
 * What a cell proves by who it is, and by what it knows others: its certificate with its key, and the authorities that it believes. Its
 * name is the certificate's common name. Immutable; it never prints the key.
 */
public final class Identity {
    /** What ZooKeeper, PostgreSQL and Java can all use. */
    private static final Set<String> KEYS = Set.of("EC", "RSA");

    /** PostgreSQL's names have 63 bytes: one that fills them may be longer. */
    public static final int LONGEST_SUBJECT = 62;

    private static final Map<String, String> ATTRIBUTES = Map.of(
            "1.2.840.113549.1.9.1", "emailAddress",
            "2.5.4.5", "serialNumber",
            "2.5.4.4", "SN",
            "2.5.4.42", "GN",
            "2.5.4.12", "title",
            "2.5.4.97", "organizationIdentifier");

    private static final int DNS = 2;
    private static final int IP = 7;
    private static final String ANY_USE = "2.5.29.37.0";
    private static final String SERVER_USE = "1.3.6.1.5.5.7.3.1";
    private static final String CLIENT_USE = "1.3.6.1.5.5.7.3.2";
    private static final String ALIAS = "cell";
    private static final char[] NO_PASSWORD = {};

    private final List<X509Certificate> authorities;
    private final List<X509Certificate> chain;
    private final PrivateKey key;

    private Identity(List<X509Certificate> authorities, List<X509Certificate> chain, PrivateKey key) {
        this.authorities = List.copyOf(authorities);
        this.chain = List.copyOf(chain);
        this.key = key;
    }

    /**
     * Of three texts as PEM.
     *
     * @param authorities the certificates of those who sign for cells
     * @param chain the cell's own certificate first
     * @param key that of the first certificate
     */
    public static Identity of(String authorities, String chain, String key) throws GeneralSecurityException {
        List<X509Certificate> own = Pem.certificates(chain);
        return new Identity(Pem.certificates(authorities), own, Pem.keyOf(own.getFirst(), key));
    }

    /** Why it is none that a cell of this name, at this host, can use; empty when it is one. */
    public String problem(String cell, String host) {
        X509Certificate own = chain.getFirst();
        if (!KEYS.contains(own.getPublicKey().getAlgorithm())) {
            return "the certificate has a key of kind " + own.getPublicKey().getAlgorithm() + "; allowed: RSA, EC";
        }
        String name = nameOf(own);
        if (!cell.equals(name)) {
            return "the certificate is that of " + (name == null ? "nobody" : "'" + name + "'")
                    + "; its common name (CN) must be the cell's name, " + cell;
        }
        int length = subjectOf(own).getBytes(StandardCharsets.UTF_8).length;
        if (length > LONGEST_SUBJECT) {
            return "the certificate's subject has " + length + " bytes, and PostgreSQL tells " + LONGEST_SUBJECT
                    + " of one at most: leave out all but the common name (CN), or shorten the rest";
        }
        if (!isFor(own, host)) {
            return "the certificate does not name the cell's host, " + host + ", among its subject alternative names";
        }
        try {
            List<String> uses = own.getExtendedKeyUsage();
            if (uses != null && !uses.contains(ANY_USE) && !uses.containsAll(List.of(SERVER_USE, CLIENT_USE))) {
                return "the certificate must be good for servers and for clients (extendedKeyUsage serverAuth, clientAuth)";
            }
            trustManager().checkServerTrusted(chain.toArray(X509Certificate[]::new), "ECDHE_ECDSA");
            return "";
        } catch (CertificateException e) {
            Instant now = Instant.now();
            if (expires().isBefore(now)) {
                return "the certificate expired at " + expires();
            }
            return own.getNotBefore().toInstant().isAfter(now)
                    ? "the certificate is not valid before "
                            + own.getNotBefore().toInstant()
                    : "no authority in the CA file has signed the certificate: " + e.getMessage();
        }
    }

    /** As PostgreSQL tells it; what is escaped here counts for more than it has there. */
    private static String subjectOf(X509Certificate certificate) {
        return "/" + certificate.getSubjectX500Principal().getName(X500Principal.RFC2253, ATTRIBUTES);
    }

    /** The common name; null when there is none. */
    public static @Nullable String nameOf(X509Certificate certificate) {
        try {
            List<Rdn> parts = new LdapName(certificate.getSubjectX500Principal().getName()).getRdns();
            for (Rdn part : parts.reversed()) {
                if (part.getType().equalsIgnoreCase("CN")) {
                    return String.valueOf(part.getValue());
                }
            }
            return null;
        } catch (InvalidNameException e) {
            return null;
        }
    }

    private static boolean isFor(X509Certificate certificate, String host) {
        Collection<List<?>> names;
        try {
            names = certificate.getSubjectAlternativeNames();
        } catch (CertificateParsingException e) {
            return false;
        }
        if (names == null) {
            return false;
        }
        InetAddress literal = literal(host);
        for (List<?> name : names) {
            Object kind = name.get(0);
            String value = String.valueOf(name.get(1));
            if (literal == null
                    ? kind.equals(DNS) && covers(value.toLowerCase(Locale.ROOT), host.toLowerCase(Locale.ROOT))
                    : kind.equals(IP) && literal.equals(literal(value))) {
                return true;
            }
        }
        return false;
    }

    private static boolean covers(String pattern, String host) {
        return pattern.equals(host)
                || (pattern.startsWith("*.")
                        && host.indexOf('.') > 0
                        && host.substring(host.indexOf('.')).equals(pattern.substring(1)));
    }

    static @Nullable InetAddress literal(String host) {
        try {
            return InetAddress.ofLiteral(host);
        } catch (IllegalArgumentException name) {
            return null;
        }
    }

    /** When nobody believes it any more: when the first of its own certificates ends, or the last authority. */
    public Instant expires() {
        Instant authority = authorities.stream()
                .map(certificate -> certificate.getNotAfter().toInstant())
                .max(Instant::compareTo)
                .orElseThrow();
        Instant own = chain.stream()
                .map(certificate -> certificate.getNotAfter().toInstant())
                .min(Instant::compareTo)
                .orElseThrow();
        return own.isBefore(authority) ? own : authority;
    }

    /** For either end of a connection at which both show certificates; who the other is the caller asks. */
    public SSLContext context() {
        try {
            KeyStore own = keyStore();
            KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
            keys.init(own, NO_PASSWORD);
            SSLContext context = SSLContext.getInstance("TLSv1.3");
            context.init(keys.getKeyManagers(), new X509TrustManager[] {trustManager()}, null);
            return context;
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("a certificate that was checked cannot be used", e);
        }
    }

    /** Its certificate and key; the password is empty. */
    public KeyStore keyStore() {
        try {
            KeyStore store = empty();
            store.setKeyEntry(ALIAS, key, NO_PASSWORD, chain.toArray(Certificate[]::new));
            return store;
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("a certificate that was checked cannot be stored", e);
        }
    }

    private X509TrustManager trustManager() {
        try {
            KeyStore believed = empty();
            for (int i = 0; i < authorities.size(); i++) {
                believed.setCertificateEntry("authority-" + i, authorities.get(i));
            }
            TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
            factory.init(believed);
            return (X509TrustManager) factory.getTrustManagers()[0];
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("this Java cannot check certificates", e);
        }
    }

    private static KeyStore empty() throws GeneralSecurityException {
        KeyStore store = KeyStore.getInstance("PKCS12");
        try {
            store.load(null, null);
        } catch (IOException e) {
            throw new GeneralSecurityException("an empty key store cannot be made", e);
        }
        return store;
    }

    /** The authorities, as PEM. */
    public String authorities() {
        return text(authorities);
    }

    /** The own certificate and those up to an authority, as PEM. */
    public String chain() {
        return text(chain);
    }

    /** The key, as PEM. */
    public String key() {
        return Pem.text(key);
    }

    private static String text(List<X509Certificate> certificates) {
        StringBuilder all = new StringBuilder();
        certificates.forEach(certificate -> all.append(Pem.text(certificate)));
        return all.toString();
    }

    /** The same authorities, certificate and key. */
    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof Identity that
                && authorities.equals(that.authorities)
                && chain.equals(that.chain)
                && key.equals(that.key);
    }

    @Override
    public int hashCode() {
        return chain.hashCode();
    }

    @Override
    public String toString() {
        return "Identity[" + nameOf(chain.getFirst()) + ", until " + expires() + "]";
    }
}
