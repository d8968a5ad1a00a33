package org.cellkeeper.cell.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Set;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.wire.Installations;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A newer PostgreSQL beside the cluster's: it only says its version, and fails at all else. */
final class VersionsIT {
    private static final String NEWER = "99";
    private static final long EPOCH = 1;

    private PostgresBench bench;
    private Path home;
    private String version;

    @BeforeEach
    void setUp() throws IOException {
        bench = new PostgresBench();
        Path real = PostgresBench.binDir().getParent();
        version = real.getFileName().toString();
        home = Files.createDirectories(bench.dataDir("home").getParent());
        Files.createSymbolicLink(home.resolve(version), real);
    }

    @AfterEach
    void tearDown() {
        bench.close();
    }

    private void installNewer() throws IOException {
        Path programs = Files.createDirectories(home.resolve(NEWER).resolve("bin"));
        for (String name : List.of("postgres", "initdb", "pg_basebackup", "pg_controldata", "pg_waldump")) {
            Path program = programs.resolve(name);
            Files.writeString(
                    program,
                    "#!/bin/sh\n[ \"$1\" = --version ] || { echo \"I am of " + NEWER + "\" >&2; exit 1; }\necho '"
                            + name + " (PostgreSQL) " + NEWER + ".1'\n");
            Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwxr-xr-x"));
        }
    }

    private void reign() throws Exception {
        bench.found("a");
        bench.get(bench.database("a").startPrimary());
        bench.get(bench.database("a").keepSlots(bench.id("a"), Set.of(bench.id("b"))));
    }

    private void cloneB() throws Exception {
        bench.get(bench.database("b").cloneFrom(bench.upstream("a", EPOCH), bench.id("b"), percent -> {}));
    }

    @Test
    void dataAreStartedByTheProgramsThatMadeThem() throws Exception {
        bench.equip("a", Installations.below(home));
        bench.found("a");
        bench.get(bench.database("a").startPrimary());
        bench.get(bench.database("a").stopFast(30_000));
        installNewer();
        DatabaseView view = bench.get(bench.anotherAgent("a").startPrimary());
        assertThat(view.isPrimary()).isTrue();
        assertThat(bench.ask("a", "SHOW server_version")).startsWith(version);
    }

    @Test
    void newDataAreMadeByTheNewest() throws Exception {
        installNewer();
        bench.equip("a", Installations.below(home));
        assertThatThrownBy(() -> bench.get(bench.database("a").initialise()))
                .hasStackTraceContaining("I am of " + NEWER);
    }

    @Test
    @Tag("quick")
    void aCloneIsMadeAndRunByTheProgramsOfThePrimarysVersion() throws Exception {
        installNewer();
        bench.equip("b", Installations.below(home));
        reign();
        cloneB();
        DatabaseView view = bench.get(bench.database("b").startStandby(bench.upstream("a", EPOCH), bench.id("b")));
        assertThat(view.isPrimary()).isFalse();
        assertThat(bench.ask("b", "SHOW server_version")).startsWith(version);
    }

    @Test
    void aCellWithoutThePrimarysVersionSaysSoAndTouchesNothing() throws Exception {
        installNewer();
        Files.delete(home.resolve(version));
        bench.equip("b", Installations.below(home));
        reign();
        assertThatThrownBy(this::cloneB)
                .hasStackTraceContaining("the primary runs PostgreSQL " + version + ", which is not under " + home
                        + " (there is " + NEWER + "); install that version on this machine, or set postgres.bin-dir");
        assertThat(bench.get(bench.database("b").observe()).data()).isEqualTo(DatabaseView.Data.EMPTY);
    }

    @Test
    void oneFolderOfAnotherVersionIsSaid() throws Exception {
        installNewer();
        bench.equip("b", Installations.only(home.resolve(NEWER).resolve("bin")));
        reign();
        assertThatThrownBy(this::cloneB)
                .hasStackTraceContaining("the primary runs PostgreSQL " + version + ", and postgres.bin-dir is " + home
                        + "/" + NEWER + "/bin with " + NEWER + ": set it to the folder of " + version);
    }
}
