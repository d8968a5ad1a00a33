package org.cellkeeper.cell.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.KeyPairGenerator;
import java.util.Base64;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/** What an agent would refuse, the check refuses, before anything runs with it. PostgreSQL is the real one. */
final class ConfigCheckIT {
    private static final int KEYTOOL_SECONDS = 60;

    @TempDir
    private Path folder;

    private final StringWriter err = new StringWriter();

    @Command(name = "cellkeeper")
    private static final class Root {}

    @BeforeEach
    void writeSecret() throws IOException {
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-xr-x"));
        Files.writeString(folder.resolve("secret"), "correct-horse-battery-staple");
    }

    private int check(String further) throws IOException {
        Path file = Files.writeString(folder.resolve("cell.yaml"), """
                name: cell-1
                host: 10.0.0.1
                data-dir: %1$s/data
                cluster.secret-file: %1$s/secret
                security.root-password-file: %1$s/secret
                security.vcloud-password-file: %1$s/secret
                security.encryption: off
                """.formatted(folder) + further);
        err.getBuffer().setLength(0);
        CommandLine root = OperatorCommands.under(new Root());
        root.setOut(new PrintWriter(new StringWriter()));
        root.setErr(new PrintWriter(err));
        int exit = root.execute("config", "check", "--config", file.toString());
        assertThat(folder.resolve("data")).doesNotExist();
        return exit;
    }

    private static String withSettings(String settings) {
        return "zookeeper.cells: {cell-1: 10.0.0.1}\npostgres.settings: {" + settings + "}\n";
    }

    @Test
    void settingsThatPostgresWouldNotRunWithAreNamedAllAtOnce() throws IOException {
        assertThat(
                        check(
                                withSettings(
                                        "work_mem: 8MB, hot_standby_feedback: on, shared_preload_libraries: '', TimeZone: Europe/Berlin")))
                .as(err.toString())
                .isZero();
        for (String setting : List.of(
                "work_mem: banana",
                "wal_sender_timeout: 5s",
                "shared_preload_libraries: not_there",
                "max_connections: 4")) {
            assertThat(check(withSettings(setting))).as(setting).isEqualTo(2);
            assertThat(err.toString()).contains("postgres.settings: has " + setting.replaceAll(":.*", ""));
        }
        assertThat(check(withSettings("work_mem: banana, fsync: off, no_such: 1")))
                .isEqualTo(2);
        assertThat(err.toString())
                .contains(
                        "work_mem = 'banana'", "allowed: a whole number, 64 to 2147483647", "has fsync", "has no_such");
    }

    @Test
    void aCertificateAndAKeyThatDoNotFitEachOtherAreRefused() throws Exception {
        String tls = """
                zookeeper.cells: {cell-1: 10.0.0.1}
                security.tls-certificate-file: %1$s/cell.pem
                security.tls-key-file: %1$s/cell.key
                """.formatted(folder);
        Path certificate = certificate();
        Path key = folder.resolve("cell.key");
        KeyPairGenerator keys = KeyPairGenerator.getInstance("EC");
        byte[] other = keys.generateKeyPair().getPrivate().getEncoded();
        Files.writeString(
                key,
                "-----BEGIN PRIVATE KEY-----\n" + Base64.getMimeEncoder().encodeToString(other)
                        + "\n-----END PRIVATE KEY-----\n");
        assertThat(check(tls)).isEqualTo(2);
        assertThat(err.toString())
                .contains("security.tls-certificate-file: the key is not that of the first certificate")
                .contains(certificate.toString(), key.toString());

        Files.writeString(certificate, "");
        assertThat(check(tls)).isEqualTo(2);
        assertThat(err.toString()).contains("there is no certificate in it");
    }

    private Path certificate() throws IOException, InterruptedException {
        Path certificate = folder.resolve("cell.pem");
        Path store = folder.resolve("store.p12");
        String keytool =
                Path.of(System.getProperty("java.home"), "bin", "keytool").toString();
        List<String> access = List.of("-keystore", store.toString(), "-storepass", "changeit", "-alias", "cell");
        run(keytool, access, "-genkeypair", "-keyalg", "EC", "-dname", "CN=cell-1");
        run(keytool, access, "-exportcert", "-rfc", "-file", certificate.toString());
        return certificate;
    }

    private static void run(String program, List<String> access, String... words)
            throws IOException, InterruptedException {
        List<String> command = new java.util.ArrayList<>(List.of(program));
        command.addAll(List.of(words));
        command.addAll(access);
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        assertThat(process.waitFor(KEYTOOL_SECONDS, java.util.concurrent.TimeUnit.SECONDS))
                .isTrue();
        assertThat(process.exitValue()).isZero();
    }

    @Test
    void namesWithDotsAndPathsOfZooKeeperAreGood() throws IOException {
        assertThat(check("zookeeper.connect: zk-1:2181,zk-2:2181/cellkeeper\ncluster.name: prod.db\n"))
                .as(err.toString())
                .isZero();
        assertThat(check("zookeeper.connect: zk-1:2181/a//b\n")).isEqualTo(2);
        assertThat(err.toString()).contains("zookeeper.connect: ");
    }
}
