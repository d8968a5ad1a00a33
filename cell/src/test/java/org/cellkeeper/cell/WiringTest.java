package org.cellkeeper.cell;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.cellkeeper.cell.config.CellConfig;
import org.cellkeeper.cell.config.InvalidConfiguration;
import org.cellkeeper.cell.config.Judges;
import org.cellkeeper.cell.config.Source;
import org.cellkeeper.cell.journal.FileJournal;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.Ensemble;
import org.cellkeeper.cell.model.FailoverMode;
import org.cellkeeper.cell.model.LocalState;
import org.cellkeeper.cell.model.Member;
import org.cellkeeper.cell.model.VersionedState;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a cell's guard is started with. */
final class WiringTest {
    private static final String SECRET = "correct-horse-battery-staple";
    private static final String CLASS_PATH = "java.class.path";

    @TempDir
    private Path folder;

    private final Map<String, String> environment = new TreeMap<>();
    private final String classPath = System.getProperty(CLASS_PATH);

    @BeforeEach
    void setUp() throws IOException {
        Files.writeString(folder.resolve("secret"), SECRET);
        Path program = Files.createFile(folder.resolve("postgres"));
        Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwxr-xr-x"));
        environment.put("CELL_NAME", "cell-1");
        environment.put("CELL_HOST", "fd00::1");
        environment.put("CELL_DATA_DIR", folder.resolve("data").toString());
        environment.put("CELL_ZOOKEEPER_CELLS", "cell-1=fd00::1");
        environment.put("CELL_CLUSTER_SECRET_FILE", folder + "/secret");
        environment.put("CELL_SECURITY_ROOT_PASSWORD_FILE", folder + "/secret");
        environment.put("CELL_SECURITY_VCLOUD_PASSWORD_FILE", folder + "/secret");
        environment.put("CELL_SECURITY_ENCRYPTION", "off");
        environment.put("CELL_POSTGRES_BIN_DIR", folder.toString());
        System.setProperty(CLASS_PATH, folder.resolve("cell.jar").toString());
    }

    @AfterEach
    void restore() {
        System.setProperty(CLASS_PATH, classPath);
    }

    @Test
    void aCellOfTheEnvironmentAloneNeedsNoFile() throws Exception {
        Path arguments = Wiring.prepare(config(), null);
        assertThat(arguments).isEqualTo(folder.resolve("data/run/guard.args"));
        assertThat(words(arguments))
                .contains("agent", "--zookeeper-command")
                .doesNotContain("--config")
                .noneMatch(word -> word.contains("AOTCache"));
        assertThat(folder.resolve("data/run/api.url")).hasContent("https://[fd00::1]:5480");
    }

    @Test
    void theAgentReadsTheSameFile() throws Exception {
        List<String> words = words(Wiring.prepare(config(), Path.of("/etc/cell/cell.yaml")));
        assertThat(words)
                .containsSequence(
                        "agent",
                        "--config",
                        "/etc/cell/cell.yaml",
                        "--data-dir",
                        folder + "/data",
                        "--zookeeper-command");
    }

    @Test
    void agentAndPeerUseTheCacheThatWasMadeOfThisProgram() throws Exception {
        Path program = Files.createFile(folder.resolve("cell.jar"));
        Path cache = Files.createFile(folder.resolve("cell.aot"));
        List<String> words = words(Wiring.prepare(config(), null));
        String option = "-XX:AOTCache=" + cache;
        assertThat(words).filteredOn(option::equals).hasSize(2);
        assertThat(words.indexOf(option)).isBetween(words.indexOf("--agent-command"), words.indexOf("agent"));
        assertThat(words.get(words.indexOf("--zookeeper-command") + 2)).isEqualTo(option);

        Files.setLastModifiedTime(
                program,
                FileTime.from(Files.getLastModifiedTime(cache).toInstant().plusSeconds(1)));
        assertThat(words(Wiring.prepare(config(), null))).doesNotContain(option);
    }

    @Test
    void aPeerWithAnotherClustersDataIsNotStarted() throws Exception {
        Wiring.prepare(config(), null);
        assertThat(words(Wiring.prepare(config(), null))).contains("--zookeeper-command");

        Files.writeString(folder.resolve("secret"), "another-cluster-altogether");
        assertThat(words(Wiring.prepare(config(), null))).contains("agent").doesNotContain("--zookeeper-command");

        Files.writeString(folder.resolve("secret"), SECRET);
        assertThat(words(Wiring.prepare(config(), null))).contains("--zookeeper-command");
    }

    // ---- which servers

    private static final List<String> ON_RECORD = List.of("fd00::1", "fd00::2", "fd00::3");

    private void knows(@Nullable Ensemble ensemble) throws Exception {
        CellId cell = CellId.parse("cell-1.0000000a");
        ClusterState state = ClusterState.born(
                        cell,
                        new Member(cell.incarnation(), new Address("fd00::1", 5432, 5480, 5481), 100, "x"),
                        "7",
                        FailoverMode.AUTOMATIC)
                .withEnsemble(ensemble)
                .stamped();
        try (FileJournal journal = new FileJournal(folder.resolve("data/state"))) {
            journal.save(LocalState.fresh(cell.incarnation()).withSeen(new VersionedState(3, state)))
                    .get();
        }
    }

