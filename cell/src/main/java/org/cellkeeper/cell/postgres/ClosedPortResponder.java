package org.cellkeeper.cell.postgres;

import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import javax.net.ssl.SSLSocket;
import org.cellkeeper.cell.trust.Credentials;
import org.cellkeeper.cell.trust.Strangers;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Answers at PostgreSQL's port while PostgreSQL does not run, in its words: {@code cannot_connect_now}, as a PostgreSQL that
 * starts does. A client that names several hosts then goes on to the next one, also when something between the two takes every
 * connection, as Docker's proxy does for a published port: of one that is taken and closed without a word it would make an error. So it
 * does of one that is not encrypted when it wants that: here it is, with the cell's certificate.
 */
final class ClosedPortResponder implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ClosedPortResponder.class);

    private static final Duration PATIENCE = Duration.ofSeconds(2);
    private static final int AT_A_TIME = 32;

    // The codes that stand where a startup packet has the protocol's version.
    private static final int CANCEL = 80877102;
    private static final int WANTS_TLS = 80877103;
    private static final int WANTS_GSS = 80877104;
    /** PostgreSQL takes no longer startup packet. */
    private static final int LONGEST = 10_000;

    private final String host;
    private final int port;
    private final Credentials credentials;
    private final byte[] answer;
    private final Strangers<Socket> clients = new Strangers<>(AT_A_TIME, PATIENCE, ClosedPortResponder::leave);

    private @Nullable ServerSocket listening;

    ClosedPortResponder(String host, int port, Credentials credentials) {
        this.host = host;
        this.port = port;
        this.credentials = credentials;
        this.answer = fields(
                "SFATAL",
                "VFATAL",
                "C57P03",
                "MPostgreSQL of this cell does not run",
                "HGET /api/1.0.0/nodes, or \"cellctl status\", tells why. Name all cells in the connection string.");
    }

    private static byte[] fields(String... fields) {
        return (String.join("\0", fields) + "\0\0").getBytes(StandardCharsets.UTF_8);
    }

    /** Takes the port, if it is free. */
    synchronized void open() {
        if (listening != null) {
            return;
        }
        try {
            ServerSocket socket = new ServerSocket();
            try {
                socket.bind("*".equals(host) ? new InetSocketAddress(port) : new InetSocketAddress(host, port));
            } catch (IOException e) {
                socket.close();
                throw e;
            }
            listening = socket;
            Thread.ofVirtual().name("postgres-refusal").start(() -> accept(socket));
        } catch (IOException e) {
            LOG.debug("PostgreSQL's port cannot be held: {}", e.getMessage());
        }
    }

    /** Leaves the port to PostgreSQL: it is free when this returns. */
    @Override
    public synchronized void close() {
        if (listening != null) {
            close(listening);
        }
    }

    private synchronized void close(ServerSocket socket) {
        if (listening == socket) {
            listening = null;
        }
        try {
            socket.close();
        } catch (IOException e) {
            LOG.warn("PostgreSQL's port cannot be left: {}", e.getMessage());
        }
    }

    private void accept(ServerSocket socket) {
        try {
            while (true) {
                Socket client = socket.accept();
                clients.look();
                clients.add(client, client.getInetAddress());
                Thread.ofVirtual().start(() -> {
                    try {
                        refuse(client);
                    } finally {
                        clients.remove(client);
                    }
                });
            }
        } catch (IOException e) {
            // Closed, or no more can be taken: open() is asked for again soon.
            close(socket);
        }
    }

    private static void leave(Socket client) {
        try {
            client.close();
        } catch (IOException e) {
            LOG.debug("A client cannot be sent away: {}", e.getMessage());
        }
    }

    private void refuse(Socket client) {
        try (client) {
            client.setSoTimeout((int) PATIENCE.toMillis());
            DataInputStream in = new DataInputStream(client.getInputStream());
            DataOutputStream out = new DataOutputStream(client.getOutputStream());
            // Encryption is asked for twice at most: by GSS, then by TLS.
            SSLSocket encrypted = null;
            for (int asked = 0; asked < 3; asked++) {
                int length = in.readInt();
                int code = in.readInt();
                if (length < 8 || length > LONGEST || code == CANCEL) {
                    return;
                }
                if (code != WANTS_TLS && code != WANTS_GSS) {
                    // What is left unread would make the close take the answer back.
                    in.skipNBytes(length - 8L);
                    out.writeByte('E');
                    out.writeInt(answer.length + 4);
                    out.write(answer);
                    out.flush();
                    if (encrypted != null) {
                        encrypted.close();
                    }
                    return;
                }
                if (code == WANTS_TLS && credentials.encryption().accepts()) {
                    out.writeByte('S');
                    encrypted =
                            (SSLSocket) credentials.context().getSocketFactory().createSocket(client, null, true);
                    encrypted.setUseClientMode(false);
                    in = new DataInputStream(encrypted.getInputStream());
                    out = new DataOutputStream(new BufferedOutputStream(encrypted.getOutputStream()));
                    continue;
                }
                out.writeByte('N');
                out.flush();
            }
        } catch (IOException e) {
            // It went, or said nothing: it is told nothing.
        }
    }
}
