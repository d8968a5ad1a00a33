package org.cellkeeper.cell.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import org.cellkeeper.cell.FreePort;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.SyncSetting;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The next agent of a PostgreSQL that runs is configured otherwise: what can be is done at once, and the rest is told. */
final class ReconfigurationIT {
    private static final Duration SOON = Duration.ofSeconds(20);

    private final PostgresBench bench;

    ReconfigurationIT() throws IOException {
        bench = new PostgresBench();
    }

    @BeforeEach
    void aPrimaryRuns() {
        bench.found("a");
        bench.get(bench.database("a").startPrimary());
    }

    @AfterEach
    void close() {
        bench.close();
    }

    private String problem(String name) {
        return bench.get(bench.database(name).observe()).problem();
    }

    private boolean shows(String setting, String value) {
        try {
            return value.equals(bench.ask("a", "SHOW " + setting));
        } catch (SQLException e) {
            return false;
        }
    }

    private void assertRefused(String name, String password) {
        assertThatThrownBy(() -> bench.client(name, password).close())
                .isInstanceOf(SQLException.class)
                .hasMessageContaining("password authentication failed");
    }

    @Test
    void whatPostgresTakesUpAtOnceIsTakenUpAndTheRestIsToldAsPending() throws Exception {
        long run = bench.get(bench.database("a").observe()).postmaster();
        bench.reconfigure("a", Map.of("work_mem", "7MB", "max_connections", "321", "shared_buffers", "17MB"));
        bench.database("a");
        bench.awaitTrue(SOON, () -> shows("work_mem", "7MB"), "work_mem is taken up");
        bench.awaitTrue(
                SOON,
                () -> problem("a").contains("pending restart: max_connections, shared_buffers. Restart the cell"),
                "what waits is told");
        assertThat(bench.get(bench.database("a").observe()).postmaster()).isEqualTo(run);
        bench.get(bench.database("a").stopFast(30_000));
        bench.get(bench.database("a").startPrimary());
        Thread.sleep(5_000);
        assertThat(problem("a")).isEmpty();
        assertThat(bench.ask("a", "SHOW max_connections")).isEqualTo("321");
    }

    /** The others are not sent to where nobody listens yet. */
    @Test
    void anotherAddressIsToldAsPending() {
        assertThat(bench.get(bench.database("a").observe()).elsewhere()).isFalse();
        bench.reconfigure("a", "127.0.0.77", PostgresBench.PASSWORDS.application(), Map.of());
        DatabaseView view = bench.get(bench.database("a").observe());
        assertThat(view.elsewhere()).isTrue();
        assertThat(view.problem()).contains("pending restart: listening at 127.0.0.77:");
        bench.get(bench.database("a").stopFast(30_000));
        view = bench.get(bench.database("a").startPrimary());
        assertThat(view.elsewhere()).isFalse();
        assertThat(view.problem()).isEmpty();
    }

    /** The agent finds its PostgreSQL where it is, and takes it for no other and no dead one. */
    @Test
    void anotherPortIsToldAsPendingWhilePostgresGoesOn() throws Exception {
        long run = bench.get(bench.database("a").observe()).postmaster();
        int port = FreePort.find();
        bench.reconfigure("a", PostgresBench.HOST, port, PostgresBench.PASSWORDS.application(), Map.of());
        DatabaseView view = bench.get(bench.database("a").observe());
        assertThat(view.instance()).isInstanceOf(DatabaseView.Running.class);
        assertThat(view.isPrimary()).isTrue();
        assertThat(view.postmaster()).isEqualTo(run);
        assertThat(view.elsewhere()).isTrue();
        assertThat(view.problem()).contains("pending restart: listening at ");
        bench.get(bench.database("a").stopFast(30_000));
        view = bench.get(bench.database("a").startPrimary());
        assertThat(view.elsewhere()).isFalse();
        assertThat(bench.ask("a", "SHOW port")).isEqualTo(String.valueOf(port));
    }

    @Test
    void aNewPasswordIsGivenByThePrimary() throws Exception {
        bench.awaitTrue(SOON, () -> bench.isGiven("a"), "the first look");
        bench.get(bench.database("a").keepSlots(bench.id("a"), Set.of(bench.id("b"))));
        bench.get(bench.database("b").cloneFrom(bench.upstream("a", 1), bench.id("b"), percent -> {}));
        bench.get(bench.database("b").startStandby(bench.upstream("a", 1), bench.id("b")));
        bench.awaitTrue(SOON, () -> bench.isGiven("b"), "the first look at the standby");
        String before = PostgresBench.PASSWORDS.application();
        bench.reconfigure("b", PostgresBench.HOST, "it's \\new", Map.of());
        bench.database("b");
        Thread.sleep(5_000);
        bench.client("a", before).close();
        bench.reconfigure("a", PostgresBench.HOST, "it's \\new", Map.of());
        bench.database("a");
        bench.awaitTrue(
                SOON,
                () -> {
                    try (Connection _ = bench.client("a", "it's \\new")) {
                        return true;
                    } catch (SQLException e) {
                        return false;
                    }
                },
                "the new password is in force");
        assertRefused("a", before);
    }

