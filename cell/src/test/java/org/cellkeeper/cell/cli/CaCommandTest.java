package org.cellkeeper.cell.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import org.cellkeeper.cell.trust.Identity;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

/** An authority, and the certificates that it signs. */
final class CaCommandTest {
    @TempDir
    private Path folder;

    private final StringWriter err = new StringWriter();

    private int ca(String... words) {
        List<String> all = new ArrayList<>(List.of(words));
        all.addAll(List.of("--dir", folder.resolve("ca").toString()));
        CommandLine command = new CommandLine(new CaCommand());
        command.setOut(new PrintWriter(new StringWriter(), true));
        command.setErr(new PrintWriter(err, true));
        return command.execute(all.toArray(String[]::new));
    }

    private String text(String name) throws Exception {
        return Files.readString(folder.resolve("ca").resolve(name));
    }

    private Identity identity(String cell) throws Exception {
        return Identity.of(text("ca.pem"), text(cell + ".pem"), text(cell + ".key"));
    }

    @Test
    void cellsGetCertificatesOfTheAuthorityThatWasMade() throws Exception {
        assertThat(ca("init")).isZero();
        assertThat(ca("issue", "cell-1=10.0.0.1,db1.example.com", "cell-2=fd00::2"))
                .isZero();
        assertThat(identity("cell-1").problem("cell-1", "db1.example.com")).isEmpty();
        assertThat(identity("cell-2").problem("cell-2", "fd00::2")).isEmpty();
        for (String key : List.of("ca.key", "cell-1.key", "cell-2.key")) {
            assertThat(PosixFilePermissions.toString(
                            Files.getPosixFilePermissions(folder.resolve("ca").resolve(key))))
                    .as(key)
                    .isEqualTo("rw-------");
        }
    }

    @Test
    void anAuthorityIsNeverReplaced() throws Exception {
        assertThat(ca("init")).isZero();
        String before = text("ca.key");
        assertThat(ca("init")).isEqualTo(1);
        assertThat(err.toString()).contains("ca.key is there already, and is not replaced");
        assertThat(text("ca.key")).isEqualTo(before);
    }

    @Test
    void aKeyCanStayWhereItWasMade() throws Exception {
        assertThat(ca("request", "cell-3=10.0.0.3")).isZero();
        String key = text("cell-3.key");
        assertThat(ca("init")).isZero();
        assertThat(ca("issue", "--request", folder.resolve("ca/cell-3.csr").toString()))
                .isZero();
        assertThat(text("cell-3.key")).isEqualTo(key);
        assertThat(identity("cell-3").problem("cell-3", "10.0.0.3")).isEmpty();
    }

    @Test
    void withoutAnAuthorityNothingIsIssued() {
        assertThat(ca("issue", "cell-1=10.0.0.1")).isEqualTo(1);
        assertThat(err.toString()).contains("ca.pem is not there: cellctl ca init makes it");
    }

    @ParameterizedTest
    @ValueSource(strings = {"cell-1", "cell-1=", "Cell=10.0.0.1", "cell-1=a b", "cell-1=10.0.0.1,", "../x=10.0.0.1"})
    void whatIsNoCellIsRefusedAndNothingIsWritten(String wrong) throws Exception {
        assertThat(ca("init")).isZero();
        assertThat(ca("issue", "cell-2=10.0.0.2", wrong)).isEqualTo(2);
        assertThat(folder.resolve("ca/cell-2.pem")).doesNotExist();
    }
}
