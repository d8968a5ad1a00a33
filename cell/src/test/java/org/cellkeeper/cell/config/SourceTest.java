package org.cellkeeper.cell.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.cellkeeper.cell.trust.Authority;
import org.cellkeeper.cell.trust.Pem;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** No file costs a running database. */
final class SourceTest {
    private static final String GOOD = "correct-horse-battery-staple";

    @TempDir
    private Path folder;

    private Path file;
    private Path dataDir;
    private final List<Map<String, String>> judged = new ArrayList<>();

    /** They know PostgreSQL as well as is needed here. */
    private final class FewJudges implements Judges {
        @Override
        public List<String> settings(Path binDir, String osUser, Map<String, String> settings) {
            judged.add(settings);
            if (settings.containsValue("later")) {
                throw new IllegalStateException("PostgreSQL cannot be asked");
            }
            return settings.containsValue("banana") ? List.of("work_mem is no banana") : List.of();
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
            return chain.equals(key) ? List.of() : List.of("they do not fit");
        }

        @Override
        public List<String> servers(CellConfig config) {
            return config.zookeeper().addresses().size() > 3 ? List.of("too many") : List.of();
        }
    }

    @BeforeEach
    void writeFiles() throws IOException {
        dataDir = folder.resolve("data");
        for (String name : List.of("secret", "password", "chain", "key")) {
            write(name, GOOD);
        }
        Path program = Files.createFile(folder.resolve("postgres"));
        Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwxr-xr-x"));
        file = write("cell.yaml", yaml("8MB"));
    }

    private Path write(String name, String content) throws IOException {
        return Files.writeString(folder.resolve(name), content);
    }

    private String yaml(String memory) {
        return """
                name: cell-1
                data-dir: %1$s/data
                host: 10.0.0.1
                cluster:
                  secret-file: %1$s/secret
                zookeeper:
                  cells: {cell-1: 10.0.0.1}
                security:
                  root-password-file: %1$s/password
                  vcloud-password-file: %1$s/password
                  encryption: off
                  tls-certificate-file: %1$s/chain
                  tls-key-file: %1$s/key
                postgres:
                  bin-dir: %1$s
                  settings:
                    work_mem: %2$s
                """.formatted(folder, memory);
    }

    private Source source() {
        return new Source(file, Map.of(), new FewJudges());
    }

    private Source.Choice choose(@Nullable Path where) throws InvalidConfiguration {
        return source().choose(where);
    }

    private String memory(Source.Choice choice) {
        return choice.config().postgres().settings().get("work_mem");
    }

    private interface Deed {
        void run() throws IOException;
    }

    /** All the ways in which files get bad, with what the status then has to say. */
    private Map<String, Deed> harms() {
        return Map.ofEntries(
                Map.entry("work_mem is no banana", () -> write("cell.yaml", yaml("banana"))),
                Map.entry("cannot be read as YAML", () -> write("cell.yaml", yaml("8MB") + "\n : [")),
                Map.entry(
                        "prority: is unknown; did you mean priority?",
                        () -> write("cell.yaml", yaml("8MB") + "prority: 5\n")),
                Map.entry("name: must be set", () -> write("cell.yaml", "")),
                Map.entry("cell.yaml: cannot be read", () -> Files.delete(file)),
                Map.entry("/chain, with security.tls-key-file", () -> write("chain", "")),
                Map.entry("they do not fit", () -> write("key", "another")),
                Map.entry("/key cannot be read: there is no such file", () -> Files.delete(folder.resolve("key"))),
                Map.entry("/secret holds 0 bytes", () -> write("secret", "")),
                Map.entry("/password holds a control character", () -> write("password", "two\nlines")),
                Map.entry(
                        "is not " + folder + "/data, where this cell runs",
                        () -> write("cell.yaml", yaml("8MB").replace("/data\n", "/elsewhere\n"))),
                Map.entry(
                        "too many",
                        () -> write(
                                "cell.yaml",
                                yaml("8MB").replace("{cell-1: 10.0.0.1}", "{cell-1: 10.0.0.1, b: b, c: c, d: d}"))));
    }

    @Test
    void theLastGoodOneIsUsedWhateverFileGetsBad() throws Exception {
        Source.Choice first = choose(null);
        assertThat(first.objection()).isEmpty();
        for (Map.Entry<String, Deed> harm : harms().entrySet()) {
            harm.getValue().run();
            Source.Choice next = choose(dataDir);
            assertThat(next.objection())
                    .startsWith("the configuration cannot be used, the agent goes on with the last that was good: ")
                    .contains(harm.getKey())
                    .doesNotContain(GOOD);
            assertThat(memory(next)).isEqualTo("8MB");
            assertThat(next.config().passwords().root().password()).isEqualTo(GOOD);
            assertThat(next.config().tls().key().text()).isEqualTo(GOOD);
            assertThat(next.config().cluster().secret().secret()).asString().isEqualTo(GOOD);
            assertThat(source().objectionTo(first, good -> {}))
                    .as("while it runs")
                    .contains(harm.getKey());
            for (String name : List.of("secret", "password", "chain", "key")) {
                write(name, GOOD);
            }
            write("cell.yaml", yaml("8MB"));
            assertThat(source().objectionTo(first, good -> {}))
                    .as("once mended")
                    .isEmpty();
        }
    }

