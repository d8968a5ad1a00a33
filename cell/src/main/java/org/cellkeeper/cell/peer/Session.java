package org.cellkeeper.cell.peer;

import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import javax.crypto.Mac;
import org.cellkeeper.cell.model.CellName;

/**
 * One authenticated connection. Every frame is {@code length, sequence number, payload, HMAC}, and must be the next one of
 * its direction, so that nobody without the session's key can add, repeat, leave out or reorder any. One thread
 * sends and one thread receives; {@link #close} and the questions may come from any. It never retries anything.
 */
final class Session implements Closeable {
    /** The longest frame, with everything. */
    static final int MAX_FRAME = 64 * 1024;

    private static final int HEAD = Integer.BYTES + Long.BYTES;
    static final int MAX_PAYLOAD = MAX_FRAME - HEAD - Secret.LENGTH;

    private final Socket socket;
    private final CellName peer;
    private final Mac sending;
    private final Mac receiving;
    private long sent;
    private long received;
    private volatile long writingSince;
    private volatile boolean writing;
    private volatile boolean dropped;

    Session(Socket socket, CellName peer, Mac sending, Mac receiving) {
        this.socket = socket;
        this.peer = peer;
        this.sending = sending;
        this.receiving = receiving;
    }

    /** Who is at the other end. */
    CellName peer() {
        return peer;
    }

    void send(byte[] payload) throws IOException {
        if (payload.length > MAX_PAYLOAD) {
            throw new IllegalArgumentException("a payload of " + payload.length + " bytes");
        }
        ByteBuffer frame = ByteBuffer.allocate(HEAD + payload.length + Secret.LENGTH);
        frame.putInt(payload.length).putLong(sent).put(payload);
        sending.update(frame.array(), 0, HEAD + payload.length);
        frame.put(sending.doFinal());
        sent++;
        writingSince = System.nanoTime();
        writing = true;
        try {
            socket.getOutputStream().write(frame.array());
        } finally {
            writing = false;
        }
    }

    /** The next frame's payload, which must be complete by the deadline. */
    byte[] receive(long deadlineNanos) throws IOException {
        byte[] head = readFully(socket, HEAD, deadlineNanos);
        ByteBuffer fields = ByteBuffer.wrap(head);
        int length = fields.getInt();
        if (length < 0 || length > MAX_PAYLOAD) {
            throw new ProtocolViolation("a frame of " + length + " bytes");
        }
        long number = fields.getLong();
        if (number != received) {
            throw new ProtocolViolation("frame " + number + " instead of " + received);
        }
        byte[] body = readFully(socket, length + Secret.LENGTH, deadlineNanos);
        receiving.update(head);
        receiving.update(body, 0, length);
        byte[] expected = receiving.doFinal();
        byte[] payload = new byte[length];
        byte[] given = new byte[Secret.LENGTH];
        ByteBuffer.wrap(body).get(payload).get(given);
        if (!MessageDigest.isEqual(expected, given)) {
            throw new ProtocolViolation("a frame that is not authentic");
        }
        received++;
        return payload;
    }

    /** Whether a write has been stuck for so long. */
    boolean isStuck(long nowNanos, long limitNanos) {
        return writing && nowNanos - writingSince > limitNanos;
    }

    /** Closes on our own account: what then fails here says nothing about the peer. */
    void drop() {
        dropped = true;
        close();
    }

    boolean isDropped() {
        return dropped;
    }

    @Override
    public void close() {
        closeQuietly(socket);
    }

    static void closeQuietly(Closeable closeable) {
        try {
            closeable.close();
        } catch (IOException ignored) {
            // There is nothing left to be done with it.
        }
    }

    /** Reads so many bytes; the deadline holds for all of them together, however slowly they drip. */
    static byte[] readFully(Socket socket, int length, long deadlineNanos) throws IOException {
        InputStream in = socket.getInputStream();
        byte[] bytes = new byte[length];
        int have = 0;
        while (have < length) {
            long leftMillis = (deadlineNanos - System.nanoTime()) / 1_000_000;
            if (leftMillis <= 0) {
                throw new SocketTimeoutException("silent");
            }
            socket.setSoTimeout((int) Math.min(leftMillis, Integer.MAX_VALUE));
            int count = in.read(bytes, have, length - have);
            if (count < 0) {
                throw new EOFException("closed");
            }
            have += count;
        }
        return bytes;
    }
}
