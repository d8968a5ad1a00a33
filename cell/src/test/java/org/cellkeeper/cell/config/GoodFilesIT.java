package org.cellkeeper.cell.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.cellkeeper.cell.trust.Certified;
import org.cellkeeper.cell.trust.Identity;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A configuration that is good by the documentation of its keys starts a cell: a whole one, in a network of its own where every
 * address and name leads to it. Each number draws another one; {@code -Dcellkeeper.good.files=200} tries so many.
 */
final class GoodFilesIT {
    private static final int FILES = Integer.getInteger("cellkeeper.good.files", 4);
    private static final String PASSWORD = "correct-horse-battery-staple";

    /** Where the network leads to the cell. */
    private static final List<String> HOSTS = List.of(
            "localhost",
            "10.9.8.7",
            "127.0.0.9",
            "::1",
            "fd00::1",
            "2001:db8::192.0.2.1",
            "cell-1",
            "Cell-1.Rack2.example.com",
            "0.a",
            "a".repeat(63));

    private static final String IN_ITS_NETWORK = """
            set -o errexit -o nounset
            ip link set lo up
            ip address add 10.9.8.7/32 dev lo
            for address in fd00::1 2001:db8::192.0.2.1; do ip address add "$address/128" dev lo; done
            mount --bind "$1/hosts" /etc/hosts
            "$2/scripts/cell" --config "$1/cell.yaml" &
            cell=$!
            for ((waited = 0; ; waited++)); do
              kill -0 "$cell" || { echo 'it has ended'; exit 1; }
              nodes=$(curl --silent --insecure --noproxy '*' --max-time 5 --user "root:$4" "https://$3/api/1.0.0/nodes" || true)
              [[ $nodes != *'"PRIMARY"'* ]] || break
              ((waited < 400)) || { echo "no primary: $nodes"; kill -9 "$cell"; exit 1; }
              sleep 0.1
            done
            kill -TERM "$cell"
            wait "$cell"
            """;

    private Path folder;

