package org.cellkeeper.cell.cli;

import java.io.Console;
import java.io.PrintWriter;
import java.util.Locale;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Asks an operator before something that cannot be undone. Without a terminal there is nobody to ask. */
final class Confirmation {
    private final @Nullable Supplier<@Nullable String> answers;

    /** @param answers a line that was typed, null at the end of input; null without a terminal */
    Confirmation(@Nullable Supplier<@Nullable String> answers) {
        this.answers = answers;
    }

    @SuppressWarnings("SystemConsoleNull")
    static Confirmation byTerminal() {
        Console console = System.console();
        return new Confirmation(console != null && console.isTerminal() ? console::readLine : null);
    }

    boolean given(String danger, PrintWriter out) {
        if (answers == null) {
            throw new Connection.UsageProblem(
                    danger + " There is no terminal to confirm it on: say --yes if it is meant, or --dry-run to look");
        }
        out.print(danger + " Go on? [y/N] ");
        out.flush();
        String answer = answers.get();
        return answer != null
                && switch (answer.strip().toLowerCase(Locale.ROOT)) {
                    case "y", "yes" -> true;
                    default -> false;
                };
    }
}
