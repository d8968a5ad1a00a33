package org.cellkeeper.cell.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import org.cellkeeper.cell.FreePort;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.SyncSetting;
import org.cellkeeper.cell.model.Upstream;
import org.cellkeeper.cell.trust.Certified;
import org.cellkeeper.cell.trust.Encryption;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What somebody writes into PostgreSQL's own files, or does to the role that standbys come in with, is put right and told. */
final class ForeignEditsIT {
    private static final Duration SOON = Duration.ofSeconds(20);

    private final PostgresBench bench;

    ForeignEditsIT() throws IOException {
        bench = new PostgresBench();
    }

    @BeforeEach
    void aPrimaryRuns() {
        bench.found("a");
        bench.get(bench.database("a").startPrimary());
        bench.get(bench.database("a").observe());
    }

    @AfterEach
    void close() {
        bench.close();
    }

    private interface Damage {
        void doneTo(Path file) throws IOException;
    }

    /** Ways in which a file goes bad. */
    private static final Map<String, Damage> DAMAGES = Map.of(
            "emptied", file -> Files.writeString(file, ""),
            "removed", Files::delete,
            "a pipe",
                    file -> {
                        Files.delete(file);
                        PostgresBench.run("mkfifo", file.toString());
                    },
            "a link to itself",
                    file -> {
                        Files.delete(file);
                        Files.createSymbolicLink(file, file);
                    },
            "no text", file -> Files.write(file, new byte[] {(byte) 0xff, 0, (byte) 0xc3, 10, 7}),
            "another line", file -> Files.writeString(file, Files.readString(file) + "work_mem = 'banana'\n"),
            "cut off",
                    file -> {
                        byte[] whole = Files.readAllBytes(file);
                        Files.write(file, Arrays.copyOf(whole, whole.length / 2));
                    });

    private DatabaseView seen(String name) {
        return bench.get(bench.database(name).observe());
    }

    private String problem(String name) {
        return seen(name).problem();
    }

    /** By a signal: who comes in is among what is damaged. */
    private void reload() throws IOException {
        PostgresBench.run("kill", "-HUP", String.valueOf(bench.postmasterPid("a")));
    }

    private void restartAfterACrash() {
        bench.crash("a");
        bench.awaitTrue(SOON, () -> seen("a").isStopped(), "it is gone");
        bench.get(bench.database("a").startPrimary());
    }

    private void followedBy(String name) {
        bench.get(bench.database("a").keepSlots(bench.id("a"), Set.of(bench.id(name))));
        bench.get(bench.database(name).cloneFrom(bench.upstream("a", 1), bench.id(name), percent -> {}));
        bench.get(bench.database(name).startStandby(bench.upstream("a", 1), bench.id(name)));
        streams(name);
    }

    private void streams(String name) {
        bench.awaitTrue(
                SOON,
                () -> {
                    DatabaseView.Standby standby = seen(name).standby();
                    return standby != null && standby.receiver() == DatabaseView.Receiver.STREAMING;
                },
                name + " streams");
    }

    @ParameterizedTest
    @ValueSource(strings = {"pg_hba.conf", "pg_ident.conf", "postgresql.conf"})
    void aFileThatTheCellWritesIsItsOwnAgainAtTheNextLook(String name) throws Exception {
        Path file = bench.dataDir("a").resolve(name);
        String before = Files.readString(file);
        long run = seen("a").postmaster();
        for (Map.Entry<String, Damage> damage : DAMAGES.entrySet()) {
            damage.getValue().doneTo(file);
            if (!damage.getKey().equals("a pipe")) {
                // PostgreSQL itself would wait for somebody to write into it.
                reload();
            }
            DatabaseView view = seen("a");
            assertThat(view.instance()).as(damage.getKey()).isInstanceOf(DatabaseView.Running.class);
            assertThat(view.problem())
                    .as(damage.getKey())
                    .contains(name + " had been changed, which the cell alone writes");
            assertThat(Files.readString(file)).as(damage.getKey()).isEqualTo(before);
        }
        bench.client("a").close();
        assertThat(seen("a").postmaster()).isEqualTo(run);
        restartAfterACrash();
        bench.client("a").close();
    }

    /** It holds the commit rule: the rules write it anew as soon as they see that it is not what they asked for. */
    @Test
    void anObservationOutlivesAnyStateOfTheSettingsFile() throws Exception {
        Path file = bench.dataDir("a").resolve(SettingsFile.NAME);
        for (Map.Entry<String, Damage> damage : DAMAGES.entrySet()) {
            damage.getValue().doneTo(file);
            DatabaseView view = seen("a");
            assertThat(view.instance()).as(damage.getKey()).isInstanceOf(DatabaseView.Running.class);
            assertThat(view.isPrimary()).as(damage.getKey()).isTrue();
            bench.get(bench.database("a").applySync(SyncSetting.NOBODY));
            assertThat(seen("a").problem()).as(damage.getKey()).doesNotContain(SettingsFile.NAME);
        }
    }

