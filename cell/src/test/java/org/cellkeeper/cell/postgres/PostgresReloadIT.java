package org.cellkeeper.cell.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import org.cellkeeper.cell.port.DatabaseFailure;
import org.cellkeeper.cell.port.Operator.Check;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** A real PostgreSQL reads its files anew when it is told to, and its faults are told before. */
final class PostgresReloadIT {
    private static PostgresBench bench;
    private static PostgresReload reload;
    private static Path settings;

    @BeforeAll
    static void start() throws Exception {
        bench = new PostgresBench();
        bench.found("a");
        reload = new PostgresReload(bench.settings("a"));
        settings = bench.dataDir("a").resolve("postgresql.conf");
    }

    @AfterAll
    static void stop() {
        bench.close();
    }

    private static String workMem() {
        try (Connection session = bench.agent("a", "postgres");
                Statement statement = session.createStatement();
                ResultSet row = statement.executeQuery("SHOW work_mem")) {
            row.next();
            return row.getString(1);
        } catch (SQLException e) {
            return e.toString();
        }
    }

    private static void add(Path file, String line) throws Exception {
        Files.writeString(file, line + "\n", StandardOpenOption.APPEND);
    }

    @Test
    void whatStandsInItsFilesTakesEffectUnlessItIsWrong() throws Exception {
        assertThat(reload.checks())
                .singleElement()
                .satisfies(check -> assertThat(check.name()).isEqualTo("postgres-answers"))
                .satisfies(check -> assertThat(check.ok()).isFalse())
                .satisfies(check -> assertThat(check.detail()).contains("it reads its files when it starts"));
        assertThatExceptionOfType(DatabaseFailure.class).isThrownBy(reload::reload);

        bench.get(bench.database("a").startPrimary());
        String before = workMem();
        add(settings, "work_mem = '7MB'");
        // What waits for a restart is no fault.
        add(settings, "max_connections = 177");
        assertThat(reload.checks()).allMatch(Check::ok).hasSize(2);
        assertThat(workMem()).isEqualTo(before).isNotEqualTo("7MB");
        reload.reload();
        bench.awaitTrue(Duration.ofSeconds(10), () -> workMem().equals("7MB"), "the setting takes effect");

        String whole = Files.readString(settings);
        add(settings, "work_mem = 'much'");
        assertThat(reload.checks().getLast().ok()).isFalse();
        assertThat(reload.checks().getLast().detail())
                .contains(settings + " line ")
                .contains("work_mem");
        Files.writeString(settings, whole);
        assertThat(reload.checks()).allMatch(Check::ok);

        Path hba = bench.dataDir("a").resolve("pg_hba.conf");
        String rules = Files.readString(hba);
        add(hba, "nonsense");
        assertThat(reload.checks().getLast().detail())
                .contains("pg_hba.conf line ")
                .contains("nonsense");
        Files.writeString(hba, rules);
        assertThat(reload.checks()).allMatch(Check::ok);
    }
}
