package org.cellkeeper.cell.cli;

import java.io.Console;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.concurrent.Callable;
import org.cellkeeper.cell.wire.PasswordHash;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** What concerns the API's users. */
@Command(name = "user", description = "Make what names a user of the API.", subcommands = UserCommand.Hash.class)
final class UserCommand extends GroupCommand {
    /** Asks no cell, and takes no password from the command line, which other users of a machine can read. */
    @Command(
            name = "hash",
            description =
                    "Read a password from the terminal, where it is not shown, or else from the standard input, and write"
                            + " its hash, for a line name:role:hash in the file that security.users-file names.",
            mixinStandardHelpOptions = true,
            exitCodeListHeading = "Exit codes:%n",
            exitCodeList = {"0:the hash was written", "2:it is no password that can be used"})
    static final class Hash implements Callable<Integer> {
        private static final int LONGEST = 4096;

        @Spec
        @SuppressWarnings("NullAway.Init") // picocli sets it
        private CommandSpec spec;

        @Override
        @SuppressWarnings("SystemConsoleNull")
        public Integer call() throws IOException {
            Console console = System.console();
            String password = console != null && console.isTerminal() ? asked(console) : read();
            if (password.isEmpty() || password.chars().anyMatch(c -> c < ' ' || c == 0xfffd)) {
                throw refused("a password is one line of text, in UTF-8");
            }
            spec.commandLine().getOut().println(PasswordHash.of(password).text());
            spec.commandLine().getOut().flush();
            return CommandLine.ExitCode.OK;
        }

        private String asked(Console console) {
            char[] first = console.readPassword("Password: ");
            char[] second = console.readPassword("Once more: ");
            if (first == null || second == null || !Arrays.equals(first, second)) {
                throw refused("the two are not the same");
            }
            return new String(first);
        }

        private String read() throws IOException {
            byte[] bytes = System.in.readNBytes(LONGEST + 1);
            if (bytes.length > LONGEST) {
                throw refused("a password has " + LONGEST + " bytes at most");
            }
            return new String(bytes, StandardCharsets.UTF_8).replaceFirst("\\r?\\n$", "");
        }

        private ParameterException refused(String why) {
            return new ParameterException(spec.commandLine(), why);
        }
    }
}
