package org.cellkeeper.cell.real;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/** Draws requests that no client should send. None of them can change the cluster. */
final class StormRequests {
    private static final List<String> VERBS =
            List.of("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "PROPFIND", "NODES", "get");
    private static final List<String> BODIES = List.of(
            "{",
            "[]",
            "null",
            "true",
            "\"text\"",
            "{\"acceptDataLoss\":\"yes\"}",
            "{\"acceptDataLoss\":1e999}",
            "{\"acceptDataLoss\":true,\"acceptDataLoss\":false}",
            "{} {}",
            "<xml/>",
            "[".repeat(5000),
            "{\"a\":".repeat(3000),
            "\u0000\u0001\u0002",
            "{\"\ud83d\":0}");
    private static final List<String> TAILS = List.of(
            "",
            "/",
            "//",
            "/..",
            "/%2e%2e",
            "/%2F",
            "/%00",
            "/%0d%0aX:y",
            "/a;b=c",
            "/%F0%9F%98%80",
            "/cell-1/cell-2/cell-3",
            "?dryRun=perhaps",
            "?dryRun=true&dryRun=false",
            "?limit=-1",
            "?limit=99999999999999999999",
            "?%00",
            "?=&=&=");
    private static final List<String> RAW = List.of(
            "\r\n\r\n",
            "GET\r\n\r\n",
            "GET / HTTP/9.9\r\n\r\n",
            "GET /api/1.0.0/nodes HTTP/1.1\r\n\r\n",
            "GET /api/1.0.0/nodes HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            "POST /api/1.0.0/sessions HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
            "POST /api/1.0.0/sessions HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999999999999999\r\n\r\n",
            "POST /api/1.0.0/sessions HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST /api/1.0.0/sessions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n",
            "POST /api/1.0.0/sessions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: unheard-of\r\n\r\n",
            "POST /api/1.0.0/sessions HTTP/1.1\r\nHost: a\r\nExpect: the-moon\r\n\r\n",
            "GET http://[::1 HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /%zz%1 HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /\u00ff\u00fe HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nBad Header\r\n: x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: " + "x".repeat(40_000) + "\r\n\r\n",
            "GET /" + "x".repeat(40_000) + " HTTP/1.1\r\nHost: a\r\n\r\n",
            "CONNECT other:443 HTTP/1.1\r\nHost: a\r\n\r\n",
            "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");

    private final String password;
    private final List<@Nullable String> authorizations;
    private final List<String> paths;

    StormRequests(String password) throws IOException {
        this.password = password;
        this.authorizations = Arrays.asList(
                Requests.basic("root", password),
                Requests.basic("root", password),
                null,
                "",
                "Basic",
                "Basic ====",
                "Basic " + "A".repeat(9000),
                "Bearer ck2.x.y",
                "Bearer " + "z".repeat(9000),
                "Negotiate abc",
                guess(password));
        this.paths = Contract.read().paths().stream()
                .filter(path -> !path.endsWith("/events"))
                .toList();
    }

    private static String guess(String password) {
        return Requests.basic("root", password + "x");
    }

    /** Whether it brings a wrong password. */
    boolean isGuess(Shot shot) {
        return guess(password).equals(shot.authorization);
    }

    /** A request that a library would still send. */
    record Shot(String verb, String path, @Nullable String authorization, byte[] body) {
        @Override
        public String toString() {
            return verb + " " + path + " with " + body.length + " bytes";
        }
    }

    Shot shot(Random random) {
        String path = any(random, paths).replace("{mode}", "sometimes").replaceAll("\\{[a-z]+}", "no-such");
        return new Shot(any(random, VERBS), path + any(random, TAILS), any(random, authorizations), body(random));
    }

    private static byte[] body(Random random) {
        return switch (random.nextInt(8)) {
            case 0, 1, 2 -> new byte[0];
            case 3 -> {
                byte[] noise = new byte[random.nextInt(2000)];
                random.nextBytes(noise);
                yield noise;
            }
            case 4 -> random.nextInt(8) == 0 ? new byte[200_000] : new byte[66_000];
            default -> any(random, BODIES).getBytes(StandardCharsets.UTF_8);
        };
    }

    /** Bytes that no library would send. */
    String raw(Random random) {
        return any(random, RAW);
    }

    private static <T extends @Nullable Object> T any(Random random, List<T> list) {
        return list.get(random.nextInt(list.size()));
    }
}
