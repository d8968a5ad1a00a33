package org.cellkeeper.cell.peer;

import java.io.ByteArrayInputStream;
import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.security.cert.X509Certificate;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSocket;
import org.cellkeeper.cell.trust.Credentials;
import org.cellkeeper.cell.trust.Identity;
import org.jspecify.annotations.Nullable;

/**
 * A connection as bytes, encrypted or not. Encrypted, both ends have shown a certificate that the other believes. How it ends is told alike
 * in both cases: by EOFException when the other end closed it, by SocketException when it was reset.
 */
final class Channel implements Closeable {
    /** The first byte of whoever speaks TLS. */
    private static final int TLS_HANDSHAKE = 22;

    /** Who speaks TLS speaks first, and at once; who does not, waits. */
    private static final int FIRST_WORD_MILLIS = 150;

    private final Socket connection;
    private final Socket talk;
    private final @Nullable String certified;

    private Channel(Socket connection, Socket talk, @Nullable String certified) {
        this.connection = connection;
        this.talk = talk;
        this.certified = certified;
    }

    /** On a connection that was made. */
    static Channel dialed(Socket connection, Credentials credentials, long deadlineNanos) throws IOException {
        if (!credentials.encryption().speaks()) {
            return new Channel(connection, connection, null);
        }
        SSLSocket tls = (SSLSocket) credentials
                .context()
                .getSocketFactory()
                .createSocket(connection, connection.getInetAddress().getHostAddress(), connection.getPort(), true);
        tls.setUseClientMode(true);
        return encrypted(connection, tls, deadlineNanos);
    }

    /** On a connection that was accepted. */
    static Channel accepted(Socket connection, Credentials credentials, long deadlineNanos) throws IOException {
        if (!credentials.encryption().accepts()) {
            return new Channel(connection, connection, null);
        }
        byte[] consumed = {};
        if (!credentials.encryption().demands()) {
            int first = firstByte(connection);
            if (first != TLS_HANDSHAKE) {
                if (first >= 0) {
                    throw new ProtocolViolation("not an agent");
                }
                return new Channel(connection, connection, null);
            }
            consumed = new byte[] {(byte) first};
        }
        SSLSocket tls = (SSLSocket) credentials
                .context()
                .getSocketFactory()
                .createSocket(connection, new ByteArrayInputStream(consumed), true);
        tls.setUseClientMode(false);
        tls.setNeedClientAuth(true);
        return encrypted(connection, tls, deadlineNanos);
    }

    /** -1 when nothing comes. */
    private static int firstByte(Socket connection) throws IOException {
        connection.setSoTimeout(FIRST_WORD_MILLIS);
        try {
            int first = connection.getInputStream().read();
            if (first < 0) {
                throw new EOFException("closed");
            }
            return first;
        } catch (SocketTimeoutException silent) {
            return -1;
        }
    }

    private static Channel encrypted(Socket connection, SSLSocket tls, long deadlineNanos) throws IOException {
        connection.setSoTimeout(millisUntil(deadlineNanos));
        try {
            tls.startHandshake();
            String name = Identity.nameOf((X509Certificate) tls.getSession().getPeerCertificates()[0]);
            if (name == null) {
                throw new ProtocolViolation("its certificate has no common name");
            }
            return new Channel(connection, tls, name);
        } catch (SSLPeerUnverifiedException none) {
            throw new ProtocolViolation("it has shown no certificate");
        } catch (IOException failure) {
            throw plain(failure);
        }
    }

    /** What it would have been without encryption. */
    private static IOException plain(IOException failure) {
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            if (cause instanceof EOFException
                    || cause instanceof SocketException
                    || cause instanceof SocketTimeoutException) {
                return (IOException) cause;
            }
        }
        return failure instanceof SSLException ? new ProtocolViolation("TLS: " + failure.getMessage()) : failure;
    }

    private static int millisUntil(long deadlineNanos) throws SocketTimeoutException {
        long leftMillis = (deadlineNanos - System.nanoTime()) / 1_000_000;
        if (leftMillis <= 0) {
            throw new SocketTimeoutException("silent");
        }
        return (int) Math.min(leftMillis, Integer.MAX_VALUE);
    }

    /** Refuses an other end that shows the certificate of somebody else. */
    void require(String name) throws ProtocolViolation {
        if (certified != null && !certified.equals(name)) {
            throw new ProtocolViolation("it shows the certificate of " + certified + ", and says that it is " + name);
        }
    }

    /** Reads so many bytes; the deadline holds for all of them together, however slowly they drip. */
    byte[] read(int length, long deadlineNanos) throws IOException {
        byte[] bytes = new byte[length];
        int have = 0;
        while (have < length) {
            connection.setSoTimeout(millisUntil(deadlineNanos));
            int count;
            try {
                count = talk.getInputStream().read(bytes, have, length - have);
            } catch (IOException failure) {
                throw plain(failure);
            }
            if (count < 0) {
                throw new EOFException("closed");
            }
            have += count;
        }
        return bytes;
    }

    void write(byte[] bytes) throws IOException {
        try {
            talk.getOutputStream().write(bytes);
        } catch (IOException failure) {
            throw plain(failure);
        }
    }

    /** At once: nobody is told, and nothing that waits for the network is waited for. */
    @Override
    public void close() throws IOException {
        connection.close();
    }
}
