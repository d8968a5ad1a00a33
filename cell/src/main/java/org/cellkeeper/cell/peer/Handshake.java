package org.cellkeeper.cell.peer;

import java.io.IOException;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.Arrays;
import org.cellkeeper.cell.model.CellName;

/**
 * How two agents make sure of each other: both prove that they know the cluster's secret by an HMAC over fresh
 * challenges and both names. The acceptor speaks first, so that a dialer that is refused late reads a reset. From the same
 * challenges both derive the keys of the session.
 *
 * <pre>
 * acceptor: magic, challenge
 * dialer:   challenge, length of name, name, proof
 * acceptor: proof
 * </pre>
 */
final class Handshake {
    private static final byte[] MAGIC = "CELLINK1".getBytes(StandardCharsets.US_ASCII);
    private static final int CHALLENGE = 32;
    private static final int LONGEST_NAME = 30;
    private static final String DIALER = "dialer";
    private static final String ACCEPTOR = "acceptor";
    private static final String VIEWS = "views";
    private static final String RECEIPTS = "receipts";

    private final CellName self;
    private final Secret secret;
    private final SecureRandom random = new SecureRandom();

    Handshake(CellName self, Secret secret) {
        this.self = self;
        this.secret = secret;
    }

    /** An accepted dialer that has proved itself and waits for our proof. */
    static final class Admitted {
        private final Session session;
        private final Socket socket;
        private final byte[] proof;

        private Admitted(Session session, Socket socket, byte[] proof) {
            this.session = session;
            this.socket = socket;
            this.proof = proof;
        }

        Session session() {
            return session;
        }

        void confirm() throws IOException {
            socket.getOutputStream().write(proof);
        }
    }

    Admitted accept(Socket socket, long deadlineNanos) throws IOException {
        byte[] ours = challenge();
        socket.getOutputStream().write(join(MAGIC, ours));
        byte[] theirs = Session.readFully(socket, CHALLENGE, deadlineNanos);
        int length = Session.readFully(socket, 1, deadlineNanos)[0];
        if (length < 1 || length > LONGEST_NAME) {
            throw new ProtocolViolation("not an agent");
        }
        byte[] name = Session.readFully(socket, length, deadlineNanos);
        byte[] proof = Session.readFully(socket, Secret.LENGTH, deadlineNanos);
        byte[] transcript = transcript(ours, theirs, name, bytes(self));
        if (!MessageDigest.isEqual(secret.sign(DIALER, transcript), proof)) {
            throw new ProtocolViolation("it does not know the cluster's secret, or takes this cell for another");
        }
        Session session = new Session(
                socket,
                new CellName(new String(name, StandardCharsets.US_ASCII)),
                secret.sessionMac(RECEIPTS, transcript),
                secret.sessionMac(VIEWS, transcript));
        return new Admitted(session, socket, secret.sign(ACCEPTOR, transcript));
    }

    Session dial(Socket socket, CellName expected, long deadlineNanos) throws IOException {
        byte[] hello = Session.readFully(socket, MAGIC.length + CHALLENGE, deadlineNanos);
        if (!Arrays.equals(hello, 0, MAGIC.length, MAGIC, 0, MAGIC.length)) {
            throw new ProtocolViolation("not an agent");
        }
        byte[] theirs = Arrays.copyOfRange(hello, MAGIC.length, hello.length);
        byte[] ours = challenge();
        byte[] name = bytes(self);
        byte[] transcript = transcript(theirs, ours, name, bytes(expected));
        socket.getOutputStream()
                .write(join(ours, new byte[] {(byte) name.length}, name, secret.sign(DIALER, transcript)));
        byte[] proof = Session.readFully(socket, Secret.LENGTH, deadlineNanos);
        if (!MessageDigest.isEqual(secret.sign(ACCEPTOR, transcript), proof)) {
            throw new ProtocolViolation("it does not know the cluster's secret");
        }
        return new Session(
                socket, expected, secret.sessionMac(VIEWS, transcript), secret.sessionMac(RECEIPTS, transcript));
    }

    private byte[] challenge() {
        byte[] bytes = new byte[CHALLENGE];
        random.nextBytes(bytes);
        return bytes;
    }

    private static byte[] transcript(byte[] acceptors, byte[] dialers, byte[] dialer, byte[] acceptor) {
        return join(
                MAGIC,
                acceptors,
                dialers,
                new byte[] {(byte) dialer.length},
                dialer,
                new byte[] {(byte) acceptor.length},
                acceptor);
    }

    private static byte[] bytes(CellName name) {
        return name.value().getBytes(StandardCharsets.US_ASCII);
    }

    private static byte[] join(byte[]... parts) {
        ByteBuffer all = ByteBuffer.allocate(
                Arrays.stream(parts).mapToInt(part -> part.length).sum());
        for (byte[] part : parts) {
            all.put(part);
        }
        return all.array();
    }
}
