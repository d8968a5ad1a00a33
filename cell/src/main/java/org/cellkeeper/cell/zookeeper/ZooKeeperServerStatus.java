package org.cellkeeper.cell.zookeeper;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import org.cellkeeper.cell.model.EnsembleServer.Standing;
import org.cellkeeper.cell.trust.Credentials;
import org.jspecify.annotations.Nullable;

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

    /**
     * Asks by the four-letter word {@code srvr}, which every member here answers.
     *
     * @param credentials with which the connection is encrypted; null for one that is not
     */
    public static ZooKeeperServerStatus of(String host, int clientPort, @Nullable Credentials credentials) {
        try {
            return parse(answer(host, clientPort, credentials));
        } catch (IOException e) {
            return UNREACHABLE;
        }
    }

    /** What it says, in its own words; as for {@link #of}. */
    public static String answer(String host, int clientPort, @Nullable Credentials credentials) throws IOException {
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress(host, clientPort), TIMEOUT_MILLIS);
            socket.setSoTimeout(TIMEOUT_MILLIS);
            Socket talk = credentials == null ? socket : encrypted(socket, host, clientPort, credentials);
            talk.getOutputStream().write("srvr".getBytes(StandardCharsets.US_ASCII));
            return new String(talk.getInputStream().readNBytes(LONGEST_ANSWER), StandardCharsets.US_ASCII);
        }
    }

    private static Socket encrypted(Socket socket, String host, int port, Credentials credentials) throws IOException {
        SSLSocket talk = (SSLSocket) credentials.context().getSocketFactory().createSocket(socket, host, port, true);
        SSLParameters parameters = talk.getSSLParameters();
        parameters.setEndpointIdentificationAlgorithm("HTTPS");
        talk.setSSLParameters(parameters);
        return talk;
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
