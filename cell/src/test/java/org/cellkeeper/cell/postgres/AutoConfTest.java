package org.cellkeeper.cell.postgres;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.cellkeeper.cell.wire.Installations;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is struck out of the file that ALTER SYSTEM writes, by its look alone. */
final class AutoConfTest {
    @TempDir
    private Path folder;

    private AutoConf auto() {
        PostgresSettings settings = new PostgresSettings(
                Installations.usual(),
                folder,
                folder,
                "localhost",
                5432,
                null,
                new PostgresSettings.Passwords("", "", "", ""),
                Map.of(),
                Access.unencrypted(),
                PostgresSettings.Timeouts.defaults());
        return new AutoConf(settings, new OwnedFiles(null), folder);
    }

    private Path file() {
        return folder.resolve("postgresql.auto.conf");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "# Do not edit",
                "",
                "work_mem = '64MB'",
                "work_mem='64MB'",
                "work_mem 64MB",
                "  Work_Mem = 64MB # by hand",
                "search_path = 'it''s, \\'quoted\\''",
                "auto_explain.log_min_duration = '250'",
                "log_line_prefix = ''"
            })
    void aSettingThatIsNotTheCellsStays(String line) throws IOException {
        Files.writeString(file(), "# first\n" + line + "\n");
        assertThat(auto().strikeOwned()).isEmpty();
        assertThat(file()).hasContent("# first\n" + line + "\n");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "synchronous_standby_names = ''",
                "Synchronous_Standby_Names=''",
                "fsync off",
                "include 'elsewhere.conf'",
                "primary_conninfo = 'host=elsewhere' # by hand"
            })
    void oneThatIsTheCellsIsStruckOutByName(String line) throws IOException {
        Files.writeString(file(), "work_mem = '64MB'\n" + line + "\n");
        assertThat(auto().strikeOwned()).singleElement().asString().startsWith("ALTER SYSTEM had set ");
        assertThat(file()).hasContent("work_mem = '64MB'\n");
    }

    @ParameterizedTest
    @ValueSource(strings = {"nonsense", "work_mem = 'open", "= 5", "work_mem = 1 2", "[section]", "work_mem == 5"})
    void whatIsNoSettingIsStruckOut(String line) throws IOException {
        Files.writeString(file(), line + "\nwork_mem = '64MB'\n");
        assertThat(auto().strikeOwned()).singleElement().asString().contains("no setting");
        assertThat(file()).hasContent("work_mem = '64MB'\n");
    }

    @Test
    void aLongValueIsReadLikeAnyOther() throws IOException {
        String line = "search_path = '" + "x, ".repeat(200_000) + "x'";
        Files.writeString(file(), line + "\n");
        assertThat(auto().strikeOwned()).isEmpty();
        Files.writeString(file(), line + "'\n");
        assertThat(auto().strikeOwned()).isNotEmpty();
        assertThat(file()).isEmptyFile();
    }

    @Test
    void aFileThatIsAsItWasIsNotReadAgain() throws IOException {
        AutoConf auto = auto();
        assertThat(auto.strikeOwned()).isEmpty();
        Files.writeString(file(), "fsync = off\n");
        assertThat(auto.strikeOwned())
                .isEqualTo(List.of("ALTER SYSTEM had set fsync, which the cell sets itself: it is"
                        + " struck out. What was committed meanwhile may not have been acknowledged as promised"));
        assertThat(auto.strikeOwned()).isEmpty();
        Files.writeString(file(), "fsync = off\n");
        assertThat(auto.strikeOwned()).hasSize(1);
    }
}
