package org.cellkeeper.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import org.jspecify.annotations.Nullable;

/**
 * An error, as {@code application/problem+json} (RFC 9457).
 *
 * @param code stable; what a script may compare
 * @param detail what to do about it
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record Problem(
        String type,
        String title,
        int status,
        String code,
        @Nullable String detail) {
    public static final String MEDIA_TYPE = "application/problem+json";

    public static Problem of(int status, String title, String code, String detail) {
        return new Problem("about:blank", title, status, code, detail);
    }
}
