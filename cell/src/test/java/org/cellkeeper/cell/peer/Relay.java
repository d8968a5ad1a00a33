package org.cellkeeper.cell.peer;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.UnaryOperator;

/** Somebody in the middle, who passes on what the dialer sends as it likes. */
final class Relay implements AutoCloseable {
    private final ServerSocket server;
    private final InetSocketAddress target;
    private final List<Socket> sockets = new CopyOnWriteArrayList<>();
    private volatile UnaryOperator<byte[]> mischief = chunk -> chunk;
    private volatile boolean stalled;

    Relay(int targetPort) throws IOException {
        target = new InetSocketAddress(InetAddress.getLoopbackAddress(), targetPort);
        server = new ServerSocket(0, 64, InetAddress.getLoopbackAddress());
        Thread.ofVirtual().start(this::accept);
    }

    int port() {
        return server.getLocalPort();
    }

    /** From now on, what the dialer sends is passed on like this. */
    void alter(UnaryOperator<byte[]> how) {
        mischief = how;
    }

    /** From now on nothing is passed on, in no direction; connections stay open, and new ones are accepted. */
    void stall() {
        stalled = true;
    }

    /** Cuts all connections; new ones are passed on again. */
    void cut() {
        sockets.forEach(Session::closeQuietly);
        sockets.clear();
    }

    private void accept() {
        try {
            while (true) {
                Socket near = server.accept();
                sockets.add(near);
                if (stalled) {
                    continue;
                }
                Socket far = new Socket();
                sockets.add(far);
                far.connect(target);
                Thread.ofVirtual().start(() -> pass(near, far, true));
                Thread.ofVirtual().start(() -> pass(far, near, false));
            }
        } catch (IOException closed) {
            // The end of it.
        }
    }

    private void pass(Socket from, Socket to, boolean altered) {
        try {
            InputStream in = from.getInputStream();
            OutputStream out = to.getOutputStream();
            byte[] buffer = new byte[100_000];
            int count = in.read(buffer);
            while (count >= 0) {
                if (!stalled) {
                    byte[] chunk = Arrays.copyOf(buffer, count);
                    out.write(altered ? mischief.apply(chunk) : chunk);
                }
                count = in.read(buffer);
            }
        } catch (IOException broken) {
            // Both ends then.
        }
        if (!stalled) {
            Session.closeQuietly(from);
            Session.closeQuietly(to);
        }
    }

    @Override
    public void close() {
        Session.closeQuietly(server);
        sockets.forEach(Session::closeQuietly);
    }
}
