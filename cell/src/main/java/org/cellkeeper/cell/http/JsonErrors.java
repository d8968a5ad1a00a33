package org.cellkeeper.cell.http;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import org.cellkeeper.api.Problem;
import org.eclipse.jetty.http.HttpFields;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.server.handler.ErrorHandler;
import org.eclipse.jetty.util.Callback;

/** What the server itself says to requests that never reach a route: the same problems, instead of Jetty's pages. */
final class JsonErrors extends ErrorHandler {
    private final ObjectMapper json;

    JsonErrors(ObjectMapper json) {
        this.json = json;
    }

    @Override
    public boolean handle(Request request, Response response, Callback callback) {
        // What the client asked for and nobody serves is no fault of this cell.
        if (response.getStatus() == HttpStatus.HTTP_VERSION_NOT_SUPPORTED_505
                || response.getStatus() == HttpStatus.NOT_IMPLEMENTED_501) {
            response.setStatus(HttpStatus.BAD_REQUEST_400);
        }
        HttpFields.Mutable headers = response.getHeaders();
        ByteBuffer body = body(response.getStatus(), headers);
        response.write(true, body, callback);
        return true;
    }

    private ByteBuffer body(int status, HttpFields.Mutable headers) {
        String title = HttpStatus.getMessage(status);
        String code = title.toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9]+", "-");
        headers.put(HttpHeader.CONTENT_TYPE, Problem.MEDIA_TYPE);
        headers.put(HttpHeader.CACHE_CONTROL, "no-store");
        try {
            byte[] text = json.writeValueAsBytes(Problem.of(status, title, code, "the request is not understood"));
            return ByteBuffer.wrap(text);
        } catch (JsonProcessingException e) {
            return ByteBuffer.wrap("{}".getBytes(StandardCharsets.US_ASCII));
        }
    }
}
