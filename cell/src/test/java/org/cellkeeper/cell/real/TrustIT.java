package org.cellkeeper.cell.real;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.GeneralSecurityException;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import javax.net.ssl.SSLSocket;
import org.cellkeeper.cell.trust.Authority;
import org.cellkeeper.cell.trust.Identity;
import org.cellkeeper.cell.trust.Pem;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.extension.ExtendWith;

/** Certificates of three real cells are made, renewed and brought in while a client writes. */
@Tag("cells")
@ExtendWith(Labs.class)
final class TrustIT {
    private static final Duration SOON = Duration.ofSeconds(30);
    private static final Duration LONGEST_GAP = Duration.ofSeconds(1);
    private static final Duration SLOW_MACHINE = Duration.ofMillis(1200);
    private static final Duration LONGEST_GAP_OF_A_STEP = Duration.ofSeconds(2);
    private static final int API = 5480;
    private static final int LINK = 5481;
    private static final int ZOOKEEPER = 2181;
    private static final int ELECTION = 3888;

    private final RealCells cells;
    private final Path ca;

    TrustIT(RealCells cells) {
        this.cells = cells;
        this.ca = cells.folder().resolve("ca");
    }

    @BeforeEach
    void allCellsTakePart(TestInfo test) {
        System.out.println(test.getDisplayName());
        cells.restore(true);
    }

    @Test
    void certificatesAndThenTheirAuthorityAreRenewedUnderAWriter() throws Exception {
        cells.awaitHealth("HEALTHY", SOON);
        long epoch = cells.epoch();
        Map<String, Long> agents = new HashMap<>();
        cells.cells().forEach(cell -> agents.put(cell, cells.agent(cell)));
        Authority old = Authority.of(Files.readString(ca.resolve("ca.pem")), Files.readString(ca.resolve("ca.key")));
        Authority next = Authority.create("the next authority", Duration.ofDays(400));
        String oldCa = Pem.text(old.certificate());
        String nextCa = Pem.text(next.certificate());
        try (Writer writer = new Writer(cells)) {
            issue(old);
            awaitPresented(oldCa);
            replace(ca.resolve("ca.pem"), oldCa + nextCa);
            for (String cell : cells.cells()) {
                Patience.await(
                        cell + " believes both",
                        SOON,
                        () -> read(cells.folder().resolve(cell + "/data/tls/ca.pem"))
                                        .contains(nextCa.strip())
                                ? null
                                : "it does not");
            }
            issue(next);
            awaitPresented(oldCa + nextCa);
            replace(ca.resolve("ca.pem"), nextCa);
            replace(ca.resolve("ca.key"), Pem.text(next.key()));
            awaitPresented(nextCa);
            cells.awaitHealth("HEALTHY", SOON);
            assertThat(writer.longestGap()).isLessThan(LONGEST_GAP);
            System.out.println("  longest gap while certificates and authority were renewed: "
                    + writer.longestGap().toMillis() + " ms");
        }
        assertThat(cells.epoch()).as("no failover").isEqualTo(epoch);
        cells.cells()
                .forEach(cell ->
                        assertThat(cells.agent(cell)).as("agent of " + cell).isEqualTo(agents.get(cell)));
    }

    private void issue(Authority by) throws IOException {
        for (String cell : cells.cells()) {
            Authority.Issued issued = by.issue(cell, List.of(cells.host(cell)), Duration.ofDays(300));
            replace(ca.resolve(cell + ".key"), Pem.text(issued.key()));
            replace(ca.resolve(cell + ".pem"), Pem.text(issued.certificate()));
        }
    }

