package org.cellkeeper.cell.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import org.cellkeeper.cell.model.DatabaseView;
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

    /** What a DBA changed by SQL stays, through any number of agents with the same file. */
    @Test
    void aPasswordThatWasChangedBySqlStays() throws Exception {
        bench.awaitTrue(SOON, () -> bench.isGiven("a"), "the first look");
        bench.execute("a", "ALTER ROLE vcloud PASSWORD 'by hand'");
        bench.anotherAgent("a");
        Thread.sleep(5_000);
        bench.client("a", "by hand").close();
    }
}
