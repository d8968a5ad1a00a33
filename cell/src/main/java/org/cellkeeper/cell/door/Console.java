package org.cellkeeper.cell.door;

import java.io.BufferedInputStream;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.cellkeeper.cell.wire.UnixSocketFactory;
import org.jspecify.annotations.Nullable;

/**
 * One session at PgBouncer's console, over its Unix socket: the few messages of PostgreSQL's protocol that it takes, as it refuses what
 * pgjdbc says at its beginning. What does not answer in time is closed, and opened anew by the next command. One thread at a time; any
 * may close it, which ends a wait.
 */
final class Console implements AutoCloseable {
    /** What PgBouncer says of one of its databases. */
    record Place(String host, int port, boolean paused) {}

    /** It answered that it would not. */
    static final class Refused extends IOException {
        private static final long serialVersionUID = 1L;

        Refused(String words) {
            super(words);
        }
    }

    private static final int PROTOCOL = 3 << 16;
    private static final int LONGEST_MESSAGE = 1 << 20;
    private static final int NO_VALUE = -1;
    private static final Duration LOGIN = Duration.ofMillis(500);

    private final Path socket;
    private volatile @Nullable Session session;

    private record Session(Socket socket, DataInputStream in, OutputStream out) {}

    Console(Path socket) {
        this.socket = socket;
    }

    /** So that the next command has not to wait for that. */
    void connect() throws IOException {
        var _ = open();
    }

    /** Zero waits for ever, or until it is closed. */
    List<Map<String, String>> execute(String command, Duration limit) throws IOException {
        Session open = open();
        try {
            open.socket.setSoTimeout(Math.toIntExact(limit.toMillis()));
            byte[] text = (command + "\0").getBytes(StandardCharsets.UTF_8);
            send(
                    open,
                    ByteBuffer.allocate(1 + Integer.BYTES + text.length)
                            .put((byte) 'Q')
                            .putInt(Integer.BYTES + text.length)
                            .put(text)
                            .array());
            return answer(open);
        } catch (Refused e) {
            throw new Refused(command + ": " + e.getMessage());
        } catch (IOException e) {
            close();
            throw new IOException(command + ": " + e.getMessage(), e);
        }
    }

    Map<String, Place> places(Duration limit) throws IOException {
        Map<String, Place> places = new HashMap<>();
        for (Map<String, String> row : execute("SHOW DATABASES", limit)) {
            places.put(
                    row.getOrDefault("name", ""),
                    new Place(
                            row.getOrDefault("host", ""),
                            Integer.parseInt(row.getOrDefault("port", "0")),
                            row.getOrDefault("paused", "0").equals("1")));
        }
        return places;
    }

    /** How many connections to PostgreSQL it is making just now. */
    int logins(Duration limit) throws IOException {
        return execute("SHOW POOLS", limit).stream()
                .mapToInt(pool -> Integer.parseInt(pool.getOrDefault("sv_login", "0")))
                .sum();
    }

    private Session open() throws IOException {
        Session known = session;
        if (known != null) {
            return known;
        }
        Socket connected = new UnixSocketFactory(socket.toString()).createSocket();
        Session fresh = new Session(
                connected,
                new DataInputStream(new BufferedInputStream(connected.getInputStream())),
                connected.getOutputStream());
        session = fresh;
        try {
            connected.setSoTimeout(Math.toIntExact(LOGIN.toMillis()));
            byte[] who = ("user\0" + ClientRules.CONSOLE_USER + "\0database\0pgbouncer\0\0")
                    .getBytes(StandardCharsets.UTF_8);
            int length = 2 * Integer.BYTES + who.length;
            send(
                    fresh,
                    ByteBuffer.allocate(length)
                            .putInt(length)
                            .putInt(PROTOCOL)
                            .put(who)
                            .array());
            var _ = answer(fresh);
        } catch (IOException e) {
            close();
            throw new IOException("the console does not let its agent in: " + e.getMessage(), e);
        }
        return fresh;
    }

    /** At once: PgBouncer closes a console of which it reads half a message. */
    private static void send(Session to, byte[] message) throws IOException {
        to.out.write(message);
        to.out.flush();
    }

    /** All up to where it is ready for the next command. */
    private static List<Map<String, String>> answer(Session open) throws IOException {
        List<String> names = new ArrayList<>();
        List<Map<String, String>> rows = new ArrayList<>();
        String refusal = "";
        while (true) {
            int kind = open.in.readUnsignedByte();
            int length = open.in.readInt() - Integer.BYTES;
            if (length < 0 || length > LONGEST_MESSAGE) {
                throw new IOException("no answer of PgBouncer's");
            }
            DataInputStream body = new DataInputStream(new ByteArrayInputStream(open.in.readNBytes(length)));
            switch (kind) {
                case 'R' -> {
                    if (body.readInt() != 0) {
                        throw new IOException("it asks for a password");
                    }
                }
                case 'T' -> {
                    for (int left = body.readUnsignedShort(); left > 0; left--) {
                        names.add(text(body));
                        body.skipNBytes(18);
                    }
                }
                case 'D' -> rows.add(row(names, body));
                case 'E' -> refusal = message(body);
                case 'Z' -> {
                    if (!refusal.isEmpty()) {
                        throw new Refused(refusal);
                    }
                    return rows;
                }
                default -> {}
            }
            if (kind == 'E' && refusal.startsWith("FATAL")) {
                throw new IOException(refusal);
            }
        }
    }

    private static Map<String, String> row(List<String> names, DataInputStream body) throws IOException {
        Map<String, String> row = new HashMap<>();
        int count = body.readUnsignedShort();
        for (int column = 0; column < count && column < names.size(); column++) {
            int length = body.readInt();
            if (length != NO_VALUE) {
                row.put(names.get(column), new String(body.readNBytes(length), StandardCharsets.UTF_8));
            }
        }
        return row;
    }

    private static String message(DataInputStream body) throws IOException {
        String severity = "";
        String words = "";
        for (int field = body.readUnsignedByte(); field != 0; field = body.readUnsignedByte()) {
            String value = text(body);
            if (field == 'S') {
                severity = value;
            } else if (field == 'M') {
                words = value;
            }
        }
        return severity + ": " + words;
    }

    private static String text(DataInputStream body) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        for (int one = body.readUnsignedByte(); one != 0; one = body.readUnsignedByte()) {
            bytes.write(one);
        }
        return bytes.toString(StandardCharsets.UTF_8);
    }

    @Override
    public void close() {
        Session known = session;
        session = null;
        if (known != null) {
            try {
                known.socket.close();
            } catch (IOException gone) {
                // It is to go.
            }
        }
    }
}
