package org.cellkeeper.cell;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.StringReader;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Properties;
import java.util.stream.Stream;
import org.apache.zookeeper.server.quorum.QuorumPeerConfig;
import org.cellkeeper.cell.config.CellConfig;
import org.cellkeeper.cell.config.CellConfig.ZooKeeper;
import org.cellkeeper.cell.config.InvalidConfiguration;
import org.cellkeeper.cell.config.KeySamples;
import org.cellkeeper.cell.trust.Secrets;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** What the documentation of a key allows is taken, and can be used by whoever is to; what it excludes is refused. */
final class DocumentedFormsTest {
    @TempDir
    private static Path folder;

    @TestFactory
    Stream<DynamicTest> eachFormOfEachKey() throws IOException {
        KeySamples samples = new KeySamples(Files.createTempDirectory(folder, "k"));
        return samples.all().stream()
                .map(sample -> DynamicTest.dynamicTest(sample.toString(), () -> {
                    if (sample.good()) {
                        CellConfig config = samples.load(sample, true);
                        assertThat(samples.load(sample, false).toString()).isEqualTo(config.toString());
                        use(config);
                    } else {
                        refused(samples, sample, true, sample.path());
                        refused(samples, sample, false, sample.variable());
                    }
                }));
    }

    private static void refused(KeySamples samples, KeySamples.Sample sample, boolean inFile, String where) {
        assertThatThrownBy(() -> samples.load(sample, inFile))
                .isInstanceOfSatisfying(
                        InvalidConfiguration.class,
                        invalid -> assertThat(invalid.problems())
                                .isNotEmpty()
                                // What is twice in a file is no YAML.
                                .allMatch(problem -> problem.where().equals(where)
                                        || problem.what().contains("Duplicate")));
    }

    /** As those do that the values are for. */
    private static void use(CellConfig config) throws Exception {
        URI api = URI.create(config.url());
        assertThat(api.getHost()).isNotNull();
        assertThat(InetSocketAddress.createUnresolved(config.host(), 1)).isNotNull();
        List<String> hosts = config.zookeeper().hosts();
        assertThat(Wiring.coordinationSettings(
                                config, hosts, new Secrets(config.cluster().secrets()))
                        .servers())
                .allSatisfy(server ->
                        assertThat(URI.create("zk://" + server).getPort()).isPositive());
        boolean areAddresses = hosts.stream().noneMatch(host -> host.matches(".*[g-z].*") || host.equals("c"));
        if (areAddresses && config.zookeeper() instanceof ZooKeeper.Cells cells) {
            // ZooKeeper reads by itself what its peers are started with.
            CellConfig.Server first = cells.servers().getFirst();
            String text =
                    Wiring.serverSettings(config, cells, folder, first.id()).configuration();
            Properties properties = new Properties();
            properties.load(new StringReader(text));
            Files.createDirectories(folder.resolve("data"));
            Files.writeString(folder.resolve("data/myid"), first.id() + "\n");
            QuorumPeerConfig read = new QuorumPeerConfig();
            read.parseProperties(properties);
            assertThat(read.getServers()).hasSize(cells.servers().size());
        }
    }
}
