package org.cellkeeper.cell.config;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.cellkeeper.cell.wire.PasswordHash;
import org.jspecify.annotations.Nullable;

/**
 * Values of every key, made from the keys' declarations: some of each form that the documentation allows, and some that it excludes. A
 * kind of value that has no samples is an error.
 */
public final class KeySamples {
    private static final Pattern RANGE = Pattern.compile(".*?([0-9]+)([a-z]*) to ([0-9]+)([a-z]*)");
    private static final String LONG_LABEL = "a".repeat(63);

    static final String USERS = "# who\n\nalice:root:%1$s\nbob:monitor:%1$s\n"
            .formatted(PasswordHash.of("word", 100_000).text());

    /** The values of one key, in the form of the environment; those of maps have one entry to a line in the file. */
    public record Sample(String path, String variable, String separator, String value, boolean good) {
        @Override
        public String toString() {
            return path + (good ? " may be '" : " may not be '") + value + "'";
        }
    }

    private record Values(List<String> good, List<String> bad) {}

    /** Of numbers or, with units, of durations; both ends are allowed. */
    record Range(long least, String leastUnit, long most, String mostUnit) {
        private static final Map<String, Long> MILLIS =
                Map.of("", 1L, "ms", 1L, "s", 1_000L, "m", 60_000L, "h", 3_600_000L);

        /** One of it by chance, the small ones as often as the great ones; each end now and then. */
        String draw(Random random) {
            long from = least * MILLIS.get(leastUnit);
            long to = most * MILLIS.get(mostUnit);
            long value = switch (random.nextInt(8)) {
                case 0 -> from;
                case 1 -> to;
                default ->
                    Math.clamp(
                            Math.round(
                                    Math.max(1, from) * Math.pow((double) to / Math.max(1, from), random.nextDouble())),
                            from,
                            to);
            };
            return value + (mostUnit.isEmpty() ? "" : "ms");
        }
    }

    /** Null when it is none that is allowed. */
    static @Nullable Range range(String allowed) {
        Matcher range = RANGE.matcher(allowed);
        return range.matches()
                ? new Range(
                        Long.parseLong(range.group(1)), range.group(2), Long.parseLong(range.group(3)), range.group(4))
                : null;
    }

    private final Path folder;

    /** @param folder empty, where files are made that samples name */
    public KeySamples(Path folder) throws IOException {
        this.folder = folder;
        for (String name : List.of("bin", "with space, and comma")) {
            Path bin = Files.createDirectories(folder.resolve(name));
            Path program = Files.createFile(bin.resolve("postgres"));
            Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwxr-xr-x"));
        }
        for (String name : List.of("secret", "with space, and comma/secret")) {
            Files.writeString(folder.resolve(name), "correct-horse-battery-staple\n");
        }
        Files.writeString(folder.resolve("users"), USERS);
    }

    public List<Sample> all() {
        List<Sample> samples = new ArrayList<>();
        Keys.all().forEach(key -> {
            Values values = values(key);
            values.good.forEach(value -> samples.add(sample(key, value, true)));
            values.bad.forEach(value -> samples.add(sample(key, value, false)));
        });
        return samples;
    }

    private static Sample sample(Key<?> key, String value, boolean good) {
        return new Sample(key.path(), key.variable(), key.kind().separator(), value, good);
    }

