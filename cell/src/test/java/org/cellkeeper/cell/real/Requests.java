package org.cellkeeper.cell.real;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpHeaders;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import org.cellkeeper.api.Trust;
import org.jspecify.annotations.Nullable;

/** Requests as any client may send them: nothing is checked before, nothing is retried. Any thread may use it. */
final class Requests implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Duration WITHIN = Duration.ofSeconds(15);

    private final HttpClient http;

    Requests() {
        this(usual().build());
    }

    /** From an address of their own, such as 127.1.0.9: who guesses passwords is not answered any more at its address. */
    Requests(String from) {
        this(usual().localAddress(InetAddress.ofLiteral(from)).build());
    }

    private Requests(HttpClient http) {
        this.http = http;
    }

    private static HttpClient.Builder usual() {
        return HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1)
                .connectTimeout(Duration.ofSeconds(3))
                .sslContext(Trust.all());
    }

    /** What came back; of a stream only the head. */
    record Answer(int status, HttpHeaders headers, String body) {
        String type() {
            return headers.firstValue("Content-Type").orElse("");
        }

        /** Of a problem; else empty. */
        String code() {
            return type().equals("application/problem+json")
                    ? json().path("code").asText()
                    : "";
        }

        JsonNode json() {
            try {
                return JSON.readTree(body);
            } catch (IOException e) {
                throw new AssertionError("no JSON: " + body, e);
            }
        }

        /** What may never be seen outside. */
        boolean showsItsInside() {
            return body.contains("\tat ")
                    || body.contains("Exception")
                    || body.contains("java.")
                    || body.contains("org.eclipse")
                    || body.contains("Caused by");
        }
    }

    static String basic(String user, String password) {
        return "Basic " + Base64.getEncoder().encodeToString((user + ":" + password).getBytes(StandardCharsets.UTF_8));
    }

    Answer send(String verb, URI uri, @Nullable String authorization, byte[] body) throws IOException {
        HttpRequest.Builder request = HttpRequest.newBuilder(uri)
                .timeout(WITHIN)
                .header("Accept", "application/*;version=39.0")
                .method(
                        verb,
                        body.length == 0
                                ? HttpRequest.BodyPublishers.noBody()
                                : HttpRequest.BodyPublishers.ofByteArray(body));
        if (authorization != null) {
            request.header("Authorization", authorization);
        }
        try {
            HttpResponse<InputStream> answer = http.send(request.build(), HttpResponse.BodyHandlers.ofInputStream());
            boolean endless =
                    answer.headers().firstValue("Content-Type").orElse("").startsWith("text/event-stream");
            try (InputStream in = answer.body()) {
                return new Answer(
                        answer.statusCode(),
                        answer.headers(),
                        endless ? "" : new String(in.readAllBytes(), StandardCharsets.UTF_8));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }

    /** A body that is refused unread may cost the connection, before its sender has read the answer: then again. */
    Answer sendPatiently(String verb, URI uri, @Nullable String authorization, byte[] body) throws IOException {
        for (int left = 10; ; left--) {
            try {
                return send(verb, uri, authorization, body);
            } catch (IOException e) {
                if (left == 0 || body.length == 0) {
                    throw e;
                }
            }
        }
    }

    Answer send(String verb, URI uri, @Nullable String authorization) throws IOException {
        return send(verb, uri, authorization, new byte[0]);
    }

    @Override
    public void close() {
        http.shutdownNow();
    }
}
