package org.cellkeeper.cell.trust;

import java.io.IOException;
import java.math.BigInteger;
import java.net.InetAddress;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.time.Duration;
import java.time.Instant;
import java.util.Collection;
import java.util.Date;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import javax.security.auth.x500.X500Principal;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.ExtendedKeyUsage;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.Extensions;
import org.bouncycastle.asn1.x509.ExtensionsGenerator;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.cert.CertIOException;
import org.bouncycastle.cert.X509v3CertificateBuilder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509ExtensionUtils;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.openssl.PEMParser;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.operator.jcajce.JcaContentVerifierProviderBuilder;
import org.bouncycastle.pkcs.PKCS10CertificationRequest;
import org.bouncycastle.pkcs.PKCSException;
import org.bouncycastle.pkcs.jcajce.JcaPKCS10CertificationRequest;
import org.bouncycastle.pkcs.jcajce.JcaPKCS10CertificationRequestBuilder;

/** Signs the certificates of a cluster's cells. */
public final class Authority {
    /** Clocks that are behind find a new certificate valid, too. */
    private static final Duration BACKDATED = Duration.ofHours(1);

    private static final int SERIAL_BITS = 120;

    private final X509Certificate certificate;
    private final PrivateKey key;

    private Authority(X509Certificate certificate, PrivateKey key) {
        this.certificate = certificate;
        this.key = key;
    }

    /** A certificate, and its key. */
    public record Issued(X509Certificate certificate, PrivateKey key) {
        /** Without the key. */
        @Override
        public String toString() {
            return "Issued[" + certificate.getSubjectX500Principal() + "]";
        }
    }

