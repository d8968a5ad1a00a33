package org.cellkeeper.cell.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.cellkeeper.cell.trust.Certified;
import org.cellkeeper.cell.trust.Credentials;
import org.cellkeeper.cell.trust.Encryption;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Whom PostgreSQL lets in over the network. */
final class HostRulesIT {
    private final PostgresBench bench;

    HostRulesIT() throws IOException {
        bench = new PostgresBench();
    }

    @AfterEach
    void close() {
        bench.close();
    }

    private void aPrimaryWith(Access access) {
        bench.found("a");
        bench.get(bench.reencrypt("a", access).startPrimary());
    }

    private static Credentials credentials(Encryption encryption) {
        return Certified.cells().credentials(encryption, "a");
    }

    /** The words of the refusal; empty when it was let in, encrypted as it was wanted to be. */
    private String refusal(String role, String password, String sslMode) throws SQLException {
        return refusal(role, password, Map.of("sslmode", sslMode));
    }

    private String refusal(String role, String password, Map<String, String> more) throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("user", role);
        properties.setProperty("password", password);
        more.forEach(properties::setProperty);
        String database = role.equals(PostgresSettings.APP_ROLE) ? PostgresSettings.APP_DATABASE : "vcloud";
        try (Connection session = DriverManager.getConnection(
                        "jdbc:postgresql://127.0.0.1:" + bench.settings("a").port() + "/" + database, properties);
                Statement statement = session.createStatement();
                ResultSet row = statement.executeQuery(
                        more.containsKey("replication")
                                ? "IDENTIFY_SYSTEM"
                                : "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")) {
            assertThat(row.next()).isTrue();
            if (!more.containsKey("replication")) {
                assertThat(row.getBoolean(1)).isNotEqualTo("disable".equals(more.get("sslmode")));
            }
            return "";
        } catch (SQLException e) {
            if (e.getSQLState() == null || !e.getSQLState().startsWith("28")) {
                throw e;
            }
            return String.valueOf(e.getMessage());
        }
    }

    @ParameterizedTest
    @EnumSource(Encryption.class)
    void onlyWhereItIsRequiredIsAClientWithoutEncryptionRefused(Encryption encryption) throws Exception {
        aPrimaryWith(Access.with(credentials(encryption)));
        String password = PostgresBench.PASSWORDS.application();
        if (encryption.demands()) {
            assertThat(refusal("vcloud", password, "disable")).contains("no encryption");
        } else {
            assertThat(refusal("vcloud", password, "disable")).isEmpty();
        }
        if (encryption.accepts()) {
            assertThat(refusal("vcloud", password, "require")).isEmpty();
            assertThat(bench.ask("a", "SHOW ssl")).isEqualTo("on");
            assertThat(bench.ask("a", "SHOW ssl_min_protocol_version")).isEqualTo("TLSv1.3");
        } else {
            assertThat(bench.ask("a", "SHOW ssl")).isEqualTo("off");
        }
    }

    @Test
    void clientsWithoutEncryptionAreLetInWhereThatIsSaidButNeverToStream() throws Exception {
        aPrimaryWith(new Access(credentials(Encryption.REQUIRED), Access.ANYWHERE, true, List.of()));
        assertThat(refusal("vcloud", PostgresBench.PASSWORDS.application(), "disable"))
                .isEmpty();
        assertThat(refusal(
                        PostgresSettings.REPLICATION_ROLE,
                        PostgresBench.PASSWORDS.replication(),
                        Map.of("sslmode", "disable", "replication", "true", "preferQueryMode", "simple")))
                .contains("pg_hba.conf rejects");
    }

    /** Its password alone, and a session in a database, are no way in either. */
    @ParameterizedTest
    @CsvSource({"require,false", "disable,false", "require,true", "disable,true"})
    void theReplicatorComesInByACertificateAlone(String sslMode, boolean replication) throws Exception {
        aPrimaryWith(Access.with(credentials(Encryption.REQUIRED)));
        assertThat(refusal(
                        PostgresSettings.REPLICATION_ROLE,
                        PostgresBench.PASSWORDS.replication(),
                        replication
                                ? Map.of("sslmode", sslMode, "replication", "true", "preferQueryMode", "simple")
                                : Map.of("sslmode", sslMode)))
                .isNotEmpty();
    }

    @Test
    void theAppComesInWithItsPasswordAndACertificate() throws Exception {
        aPrimaryWith(Access.with(credentials(Encryption.REQUIRED)));
        String password = PostgresBench.PASSWORDS.app();
        assertThat(refusal(PostgresSettings.APP_ROLE, password, "require")).contains("certificate");
        assertThat(refusal(
                        PostgresSettings.APP_ROLE,
                        password,
                        Map.of(
                                "sslmode",
                                "verify-ca",
                                "sslfactory",
                                org.cellkeeper.cell.trust.CredentialSockets.class.getName(),
                                "sslfactoryarg",
                                org.cellkeeper.cell.trust.CredentialSockets.nameOf(credentials(Encryption.REQUIRED)))))
                .isEmpty();
    }

    @Test
    void clientsComeFromTheirNetworksAlone() throws Exception {
        aPrimaryWith(new Access(credentials(Encryption.REQUIRED), List.of("192.0.2.0/24"), false, List.of()));
        assertThat(refusal("vcloud", PostgresBench.PASSWORDS.application(), "require"))
                .contains("no pg_hba.conf entry");
        // Cells do not depend on it.
        bench.get(bench.database("a").keepSlots(bench.id("a"), java.util.Set.of(bench.id("b"))));
        bench.get(bench.database("b").cloneFrom(bench.upstream("a", 1), bench.id("b"), percent -> {}));
    }

    @Test
    void anOperatorsLinesCountBeforeThoseForClientsAndAfterOurs() throws Exception {
        Access access = new Access(
                credentials(Encryption.REQUIRED),
                List.of("192.0.2.0/24"),
                false,
                List.of(
                        "hostnossl vcloud vcloud 127.0.0.1/32 scram-sha-256",
                        "host all all 127.0.0.1/32 trust",
                        "host replication all 127.0.0.1/32 trust"));
        aPrimaryWith(access);
        bench.execute("a", "CREATE ROLE reader LOGIN");
        assertThat(refusal("vcloud", PostgresBench.PASSWORDS.application(), "disable"))
                .isEmpty();
        assertThat(refusal("reader", "none", "disable")).isEmpty();
        for (String sslMode : List.of("disable", "require")) {
            assertThat(refusal(PostgresSettings.SUPERUSER, "none", sslMode)).contains("pg_hba.conf rejects");
            assertThat(refusal(
                            PostgresSettings.SUPERUSER,
                            "none",
                            Map.of("sslmode", sslMode, "replication", "true", "preferQueryMode", "simple")))
                    .contains("pg_hba.conf rejects");
            assertThat(refusal(PostgresSettings.REPLICATION_ROLE, "none", sslMode))
                    .contains("pg_hba.conf rejects");
            assertThat(refusal(
                            PostgresSettings.REPLICATION_ROLE,
                            "none",
                            Map.of("sslmode", sslMode, "replication", "true", "preferQueryMode", "simple")))
                    .isNotEmpty();
        }
        assertThat(bench.ask("a", "SELECT count(*) FROM pg_hba_file_rules WHERE error IS NOT NULL"))
                .isEqualTo("0");
    }

    /** The lines of a configuration take effect in a PostgreSQL that runs. */
    @Test
    void anAgentThatIsConfiguredOtherwiseHasThemTakenUp() throws Exception {
        aPrimaryWith(Access.with(credentials(Encryption.REQUIRED)));
        String password = PostgresBench.PASSWORDS.application();
        assertThat(refusal("vcloud", password, "disable")).isNotEmpty();
        bench.reencrypt("a", new Access(credentials(Encryption.REQUIRED), Access.ANYWHERE, true, List.of()));
        bench.awaitTrue(
                java.time.Duration.ofSeconds(20),
                () -> {
                    try {
                        return refusal("vcloud", password, "disable").isEmpty();
                    } catch (SQLException e) {
                        throw new IllegalStateException(e);
                    }
                },
                "clients come in without encryption");
    }

    private static List<String> problems(String... lines) {
        return LocalPostgres.problems(PostgresBench.binDir(), PostgresBench.osUser(), List.of(lines));
    }

    @Test
    void postgresJudgesAnOperatorsLines() {
        assertThat(problems()).isEmpty();
        assertThat(problems(
                        "host all reader 10.0.0.0/8 scram-sha-256",
                        "hostssl vcloud \"Some One\" samenet cert",
                        "hostnossl all all ::1/128 reject"))
                .isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "host all all 10.0.0.0/33 md5",
                "host all all 10.0.0.1 scram-sha-256",
                "hosts all all all trust",
                "host all all all banana",
                "host all all",
                "host all all all cert",
                "host all all all scram-sha-256 colour=blue"
            })
    void whatItDoesNotTakeIsRefusedWithItsWords(String line) {
        List<String> problems = problems("host all reader 10.0.0.0/8 scram-sha-256", line);
        assertThat(problems)
                .singleElement()
                .asString()
                .contains("'" + line + "'")
                .contains("PostgreSQL ");
    }

    @Test
    void thatItCannotBeAskedIsSaid() {
        assertThatThrownBy(() -> LocalPostgres.problems(
                        java.nio.file.Path.of("/absent"), PostgresBench.osUser(), List.of("host all all all trust")))
                .hasMessageContaining("cannot be asked about pg_hba.conf");
    }
}