    private Values values(Key<?> key) {
        Kind<?> kind = key.kind();
        if (key.equals(Keys.BIN_DIR)) {
            return new Values(
                    List.of(folder + "/bin", folder + "/with space, and comma", folder + "/bin/../bin"),
                    List.of("bin", folder + "/none"));
        }
        if (kind.equals(Kind.CELL)) {
            return new Values(
                    List.of("c", "cell-1", "a1-b2", "a".repeat(30)),
                    List.of("1cell", "-a", "Cell", "cell_1", "cell.1", "a".repeat(31), "zelle-ä"));
        }
        if (kind.equals(Kind.HOST_NAME)) {
            return new Values(
                    List.of(
                            "localhost",
                            "cell-1",
                            "Cell-1.Rack2.example.com",
                            "10.0.0.1",
                            "fd00::1",
                            "::1",
                            "2001:db8::192.0.2.1",
                            LONG_LABEL,
                            "0.a"),
                    List.of(
                            "a b",
                            "-a",
                            "a-",
                            "a..b",
                            "a.",
                            "cell_1",
                            LONG_LABEL + "a",
                            "300.1.1.1",
                            "10.1",
                            "1.2.3.4.5",
                            "fd00::1::2",
                            ":::",
                            "[fd00::1]",
                            "fe80::1%eth0",
                            "a:80",
                            "ä"));
        }
        if (kind.equals(Kind.NAME)) {
            return new Values(
                    List.of("a", "7", "prod.db", "Prod_DB-2", "0123", "1.10", "a..b", LONG_LABEL),
                    List.of("a b", "a/b", ".a", "_a", "-a", LONG_LABEL + "a", "ä"));
        }
        if (kind.equals(Kind.CONNECT)) {
            return new Values(
                    List.of(
                            "zk-1:2181",
                            "zk-1:2181,10.0.0.2:2182,zk.example.com:1",
                            "[fd00::1]:2181,[::1]:65535",
                            "zk-1:2181/cellkeeper",
                            "zk-1:2181,zk-2:2181/a/b-c.d_e",
                            "zk-1:2181/"),
                    List.of(
                            "zk-1",
                            "zk-1:",
                            ":2181",
                            "zk-1:0",
                            "zk-1:65536",
                            "zk-1:x",
                            "fd00::1:2181",
                            "zk-1:2181,",
                            "zk-1:2181 zk-2:2181",
                            "zk-1:2181/a b",
                            "zk-1:2181//a",
                            "zk-1:2181/a/../b",
                            "zk-1:2181/a,zk-2:2181"));
        }
        if (kind.equals(Kind.DATA_DIR)) {
            String longest = "/" + "d".repeat(78);
            return new Values(
                    List.of("/var/lib/cell", "/d", "/A.b/c_d-e", "/d/", longest),
                    List.of("d", "./d", "/", "/a b", "/a,b", "/a\"b", "/ä", longest + "d"));
        }
        if (kind.equals(Kind.PATH)) {
            return new Values(
                    List.of("/transfer", "/with space, and comma", "/a/../b"), List.of("transfer", "./a", "~/a"));
        }
        if (key.equals(Keys.USERS)) {
            return new Values(List.of(folder + "/users"), List.of("users", folder + "/none", folder + "/secret"));
        }
        if (kind.equals(Kind.SECRET) || kind.equals(Kind.FILE)) {
            return new Values(
                    List.of(folder + "/secret", folder + "/with space, and comma/secret"),
                    List.of("secret", folder + "/none", folder.toString()));
        }
        if (kind.equals(Kind.CELLS)) {
            String all = java.util.stream.IntStream.rangeClosed(1, 255)
                    .mapToObj(n -> "c" + n + "=10.0.1." + n)
                    .collect(Collectors.joining(","));
            return new Values(
                    List.of(
                            "c=c",
                            "c=fd00::1",
                            "cell-1=10.0.0.1,cell-2=fd00::2",
                            "cell-1=cell-1,cell-2=10.0.0.2,cell-3=fd00::3",
                            all),
                    List.of("c", "c=", "C=c", "c=a_b", "c=c:2181", "a=x,a=y", "a=x,b=x", all + ",d=10.0.0.1"));
        }
        if (kind.equals(Kind.SETTINGS)) {
            return new Values(
                    List.of(
                            "work_mem=8MB",
                            "TimeZone=Europe/Berlin;DateStyle=ISO, DMY",
                            "auto_explain.log_min_duration=250",
                            "search_path=\"$user\", public"),
                    List.of(
                            "work mem=1",
                            "work-mem=1",
                            "work_mem=1;work_mem=2",
                            "TimeZone=UTC;timezone=UTC",
                            "a.b.c=1"));
        }
        if (kind.equals(Kind.NETWORKS)) {
            return new Values(
                    List.of("10.0.0.0/8", "0.0.0.0/0, ::/0", "192.0.2.1/32,fd00::/8", "2001:db8::1/128"),
                    List.of(
                            "10.0.0.0",
                            "10.0.0.0/33",
                            "fd00::/129",
                            "10.0.0/8",
                            "all",
                            "10.0.0.0/8 fd00::/8",
                            "10.0.0.0/8,"));
        }
        if (kind.equals(Kind.LINES)) {
            return new Values(
                    List.of("host all all 10.0.0.1/32 reject", "hostssl vcloud reader samenet scram-sha-256 # remark"),
                    List.of("host all all all reject\\"));
        }
        Range range = range(kind.allowed());
        if (range != null) {
            String least = range.least + range.leastUnit;
            String most = range.most + range.mostUnit;
            boolean duration = !range.mostUnit.isEmpty();
            return new Values(
                    List.of(least, most),
                    List.of(
                            range.least - 1 + range.leastUnit,
                            range.most + 1 + range.mostUnit,
                            duration ? String.valueOf(range.least) : least + "s",
                            duration ? least + "s" : "0x10",
                            "1.5" + range.leastUnit,
                            "many"));
        }
        if (kind.allowed().startsWith("one of ")) {
            List<String> words =
                    List.of(kind.allowed().substring("one of ".length()).split(", ", -1));
            return new Values(
                    words,
                    List.of("sometimes", words.getFirst().toUpperCase(java.util.Locale.ROOT), words.getFirst() + " "));
        }
        throw new AssertionError("there are no samples of " + key.path() + ", which is " + kind.allowed());
    }

