package org.cellkeeper.cell.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.cert.X509Certificate;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.cellkeeper.cell.model.DatabaseView;
import org.cellkeeper.cell.model.DatabaseView.Receiver;
import org.cellkeeper.cell.model.StreamName;
import org.cellkeeper.cell.model.SyncSetting;
import org.cellkeeper.cell.model.Upstream;
import org.cellkeeper.cell.port.PasswordThief;
import org.cellkeeper.cell.trust.Authority;
import org.cellkeeper.cell.trust.Certified;
import org.cellkeeper.cell.trust.Credentials;
import org.cellkeeper.cell.trust.Encryption;
import org.cellkeeper.cell.trust.Identity;
import org.cellkeeper.cell.trust.Pem;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** WAL goes between cells alone, each proven by its certificate, and nobody else reads or acknowledges it. */
final class EncryptedStreamsIT {
    private static final Duration SOON = Duration.ofSeconds(20);
    private static final long EPOCH = 1;
    private static final String MARK = "nobody-may-read-this";

    private final PostgresBench bench;
    private final List<Process> programs = new ArrayList<>();

    EncryptedStreamsIT() throws IOException {
        bench = new PostgresBench();
    }

    @AfterEach
    void close() {
        programs.forEach(Process::destroyForcibly);
        bench.close();
    }

    private DatabaseView look(String name) {
        return bench.get(bench.database(name).observe());
    }

    private void await(String name, Predicate<DatabaseView> condition, String what) {
        bench.awaitTrue(SOON, () -> condition.test(look(name)), what);
    }

    private void streams(String name) {
        await(
                name,
                view -> view.standby() != null && view.standby().receiver() == Receiver.STREAMING,
                name + " streams");
    }

