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
        assertThat(words).containsSequence("agent", "--config", "/etc/cell/cell.yaml", "--zookeeper-command");
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

    @Test
    void noSecretIsInAnythingThatIsWritten() throws Exception {
        Wiring.prepare(config(), null);
        try (var files = Files.walk(folder.resolve("data"))) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                assertThat(Files.readString(file)).as(file.toString()).doesNotContain(SECRET);
            }
        }
    }

    private CellConfig config() throws InvalidConfiguration {
        return CellConfig.load(null, environment);
    }

    private static List<String> words(Path arguments) throws IOException {
        return Files.readAllLines(arguments).stream()
                .map(line -> line.substring(1, line.length() - 1))
                .toList();
    }
}
