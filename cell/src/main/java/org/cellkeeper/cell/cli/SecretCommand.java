package org.cellkeeper.cell.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.Callable;
import org.cellkeeper.cell.config.SecretFiles;
import org.cellkeeper.cell.trust.Secrets;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** What concerns the cluster's secret. */
@Command(
        name = "secret",
        description = "Make a secret for a cluster, and tell by which names the status speaks of those in a file.",
        subcommands = {SecretCommand.Make.class, SecretCommand.Names.class})
final class SecretCommand extends GroupCommand {
    /** Asks no cell. */
    @Command(
            name = "make",
            description = "Write a new secret, for a line of the file that cluster.secret-file names.",
            mixinStandardHelpOptions = true,
            exitCodeListHeading = "Exit codes:%n",
            exitCodeList = {"0:the secret was written"})
    static final class Make implements Callable<Integer> {
        private static final int BYTES = 32;

        @Spec
        @SuppressWarnings("NullAway.Init") // picocli sets it
        private CommandSpec spec;

        @Override
        public Integer call() {
            byte[] secret = new byte[BYTES];
            new SecureRandom().nextBytes(secret);
            spec.commandLine().getOut().println(HexFormat.of().formatHex(secret));
            spec.commandLine().getOut().flush();
            return CommandLine.ExitCode.OK;
        }
    }

    /** Asks no cell. */
    @Command(
            name = "names",
            description =
                    "Tell the names of the secrets in a file, in their order. A name tells nothing of its secret.",
            mixinStandardHelpOptions = true,
            exitCodeListHeading = "Exit codes:%n",
            exitCodeList = {"0:the names were written", "2:the file cannot be used"})
    static final class Names implements Callable<Integer> {
        @Spec
        @SuppressWarnings("NullAway.Init") // picocli sets it
        private CommandSpec spec;

        @Parameters(paramLabel = "FILE", description = "the file that cluster.secret-file names")
        @SuppressWarnings("NullAway.Init") // picocli sets it
        private Path file;

        @Override
        public Integer call() {
            List<byte[]> secrets;
            try {
                secrets = SecretFiles.read(file);
            } catch (IOException unusable) {
                throw new ParameterException(spec.commandLine(), String.valueOf(unusable.getMessage()));
            }
            new Secrets(secrets).names().forEach(spec.commandLine().getOut()::println);
            spec.commandLine().getOut().flush();
            return CommandLine.ExitCode.OK;
        }
    }
}
