package org.cellkeeper.cell.http;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.KeyStoreException;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.List;
import org.cellkeeper.cell.trust.Authority;
import org.cellkeeper.cell.trust.Pem;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The key and certificate that a cell serves with: its own from PEM files, or a self-signed one that is made once
 * and kept. It is the file's mode that guards the generated key, not the store's password.
 */
final class Certificates {
    private static final Logger LOG = LoggerFactory.getLogger(Certificates.class);

    static final String STORE_PASSWORD = "cellkeeper";
    private static final String ALIAS = "cell";
    private static final Duration VALID = Duration.ofDays(3650);

    private Certificates() {}

    static KeyStore of(ApiSettings settings) {
        try {
            ApiSettings.Pem own = settings.own();
            return own != null ? fromPem(own) : selfSigned(settings);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(
                    "the certificate of " + settings.self() + " cannot be used: " + e.getMessage(), e);
        }
    }

    /** Empty when it can be served with. */
    static String problem(ApiSettings.Pem own) {
        try {
            fromPem(own);
            return "";
        } catch (IOException | GeneralSecurityException | IllegalArgumentException e) {
            return String.valueOf(e.getMessage());
        }
    }

    private static KeyStore selfSigned(ApiSettings settings) throws IOException, GeneralSecurityException {
        Path kept = settings.directory().resolve("certificate.p12");
        if (Files.exists(kept)) {
            try {
                return load(kept);
            } catch (IOException | GeneralSecurityException damaged) {
                LOG.warn("{} cannot be used, another certificate is made: {}", kept, damaged.toString());
                Files.delete(kept);
            }
        }
        generate(settings, kept);
        return load(kept);
    }

    private static KeyStore load(Path kept) throws IOException, GeneralSecurityException {
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (InputStream in = Files.newInputStream(kept)) {
            store.load(in, STORE_PASSWORD.toCharArray());
        }
        if (!store.isKeyEntry(ALIAS)) {
            throw new KeyStoreException("it holds no key");
        }
        return store;
    }

    /** Made beside its place, in a folder of its own that nobody else can enter, and moved there when it is whole. */
    private static void generate(ApiSettings settings, Path kept) throws IOException, GeneralSecurityException {
        Authority.Issued own = Authority.selfSigned(
                settings.self().value(),
                List.of("localhost", "127.0.0.1", settings.address().host()),
                VALID);
        KeyStore store = store(own.key(), List.of(own.certificate()));
        Files.createDirectories(settings.directory());
        Path folder = Files.createTempDirectory(
                settings.directory(),
                "certificate",
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        Path made = folder.resolve("made.p12");
        try {
            try (OutputStream out = Files.newOutputStream(made)) {
                store.store(out, STORE_PASSWORD.toCharArray());
            }
            Files.setPosixFilePermissions(made, PosixFilePermissions.fromString("rw-------"));
            Files.move(made, kept, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            Files.deleteIfExists(made);
            Files.deleteIfExists(folder);
        }
    }

    /** The certificates that are served, as PEM. */
    static String chain(KeyStore store) throws GeneralSecurityException {
        StringBuilder all = new StringBuilder();
        for (Certificate each : store.getCertificateChain(ALIAS)) {
            all.append(Pem.text((X509Certificate) each));
        }
        return all.toString();
    }

    static KeyStore fromPem(ApiSettings.Pem own) throws IOException, GeneralSecurityException {
        List<X509Certificate> chain = Pem.certificates(own.chain());
        return store(Pem.keyOf(chain.getFirst(), own.key()), chain);
    }

    private static KeyStore store(PrivateKey key, List<X509Certificate> chain)
            throws IOException, GeneralSecurityException {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        store.setKeyEntry(ALIAS, key, STORE_PASSWORD.toCharArray(), chain.toArray(Certificate[]::new));
        return store;
    }
}
