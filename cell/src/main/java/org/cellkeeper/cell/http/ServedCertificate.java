package org.cellkeeper.cell.http;

import java.io.IOException;
import java.security.KeyStore;
import java.util.List;
import org.cellkeeper.cell.port.Operator.Check;
import org.cellkeeper.cell.port.Reloadable;
import org.eclipse.jetty.util.ssl.SslContextFactory;

/**
 * The certificate that the API is served with. It is read anew from the files that the running configuration names, or from where the
 * generated one is kept. New connections meet the new one; those that stand go on.
 */
final class ServedCertificate implements Reloadable {
    private final ApiSettings settings;
    private final SslContextFactory.Server tls = new SslContextFactory.Server();

    ServedCertificate(ApiSettings settings) {
        this.settings = settings;
    }

    /** For the server, at its start. */
    SslContextFactory.Server tls() {
        tls.setKeyStore(Certificates.of(settings));
        tls.setKeyStorePassword(Certificates.STORE_PASSWORD);
        tls.setKeyManagerPassword(Certificates.STORE_PASSWORD);
        tls.setIncludeProtocols("TLSv1.3", "TLSv1.2");
        return tls;
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

    @Override
    public void reload() {
        try {
            ApiSettings.PemFiles files = settings.files();
            KeyStore store = files == null ? Certificates.of(settings) : Certificates.fromPem(files.read());
            tls.reload(factory -> factory.setKeyStore(store));
        } catch (Exception e) {
            throw new IllegalStateException("the certificate could not be reloaded: " + e.getMessage(), e);
        }
    }
}
