package org.cellkeeper.cell.wire;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.NoSuchElementException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class InstallationsTest {
    @TempDir
    private Path home;

    @TempDir
    private Path data;

    private Path install(String version) throws IOException {
        Path programs = Files.createDirectories(home.resolve(version).resolve("bin"));
        Files.createFile(
                programs.resolve("postgres"),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwxr-xr-x")));
        return programs;
    }

    private void dataOf(String version) throws IOException {
        Files.writeString(data.resolve("PG_VERSION"), version + "\n");
    }

    @Test
    void newDataAreMadeByTheNewest() throws IOException {
        install("9");
        Path newest = install("18");
        install("17");
        Files.createDirectories(home.resolve("19/bin"));
        install("devel");
        assertThat(Installations.below(home).fitting(data)).isEqualTo(newest);
        assertThat(Installations.below(home).newest()).isEqualTo(newest);
    }

    @Test
    void dataAreRunByTheProgramsOfTheirVersion() throws IOException {
        Path old = install("15");
        install("17");
        dataOf("15");
        assertThat(Installations.below(home).fitting(data)).isEqualTo(old);
    }

    @Test
    void whatIsMissingIsSaid() throws IOException {
        assertThatThrownBy(() -> Installations.below(home).newest())
                .isInstanceOf(NoSuchElementException.class)
                .hasMessage("no PostgreSQL under " + home);
        install("17");
        dataOf("15");
        assertThatThrownBy(() -> Installations.below(home).fitting(data))
                .isInstanceOf(NoSuchElementException.class)
                .hasMessage("the data in " + data + " need PostgreSQL 15, which is not under " + home
                        + " (there is 17); install that version");
    }

    @Test
    void theOneFolderIsTakenWhateverTheDataAre() throws IOException {
        dataOf("15");
        assertThat(Installations.only(home).fitting(data)).isEqualTo(home);
    }

    @Test
    void dataFromBeforeTenAndHalfWrittenOnesHaveNoVersion() throws IOException {
        dataOf("9.6");
        assertThat(Installations.versionOf(data)).isEmpty();
        dataOf("");
        assertThat(Installations.versionOf(data)).isEmpty();
    }
}
