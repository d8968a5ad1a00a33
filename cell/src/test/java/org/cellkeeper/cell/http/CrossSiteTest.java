package org.cellkeeper.cell.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.cellkeeper.cell.http.RawRequests.assertProblem;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import javax.net.ssl.SSLSocket;
import org.cellkeeper.api.Trust;
import org.cellkeeper.cell.FreePort;
import org.cellkeeper.cell.port.Operator;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What other sites can do in a browser that remembers the password of a cell: it sends that with each request, so each has it here. */
final class CrossSiteTest {
    private static final String PASSWORD = "the password";
    private static final String FORM = "Content-Type: application/x-www-form-urlencoded\r\n";
    private static final String FOREIGN = "Origin: https://evil.example\r\n";

    @TempDir
    static Path directory;

    private static int port;
    private static FakeOperator operator;
    private static ApplianceApi api;

    @BeforeAll
    static void start() throws IOException {
        port = FreePort.find();
        operator = new FakeOperator();
        api = ApiAlone.start(ApiAlone.settings(directory, port, PASSWORD), operator);
    }

    @AfterAll
    static void stop() {
        api.close();
    }

    @BeforeEach
    void reset() {
        operator.verdict = CompletableFuture.completedFuture(new Operator.Verdict.Accepted("task-7"));
        operator.asked.clear();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                // A form, as browsers of today send it, and one that hides where it is.
                FORM + FOREIGN
                        + "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n",
                FORM + "Origin: null\r\n",
                // The same in browsers that do not say where a form is.
                FORM,
                "Content-Type: multipart/form-data; boundary=x\r\n",
                "Content-Type: text/plain\r\n",
                // Scripts.
                FOREIGN,
                "Content-Type: application/json\r\n" + FOREIGN,
                "Sec-Fetch-Site: cross-site\r\n",
                // A site on another port of the same host, and on a neighbour.
                "Sec-Fetch-Site: same-site\r\n",
                "Origin: https://127.0.0.1:8443\r\n",
                "Origin: https://127.0.0.1\r\n",
                "Origin: http://127.0.0.1:PORT\r\n",
                "Origin: https://127.0.0.1:PORT.evil.example\r\n",
            })
    void neitherFormsNorScriptsOfOtherSitesChangeAnything(String headers) throws Exception {
        for (String request : List.of(
                "POST /api/1.0.0/nodes/cell-2/promote",
                "POST /api/1.0.0/nodes/failover/manual",
                "POST /api/1.0.0/sessions",
                "DELETE /api/1.0.0/nodes/cell-2",
                "PUT /api/1.0.0/mount")) {
            String answer = send(request, headers, "{}");
            assertThat(answer)
                    .as(request)
                    .startsWith("HTTP/1.1 403")
                    .contains("\"code\":\"cross-site\"")
                    .doesNotContain("Access-Control-")
                    .doesNotContain("token");
        }
        assertThat(operator.asked).isEmpty();
    }

    @Test
    void noOtherSiteIsToldThatItMayAsk() throws Exception {
        String answer = send(
                "OPTIONS /api/1.0.0/nodes/cell-2",
                FOREIGN
                        + "Access-Control-Request-Method: DELETE\r\nAccess-Control-Request-Headers: authorization\r\n"
                        + "Sec-Fetch-Site: cross-site\r\n",
                "");
        assertThat(answer).startsWith("HTTP/1.1 204").doesNotContain("Access-Control-");
        assertThat(send("GET /api/1.0.0/isPrimary", FOREIGN, "")).doesNotContain("Access-Control-");
    }

    @Test
    void noOtherSiteReadsAnythingOrHoldsAStreamButALinkMayBeFollowed() throws Exception {
        for (String path : List.of("/nodes", "/events", "/metrics", "/history")) {
            assertThat(send("GET /api/1.0.0" + path, "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n", ""))
                    .as(path)
                    .startsWith("HTTP/1.1 403");
            assertThat(send("GET /api/1.0.0" + path, FOREIGN, "")).as(path).startsWith("HTTP/1.1 403");
        }
        assertThat(send(
                        "GET /api/1.0.0/nodes",
                        "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n",
                        ""))
                .startsWith("HTTP/1.1 200")
                .contains("X-Content-Type-Options: nosniff", "Cross-Origin-Resource-Policy: same-origin");
    }

    @Test
    void programsAndWhatACellServesItselfMayAsk() throws Exception {
        for (String headers : List.of(
                "",
                "Content-Type: application/json\r\n",
                "Content-Type: application/*+json;version=39.0\r\n",
                "Sec-Fetch-Site: none\r\n",
                "Sec-Fetch-Site: same-origin\r\nOrigin: https://127.0.0.1:PORT\r\n")) {
            assertThat(send("POST /api/1.0.0/nodes/cell-2/promote", headers, "{}"))
                    .as(headers)
                    .startsWith("HTTP/1.1 202");
        }
        assertThat(operator.asked).hasSize(5);
    }

    @Test
    void theRefusalSaysWhy() throws Exception {
        var client = RawRequests.client();
        assertProblem(
                client.send(
                        RawRequests.authorized(port, "/nodes/cell-2/promote", PASSWORD)
                                .header("Content-Type", "text/plain")
                                .POST(java.net.http.HttpRequest.BodyPublishers.ofString("{}"))
                                .build(),
                        java.net.http.HttpResponse.BodyHandlers.ofString()),
                403,
                "cross-site");
        client.shutdownNow();
    }

    private static String send(String request, String headers, String body) throws IOException {
        try (SSLSocket socket = (SSLSocket) Trust.all().getSocketFactory().createSocket("127.0.0.1", port)) {
            socket.setSoTimeout(10_000);
            OutputStream out = socket.getOutputStream();
            String text = request + " HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nConnection: close\r\nAuthorization: "
                    + RawRequests.basic(PASSWORD) + "\r\n" + headers + "Content-Length: " + body.length() + "\r\n\r\n"
                    + body;
            out.write(text.replace("PORT", String.valueOf(port)).getBytes(StandardCharsets.US_ASCII));
            out.flush();
            InputStream in = socket.getInputStream();
            return new String(in.readNBytes(16 * 1024), StandardCharsets.UTF_8);
        }
    }
}
