package org.cellkeeper.cell.real;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpHeaders;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import org.cellkeeper.api.Trust;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.extension.ExtendWith;

/** Ten thousand requests that no client should send, drawn by a seed, while the primary is killed. */
@Tag("cells")
@ExtendWith(Labs.class)
final class StormIT {
    private static final long SEED = Long.getLong("cellkeeper.storm.seed", 20260101);
    private static final int REQUESTS = 10_000;
    private static final int SENDERS = 8;
    private static final int IDLE = 200;
    private static final int SLOW = 10;
    private static final int API_PORT = 5480;
    private static final SSLContext TLS = Trust.all();
    private static final long GROWTH_KIB = 48 * 1024;

    private final RealCells cells;
    private final Set<String> wrong = ConcurrentHashMap.newKeySet();
    private final Map<Integer, AtomicInteger> statuses = new ConcurrentHashMap<>();
    private final AtomicInteger hungUp = new AtomicInteger();

    StormIT(RealCells cells) {
        this.cells = cells;
    }

    @BeforeEach
    void allCellsTakePart(TestInfo test) {
        System.out.println(test.getDisplayName());
        cells.restore(true);
    }

    @Test
    void noRequestHarmsACellAndAFailoverGoesOn() throws Exception {
        String old = cells.primary();
        List<String> standbys = cells.standbys();
        StormRequests generator = new StormRequests(cells.secret("root.password"));
        // What the first requests load and compile is no leak.
        storm(generator, standbys, REQUESTS / 10, SEED - 1, null);
        Map<String, Long> agents = new TreeMap<>();
        Map<String, Long> before = new TreeMap<>();
        for (String cell : standbys) {
            agents.put(cell, cells.agent(cell));
            before.put(cell, residentKib(cells.agent(cell)));
        }

        try (Writer writer = cells.writer();
                Idlers idlers = new Idlers(standbys)) {
            CountDownLatch half = new CountDownLatch(1);
            long[] killed = new long[1];
            String[] next = new String[1];
            RealCells.together(() -> storm(generator, standbys, REQUESTS, SEED, half), () -> {
                try {
                    assertThat(half.await(60, TimeUnit.SECONDS))
                            .as("half of the storm")
                            .isTrue();
                } catch (InterruptedException e) {
                    throw new AssertionError(e);
                }
                killed[0] = System.nanoTime();
                cells.kill(old);
                next[0] = cells.awaitOtherPrimary(old, Duration.ofSeconds(20));
            });
            writer.awaitRow(Duration.ofSeconds(10));
            Duration gap = writer.longestGapSince(killed[0]);
            System.out.println("  " + old + " killed in the storm, " + next[0] + " took over; gap " + gap.toMillis()
                    + " ms; answers " + new TreeMap<>(statuses) + ", connections closed without one " + hungUp
                    + ", while " + idlers.count() + " others said next to nothing");
            assertThat(gap).isLessThan(Duration.ofSeconds(10));
            cells.assertNothingLost(writer);
        }

        assertThat(wrong).as("seed " + SEED).isEmpty();
        assertThat(statuses.keySet()).contains(400, 401, 404, 405, 413, 429);
        for (String cell : standbys) {
            assertThat(cells.agent(cell)).as("agent of " + cell).isEqualTo(agents.get(cell));
            long grown = residentKib(cells.agent(cell)) - before.get(cell);
            System.out.println("  agent of " + cell + " grew by " + grown + " KiB from " + before.get(cell));
            assertThat(grown).as("growth of the agent of " + cell).isLessThan(GROWTH_KIB);
        }
    }

    private void storm(
            StormRequests generator, List<String> targets, int count, long seed, @Nullable CountDownLatch half) {
        AtomicInteger taken = new AtomicInteger();
        // The last one is closed first: it waits for the end of what was sent.
        try (Requests requests = new Requests();
                Requests guesses = new Requests("127.1.0.1");
                ExecutorService senders = Executors.newFixedThreadPool(SENDERS)) {
            for (int sender = 0; sender < SENDERS; sender++) {
                Random random = new Random(seed * SENDERS + sender);
                senders.execute(() -> {
                    for (int n = taken.getAndIncrement(); n < count; n = taken.getAndIncrement()) {
                        if (half != null && n >= count / 2) {
                            half.countDown();
                        }
                        one(generator, random, targets.get(n % targets.size()), requests, guesses, n % 40 == 0);
                    }
                });
            }
        }
    }

