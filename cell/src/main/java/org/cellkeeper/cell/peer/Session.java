package org.cellkeeper.cell.peer;

import java.io.Closeable;
import java.io.IOException;
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

    private final Channel channel;
    private final CellName peer;
    private final Secret provenBy;
    private final Mac sending;
    private final Mac receiving;
    private long sent;
    private long received;
    private volatile long writingSince;
    private volatile boolean writing;
    private volatile boolean dropped;

    /** @param provenBy which of the cluster's secrets */
    Session(Channel channel, CellName peer, Secret provenBy, Mac sending, Mac receiving) {
        this.channel = channel;
        this.peer = peer;
        this.provenBy = provenBy;
        this.sending = sending;
        this.receiving = receiving;
    }

    /** Who is at the other end. */
    CellName peer() {
        return peer;
    }

    /** Which of the cluster's secrets both ends have proven to each other. */
    Secret provenBy() {
        return provenBy;
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
            channel.write(frame.array());
        } finally {
            writing = false;
        }
    }

    /** The next frame's payload, which must be complete by the deadline. */
    byte[] receive(long deadlineNanos) throws IOException {
        byte[] head = channel.read(HEAD, deadlineNanos);
        ByteBuffer fields = ByteBuffer.wrap(head);
        int length = fields.getInt();
        if (length < 0 || length > MAX_PAYLOAD) {
            throw new ProtocolViolation("a frame of " + length + " bytes");
        }
        long number = fields.getLong();
        if (number != received) {
            throw new ProtocolViolation("frame " + number + " instead of " + received);
        }
        byte[] body = channel.read(length + Secret.LENGTH, deadlineNanos);
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
        closeQuietly(channel);
    }

    static void closeQuietly(Closeable closeable) {
        try {
            closeable.close();
        } catch (IOException ignored) {
            // There is nothing left to be done with it.
        }
    }
}
