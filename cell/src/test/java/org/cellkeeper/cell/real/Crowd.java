package org.cellkeeper.cell.real;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.cert.X509Certificate;
import java.util.Arrays;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509TrustManager;

/**
 * Strangers by thousands at the ports of one cell: each comes, says nothing or too little, stays as long as he may, and comes again. A
 * process of its own, for what a process may open is limited.
 */
final class Crowd {
    static final List<Integer> PORTS = List.of(5480, 5481, 5432, 2181, 2888, 3888);

    private static final int POSTGRES = 5432;
    private static final int WANTS_TLS = 80877103;
    private static final int PROTOCOL = 3 << 16;

    private static final int CONNECT_MILLIS = 3000;
    private static final long DRIP_MILLIS = 500;

    // At each port so many a second, so that the crowd does not take the processor from those whom it is to keep out by
    // other means.
    private static final int COMING = 60;
    private static final int COMING_AGAIN = 5;

    /** What a stranger does. */
    private enum Kind {
        /** Nothing. */
        IDLE,
        /** Begins with TLS, and leaves it at that. */
        HALF,
        /** A byte, and after a while another one. */
        DRIP,
        /** At PostgreSQL: says who he wants to be, and does not prove it. */
        UNPROVEN,
        /** The same as one who streams. */
        STREAMS
    }

    private final String host;
    private final List<String> from;
    private final byte[] hello;
    private final SSLContext anybody;
    private final SortedMap<Integer, Long> next = new TreeMap<>();
    private final SortedMap<Integer, AtomicInteger> there = new TreeMap<>();
    private final SortedMap<Integer, AtomicInteger> came = new TreeMap<>();

    private Crowd(String host, List<String> from) throws GeneralSecurityException, IOException {
        this.host = host;
        this.from = from;
        this.anybody = SSLContext.getInstance("TLS");
        anybody.init(null, new TrustManager[] {new Believer()}, null);
        SSLEngine engine = anybody.createSSLEngine();
        engine.setUseClientMode(true);
        ByteBuffer words = ByteBuffer.allocate(32_768);
        var unused = engine.wrap(ByteBuffer.allocate(0), words);
        this.hello = Arrays.copyOf(words.array(), words.position());
    }

    /** Host, how many at each port, the addresses that they come from, and the ports, both with commas. */
    public static void main(String[] arguments) throws Exception {
        Crowd crowd = new Crowd(arguments[0], List.of(arguments[2].split(",", -1)));
        int count = Integer.parseInt(arguments[1]);
        for (String port : arguments[3].split(",", -1)) {
            crowd.gather(Integer.parseInt(port), count);
        }
        Thread.ofPlatform().daemon().start(() -> endWith(System.in));
        while (true) {
            System.out.println("there " + crowd.there + ", came " + crowd.came);
            TimeUnit.SECONDS.sleep(1);
        }
    }

    /** Nobody is left behind when the test goes. */
    private static void endWith(InputStream parent) {
        try {
            while (parent.read() >= 0) {
                // It lives.
            }
        } catch (IOException gone) {
            // The same.
        }
        Runtime.getRuntime().halt(0);
    }

    private void gather(int port, int count) {
        AtomicInteger open = new AtomicInteger();
        there.put(port, open);
        came.put(port, new AtomicInteger());
        for (int i = 0; i < count; i++) {
            int number = i;
            Kind kind = kind(port, i);
            Thread.ofVirtual().start(() -> comeAgain(port, kind, from.get(number % from.size())));
        }
    }

    private static Kind kind(int port, int number) {
        if (port == POSTGRES) {
            switch (number % 20) {
                case 3, 13 -> {
                    return Kind.UNPROVEN;
                }
                case 9 -> {
                    return Kind.STREAMS;
                }
                default -> {}
            }
        }
        return switch (number % 10) {
            case 1 -> Kind.HALF;
            case 4 -> Kind.DRIP;
            default -> Kind.IDLE;
        };
    }

    private void comeAgain(int port, Kind kind, String own) {
        int pace = COMING;
        while (true) {
            try {
                awaitTurn(port, pace);
                pace = COMING_AGAIN;
                try (Socket socket = new Socket()) {
                    socket.bind(new InetSocketAddress(InetAddress.getByName(own), 0));
                    socket.connect(new InetSocketAddress(host, port), CONNECT_MILLIS);
                    there.get(port).incrementAndGet();
                    came.get(port).incrementAndGet();
                    try {
                        stay(socket, port, kind);
                    } finally {
                        there.get(port).decrementAndGet();
                    }
                }
            } catch (IOException sentAway) {
                // He comes again.
            } catch (InterruptedException over) {
                return;
            }
        }
    }

    private void awaitTurn(int port, int pace) throws InterruptedException {
        long turn;
        synchronized (next) {
            long now = System.nanoTime();
            turn = Math.max(now, next.getOrDefault(port, now)) + TimeUnit.SECONDS.toNanos(1) / pace;
            next.put(port, turn);
        }
        TimeUnit.NANOSECONDS.sleep(turn - System.nanoTime());
    }

    private void stay(Socket socket, int port, Kind kind) throws IOException {
        OutputStream out = socket.getOutputStream();
        InputStream in = socket.getInputStream();
        switch (kind) {
            case IDLE -> {}
            case HALF -> {
                if (port == POSTGRES) {
                    wantTls(socket);
                }
                out.write(hello);
            }
            case DRIP -> {
                byte[] words = port == POSTGRES ? startup(false) : hello;
                socket.setSoTimeout((int) DRIP_MILLIS);
                for (byte word : words) {
                    out.write(word);
                    if (isOver(in)) {
                        return;
                    }
                }
                socket.setSoTimeout(0);
            }
            case UNPROVEN, STREAMS -> {
                wantTls(socket);
                SSLSocket tls = (SSLSocket) anybody.getSocketFactory().createSocket(socket, host, port, true);
                tls.startHandshake();
                tls.getOutputStream().write(startup(kind == Kind.STREAMS));
                tls.getOutputStream().flush();
            }
        }
        while (in.read() >= 0) {
            // It says something, and no more comes of it.
        }
    }

    private static boolean isOver(InputStream in) throws IOException {
        try {
            return in.read() < 0;
        } catch (SocketTimeoutException open) {
            return false;
        }
    }

    private static void wantTls(Socket socket) throws IOException {
        DataOutputStream out = new DataOutputStream(socket.getOutputStream());
        out.writeInt(8);
        out.writeInt(WANTS_TLS);
        out.flush();
        if (new DataInputStream(socket.getInputStream()).readByte() != 'S') {
            throw new IOException("no TLS");
        }
    }

    private static byte[] startup(boolean streams) {
        String words = "user\0vcloud\0database\0vcloud\0" + (streams ? "replication\0database\0" : "") + "\0";
        byte[] bytes = words.getBytes(StandardCharsets.US_ASCII);
        return ByteBuffer.allocate(8 + bytes.length)
                .putInt(8 + bytes.length)
                .putInt(PROTOCOL)
                .put(bytes)
                .array();
    }

    private static final class Believer implements X509TrustManager {
        @Override
        public void checkClientTrusted(X509Certificate[] chain, String how) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String how) {}

        @Override
        public X509Certificate[] getAcceptedIssuers() {
            return new X509Certificate[0];
        }
    }
}
