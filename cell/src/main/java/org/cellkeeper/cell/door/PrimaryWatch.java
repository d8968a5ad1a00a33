package org.cellkeeper.cell.door;

import java.io.DataInputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.cellkeeper.cell.model.Upstream;
import org.jspecify.annotations.Nullable;

/**
 * Notices within milliseconds that the primary's PostgreSQL is gone, as a PgBouncer in front of it does: by a connection of its own, on
 * which nothing is said, and which ends with the postmaster. PostgreSQL closes such a one after its authentication_timeout, so it is
 * replaced sooner. A machine that is silent is noticed by others.
 */
final class PrimaryWatch implements AutoCloseable {
    private static final Duration CONNECT = Duration.ofSeconds(1);
    private static final Duration ANSWER = Duration.ofMillis(500);
    private static final Duration LIFE = Duration.ofSeconds(5);
    private static final Duration SHORTEST_LIFE = Duration.ofMillis(500);
    private static final Duration SOON = Duration.ofMillis(100);
    private static final Duration LATER = Duration.ofMillis(500);
    private static final int ASKED_SOON = 20;

    private static final int PROTOCOL = 3 << 16;
    /** cannot_connect_now: it starts, recovers or stops. */
    private static final String NOT_NOW = "57P03";

    private final Consumer<Upstream> lost;
    private final Consumer<Upstream> back;
    private @Nullable Watch watch;

    /**
     * @param lost told when the connection has ended, or cannot be made
     * @param back told when PostgreSQL lets sessions in again after that, also when it was never away
     */
    PrimaryWatch(Consumer<Upstream> lost, Consumer<Upstream> back) {
        this.lost = lost;
        this.back = back;
    }

    /** Watches this one from now on. */
    synchronized void watch(Upstream primary) {
        Watch known = watch;
        if (known != null && known.primary.equals(primary)) {
            return;
        }
        close();
        Watch next = new Watch(primary);
        watch = next;
        Thread.ofVirtual().name("watch of the primary").start(next);
    }

    @Override
    public synchronized void close() {
        Watch known = watch;
        watch = null;
        if (known != null) {
            known.end();
        }
    }

    private final class Watch implements Runnable {
        private final Upstream primary;
        private final CountDownLatch ended = new CountDownLatch(1);
        private Duration life = LIFE;
        private volatile @Nullable Socket open;

        Watch(Upstream primary) {
            this.primary = primary;
        }

        void end() {
            ended.countDown();
            close(open);
        }

        @Override
        public void run() {
            try {
                while (ended.getCount() > 0) {
                    long since = System.nanoTime();
                    if (lives() || ended.getCount() == 0) {
                        continue;
                    }
                    Duration age = Duration.ofNanos(System.nanoTime() - since);
                    boolean stood = open != null;
                    lost.accept(primary);
                    close(open);
                    open = null;
                    int asked = awaitAnswer();
                    if (asked > 0) {
                        life = stood && asked == 1 ? shorter(age) : life;
                        back.accept(primary);
                    }
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            } finally {
                close(open);
            }
        }

        /** For a whole life of a connection; the one before is kept until the next one stands. */
        private boolean lives() {
            Socket before = open;
            try {
                Socket next = connect();
                open = next;
                close(before);
                next.setSoTimeout(Math.toIntExact(life.toMillis()));
                // Nothing comes: it has ended.
                var _ = next.getInputStream().read();
                return false;
            } catch (SocketTimeoutException whole) {
                return open != before;
            } catch (IOException e) {
                return false;
            }
        }

        /** Where what ended was there again at once, it was ended for its age. */
        private Duration shorter(Duration age) {
            Duration half = age.dividedBy(2);
            return half.compareTo(SHORTEST_LIFE) < 0 ? SHORTEST_LIFE : half.compareTo(life) < 0 ? half : life;
        }

        /** How often it was asked until it answered; 0 when that is of no interest any more. */
        private int awaitAnswer() throws InterruptedException {
            for (int asked = 1; ended.getCount() > 0; asked++) {
                if (answers()) {
                    return asked;
                }
                Duration pause = asked < ASKED_SOON ? SOON : LATER;
                var _ = ended.await(pause.toMillis(), TimeUnit.MILLISECONDS);
            }
            return 0;
        }

        private Socket connect() throws IOException {
            Socket socket = new Socket();
            try {
                socket.connect(
                        new InetSocketAddress(primary.host(), primary.port()), Math.toIntExact(CONNECT.toMillis()));
                return socket;
            } catch (IOException e) {
                close(socket);
                throw e;
            }
        }

        /** Whether it would let a session in; nobody is let in for this, as it is asked without encryption, and for no role. */
        private boolean answers() {
            try (Socket socket = connect()) {
                socket.setSoTimeout(Math.toIntExact(ANSWER.toMillis()));
                byte[] who = "user\0 \0\0".getBytes(StandardCharsets.UTF_8);
                int length = 2 * Integer.BYTES + who.length;
                socket.getOutputStream()
                        .write(ByteBuffer.allocate(length)
                                .putInt(length)
                                .putInt(PROTOCOL)
                                .put(who)
                                .array());
                DataInputStream in = new DataInputStream(socket.getInputStream());
                boolean isError = in.readUnsignedByte() == 'E';
                byte[] body = in.readNBytes(Math.min(in.readInt() - Integer.BYTES, 1 << 16));
                return !isError || !new String(body, StandardCharsets.UTF_8).contains("C" + NOT_NOW);
            } catch (IOException e) {
                return false;
            }
        }
    }

    private static void close(@Nullable Socket socket) {
        try {
            if (socket != null) {
                socket.close();
            }
        } catch (IOException gone) {
            // It is to go.
        }
    }
}
