package org.cellkeeper.cell.cli;

import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import javax.net.ssl.SSLContext;
import org.cellkeeper.api.ApplianceClient;
import org.cellkeeper.api.Trust;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Which cells a command talks to, and as whom: options, else the environment, else the lab of this folder. */
final class Connection {
    private static final String CELLS = "CELLCTL_CELLS";
    private static final String PASSWORD_FILE = "CELLCTL_PASSWORD_FILE";
    private static final List<String> LAB_CELLS =
            List.of("https://127.0.0.11:5480", "https://127.0.0.12:5480", "https://127.0.0.13:5480");
    private static final Path LAB_PASSWORD = Path.of(".lab", "root.password");
    private static final String CA_FILE = "CELLCTL_CA_FILE";
    private static final Path LAB_CA = Path.of(".lab", "ca", "ca.pem");

    @Option(
            names = "--cell",
            paramLabel = "URL",
            description =
                    "A cell to ask, such as https://10.0.0.1:5480; may be repeated: the next one is asked when one is"
                            + " down. Default: $CELLCTL_CELLS (separated by commas or spaces), else the cells of the lab.")
    private List<String> cells = new ArrayList<>();

    @Option(
            names = "--password-file",
            paramLabel = "FILE",
            description = "Holds the user's password. Default: $CELLCTL_PASSWORD_FILE, else .lab/root.password.")
    private @Nullable Path passwordFile;

    @Option(
            names = "--user",
            paramLabel = "NAME",
            defaultValue = "${env:CELLCTL_USER:-root}",
            description = "Who asks. Default: $CELLCTL_USER, else root.")
    private String user = "root";

    @Option(
            names = "--ca-file",
            paramLabel = "FILE",
            description = "The authorities that have signed the cells' certificates, as PEM. Default: $CELLCTL_CA_FILE,"
                    + " else .lab/ca/ca.pem where that is there, else those that this machine's Java knows.")
    private @Nullable Path caFile;

    @Option(names = "--insecure", description = "Take any certificate: whoever is in between learns the password.")
    private boolean insecure;

    ApplianceClient open() {
        return new ApplianceClient(cells(), user, password(), trust());
    }

    private SSLContext trust() {
        if (insecure) {
            return Trust.all();
        }
        String environment = System.getenv(CA_FILE);
        Path file = caFile;
        if (file == null && environment != null && !environment.isBlank()) {
            file = Path.of(environment);
        }
        if (file == null && Files.exists(LAB_CA)) {
            file = LAB_CA;
        }
        if (file == null) {
            return Trust.usual();
        }
        try {
            return Trust.in(file);
        } catch (IOException | GeneralSecurityException e) {
            throw new UsageProblem("the CA file " + file + " cannot be used (" + e.getMessage()
                    + "); --ca-file or $CELLCTL_CA_FILE names another");
        }
    }

    private List<URI> cells() {
        List<String> chosen = cells;
        String environment = System.getenv(CELLS);
        if (chosen.isEmpty() && environment != null && !environment.isBlank()) {
            chosen = Arrays.asList(environment.trim().split("[,\\s]+"));
        }
        if (chosen.isEmpty()) {
            chosen = LAB_CELLS;
        }
        return chosen.stream().map(Connection::uri).toList();
    }

    private static URI uri(String text) {
        String whole = text.contains("://") ? text : "https://" + text;
        try {
            URI uri = URI.create(whole);
            if (uri.getHost() == null || !uri.getScheme().equals("https")) {
                throw new UsageProblem("not the https address of a cell: " + text);
            }
            return uri.getPort() < 0 ? URI.create("https://" + uri.getHost() + ":5480") : uri;
        } catch (IllegalArgumentException e) {
            throw new UsageProblem("not the https address of a cell: " + text);
        }
    }

    private String password() {
        String environment = System.getenv(PASSWORD_FILE);
        Path file = passwordFile;
        if (file == null) {
            file = environment == null || environment.isBlank() ? LAB_PASSWORD : Path.of(environment);
        }
        try {
            return Files.readString(file).strip();
        } catch (IOException e) {
            throw new UsageProblem("the password file " + file
                    + " cannot be read (--password-file or $CELLCTL_PASSWORD_FILE names another)");
        }
    }

    /** The command line or its environment is wrong. */
    static final class UsageProblem extends RuntimeException {
        private static final long serialVersionUID = 1L;

        UsageProblem(String message) {
            super(message);
        }
    }
}