    private void one(
            StormRequests generator, Random random, String cell, Requests requests, Requests guesses, boolean raw) {
        if (raw) {
            String bytes = generator.raw(random);
            String answer = sendRaw(cell, bytes);
            if (answer.startsWith("HTTP/1.1 ")) {
                judge(bytes, Integer.parseInt(answer.substring(9, 12)), answer);
            } else {
                hungUp.incrementAndGet();
            }
            return;
        }
        StormRequests.Shot shot = generator.shot(random);
        try {
            Requests.Answer answer = (generator.isGuess(shot) ? guesses : requests)
                    .send(shot.verb(), URI.create(cells.api(cell) + shot.path()), shot.authorization(), shot.body());
            judge(shot.toString(), answer.status(), answer.body());
        } catch (IOException e) {
            // A body that is refused may meet a closed connection.
            hungUp.incrementAndGet();
        }
    }

    private void judge(String request, int status, String answer) {
        statuses.computeIfAbsent(status, any -> new AtomicInteger()).incrementAndGet();
        boolean allowed = status < 500 || status == 503;
        boolean shows = new Requests.Answer(status, HttpHeaders.of(Map.of(), (a, b) -> true), answer).showsItsInside();
        if (!allowed || shows) {
            wrong.add(request.substring(0, Math.min(200, request.length())) + " -> " + status);
        }
    }

    private SSLSocket open(String cell) throws IOException {
        SSLSocket socket = (SSLSocket) TLS.getSocketFactory().createSocket();
        socket.connect(new InetSocketAddress(cells.host(cell), API_PORT), 3000);
        socket.setSoTimeout(3000);
        return socket;
    }

    private String sendRaw(String cell, String bytes) {
        try (SSLSocket socket = open(cell)) {
            socket.getOutputStream().write(bytes.getBytes(StandardCharsets.ISO_8859_1));
            socket.getOutputStream().flush();
            socket.shutdownOutput();
            return new String(socket.getInputStream().readNBytes(16_384), StandardCharsets.UTF_8);
        } catch (IOException e) {
            return "";
        }
    }

    private static long residentKib(long pid) throws IOException {
        return Files.readAllLines(Path.of("/proc/" + pid + "/status")).stream()
                .filter(line -> line.startsWith("VmRSS:"))
                .map(line -> Long.parseLong(line.replaceAll("[^0-9]", "")))
                .findFirst()
                .orElseThrow();
    }

    /** Connections that say nothing, and some that say very little, very slowly. */
    private final class Idlers implements AutoCloseable {
        private final List<Socket> sockets = new ArrayList<>();
        private final List<Thread> slow = new ArrayList<>();

        Idlers(List<String> targets) throws IOException {
            for (int n = 0; n < IDLE; n++) {
                String cell = targets.get(n % targets.size());
                Socket socket = new Socket();
                socket.connect(new InetSocketAddress(cells.host(cell), API_PORT), 3000);
                sockets.add(socket);
            }
            for (int n = 0; n < SLOW; n++) {
                SSLSocket socket = open(targets.get(n % targets.size()));
                sockets.add(socket);
                slow.add(Thread.ofVirtual().start(() -> trickle(socket)));
            }
        }

        private void trickle(SSLSocket socket) {
            String request = "POST /api/1.0.0/nodes/cell-1/promote HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n"
                    + "Authorization: " + Requests.basic("root", cells.secret("root.password")) + "\r\n\r\n";
            try {
                socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
                while (!Thread.currentThread().isInterrupted()) {
                    socket.getOutputStream().write('{');
                    socket.getOutputStream().flush();
                    Patience.pass(Duration.ofMillis(200));
                }
            } catch (IOException | RuntimeException | AssertionError e) {
                // The cell has had enough of it, or the test has.
                Thread.currentThread().interrupt();
            }
        }

        int count() {
            return sockets.size();
        }

        @Override
        public void close() throws IOException {
            slow.forEach(Thread::interrupt);
            for (Socket socket : sockets) {
                socket.close();
            }
        }
    }
}
