package org.cellkeeper.cell.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.cellkeeper.cell.http.RawRequests.basic;
import static org.cellkeeper.cell.http.RawRequests.client;
import static org.cellkeeper.cell.http.RawRequests.request;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.cellkeeper.cell.FreePort;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** More who say nothing than the API takes connections. */
final class StrangersAtTheApiTest {
    private static final String PASSWORD = "the password";
    private static final int MANY = 1500;
    private static final byte[] BEGIN_OF_TLS = {22, 3, 1, 2, 0};

    @TempDir
    Path directory;

    private final List<Socket> strangers = new ArrayList<>();
    private int port;
    private ApplianceApi api;

    @BeforeEach
    void start() throws IOException {
        port = FreePort.find();
        api = ApiAlone.start(ApiAlone.settings(directory, port, PASSWORD), new FakeOperator());
    }

    @AfterEach
    void stop() throws IOException {
        for (Socket stranger : strangers) {
            stranger.close();
        }
        api.close();
    }

    @Test
    void anOperatorComesInAndStaysInHoweverManySayNothing() throws Exception {
        try (var operator = client()) {
            assertThat(status(operator)).isEqualTo(200);
            for (int n = 0; n < MANY; n++) {
                Socket stranger = new Socket();
                strangers.add(stranger);
                stranger.connect(new InetSocketAddress("127.0.0.1", port), 2000);
                if (n % 2 == 0) {
                    stranger.getOutputStream().write(BEGIN_OF_TLS);
                }
            }
            assertThat(status(operator)).as("on the connection of before").isEqualTo(200);
        }
        try (var another = client()) {
            assertThat(status(another)).as("on a new one").isEqualTo(200);
        }
    }

    private int status(java.net.http.HttpClient from) throws Exception {
        return from.send(
                        request(port, "/nodes")
                                .timeout(Duration.ofSeconds(5))
                                .header("Authorization", basic("root", PASSWORD))
                                .build(),
                        HttpResponse.BodyHandlers.ofString())
                .statusCode();
    }
}
