package org.cellkeeper.cell.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.cellkeeper.cell.trust.Encryption;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * The passwords of the roles become others while primary and standby run, where streams come in by password. Those that are made from the
 * cluster's secrets are here "repl" and "app" with the secret's name; the first secret's are what the template has.
 */
final class PasswordRotationIT {
    private static final Duration SOON = Duration.ofSeconds(20);
    private static final Duration LOGIN = Duration.ofSeconds(5);
    private static final String OLD = "old";
    private static final String NEW = "new";

    private final PostgresBench bench;
    private final Map<String, List<String>> listed = new HashMap<>();
    private volatile String vcloud = PostgresBench.PASSWORDS.application();

    PasswordRotationIT() throws IOException {
        bench = new PostgresBench(Map.of(), Encryption.OFF);
    }

    @AfterEach
    void close() {
        bench.close();
    }

    private void list(String cell, String... secrets) {
        synchronized (listed) {
            listed.put(cell, List.of(secrets));
        }
    }

    private List<String> all(String cell, String purpose) {
        synchronized (listed) {
            return listed.get(cell).stream()
                    .map(secret -> made(purpose, secret))
                    .toList();
        }
    }

    private static String made(String purpose, String secret) {
        if (secret.equals(OLD)) {
            return switch (purpose) {
                case "repl" -> PostgresBench.PASSWORDS.replication();
                case "app" -> PostgresBench.PASSWORDS.app();
                default -> PostgresBench.PASSWORDS.seals().getFirst();
            };
        }
        return purpose + ":'\\" + secret;
    }

    private void knows(String cell, String... secrets) {
        list(cell, secrets);
        bench.know(
                cell,
                new PostgresSettings.Passwords(
                        () -> all(cell, "seal"), () -> all(cell, "repl"), () -> vcloud, () -> all(cell, "app")));
    }

    @BeforeEach
    void aStandbyStreams() throws Exception {
        knows("a", OLD);
        knows("b", OLD);
        bench.found("a");
        bench.get(bench.database("a").startPrimary());
        bench.get(bench.database("a").keepSlots(bench.id("a"), Set.of(bench.id("b"), bench.id("c"))));
        joins("b");
    }

    private void joins(String cell) throws Exception {
        bench.get(bench.database(cell).cloneFrom(bench.upstream("a", 1), bench.id(cell), percent -> {}));
        bench.get(bench.database(cell).startStandby(bench.upstream("a", 1), bench.id(cell)));
        awaitStream(cell);
    }

    private void awaitStream(String cell) {
        bench.awaitTrue(
                SOON,
                () -> "1"
                        .equals(ask("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND"
                                + " application_name LIKE '" + bench.id(cell).name() + ".%'")),
                cell + " streams");
    }

    private String ask(String sql) {
        try {
            return bench.ask("a", sql);
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    private boolean streamsWith(String secret) {
        return comesIn(() -> new Sessions(bench.settings("a"))
                .openReplicationByPassword(
                        PostgresBench.HOST, bench.settings("a").port(), LOGIN, made("repl", secret)));
    }

    private boolean appComesInWith(String secret) {
        return comesIn(() -> DriverManager.getConnection(
                "jdbc:postgresql://" + PostgresBench.HOST + ":"
                        + bench.settings("a").port() + "/" + PostgresSettings.APP_DATABASE,
                PostgresSettings.APP_ROLE,
                made("app", secret)));
    }

    private boolean vcloudComesInWith(String password) {
        return comesIn(() -> bench.client("a", password));
    }

    private interface Login {
        Connection with() throws SQLException;
    }

    private static boolean comesIn(Login login) {
        try (Connection _ = login.with()) {
            return true;
        } catch (SQLException refused) {
            assertThat(refused.getSQLState()).isEqualTo("28P01");
            return false;
        }
    }

    private String passFile(String cell) {
        try {
            return Files.readString(bench.settings(cell).passFile());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void breakStreams() throws SQLException {
        bench.execute("a", "SELECT pg_terminate_backend(pid) FROM pg_stat_replication");
    }

    @Test
    void rolesGetTheirPasswordsFromTheFirstSecretAndWhoeverListsItComesIn() throws Exception {
        String stream = ask("SELECT pid FROM pg_stat_replication");
        list("a", OLD, NEW);
        list("b", OLD, NEW);
        assertThat(streamsWith(OLD)).isTrue();
        list("a", NEW, OLD);
        bench.awaitTrue(SOON, () -> streamsWith(NEW) && appComesInWith(NEW), "the roles have other passwords");
        assertThat(streamsWith(OLD)).isFalse();
        assertThat(appComesInWith(OLD)).isFalse();
        assertThat(ask("SELECT pid FROM pg_stat_replication"))
                .as("the stream stands")
                .isEqualTo(stream);

        // The old one is still the first there, and of no use any more.
        bench.awaitTrue(SOON, () -> passFile("b").contains("new"), "the standby has found which it is to show");
        breakStreams();
        awaitStream("b");
        knows("c", OLD, NEW);
        joins("c");

        list("b", NEW);
        list("c", NEW, OLD);
        list("a", NEW);
        breakStreams();
        awaitStream("b");
        awaitStream("c");
        assertThat(streamsWith(NEW)).isTrue();
        assertThat(streamsWith(OLD)).isFalse();
    }

    /** In the other order: the standby shows what the primary does not know yet. */
    @Test
    void aStandbyWhoseFirstSecretThePrimaryDoesNotUseYetShowsTheOther() throws Exception {
        list("b", NEW, OLD);
        bench.awaitTrue(
                SOON,
                () -> {
                    try {
                        return bench.settings("b").passwords().streaming().equals(made("repl", OLD))
                                && bench.database("b").observe().join() != null;
                    } catch (RuntimeException e) {
                        return false;
                    }
                },
                "the standby has looked");
        breakStreams();
        awaitStream("b");
        bench.anotherAgent("b");
        breakStreams();
        awaitStream("b");
        assertThat(passFile("b")).doesNotContain("new");
    }

    @Test
    void aPasswordThatWasSetBySqlOutlivesTheSecretAndNotItsFile() throws Exception {
        bench.awaitTrue(SOON, () -> bench.isGiven("a"), "it is noted what vcloud was given");
        bench.execute("a", "ALTER ROLE vcloud PASSWORD 'by sql'");
        list("a", OLD, NEW);
        list("a", NEW, OLD);
        bench.awaitTrue(SOON, () -> appComesInWith(NEW), "the secret is taken up");
        list("a", NEW);
        bench.anotherAgent("a");
        bench.awaitTrue(SOON, () -> streamsWith(NEW), "another agent is there");
        assertThat(vcloudComesInWith("by sql")).isTrue();
        vcloud = "another in the file";
        bench.awaitTrue(SOON, () -> vcloudComesInWith("another in the file"), "the file is followed");
        assertThat(vcloudComesInWith("by sql")).isFalse();
        assertThatThrownBy(() -> bench.client("b", "by sql").close()).isInstanceOf(SQLException.class);
    }
}
