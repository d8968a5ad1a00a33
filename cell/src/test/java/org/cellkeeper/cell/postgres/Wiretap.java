package org.cellkeeper.cell.postgres;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** Passes everything on, both ways, and keeps it. */
final class Wiretap implements AutoCloseable {
    private static final int MOST = 200 << 20;

    private final ServerSocket server;
    private final int target;
    private final List<Socket> sockets = new CopyOnWriteArrayList<>();
    private final ByteArrayOutputStream heard = new ByteArrayOutputStream();

    Wiretap(int target) throws IOException {
        this.target = target;
        this.server = new ServerSocket(0, 64, InetAddress.getByName(PostgresBench.HOST));
        Thread.ofPlatform().daemon().start(this::accept);
    }

    int port() {
        return server.getLocalPort();
    }

    int size() {
        synchronized (heard) {
            return heard.size();
        }
    }

    boolean heard(String text) {
        synchronized (heard) {
            return heard.toString(StandardCharsets.ISO_8859_1).contains(text);
        }
    }

    private void accept() {
        while (!server.isClosed()) {
            try {
                Socket near = server.accept();
                sockets.add(near);
                Socket far = new Socket(PostgresBench.HOST, target);
                sockets.add(far);
                Thread.ofPlatform().daemon().start(() -> pass(near, far));
                Thread.ofPlatform().daemon().start(() -> pass(far, near));
            } catch (IOException gone) {
                // The next one.
            }
        }
    }

    private void pass(Socket from, Socket to) {
        byte[] buffer = new byte[65_536];
        try (from;
                to) {
            InputStream in = from.getInputStream();
            OutputStream out = to.getOutputStream();
            for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) {
                synchronized (heard) {
                    if (heard.size() < MOST) {
                        heard.write(buffer, 0, count);
                    }
                }
                out.write(buffer, 0, count);
            }
        } catch (IOException broken) {
            // Both ends then.
        }
    }

    @Override
    public void close() throws IOException {
        server.close();
        for (Socket socket : sockets) {
            socket.close();
        }
    }
}
