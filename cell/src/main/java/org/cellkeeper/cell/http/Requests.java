package org.cellkeeper.cell.http;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.cfg.CoercionAction;
import com.fasterxml.jackson.databind.cfg.CoercionInputShape;
import com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.type.LogicalType;
import io.javalin.http.Context;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.cellkeeper.cell.model.CellName;
import org.jspecify.annotations.Nullable;

/** What requests bring: parameters and bodies, refused when they make no sense. Any thread may use it. */
final class Requests {
    static final int BODY_LIMIT = 64 * 1024;

    private static final long BODY_WITHIN_NANOS = 10_000_000_000L;
    private static final Pattern SIZE = Pattern.compile("([0-9]{1,9})(|kB|MB|GB)");
    private static final List<String> SIZE_UNITS = List.of("", "kB", "MB", "GB");
    private static final Instant EARLIEST = Instant.EPOCH;
    private static final Instant LATEST = Instant.parse("9999-12-31T23:59:59Z");

    private final ObjectMapper json;

    Requests(ObjectMapper json) {
        this.json = json;
    }

    /** Refuses what nobody expects, rather than take it for what it may have meant. */
    static ObjectMapper strictJson() {
        return JsonMapper.builder()
                .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
                .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                .disable(MapperFeature.ALLOW_COERCION_OF_SCALARS)
                .withCoercionConfig(
                        LogicalType.Textual,
                        text -> text.setCoercion(CoercionInputShape.Integer, CoercionAction.Fail)
                                .setCoercion(CoercionInputShape.Float, CoercionAction.Fail)
                                .setCoercion(CoercionInputShape.Boolean, CoercionAction.Fail))
                .build();
    }

    static String caller(Context ctx) {
        Caller caller = Caller.of(ctx);
        return (caller == null ? "nobody" : caller.name()) + " from " + ctx.ip();
    }

    static CellName target(Context ctx) {
        String name = ctx.pathParam("name");
        try {
            return new CellName(name);
        } catch (IllegalArgumentException e) {
            throw RequestProblem.notFound("no-such-node", "no cell can have this name");
        }
    }

    static int number(Context ctx, String name, int otherwise, int most) {
        String asked = ctx.queryParam(name);
        if (asked == null) {
            return otherwise;
        }
        int number = asked.matches("[0-9]{1,6}") ? Integer.parseInt(asked) : 0;
        if (number < 1 || number > most) {
            throw wrong(name, asked, "a number from 1 to " + most);
        }
        return number;
    }

    /** Such as 16MB, in PostgreSQL's units. */
    static long size(Context ctx, String name, long otherwise) {
        String asked = ctx.queryParam(name);
        if (asked == null) {
            return otherwise;
        }
        Matcher size = SIZE.matcher(asked);
        if (!size.matches()) {
            throw wrong(name, asked, "a size such as 65536, 512kB, 16MB or 1GB");
        }
        int power = SIZE_UNITS.indexOf(size.group(2));
        return Long.parseLong(size.group(1)) << (10 * power);
    }

    /** Whatever PostgreSQL could not hold is as far away as anybody may ask for. */
    static Instant time(String name, String asked) {
        try {
            Instant time = OffsetDateTime.parse(asked).toInstant();
            return time.isBefore(EARLIEST) ? EARLIEST : time.isAfter(LATEST) ? LATEST : time;
        } catch (DateTimeException e) {
            throw wrong(name, asked, "a time such as 2026-01-02T12:00:00Z");
        }
    }

    static boolean flag(Context ctx, String name) {
        String value = ctx.queryParam(name);
        if (value == null) {
            return false;
        }
        return switch (value.toLowerCase(Locale.ROOT)) {
            case "", "true" -> true;
            case "false" -> false;
            default -> throw wrong(name, value, "true or false");
        };
    }

    <T> @Nullable T body(Context ctx, Class<T> type) {
        byte[] bytes = bytes(ctx);
        if (new String(bytes, StandardCharsets.UTF_8).isBlank()) {
            return null;
        }
        try {
            T value = json.readValue(bytes, type);
            if (value == null) {
                throw RequestProblem.badRequest("the body must be a JSON object");
            }
            return value;
        } catch (JsonProcessingException e) {
            throw RequestProblem.badRequest("the body is not understood: " + where(e));
        } catch (IOException e) {
            throw RequestProblem.badRequest("the body is not understood");
        }
    }

    /** No client may hold a request open for ever by sending a byte now and then. */
    private static byte[] bytes(Context ctx) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        byte[] chunk = new byte[8192];
        long start = System.nanoTime();
        try (InputStream in = ctx.bodyInputStream()) {
            for (int read = in.read(chunk); read >= 0; read = in.read(chunk)) {
                all.write(chunk, 0, read);
                if (all.size() > BODY_LIMIT) {
                    throw tooLarge();
                }
                if (System.nanoTime() - start > BODY_WITHIN_NANOS) {
                    throw new RequestProblem(408, "Too slow", "request-timeout", "the body did not arrive in time");
                }
            }
        } catch (IOException e) {
            throw RequestProblem.badRequest("the body could not be read");
        }
        return all.toByteArray();
    }

    private static String where(JsonProcessingException e) {
        String member = e instanceof UnrecognizedPropertyException unknown
                ? "unknown member '" + printable(unknown.getPropertyName()) + "'"
                : "not the JSON that is expected";
        return e.getLocation() == null
                ? member
                : member + " at line " + e.getLocation().getLineNr() + ", column "
                        + e.getLocation().getColumnNr();
    }

    private static String printable(String text) {
        String cut = text.length() > 60 ? text.substring(0, 60) + "..." : text;
        return cut.replaceAll("[^\\x20-\\x7e]", "?");
    }

    private record Nothing() {}

    void noBody(Context ctx) {
        body(ctx, Nothing.class);
    }

    static RequestProblem wrong(String parameter, String value, String right) {
        return RequestProblem.badRequest(parameter + " is '" + printable(value) + "', and must be " + right);
    }

    static RequestProblem tooLarge() {
        return new RequestProblem(
                413, "Body too large", "body-too-large", "a body may have " + BODY_LIMIT + " bytes at most");
    }
}
