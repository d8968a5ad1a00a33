package org.cellkeeper.cell.peer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.CellState;
import org.cellkeeper.cell.model.Incarnation;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.PeerView;
import org.cellkeeper.cell.port.Peers.Event;
import org.cellkeeper.cell.trust.Authority;
import org.cellkeeper.cell.trust.Certified;
import org.cellkeeper.cell.trust.Credentials;
import org.cellkeeper.cell.trust.Encryption;
import org.cellkeeper.cell.trust.Identity;
import org.cellkeeper.cell.trust.Pem;
import org.cellkeeper.cell.trust.Secrets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Whom the links let in by certificate, and what can be read of them on the way. */
final class EncryptedLinksTest {
    private static final InetAddress LOOPBACK = InetAddress.getLoopbackAddress();
    private static final byte[] SECRET = "a secret of the cluster".getBytes(StandardCharsets.UTF_8);
    private static final CellName A = new CellName("cell-a");
    private static final CellName B = new CellName("cell-b");
    private static final Duration SOON = Duration.ofSeconds(5);

    private static TcpPeers agent(CellName name, Credentials credentials) throws IOException {
        return new TcpPeers(name, new InetSocketAddress(LOOPBACK, 0), Secrets.of(SECRET), credentials);
    }

    private static Credentials of(CellName cell, Encryption encryption) {
        return Certified.cells().credentials(encryption, cell.value());
    }

    private static Address at(int port) {
        return new Address("127.0.0.1", 0, 0, port);
    }

    private static PeerView view(CellName of) {
        CellId id = new CellId(of, new Incarnation("0123abcd"));
        Lsn lsn = Lsn.parse("0/3000060");
        return new PeerView(
                id,
                7,
                3,
                CellState.STREAMING,
                PeerView.Health.OK,
                12,
                "",
                id,
                7,
                lsn,
                null,
                1,
                -1,
                100,
                true,
                "",
                false,
                PeerView.Trouble.NONE,
                lsn,
                PeerView.Doors.OPEN);
    }

    private static long deadline() {
        return System.nanoTime() + TimeUnit.SECONDS.toNanos(2);
    }

    /** As an agent of this name that shows this. */
    private static Session dial(CellName as, Credentials showing, TcpPeers to, CellName of) throws IOException {
        Channel channel = Channel.dialed(new Socket(LOOPBACK, to.port()), showing, deadline());
        return new Handshake(as, new Secret(SECRET)).dial(channel, of, deadline());
    }

    private static boolean hears(TcpPeers listener, List<Event> heard, TcpPeers speaker, CellName from)
            throws InterruptedException {
        listener.listen(heard::add);
        speaker.publish(view(from));
        long end = System.nanoTime() + SOON.toNanos();
        while (System.nanoTime() < end) {
            if (heard.contains(new Event.Heard(view(from)))) {
                return true;
            }
            TimeUnit.MILLISECONDS.sleep(5);
        }
        return false;
    }

    /** Each step of a cluster that goes over beside the one before it, both ways. */
    @ParameterizedTest
    @CsvSource({
        "OFF, ACCEPTED",
        "ACCEPTED, ACCEPTED",
        "ACCEPTED, PREFERRED",
        "PREFERRED, PREFERRED",
        "PREFERRED, REQUIRED"
    })
    void neighbouringStepsHearEachOther(Encryption one, Encryption next) throws Exception {
        try (TcpPeers a = agent(A, of(A, one));
                TcpPeers b = agent(B, of(B, next))) {
            a.connectTo(Map.of(B, at(b.port())));
            b.connectTo(Map.of(A, at(a.port())));
            assertThat(hears(b, new CopyOnWriteArrayList<>(), a, A)).isTrue();
            assertThat(hears(a, new CopyOnWriteArrayList<>(), b, B)).isTrue();
        }
    }

    @Test
    void whoDoesNotEncryptIsRefusedWhereItIsRequired() throws Exception {
        try (TcpPeers b = agent(B, of(B, Encryption.REQUIRED))) {
            assertThatThrownBy(() -> dial(A, Credentials.none(), b, B)).isInstanceOf(IOException.class);
        }
    }