    @BeforeEach
    void make() throws IOException {
        // As short as a folder of PostgreSQL's sockets must be.
        folder = Files.createTempDirectory(
                Path.of("/var/tmp"),
                "good",
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwxr-xr-x")));
    }

    @AfterEach
    void remove() throws IOException {
        try (Stream<Path> all = Files.walk(folder)) {
            for (Path path : all.sorted(java.util.Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        }
    }

    static IntStream numbers() {
        return IntStream.rangeClosed(1, FILES);
    }

    @ParameterizedTest
    @MethodSource("numbers")
    void startsACell(int number) throws Exception {
        Drawn drawn = new Drawn(new Random(number), folder);
        Files.writeString(
                folder.resolve("hosts"),
                "127.0.0.1 localhost\n10.9.8.7 cell-1 0.a " + "a".repeat(63) + "\nfd00::1 Cell-1.Rack2.example.com\n");
        Path log = folder.resolve("log");
        ProcessBuilder builder = new ProcessBuilder(
                        "unshare",
                        "--net",
                        "--mount",
                        "bash",
                        "-c",
                        IN_ITS_NETWORK,
                        "bash",
                        folder.toString(),
                        Path.of(System.getProperty("cellkeeper.build.directory", "target"), "../..")
                                .toAbsolutePath()
                                .normalize()
                                .toString(),
                        drawn.api(),
                        PASSWORD)
                .redirectErrorStream(true)
                .redirectOutput(log.toFile());
        builder.environment().putAll(drawn.environment);
        Process process = builder.start();
        boolean ended = process.waitFor(120, TimeUnit.SECONDS);
        if (!ended) {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
        }
        String words = drawn + "\n" + Files.readString(log);
        assertThat(ended).as(words).isTrue();
        assertThat(process.exitValue()).as(words).isZero();
    }

    /** A configuration that is drawn by chance, in a file and in the environment. */
    private static final class Drawn {
        /** What the network and the folder decide, and what needs more than one cell. */
        private static final Set<Key<?>> SET = Set.of(
                Keys.NAME,
                Keys.HOST,
                Keys.DATA_DIR,
                Keys.CLUSTER_SECRET,
                Keys.ROOT_PASSWORD,
                Keys.VCLOUD_PASSWORD,
                Keys.MONITOR_PASSWORD,
                Keys.USERS,
                Keys.ZOOKEEPER_CELLS,
                Keys.ZOOKEEPER_CONNECT,
                Keys.BIN_DIR,
                Keys.OS_USER,
                Keys.SETTINGS,
                Keys.TRANSFER_FOLDER,
                Keys.TLS_CERTIFICATE,
                Keys.TLS_KEY,
                Keys.CA,
                Keys.CERTIFICATE,
                Keys.KEY,
                Keys.ENCRYPTION,
                Keys.ZOOKEEPER_TRANSPORT,
                Keys.BOOTSTRAP_PRIMARY);

        private final Random random;
        private final Map<String, String> values = new TreeMap<>();
        private final Map<String, String> environment = new TreeMap<>();
        private final String host;
        private final String yaml;

        Drawn(Random random, Path folder) throws IOException {
            this.random = random;
            host = of(HOSTS);
            String name = of(List.of("c", "cell-1", "a1-b2", "a".repeat(30)));
            Path secrets = Files.createDirectories(folder.resolve("with space, and comma"));
            Files.writeString(secrets.resolve("secret"), PASSWORD + "\n");
            values.put(Keys.NAME.path(), name);
            values.put(Keys.HOST.path(), host);
            values.put(
                    Keys.DATA_DIR.path(),
                    folder
                            + of(List.of(
                                    "/d",
                                    "/A.b/c_d-e",
                                    "/d/",
                                    "/" + "d".repeat(78 - folder.toString().length()))));
            for (Key<Path> file : List.of(Keys.CLUSTER_SECRET, Keys.ROOT_PASSWORD, Keys.VCLOUD_PASSWORD)) {
                values.put(file.path(), secrets + "/secret");
            }
            if (random.nextBoolean()) {
                Files.writeString(secrets.resolve("users"), KeySamples.USERS);
                values.put(Keys.MONITOR_PASSWORD.path(), secrets + "/secret");
                values.put(Keys.USERS.path(), secrets + "/users");
            }
            encrypt(secrets, name);
            if (random.nextInt(3) == 0) {
                values.put(Keys.BOOTSTRAP_PRIMARY.path(), name);
            }
            List<Key<?>> others = Keys.all().filter(key -> !SET.contains(key)).toList();
            others.stream().filter(key -> random.nextInt(4) == 0).forEach(key -> values.put(key.path(), value(key)));
            keepRelations();
            StringBuilder text = new StringBuilder();
            values.forEach((path, value) ->
                    text.append(path).append(": '").append(value).append("'\n"));
            others.stream()
                    .filter(key -> !values.containsKey(key.path()) && random.nextInt(6) == 0 && isTimeless(key))
                    .forEach(key -> environment.put(key.variable(), value(key)));
            text.append("zookeeper:\n  cells:\n    ")
                    .append(name)
                    .append(": '")
                    .append(host)
                    .append("'\n");
            text.append("postgres:\n  settings:\n    shared_buffers: 16MB\n");
            if (random.nextBoolean()) {
                text.append(
                        "    TimeZone: Europe/Berlin\n    DateStyle: 'ISO, DMY'\n    auto_explain.log_min_duration: 250\n");
            }
            yaml = text.toString();
            Files.writeString(folder.resolve("cell.yaml"), yaml);
        }

        /** Neither a port that another may have, nor a time that must fit another. */
        private static boolean isTimeless(Key<?> key) {
            return !key.path().startsWith("timing.") && !key.path().startsWith("ports.");
        }

        private String of(List<String> words) {
            return words.get(random.nextInt(words.size()));
        }

        private String value(Key<?> key) {
            String allowed = key.kind().allowed();
            if (allowed.startsWith("one of ")) {
                return of(List.of(allowed.substring("one of ".length()).split(", ", -1)));
            }
            if (key.equals(Keys.CLIENT_NETWORKS)) {
                return of(List.of("10.0.0.0/8", "0.0.0.0/0, ::/0", "fd00::/8,192.0.2.1/32"));
            }
            if (key.equals(Keys.HBA)) {
                return of(List.of("host all all 10.0.0.1/32 reject", "hostssl vcloud reader samenet scram-sha-256"));
            }
            KeySamples.Range range = KeySamples.range(allowed);
            if (range != null) {
                return range.draw(random);
            }
            return of(List.of("a", "7", "prod.db", "Prod_DB-2", "0123", "1.10", "a..b", "a".repeat(63)));
        }

        /** By a certificate of its own mostly, to any degree. */
        private void encrypt(Path secrets, String name) throws IOException {
            List<String> degrees = List.of("off", "accepted", "preferred", "required", "required");
            String degree = degrees.get(random.nextInt(degrees.size()));
            if (degree.equals("off") || random.nextBoolean()) {
                values.put(Keys.ENCRYPTION.path(), degree);
            }
            if (degree.equals("off") && random.nextBoolean()) {
                return;
            }
            Identity identity = Certified.cells().identity(name, host);
            values.put(
                    Keys.CA.path(),
                    Files.writeString(secrets.resolve("ca"), identity.authorities())
                            .toString());
            values.put(
                    Keys.CERTIFICATE.path(),
                    Files.writeString(secrets.resolve("chain"), identity.chain())
                            .toString());
            values.put(
                    Keys.KEY.path(),
                    Files.writeString(secrets.resolve("key"), identity.key()).toString());
        }

        /** As the documentation of the keys asks for them. */
        private void keepRelations() {
            values.remove(Keys.HASTE.path());
            Set<String> ports = new java.util.HashSet<>(Set.of("5432", "5480", "5481", "2181", "2888", "3888"));
            values.entrySet().removeIf(entry -> entry.getKey().startsWith("ports.") && !ports.add(entry.getValue()));
            Duration heartbeat = duration(Keys.HEARTBEAT);
            if (duration(Keys.SILENCE).compareTo(heartbeat.multipliedBy(3)) < 0) {
                values.put(Keys.SILENCE.path(), heartbeat.toMillis() * 3 + "ms");
            }
            if (duration(Keys.TICK).compareTo(duration(Keys.HASTE)) < 0) {
                values.remove(Keys.TICK.path());
            }
        }

        private Duration duration(Key<Duration> key) {
            String value = values.getOrDefault(key.path(), String.valueOf(key.value()));
            return key.kind().read(key.kind().entries(value));
        }

        String api() {
            String port = values.getOrDefault(Keys.API_PORT.path(), "5480");
            return (host.contains(":") ? "[" + host + "]" : host) + ":" + port;
        }

        @Override
        public String toString() {
            return yaml + environment;
        }
    }
}
