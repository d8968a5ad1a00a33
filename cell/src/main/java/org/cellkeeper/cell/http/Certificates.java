package org.cellkeeper.cell.http;

import java.io.IOException;
import java.io.InputStream;
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
import java.util.List;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.cellkeeper.cell.trust.Pem;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The key and certificate that a cell serves with: its own from PEM files, or a self-signed one that is made once, by the
 * JDK's keytool, and kept. It is the file's mode that guards the generated key, not the store's password.
 */
final class Certificates {
    private static final Logger LOG = LoggerFactory.getLogger(Certificates.class);

    static final String STORE_PASSWORD = "cellkeeper";
    private static final String ALIAS = "cell";
    private static final long KEYTOOL_SECONDS = 60;
    private static final Pattern NUMERIC_HOST = Pattern.compile("[0-9.]+|.*:.*");

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
    private static void generate(ApiSettings settings, Path kept) throws IOException {
        Files.createDirectories(settings.directory());
        Path folder = Files.createTempDirectory(
                settings.directory(),
                "certificate",
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        Path made = folder.resolve("made.p12");
        try {
            keytool(settings, made);
            Files.setPosixFilePermissions(made, PosixFilePermissions.fromString("rw-------"));
            Files.move(made, kept, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            Files.deleteIfExists(made);
            Files.deleteIfExists(folder);
        }
    }

    private static void keytool(ApiSettings settings, Path made) throws IOException {
        String name = settings.self().value();
        TreeSet<String> subjects = new TreeSet<>(List.of("dns:" + name, "dns:localhost", "ip:127.0.0.1"));
        String host = settings.address().host();
        subjects.add((NUMERIC_HOST.matcher(host).matches() ? "ip:" : "dns:") + host);
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "keytool")
                                .toString(),
                        "-J-XX:TieredStopAtLevel=1",
                        "-J-Xmx64m",
                        "-genkeypair",
                        "-alias",
                        ALIAS,
                        "-keyalg",
                        "EC",
                        "-groupname",
                        "secp256r1",
                        "-sigalg",
                        "SHA256withECDSA",
                        "-validity",
                        "3650",
                        "-dname",
                        "CN=" + name + ", O=Cellkeeper",
                        "-ext",
                        "san=" + String.join(",", subjects),
                        "-storetype",
                        "PKCS12",
                        "-storepass",
                        STORE_PASSWORD,
                        "-keystore",
                        made.toString())
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        try {
            if (!process.waitFor(KEYTOOL_SECONDS, TimeUnit.SECONDS)) {
                throw new IOException("keytool has not made a certificate within " + KEYTOOL_SECONDS + " s");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while keytool makes a certificate", e);
        } finally {
            process.destroyForcibly();
        }
        if (process.exitValue() != 0) {
            throw new IOException(
                    "keytool could not make a certificate for " + subjects + ": exit code " + process.exitValue());
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
        PrivateKey key = Pem.keyOf(chain.getFirst(), own.key());
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        store.setKeyEntry(ALIAS, key, STORE_PASSWORD.toCharArray(), chain.toArray(Certificate[]::new));
        return store;
    }
}
