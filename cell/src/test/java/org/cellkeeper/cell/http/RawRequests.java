package org.cellkeeper.cell.http;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.net.InetAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import org.cellkeeper.api.Trust;

/** Requests as a client of any make may send them, and their answers as they are. */
final class RawRequests {
    private static final ObjectMapper JSON = new ObjectMapper();

    private RawRequests() {}

    /** To be closed before the API is, which waits for connections. */
    static HttpClient client() {
        return HttpClient.newBuilder()
                .sslContext(Trust.all())
                .version(HttpClient.Version.HTTP_1_1)
                .build();
    }

    /** The same from an address of its own, such as 127.0.0.9. */
    static HttpClient client(String address) {
        return HttpClient.newBuilder()
                .sslContext(Trust.all())
                .version(HttpClient.Version.HTTP_1_1)
                .localAddress(InetAddress.ofLiteral(address))
                .build();
    }

    /** Without credentials. */
    static HttpRequest.Builder request(int port, String path) {
        return HttpRequest.newBuilder(URI.create("https://127.0.0.1:" + port + "/api/1.0.0" + path))
                .timeout(Duration.ofSeconds(20));
    }

    static HttpRequest.Builder authorized(int port, String path, String password) {
        return request(port, path).header("Authorization", basic(password));
    }

    static String basic(String password) {
        return basic("root", password);
    }

    static String basic(String user, String password) {
        return "Basic " + Base64.getEncoder().encodeToString((user + ":" + password).getBytes(StandardCharsets.UTF_8));
    }

    static JsonNode assertProblem(HttpResponse<String> answer, int status, String code) throws Exception {
        assertThat(answer.statusCode()).as(answer.body()).isEqualTo(status);
        assertThat(answer.headers().firstValue("Content-Type")).hasValue("application/problem+json");
        JsonNode problem = JSON.readTree(answer.body());
        assertThat(problem.get("status").asInt()).isEqualTo(status);
        assertThat(problem.get("code").asText()).isEqualTo(code);
        assertThat(problem.get("title").asText()).isNotEmpty();
        assertThat(problem.get("detail").asText()).isNotEmpty();
        return problem;
    }
}