    /** A configuration that is good, with this sample in it. */
    public CellConfig load(Sample sample, boolean inFile) throws IOException, InvalidConfiguration {
        Map<String, String> given = new TreeMap<>(Map.ofEntries(
                Map.entry("name", "self"),
                Map.entry("host", "10.9.0.1"),
                Map.entry("cluster.secret-file", folder + "/secret"),
                Map.entry("security.root-password-file", folder + "/secret"),
                Map.entry("security.vcloud-password-file", folder + "/secret"),
                Map.entry("postgres.bin-dir", folder + "/bin"),
                // So that no relation between keys refuses what each of them allows.
                Map.entry("timing.heartbeat", "50ms"),
                Map.entry("timing.silence", "1h"),
                Map.entry("timing.tick", "1h"),
                Map.entry("timing.haste", "1ms"),
                Map.entry("ports.postgres", "40001"),
                Map.entry("ports.api", "40002"),
                Map.entry("ports.link", "40003"),
                Map.entry("ports.zookeeper-client", "40004"),
                Map.entry("ports.zookeeper-quorum", "40005"),
                Map.entry("ports.zookeeper-election", "40006"),
                Map.entry("door.port", "40007")));
        if (!sample.path.startsWith("zookeeper.c")) {
            given.put("zookeeper.connect", "zk:2181");
        }
        if (List.of(
                        "security.ca-file",
                        "security.certificate-file",
                        "security.key-file",
                        "security.encryption",
                        "zookeeper.transport")
                .contains(sample.path)) {
            given.put("security.ca-file", folder + "/secret");
            given.put("security.certificate-file", folder + "/secret");
            given.put("security.key-file", folder + "/secret");
        } else {
            given.put("security.encryption", "off");
        }
        if (sample.path.startsWith("security.tls")) {
            given.put("security.tls-certificate-file", folder + "/secret");
            given.put("security.tls-key-file", folder + "/secret");
        }
        given.remove(sample.path);
        Map<String, String> environment = new LinkedHashMap<>();
        StringBuilder yaml = new StringBuilder();
        given.forEach((path, value) -> yaml.append(line(path, value)));
        if (!inFile) {
            environment.put(sample.variable, sample.value);
        } else if (sample.separator.isEmpty()) {
            yaml.append(line(sample.path, sample.value));
        } else {
            yaml.append(sample.path).append(":\n");
            for (String entry : sample.value.split(sample.separator.contains(",") ? "," : ";", -1)) {
                String[] words = entry.split("=", 2);
                yaml.append("  ").append(line(words[0], words.length > 1 ? words[1] : ""));
            }
        }
        Path file = Files.writeString(folder.resolve("cell.yaml"), yaml);
        return CellConfig.of(new Settings(file, environment), null, null);
    }

    /** As people write it: without quotes wherever YAML takes it so. */
    private static String line(String name, String value) {
        boolean plain = value.matches("[A-Za-z0-9/][A-Za-z0-9/._-]*");
        return name + ": " + (plain ? value : "'" + value.replace("'", "''") + "'") + "\n";
    }
}
