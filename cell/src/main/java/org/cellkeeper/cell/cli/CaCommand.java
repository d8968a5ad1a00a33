package org.cellkeeper.cell.cli;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.PrivateKey;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.trust.Authority;
import org.cellkeeper.cell.trust.Identity;
import org.cellkeeper.cell.trust.Pem;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** A certificate authority for those who have none. */
@Command(
        name = "ca",
        description = {
            "Make the certificates that the cells of a cluster know each other by.",
            "'init' makes an authority, 'issue' a certificate and a key for each cell. Where a key is not to leave its"
                    + " machine, 'request' makes it there, and 'issue --request' signs. An authority of your own does as well."
        },
        subcommands = {CaCommand.Init.class, CaCommand.Issue.class, CaCommand.Request.class})
final class CaCommand extends GroupCommand {
    private static final String AUTHORITY = "ca";

    /** Makes an authority. */
    @Command(
            name = "init",
            description =
                    "Make a certificate authority: ca.pem, which every cell and client is given, and ca.key, which"
                            + " stays where certificates are made. Nothing that is there is replaced.",
            mixinStandardHelpOptions = true)
    static final class Init extends Making {
        @Option(names = "--name", paramLabel = "NAME", description = "Its name. Default: ${DEFAULT-VALUE}.")
        private String name = "Cellkeeper CA";

        @Option(names = "--days", paramLabel = "N", description = "How long it is good. Default: ${DEFAULT-VALUE}.")
        private int days = 3650;

        @Override
        void make() throws IOException {
            if (!name.matches("[A-Za-z0-9._ -]{1,60}")) {
                throw new ParameterException(
                        spec.commandLine(), "--name takes letters, digits, '.', '_', '-' and blanks, not: " + name);
            }
            Files.createDirectories(folder);
            Authority made = Authority.create(name, days(days));
            refuseExisting(AUTHORITY);
            writeKey(AUTHORITY, made.key());
            writeCertificate(AUTHORITY, Pem.text(made.certificate()));
        }
    }

    /** Makes certificates for cells. */
    @Command(
            name = "issue",
            description = {
                "Make a certificate and a key for each cell: NAME.pem and NAME.key. Name the cell, and after '=' where it is"
                        + " reached: its host as in its configuration, and whatever else clients call it.",
                "With --request sign what 'request' made on the cell's machine: NAME.pem alone. Certificates that are there"
                        + " are replaced."
            },
            mixinStandardHelpOptions = true)
    static final class Issue extends Making {
        @Parameters(
                arity = "0..*",
                paramLabel = "NAME=HOST[,HOST...]",
                description = "A cell, such as cell-1=10.0.0.1,db1.example.com.")
        private List<String> cells = List.of();

        @Option(names = "--request", paramLabel = "FILE", description = "A request; may be repeated.")
        private List<Path> requests = List.of();

        @Option(names = "--days", paramLabel = "N", description = "How long they are good. Default: ${DEFAULT-VALUE}.")
        private int days = 825;

        @Override
        void make() throws IOException, GeneralSecurityException {
            if (cells.isEmpty() == requests.isEmpty()) {
                throw new ParameterException(
                        spec.commandLine(), "name cells, such as cell-1=10.0.0.1, or requests (--request FILE)");
            }
            List<Asked> asked = cells.stream().map(this::asked).toList();
            Authority authority = authority();
            for (Asked each : asked) {
                Authority.Issued issued = authority.issue(each.cell, each.hosts, days(days));
                writeKey(each.cell, issued.key());
                writeCertificate(each.cell, Pem.text(issued.certificate()));
            }
            for (Path request : requests) {
                String text = Files.readString(request);
                var certificate = authority.issue(text, days(days));
                String cell = cellName(String.valueOf(Identity.nameOf(certificate)));
                writeCertificate(cell, Pem.text(certificate));
            }
        }

        private Authority authority() throws IOException, GeneralSecurityException {
            try {
                return Authority.of(Files.readString(certificateFile(AUTHORITY)), Files.readString(keyFile(AUTHORITY)));
            } catch (NoSuchFileException e) {
                throw new IOException(e.getFile() + " is not there: cellctl ca init makes it", e);
            }
        }
    }

