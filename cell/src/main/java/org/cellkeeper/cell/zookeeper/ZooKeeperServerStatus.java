package org.cellkeeper.cell.zookeeper;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import org.cellkeeper.cell.model.EnsembleServer.Standing;

/** What one member of the ensemble says of itself. Asking blocks the caller for half a second at most per step. */
public enum ZooKeeperServerStatus {
    LEADER,
    FOLLOWER,
    /** The only member of its ensemble. */
    STANDALONE,
    /** It serves clients, and has no vote. */
    OBSERVER,
    /** It runs, and does not let itself be asked. */
    UNTOLD,
    /** It runs, and is not (or no longer) part of a quorum. */
    NOT_SERVING,
    UNREACHABLE;

    private static final int TIMEOUT_MILLIS = 500;
    private static final int LONGEST_ANSWER = 8192;

    /** Asks by the four-letter word {@code srvr}, which every member here answers. */
    public static ZooKeeperServerStatus of(String host, int clientPort) {
        String answer;
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress(host, clientPort), TIMEOUT_MILLIS);
            socket.setSoTimeout(TIMEOUT_MILLIS);
            socket.getOutputStream().write("srvr".getBytes(StandardCharsets.US_ASCII));
            answer = new String(socket.getInputStream().readNBytes(LONGEST_ANSWER), StandardCharsets.US_ASCII);
        } catch (IOException e) {
            return UNREACHABLE;
        }
        return parse(answer);
    }

    static ZooKeeperServerStatus parse(String answer) {
        for (String line : answer.split("\n", -1)) {
            if (line.startsWith("Mode: ")) {
                return switch (line.substring("Mode: ".length()).strip()) {
                    case "leader" -> LEADER;
                    case "follower" -> FOLLOWER;
                    case "standalone" -> STANDALONE;
                    case "observer" -> OBSERVER;
                    default -> NOT_SERVING;
                };
            }
        }
        return answer.contains("not in the whitelist") ? UNTOLD : NOT_SERVING;
    }

    /** What that is to its clients. */
    public Standing standing() {
        return switch (this) {
            case LEADER, FOLLOWER, STANDALONE, OBSERVER, UNTOLD -> Standing.SERVING;
            case NOT_SERVING -> Standing.WAITING;
            case UNREACHABLE -> Standing.SILENT;
        };
    }

    public boolean isLeading() {
        return this == LEADER;
    }

    public boolean isServing() {
        return this == LEADER || this == FOLLOWER || this == STANDALONE;
    }
}