    /** Else who stands at a door, which keeps what was made of it, would not be let in any more. */
    @Test
    void aPasswordThatAnotherCellGaveIsNotGivenOnceMore() throws Exception {
        bench.awaitTrue(SOON, () -> bench.isGiven("a"), "the first look");
        bench.execute("a", "ALTER ROLE vcloud PASSWORD 'next'");
        String secret = bench.ask("a", "SELECT rolpassword FROM pg_authid WHERE rolname = 'vcloud'");
        bench.reconfigure("a", PostgresBench.HOST, "next", Map.of());
        bench.anotherAgent("a");
        Thread.sleep(5_000);
        assertThat(bench.ask("a", "SELECT rolpassword FROM pg_authid WHERE rolname = 'vcloud'"))
                .isEqualTo(secret);
        bench.client("a", "next").close();
    }

    /** What a DBA changed by SQL stays, through any number of agents with the same file. */
    @Test
    void aPasswordThatWasChangedBySqlStays() throws Exception {
        bench.awaitTrue(SOON, () -> bench.isGiven("a"), "the first look");
        bench.execute("a", "ALTER ROLE vcloud PASSWORD 'by hand'");
        bench.anotherAgent("a");
        Thread.sleep(5_000);
        bench.client("a", "by hand").close();
    }

    /** Else commits would be acknowledged by nobody, for as long as the cell has no reason to write its own rule again. */
    @Test
    void whatAlterSystemSetsOfTheCellsOwnIsStruckOutAtOnceAndTold() throws Exception {
        String rule = bench.ask("a", "SHOW synchronous_standby_names");
        try {
            bench.execute("a", "ALTER SYSTEM SET synchronous_standby_names = ''");
        } catch (SQLException switchedOff) {
            assertThat(switchedOff.getMessage()).contains("ALTER SYSTEM is not allowed");
            return;
        }
        bench.execute("a", "ALTER SYSTEM SET work_mem = '9MB'");
        bench.execute("a", "SELECT pg_reload_conf()");
        bench.awaitTrue(SOON, () -> shows("synchronous_standby_names", ""), "it is in force");
        assertThat(problem("a")).contains("ALTER SYSTEM had set synchronous_standby_names, which the cell sets itself");
        bench.awaitTrue(SOON, () -> shows("synchronous_standby_names", rule), "it is the cell's own again");
        assertThat(bench.ask("a", "SHOW work_mem")).isEqualTo("9MB");
    }

    /** A rule that is none of ours is known to be another one, and not taken for one that could not be read. */
    @Test
    void aRuleInForceThatIsNoneOfTheCellsIsSeen() throws Exception {
        DatabaseView before = bench.get(bench.database("a").observeThoroughly());
        assertThat(before.syncInForce()).isEqualTo(before.syncOnDisk());
        assertThat(SyncNames.inForce("")).isEqualTo(SyncSetting.OTHER);
        assertThat(SyncNames.inForce("*")).isEqualTo(SyncSetting.OTHER);
        assertThat(SyncNames.inForce("FIRST 1 (a, b)")).isEqualTo(SyncSetting.OTHER);
        assertThat(SyncSetting.OTHER.widens(SyncSetting.NOBODY)).isTrue();
        assertThat(SyncSetting.NOBODY.widens(SyncSetting.OTHER)).isFalse();
    }

    @Test
    void preparedTransactionsFindTheirRoomAlsoWhenTheSettingWasTakenBack() throws Exception {
        bench.reconfigure("a", Map.of("max_prepared_transactions", "5"));
        bench.get(bench.database("a").stopFast(30_000));
        bench.get(bench.database("a").startPrimary());
        try (Connection session = bench.agent("a", PostgresSettings.APPLICATION);
                Statement statement = session.createStatement()) {
            statement.execute("BEGIN");
            statement.execute("CREATE TABLE waits (n int)");
            statement.execute("PREPARE TRANSACTION 'p1'");
        }
        bench.reconfigure("a", Map.of());
        bench.crash("a");
        bench.get(bench.database("a").startPrimary());
        assertThat(bench.ask("a", "SELECT gid FROM pg_prepared_xacts")).isEqualTo("p1");
        bench.get(bench.database("a").stopFast(30_000));
        bench.get(bench.database("a").startPrimary());
        assertThat(bench.ask("a", "SELECT gid FROM pg_prepared_xacts")).isEqualTo("p1");
        bench.execute("a", "ROLLBACK PREPARED 'p1'");
        bench.get(bench.database("a").stopFast(30_000));
        bench.get(bench.database("a").startPrimary());
        assertThat(bench.ask("a", "SHOW max_prepared_transactions")).isEqualTo("0");
    }
}
