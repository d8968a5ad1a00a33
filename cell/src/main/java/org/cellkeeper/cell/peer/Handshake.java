package org.cellkeeper.cell.peer;

import java.io.EOFException;
import java.io.IOException;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;
import org.cellkeeper.cell.model.CellName;

/**
 * How two agents make sure of each other: both prove that they know the cluster's secret by an HMAC over fresh
 * challenges and both names, and over an encrypted channel each shows the certificate of the name that it bears. The acceptor speaks
 * first, so that a dialer that is refused late reads a reset. Of several secrets the dialer proves one, and the acceptor finds which. From the same challenges both derive the keys of the session.
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
    private final Supplier<List<Secret>> secrets;
    private final SecureRandom random = new SecureRandom();

    /** @param secrets those that are believed at present, the one that is proven first */
    Handshake(CellName self, Supplier<List<Secret>> secrets) {
        this.self = self;
        this.secrets = secrets;
    }

    Handshake(CellName self, Secret secret) {
        this(self, () -> List.of(secret));
    }

    /** An accepted dialer that has proved itself and waits for our proof. */
    static final class Admitted {
        private final Session session;
        private final Channel channel;
        private final byte[] proof;

        private Admitted(Session session, Channel channel, byte[] proof) {
            this.session = session;
            this.channel = channel;
            this.proof = proof;
        }

        Session session() {
            return session;
        }

        void confirm() throws IOException {
            channel.write(proof);
        }
    }

    Admitted accept(Channel channel, long deadlineNanos) throws IOException {
        byte[] ours = challenge();
        channel.write(join(MAGIC, ours));
        byte[] theirs = channel.read(CHALLENGE, deadlineNanos);
        int length = channel.read(1, deadlineNanos)[0];
        if (length < 1 || length > LONGEST_NAME) {
            throw new ProtocolViolation("not an agent");
        }
        byte[] name = channel.read(length, deadlineNanos);
        channel.require(new String(name, StandardCharsets.US_ASCII));
        byte[] proof = channel.read(Secret.LENGTH, deadlineNanos);
        byte[] transcript = transcript(ours, theirs, name, bytes(self));
        CellName dialer = name(name);
        Secret secret = null;
        for (Secret each : secrets.get()) {
            if (MessageDigest.isEqual(each.sign(DIALER, transcript), proof)) {
                secret = each;
            }
        }
        if (secret == null) {
            throw new UnknownSecret(dialer);
        }
        Session session = new Session(
                channel, dialer, secret, secret.sessionMac(RECEIPTS, transcript), secret.sessionMac(VIEWS, transcript));
        return new Admitted(session, channel, secret.sign(ACCEPTOR, transcript));
    }

    /** By the first of the secrets. */
    Session dial(Channel channel, CellName expected, long deadlineNanos) throws IOException {
        return dial(channel, expected, secrets.get().getFirst(), deadlineNanos);
    }

    /** By one of the secrets. */
    Session dial(Channel channel, CellName expected, Secret secret, long deadlineNanos) throws IOException {
        channel.require(expected.value());
        byte[] hello = channel.read(MAGIC.length + CHALLENGE, deadlineNanos);
        if (!Arrays.equals(hello, 0, MAGIC.length, MAGIC, 0, MAGIC.length)) {
            throw new ProtocolViolation("not an agent");
        }
        byte[] theirs = Arrays.copyOfRange(hello, MAGIC.length, hello.length);
        byte[] ours = challenge();
        byte[] name = bytes(self);
        byte[] transcript = transcript(theirs, ours, name, bytes(expected));
        channel.write(join(ours, new byte[] {(byte) name.length}, name, secret.sign(DIALER, transcript)));
        byte[] proof;
        try {
            proof = channel.read(Secret.LENGTH, deadlineNanos);
        } catch (EOFException | SocketException end) {
            throw new NotBelieved(end);
        }
        if (!MessageDigest.isEqual(secret.sign(ACCEPTOR, transcript), proof)) {
            throw new ProtocolViolation("it does not know the cluster's secret");
        }
        return new Session(
                channel,
                expected,
                secret,
                secret.sessionMac(VIEWS, transcript),
                secret.sessionMac(RECEIPTS, transcript));
    }

    private static CellName name(byte[] name) throws ProtocolViolation {
        try {
            return new CellName(new String(name, StandardCharsets.US_ASCII));
        } catch (IllegalArgumentException none) {
            throw new ProtocolViolation("not an agent");
        }
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