    @Test
    void theCertificateOfAnotherClusterIsRefused() throws Exception {
        Authority.Issued foreign =
                Certified.strangers().authority().issue(A.value(), List.of("127.0.0.1"), Duration.ofDays(1));
        Identity shown = Certified.believing(
                Certified.cells().authority(), Pem.text(foreign.certificate()), Pem.text(foreign.key()));
        try (TcpPeers b = agent(B, of(B, Encryption.REQUIRED))) {
            assertThatThrownBy(() -> dial(A, new Credentials(Encryption.REQUIRED, shown), b, B))
                    .isInstanceOf(IOException.class);
        }
    }

    @Test
    void whoListensWithTheCertificateOfAnotherClusterIsToldNothing() throws Exception {
        Identity foreign = Certified.strangers().identity(B.value());
        try (TcpPeers b = agent(B, new Credentials(Encryption.REQUIRED, foreign))) {
            assertThatThrownBy(() -> dial(A, of(A, Encryption.REQUIRED), b, B))
                    .isInstanceOf(ProtocolViolation.class)
                    .hasMessageContaining("certif");
        }
    }

    @Test
    void aCertificateSpeaksForItsOwnNameAlone() throws Exception {
        CellName thief = new CellName("cell-c");
        try (TcpPeers b = agent(B, of(B, Encryption.REQUIRED))) {
            assertThatThrownBy(() -> dial(A, of(thief, Encryption.REQUIRED), b, B))
                    .as("cell-c's certificate says that it is cell-a")
                    .isInstanceOf(IOException.class);
            assertThatThrownBy(() -> dial(A, of(A, Encryption.REQUIRED), b, thief))
                    .as("cell-b answers at the address of cell-c")
                    .isInstanceOf(ProtocolViolation.class)
                    .hasMessage("it shows the certificate of cell-b, and says that it is cell-c");
            dial(thief, of(thief, Encryption.REQUIRED), b, B).close();
        }
    }

    @Test
    void nothingCanBeReadOnTheWay() throws Exception {
        StringBuilder seen = new StringBuilder();
        try (TcpPeers a = agent(A, of(A, Encryption.REQUIRED));
                TcpPeers b = agent(B, of(B, Encryption.REQUIRED));
                Relay relay = new Relay(b.port())) {
            relay.alter(chunk -> {
                seen.append(new String(chunk, StandardCharsets.ISO_8859_1));
                return chunk;
            });
            a.connectTo(Map.of(B, at(relay.port())));
            b.connectTo(Map.of(A, at(a.port())));
            assertThat(hears(b, new CopyOnWriteArrayList<>(), a, A)).isTrue();
        }
        assertThat(seen).isNotEmpty();
        assertThat(seen.toString())
                .doesNotContain("epoch")
                .doesNotContain(A.value())
                .doesNotContain("cell");
    }

    /** Two authorities at a time, then the new one alone. */
    @Test
    void certificatesAndAuthoritiesAreReplacedWhileAgentsRun() throws Exception {
        Authority before = Certified.cells().authority();
        Authority after = Certified.strangers().authority();
        Credentials ofA = of(A, Encryption.REQUIRED);
        Credentials ofB = new Credentials(Encryption.REQUIRED, Certified.cells().identity(B.value()));
        String both = Pem.text(before.certificate()) + Pem.text(after.certificate());
        try (TcpPeers b = agent(B, ofB)) {
            dial(A, ofA, b, B).close();
            ofB.renew(Identity.of(both, ofB.identity().chain(), ofB.identity().key()));
            Identity renewed = Certified.strangers().identity(A.value());
            Credentials newOfA =
                    new Credentials(Encryption.REQUIRED, Identity.of(both, renewed.chain(), renewed.key()));
            dial(A, newOfA, b, B).close();
            dial(A, ofA, b, B).close();
            ofB.renew(Certified.strangers().identity(B.value()));
            dial(A, newOfA, b, B).close();
            assertThatThrownBy(() -> dial(A, ofA, b, B))
                    .as("the old authority is believed no more")
                    .isInstanceOf(IOException.class);
        }
    }
}