    @Test
    void anotherListOfSecretsIsTakenUpAndOneThatIsWrongChangesNothing() throws Exception {
        Source source = source();
        Source.Choice running = source.choose(null);
        List<List<String>> taken = new ArrayList<>();
        String next = "the-next-secret-of-the-cluster";
        for (String good : List.of(GOOD + "\n" + next, next + "\n" + GOOD + "\n", next)) {
            write("secret", good);
            assertThat(source.objectionTo(running, config -> taken.add(lines(config))))
                    .isEmpty();
        }
        assertThat(taken).containsExactly(List.of(GOOD, next), List.of(next, GOOD), List.of(next));
        taken.clear();
        for (Map.Entry<String, String> wrong : Map.of(
                        "",
                        "holds 0 bytes",
                        next + "\nshort",
                        "line 2 holds 5 bytes",
                        next + "\n" + next,
                        "line 2 holds the secret of line 1 again",
                        String.join("\n", next + 1, next + 2, next + 3, next + 4, next),
                        "holds 5 secrets",
                        GOOD,
                        "holds none of the secrets that this cell has run with")
                .entrySet()) {
            write("secret", wrong.getKey());
            assertThat(source.objectionTo(running, config -> taken.add(lines(config))))
                    .startsWith("the configuration cannot be used, the agent goes on with the last that was good: "
                            + "cluster.secret-file")
                    .contains(wrong.getValue())
                    .doesNotContain(next, GOOD);
            Source.Choice anew = choose(dataDir);
            assertThat(anew.objection()).contains(wrong.getValue());
            assertThat(lines(anew.config())).as("an agent that is started now").containsExactly(next);
        }
        assertThat(taken).isEmpty();
    }

    /** Two clusters may have one name; whose data the folder holds is found out by the data's mark. */
    @Test
    void aFolderOfAnotherClusterOfTheSameNameDoesNotSayWhatTheCellIs() throws Exception {
        Authority own = Authority.create("cellkeeper", Duration.ofDays(1));
        write("ca", Pem.text(own.certificate()));
        writeEncrypted("secret of the other cluster", "ca");
        Source.Choice others = choose(null);

        write("ca", Pem.text(Authority.create("cellkeeper", Duration.ofDays(1)).certificate()));
        Source.Choice here = choose(dataDir);
        assertThat(here.objection())
                .as("it believes in others, but has the same secret")
                .isEmpty();

        write("secret", "secret of this cluster");
        assertThat(choose(dataDir).objection())
                .as("it believes in the same, but has another secret")
                .contains("holds none of the secrets that this cell has run with");

        write("ca", Pem.text(Authority.create("cellkeeper", Duration.ofDays(1)).certificate()));
        assertThat(source().objectionTo(others, config -> {}))
                .as("a cell that runs is of the cluster that it runs in")
                .contains("holds none of the secrets that this cell has run with");
        Source.Choice taken = choose(dataDir);
        assertThat(taken.objection()).as("it has nothing in common").isEmpty();
        assertThat(lines(taken.config())).containsExactly("secret of this cluster");
    }

    private void writeEncrypted(String secret, String ca) throws IOException {
        write("secret", secret);
        write("cell.yaml", yaml("8MB").replace("  encryption: off\n", """
                  ca-file: %1$s/%2$s
                  certificate-file: %1$s/chain
                  key-file: %1$s/key
                """.formatted(folder, ca)));
    }

    private static List<String> lines(CellConfig config) {
        return config.cluster().secrets().stream()
                .map(secret -> new String(secret, StandardCharsets.UTF_8))
                .toList();
    }

    @Test
    void aCellThatIsStartedAnewFindsWhatItKeptThoughTheFileCannotBeRead() throws Exception {
        choose(null);
        write("cell.yaml", yaml("8MB") + "\n : [");
        assertThat(choose(null).config().name().value()).isEqualTo("cell-1");
    }

    @Test
    void aFirstStartEndsWithEverythingThatIsWrong() throws Exception {
        for (Map.Entry<String, Deed> harm : harms().entrySet()) {
            if (harm.getKey().contains("where this cell runs")) {
                continue;
            }
            harm.getValue().run();
            assertThatThrownBy(() -> choose(null))
                    .isInstanceOf(InvalidConfiguration.class)
                    .hasMessageContaining(harm.getKey());
            assertThatThrownBy(() -> source().check())
                    .isInstanceOf(InvalidConfiguration.class)
                    .hasMessageContaining(harm.getKey());
            assertThat(dataDir).doesNotExist();
            for (String name : List.of("secret", "password", "chain", "key")) {
                write(name, GOOD);
            }
            write("cell.yaml", yaml("8MB"));
        }
    }