    /** A new one. */
    public static Authority create(String name, Duration validFor) {
        try {
            ExtensionsGenerator extensions = new ExtensionsGenerator();
            extensions.addExtension(Extension.basicConstraints, true, new BasicConstraints(0));
            extensions.addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.keyCertSign | KeyUsage.cRLSign));
            Issued own = signedByItself(name, extensions, validFor);
            return new Authority(own.certificate(), own.key());
        } catch (IOException | GeneralSecurityException e) {
            throw new IllegalStateException("no certificate can be made", e);
        }
    }

    /** A certificate that nobody vouches for but itself, under these names and addresses. */
    public static Issued selfSigned(String name, Collection<String> hosts, Duration validFor) {
        try {
            ExtensionsGenerator extensions = new ExtensionsGenerator();
            extensions.addExtension(Extension.subjectAlternativeName, false, names(name, hosts));
            return signedByItself(name, extensions, validFor);
        } catch (IOException | GeneralSecurityException e) {
            throw new IllegalStateException("no certificate can be made for " + name, e);
        }
    }

    private static Issued signedByItself(String name, ExtensionsGenerator extensions, Duration validFor)
            throws IOException, GeneralSecurityException {
        KeyPair pair = newKey();
        X500Principal subject = new X500Principal("CN=" + name);
        extensions.addExtension(
                Extension.subjectKeyIdentifier,
                false,
                new JcaX509ExtensionUtils().createSubjectKeyIdentifier(pair.getPublic()));
        return new Issued(
                sign(builder(subject, subject, pair.getPublic(), validFor), extensions.generate(), pair.getPrivate()),
                pair.getPrivate());
    }

    /** One that was made before, from its certificate and its key as PEM. */
    public static Authority of(String certificate, String key) throws GeneralSecurityException {
        X509Certificate own = Pem.certificates(certificate).getFirst();
        if (own.getBasicConstraints() < 0) {
            throw new GeneralSecurityException("the certificate is not one of an authority (CA:TRUE)");
        }
        return new Authority(own, Pem.keyOf(own, key));
    }

    public X509Certificate certificate() {
        return certificate;
    }

    public PrivateKey key() {
        return key;
    }

    /** For a cell, which others reach by these names and addresses; it is good for servers and clients. */
    public Issued issue(String cell, Collection<String> hosts, Duration validFor) {
        KeyPair pair = newKey();
        return new Issued(issue(cell, names(cell, hosts), pair.getPublic(), validFor), pair.getPrivate());
    }

    /** For whoever made this request, under the names that are in it. */
    public X509Certificate issue(String request, Duration validFor) throws GeneralSecurityException {
        try (PEMParser parser = new PEMParser(new java.io.StringReader(request))) {
            if (!(parser.readObject() instanceof PKCS10CertificationRequest asked)) {
                throw new GeneralSecurityException(
                        "there is no request in it; PEM is needed, as BEGIN CERTIFICATE REQUEST");
            }
            JcaPKCS10CertificationRequest read = new JcaPKCS10CertificationRequest(asked);
            if (!asked.isSignatureValid(new JcaContentVerifierProviderBuilder().build(read.getPublicKey()))) {
                throw new GeneralSecurityException("the request is not signed with its own key");
            }
            Extensions wanted = asked.getRequestedExtensions();
            GeneralNames names =
                    wanted == null ? null : GeneralNames.fromExtensions(wanted, Extension.subjectAlternativeName);
            String cell = nameIn(asked.getSubject());
            if (names == null || cell.isEmpty()) {
                throw new GeneralSecurityException("the request lacks a common name, or subject alternative names");
            }
            return issue(cell, names, read.getPublicKey(), validFor);
        } catch (IOException | OperatorCreationException | PKCSException e) {
            throw new GeneralSecurityException("the request cannot be read: " + e.getMessage(), e);
        }
    }

    private static String nameIn(X500Name subject) {
        var parts = subject.getRDNs(org.bouncycastle.asn1.x500.style.BCStyle.CN);
        return parts.length == 0 ? "" : parts[0].getFirst().getValue().toString();
    }

    /** A new key, and what an authority makes a certificate of. The request is PEM. */
    public static Request request(String cell, Collection<String> hosts) {
        KeyPair pair = newKey();
        try {
            ExtensionsGenerator extensions = new ExtensionsGenerator();
            extensions.addExtension(Extension.subjectAlternativeName, false, names(cell, hosts));
            PKCS10CertificationRequest request = new JcaPKCS10CertificationRequestBuilder(
                            new X500Principal("CN=" + cell), pair.getPublic())
                    .addAttribute(PKCSObjectIdentifiers.pkcs_9_at_extensionRequest, extensions.generate())
                    .build(new JcaContentSignerBuilder(algorithm(pair.getPrivate())).build(pair.getPrivate()));
            return new Request(Pem.text("CERTIFICATE REQUEST", request.getEncoded()), pair.getPrivate());
        } catch (IOException | OperatorCreationException e) {
            throw new IllegalStateException("no request can be made", e);
        }
    }

    /** What is sent to an authority, and the key that is not. */
    public record Request(String text, PrivateKey key) {
        /** Without the key. */
        @Override
        public String toString() {
            return text;
        }
    }

    private X509Certificate issue(String cell, GeneralNames names, PublicKey of, Duration validFor) {
        try {
            ExtensionsGenerator extensions = new ExtensionsGenerator();
            extensions.addExtension(Extension.basicConstraints, true, new BasicConstraints(false));
            extensions.addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.digitalSignature));
            extensions.addExtension(Extension.extendedKeyUsage, false, new ExtendedKeyUsage(new KeyPurposeId[] {
                KeyPurposeId.id_kp_serverAuth, KeyPurposeId.id_kp_clientAuth
            }));
            extensions.addExtension(Extension.subjectAlternativeName, false, names);
            extensions.addExtension(
                    Extension.authorityKeyIdentifier,
                    false,
                    new JcaX509ExtensionUtils().createAuthorityKeyIdentifier(certificate));
            return sign(
                    builder(certificate.getSubjectX500Principal(), new X500Principal("CN=" + cell), of, validFor),
                    extensions.generate(),
                    key);
        } catch (IOException | GeneralSecurityException e) {
            throw new IllegalStateException("no certificate can be made for " + cell, e);
        }
    }

    private static X509v3CertificateBuilder builder(
            X500Principal issuer, X500Principal subject, PublicKey of, Duration validFor) {
        Instant now = Instant.now();
        return new JcaX509v3CertificateBuilder(
                issuer,
                new BigInteger(SERIAL_BITS, new SecureRandom()),
                Date.from(now.minus(BACKDATED)),
                Date.from(now.plus(validFor)),
                subject,
                of);
    }

    private static X509Certificate sign(X509v3CertificateBuilder builder, Extensions extensions, PrivateKey by)
            throws GeneralSecurityException {
        try {
            for (var id : extensions.getExtensionOIDs()) {
                builder.addExtension(extensions.getExtension(id));
            }
            return new JcaX509CertificateConverter()
                    .getCertificate(builder.build(new JcaContentSignerBuilder(algorithm(by)).build(by)));
        } catch (CertIOException | OperatorCreationException e) {
            throw new GeneralSecurityException("a certificate cannot be signed", e);
        }
    }

    private static String algorithm(PrivateKey key) {
        return key.getAlgorithm().equals("RSA") ? "SHA256withRSA" : "SHA256withECDSA";
    }

    /** The cell's name comes first: a certificate without a host is one for it. */
    private static GeneralNames names(String cell, Collection<String> hosts) {
        Set<String> all = new LinkedHashSet<>(List.of(cell));
        all.addAll(hosts);
        return new GeneralNames(all.stream().map(Authority::name).toArray(GeneralName[]::new));
    }

    private static GeneralName name(String host) {
        InetAddress literal = Identity.literal(host);
        return literal == null
                ? new GeneralName(GeneralName.dNSName, host)
                : new GeneralName(GeneralName.iPAddress, literal.getHostAddress());
    }

    private static KeyPair newKey() {
        try {
            KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
            generator.initialize(new ECGenParameterSpec("secp256r1"));
            return generator.generateKeyPair();
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("this Java makes no keys of kind EC", e);
        }
    }
}
