package org.cellkeeper.cell;

import org.cellkeeper.cell.cli.OperatorCommands;
import org.cellkeeper.cell.wire.Build;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;

/** The root command, which does nothing by itself: without a subcommand it says how it is used. */
@Command(
        name = "cellkeeper",
        description = "Keeps a PostgreSQL cell available.",
        mixinStandardHelpOptions = true,
        versionProvider = Main.Version.class)
public final class Main {

    private Main() {}

    public static void main(String[] args) {
        System.exit(run(args));
    }

    private static int run(String... args) {
        CommandLine root = OperatorCommands.under(new Main());
        root.setExecutionStrategy(parsed -> {
            if (!parsed.hasSubcommand() && !parsed.isUsageHelpRequested() && !parsed.isVersionHelpRequested()) {
                root.usage(root.getErr());
                return CommandLine.ExitCode.USAGE;
            }
            return new CommandLine.RunLast().execute(parsed);
        });
        return root.execute(args);
    }

    /** The version that the build wrote into the archive's manifest. */
    static final class Version implements IVersionProvider {
        @Override
        public String[] getVersion() {
            return new String[] {"cellkeeper " + Build.version()};
        }
    }
}
