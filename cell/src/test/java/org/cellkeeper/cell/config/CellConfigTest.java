package org.cellkeeper.cell.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.ApiUser;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.CellSettings;
import org.cellkeeper.cell.model.CellSettings.IsolationResponse;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.trust.Encryption;
import org.cellkeeper.cell.wire.Installations;
import org.cellkeeper.cell.wire.Json;
import org.cellkeeper.cell.wire.PasswordHash;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class CellConfigTest {
    private static final String SECRET = "correct-horse-battery-staple";
    private static final String PASSWORD = "tr0ub4dor&3";

    @TempDir
    private Path folder;

    private static final List<String> SERVERS_OF_MINIMAL = List.of("cell-1", "10.0.0.2", "fd00::3");

    private final Map<String, String> environment = new TreeMap<>();

    @BeforeEach
    void writeSecrets() throws IOException {
        Files.writeString(folder.resolve("secret"), SECRET + "\n");
        Files.writeString(folder.resolve("password"), PASSWORD + "\n");
        Path program = Files.createFile(folder.resolve("postgres"));
        Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    private String minimal() {
        return """
                name: cell-1
                cluster:
                  secret-file: %1$s/secret
                zookeeper:
                  cells:
                    cell-1: cell-1
                    cell-2: 10.0.0.2
                    cell-3: fd00::3
                security:
                  root-password-file: %1$s/password
                  vcloud-password-file: %1$s/password
                  encryption: off
                postgres:
                  bin-dir: %1$s
                """.formatted(folder);
    }

    private CellConfig load(String yaml) throws IOException, InvalidConfiguration {
        return load(Files.writeString(folder.resolve("cell.yaml"), yaml));
    }

    private CellConfig load(@Nullable Path file) throws InvalidConfiguration {
        return CellConfig.of(new Settings(file, environment), null, null);
    }

    private List<String> problems(String yaml) throws IOException {
        try {
            load(yaml);
            return List.of();
        } catch (InvalidConfiguration invalid) {
            assertThat(invalid.problems())
                    .allSatisfy(problem -> assertThat(invalid.getMessage()).contains(problem.toString()));
            return invalid.problems().stream().map(Problem::toString).toList();
        }
    }

    @Test
    void littleMustBeSaidAndTheRestHasDefaults() throws Exception {
        CellConfig config = load(minimal());
        assertThat(config.name()).isEqualTo(new CellName("cell-1"));
        assertThat(config.host()).isEqualTo("cell-1");
        assertThat(config.dataDir()).isEqualTo(Path.of("/var/lib/cell"));
        assertThat(config.ports()).isEqualTo(new CellConfig.Ports(5432, 5480, 5481, 2181, 2888, 3888));
        assertThat(config.heartbeat()).isEqualTo(Duration.ofMillis(200));
        assertThat(config.guardTimeout()).isEqualTo(Duration.ofSeconds(10));
        assertThat(config.sessionTimeout()).isEqualTo(Duration.ofSeconds(4));
        assertThat(config.postgres())
                .isEqualTo(new CellConfig.Postgres(
                        Installations.only(folder),
                        "postgres",
                        Map.of(),
                        new CellConfig.Clients(List.of("0.0.0.0/0", "::/0"), false, List.of())));
        assertThat(config.tls()).isNull();
        assertThat(config.settings())
                .isEqualTo(new CellSettings(
                                new CellName("cell-1"),
                                new Address("cell-1", 5432, 5480, 5481),
                                100,
                                "default",
                                null,
                                FailoverMode.MANUAL,
                                IsolationResponse.READ_ONLY,
                                1,
                                CellSettings.Timing.defaults())
                        .withServers(SERVERS_OF_MINIMAL, ""));
    }

    @Test
    void whoMayUseTheApiIsInThreeFiles() throws Exception {
        String hash = PasswordHash.of("word", 100_000).text();
        Files.writeString(folder.resolve("monitor"), "reads\n");
        Files.writeString(folder.resolve("users"), "alice:root:" + hash + "\n");
        ApiUser root = new ApiUser("root", ApiUser.Role.ROOT, new ApiUser.Secret.Password(PASSWORD));
        assertThat(load(minimal()).passwords().api()).containsExactly(root);
        String more = minimal().replace("security:\n", """
                security:
                  monitor-password-file: %1$s/monitor
                  users-file: %1$s/users
                """.formatted(folder));
        CellConfig config = load(more);
        assertThat(config.passwords().api())
                .containsExactly(
                        root,
                        new ApiUser("monitor", ApiUser.Role.MONITOR, new ApiUser.Secret.Password("reads")),
                        new ApiUser("alice", ApiUser.Role.ROOT, new ApiUser.Secret.Hash(hash)));
        assertThat(Json.writeText(config) + config).doesNotContain(hash).doesNotContain("reads");
        Files.writeString(folder.resolve("users"), "\nalice:king:" + hash + "\nbob\n");
        Files.writeString(folder.resolve("monitor"), "\n");
        assertThat(problems(more))
                .containsExactlyInAnyOrder(
                        "security.users-file: " + folder + "/users line 2: the role must be root or monitor",
                        "security.users-file: " + folder
                                + "/users line 3: must be name:role:hash, the hash made by 'cellctl user hash'",
                        "security.monitor-password-file: " + folder
                                + "/monitor holds 0 bytes; 1 to 4096 make a secret");
    }

    @Test
    void everyKeyTakesEffect() throws Exception {
        CellConfig config = load(minimal() + """
                  os-user: pg
                  settings:
                    shared_buffers: 1GB
                    auto_explain.log_min_duration: 250
                host: cell-1
                data-dir: /srv/cell
                priority: 7
                fault-domain: rack-2
                ports:
                  postgres: 15432
                  api: 15480
                  link: 15481
                  zookeeper-client: 12181
                  zookeeper-quorum: 12888
                  zookeeper-election: 13888
                failover:
                  initial-mode: automatic
                  bootstrap-primary: cell-2
                  isolation-response: stop
                  min-standbys-after-failover: 0
                timing:
                  heartbeat: 100ms
                  silence: 1100ms
                  cold-start-grace: 1s
                  ballot: 2100ms
                  handover: 3s
                  isolation: 4s
                  read-only-after: 5s
                  restart-patience: 6s
                  drop-voter-after: 2m
                  stop: 8s
                  tick: 90ms
                  haste: 9ms
                  guard: 11s
                """);
        assertThat(config.settings())
                .isEqualTo(new CellSettings(
                                new CellName("cell-1"),
                                new Address("cell-1", 15432, 15480, 15481),
                                7,
                                "rack-2",
                                new CellName("cell-2"),
                                FailoverMode.AUTOMATIC,
                                IsolationResponse.STOP,
                                0,
                                new CellSettings.Timing(
                                        Duration.ofMillis(1100),
                                        Duration.ofSeconds(1),
                                        Duration.ofMillis(2100),
                                        Duration.ofSeconds(3),
                                        Duration.ofSeconds(4),
                                        Duration.ofSeconds(5),
                                        Duration.ofSeconds(6),
                                        Duration.ofMinutes(2),
                                        Duration.ofSeconds(8),
                                        Duration.ofMillis(90),
                                        Duration.ofMillis(9)))
                        .withServers(SERVERS_OF_MINIMAL, ""));
        assertThat(config.dataDir()).isEqualTo(Path.of("/srv/cell"));
        assertThat(config.heartbeat()).isEqualTo(Duration.ofMillis(100));
        assertThat(config.guardTimeout()).isEqualTo(Duration.ofSeconds(11));
        assertThat(config.postgres().osUser()).isEqualTo("pg");
        assertThat(config.postgres().settings())
                .isEqualTo(Map.of("shared_buffers", "1GB", "auto_explain.log_min_duration", "250"));
        assertThat(config.ports().zookeeperElection()).isEqualTo(13888);
    }

    @Test
    void theEnsembleIsNumberedInTheOrderOfItsList() throws Exception {
        CellConfig.ZooKeeper.Cells cells =
                (CellConfig.ZooKeeper.Cells) load(minimal()).zookeeper();
        assertThat(cells.addresses()).containsExactly("cell-1:2181", "10.0.0.2:2181", "[fd00::3]:2181");
        assertThat(cells.of(new CellName("cell-3")))
                .contains(new CellConfig.Server(3, new CellName("cell-3"), "fd00::3"));
        assertThat(cells.of(new CellName("cell-4"))).isEmpty();
    }

    @Test
    void anEnsembleOfOnesOwnTakesThePlaceOfTheCells() throws Exception {
        environment.put("CELL_ZOOKEEPER_CONNECT", "zk-1:2181,zk-2:2181/cellkeeper");
        assertThat(load(minimal().replaceAll("(?s)zookeeper:.*security:", "security:"))
                        .zookeeper())
                .isEqualTo(new CellConfig.ZooKeeper.External(
                        List.of("zk-1:2181", "zk-2:2181"), "/cellkeeper", CellConfig.ZooKeeper.Transport.PLAIN));
        assertThat(problems(minimal()))
                .containsExactly("CELL_ZOOKEEPER_CONNECT: cannot be set together with zookeeper.cells");
    }

    @Test
    void theEnvironmentWinsOverTheFile() throws Exception {
        environment.put("CELL_PRIORITY", "5");
        environment.put("CELL_TIMING_SILENCE", "2s");
        environment.put("CELL_POSTGRES_SETTINGS", "shared_buffers=2GB; log_line_prefix='%m, %p '");
        CellConfig config = load(minimal() + "priority: 9\n");
        assertThat(config.priority()).isEqualTo(5);
        assertThat(config.timing().silence()).isEqualTo(Duration.ofSeconds(2));
        assertThat(config.postgres().settings())
                .isEqualTo(Map.of("shared_buffers", "2GB", "log_line_prefix", "'%m, %p '"));
    }

    @Test
    void theEnvironmentAloneIsEnough() throws Exception {
        environment.put("CELL_NAME", "cell-2");
        environment.put("CELL_CLUSTER_SECRET_FILE", folder + "/secret");
        environment.put("CELL_ZOOKEEPER_CELLS", "cell-1=10.0.0.1,cell-2=cell-2");
        environment.put("CELL_SECURITY_ROOT_PASSWORD_FILE", folder + "/password");
        environment.put("CELL_SECURITY_VCLOUD_PASSWORD_FILE", folder + "/password");
        environment.put("CELL_SECURITY_ENCRYPTION", "off");
        environment.put("CELL_POSTGRES_BIN_DIR", folder.toString());
        CellConfig config = load((Path) null);
        assertThat(config.zookeeper().addresses()).containsExactly("10.0.0.1:2181", "cell-2:2181");
    }

    @Test
    void dataOfAVersionThatIsNotInstalledAreSaid() throws Exception {
        Files.createDirectories(folder.resolve("cell/postgres/data"));
        Files.writeString(folder.resolve("cell/postgres/data/PG_VERSION"), "11\n");
        environment.put("CELL_DATA_DIR", folder + "/cell");
        String yaml = minimal();
        int at = yaml.indexOf("postgres:");
        assertThat(at).isPositive();
        assertThat(problems(yaml.substring(0, at)
                        + yaml.substring(at).replaceFirst("(?s)postgres:\\s+bin-dir: [^\\n]+\\n", "")))
                .singleElement()
                .asString()
                .contains(
                        "postgres.bin-dir",
                        folder + "/cell/postgres/data need PostgreSQL 11, which is not under",
                        "install that version");
    }

    @Test
    void aSecretIsReadFromItsFileAndShownNowhere() throws Exception {
        CellConfig config = load(minimal());
        assertThat(new String(config.cluster().secret().secret(), StandardCharsets.UTF_8))
                .isEqualTo(SECRET);
        assertThat(config.passwords().root().password()).isEqualTo(PASSWORD);
        String encoded = Base64.getEncoder().encodeToString((PASSWORD + "\n").getBytes(StandardCharsets.UTF_8));
        assertThat(Json.writeText(config)).contains("cell-1").doesNotContain(SECRET, PASSWORD, encoded);
        assertThat(config.toString()).contains("cell-1").doesNotContain(SECRET, PASSWORD);
    }

    @Test
    void aSecretWrittenInPlaceOfItsFileIsNotRepeated() throws Exception {
        environment.put("CELL_SECURITY_ROOT_PASSWORD_FILE", "my-inline-password");
        assertThat(problems(minimal().replace(folder + "/secret", "my-inline-secret")))
                .hasSize(2)
                .noneMatch(problem -> problem.contains("inline"));
    }

    @Test
    void everythingThatIsWrongIsSaidAtOnce() throws Exception {
        Files.writeString(folder.resolve("short"), "0123456789abcde\n");
        environment.put("CELL_PORTS_API", "many");
        assertThat(problems("""
                name: Cell_1
                host: a b
                priority: 1001
                data-dir: relative
                cluster:
                  secret-file: %1$s/short
                ports:
                  link: 2181
                  postgres: 70000
                failover:
                  initial-mode: sometimes
                  bootstrap-primary:
                zookeeper:
                  connect: nowhere
                  session-timeout: 4
                postgres:
                  bin-dir: %1$s/none
                security:
                  root-password-file: %1$s/none
                  tls-key-file: %1$s/none
                timing:
                  heartbeat: 600ms
                  haste: 1s
                  stop: 2 s
                """.formatted(folder)))
                .containsExactlyInAnyOrder(
                        "name: 'Cell_1' is not allowed; allowed: lower-case letters, digits and '-', first a letter, 30 characters at most",
                        "host: 'a b' is not allowed; allowed: a host name (letters, digits, '-' and '.') or an IP address",
                        "priority: '1001' is not allowed; allowed: a whole number, 0 to 1000",
                        "data-dir: 'relative' is not allowed; allowed: an absolute path of letters, digits, '/', '.', '_' and '-', 79 at most",
                        "cluster.secret-file: " + folder + "/short holds 15 bytes; 16 to 4096 make a secret",
                        "ports.postgres: '70000' is not allowed; allowed: a whole number, 1 to 65535",
                        "CELL_PORTS_API: 'many' is not allowed; allowed: a whole number, 1 to 65535",
                        "ports.zookeeper-client: 2181 is also ports.link; each needs a port of its own",
                        "failover.initial-mode: 'sometimes' is not allowed; allowed: one of manual, automatic",
                        "failover.bootstrap-primary: has no value; leave it out, or give one; allowed: lower-case letters, digits and '-', first a letter, 30 characters at most",
                        "zookeeper.connect: 'nowhere' is not allowed; allowed: host:port,host:port, perhaps with /path at the end; an IPv6 address in brackets",
                        "zookeeper.session-timeout: '4' is not allowed; allowed: a duration such as 200ms, 5s or 2m, 1s to 60s",
                        "postgres.bin-dir: " + folder
                                + "/none holds no program postgres; allowed: the folder of PostgreSQL's server programs",
                        "security.root-password-file: " + folder + "/none cannot be read: there is no such file",
                        "security.vcloud-password-file: must be set (here or as CELL_SECURITY_VCLOUD_PASSWORD_FILE); allowed: the absolute path of a readable file that holds the secret",
                        "security.ca-file: must be set, and with it security.certificate-file and security.key-file: cellctl ca makes them; or set security.encryption to off",
                        "security.tls-key-file: " + folder + "/none cannot be read: there is no such file",
                        "security.tls-certificate-file: must be set, as the other half of the pair is; or leave both out",
                        "timing.silence: 1500ms is less than three times timing.heartbeat, which is 600ms",
                        "timing.tick: 200ms is less than timing.haste, which is 1s",
                        "timing.stop: '2 s' is not allowed; allowed: a duration such as 200ms, 5s or 2m, 1ms to 1h");
    }

    @Test
    void aNewCellIsAskedForCertificatesAndOneOfBeforeGoesOnWithoutThem() throws Exception {
        String silent = minimal().replace("  encryption: off\n", "");
        assertThat(problems(silent))
                .containsExactly(
                        "security.ca-file: must be set, and with it security.certificate-file and security.key-file: cellctl ca makes them; or set security.encryption to off");
        Settings present = new Settings(Files.writeString(folder.resolve("cell.yaml"), silent), environment);
        CellConfig config = CellConfig.of(present, null, present.kept(""));
        assertThat(config.trust()).isEqualTo(new CellConfig.Trust(Encryption.OFF, null));
    }

    @Test
    void whoHasCertificatesIsEncryptedAndNeedsAllThreeFiles() throws Exception {
        String silent = minimal().replace("  encryption: off\n", "");
        String some = silent.replace("security:\n", "security:\n  ca-file: %1$s/secret\n".formatted(folder));
        assertThat(problems(some))
                .containsExactlyInAnyOrder(
                        "security.certificate-file: must be set, as the others of the three are",
                        "security.key-file: must be set, as the others of the three are");
        String all = some.replace(
                "security:\n",
                "security:\n  certificate-file: %1$s/secret\n  key-file: %1$s/secret\n".formatted(folder));
        assertThat(load(all).trust().encryption()).isEqualTo(Encryption.REQUIRED);
        environment.put("CELL_SECURITY_ENCRYPTION", "accepted");
        assertThat(load(all).trust().encryption()).isEqualTo(Encryption.ACCEPTED);
        assertThat(problems(silent)).singleElement().asString().startsWith("security.ca-file: must be set");
    }

    @Test
    void whatIsUnknownIsRefusedWithASuggestion() throws Exception {
        environment.put("CELL_PRIORTY", "5");
        environment.put("CELL_COMPLETELY_DIFFERENT_THING", "5");
        environment.put("CELL_1_SERVICE_HOST", "10.1.1.1");
        environment.put("CELL_1_PORT_5432_TCP_ADDR", "10.1.1.1");
        environment.put("CELLKEEPER_GUARD_PID", "7");
        assertThat(problems(minimal() + """
                prority: 5
                timings:
                  silence: 2s
                nonsense: 1
                """))
                .containsExactlyInAnyOrder(
                        "prority: is unknown; did you mean priority?",
                        "timings.silence: is unknown; did you mean timing.silence?",
                        "nonsense: is unknown",
                        "CELL_PRIORTY: is unknown; did you mean CELL_PRIORITY?",
                        "CELL_COMPLETELY_DIFFERENT_THING: is unknown");
    }

    @Test
    void formsThatDoNotFitAreSaid() throws Exception {
        assertThat(problems(
                        minimal().replaceAll("(?s)  cells:.*security", "  cells: [cell-1]\nsecurity") + "ports: 5\n"))
                .contains("ports: must hold keys and values")
                .anyMatch(problem -> problem.startsWith("zookeeper.cells: has another form; allowed: "));
    }

    @Test
    void aCellThatIsElsewhereInTheEnsembleIsSaid() throws Exception {
        assertThat(problems(minimal() + "host: 10.0.0.1\n"))
                .containsExactly("zookeeper.cells: has cell-1 at cell-1, but its host is 10.0.0.1");
        assertThat(problems(minimal().replace("fd00::3", "10.0.0.2")))
                .containsExactly("zookeeper.cells: has two cells on one host; each needs a host of its own");
    }

    @Test
    void brokenYamlIsSaidWithItsLine() throws Exception {
        assertThat(problems("name: cell-1\nname: cell-2\n"))
                .first()
                .asString()
                .contains("line 2", "cannot be read as YAML");
        assertThat(problems("name: [\n")).first().asString().contains("cannot be read as YAML");
        assertThat(problems("- a\n- b\n")).first().asString().contains("must hold keys and values");
        assertThatThrownBy(() -> load(folder.resolve("missing.yaml")))
                .isInstanceOf(InvalidConfiguration.class)
                .hasMessageContaining("missing.yaml: cannot be read");
    }

    @Test
    void noTwoKeysShareAPathOrAVariable() {
        assertThat(Keys.all().map(Key::path)).doesNotHaveDuplicates();
        assertThat(Keys.all().map(Key::variable)).doesNotHaveDuplicates();
    }

    @Test
    void everyDefaultIsAllowed() {
        assertThat(Keys.all().filter(key -> key.value() != null))
                .isNotEmpty()
                .allSatisfy(key -> assertThat(key.kind().read(key.kind().entries(String.valueOf(key.value()))))
                        .isNotNull());
    }
}
