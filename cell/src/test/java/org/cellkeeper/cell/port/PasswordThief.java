package org.cellkeeper.cell.port;

import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** Answers at a lost cell's address as a PostgreSQL would, and asks whoever comes for the password itself. */
public final class PasswordThief implements AutoCloseable {
    private static final int STARTUP = 3 << 16;
    private static final int CLEARTEXT = 3;

    private final ServerSocket socket;
    private final Queue<String> told = new ConcurrentLinkedQueue<>();
    private final AtomicInteger asked = new AtomicInteger();

    public PasswordThief() throws IOException {
        socket = new ServerSocket(0, 10, InetAddress.getLoopbackAddress());
        Thread.ofPlatform().daemon().start(this::serve);
    }

    public int port() {
        return socket.getLocalPort();
    }

    /** How many have been asked. */
    public int asked() {
        return asked.get();
    }

    /** All that anybody said after he was asked, when he has gone or has been silent for a while. */
    public String told() throws InterruptedException {
        for (int waited = 0; told.size() < asked.get() && waited < 100; waited++) {
            TimeUnit.MILLISECONDS.sleep(50);
        }
        return String.join("\n", told);
    }

    private void serve() {
        while (!socket.isClosed()) {
            try (Socket client = socket.accept()) {
                client.setSoTimeout(3_000);
                ask(client);
            } catch (IOException gone) {
                // The next one.
            }
        }
    }

    private void ask(Socket client) throws IOException {
        DataInputStream in = new DataInputStream(client.getInputStream());
        while (true) {
            int length = in.readInt();
            int code = in.readInt();
            in.readNBytes(length - 8);
            if (code == STARTUP) {
                break;
            }
            // No encryption of either kind.
            client.getOutputStream().write('N');
        }
        asked.incrementAndGet();
        client.getOutputStream()
                .write(ByteBuffer.allocate(9)
                        .put((byte) 'R')
                        .putInt(8)
                        .putInt(CLEARTEXT)
                        .array());
        told.add(rest(in));
    }

    private static String rest(InputStream in) throws IOException {
        StringBuilder said = new StringBuilder();
        byte[] some = new byte[4_096];
        try {
            for (int count = in.read(some); count > 0 && said.length() < 100_000; count = in.read(some)) {
                said.append(new String(some, 0, count, StandardCharsets.UTF_8));
            }
        } catch (SocketTimeoutException silent) {
            // He says no more.
        }
        return said.toString();
    }

    @Override
    public void close() {
        try {
            socket.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
