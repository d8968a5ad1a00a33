package org.cellkeeper.cell.real;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A lab of two cells, and the image's health check put to it, by a caller whose environment means something else by everything. */
@Tag("cells")
final class HostileEnvironmentIT {
    private static final String HOST = "127.0." + (Integer.getInteger("cellkeeper.lab.net", 7) + 100) + ".1";
    private static final long PATIENCE_SECONDS = 150;

    /** To where nobody listens. */
    private static final String PROXY = "http://127.0.0.1:9";

    private final Path build = Path.of(System.getProperty("cellkeeper.build.directory", "target"))
            .toAbsolutePath()
            .normalize();
    private final Path lab = build.resolve("lab-hostile");
    private final Path away = build.resolve("far from home");
    private final Path checkout = away.resolve("a checkout");

    @BeforeEach
    void makeIt() throws Exception {
        Files.createDirectories(away);
        Files.deleteIfExists(checkout);
        Files.createSymbolicLink(checkout, build.resolve("../..").normalize());
        Files.writeString(away.resolve(".curlrc"), "proxy = \"" + PROXY + "\"\nfail\n");
        run("scripts/lab", "down", "--destroy");
    }

    @AfterEach
    void takeItDown() throws Exception {
        run("scripts/lab", "down", "--destroy");
    }

    private Map<String, String> environment() {
        Map<String, String> all = new TreeMap<>(Map.of(
                "LAB_DIR", lab.toString(),
                "LAB_HOST_PREFIX", HOST,
                "LAB_BUILD", "never",
                "JAVA_HOME", System.getProperty("java.home"),
                "PATH", "/usr/bin:/bin",
                "CDPATH", "/:/usr",
                "TMPDIR", "/no such folder",
                "CURL_HOME", away.toString(),
                "POSIXLY_CORRECT", "1",
                "BASH_FUNC_curl%%", "() { false\n}"));
        for (String proxy : List.of("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY")) {
            all.put(proxy, PROXY);
        }
        all.putAll(Map.of(
                "LANG", "de_DE.UTF-8",
                "LC_ALL", "tr_TR.UTF-8",
                "PS_PERSONALITY", "bsd",
                "PS_FORMAT", "pid",
                "PGHOST", "nowhere",
                "PGSSLMODE", "verify-full",
                "PGOPTIONS", "-c nonsense=1"));
        all.putAll(Map.of(
                "CELL_NAME", "another",
                "CELL_PORTS_API", "1",
                "LAB_HOSTS", "127.9.9.",
                "JAVA_TOOL_OPTIONS",
                        "-Duser.language=ar -Duser.country=EG -Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=9",
                "JDK_JAVA_OPTIONS", "-Dhttps.nonProxyHosts=nothing"));
        return all;
    }

    private String run(String... words) throws Exception {
        return run(environment(), words);
    }

    /** With a narrow umask and without HOME; what it said, after its exit code. */
    private String run(Map<String, String> environment, String... words) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of("/bin/sh", "-c", "umask 077; exec \"$@\"", "sh"));
        command.addAll(List.of(words));
        Path said = Files.createTempFile(build, "hostile-", ".out");
        try {
            ProcessBuilder builder = new ProcessBuilder(command)
                    .directory(checkout.toFile())
                    .redirectErrorStream(true)
                    .redirectOutput(said.toFile());
            builder.environment().clear();
            builder.environment().putAll(environment);
            // Not what the JVM resolves, but the name with the blank.
            builder.environment().put("PWD", checkout.toString());
            Process process = builder.start();
            if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
                process.destroyForcibly();
                throw new AssertionError(String.join(" ", words) + " hangs: " + Files.readString(said));
            }
            String all = process.exitValue() + ": " + Files.readString(said).strip();
            System.out.println("  " + String.join(" ", words) + ": " + all);
            return all;
        } finally {
            Files.delete(said);
        }
    }

    @Test
    void theLabAndTheHealthCheckDoNotCareWhoCallsThem() throws Exception {
        assertThat(run("scripts/lab", "up", "--cells", "2")).startsWith("0: ").contains("cell-1 PRIMARY");
        assertThat(run("scripts/lab", "status")).startsWith("0: ").contains("cell-2", "STREAMING");

        Map<String, String> inContainer = environment();
        inContainer.put("CELL_DATA_DIR", lab + "/cell-1/data");
        assertThat(run(inContainer, "appliance-image/cell-health")).startsWith("0: ");
        inContainer.put("CELLCTL_PASSWORD_FILE", lab + "/root.password");
        inContainer.put("CELLKEEPER_JAR", lab + "/program/cell.jar");
        assertThat(run(inContainer, "scripts/cellctl", "check", "--writable")).startsWith("0: ");

        assertThat(run("scripts/lab", "kill", "primary")).startsWith("0: ");
        assertThat(run("scripts/lab", "start", "cell-1")).startsWith("0: ");
        assertThat(run("scripts/lab", "stop", "cell-1")).startsWith("0: ");
    }

    @Test
    void aFolderWhoseNameNoCellCanHaveIsRefusedAtOnce() throws Exception {
        Map<String, String> without = environment();
        without.put("LAB_DIR", away.resolve("lab").toString());
        assertThat(run(without, "scripts/lab", "up"))
                .startsWith("1: ")
                .contains("cells cannot live in", "LAB_DIR=/var/tmp/");
    }

    @Test
    void theFolderThatPostgresMayNotEnterIsNamed() throws Exception {
        if (!"root".equals(System.getProperty("user.name"))) {
            return;
        }
        Path closed = build.resolve("closed");
        Files.createDirectories(closed.resolve("lab"));
        Files.setPosixFilePermissions(closed, PosixFilePermissions.fromString("rwx------"));
        Map<String, String> within = environment();
        within.put("LAB_DIR", closed.resolve("lab").toString());
        assertThat(run(within, "scripts/lab", "up", "--cells", "1"))
                .startsWith("1: ")
                .contains("may not enter " + closed + ":");
    }
}