    private void configured(String... hosts) {
        StringBuilder cells = new StringBuilder();
        for (int i = 0; i < hosts.length; i++) {
            int number = hosts[i].charAt(hosts[i].length() - 1) - '0';
            cells.append(i == 0 ? "" : ",")
                    .append("cell-")
                    .append(number)
                    .append('=')
                    .append(hosts[i]);
        }
        environment.put("CELL_ZOOKEEPER_CELLS", cells.toString());
    }

    private boolean mayVoteThoughEmpty() {
        return Files.exists(folder.resolve("data/zookeeper/data/initialize"));
    }

    @Test
    void theServersOnRecordAndOneMoreAreTaken() throws Exception {
        knows(Ensemble.first(ON_RECORD));
        configured("fd00::1", "fd00::2", "fd00::3");
        assertThat(Wiring.refusedServers(config())).isEmpty();
        assertThat(words(Wiring.prepare(config(), null))).contains("--zookeeper-command");
        configured("fd00::1", "fd00::2", "fd00::3", "fd00::4");
        assertThat(Wiring.refusedServers(config())).isEmpty();
        assertThat(words(Wiring.prepare(config(), null))).contains("--zookeeper-command");
    }

    @Test
    void twoServersMoreOrOthersAreRefusedAndNoServerIsStarted() throws Exception {
        knows(Ensemble.first(ON_RECORD));
        for (String[] hosts : new String[][] {
            {"fd00::1", "fd00::2", "fd00::3", "fd00::4", "fd00::5"},
            {"fd00::9", "fd00::1", "fd00::2", "fd00::3"},
            {"fd00::1", "fd00::3", "fd00::2"},
            {"fd00::1", "fd00::2"}
        }) {
            configured(hosts);
            assertThat(Wiring.refusedServers(config()))
                    .contains(Ensemble.text(List.of(hosts)))
                    .contains(Ensemble.text(ON_RECORD));
            assertThat(words(Wiring.prepare(config(), null))).contains("agent").doesNotContain("--zookeeper-command");
            assertThat(folder.resolve("data/zookeeper/peer.json")).doesNotExist();
        }
    }

    @Test
    void beforeAListIsOnRecordWhatTheServerRanWithCounts() throws Exception {
        knows(null);
        configured("fd00::1", "fd00::2", "fd00::3");
        assertThat(Wiring.refusedServers(config())).isEmpty();
        Files.createDirectories(folder.resolve("data/zookeeper"));
        Files.writeString(
                folder.resolve("data/zookeeper/zoo.cfg"),
                "dataDir=/x\nserver.1=[fd00::1]:2888:3888\nserver.2=[fd00::2]:2888:3888\n");
        assertThat(Wiring.refusedServers(config())).isEmpty();
        configured("fd00::1", "fd00::2", "fd00::3", "fd00::4");
        assertThat(Wiring.refusedServers(config())).contains("1=fd00::1, 2=fd00::2.");
    }

    @Test
    void aServerMayVoteThoughItIsEmptyOnlyWhileItHasNothingToForget() throws Exception {
        configured("fd00::1", "fd00::2", "fd00::3");
        Wiring.prepare(config(), null);
        assertThat(mayVoteThoughEmpty()).as("a new cell").isTrue();

        Files.delete(folder.resolve("data/zookeeper/data/initialize"));
        knows(Ensemble.first(ON_RECORD));
        Wiring.prepare(config(), null);
        assertThat(mayVoteThoughEmpty()).as("a server that lost its data").isFalse();

        knows(Ensemble.first(List.of("fd00::2", "fd00::3")));
        configured("fd00::2", "fd00::3", "fd00::1");
        Wiring.prepare(config(), null);
        assertThat(mayVoteThoughEmpty()).as("a server that was appended").isTrue();

        Files.delete(folder.resolve("data/zookeeper/data/initialize"));
        Files.writeString(
                Files.createDirectories(folder.resolve("data/zookeeper/data/version-2"))
                        .resolve("snapshot.0"),
                "");
        Wiring.prepare(config(), null);
        assertThat(mayVoteThoughEmpty()).as("one that has data").isFalse();
    }

    @Test
    void anUnusableStateFileLetsNoEmptyServerVote() throws Exception {
        configured("fd00::1", "fd00::2", "fd00::3");
        Files.createDirectories(folder.resolve("data/state"));
        Files.writeString(folder.resolve("data/state/state.json"), "torn");
        Wiring.prepare(config(), null);
        assertThat(mayVoteThoughEmpty()).isFalse();
    }

    @Test
    void noSecretIsInAnythingThatIsWritten() throws Exception {
        Wiring.prepare(config(), null);
        try (var files = Files.walk(folder.resolve("data"))) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                assertThat(Files.readString(file)).as(file.toString()).doesNotContain(SECRET);
            }
        }
    }

    private static final Judges NOBODY = new Judges() {
        @Override
        public List<String> settings(Path binDir, String osUser, Map<String, String> settings) {
            return List.of();
        }

        @Override
        public List<String> hba(Path binDir, String osUser, List<String> lines) {
            return List.of();
        }

        @Override
        public List<String> identity(String ca, String chain, String key, String cell, String host) {
            return List.of();
        }

        @Override
        public List<String> certificate(String chain, String key) {
            return List.of();
        }

        @Override
        public List<String> servers(CellConfig config) {
            return List.of();
        }
    };

    private CellConfig config() throws InvalidConfiguration {
        return new Source(null, environment, NOBODY).check();
    }

    private static List<String> words(Path arguments) throws IOException {
        return Files.readAllLines(arguments).stream()
                .map(line -> line.substring(1, line.length() - 1))
                .toList();
    }
}
