package org.cellkeeper.cell.real;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** All that goes over the loopback interface from and to some addresses, as tcpdump sees it. */
final class Wire implements AutoCloseable {
    private static final List<String> PROGRAMS = List.of("/usr/bin/tcpdump", "/usr/sbin/tcpdump");
    private static final int FILE_HEADER = 24;
    private static final int PACKET_HEADER = 16;
    private static final int ETHERNET = 14;
    private static final int TCP = 6;
    private static final int SYN = 2;

    private final Process tcpdump;
    private final Path file;

    /** One direction of a connection. */
    record Flow(int from, int to, boolean seenFromItsBegin, byte[] bytes) {
        boolean has(String words) {
            return new String(bytes, StandardCharsets.ISO_8859_1).contains(words);
        }
    }

    static boolean canBeSeen() {
        return "root".equals(System.getProperty("user.name"))
                && PROGRAMS.stream().anyMatch(file -> Files.isExecutable(Path.of(file)));
    }

    /** @param net such as 127.0.9 */
    Wire(String net, Path folder) throws IOException {
        this.file = folder.resolve("wire.pcap");
        Files.deleteIfExists(file);
        String program = PROGRAMS.stream()
                .filter(each -> Files.isExecutable(Path.of(each)))
                .findFirst()
                .orElseThrow();
        Path words = folder.resolve("tcpdump.log");
        this.tcpdump = new ProcessBuilder(
                        program,
                        "-i",
                        "lo",
                        "--immediate-mode",
                        "-U",
                        "-n",
                        "-s",
                        "0",
                        "-B",
                        "131072",
                        "-Z",
                        "root",
                        "-w",
                        file.toString(),
                        "tcp and net " + net + ".0/24")
                .redirectErrorStream(true)
                .redirectOutput(words.toFile())
                .start();
        Patience.await("tcpdump listens", Duration.ofSeconds(10), () -> {
            try {
                return Files.readString(words).contains("listening on") ? null : Files.readString(words);
            } catch (IOException e) {
                return e.toString();
            }
        });
    }

    /** Ends it; all that was seen, but what was silent. */
    List<Flow> flows() throws IOException, InterruptedException {
        TimeUnit.MILLISECONDS.sleep(500);
        tcpdump.destroy();
        if (!tcpdump.waitFor(10, TimeUnit.SECONDS)) {
            throw new IOException("tcpdump does not end");
        }
        Map<String, ByteArrayOutputStream> bytes = new LinkedHashMap<>();
        Map<String, Boolean> begun = new LinkedHashMap<>();
        ByteBuffer all = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        all.position(FILE_HEADER);
        while (all.remaining() >= PACKET_HEADER) {
            all.position(all.position() + 8);
            int length = all.getInt();
            all.getInt();
            byte[] packet = new byte[Math.min(length, all.remaining())];
            all.get(packet);
            keep(ByteBuffer.wrap(packet), bytes, begun);
        }
        List<Flow> flows = new ArrayList<>();
        bytes.forEach((key, sent) -> {
            if (sent.size() > 0) {
                String[] ports = key.replaceAll("[^ ]*:", "").split(" ", -1);
                flows.add(new Flow(
                        Integer.parseInt(ports[0]),
                        Integer.parseInt(ports[1]),
                        begun.getOrDefault(key, false),
                        sent.toByteArray()));
            }
        });
        return flows;
    }

    private static void keep(ByteBuffer packet, Map<String, ByteArrayOutputStream> bytes, Map<String, Boolean> begun) {
        int internet = ETHERNET;
        int header = (packet.get(internet) & 0xf) * 4;
        if (packet.get(internet) >> 4 != 4 || packet.get(internet + 9) != TCP) {
            return;
        }
        int end = internet + (packet.getShort(internet + 2) & 0xffff);
        int tcp = internet + header;
        String key = address(packet, internet + 12) + ":" + (packet.getShort(tcp) & 0xffff) + " "
                + address(packet, internet + 16) + ":" + (packet.getShort(tcp + 2) & 0xffff);
        if ((packet.get(tcp + 13) & SYN) != 0) {
            begun.put(key, true);
            bytes.put(key, new ByteArrayOutputStream());
        }
        int from = tcp + ((packet.get(tcp + 12) >> 4) & 0xf) * 4;
        int size = Math.min(end, packet.limit()) - from;
        if (size > 0) {
            bytes.computeIfAbsent(key, any -> new ByteArrayOutputStream()).write(packet.array(), from, size);
        }
    }

    private static String address(ByteBuffer packet, int at) {
        return Integer.toUnsignedString(packet.getInt(at));
    }

    @Override
    public void close() throws IOException {
        tcpdump.destroyForcibly();
        Files.deleteIfExists(file);
    }
}
