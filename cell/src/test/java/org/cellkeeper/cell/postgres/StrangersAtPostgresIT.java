package org.cellkeeper.cell.postgres;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.DataOutputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.SSLSocketFactory;
import org.cellkeeper.cell.trust.Certified;
import org.cellkeeper.cell.trust.Credentials;
import org.cellkeeper.cell.trust.Encryption;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** More who do not say who they are than PostgreSQL has places. */
final class StrangersAtPostgresIT {
    private static final int SILENT = 500;
    private static final int UNPROVEN = 200;
    private static final int STREAMS = 16;
    private static final int WANTS_TLS = 80877103;
    private static final int PROTOCOL = 3 << 16;
    private static final Duration SOON = Duration.ofSeconds(5);

    private final PostgresBench bench;
    private final List<Socket> strangers = new ArrayList<>();
    private final Credentials credentials = Certified.cells().credentials(Encryption.REQUIRED, "a");

    StrangersAtPostgresIT() throws IOException {
        bench = new PostgresBench();
    }

    @AfterEach
    void close() throws IOException {
        for (Socket stranger : strangers) {
            stranger.close();
        }
        bench.close();
    }

    private Socket stranger() throws IOException {
        Socket socket = new Socket();
        strangers.add(socket);
        socket.connect(
                new InetSocketAddress(PostgresBench.HOST, bench.settings("a").port()), 2000);
        socket.setSoTimeout(5000);
        return socket;
    }

    /** Says who he wants to be, and does not prove it. */
    private void unproven(boolean streams) throws IOException {
        Socket socket = stranger();
        DataOutputStream out = new DataOutputStream(socket.getOutputStream());
        out.writeInt(8);
        out.writeInt(WANTS_TLS);
        if (socket.getInputStream().read() != 'S') {
            return;
        }
        SSLSocketFactory factory = credentials.context().getSocketFactory();
        SSLSocket tls = (SSLSocket) factory.createSocket(socket, PostgresBench.HOST, socket.getPort(), true);
        byte[] words = ("user\0vcloud\0database\0vcloud\0" + (streams ? "replication\0database\0" : "") + "\0")
                .getBytes(StandardCharsets.US_ASCII);
        DataOutputStream told = new DataOutputStream(tls.getOutputStream());
        told.writeInt(8 + words.length);
        told.writeInt(PROTOCOL);
        told.write(words);
        told.flush();
    }

    @Test
    void whoSaysNothingKeepsNobodyOut() throws Exception {
        aPrimaryRuns();
        for (int n = 0; n < SILENT; n++) {
            stranger();
        }
        comesIn();
    }

    @Test
    void norDoesWhoSaysANameAndDoesNotProveIt() throws Exception {
        aPrimaryRuns();
        for (int n = 0; n < UNPROVEN; n++) {
            try {
                unproven(false);
            } catch (IOException sentAway) {
                // That is what it is about.
            }
        }
        comesIn();
    }

    @Test
    void norDoesWhoSaysThatHeStreams() throws Exception {
        aPrimaryRuns();
        for (int n = 0; n < STREAMS; n++) {
            unproven(true);
        }
        bench.get(bench.database("a").keepSlots(bench.id("a"), java.util.Set.of(bench.id("b"))));
        bench.get(bench.database("b").cloneFrom(bench.upstream("a", 1), bench.id("b"), percent -> {}));
    }

    private void aPrimaryRuns() {
        bench.found("a");
        bench.get(bench.reencrypt("a", Access.with(credentials)).startPrimary());
    }

    private void comesIn() throws Exception {
        bench.awaitTrue(SOON, this::clientIsTaken, "a client comes in");
        bench.awaitTrue(SOON, this::strangersAreFew, "those who say nothing are sent away");
        assertThat(clientIsTaken()).isTrue();
    }

    private boolean strangersAreFew() {
        try {
            long postmaster = bench.postmasterPid("a");
            return ProcessHandle.of(postmaster).orElseThrow().children().count() < 100;
        } catch (Exception e) {
            return false;
        }
    }

    private boolean clientIsTaken() {
        try {
            bench.client("a").close();
            return true;
        } catch (SQLException full) {
            return false;
        }
    }
}