    private String ask(String name, String sql) {
        try {
            return bench.ask(name, sql);
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    private void aPrimaryRuns() {
        bench.found("a");
        bench.get(bench.database("a").startPrimary());
        bench.get(bench.database("a").keepSlots(bench.id("a"), Set.of(bench.id("b"), bench.id("c"))));
    }

    private void follows(String name, Upstream upstream) {
        bench.get(bench.database(name).cloneFrom(upstream, bench.id(name), percent -> {}));
        bench.get(bench.database(name).startStandby(upstream, bench.id(name)));
        streams(name);
    }

    private void bAcknowledges() {
        bench.get(bench.database("a").applySync(SyncSetting.of(List.of(bench.id("b")), 1, EPOCH)));
    }

    private String nameOfB() {
        return new StreamName(bench.id("b"), EPOCH).toString();
    }

    private String slotOfB() {
        return bench.id("b").slotOn(bench.id("a"));
    }

    private Process receiveWal(String as, String slot) throws IOException {
        Process process = bench.receiveWal(bench.upstream("a", EPOCH), as, nameOfB(), "wal", slot);
        programs.add(process);
        return process;
    }

    private Path words(String as) {
        return bench.settings(as).runDir().resolve("wal/words");
    }

    // ---- who streams

    /** PostgreSQL counts by the name alone. */
    @ParameterizedTest
    @EnumSource(
            value = Encryption.class,
            names = {"PREFERRED", "REQUIRED"})
    void aVotersNameWithAnotherCellsCertificateDoesNotCountAndIsEnded(Encryption encryption) throws Exception {
        bench.reencrypt("a", Access.with(Certified.cells().credentials(encryption, "a")));
        aPrimaryRuns();
        bAcknowledges();
        Process impostor = receiveWal("c", slotOfB());
        bench.awaitTrue(
                SOON, () -> ask("a", "SELECT count(*) FROM pg_stat_replication").equals("1"), "it comes in");
        assertThat(look("a").primary().senders()).isEmpty();
        assertThat(impostor.waitFor(10, TimeUnit.SECONDS)).isTrue();
        assertThat(look("a").problem()).contains("under the name of b with the certificate /CN=c was ended");
        assertThat(bench.commit("a", 300)).isFalse();
    }

    @ParameterizedTest
    @EnumSource(
            value = Encryption.class,
            names = {"OFF", "REQUIRED"})
    void norDoesOneWithoutTheVotersSlot(Encryption encryption) throws Exception {
        for (String cell : List.of("a", "b")) {
            bench.reencrypt(cell, Access.with(Certified.cells().credentials(encryption, cell)));
        }
        aPrimaryRuns();
        bAcknowledges();
        Process impostor = receiveWal("b", null);
        bench.awaitTrue(
                SOON, () -> ask("a", "SELECT count(*) FROM pg_stat_replication").equals("1"), "it comes in");
        assertThat(look("a").primary().senders()).isEmpty();
        await("a", view -> view.problem().contains("under the name of b that does not hold its slot"), "it is told");
        assertThat(impostor.waitFor(10, TimeUnit.SECONDS)).isTrue();
    }

    @Test
    void theVoterItselfCounts() throws Exception {
        aPrimaryRuns();
        bAcknowledges();
        Process voter = receiveWal("b", slotOfB());
        await("a", view -> !view.primary().senders().isEmpty(), "it counts");
        assertThat(bench.commit("a", 10_000)).isTrue();
        bench.pass(300);
        await("a", view -> view.primary().senders().size() == 1, "it still does");
        assertThat(voter.isAlive()).isTrue();
        assertThat(look("a").problem()).doesNotContain("under the name of");
    }

    /** Whatever else the certificate of another authority says. */
    @Test
    void aCertificateOfAnotherAuthorityIsNoWayIn() throws Exception {
        aPrimaryRuns();
        Identity forged = Certified.strangers().identity("b");
        Identity believing = Certified.believing(Certified.cells().authority(), forged.chain(), forged.key());
        bench.reencrypt("b", Access.with(new Credentials(Encryption.REQUIRED, believing)));
        Process stranger = receiveWal("b", slotOfB());
        assertThat(stranger.waitFor(10, TimeUnit.SECONDS)).isTrue();
        assertThat(stranger.exitValue()).isNotZero();
        assertThat(words("b")).content().contains("unknown ca");
    }

    /** Nor is what answers with one at the primary's address believed. */
    @Test
    void noPrimaryIsBelievedThatShowsOne() throws Exception {
        Identity forged = Certified.strangers().identity("a");
        bench.reencrypt(
                "a",
                Access.with(new Credentials(
                        Encryption.REQUIRED,
                        Certified.believing(Certified.cells().authority(), forged.chain(), forged.key()))));
        aPrimaryRuns();
        assertThatThrownBy(() -> bench.get(
                        bench.database("b").cloneFrom(bench.upstream("a", EPOCH), bench.id("b"), percent -> {})))
                .hasMessageContaining("cannot ask a for a slot");
        Process believer = receiveWal("b", slotOfB());
        assertThat(believer.waitFor(10, TimeUnit.SECONDS)).isTrue();
        assertThat(words("b")).content().contains("certificate verify failed");
    }

    /** A good certificate for another host is not for this one. */
    @Test
    void norOneThatIsForAnotherHost() throws Exception {
        Authority.Issued issued = Certified.cells().authority().issue("a", List.of("192.0.2.7"), Duration.ofDays(1));
        bench.reencrypt(
                "a",
                Access.with(new Credentials(
                        Encryption.REQUIRED,
                        Certified.believing(
                                Certified.cells().authority(),
                                Pem.text(issued.certificate()),
                                Pem.text(issued.key())))));
        aPrimaryRuns();
        assertThatThrownBy(() -> bench.get(
                        bench.database("b").cloneFrom(bench.upstream("a", EPOCH), bench.id("b"), percent -> {})))
                .hasMessageContaining("cannot ask a for a slot");
        Process believer = receiveWal("b", slotOfB());
        assertThat(believer.waitFor(10, TimeUnit.SECONDS)).isTrue();
        assertThat(words("b")).content().contains("does not match host name");
    }

    /** Without encryption at the other end nobody says so much as a name. */
    @Test
    void whoAnswersInAPrimarysPlaceWithoutEncryptionIsToldNothing() throws Exception {
        aPrimaryRuns();
        follows("b", bench.upstream("a", EPOCH));
        try (PasswordThief thief = new PasswordThief()) {
            bench.get(bench.database("b")
                    .follow(new Upstream(bench.id("a"), EPOCH, PostgresBench.HOST, thief.port()), bench.id("b")));
            await("b", view -> view.problem().contains("cannot stream from a"), "it is refused");
            assertThat(thief.asked()).isZero();
            assertThat(thief.told()).isEmpty();
        }
    }

    // ---- what can be read

    @ParameterizedTest
    @EnumSource(
            value = Encryption.class,
            names = {"OFF", "REQUIRED"})
    void whatIsWrittenAndClonedIsReadableWhereNothingIsEncryptedAlone(Encryption encryption) throws Exception {
        for (String cell : List.of("a", "b")) {
            bench.reencrypt(cell, Access.with(Certified.cells().credentials(encryption, cell)));
        }
        aPrimaryRuns();
        bench.execute("a", "CREATE TABLE secrets AS SELECT '" + MARK + "-cloned' AS words");
        try (Wiretap tap = new Wiretap(bench.settings("a").port())) {
            follows("b", new Upstream(bench.id("a"), EPOCH, PostgresBench.HOST, tap.port()));
            bench.execute("a", "INSERT INTO secrets VALUES ('" + MARK + "-streamed')");
            bench.awaitTrue(SOON, () -> ask("b", "SELECT count(*) FROM secrets").equals("2"), "it is there");
            assertThat(tap.size()).isGreaterThan(1 << 20);
            assertThat(tap.heard(MARK + "-cloned")).isEqualTo(encryption == Encryption.OFF);
            assertThat(tap.heard(MARK + "-streamed")).isEqualTo(encryption == Encryption.OFF);
            assertThat(tap.heard(PostgresSettings.REPLICATION_ROLE)).isEqualTo(encryption == Encryption.OFF);
        }
    }

    // ---- clients

    private String psql(String sslMode, String... cells) throws Exception {
        StringBuilder hosts = new StringBuilder();
        for (String cell : cells) {
            hosts.append(hosts.isEmpty() ? "" : ",")
                    .append(PostgresBench.HOST + ":" + bench.settings(cell).port());
        }
        Path authorities = Files.createTempFile("ca", ".pem");
        try {
            Files.writeString(
                    authorities, Pem.text(Certified.cells().authority().certificate()));
            ProcessBuilder builder = new ProcessBuilder(
                            PostgresBench.binDir().resolve("psql").toString(),
                            "--no-psqlrc",
                            "--tuples-only",
                            "--no-align",
                            "--command=SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
                            "postgresql://vcloud@" + hosts
                                    + "/vcloud?target_session_attrs=read-write&connect_timeout=2&sslmode=" + sslMode
                                    + "&sslrootcert=" + authorities)
                    .redirectErrorStream(true);
            builder.environment().put("PGPASSWORD", PostgresBench.PASSWORDS.application());
            Process psql = builder.start();
            programs.add(psql);
            String words = new String(psql.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
            assertThat(psql.waitFor(10, TimeUnit.SECONDS)).isTrue();
            return words.strip();
        } finally {
            Files.delete(authorities);
        }
    }

    /** Else a client that insists on encryption would end its search at a cell whose PostgreSQL does not run. */
    @ParameterizedTest
    @org.junit.jupiter.params.provider.ValueSource(strings = {"verify-full", "prefer"})
    void aClientPassesByACellWhosePostgresDoesNotRun(String sslMode) throws Exception {
        aPrimaryRuns();
        bench.get(bench.database("b").stopImmediate());
        assertThat(psql(sslMode, "b")).contains("PostgreSQL of this cell does not run");
        assertThat(psql(sslMode, "b", "a")).isEqualTo("t");
    }

    // ---- going over, and renewing

    /** As a cluster does: each step at both cells before the next, and nothing is restarted. */
    @Test
    void aRunningPairGoesOverStepByStep() throws Exception {
        for (String cell : List.of("a", "b")) {
            bench.reencrypt(cell, Access.with(Certified.cells().credentials(Encryption.OFF, cell)));
        }
        aPrimaryRuns();
        follows("b", bench.upstream("a", EPOCH));
        bAcknowledges();
        long primary = bench.postmasterPid("a");
        long standby = bench.postmasterPid("b");
        for (Encryption step : List.of(Encryption.ACCEPTED, Encryption.PREFERRED, Encryption.REQUIRED)) {
            for (String cell : List.of("b", "a")) {
                bench.reencrypt(cell, Access.with(Certified.cells().credentials(step, cell)));
                bench.awaitTrue(
                        SOON,
                        () -> Files.exists(bench.settings(cell).runDir().resolve("cell.pem")),
                        "it has its files");
                streams("b");
                assertThat(bench.commit("a", 10_000)).as(cell + " " + step).isTrue();
            }
            String encrypted = step.speaks() ? "true" : "false";
            bench.awaitTrue(
                    SOON,
                    () -> encrypted.equals(ask(
                            "a",
                            "SELECT bool_and(ssl)::text FROM pg_stat_replication JOIN" + " pg_stat_ssl USING (pid)")),
                    "encrypted: " + encrypted);
        }
        assertThat(ask("a", "SELECT client_dn FROM pg_stat_replication JOIN pg_stat_ssl USING (pid)"))
                .isEqualTo("/CN=b");
        assertThat(bench.settings("b").passFile()).doesNotExist();
        assertThat(bench.postmasterPid("a")).isEqualTo(primary);
        assertThat(bench.postmasterPid("b")).isEqualTo(standby);
    }

    /** Who the server says that it is, to a session that is opened now. */
    private String shownBy(String cell) {
        try (Connection session = bench.client(cell);
                Statement statement = session.createStatement()) {
            statement.execute("SELECT 1");
            return serialOf(bench, cell);
        } catch (SQLException | IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private static String serialOf(PostgresBench bench, String cell) throws IOException {
        Seen seen = Seen.at(PostgresBench.HOST, bench.settings(cell).port());
        return seen.certificate().getSerialNumber().toString();
    }

    /** The certificate that a PostgreSQL shows. */
    private record Seen(X509Certificate certificate) {
        static Seen at(String host, int port) throws IOException {
            try (java.net.Socket socket = new java.net.Socket(host, port)) {
                socket.getOutputStream().write(new byte[] {0, 0, 0, 8, 4, (byte) 0xd2, 0x16, 0x2f});
                if (socket.getInputStream().read() != 'S') {
                    throw new IOException("no TLS");
                }
                javax.net.ssl.SSLSocket tls =
                        (javax.net.ssl.SSLSocket) trusting().getSocketFactory().createSocket(socket, host, port, true);
                tls.startHandshake();
                return new Seen((X509Certificate) tls.getSession().getPeerCertificates()[0]);
            }
        }

        private static javax.net.ssl.SSLContext trusting() {
            try {
                javax.net.ssl.SSLContext context = javax.net.ssl.SSLContext.getInstance("TLSv1.3");
                context.init(null, new javax.net.ssl.TrustManager[] {new Anybody()}, null);
                return context;
            } catch (java.security.GeneralSecurityException e) {
                throw new IllegalStateException(e);
            }
        }
    }

    private static final class Anybody implements javax.net.ssl.X509TrustManager {
        @Override
        public void checkClientTrusted(X509Certificate[] chain, String how) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String how) {}

        @Override
        public X509Certificate[] getAcceptedIssuers() {
            return new X509Certificate[0];
        }
    }

    private static Identity issued(Authority by, String cell, Authority... believed) throws Exception {
        Authority.Issued issued = by.issue(cell, List.of(PostgresBench.HOST), Duration.ofDays(1));
        StringBuilder all = new StringBuilder();
        for (Authority each : believed) {
            all.append(Pem.text(each.certificate()));
        }
        return Identity.of(all.toString(), Pem.text(issued.certificate()), Pem.text(issued.key()));
    }

    /** New ones by the old authority, then both authorities, certificates of the new one, and that one alone. */
    @Test
    void certificatesAndTheirAuthorityAreRenewedUnderARunningStream() throws Exception {
        Authority old = Certified.cells().authority();
        Authority next = Authority.create("the next one", Duration.ofDays(1));
        Map<String, Credentials> credentials = Map.of(
                "a", new Credentials(Encryption.REQUIRED, issued(old, "a", old)),
                "b", new Credentials(Encryption.REQUIRED, issued(old, "b", old)));
        for (String cell : List.of("a", "b")) {
            bench.reencrypt(cell, Access.with(credentials.get(cell)));
        }
        aPrimaryRuns();
        follows("b", bench.upstream("a", EPOCH));
        bAcknowledges();
        long primary = bench.postmasterPid("a");
        String stream = ask("a", "SELECT pid FROM pg_stat_replication");
        for (Authority[] step : new Authority[][] {{old, old}, {old, old, next}, {next, old, next}, {next, next}}) {
            Authority[] believed = java.util.Arrays.copyOfRange(step, 1, step.length);
            for (String cell : List.of("b", "a")) {
                Identity renewed = issued(step[0], cell, believed);
                credentials.get(cell).renew(renewed);
                String serial = Pem.certificates(renewed.chain())
                        .getFirst()
                        .getSerialNumber()
                        .toString();
                bench.awaitTrue(SOON, () -> shownBy(cell).equals(serial), cell + " shows the new one");
                assertThat(bench.commit("a", 10_000)).isTrue();
            }
            assertThat(look("a").problem()).isEmpty();
            assertThat(look("b").problem()).isEmpty();
        }
        assertThat(ask("a", "SELECT pid FROM pg_stat_replication")).isEqualTo(stream);
        // A stream that comes anew comes with what there is now.
        bench.get(bench.database("a").terminateOldSenders());
        bench.execute("a", "SELECT pg_terminate_backend(pid) FROM pg_stat_replication");
        await("a", view -> !view.primary().senders().isEmpty(), "it is back");
        assertThat(bench.commit("a", 10_000)).isTrue();
        assertThat(bench.postmasterPid("a")).isEqualTo(primary);
        // Who is known by the old authority alone is not let in any more.
        bench.reencrypt("c", Access.with(new Credentials(Encryption.REQUIRED, issued(old, "c", old, next))));
        Process late = bench.receiveWal(bench.upstream("a", EPOCH), "c", "late", "wal", null);
        programs.add(late);
        assertThat(late.waitFor(10, TimeUnit.SECONDS)).isTrue();
        assertThat(words("c")).content().contains("unknown ca");
    }

    /** Else the next start would fail. */
    @Test
    void filesThatSomebodyHasChangedAreTheCellsAgain() throws Exception {
        aPrimaryRuns();
        for (String name : List.of("cell.pem", "ca.pem")) {
            Path file = bench.settings("a").runDir().resolve(name);
            String before = Files.readString(file);
            Files.writeString(file, "nothing");
            await("a", view -> view.problem().contains(name + " had been changed"), "it is told");
            assertThat(Files.readString(file)).isEqualTo(before);
        }
        Path key = bench.settings("a").runDir().resolve("cell.pem");
        Files.setPosixFilePermissions(key, PosixFilePermissions.fromString("rw-r--r--"));
        await("a", view -> !Files.exists(key) || isPrivate(key), "nobody else may read it");
        bench.client("a").close();
        bench.get(bench.database("a").stopFast(10_000));
        bench.get(bench.database("a").startPrimary());
        bench.client("a").close();
    }

    private static boolean isPrivate(Path file) {
        FileStamp stamp = FileStamp.of(file);
        return stamp != null && stamp.isPrivate();
    }

    /** As one does that was down while its certificate was renewed. */
    @Test
    void anAgentThatStartsWithAnotherCertificateHasPostgresShowIt() throws Exception {
        aPrimaryRuns();
        Identity renewed =
                issued(Certified.cells().authority(), "a", Certified.cells().authority());
        bench.reencrypt("a", Access.with(new Credentials(Encryption.REQUIRED, renewed)));
        String serial =
                Pem.certificates(renewed.chain()).getFirst().getSerialNumber().toString();
        bench.awaitTrue(SOON, () -> shownBy("a").equals(serial), "it is shown");
        assertThat(look("a").problem()).isEmpty();
    }
}
