package org.cellkeeper.cell.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import org.cellkeeper.cell.model.Upstream;
import org.cellkeeper.cell.port.PasswordThief;
import org.cellkeeper.cell.trust.Encryption;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Where nothing is encrypted passwords are shown to be known and never told, and the superuser has none. */
final class PasswordsIT {
    private static final Duration SOON = Duration.ofSeconds(20);

    private final PostgresBench bench;
    private final PasswordThief thief = new PasswordThief();

    PasswordsIT() throws IOException {
        bench = new PostgresBench(Map.of(), Encryption.OFF);
    }

    @AfterEach
    void close() {
        thief.close();
        bench.close();
    }

    private void aPrimaryRuns() {
        bench.found("a");
        bench.get(bench.database("a").startPrimary());
    }

    @Test
    void whoAsksTheAgentForThePasswordItselfIsNotTold() throws Exception {
        Sessions sessions = new Sessions(bench.settings("a"));
        assertThatThrownBy(() -> sessions.openReplication(PostgresBench.HOST, thief.port(), Duration.ofSeconds(2)))
                .isInstanceOf(SQLException.class);
        assertThat(thief.asked()).isPositive();
        assertThat(thief.told()).doesNotContain("secret");
    }

    /** By libpq, from 16 on. */
    @Test
    void norIsWhoAsksAWalreceiver() throws Exception {
        aPrimaryRuns();
        assumeThat(Integer.parseInt(bench.ask("a", "SHOW server_version_num"))).isGreaterThanOrEqualTo(160_000);
        bench.get(bench.database("a").keepSlots(bench.id("a"), Set.of(bench.id("b"))));
        bench.get(bench.database("b").cloneFrom(bench.upstream("a", 1), bench.id("b"), percent -> {}));
        Upstream there = new Upstream(bench.id("a"), 1, PostgresBench.HOST, thief.port());
        bench.get(bench.database("b").startStandby(there, bench.id("b")));
        bench.awaitTrue(SOON, () -> thief.asked() > 1, "the walreceiver was asked");
        assertThat(thief.told()).doesNotContain("secret");
    }

    @Test
    void theSuperuserHasNoPasswordAndComesInByTheSocketAlone() throws Exception {
        aPrimaryRuns();
        assertThat(bench.ask("a", "SELECT count(*) FROM pg_authid WHERE rolsuper AND rolpassword IS NOT NULL"))
                .isEqualTo("0");
        // In a cluster of before it had one.
        bench.execute("a", "ALTER ROLE cellkeeper PASSWORD 'known'");
        for (String database : new String[] {"postgres", "vcloud"}) {
            assertThatThrownBy(() -> DriverManager.getConnection(
                            "jdbc:postgresql://" + PostgresBench.HOST + ":"
                                    + bench.settings("a").port() + "/" + database,
                            PostgresSettings.SUPERUSER,
                            "known"))
                    .isInstanceOf(SQLException.class)
                    .hasMessageContaining("pg_hba.conf rejects");
        }
        bench.anotherAgent("a");
        bench.awaitTrue(SOON, this::superuserHasNone, "it is taken away");
    }

    private boolean superuserHasNone() {
        try {
            return "t".equals(bench.ask("a", "SELECT rolpassword IS NULL FROM pg_authid WHERE rolname = 'cellkeeper'"));
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }
}