    @Test
    void noStandbyIsKeptOutByALineOfSomebodyElses() throws Exception {
        followedBy("b");
        Path file = bench.dataDir("a").resolve("pg_hba.conf");
        Files.writeString(file, "host all all all reject\n" + Files.readString(file));
        reload();
        assertThat(problem("a")).contains("pg_hba.conf had been changed");
        bench.execute("a", "SELECT pg_terminate_backend(pid) FROM pg_stat_replication");
        bench.get(bench.database("b").observe());
        streams("b");
        bench.client("a").close();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "ALTER ROLE replicator PASSWORD 'another'",
                "ALTER ROLE replicator PASSWORD NULL",
                "ALTER ROLE replicator NOLOGIN",
                "ALTER ROLE replicator NOREPLICATION",
                "ALTER ROLE replicator VALID UNTIL '2001-01-01'",
                "ALTER ROLE replicator VALID UNTIL '2101-01-01'",
                "ALTER ROLE replicator CONNECTION LIMIT 0",
                "ALTER ROLE replicator RENAME TO somebody",
                "DROP ROLE replicator"
            })
    void theRoleThatStandbysComeInWithIsPutRight(String change) throws Exception {
        // As long as there are cells that come in by its password.
        bench.reencrypt("a", Access.with(Certified.cells().credentials(Encryption.ACCEPTED, "a")));
        bench.awaitTrue(SOON, () -> bench.isGiven("a"), "the first look");
        bench.execute("a", change);
        bench.awaitTrue(SOON, () -> problem("a").contains("the role replicator had been "), "it is told");
        try (Connection session = new Sessions(bench.settings("a"))
                .openReplication(PostgresBench.HOST, bench.settings("a").port(), Duration.ofSeconds(5))) {
            assertThat(session.isValid(5)).isTrue();
        }
    }

    /** PostgreSQL reads that file last, and would not start with any of this. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "work_mem = 'banana'",
                "this is no setting",
                "shared_buffers = '4TB'",
                "shared_preload_libraries = 'absent'",
                "include 'absent'",
                "\u00e4\u00f6\u0000'"
            })
    void whatWouldKeepPostgresFromStartingIsStruckOut(String line) throws Exception {
        Path file = bench.dataDir("a").resolve("postgresql.auto.conf");
        Files.writeString(file, "# By hand\nmaintenance_work_mem = '33MB'\n" + line + "\n");
        bench.awaitTrue(SOON, () -> problem("a").contains("struck out"), "it is told");
        assertThat(Files.readString(file)).isEqualTo("# By hand\nmaintenance_work_mem = '33MB'\n");
        restartAfterACrash();
        assertThat(bench.ask("a", "SHOW maintenance_work_mem")).isEqualTo("33MB");
    }

    @ParameterizedTest
    @ValueSource(strings = {"a pipe", "a link to itself"})
    void whatIsNoFileIsReplacedByAnEmptyOne(String damage) throws Exception {
        Path file = bench.dataDir("a").resolve("postgresql.auto.conf");
        Files.writeString(file, "");
        DAMAGES.get(damage).doneTo(file);
        assertThat(problem("a")).contains("postgresql.auto.conf was no file");
        restartAfterACrash();
        bench.client("a").close();
    }

    @Test
    void itIsStruckOutAlsoWhenPostgresIsGoneBeforeAnybodyLooks() throws Exception {
        bench.get(bench.database("a").stopFast(30_000));
        Files.writeString(bench.dataDir("a").resolve("postgresql.auto.conf"), "shared_buffers = '4TB'\n");
        bench.get(bench.database("a").startPrimary());
        assertThat(problem("a")).contains("postgresql.auto.conf has shared_buffers = '4TB'", "struck out");
        assertThat(bench.ask("a", "SHOW shared_buffers")).isNotEqualTo("4TB");
    }

    @Test
    void aStandbySaysWhyItDoesNotStream() throws Exception {
        followedBy("b");
        Upstream nobody = new Upstream(bench.id("a"), 1, PostgresBench.HOST, FreePort.find());
        bench.get(bench.database("b").follow(nobody, bench.id("b")));
        bench.awaitTrue(SOON, () -> problem("b").contains("cannot stream from a: "), "it says why");
        bench.get(bench.database("b").follow(bench.upstream("a", 1), bench.id("b")));
        streams("b");
        assertThat(problem("b")).doesNotContain("cannot stream");
    }

    /** Some settings stand on the command line for as long as a standby runs with more of them than is configured. */
    @Test
    void whatStandsOnTheCommandLineIsToldAsPendingToo() throws Exception {
        bench.reconfigure("a", Map.of("max_connections", "300"));
        bench.get(bench.database("a").stopFast(30_000));
        bench.get(bench.database("a").startPrimary());
        followedBy("b");
        assumeThat(bench.ask("b", "SELECT source FROM pg_settings WHERE name = 'max_connections'"))
                .isEqualTo("command line");
        bench.reconfigure("b", Map.of("max_connections", "250"));
        Thread.sleep(5_000);
        assertThat(problem("b"))
                .as("a standby will go on with what its primary has")
                .isEmpty();
        bench.reconfigure("b", Map.of("max_connections", "400"));
        bench.awaitTrue(SOON, () -> problem("b").contains("pending restart: max_connections"), "it is told");
        bench.get(bench.database("b").unfollow());
        bench.get(bench.database("b").promote(1));
        bench.reconfigure("b", Map.of());
        bench.awaitTrue(SOON, () -> problem("b").contains("pending restart: max_connections"), "it can be lowered now");
    }
}
