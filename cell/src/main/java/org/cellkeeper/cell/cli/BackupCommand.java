package org.cellkeeper.cell.cli;

import org.cellkeeper.api.ApplianceClient;
import org.cellkeeper.api.BackupFile;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** What concerns backups on the transfer share. */
@Command(
        name = "backup",
        description = "Make, list, check, restore and delete backups on the transfer share.",
        subcommands = {
            BackupCommand.Create.class,
            BackupCommand.Show.class,
            BackupCommand.Check.class,
            BackupCommand.Restore.class,
            BackupCommand.Delete.class
        })
final class BackupCommand extends GroupCommand {
    private static final String UNSIGNED =
            "Use it though it has no signature of this cluster's: you answer for it that nobody forged it. Whoever did would have"
                    + " a program of theirs run as PostgreSQL's user.";

    /** Makes one. */
    @Command(
            name = "create",
            description = "Make a backup of the database. The primary makes it, whichever cell is asked.")
    static final class Create extends ChangeCommand {
        @Option(names = "--check", description = "Have the primary check it at once, as 'backup check' does.")
        private boolean check;

        @Override
        ApplianceClient.Request request() {
            return new ApplianceClient.Request.Backup(check);
        }
    }

    /** Names them all. */
    @Command(name = "list", description = "List the backups, newest first.")
    static final class Show extends OperatorCommand {
        @Option(
                names = "--filter",
                paramLabel = "FILTER",
                description = "Only those of a date or a version: date=ge=2026-01-02T12:00:00Z (or gt, le, lt, eq),"
                        + " version==0.1.0, or some of these with ; between them.")
        private @Nullable String filter;

        @Option(names = "--oldest-first", description = "The oldest first.")
        private boolean oldestFirst;

        @Override
        int run(ApplianceClient client) {
            for (BackupFile file : client.backups(filter, oldestFirst)) {
                out().println(String.join(
                        "  ",
                        file.date(),
                        file.name(),
                        file.size() + " bytes",
                        file.version(),
                        "signature " + (file.signature() == null ? "unknown" : file.signature()),
                        file.location()));
            }
            return OK;
        }
    }

    /** Rehearses a restore. */
    @Command(
            name = "check",
            description =
                    "Find out whether a backup can be restored, and what would not come back as it was: it is unpacked beside the"
                            + " data of a cell, started, and read in full. Nothing of the cluster is changed. A standby does it,"
                            + " where one answers.")
    static final class Check extends ChangeCommand {
        @Parameters(paramLabel = "BACKUP", description = "The backup.")
        private String backup = "";

        @Option(names = "--accept-unsigned", description = UNSIGNED)
        private boolean acceptUnsigned;

        @Override
        int run(ApplianceClient client) {
            client.preferStandby();
            return super.run(client);
        }

        @Override
        ApplianceClient.Request request() {
            return new ApplianceClient.Request.CheckBackup(backup, acceptUnsigned);
        }
    }

    /** Brings one back. */
    @Command(
            name = "restore",
            description =
                    "Replace the application's database by that of a backup. Its sessions are ended; the old database is kept"
                            + " under another name.")
    static final class Restore extends ChangeCommand {
        @Parameters(paramLabel = "BACKUP", description = "The backup.")
        private String backup = "";

        @Option(
                names = "--confirm",
                paramLabel = "BACKUP",
                description = "Its name once more: nothing is done without.")
        private @Nullable String confirm;

        @Option(names = "--accept-unsigned", description = UNSIGNED)
        private boolean acceptUnsigned;

        @Override
        ApplianceClient.Request request() {
            if (!backup.equals(confirm)) {
                throw new Connection.UsageProblem(
                        "this replaces the application's database; to go on, add: --confirm=" + backup);
            }
            return new ApplianceClient.Request.Restore(backup, backup, acceptUnsigned);
        }
    }

    /** Deletes one. */
    @Command(name = "delete", description = "Delete a backup.")
    static final class Delete extends ChangeCommand {
        @Parameters(paramLabel = "BACKUP", description = "The backup.")
        private String backup = "";

        @Override
        ApplianceClient.Request request() {
            return new ApplianceClient.Request.DeleteBackup(backup);
        }
    }
}