    /** Makes a key, and a request for a certificate of it. */
    @Command(
            name = "request",
            description = "Make a key and a request for its certificate: NAME.key, which stays here, and NAME.csr for"
                    + " 'issue --request'.",
            mixinStandardHelpOptions = true)
    static final class Request extends Making {
        @Parameters(
                paramLabel = "NAME=HOST[,HOST...]",
                description = "The cell, such as cell-1=10.0.0.1,db1.example.com.")
        @SuppressWarnings("NullAway.Init") // picocli sets it
        private String cell;

        @Override
        void make() throws IOException {
            Asked asked = asked(cell);
            Files.createDirectories(folder);
            refuseExisting(asked.cell);
            Authority.Request request = Authority.request(asked.cell, asked.hosts);
            writeKey(asked.cell, request.key());
            Path file = folder.resolve(asked.cell + ".csr");
            replace(file, request.text(), "rw-r--r--");
            say(file);
        }
    }

    /** A cell, and where it is reached. */
    private record Asked(String cell, List<String> hosts) {}

    /** What the three have in common. */
    private abstract static class Making implements Callable<Integer> {
        @Spec
        @SuppressWarnings("NullAway.Init") // picocli sets it
        CommandSpec spec;

        @Option(
                names = "--dir",
                paramLabel = "FOLDER",
                description = "Where all of it is kept. Default: the current folder.")
        Path folder = Path.of("");

        abstract void make() throws IOException, GeneralSecurityException;

        @Override
        public final Integer call() {
            try {
                make();
                return CommandLine.ExitCode.OK;
            } catch (IOException | GeneralSecurityException e) {
                spec.commandLine().getErr().println("cellctl: " + reason(e));
                spec.commandLine().getErr().flush();
                return CommandLine.ExitCode.SOFTWARE;
            }
        }

        private static String reason(Exception e) {
            return switch (e) {
                case NoSuchFileException missing -> missing.getFile() + " is not there";
                case FileAlreadyExistsException there -> there.getFile() + " is there already, and is not replaced";
                default -> String.valueOf(e.getMessage());
            };
        }

        Duration days(int days) {
            if (days < 1 || days > 36_500) {
                throw new ParameterException(spec.commandLine(), "--days is 1 to 36500, not " + days);
            }
            return Duration.ofDays(days);
        }

        Asked asked(String text) {
            int equals = text.indexOf('=');
            if (equals < 0 || equals == text.length() - 1) {
                throw new ParameterException(
                        spec.commandLine(), "where is it reached? Such as cell-1=10.0.0.1, not: " + text);
            }
            List<String> hosts = Arrays.asList(text.substring(equals + 1).split(",", -1));
            for (String host : hosts) {
                if (!host.matches("[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*")) {
                    throw new ParameterException(
                            spec.commandLine(), "not a host name or an IP address: '" + host + "'");
                }
            }
            return new Asked(cellName(text.substring(0, equals)), hosts);
        }

        String cellName(String text) {
            try {
                return new CellName(text).value();
            } catch (IllegalArgumentException e) {
                throw new ParameterException(spec.commandLine(), "not the name of a cell: '" + text + "'");
            }
        }

        Path certificateFile(String name) {
            return folder.resolve(name + ".pem");
        }

        Path keyFile(String name) {
            return folder.resolve(name + ".key");
        }

        void refuseExisting(String name) throws IOException {
            for (Path file : List.of(keyFile(name), certificateFile(name))) {
                if (Files.exists(file)) {
                    throw new FileAlreadyExistsException(file.toString());
                }
            }
        }

        void writeCertificate(String name, String text) throws IOException {
            replace(certificateFile(name), text, "rw-r--r--");
            say(certificateFile(name));
        }

        void writeKey(String name, PrivateKey key) throws IOException {
            replace(keyFile(name), Pem.text(key), "rw-------");
        }

        /** At once, and never readable for more than it is to be. */
        static void replace(Path file, String text, String permissions) throws IOException {
            Path next = file.resolveSibling(file.getFileName() + ".tmp");
            Files.deleteIfExists(next);
            Files.createFile(next, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
            Files.writeString(next, text, StandardOpenOption.TRUNCATE_EXISTING);
            Files.setPosixFilePermissions(next, PosixFilePermissions.fromString(permissions));
            Files.move(next, file, StandardCopyOption.ATOMIC_MOVE);
        }

        void say(Path file) {
            spec.commandLine().getOut().println(file);
            spec.commandLine().getOut().flush();
        }
    }
}