    @Test
    void whatIsMendedIsTakenAndKept() throws Exception {
        choose(null);
        write("cell.yaml", yaml("banana"));
        Source.Choice running = choose(dataDir);
        write("cell.yaml", yaml("16MB"));
        assertThat(source().objectionTo(running, good -> {})).isEmpty();
        write("cell.yaml", yaml("banana"));
        assertThat(memory(choose(dataDir))).as("found good while another ran").isEqualTo("16MB");
        write("cell.yaml", yaml("32MB"));
        assertThat(memory(choose(dataDir))).isEqualTo("32MB");
        write("cell.yaml", yaml("banana"));
        assertThat(memory(choose(dataDir))).isEqualTo("32MB");
    }

    @Test
    void whoeverTakesUpIsGivenWhatIsGoodAndNothingElse() throws Exception {
        Source.Choice running = choose(null);
        List<String> taken = new ArrayList<>();
        write("password", "another");
        assertThat(source().objectionTo(
                                running,
                                good -> taken.add(good.passwords().root().password())))
                .isEmpty();
        write("users", "alice:root:none\n");
        write("cell.yaml", yaml("8MB") + "security.users-file: " + folder + "/users\n");
        assertThat(source().objectionTo(running, good -> taken.add("bad")))
                .contains("security.users-file: " + folder + "/users line 1: the hash is none that");
        assertThat(taken).containsExactly("another");
        assertThat(choose(dataDir).config().passwords().root().password())
                .as("the next agent")
                .isEqualTo("another");
    }

    @Test
    void whatWasGoodIsNotJudgedAgainAndWhatIsBadIsJudgedOnce() throws Exception {
        choose(null);
        Source.Choice running = choose(dataDir);
        assertThat(source().objectionTo(running, good -> {})).isEmpty();
        assertThat(judged).hasSize(1);
        write("cell.yaml", yaml("banana"));
        Source one = source();
        for (int i = 0; i < 5; i++) {
            assertThat(one.objectionTo(running, good -> {})).contains("banana");
        }
        assertThat(judged).hasSize(2);
        assertThat(choose(dataDir).objection()).as("the next agent").contains("banana");
        write("chain", "");
        assertThat(choose(dataDir).objection()).contains("they do not fit", "banana");
        assertThat(judged).as("a start is not held up by what is known").hasSize(2);
        write("chain", GOOD);
        write("cell.yaml", yaml("later"));
        for (int i = 0; i < 5; i++) {
            assertThat(one.objectionTo(running, good -> {})).contains("cannot be asked");
        }
        assertThat(judged).as("what cannot be known now is asked again").hasSize(7);
    }

    @Test
    void theSameServersInAnotherOrderAreAnotherConfiguration() throws Exception {
        String two = yaml("8MB").replace("{cell-1: 10.0.0.1}", "{cell-1: 10.0.0.1, b: b}");
        write("cell.yaml", two);
        choose(null);
        write("cell.yaml", two.replace("{cell-1: 10.0.0.1, b: b}", "{b: b, cell-1: 10.0.0.1}"));
        choose(dataDir);
        write("cell.yaml", "");
        assertThat(choose(dataDir).config().zookeeper().addresses()).containsExactly("b:2181", "10.0.0.1:2181");
    }

    @Test
    void whatIsKeptIsForTheAgentsUserAlone() throws Exception {
        choose(null);
        Path kept = dataDir.resolve("config/last-good.json");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(kept)))
                .isEqualTo("rw-------");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(kept.getParent())))
                .isEqualTo("rwx------");
    }

    @Test
    void noOtherCellsIsUsed() throws Exception {
        choose(null);
        write("cell.yaml", yaml("banana").replace("cell-1", "cell-2"));
        assertThatThrownBy(() -> choose(dataDir)).isInstanceOf(InvalidConfiguration.class);
        write("cell.yaml", yaml("banana"));
        file = Files.copy(file, folder.resolve("other.yaml"));
        assertThatThrownBy(() -> choose(dataDir)).isInstanceOf(InvalidConfiguration.class);
    }

    @Test
    void oneThatWasHalfWrittenCountsAsNone() throws Exception {
        choose(null);
        Path kept = dataDir.resolve("config/last-good.json");
        Files.writeString(kept, Files.readString(kept).substring(0, 50));
        write("cell.yaml", yaml("banana"));
        assertThatThrownBy(() -> choose(dataDir)).isInstanceOf(InvalidConfiguration.class);
        write("cell.yaml", yaml("8MB"));
        assertThat(choose(dataDir).objection()).isEmpty();
    }
}
