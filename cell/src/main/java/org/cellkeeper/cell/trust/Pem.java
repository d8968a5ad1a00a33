package org.cellkeeper.cell.trust;

import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.InvalidKeyException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.cert.Certificate;
import java.security.cert.CertificateEncodingException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Certificates and keys as PEM. */
public final class Pem {
    private static final Pattern KEY_BLOCK =
            Pattern.compile("-----BEGIN PRIVATE KEY-----([A-Za-z0-9+/=\\s]+)-----END PRIVATE KEY-----");
    private static final Map<String, String> SIGNATURES =
            Map.of("EC", "SHA256withECDSA", "RSA", "SHA256withRSA", "EdDSA", "EdDSA");
    private static final Base64.Encoder LINES = Base64.getMimeEncoder(64, new byte[] {'\n'});

    private Pem() {}

    /** All certificates in it, one at least. */
    public static List<X509Certificate> certificates(String text) throws CertificateException {
        List<X509Certificate> found;
        try {
            found = CertificateFactory.getInstance("X.509")
                    .generateCertificates(new ByteArrayInputStream(blocks(text).getBytes(StandardCharsets.UTF_8)))
                    .stream()
                    .map(X509Certificate.class::cast)
                    .toList();
        } catch (CertificateException unreadable) {
            throw new CertificateException(
                    "the certificate cannot be read; PEM is needed, as BEGIN CERTIFICATE", unreadable);
        }
        if (found.isEmpty()) {
            throw new CertificateException("there is no certificate in it; PEM is needed, as BEGIN CERTIFICATE");
        }
        return found;
    }

    /** Without the keys and whatever else is between the certificates. */
    private static String blocks(String text) {
        Matcher block = Pattern.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", Pattern.DOTALL)
                .matcher(text);
        StringBuilder all = new StringBuilder();
        while (block.find()) {
            all.append(block.group()).append('\n');
        }
        return all.isEmpty() && text.contains("CERTIFICATE") ? text : all.toString();
    }

    /** The key of this certificate. */
    public static PrivateKey keyOf(Certificate certificate, String text) throws GeneralSecurityException {
        String algorithm = certificate.getPublicKey().getAlgorithm();
        PrivateKey key = privateKey(text, algorithm);
        if (!belongTogether(key, certificate, algorithm)) {
            throw new InvalidKeyException(
                    "the key is not that of the first certificate; the chain begins with the cell's own");
        }
        return key;
    }

    private static PrivateKey privateKey(String text, String algorithm) throws GeneralSecurityException {
        Matcher block = KEY_BLOCK.matcher(text);
        if (!block.find()) {
            throw new InvalidKeyException("there is no unencrypted PKCS #8 key (BEGIN PRIVATE KEY);"
                    + " convert it with: openssl pkcs8 -topk8 -nocrypt -in OLD -out NEW");
        }
        byte[] encoded = Base64.getMimeDecoder().decode(block.group(1));
        try {
            return KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(encoded));
        } catch (InvalidKeySpecException other) {
            throw new InvalidKeySpecException(
                    "the key cannot be read as one of kind " + algorithm + ", which the certificate is of", other);
        }
    }

    private static boolean belongTogether(PrivateKey key, Certificate certificate, String algorithm)
            throws GeneralSecurityException {
        String name = SIGNATURES.get(algorithm);
        if (name == null) {
            throw new GeneralSecurityException("keys of kind " + algorithm + " are not supported");
        }
        byte[] probe = {1, 2, 3};
        Signature signature = Signature.getInstance(name);
        signature.initSign(key);
        signature.update(probe);
        byte[] signed = signature.sign();
        signature.initVerify(certificate.getPublicKey());
        signature.update(probe);
        return signature.verify(signed);
    }

    public static String text(X509Certificate certificate) {
        try {
            return text("CERTIFICATE", certificate.getEncoded());
        } catch (CertificateEncodingException e) {
            throw new IllegalArgumentException("a certificate without an encoding", e);
        }
    }

    /** As PKCS #8. */
    public static String text(PrivateKey key) {
        return text("PRIVATE KEY", key.getEncoded());
    }

    static String text(String kind, byte[] der) {
        return "-----BEGIN " + kind + "-----\n" + LINES.encodeToString(der) + "\n-----END " + kind + "-----\n";
    }
}
