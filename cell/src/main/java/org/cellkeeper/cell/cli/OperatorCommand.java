package org.cellkeeper.cell.cli;

import java.io.Console;
import java.io.PrintWriter;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.cellkeeper.api.ApplianceClient;
import org.cellkeeper.api.ApplianceFailure;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** What all operator commands share: how they connect, how they speak, and their exit codes. */
@Command(
        exitCodeListHeading = "Exit codes:%n",
        exitCodeList = {
            "0:done",
            "1:refused, failed, not confirmed, or not ended in time",
            "2:wrong usage, or no terminal to confirm on",
            "3:no cell could be reached"
        })
abstract class OperatorCommand implements Callable<Integer> {
    static final int OK = 0;
    static final int REFUSED = 1;
    static final int USAGE = CommandLine.ExitCode.USAGE;
    static final int NOBODY_ANSWERS = 3;

    @Mixin
    private Connection connection = new Connection();

    @SuppressWarnings("unused")
    @Option(names = "--help", usageHelp = true, description = "Say how this command is used.")
    private boolean help;

    @Spec
    private @Nullable CommandSpec spec;

    abstract int run(ApplianceClient client) throws Exception;

    @Override
    public final Integer call() throws Exception {
        try (ApplianceClient client = connection.open()) {
            return run(client);
        } catch (ApplianceFailure.Refused e) {
            complain(e.getMessage() + " [" + e.code() + "]");
            return REFUSED;
        } catch (ApplianceFailure.OutcomeUnknown e) {
            complain(e.getMessage());
            return REFUSED;
        } catch (ApplianceFailure.NobodyAnswers e) {
            complain(e.getMessage());
            if (String.valueOf(e.getMessage()).contains(ApplianceClient.NOT_BELIEVED)) {
                complain("name the authority that has signed it (--ca-file or $CELLCTL_CA_FILE)");
            }
            return NOBODY_ANSWERS;
        } catch (Connection.UsageProblem e) {
            complain(e.getMessage());
            return USAGE;
        } finally {
            out().flush();
        }
    }

    final PrintWriter out() {
        return Objects.requireNonNull(spec).commandLine().getOut();
    }

    final void complain(@Nullable String message) {
        PrintWriter err = Objects.requireNonNull(spec).commandLine().getErr();
        err.println("cellctl: " + message);
        err.flush();
    }

    /** Colours and rewriting are for a terminal only, and for nobody who does not want them. */
    @SuppressWarnings("SystemConsoleNull")
    static boolean onTerminal() {
        Console console = System.console();
        return console != null && console.isTerminal() && System.getenv("NO_COLOR") == null;
    }
}