    private static void replace(Path file, String text) throws IOException {
        Path next = Files.writeString(file.resolveSibling(file.getFileName() + ".next"), text);
        Files.move(next, file, StandardCopyOption.ATOMIC_MOVE);
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Every port of every cell shows the certificate that is in the file now, to one who believes these. */
    private void awaitPresented(String authorities) {
        for (String cell : cells.cells()) {
            for (int port : List.of(API, LINK, ZOOKEEPER, ELECTION)) {
                Patience.await(cell + " shows its new certificate at port " + port, SOON, () -> {
                    try {
                        Identity own = Identity.of(
                                authorities, read(ca.resolve(cell + ".pem")), read(ca.resolve(cell + ".key")));
                        X509Certificate expected = Pem.certificates(own.chain()).getFirst();
                        X509Certificate shown = presented(cell, port, own);
                        return shown.equals(expected) ? null : "it shows " + shown.getSerialNumber();
                    } catch (IOException | GeneralSecurityException e) {
                        return e.toString();
                    }
                });
            }
        }
    }

    private X509Certificate presented(String cell, int port, Identity to) throws IOException {
        try (Socket plain = new Socket(cells.host(cell), port);
                SSLSocket tls =
                        (SSLSocket) to.context().getSocketFactory().createSocket(plain, cells.host(cell), port, true)) {
            tls.setSoTimeout(2000);
            tls.startHandshake();
            return (X509Certificate) tls.getSession().getPeerCertificates()[0];
        }
    }

    /** Back, and over again: the way of a cluster that was made without certificates. */
    @Test
    void aClusterThatIsNotEncryptedGoesOverCellAfterCellUnderAWriter() throws Exception {
        cells.awaitHealth("HEALTHY", SOON);
        cells.takePlaintext(true);
        restartAll("off");
        cells.awaitHealth("HEALTHY", Duration.ofSeconds(60));
        try (Writer writer = new Writer(cells)) {
            // A machine on which handing over as such takes longer than the bound cannot show that encryption adds
            // nothing to it.
            Duration usual = gapWhileRestarted(writer, cells.primary());
            System.out.println("  not encrypted, the primary: longest gap " + usual.toMillis() + " ms");
            Duration bound = usual.compareTo(SLOW_MACHINE) < 0 ? LONGEST_GAP_OF_A_STEP : usual.multipliedBy(3);
            for (String step : List.of("accepted", "preferred", "required")) {
                for (String cell : standbysFirst()) {
                    encrypt(cell, step);
                    Duration gap = gapWhileRestarted(writer, cell);
                    System.out.println("  " + step + ", " + cell + ": longest gap " + gap.toMillis() + " ms");
                    assertThat(gap).as(step + ": " + cell).isLessThan(bound);
                }
            }
            writer.awaitRow(SOON);
            cells.assertNothingLost(writer);
        }
    }

    private Duration gapWhileRestarted(Writer writer, String cell) {
        long begun = System.nanoTime();
        cells.stop(cell);
        cells.start(cell);
        cells.awaitHealth("HEALTHY", Duration.ofSeconds(60));
        return writer.longestGapSince(begun);
    }

    private void restartAll(String encryption) throws IOException {
        for (String cell : cells.cells()) {
            cells.stop(cell);
        }
        for (String cell : cells.cells()) {
            encrypt(cell, encryption);
            cells.start(cell);
        }
    }

    /** Whatever has failed, the tests after these meet the lab that they expect. */
    @AfterEach
    void restore() throws IOException {
        cells.takePlaintext(false);
        boolean all = true;
        for (String cell : cells.cells()) {
            String yaml = read(cells.folder().resolve(cell).resolve("cell.yaml"));
            all &= !yaml.contains("  encryption:") || yaml.contains("  encryption: required");
        }
        if (!all) {
            restartAll("required");
        }
    }

    private List<String> standbysFirst() {
        List<String> all = new ArrayList<>(cells.standbys());
        all.add(cells.primary());
        return all;
    }

    private void encrypt(String cell, String how) throws IOException {
        Path file = cells.folder().resolve(cell).resolve("cell.yaml");
        List<String> lines = new ArrayList<>(Files.readAllLines(file));
        lines.removeIf(line -> line.startsWith("  encryption:"));
        lines.add(lines.indexOf("security:") + 1, "  encryption: " + how);
        Files.write(file, lines);
    }
}
