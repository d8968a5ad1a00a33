package org.cellkeeper.cell.http;

import java.io.IOException;
import java.nio.file.Files;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.List;
import org.cellkeeper.cell.port.Operator.Check;
import org.cellkeeper.cell.port.Reloadable;
import org.eclipse.jetty.util.ssl.SslContextFactory;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The certificate that the API is served with. It is read anew from the files that the running configuration names, or from where the
 * generated one is kept. New connections meet the new one; those that stand go on.
 */
final class ServedCertificate implements Reloadable {
    private static final Logger LOG = LoggerFactory.getLogger(ServedCertificate.class);

    private final ApiSettings settings;
    private final SslContextFactory.Server tls = new SslContextFactory.Server();
    /** Null when it is one that was generated. */
    private volatile ApiSettings.@Nullable Pem served;

    ServedCertificate(ApiSettings settings) {
        this.settings = settings;
        this.served = settings.own();
    }

    /** For the server, at its start. */
    SslContextFactory.Server tls() {
        KeyStore store = Certificates.of(settings);
        show(store);
        tls.setKeyStore(store);
        tls.setKeyStorePassword(Certificates.STORE_PASSWORD);
        tls.setKeyManagerPassword(Certificates.STORE_PASSWORD);
        tls.setIncludeProtocols("TLSv1.3", "TLSv1.2");
        return tls;
    }

    /** For clients on this very machine. */
    private void show(KeyStore store) {
        try {
            Files.writeString(settings.directory().resolve("served.pem"), Certificates.chain(store));
        } catch (IOException | GeneralSecurityException e) {
            LOG.warn("The certificate that is served cannot be shown in {}: {}", settings.directory(), e.toString());
        }
    }

    @Override
    public List<Check> checks() {
        ApiSettings.PemFiles files = settings.files();
        String problem;
        try {
            problem = files == null ? "" : files.read().problem();
        } catch (IOException e) {
            problem = String.valueOf(e.getMessage());
        }
        return List.of(new Check(
                "certificate-usable",
                problem.isEmpty(),
                problem.isEmpty()
                        ? "it can be served with"
                        : problem + "; mend it, the API goes on with the one before"));
    }

    /** Serves with what is in the files, if that is another certificate, and a good one. */
    void renew() {
        ApiSettings.PemFiles files = settings.files();
        try {
            ApiSettings.Pem now = files == null ? served : files.read();
            if (now != null && !now.equals(served) && now.problem().isEmpty()) {
                reload();
                LOG.info("The API's certificate was replaced");
            }
        } catch (IOException unreadable) {
            LOG.debug("The API's certificate cannot be replaced: {}", unreadable.toString());
        }
    }

    @Override
    public synchronized void reload() {
        try {
            ApiSettings.PemFiles files = settings.files();
            ApiSettings.Pem pem = files == null ? null : files.read();
            KeyStore store = pem == null ? Certificates.of(settings) : Certificates.fromPem(pem);
            show(store);
            tls.reload(factory -> factory.setKeyStore(store));
            served = pem;
        } catch (Exception e) {
            throw new IllegalStateException("the certificate could not be reloaded: " + e.getMessage(), e);
        }
    }
}
