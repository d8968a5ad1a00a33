package org.cellkeeper.cell.http;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.ApiUser;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.wire.PlainFiles;
import org.jspecify.annotations.Nullable;

/**
 * How the appliance API is served.
 *
 * @param address where others reach this cell; task locations name it
 * @param bindHost the address to listen on
 * @param directory where a generated certificate is kept, and what the audit log notes
 * @param users who may ask
 * @param own what it serves with; null to generate that
 * @param files what {@code own} is read from when it is told to; null as {@code own} is
 * @param databaseUser what connection strings name, as {@code databaseName}
 * @param tokenSecrets the same at every cell; what the API's tokens are signed with is derived from the first of them
 * @param volumes the folders whose volumes are told of, by what they hold
 * @param answerWithin how long a request may take before it is answered with 503
 */
public record ApiSettings(
        CellName self,
        Address address,
        String bindHost,
        Path directory,
        Users users,
        @Nullable Pem own,
        @Nullable PemFiles files,
        String databaseUser,
        String databaseName,
        Supplier<List<String>> tokenSecrets,
        Map<String, Path> volumes,
        Duration answerWithin) {

    /** With a generated certificate, on the address that others use, for root alone. */
    public static ApiSettings of(
            CellName self, Address address, Path directory, String rootPassword, String tokenSecret) {
        return new ApiSettings(
                self,
                address,
                address.host(),
                directory,
                new Users(List.of(
                        new ApiUser(ApiUser.ROOT, ApiUser.Role.ROOT, new ApiUser.Secret.Password(rootPassword)))),
                null,
                null,
                "vcloud",
                "vcloud",
                () -> List.of(tokenSecret),
                Map.of("data", directory),
                Duration.ofSeconds(10));
    }

    public ApiSettings {
        if (tokenSecrets.get().isEmpty() || tokenSecrets.get().contains("")) {
            throw new IllegalArgumentException("the secret of the tokens is empty");
        }
        volumes = Map.copyOf(volumes);
    }

    /**
     * A certificate and its key, as PEM.
     *
     * @param chain the own certificate and its chain
     * @param key its private key (PKCS #8, not encrypted)
     */
    public record Pem(String chain, String key) {
        /** What is wrong with it, in words; empty when nothing is. */
        public String problem() {
            return Certificates.problem(this);
        }

        /** Without the key. */
        @Override
        public String toString() {
            return "Pem[***]";
        }
    }

    /**
     * Where a certificate and its key are.
     *
     * @param chain the file of the certificates
     * @param key the file of the private key
     */
    public record PemFiles(Path chain, Path key) {
        Pem read() throws IOException {
            return new Pem(text(chain), text(key));
        }

        private static final int LARGEST = 1 << 20;

        private static String text(Path file) throws IOException {
            try {
                return new String(PlainFiles.read(file, LARGEST), StandardCharsets.UTF_8);
            } catch (NoSuchFileException e) {
                throw new IOException(file + " is not there", e);
            } catch (IOException e) {
                throw new IOException(file + " cannot be read: " + e.getMessage(), e);
            }
        }
    }

    /** Without the secrets. */
    @Override
    public String toString() {
        return "ApiSettings[" + self + " on " + bindHost + ":" + address.apiPort() + "]";
    }
}
